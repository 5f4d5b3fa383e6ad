/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that fails at its start. */
#include <genesis/backend.h>

gn_status gn_backend_entry(const gn_host *host, gn_abi_request *request, const gn_backend **out) {
    (void)request, (void)out;
    return host->set_error(GN_E_DEVICE, 0, "the firmware is missing");
}
