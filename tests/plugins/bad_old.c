/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that did not look at the version asked for. */
#include "fake.h"

static const gn_backend table = {
    .struct_size = sizeof table,
    .abi_major = 0,
    .abi_minor = 0,
    .name = "bad_old",
    .count = fake_count,
    .info = fake_info,
    .open = fake_open,
    .close = fake_close,
    .alloc = fake_alloc,
    .free = fake_free,
    .upload = fake_upload,
    .download = fake_download,
    .map = fake_kernel,
    .reduce = fake_kernel,
    .scatter = fake_scatter,
};

FAKE_ENTRY(table)
