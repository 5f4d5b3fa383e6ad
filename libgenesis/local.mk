# SPDX-License-Identifier: Apache-2.0
# libgenesis. The tests link the same objects without the library around them, so that they reach
# the functions that it hides.

noinst_LTLIBRARIES += libgenesis/libcore.la
libgenesis_libcore_la_SOURCES = $(libgenesis_sources)
libgenesis_libcore_la_CPPFLAGS = $(AM_CPPFLAGS) -DGN_PLUGIN_DIR='"$(plugindir)"' \
	$(IMAGE_CPPFLAGS)
libgenesis_libcore_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(ZLIB_CFLAGS) $(PNG_CFLAGS) $(JPEG_CFLAGS) \
	$(FUZZ_CFLAGS)
libgenesis_libcore_la_LIBADD = $(JANSSON_LIBS) $(PNG_LIBS) $(JPEG_LIBS) $(ZLIB_LIBS) $(LIBDL) -lpthread -lm

lib_LTLIBRARIES += libgenesis/libgenesis.la
libgenesis_libgenesis_la_SOURCES =
# nodelete: threads that end later still run the library's destructor of their state.
libgenesis_libgenesis_la_LDFLAGS = $(AM_LDFLAGS) -Wl,-z,nodelete -version-info $(GENESIS_VERSION_INFO)
libgenesis_libgenesis_la_LIBADD = libgenesis/libcore.la
