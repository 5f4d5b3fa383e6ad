/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that needs a later ABI. */
#include <genesis/backend.h>

gn_status gn_backend_entry(const gn_host *host, gn_abi_request *request, const gn_backend **out) {
    (void)host, (void)out;
    request->needed_major = 7;
    request->needed_minor = 3;
    return GN_E_VERSION;
}
