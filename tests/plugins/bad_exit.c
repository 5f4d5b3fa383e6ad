/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that ends the process without its driver. */
#include <stdio.h>
#include <unistd.h>

#include <genesis/backend.h>

gn_status gn_backend_entry(const gn_host *host, gn_abi_request *request, const gn_backend **out) {
    (void)host, (void)request, (void)out;
    puts("no driver, good bye");
    fflush(stdout);
    _exit(3);
}
