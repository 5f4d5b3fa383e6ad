/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of .pth files. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    fuzz_format(&gn__pth, bytes, n);
    return 0;
}
