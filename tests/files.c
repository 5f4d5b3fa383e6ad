/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include <genesis/io.h>

const char *fixture_path(const char *name) {
    static char path[4096];
    const char *folder = getenv("GENESIS_TEST_FIXTURES");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "tests/fixtures", name);
    return path;
}

gn_dict *must_load(const char *path) {
    gn_dict *dict = gn_load(path, NULL);
    ck_assert_msg(dict != NULL, "%s", gn_error());
    return dict;
}

char *read_file(const char *path, size_t *n) {
    static char bytes[16384];
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    *n = fread(bytes, 1, sizeof bytes, file);
    ck_assert_uint_lt(*n, sizeof bytes);
    fclose(file);
    return bytes;
}
