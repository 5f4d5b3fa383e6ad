/* SPDX-License-Identifier: Apache-2.0 */
/* groups.c - all groups, in the order in which they run: what others build on comes first. */
#include "run.h"

extern const test_group contract_group, memory_group, streams_group, opcodes_group, integers_group,
    casts_group, map_group, random_group, reduce_group, scatter_group, networks_group,
    windows_group, sequences_group, matmul_group, conv_group, pool_group, norm_group,
    programs_group, threads_group, library_group, random_numbers_group, training_group,
    library_memory_group, speed_group, plan_speed_group;

const test_group *const groups[] = {
    &contract_group,   &memory_group,         &streams_group,
    &opcodes_group,    &integers_group,       &casts_group,
    &map_group,        &random_group,         &reduce_group,
    &scatter_group,    &networks_group,       &windows_group,
    &sequences_group,  &matmul_group,         &conv_group,
    &pool_group,       &norm_group,           &programs_group,
    &threads_group,    &library_group,        &random_numbers_group,
    &training_group,   &library_memory_group, &speed_group,
    &plan_speed_group,
};
const size_t n_groups = GN_LENGTH(groups);
