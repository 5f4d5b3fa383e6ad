# SPDX-License-Identifier: Apache-2.0
# Each tools/NAME.c, or folder tools/NAME, is an installed program; sources.mk has the targets.

tools_genesis_genesis_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tools_genesis_genesis_LDADD = $(LDADD) $(JANSSON_LIBS)
