/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what fuzz targets share. A target is a function LLVMFuzzerTestOneInput, which gets bytes
 * and must come back whatever they are; libFuzzer or driver.c calls it.
 */
#ifndef GENESIS_TESTS_FUZZ_H
#define GENESIS_TESTS_FUZZ_H

#include "io/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* The bytes as a file, whose path (of up to 64 characters) is written; a descriptor to be closed. */
int fuzz_file(const uint8_t *bytes, size_t n, char path[64]);
/* Loads the bytes as a file of the format, and reads every tensor that comes out. */
void fuzz_format(const gn__format *format, const uint8_t *bytes, size_t n);
/* Reads the tensors of a dictionary, if there is one, forgets the error if there is one, and frees
 * what the scope owns. */
void fuzz_finish(gn_scope scope, const gn_dict *dict);

#endif
