/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of .npz files. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    fuzz_format(&gn__npz, bytes, n);
    return 0;
}
