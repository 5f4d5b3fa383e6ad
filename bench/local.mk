# SPDX-License-Identifier: Apache-2.0
# bench/*.c together are genesis-bench; sources.mk has the target.

# Its measures of the machine's limits use all threads, as the cpu backend does.
bench_genesis_bench_CFLAGS = $(AM_CFLAGS) $(OPENMP_CFLAGS)
