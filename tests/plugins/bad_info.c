/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that describes each of its devices wrongly: a name without end, one that is no UTF-8, a
 * status that is none. The last one fails with a text that is none. */
#include "fake.h"

static gn_status count(int32_t *out) {
    *out = 4;
    return GN_OK;
}

static gn_status info(int32_t ordinal, gn_device_info *out) {
    fake_info(ordinal, out);
    switch (ordinal) {
    case 0: memset(out->name, 'x', sizeof out->name); return GN_OK;
    case 1: strcpy(out->driver, "caf\xe9"); return GN_OK;
    case 2: return 7;
    default: return host->set_error(GN_E_DEVICE, 0, "caf\xe9 \033[2J \xc3\xa9t\xc3\xa9");
    }
}

static gn_backend table = {FAKE_REQUIRED("bad_info")};

__attribute__((constructor)) static void replace(void) {
    table.count = count;
    table.info = info;
}

FAKE_ENTRY(table)
