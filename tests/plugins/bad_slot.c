/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin without `scatter`. */
#include "fake.h"

static gn_backend table = {FAKE_REQUIRED("bad_slot")};

__attribute__((constructor)) static void empty_slot(void) { table.scatter = NULL; }

FAKE_ENTRY(table)
