#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sources.mk lists every file of the folders.
exec sh "$top_srcdir/tools/update-sources" --check
