/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin whose file was renamed. */
#include "fake.h"

static const gn_backend table = {FAKE_REQUIRED("good")};

FAKE_ENTRY(table)
