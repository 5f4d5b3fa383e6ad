# SPDX-License-Identifier: Apache-2.0
# The OpenCL backend. The texts of its kernels are compiled into it as strings.

if BUILD_OPENCL
plugin_LTLIBRARIES += backends/opencl/genesis_opencl.la
endif
backends_opencl_genesis_opencl_la_SOURCES = $(opencl_sources)
nodist_backends_opencl_genesis_opencl_la_SOURCES = backends/kernels/opencl_texts.c
backends_opencl_genesis_opencl_la_CPPFLAGS = $(plugin_cppflags) $(OPENCL_CPPFLAGS)
backends_opencl_genesis_opencl_la_LDFLAGS = $(plugin_ldflags)
backends_opencl_genesis_opencl_la_LIBADD = $(OPENCL_LIBS) -lpthread -lm

backends/kernels/opencl_texts.c: $(kernel_texts) backends/kernels/embed.sh
	$(AM_V_GEN)$(MKDIR_P) backends/kernels && \
		$(SHELL) $(srcdir)/backends/kernels/embed.sh ocl $(filter %.cl %.h,$^) >$@.new && mv $@.new $@
CLEANFILES += backends/kernels/opencl_texts.c
