/* SPDX-License-Identifier: Apache-2.0 */
/* library.h - for groups of cases that use the library's public functions. */
#ifndef GENESIS_CONFORM_LIBRARY_H
#define GENESIS_CONFORM_LIBRARY_H

#include <genesis/genesis.h>

#include "tools/genesis-conform/conform.h"

/* A group's begin and after: the device under test is the default device, a scope is open, and no
 * error sticks when a case begins. */
void library_begin(void);
void library_after(void);

#endif
