# SPDX-License-Identifier: Apache-2.0
# The cpu backend: oneDNN and vectorised loops.

cpu_math = -fno-math-errno -fno-trapping-math -ffp-contract=fast

if BUILD_CPU
plugin_LTLIBRARIES += backends/cpu/genesis_cpu.la
endif
backends_cpu_genesis_cpu_la_SOURCES = $(cpu_sources)
backends_cpu_genesis_cpu_la_CPPFLAGS = $(plugin_cppflags) $(ONEDNN_CPPFLAGS)
backends_cpu_genesis_cpu_la_CFLAGS = $(GN_OPTIMISE_KERNELS) $(GN_CFLAGS) $(cpu_math) $(OPENMP_CFLAGS)
backends_cpu_genesis_cpu_la_LDFLAGS = $(plugin_ldflags)
backends_cpu_genesis_cpu_la_LIBADD = $(ONEDNN_LIBS) $(OPENMP_CFLAGS) -lpthread -lm
