/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support.h - for the tests of the runtime: the recorder as a device, operands, small programs.
 */
#ifndef GENESIS_TESTS_RUNTIME_SUPPORT_H
#define GENESIS_TESTS_RUNTIME_SUPPORT_H

#include "runtime/internal.h"
#include "tests/plugins/recorder.h"

/* Opens a device of the recorder plugin, told and seen nothing yet. */
gn__device *recorder_open(const char *name, recorder **state);

/* The folder of the plugins for tests. */
const char *test_plugins(void);

/* Puts that folder behind GENESIS_PLUGIN_PATH. */
void add_test_plugins(void);

/* "": no error sticks. Forgets it; the text is static. */
const char *take_error(void);

/* Whether the text contains the other; prints both if not. */
bool contains(const char *text, const char *part);

/* A dense operand in row-major order, and one with these strides. */
gn__operand dense(gn__storage *storage, int n_dims, const int64_t *size);
gn__operand strided(gn__storage *storage, int64_t offset, int n_dims, const int64_t *stride);

/* Storage with these floats, and back. */
gn__storage *floats_new(gn__device *device, int64_t n, const float *values);
void floats_get(gn__storage *storage, int64_t n, float *values);

#endif
