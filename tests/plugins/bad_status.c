/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that answers as if 1 were success. */
#include "fake.h"

gn_status gn_backend_entry(const gn_host *services, gn_abi_request *request,
                           const gn_backend **out) {
    static const gn_backend table = {FAKE_REQUIRED("bad_status")};
    (void)request;
    host = services;
    *out = &table;
    return 1;
}
