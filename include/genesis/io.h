/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.h - files of tensors. The format follows from the suffix; this version knows .safetensors.
 */
#ifndef GENESIS_IO_H
#define GENESIS_IO_H

#include <genesis/nn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a dictionary. Atomic: a temporary file in the same folder is synced and renamed, so that
 * a crash leaves the old file or the new one, whole. */
GN_API gn_status gn_save(gn_dict *dict, const char *path);

/* Reads a dictionary onto a device (NULL: the default one). Files are not trusted: whatever does
 * not add up is an error GN_E_FORMAT. */
GN_API gn_dict *gn_load(const char *path, const char *device);

#ifdef __cplusplus
}
#endif
#endif
