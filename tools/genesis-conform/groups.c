/* SPDX-License-Identifier: Apache-2.0 */
/* groups.c - all groups, in the order in which they run: what others build on comes first. */
#include "run.h"

#define GROUPS(X)                                                                                  \
    X(contract)                                                                                    \
    X(memory)                                                                                      \
    X(streams)                                                                                     \
    X(opcodes)                                                                                     \
    X(integers)                                                                                    \
    X(casts) X(map) X(random) X(reduce) X(scatter) X(networks) X(windows) X(sequences) X(matmul)   \
        X(conv) X(pool) X(norm) X(attention) X(programs) X(threads) X(library) X(random_numbers)   \
            X(training) X(library_memory)

#define X(name) extern const test_group name##_group;
GROUPS(X)
#undef X

const test_group *const groups[] = {
#define X(name) &name##_group,
    GROUPS(X)
#undef X
};
const size_t n_groups = GN_LENGTH(groups);
