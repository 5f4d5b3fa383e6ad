/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that crashes when it describes its second device. */
#include <signal.h>

#include "fake.h"

static gn_status count(int32_t *out) {
    *out = 2;
    return GN_OK;
}

static gn_status info(int32_t ordinal, gn_device_info *out) {
    if (ordinal == 1)
        raise(SIGSEGV);
    return fake_info(ordinal, out);
}

static gn_backend table = {FAKE_REQUIRED("bad_crash")};

__attribute__((constructor)) static void replace(void) {
    table.count = count;
    table.info = info;
}

FAKE_ENTRY(table)
