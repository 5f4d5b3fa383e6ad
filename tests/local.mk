# SPDX-License-Identifier: Apache-2.0
# The tests. Each program runs once per device, as NAME.cpu, NAME.ref and NAME.opencl: scripts of two
# lines that can be run by hand, too. tests/run-one sets the environment and explains every skip.
# Programs of tests/opencl are about that backend, and run on no other.

tests_libtesting_la_SOURCES = $(test_support_sources)
tests_libtesting_la_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
test_ldadd = tests/libtesting.la libgenesis/libcore.la $(CHECK_LIBS)

# Plugins that may be wrong in any way, so that nothing is asked of their symbols.
test_plugin_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere

checked_programs = $(checked_samples) $(unit_tests_built) tools/genesis-conform/genesis-conform
# The one that takes longest comes first.
device_tests = tools/genesis-conform/genesis-conform.opencl $(checked_programs:=.cpu) \
	$(checked_programs:=.ref) $(checked_samples:=.opencl) $(unit_tests_built:=.opencl) \
	$(opencl_tests_built:=.opencl)
TESTS += $(device_tests) $(project_tests)
TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)
CLEANFILES += $(device_tests) $(checked_samples:=.cpu.actual) $(checked_samples:=.ref.actual) \
	$(checked_samples:=.opencl.actual)

check_PROGRAMS += $(fuzz_targets)
check_LTLIBRARIES += tests/fuzz/libfuzz.la
tests_fuzz_libfuzz_la_SOURCES = tests/fuzz/fuzz.c tests/fuzz/fuzz.h
if !FUZZING
tests_fuzz_libfuzz_la_SOURCES += tests/fuzz/driver.c
endif

fuzz: $(fuzz_targets) plugins/ref/genesis_ref.la tests/run-one
	GENESIS_FUZZ_SECONDS=$${GENESIS_FUZZ_SECONDS-600} top_srcdir='$(abs_top_srcdir)' \
		top_builddir='$(abs_top_builddir)' sanitizers='$(SANITIZERS)' \
		$(SHELL) $(srcdir)/tests/project/test_fuzz.sh

if HAVE_CHECK
check_LTLIBRARIES += tests/libtesting.la
unit_tests_built = $(unit_tests)
opencl_tests_built = $(opencl_tests)
# This one writes images itself, where it can.
tests_data_test_image_CPPFLAGS = $(AM_CPPFLAGS) $(IMAGE_CPPFLAGS)
# This one stands between the library and malloc.
tests_nn_test_host_memory_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc \
	-Wl,--wrap=posix_memalign,--wrap=strdup
else
TESTS += tests/project/no-check.sh
endif

%.cpu: % tests/run-one
	$(AM_V_GEN)printf '#!/bin/sh\nexec %s cpu %s "$$@"\n' $(abs_builddir)/tests/run-one $* >$@ && chmod +x $@
%.ref: % tests/run-one
	$(AM_V_GEN)printf '#!/bin/sh\nexec %s ref %s "$$@"\n' $(abs_builddir)/tests/run-one $* >$@ && chmod +x $@
%.opencl: % tests/run-one
	$(AM_V_GEN)printf '#!/bin/sh\nexec %s opencl %s "$$@"\n' $(abs_builddir)/tests/run-one $* >$@ && chmod +x $@

# Cancels make's own rule, which would overwrite a sample's NAME.out with the program NAME.
%.out: %

AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; top_builddir='$(abs_top_builddir)'; \
	bindir='$(bindir)'; libdir='$(libdir)'; \
	CC='$(CC)'; CXX='$(CXX)'; NM='$(NM)'; sanitizers='$(SANITIZERS)'; \
	export top_srcdir top_builddir bindir libdir CC CXX NM sanitizers;

# What tests/run-one lets compiled kernels be kept in.
clean-local:
	rm -rf tests/cache

installcheck-local:
	srcdir='$(srcdir)' libdir='$(libdir)' bindir='$(bindir)' CC='$(CC)' CFLAGS='$(AM_CFLAGS) $(CFLAGS)' \
		sh $(srcdir)/tests/project/installcheck.sh
