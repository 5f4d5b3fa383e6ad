/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that waits for its driver for ever. */
#include <unistd.h>

#include "fake.h"

static gn_status count(int32_t *out) {
    while (pause() != 0)
        continue;
    *out = 1;
    return GN_OK;
}

static gn_backend table = {FAKE_REQUIRED("bad_hang")};

__attribute__((constructor)) static void replace_count(void) { table.count = count; }

FAKE_ENTRY(table)
