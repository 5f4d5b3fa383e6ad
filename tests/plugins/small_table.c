/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of a time when the table ended with `scatter`. What lies behind is none of the table. */
#include "fake.h"

static void trap(void) { abort(); }

static gn_backend table = {FAKE_REQUIRED("small_table")};

__attribute__((constructor)) static void shorten(void) {
    void (*function)(void) = trap;
    const size_t end = offsetof(gn_backend, scatter) + sizeof table.scatter;
    for (size_t at = end; at + sizeof function <= sizeof table; at += sizeof function)
        memcpy((char *)&table + at, &function, sizeof function);
    table.struct_size = end;
}

FAKE_ENTRY(table)
