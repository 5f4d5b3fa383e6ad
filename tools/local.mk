# SPDX-License-Identifier: Apache-2.0
# Each tools/NAME.c, or folder tools/NAME, is an installed program; sources.mk has the targets.

tools_genesis_genesis_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tools_genesis_genesis_LDADD = $(LDADD) $(JANSSON_LIBS)

# It sees the devices as the library does, with all that the library hides. Its cases of operations
# are installed with it.
conformdatadir = $(pkgdatadir)/conform
conformdata_DATA = $(conform_data)
tools_genesis_conform_genesis_conform_CPPFLAGS = $(AM_CPPFLAGS) -DCONFORM_DATA_DIR='"$(conformdatadir)"'
tools_genesis_conform_genesis_conform_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tools_genesis_conform_genesis_conform_LDADD = libgenesis/libcore.la $(JANSSON_LIBS) -lpthread -lm
