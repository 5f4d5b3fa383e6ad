/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of .safetensors files. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    fuzz_format(&gn__safetensors, bytes, n);
    return 0;
}
