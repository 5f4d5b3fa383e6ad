/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that hands its driver's error out as a number of devices. */
#include "fake.h"

static gn_status count(int32_t *out) {
    *out = -3;
    return GN_OK;
}

static gn_backend table = {FAKE_REQUIRED("bad_count")};

__attribute__((constructor)) static void replace_count(void) { table.count = count; }

FAKE_ENTRY(table)
