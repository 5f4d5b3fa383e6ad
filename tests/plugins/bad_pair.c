/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that makes plans, but does not run them. */
#include "fake.h"

static gn_status plan(gn_device *device, const gn_plan_desc *desc, gn_plan_info *info,
                      gn_plan **out) {
    (void)device, (void)desc, (void)info, (void)out;
    return GN_E_UNSUPPORTED;
}

static void plan_release(gn_device *device, gn_plan *p) { (void)device, (void)p; }

static const gn_backend table = {
    FAKE_REQUIRED("bad_pair"),
    .plan = plan,
    .plan_release = plan_release,
};

FAKE_ENTRY(table)
