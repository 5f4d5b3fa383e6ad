/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin without devices. */
#include "fake.h"

static gn_status count(int32_t *out) {
    *out = 0;
    host->set_error(GN_OK, 0, "the driver is not installed");
    return GN_OK;
}

static gn_backend table = {FAKE_REQUIRED("no_device")};

__attribute__((constructor)) static void replace_count(void) { table.count = count; }

FAKE_ENTRY(table)
