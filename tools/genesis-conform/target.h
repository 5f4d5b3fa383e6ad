/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h - the device under test as its plugin's table, for cases that call it without the
 * library between: kernels, plans, the contract.
 */
#ifndef GENESIS_CONFORM_TARGET_H
#define GENESIS_CONFORM_TARGET_H

#include "conform.h"

extern const gn_backend *backend; /* members that the plugin lacks are NULL */
extern gn_device *device;

/* Calls a function of the table, so that said() is about this call, and gives its scratch memory
 * back: CALL(map, device, NULL, &call). For one thread, and one stream at a time. */
#define CALL(function, ...) raw_end((raw_begin(), backend->function(__VA_ARGS__)))
void raw_begin(void);
gn_status raw_end(gn_status status);

/* The tag that came with this thread's last failed call, or 0. */
uint64_t said_tag(void);

#endif
