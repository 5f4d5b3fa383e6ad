/* SPDX-License-Identifier: Apache-2.0 */
/* genesis.h - everything. */
#ifndef GENESIS_GENESIS_H
#define GENESIS_GENESIS_H

#include <genesis/image.h>
#include <genesis/io.h>
#include <genesis/optim.h>
#include <genesis/scheduler.h>
#include <genesis/swa.h>

#endif
