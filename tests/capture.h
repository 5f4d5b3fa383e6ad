/* SPDX-License-Identifier: Apache-2.0 */
/* capture.h - what a function writes to stderr. */
#ifndef GENESIS_TESTS_CAPTURE_H
#define GENESIS_TESTS_CAPTURE_H

/* Calls `print`; returns the text that it wrote, which is static. */
const char *stderr_of(void (*print)(void));

#endif
