/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin whose table is wrong in the way that the variable GENESIS_TEST_BAD_TABLE names:
 *
 *     empty NAME      a function is missing
 *     size BYTES      struct_size, in a table that is really longer than this library's
 *     abi MAJOR.MINOR what it says it was compiled for
 *     name NAME       what it calls itself
 *     none            the entry gives no table
 *
 * Without the variable it is a fake device that works.
 */
#include <stdio.h>

#include "fake.h"

#define SLOT(member)                                                                               \
    { #member, offsetof(gn_backend, member) }
static const struct {
    const char *name;
    size_t offset;
} slots[] = {SLOT(count),  SLOT(info),     SLOT(open), SLOT(close),  SLOT(alloc),   SLOT(free),
             SLOT(upload), SLOT(download), SLOT(map),  SLOT(reduce), SLOT(scatter), SLOT(run)};
#undef SLOT

/* As a later minor would have it. */
static struct {
    gn_backend table;
    void (*later[4])(void);
} longer;

static gn_status plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info,
                      gn_plan **out) {
    (void)device, (void)desc, (void)info, (void)out;
    return GN_E_UNSUPPORTED;
}

static void plan_release(gn_device *device, gn_plan *p) { (void)device, (void)p; }

static gn_status run(gn_device *device, gn_stream *stream, const gn_run *r) {
    (void)device, (void)stream, (void)r;
    return GN_OK;
}

static void unknown(void) { abort(); }

static void spoil(const char *how) {
    static char name[64];
    gn_backend *table = &longer.table;
    if (sscanf(how, "empty %63s", name) == 1)
        for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
            if (strcmp(slots[i].name, name) == 0)
                memset((char *)table + slots[i].offset, 0, sizeof(void (*)(void)));
    sscanf(how, "size %zu", &table->struct_size);
    sscanf(how, "abi %u.%u", &table->abi_major, &table->abi_minor);
    if (sscanf(how, "name %63s", name) == 1)
        table->name = name;
}

gn_status gn_backend_entry(const gn_host *services, gn_abi_request *request,
                           const gn_backend **out) {
    const char *how = getenv("GENESIS_TEST_BAD_TABLE");
    (void)request;
    host = services;
    longer.table = (gn_backend){FAKE_REQUIRED("bad_table"), .plan = plan,
                                .plan_release = plan_release, .run = run};
    longer.table.struct_size = sizeof longer;
    for (size_t i = 0; i < sizeof longer.later / sizeof *longer.later; i++)
        longer.later[i] = unknown;
    if (how)
        spoil(how);
    *out = how && strcmp(how, "none") == 0 ? NULL : &longer.table;
    return GN_OK;
}
