# SPDX-License-Identifier: Apache-2.0
# Written by tools/update-sources: run it after adding, renaming or removing a file.

public_headers = \
	include/genesis/autograd.h \
	include/genesis/backend.h \
	include/genesis/base.h \
	include/genesis/data.h \
	include/genesis/device.h \
	include/genesis/functional.h \
	include/genesis/genesis.h \
	include/genesis/io.h \
	include/genesis/nn.h \
	include/genesis/ops.h \
	include/genesis/optim.h \
	include/genesis/pointwise.def \
	include/genesis/shape_ops.h \
	include/genesis/tensor.h

libgenesis_sources = \
	libgenesis/autograd/autograd.h \
	libgenesis/autograd/engine.c \
	libgenesis/autograd/history.c \
	libgenesis/autograd/hooks.h \
	libgenesis/autograd/node.c \
	libgenesis/base/error.c \
	libgenesis/base/hooks.c \
	libgenesis/base/internal.h \
	libgenesis/base/log.c \
	libgenesis/base/memory.c \
	libgenesis/base/object.c \
	libgenesis/base/scope.c \
	libgenesis/base/settings.c \
	libgenesis/base/table.c \
	libgenesis/ops/linear.c \
	libgenesis/ops/nnops.c \
	libgenesis/ops/nnops.h \
	libgenesis/ops/softmax.c \
	libgenesis/optim/adam.c \
	libgenesis/optim/optimizer.c \
	libgenesis/optim/optimizer.h \
	libgenesis/optim/schedule.c \
	libgenesis/optim/sgd.c \
	libgenesis/optim/state.c \
	libgenesis/program/builder.c \
	libgenesis/program/builder.h \
	libgenesis/program/derive.c \
	libgenesis/program/expr.c \
	libgenesis/program/expr.h \
	libgenesis/program/finish.c \
	libgenesis/program/fold.c \
	libgenesis/program/graph.c \
	libgenesis/program/infer.c \
	libgenesis/program/instantiate.c \
	libgenesis/program/opcodes.c \
	libgenesis/program/opcodes.h \
	libgenesis/program/parse.c \
	libgenesis/program/program.h \
	libgenesis/program/simplify.c \
	libgenesis/program/text.c \
	libgenesis/program/types.c \
	libgenesis/runtime/allocator.c \
	libgenesis/runtime/handles.c \
	libgenesis/runtime/host.c \
	libgenesis/runtime/internal.h \
	libgenesis/runtime/loader.c \
	libgenesis/runtime/registry.c \
	libgenesis/runtime/runtime.h \
	libgenesis/runtime/search.c \
	libgenesis/runtime/shutdown.c \
	libgenesis/runtime/storage.c \
	libgenesis/tensor/create.c \
	libgenesis/tensor/data.c \
	libgenesis/tensor/host.c \
	libgenesis/tensor/random.c \
	libgenesis/tensor/shape.c \
	libgenesis/tensor/tensor.c \
	libgenesis/tensor/tensor.h

cpu_sources = \
	backends/cpu/chain.c \
	backends/cpu/chain.h \
	backends/cpu/conv.c \
	backends/cpu/cpu.h \
	backends/cpu/engine.c \
	backends/cpu/engine.h \
	backends/cpu/job.c \
	backends/cpu/kernels.h \
	backends/cpu/kernels_base.c \
	backends/cpu/kernels_ops.h \
	backends/cpu/kernels_v3.c \
	backends/cpu/kernels_v4.c \
	backends/cpu/onednn.c \
	backends/cpu/onednn.h \
	backends/cpu/parallel.h \
	backends/cpu/plan.c \
	backends/cpu/plan.h \
	backends/cpu/program.c \
	backends/cpu/program.h \
	backends/cpu/special.c

plugin_LTLIBRARIES += plugins/ref/genesis_ref.la
plugins_ref_genesis_ref_la_SOURCES = \
	plugins/ref/kernels.c \
	plugins/ref/ref.c \
	plugins/ref/ref.h \
	plugins/ref/scalar.c

plugins_ref_genesis_ref_la_CPPFLAGS = $(plugin_cppflags)
plugins_ref_genesis_ref_la_LDFLAGS = $(plugin_ldflags)
plugins_ref_genesis_ref_la_LIBADD = -lpthread -lm

checked_samples =

unit_tests = \
	tests/backend/test_kernels \
	tests/base/test_error \
	tests/base/test_scope \
	tests/base/test_table

if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
tests_backend_test_kernels_LDADD = $(test_ldadd)
tests_base_test_error_LDADD = $(test_ldadd)
tests_base_test_scope_LDADD = $(test_ldadd)
tests_base_test_table_LDADD = $(test_ldadd)
endif

test_support_sources = \
	tests/backend/kernel_buffer.c \
	tests/backend/kernel_host.c \
	tests/backend/kernel_program.c \
	tests/backend/kernel_test.h \
	tests/backend/kernel_value.c \
	tests/backend/kernels_cast.c \
	tests/backend/kernels_contract.c \
	tests/backend/kernels_integers.c \
	tests/backend/kernels_map.c \
	tests/backend/kernels_network.c \
	tests/backend/kernels_ops.c \
	tests/backend/kernels_random.c \
	tests/backend/kernels_reduce.c \
	tests/backend/kernels_scatter.c \
	tests/backend/kernels_sequence.c \
	tests/backend/kernels_window.c \
	tests/suite.c \
	tests/suite.h

project_tests = \
	tests/project/test_cxx.sh \
	tests/project/test_headers.sh \
	tests/project/test_sources.sh \
	tests/project/test_spdx.sh \
	tests/project/test_symbols.sh

man_pages = \
	docs/man/genesis-fashion-mnist.1 \
	docs/man/genesis.1

extra_files = \
	backends/cpu/kernels.inc \
	backends/cpu/kernels_copy.inc \
	backends/cpu/kernels_float.inc \
	backends/cpu/kernels_fold.inc \
	backends/cpu/kernels_fold_type.inc \
	backends/cpu/kernels_int.inc \
	backends/cpu/kernels_move.inc \
	backends/cpu/kernels_random.inc \
	tools/steps.sh \
	tests/lsan.supp \
	tests/project/installcheck.sh \
	tests/project/no-check.sh \
	tests/project/test_cxx.sh \
	tests/project/test_headers.sh \
	tests/project/test_sources.sh \
	tests/project/test_spdx.sh \
	tests/project/test_symbols.sh \
	tests/tsan.supp \
	docs/building.md \
	docs/versioning.md

