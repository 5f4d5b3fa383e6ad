/* SPDX-License-Identifier: Apache-2.0 */
/* Pickles by themselves: in a .pth file the archive's sums would hide them from a fuzzer. */
#include "io/pickle.h"
#include "tests/fuzz/fuzz.h"

static gn_tensor *make(void *context, const gn__tensor_spec *spec) {
    (void)context;
    (void)spec;
    return gn_zeros(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    gn_scope scope = gn_scope_begin();
    fuzz_finish(scope, gn__unpickle("fuzz", bytes, n, make, NULL));
    return 0;
}
