/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.h - asks a plugin what it is, in a child process, as it may crash or hang.
 */
#ifndef GENESIS_TOOL_PROBE_H
#define GENESIS_TOOL_PROBE_H

#include <genesis/device.h>

typedef struct probed_device {
    char string[80];  /* "cuda:1" */
    char error[1024]; /* why it can't be described; "" if it can */
    gn_device_info info;
} probed_device;

/* Fills the report of a plugin that was found; the reason tells what became of the process if the
 * plugin ended it. Returns the report's n_devices devices, to be freed, or NULL if it can't be
 * used. */
probed_device *probe_plugin(gn_plugin_report *report);

#endif
