# SPDX-License-Identifier: Apache-2.0
# Written by tools/update-sources: run it after adding, renaming or removing a file.

public_headers = \
	include/genesis/autograd.h \
	include/genesis/backend.h \
	include/genesis/base.h \
	include/genesis/containers.h \
	include/genesis/data.h \
	include/genesis/device.h \
	include/genesis/dict.h \
	include/genesis/functional.h \
	include/genesis/genesis.h \
	include/genesis/image.h \
	include/genesis/init.h \
	include/genesis/io.h \
	include/genesis/layer.h \
	include/genesis/layers.h \
	include/genesis/losses.h \
	include/genesis/module.h \
	include/genesis/nn.h \
	include/genesis/ops.h \
	include/genesis/optim.h \
	include/genesis/pointwise.def \
	include/genesis/recurrent.h \
	include/genesis/scheduler.h \
	include/genesis/shape_ops.h \
	include/genesis/swa.h \
	include/genesis/tensor.h \
	include/genesis/transformer.h \
	include/genesis/utils.h \
	include/genesis/vision.h

libgenesis_sources = \
	libgenesis/autograd/anomaly.c \
	libgenesis/autograd/autograd.h \
	libgenesis/autograd/checkpoint.c \
	libgenesis/autograd/derivative.c \
	libgenesis/autograd/engine.c \
	libgenesis/autograd/function.c \
	libgenesis/autograd/gradcheck.c \
	libgenesis/autograd/history.c \
	libgenesis/autograd/hooks.c \
	libgenesis/autograd/hooks.h \
	libgenesis/autograd/mode.c \
	libgenesis/autograd/node.c \
	libgenesis/autograd/reach.c \
	libgenesis/base/error.c \
	libgenesis/base/hooks.c \
	libgenesis/base/internal.h \
	libgenesis/base/log.c \
	libgenesis/base/memory.c \
	libgenesis/base/object.c \
	libgenesis/base/scope.c \
	libgenesis/base/settings.c \
	libgenesis/base/table.c \
	libgenesis/data/collate.c \
	libgenesis/data/data.h \
	libgenesis/data/dataset.c \
	libgenesis/data/fashion_mnist.c \
	libgenesis/data/host_memory.c \
	libgenesis/data/idx.c \
	libgenesis/data/image.c \
	libgenesis/data/image.h \
	libgenesis/data/image_folder.c \
	libgenesis/data/image_transform.c \
	libgenesis/data/jpeg.c \
	libgenesis/data/loader.c \
	libgenesis/data/loader.h \
	libgenesis/data/png.c \
	libgenesis/data/sampler.c \
	libgenesis/data/subset.c \
	libgenesis/data/tensor_dataset.c \
	libgenesis/data/workers.c \
	libgenesis/io/atomic.c \
	libgenesis/io/checkpoint.c \
	libgenesis/io/globals.c \
	libgenesis/io/io.c \
	libgenesis/io/io.h \
	libgenesis/io/npy.c \
	libgenesis/io/npz.c \
	libgenesis/io/pickle.c \
	libgenesis/io/pickle.h \
	libgenesis/io/pth.c \
	libgenesis/io/safetensors.c \
	libgenesis/io/safetensors_header.c \
	libgenesis/io/source.c \
	libgenesis/io/tensor_bytes.c \
	libgenesis/io/unpickle.c \
	libgenesis/io/unpickle.h \
	libgenesis/io/unpickle_calls.c \
	libgenesis/io/unpickle_dict.c \
	libgenesis/io/utf8.c \
	libgenesis/io/zip.h \
	libgenesis/io/zip_read.c \
	libgenesis/io/zip_stream.c \
	libgenesis/io/zip_write.c \
	libgenesis/nn/activation.c \
	libgenesis/nn/attention.c \
	libgenesis/nn/batch_norm.c \
	libgenesis/nn/blocks.c \
	libgenesis/nn/checkpoint.c \
	libgenesis/nn/clip.c \
	libgenesis/nn/clone.c \
	libgenesis/nn/containers.c \
	libgenesis/nn/conv.c \
	libgenesis/nn/dict.c \
	libgenesis/nn/dict.h \
	libgenesis/nn/dropout.c \
	libgenesis/nn/embedding.c \
	libgenesis/nn/flatten.c \
	libgenesis/nn/fold.c \
	libgenesis/nn/forward.c \
	libgenesis/nn/fuse.c \
	libgenesis/nn/init.c \
	libgenesis/nn/init.h \
	libgenesis/nn/init_matrix.c \
	libgenesis/nn/kv_cache.c \
	libgenesis/nn/linear.c \
	libgenesis/nn/loss.c \
	libgenesis/nn/module.c \
	libgenesis/nn/module.h \
	libgenesis/nn/norm.c \
	libgenesis/nn/packed.c \
	libgenesis/nn/packed.h \
	libgenesis/nn/padding.c \
	libgenesis/nn/pair.c \
	libgenesis/nn/parametrize.c \
	libgenesis/nn/parametrize.h \
	libgenesis/nn/pool.c \
	libgenesis/nn/print.c \
	libgenesis/nn/prune.c \
	libgenesis/nn/recurrent.c \
	libgenesis/nn/recurrent_cell.c \
	libgenesis/nn/resample.c \
	libgenesis/nn/reshape.c \
	libgenesis/nn/rotary.c \
	libgenesis/nn/state.c \
	libgenesis/nn/transformer.c \
	libgenesis/nn/typed.c \
	libgenesis/nn/typed.h \
	libgenesis/nn/vector.c \
	libgenesis/nn/walk.c \
	libgenesis/nn/weight_norm.c \
	libgenesis/ops/activation.c \
	libgenesis/ops/adaptive_pool.c \
	libgenesis/ops/arrange.c \
	libgenesis/ops/attention.c \
	libgenesis/ops/attention.h \
	libgenesis/ops/attention_options.c \
	libgenesis/ops/avg_pool.c \
	libgenesis/ops/batch_norm.c \
	libgenesis/ops/bilinear.c \
	libgenesis/ops/class_loss.c \
	libgenesis/ops/class_loss.h \
	libgenesis/ops/compose.c \
	libgenesis/ops/compose.h \
	libgenesis/ops/conv.c \
	libgenesis/ops/conv.h \
	libgenesis/ops/conv_composed.c \
	libgenesis/ops/conv_options.c \
	libgenesis/ops/copy.c \
	libgenesis/ops/cross_entropy.c \
	libgenesis/ops/distance.c \
	libgenesis/ops/distance_loss.c \
	libgenesis/ops/dropout.c \
	libgenesis/ops/einsum.c \
	libgenesis/ops/embedding.c \
	libgenesis/ops/embedding.h \
	libgenesis/ops/embedding_bag.c \
	libgenesis/ops/fold.c \
	libgenesis/ops/gather.c \
	libgenesis/ops/grid_sample.c \
	libgenesis/ops/group_norm.c \
	libgenesis/ops/index.c \
	libgenesis/ops/index_dim.c \
	libgenesis/ops/interpolate.c \
	libgenesis/ops/join.c \
	libgenesis/ops/layer_norm.c \
	libgenesis/ops/linalg.c \
	libgenesis/ops/linear.c \
	libgenesis/ops/loss.c \
	libgenesis/ops/loss.h \
	libgenesis/ops/loss_options.c \
	libgenesis/ops/margin_loss.c \
	libgenesis/ops/math.c \
	libgenesis/ops/matmul.c \
	libgenesis/ops/max_pool.c \
	libgenesis/ops/norm.c \
	libgenesis/ops/norm.h \
	libgenesis/ops/ops.h \
	libgenesis/ops/pad_edges.c \
	libgenesis/ops/pointwise.c \
	libgenesis/ops/pool.c \
	libgenesis/ops/pool.h \
	libgenesis/ops/product.c \
	libgenesis/ops/product.h \
	libgenesis/ops/recurrent.c \
	libgenesis/ops/recurrent.h \
	libgenesis/ops/recurrent_cells.c \
	libgenesis/ops/recurrent_steps.c \
	libgenesis/ops/reduce.c \
	libgenesis/ops/rotary.c \
	libgenesis/ops/sample.c \
	libgenesis/ops/scan.c \
	libgenesis/ops/select.c \
	libgenesis/ops/sequence.c \
	libgenesis/ops/shuffle.c \
	libgenesis/ops/softmax.c \
	libgenesis/ops/sort.c \
	libgenesis/ops/sort.h \
	libgenesis/ops/sort_host.c \
	libgenesis/ops/statistics.c \
	libgenesis/ops/support.c \
	libgenesis/ops/support.h \
	libgenesis/ops/view.c \
	libgenesis/optim/adafactor.c \
	libgenesis/optim/adam.c \
	libgenesis/optim/adaptive.c \
	libgenesis/optim/combine.c \
	libgenesis/optim/cycles.c \
	libgenesis/optim/lbfgs.c \
	libgenesis/optim/line_search.c \
	libgenesis/optim/line_search.h \
	libgenesis/optim/load.c \
	libgenesis/optim/optimizer.c \
	libgenesis/optim/optimizer.h \
	libgenesis/optim/plateau.c \
	libgenesis/optim/scheduler.c \
	libgenesis/optim/scheduler.h \
	libgenesis/optim/schedules.c \
	libgenesis/optim/sgd.c \
	libgenesis/optim/state.c \
	libgenesis/optim/step.c \
	libgenesis/optim/swa.c \
	libgenesis/program/assign.c \
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
	libgenesis/program/kernel.c \
	libgenesis/program/opcodes.c \
	libgenesis/program/opcodes.h \
	libgenesis/program/parse.c \
	libgenesis/program/program.h \
	libgenesis/program/simplify.c \
	libgenesis/program/text.c \
	libgenesis/program/types.c \
	libgenesis/runtime/allocator.c \
	libgenesis/runtime/complete.c \
	libgenesis/runtime/elf.c \
	libgenesis/runtime/fallback.c \
	libgenesis/runtime/handles.c \
	libgenesis/runtime/host.c \
	libgenesis/runtime/internal.h \
	libgenesis/runtime/launch.c \
	libgenesis/runtime/loader.c \
	libgenesis/runtime/plan.c \
	libgenesis/runtime/registry.c \
	libgenesis/runtime/runtime.h \
	libgenesis/runtime/search.c \
	libgenesis/runtime/shutdown.c \
	libgenesis/runtime/space.c \
	libgenesis/runtime/space.h \
	libgenesis/runtime/split.c \
	libgenesis/runtime/storage.c \
	libgenesis/tensor/create.c \
	libgenesis/tensor/data.c \
	libgenesis/tensor/host.c \
	libgenesis/tensor/normal.c \
	libgenesis/tensor/random.c \
	libgenesis/tensor/shape.c \
	libgenesis/tensor/tensor.c \
	libgenesis/tensor/tensor.h \
	libgenesis/tensor/text.c

cpu_sources = \
	backends/cpu/batch_norm.c \
	backends/cpu/chain.c \
	backends/cpu/chain.h \
	backends/cpu/conv.c \
	backends/cpu/cpu.c \
	backends/cpu/cpu.h \
	backends/cpu/engine.c \
	backends/cpu/engine.h \
	backends/cpu/job.c \
	backends/cpu/kernels.h \
	backends/cpu/kernels_base.c \
	backends/cpu/kernels_ops.h \
	backends/cpu/kernels_v3.c \
	backends/cpu/kernels_v4.c \
	backends/cpu/layout.c \
	backends/cpu/loops.h \
	backends/cpu/loops_base.c \
	backends/cpu/loops_v3.c \
	backends/cpu/loops_v4.c \
	backends/cpu/map.c \
	backends/cpu/matmul.c \
	backends/cpu/matmul.h \
	backends/cpu/matmul_small.c \
	backends/cpu/memory.c \
	backends/cpu/onednn.c \
	backends/cpu/onednn.h \
	backends/cpu/optimise.c \
	backends/cpu/parallel.h \
	backends/cpu/plan.c \
	backends/cpu/plan.h \
	backends/cpu/pool.c \
	backends/cpu/program.c \
	backends/cpu/program.h \
	backends/cpu/reduce.c \
	backends/cpu/scatter.c \
	backends/cpu/special.c

opencl_sources = \
	backends/opencl/attention.c \
	backends/opencl/blast.c \
	backends/opencl/cache.c \
	backends/opencl/compile.c \
	backends/opencl/conv.c \
	backends/opencl/copy.c \
	backends/opencl/device.c \
	backends/opencl/discover.c \
	backends/opencl/errors.c \
	backends/opencl/event.c \
	backends/opencl/launch.c \
	backends/opencl/limits.c \
	backends/opencl/map.c \
	backends/opencl/matmul.c \
	backends/opencl/memory.c \
	backends/opencl/norm.c \
	backends/opencl/norm.h \
	backends/opencl/opencl.h \
	backends/opencl/plan.c \
	backends/opencl/plan.h \
	backends/opencl/plugin.c \
	backends/opencl/pool.c \
	backends/opencl/product.c \
	backends/opencl/product.h \
	backends/opencl/program.c \
	backends/opencl/program.h \
	backends/opencl/rows.c \
	backends/opencl/scatter.c \
	backends/opencl/stream.c \
	backends/codegen/choose.c \
	backends/codegen/codegen.h \
	backends/codegen/element.c \
	backends/codegen/element.h \
	backends/codegen/map.c \
	backends/codegen/program.c \
	backends/codegen/rows.c \
	backends/codegen/space.c \
	backends/codegen/text.c \
	backends/codegen/tile.c

kernel_texts = \
	backends/kernels/attention.cl \
	backends/kernels/math.cl \
	backends/kernels/norm.cl \
	backends/kernels/pool.cl \
	backends/kernels/prelude_opencl.h \
	backends/kernels/product.cl \
	backends/kernels/scatter.cl

plugin_LTLIBRARIES += plugins/check/genesis_check.la
plugins_check_genesis_check_la_SOURCES = \
	plugins/check/attention.c \
	plugins/check/blocks.c \
	plugins/check/calls.c \
	plugins/check/check.h \
	plugins/check/compare.c \
	plugins/check/job.c \
	plugins/check/layer.c \
	plugins/check/norms.c \
	plugins/check/plans.c \
	plugins/check/report.c \
	plugins/check/rules.c \
	plugins/check/shadow.c \
	plugins/check/shadow.h \
	plugins/check/value.c

plugins_check_genesis_check_la_CPPFLAGS = $(plugin_cppflags)
plugins_check_genesis_check_la_LDFLAGS = $(plugin_ldflags)
plugins_check_genesis_check_la_LIBADD = -lpthread -lm

plugin_LTLIBRARIES += plugins/ref/genesis_ref.la
plugins_ref_genesis_ref_la_SOURCES = \
	plugins/template/kernels.c \
	plugins/template/plugin.c \
	plugins/template/plugin.h \
	plugins/template/scalar.c

plugins_ref_genesis_ref_la_CPPFLAGS = $(plugin_cppflags)
plugins_ref_genesis_ref_la_LDFLAGS = $(plugin_ldflags)
plugins_ref_genesis_ref_la_LIBADD = -lpthread -lm

plugin_LTLIBRARIES += plugins/trace/genesis_trace.la
plugins_trace_genesis_trace_la_SOURCES = \
	plugins/trace/device.c \
	plugins/trace/output.c \
	plugins/trace/span.c \
	plugins/trace/stream.c \
	plugins/trace/summary.c \
	plugins/trace/text.c \
	plugins/trace/trace.c \
	plugins/trace/trace.h

plugins_trace_genesis_trace_la_CPPFLAGS = $(plugin_cppflags)
plugins_trace_genesis_trace_la_LDFLAGS = $(plugin_ldflags)
plugins_trace_genesis_trace_la_LIBADD = -lpthread -lm

template_files = \
	plugins/template/Makefile \
	plugins/template/README.md \
	plugins/template/kernels.c \
	plugins/template/plugin.c \
	plugins/template/plugin.h \
	plugins/template/scalar.c

bin_PROGRAMS += tools/genesis-conform/genesis-conform
tools_genesis_conform_genesis_conform_SOURCES = \
	tools/genesis-conform/case.c \
	tools/genesis-conform/conform.h \
	tools/genesis-conform/contract/entry.c \
	tools/genesis-conform/contract/memory.c \
	tools/genesis-conform/contract/streams.c \
	tools/genesis-conform/contract/threads.c \
	tools/genesis-conform/groups.c \
	tools/genesis-conform/kernels/buffer.c \
	tools/genesis-conform/kernels/cast.c \
	tools/genesis-conform/kernels/integers.c \
	tools/genesis-conform/kernels/kernel.h \
	tools/genesis-conform/kernels/map.c \
	tools/genesis-conform/kernels/network.c \
	tools/genesis-conform/kernels/ops.c \
	tools/genesis-conform/kernels/program.c \
	tools/genesis-conform/kernels/random.c \
	tools/genesis-conform/kernels/reduce.c \
	tools/genesis-conform/kernels/scatter.c \
	tools/genesis-conform/kernels/sequence.c \
	tools/genesis-conform/kernels/value.c \
	tools/genesis-conform/kernels/window.c \
	tools/genesis-conform/main.c \
	tools/genesis-conform/ops/arrange.c \
	tools/genesis-conform/ops/attention.c \
	tools/genesis-conform/ops/check.c \
	tools/genesis-conform/ops/conv.c \
	tools/genesis-conform/ops/copy.c \
	tools/genesis-conform/ops/embedding.c \
	tools/genesis-conform/ops/gather.c \
	tools/genesis-conform/ops/index.c \
	tools/genesis-conform/ops/join.c \
	tools/genesis-conform/ops/library.c \
	tools/genesis-conform/ops/library.h \
	tools/genesis-conform/ops/linalg.c \
	tools/genesis-conform/ops/linear.c \
	tools/genesis-conform/ops/loss.c \
	tools/genesis-conform/ops/math.c \
	tools/genesis-conform/ops/matmul.c \
	tools/genesis-conform/ops/memory.c \
	tools/genesis-conform/ops/norm.c \
	tools/genesis-conform/ops/ops.h \
	tools/genesis-conform/ops/pointwise.c \
	tools/genesis-conform/ops/pool.c \
	tools/genesis-conform/ops/random.c \
	tools/genesis-conform/ops/reduce.c \
	tools/genesis-conform/ops/scan.c \
	tools/genesis-conform/ops/select.c \
	tools/genesis-conform/ops/softmax.c \
	tools/genesis-conform/ops/sort.c \
	tools/genesis-conform/ops/tensors.c \
	tools/genesis-conform/ops/text.c \
	tools/genesis-conform/ops/training.c \
	tools/genesis-conform/ops/view.c \
	tools/genesis-conform/ops/vision.c \
	tools/genesis-conform/plans/attention.c \
	tools/genesis-conform/plans/conv.c \
	tools/genesis-conform/plans/matmul.c \
	tools/genesis-conform/plans/norm.c \
	tools/genesis-conform/plans/plan.c \
	tools/genesis-conform/plans/plan.h \
	tools/genesis-conform/plans/pool.c \
	tools/genesis-conform/programs/check.c \
	tools/genesis-conform/programs/generate.c \
	tools/genesis-conform/programs/insn.c \
	tools/genesis-conform/programs/place.c \
	tools/genesis-conform/programs/programs.c \
	tools/genesis-conform/programs/sample.h \
	tools/genesis-conform/programs/shrink.c \
	tools/genesis-conform/programs/text.c \
	tools/genesis-conform/report.c \
	tools/genesis-conform/results.c \
	tools/genesis-conform/run.h \
	tools/genesis-conform/runner.c \
	tools/genesis-conform/speed/plans.c \
	tools/genesis-conform/speed/programs.c \
	tools/genesis-conform/speed/speed.c \
	tools/genesis-conform/speed/speed.h \
	tools/genesis-conform/table.c \
	tools/genesis-conform/target.c \
	tools/genesis-conform/target.h

bin_PROGRAMS += tools/genesis/genesis
tools_genesis_genesis_SOURCES = \
	tools/genesis/convert.c \
	tools/genesis/devices.c \
	tools/genesis/genesis.h \
	tools/genesis/inspect.c \
	tools/genesis/json.c \
	tools/genesis/json.h \
	tools/genesis/main.c \
	tools/genesis/probe.c \
	tools/genesis/probe.h

bin_PROGRAMS += bench/genesis-bench
bench_genesis_bench_SOURCES = \
	bench/bench.h \
	bench/genesis-bench.c \
	bench/transformer.c

noinst_PROGRAMS += samples/01_simple_model
samples_01_simple_model_SOURCES = \
	samples/01_simple_model.c

noinst_PROGRAMS += samples/02_custom_layer
samples_02_custom_layer_SOURCES = \
	samples/02_custom_layer.c

noinst_PROGRAMS += samples/03_resnet
samples_03_resnet_SOURCES = \
	samples/03_resnet.c

noinst_PROGRAMS += samples/04_module_dict_list
samples_04_module_dict_list_SOURCES = \
	samples/04_module_dict_list.c

noinst_PROGRAMS += samples/05_save_load
samples_05_save_load_SOURCES = \
	samples/05_save_load.c

noinst_PROGRAMS += samples/06_checkpoint
samples_06_checkpoint_SOURCES = \
	samples/06_checkpoint.c

noinst_PROGRAMS += samples/07_module
samples_07_module_SOURCES = \
	samples/07_module.c

noinst_PROGRAMS += samples/08_layers
samples_08_layers_SOURCES = \
	samples/08_layers.c

noinst_PROGRAMS += samples/09_losses
samples_09_losses_SOURCES = \
	samples/09_losses.c

noinst_PROGRAMS += samples/10_init_clip
samples_10_init_clip_SOURCES = \
	samples/10_init_clip.c

noinst_PROGRAMS += samples/11_best_practices
samples_11_best_practices_SOURCES = \
	samples/11_best_practices.c

noinst_PROGRAMS += samples/char_gpt/char_gpt
samples_char_gpt_char_gpt_SOURCES = \
	samples/char_gpt/generate.c \
	samples/char_gpt/generate.h \
	samples/char_gpt/main.c \
	samples/char_gpt/model.c \
	samples/char_gpt/model.h \
	samples/char_gpt/options.c \
	samples/char_gpt/options.h \
	samples/char_gpt/saved.c \
	samples/char_gpt/saved.h \
	samples/char_gpt/text.c \
	samples/char_gpt/text.h \
	samples/char_gpt/train.c \
	samples/char_gpt/train.h

noinst_PROGRAMS += samples/fashion_mnist/fashion_mnist
samples_fashion_mnist_fashion_mnist_SOURCES = \
	samples/fashion_mnist/chart.c \
	samples/fashion_mnist/main.c \
	samples/fashion_mnist/models.c \
	samples/fashion_mnist/models.h \
	samples/fashion_mnist/options.c \
	samples/fashion_mnist/options.h \
	samples/fashion_mnist/predict.c \
	samples/fashion_mnist/predict.h \
	samples/fashion_mnist/progress.c \
	samples/fashion_mnist/progress.h \
	samples/fashion_mnist/report.c \
	samples/fashion_mnist/report.h \
	samples/fashion_mnist/results.c \
	samples/fashion_mnist/results.h \
	samples/fashion_mnist/sheet.c \
	samples/fashion_mnist/style.h

noinst_PROGRAMS += samples/minilm/minilm
samples_minilm_minilm_SOURCES = \
	samples/minilm/main.c \
	samples/minilm/model.c \
	samples/minilm/model.h \
	samples/minilm/tokenizer.c \
	samples/minilm/tokenizer.h \
	samples/minilm/unicode.c \
	samples/minilm/unicode.h

checked_samples = \
	samples/01_simple_model \
	samples/02_custom_layer \
	samples/03_resnet \
	samples/04_module_dict_list \
	samples/05_save_load \
	samples/06_checkpoint \
	samples/07_module \
	samples/08_layers \
	samples/09_losses \
	samples/10_init_clip \
	samples/11_best_practices

unit_tests = \
	tests/autograd/test_anomaly \
	tests/autograd/test_checkpoint \
	tests/autograd/test_derivative \
	tests/autograd/test_engine \
	tests/autograd/test_every_op \
	tests/autograd/test_function \
	tests/autograd/test_gradcheck \
	tests/autograd/test_history \
	tests/autograd/test_hooks \
	tests/autograd/test_mode \
	tests/autograd/test_scenes \
	tests/base/test_error \
	tests/base/test_scope \
	tests/base/test_table \
	tests/data/test_dataset \
	tests/data/test_idx \
	tests/data/test_image \
	tests/data/test_image_transform \
	tests/data/test_loader \
	tests/data/test_sampler \
	tests/data/test_subset \
	tests/data/test_workers \
	tests/io/test_checkpoint \
	tests/io/test_npz \
	tests/io/test_pth \
	tests/io/test_safetensors \
	tests/layers/test_check \
	tests/layers/test_trace \
	tests/nn/test_activation \
	tests/nn/test_attention \
	tests/nn/test_blocks \
	tests/nn/test_containers \
	tests/nn/test_conv \
	tests/nn/test_dict \
	tests/nn/test_dropout \
	tests/nn/test_embedding \
	tests/nn/test_faults \
	tests/nn/test_hooks \
	tests/nn/test_host_memory \
	tests/nn/test_init \
	tests/nn/test_kv_cache \
	tests/nn/test_layers \
	tests/nn/test_loss \
	tests/nn/test_module \
	tests/nn/test_norm \
	tests/nn/test_packed \
	tests/nn/test_parametrize \
	tests/nn/test_pool \
	tests/nn/test_recurrent \
	tests/nn/test_resnet \
	tests/nn/test_state \
	tests/nn/test_transformer \
	tests/nn/test_utils \
	tests/nn/test_vision \
	tests/ops/test_arrange \
	tests/ops/test_attention \
	tests/ops/test_conv \
	tests/ops/test_copy \
	tests/ops/test_dropout \
	tests/ops/test_einsum \
	tests/ops/test_embedding \
	tests/ops/test_fold \
	tests/ops/test_gather \
	tests/ops/test_index \
	tests/ops/test_index_dim \
	tests/ops/test_join \
	tests/ops/test_linalg \
	tests/ops/test_linear \
	tests/ops/test_loss \
	tests/ops/test_math \
	tests/ops/test_matmul \
	tests/ops/test_norm \
	tests/ops/test_pointwise \
	tests/ops/test_pool \
	tests/ops/test_reduce \
	tests/ops/test_sample \
	tests/ops/test_scan \
	tests/ops/test_select \
	tests/ops/test_softmax \
	tests/ops/test_sort \
	tests/ops/test_view \
	tests/optim/test_lbfgs \
	tests/optim/test_optimizer \
	tests/optim/test_rules \
	tests/optim/test_scheduler \
	tests/optim/test_state \
	tests/optim/test_swa \
	tests/program/test_builder \
	tests/program/test_derive \
	tests/program/test_instantiate \
	tests/program/test_parse \
	tests/program/test_simplify \
	tests/program/test_types \
	tests/runtime/test_allocator \
	tests/runtime/test_fallback \
	tests/runtime/test_fault \
	tests/runtime/test_fork \
	tests/runtime/test_launch \
	tests/runtime/test_layers \
	tests/runtime/test_loader \
	tests/runtime/test_plan \
	tests/runtime/test_space \
	tests/runtime/test_split \
	tests/tensor/test_create \
	tests/tensor/test_data \
	tests/tensor/test_random \
	tests/tensor/test_shape \
	tests/tensor/test_text

opencl_tests = \
	tests/opencl/test_cache \
	tests/opencl/test_discover \
	tests/opencl/test_faults \
	tests/opencl/test_plans

if HAVE_CHECK
check_PROGRAMS += $(unit_tests) $(opencl_tests)
tests_autograd_test_anomaly_LDADD = $(test_ldadd)
tests_autograd_test_checkpoint_LDADD = $(test_ldadd)
tests_autograd_test_derivative_LDADD = $(test_ldadd)
tests_autograd_test_engine_LDADD = $(test_ldadd)
tests_autograd_test_every_op_LDADD = $(test_ldadd)
tests_autograd_test_function_LDADD = $(test_ldadd)
tests_autograd_test_gradcheck_LDADD = $(test_ldadd)
tests_autograd_test_history_LDADD = $(test_ldadd)
tests_autograd_test_hooks_LDADD = $(test_ldadd)
tests_autograd_test_mode_LDADD = $(test_ldadd)
tests_autograd_test_scenes_LDADD = $(test_ldadd)
tests_base_test_error_LDADD = $(test_ldadd)
tests_base_test_scope_LDADD = $(test_ldadd)
tests_base_test_table_LDADD = $(test_ldadd)
tests_data_test_dataset_LDADD = $(test_ldadd)
tests_data_test_idx_LDADD = $(test_ldadd)
tests_data_test_image_LDADD = $(test_ldadd)
tests_data_test_image_transform_LDADD = $(test_ldadd)
tests_data_test_loader_LDADD = $(test_ldadd)
tests_data_test_sampler_LDADD = $(test_ldadd)
tests_data_test_subset_LDADD = $(test_ldadd)
tests_data_test_workers_LDADD = $(test_ldadd)
tests_io_test_checkpoint_LDADD = $(test_ldadd)
tests_io_test_npz_LDADD = $(test_ldadd)
tests_io_test_pth_LDADD = $(test_ldadd)
tests_io_test_safetensors_LDADD = $(test_ldadd)
tests_layers_test_check_LDADD = $(test_ldadd)
tests_layers_test_trace_LDADD = $(test_ldadd)
tests_nn_test_activation_LDADD = $(test_ldadd)
tests_nn_test_attention_LDADD = $(test_ldadd)
tests_nn_test_blocks_LDADD = $(test_ldadd)
tests_nn_test_containers_LDADD = $(test_ldadd)
tests_nn_test_conv_LDADD = $(test_ldadd)
tests_nn_test_dict_LDADD = $(test_ldadd)
tests_nn_test_dropout_LDADD = $(test_ldadd)
tests_nn_test_embedding_LDADD = $(test_ldadd)
tests_nn_test_faults_LDADD = $(test_ldadd)
tests_nn_test_hooks_LDADD = $(test_ldadd)
tests_nn_test_host_memory_LDADD = $(test_ldadd)
tests_nn_test_init_LDADD = $(test_ldadd)
tests_nn_test_kv_cache_LDADD = $(test_ldadd)
tests_nn_test_layers_LDADD = $(test_ldadd)
tests_nn_test_loss_LDADD = $(test_ldadd)
tests_nn_test_module_LDADD = $(test_ldadd)
tests_nn_test_norm_LDADD = $(test_ldadd)
tests_nn_test_packed_LDADD = $(test_ldadd)
tests_nn_test_parametrize_LDADD = $(test_ldadd)
tests_nn_test_pool_LDADD = $(test_ldadd)
tests_nn_test_recurrent_LDADD = $(test_ldadd)
tests_nn_test_resnet_LDADD = $(test_ldadd)
tests_nn_test_state_LDADD = $(test_ldadd)
tests_nn_test_transformer_LDADD = $(test_ldadd)
tests_nn_test_utils_LDADD = $(test_ldadd)
tests_nn_test_vision_LDADD = $(test_ldadd)
tests_opencl_test_cache_LDADD = $(test_ldadd)
tests_opencl_test_discover_LDADD = $(test_ldadd)
tests_opencl_test_faults_LDADD = $(test_ldadd)
tests_opencl_test_plans_LDADD = $(test_ldadd)
tests_ops_test_arrange_LDADD = $(test_ldadd)
tests_ops_test_attention_LDADD = $(test_ldadd)
tests_ops_test_conv_LDADD = $(test_ldadd)
tests_ops_test_copy_LDADD = $(test_ldadd)
tests_ops_test_dropout_LDADD = $(test_ldadd)
tests_ops_test_einsum_LDADD = $(test_ldadd)
tests_ops_test_embedding_LDADD = $(test_ldadd)
tests_ops_test_fold_LDADD = $(test_ldadd)
tests_ops_test_gather_LDADD = $(test_ldadd)
tests_ops_test_index_LDADD = $(test_ldadd)
tests_ops_test_index_dim_LDADD = $(test_ldadd)
tests_ops_test_join_LDADD = $(test_ldadd)
tests_ops_test_linalg_LDADD = $(test_ldadd)
tests_ops_test_linear_LDADD = $(test_ldadd)
tests_ops_test_loss_LDADD = $(test_ldadd)
tests_ops_test_math_LDADD = $(test_ldadd)
tests_ops_test_matmul_LDADD = $(test_ldadd)
tests_ops_test_norm_LDADD = $(test_ldadd)
tests_ops_test_pointwise_LDADD = $(test_ldadd)
tests_ops_test_pool_LDADD = $(test_ldadd)
tests_ops_test_reduce_LDADD = $(test_ldadd)
tests_ops_test_sample_LDADD = $(test_ldadd)
tests_ops_test_scan_LDADD = $(test_ldadd)
tests_ops_test_select_LDADD = $(test_ldadd)
tests_ops_test_softmax_LDADD = $(test_ldadd)
tests_ops_test_sort_LDADD = $(test_ldadd)
tests_ops_test_view_LDADD = $(test_ldadd)
tests_optim_test_lbfgs_LDADD = $(test_ldadd)
tests_optim_test_optimizer_LDADD = $(test_ldadd)
tests_optim_test_rules_LDADD = $(test_ldadd)
tests_optim_test_scheduler_LDADD = $(test_ldadd)
tests_optim_test_state_LDADD = $(test_ldadd)
tests_optim_test_swa_LDADD = $(test_ldadd)
tests_program_test_builder_LDADD = $(test_ldadd)
tests_program_test_derive_LDADD = $(test_ldadd)
tests_program_test_instantiate_LDADD = $(test_ldadd)
tests_program_test_parse_LDADD = $(test_ldadd)
tests_program_test_simplify_LDADD = $(test_ldadd)
tests_program_test_types_LDADD = $(test_ldadd)
tests_runtime_test_allocator_LDADD = $(test_ldadd)
tests_runtime_test_fallback_LDADD = $(test_ldadd)
tests_runtime_test_fault_LDADD = $(test_ldadd)
tests_runtime_test_fork_LDADD = $(test_ldadd)
tests_runtime_test_launch_LDADD = $(test_ldadd)
tests_runtime_test_layers_LDADD = $(test_ldadd)
tests_runtime_test_loader_LDADD = $(test_ldadd)
tests_runtime_test_plan_LDADD = $(test_ldadd)
tests_runtime_test_space_LDADD = $(test_ldadd)
tests_runtime_test_split_LDADD = $(test_ldadd)
tests_tensor_test_create_LDADD = $(test_ldadd)
tests_tensor_test_data_LDADD = $(test_ldadd)
tests_tensor_test_random_LDADD = $(test_ldadd)
tests_tensor_test_shape_LDADD = $(test_ldadd)
tests_tensor_test_text_LDADD = $(test_ldadd)
endif

test_support_sources = \
	tests/capture.c \
	tests/capture.h \
	tests/expect.c \
	tests/expect.h \
	tests/files.c \
	tests/files.h \
	tests/nn/module_case.c \
	tests/nn/module_case.h \
	tests/nn/training.c \
	tests/nn/training.h \
	tests/opencl/child.c \
	tests/opencl/child.h \
	tests/optim/optim_case.c \
	tests/optim/optim_case.h \
	tests/plugins/clocked.h \
	tests/plugins/fake.h \
	tests/plugins/fault.h \
	tests/plugins/recorder.h \
	tests/program/evaluate.c \
	tests/program/evaluate.h \
	tests/runtime/support.c \
	tests/runtime/support.h \
	tests/suite.c \
	tests/suite.h \
	tests/temp_dir.c \
	tests/temp_dir.h

fuzz_targets += tests/fuzz/fuzz_image
tests_fuzz_fuzz_image_SOURCES = \
	tests/fuzz/fuzz_image.c

tests_fuzz_fuzz_image_CFLAGS = $(AM_CFLAGS) $(FUZZ_CFLAGS)
tests_fuzz_fuzz_image_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_image_LDADD = tests/fuzz/libfuzz.la libgenesis/libcore.la

fuzz_targets += tests/fuzz/fuzz_npy
tests_fuzz_fuzz_npy_SOURCES = \
	tests/fuzz/fuzz_npy.c

tests_fuzz_fuzz_npy_CFLAGS = $(AM_CFLAGS) $(FUZZ_CFLAGS)
tests_fuzz_fuzz_npy_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_npy_LDADD = tests/fuzz/libfuzz.la libgenesis/libcore.la

fuzz_targets += tests/fuzz/fuzz_npz
tests_fuzz_fuzz_npz_SOURCES = \
	tests/fuzz/fuzz_npz.c

tests_fuzz_fuzz_npz_CFLAGS = $(AM_CFLAGS) $(FUZZ_CFLAGS)
tests_fuzz_fuzz_npz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_npz_LDADD = tests/fuzz/libfuzz.la libgenesis/libcore.la

fuzz_targets += tests/fuzz/fuzz_pickle
tests_fuzz_fuzz_pickle_SOURCES = \
	tests/fuzz/fuzz_pickle.c

tests_fuzz_fuzz_pickle_CFLAGS = $(AM_CFLAGS) $(FUZZ_CFLAGS)
tests_fuzz_fuzz_pickle_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_pickle_LDADD = tests/fuzz/libfuzz.la libgenesis/libcore.la

fuzz_targets += tests/fuzz/fuzz_pth
tests_fuzz_fuzz_pth_SOURCES = \
	tests/fuzz/fuzz_pth.c

tests_fuzz_fuzz_pth_CFLAGS = $(AM_CFLAGS) $(FUZZ_CFLAGS)
tests_fuzz_fuzz_pth_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_pth_LDADD = tests/fuzz/libfuzz.la libgenesis/libcore.la

fuzz_targets += tests/fuzz/fuzz_safetensors
tests_fuzz_fuzz_safetensors_SOURCES = \
	tests/fuzz/fuzz_safetensors.c

tests_fuzz_fuzz_safetensors_CFLAGS = $(AM_CFLAGS) $(FUZZ_CFLAGS)
tests_fuzz_fuzz_safetensors_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_safetensors_LDADD = tests/fuzz/libfuzz.la libgenesis/libcore.la

check_LTLIBRARIES += tests/plugins/genesis_async.la
tests_plugins_genesis_async_la_SOURCES = \
	tests/plugins/async.c

tests_plugins_genesis_async_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_async_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_count.la
tests_plugins_genesis_bad_count_la_SOURCES = \
	tests/plugins/bad_count.c

tests_plugins_genesis_bad_count_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_count_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_crash.la
tests_plugins_genesis_bad_crash_la_SOURCES = \
	tests/plugins/bad_crash.c

tests_plugins_genesis_bad_crash_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_crash_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_entry.la
tests_plugins_genesis_bad_entry_la_SOURCES = \
	tests/plugins/bad_entry.c

tests_plugins_genesis_bad_entry_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_entry_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_exit.la
tests_plugins_genesis_bad_exit_la_SOURCES = \
	tests/plugins/bad_exit.c

tests_plugins_genesis_bad_exit_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_exit_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_hang.la
tests_plugins_genesis_bad_hang_la_SOURCES = \
	tests/plugins/bad_hang.c

tests_plugins_genesis_bad_hang_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_hang_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_info.la
tests_plugins_genesis_bad_info_la_SOURCES = \
	tests/plugins/bad_info.c

tests_plugins_genesis_bad_info_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_info_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_slot.la
tests_plugins_genesis_bad_slot_la_SOURCES = \
	tests/plugins/bad_slot.c

tests_plugins_genesis_bad_slot_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_slot_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_start.la
tests_plugins_genesis_bad_start_la_SOURCES = \
	tests/plugins/bad_start.c

tests_plugins_genesis_bad_start_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_start_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_status.la
tests_plugins_genesis_bad_status_la_SOURCES = \
	tests/plugins/bad_status.c

tests_plugins_genesis_bad_status_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_status_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_table.la
tests_plugins_genesis_bad_table_la_SOURCES = \
	tests/plugins/bad_table.c

tests_plugins_genesis_bad_table_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_table_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_bad_version.la
tests_plugins_genesis_bad_version_la_SOURCES = \
	tests/plugins/bad_version.c

tests_plugins_genesis_bad_version_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_bad_version_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_clocked.la
tests_plugins_genesis_clocked_la_SOURCES = \
	tests/plugins/clocked.c

tests_plugins_genesis_clocked_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_clocked_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_composed.la
tests_plugins_genesis_composed_la_SOURCES = \
	tests/plugins/composed.c

tests_plugins_genesis_composed_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_composed_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_fault.la
tests_plugins_genesis_fault_la_SOURCES = \
	tests/plugins/fault.c

tests_plugins_genesis_fault_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_fault_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_liar.la
tests_plugins_genesis_liar_la_SOURCES = \
	tests/plugins/liar.c

tests_plugins_genesis_liar_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_liar_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_no_device.la
tests_plugins_genesis_no_device_la_SOURCES = \
	tests/plugins/no_device.c

tests_plugins_genesis_no_device_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_no_device_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_opencl_faults.la
tests_plugins_genesis_opencl_faults_la_SOURCES = \
	tests/plugins/opencl_faults.c

tests_plugins_genesis_opencl_faults_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_opencl_faults_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_recorder.la
tests_plugins_genesis_recorder_la_SOURCES = \
	tests/plugins/recorder.c

tests_plugins_genesis_recorder_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_recorder_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_small_table.la
tests_plugins_genesis_small_table_la_SOURCES = \
	tests/plugins/small_table.c

tests_plugins_genesis_small_table_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_small_table_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/genesis_veil.la
tests_plugins_genesis_veil_la_SOURCES = \
	tests/plugins/veil.c

tests_plugins_genesis_veil_la_CPPFLAGS = $(plugin_cppflags)
tests_plugins_genesis_veil_la_LDFLAGS = $(test_plugin_ldflags)

project_tests = \
	tests/project/test_abi.sh \
	tests/project/test_char_gpt.sh \
	tests/project/test_check.sh \
	tests/project/test_conform.sh \
	tests/project/test_cxx.sh \
	tests/project/test_fashion_mnist.sh \
	tests/project/test_features.sh \
	tests/project/test_files.sh \
	tests/project/test_fuzz.sh \
	tests/project/test_genesis_tool.sh \
	tests/project/test_headers.sh \
	tests/project/test_minilm.sh \
	tests/project/test_readme.sh \
	tests/project/test_reference_trains.sh \
	tests/project/test_sources.sh \
	tests/project/test_spdx.sh \
	tests/project/test_symbols.sh \
	tests/project/test_template.sh \
	tests/project/test_torch_files.sh

conform_data = \
	tools/genesis-conform/fixtures/attention.safetensors \
	tools/genesis-conform/fixtures/conv.safetensors \
	tools/genesis-conform/fixtures/embedding.safetensors \
	tools/genesis-conform/fixtures/linear.safetensors \
	tools/genesis-conform/fixtures/loss.safetensors \
	tools/genesis-conform/fixtures/norm.safetensors \
	tools/genesis-conform/fixtures/ops_arrange.txt \
	tools/genesis-conform/fixtures/ops_copy.txt \
	tools/genesis-conform/fixtures/ops_gather.txt \
	tools/genesis-conform/fixtures/ops_index.txt \
	tools/genesis-conform/fixtures/ops_join.txt \
	tools/genesis-conform/fixtures/ops_linalg.txt \
	tools/genesis-conform/fixtures/ops_math.txt \
	tools/genesis-conform/fixtures/ops_matmul.txt \
	tools/genesis-conform/fixtures/ops_pointwise.txt \
	tools/genesis-conform/fixtures/ops_reduce.txt \
	tools/genesis-conform/fixtures/ops_scan.txt \
	tools/genesis-conform/fixtures/ops_select.txt \
	tools/genesis-conform/fixtures/ops_sort.txt \
	tools/genesis-conform/fixtures/ops_view.txt \
	tools/genesis-conform/fixtures/pool.safetensors \
	tools/genesis-conform/fixtures/softmax.safetensors \
	tools/genesis-conform/fixtures/vision.safetensors

man_pages = \
	docs/man/genesis-bench.1 \
	docs/man/genesis-conform.1 \
	docs/man/genesis-fashion-mnist.1 \
	docs/man/genesis.1

extra_files = \
	backends/cpu/kernels.inc \
	backends/cpu/kernels_combine.inc \
	backends/cpu/kernels_copy.inc \
	backends/cpu/kernels_erf.inc \
	backends/cpu/kernels_float.inc \
	backends/cpu/kernels_fold.inc \
	backends/cpu/kernels_fold_type.inc \
	backends/cpu/kernels_int.inc \
	backends/cpu/kernels_move.inc \
	backends/cpu/kernels_random.inc \
	backends/cpu/loops.inc \
	backends/kernels/attention.cl \
	backends/kernels/embed.sh \
	backends/kernels/math.cl \
	backends/kernels/norm.cl \
	backends/kernels/pool.cl \
	backends/kernels/prelude_opencl.h \
	backends/kernels/product.cl \
	backends/kernels/scatter.cl \
	plugins/template/README.md \
	tools/genesis-conform/fixtures/attention.safetensors \
	tools/genesis-conform/fixtures/conv.safetensors \
	tools/genesis-conform/fixtures/embedding.safetensors \
	tools/genesis-conform/fixtures/linear.safetensors \
	tools/genesis-conform/fixtures/loss.safetensors \
	tools/genesis-conform/fixtures/make_nn.py \
	tools/genesis-conform/fixtures/make_ops.py \
	tools/genesis-conform/fixtures/norm.safetensors \
	tools/genesis-conform/fixtures/ops_arrange.txt \
	tools/genesis-conform/fixtures/ops_copy.txt \
	tools/genesis-conform/fixtures/ops_gather.txt \
	tools/genesis-conform/fixtures/ops_index.txt \
	tools/genesis-conform/fixtures/ops_join.txt \
	tools/genesis-conform/fixtures/ops_linalg.txt \
	tools/genesis-conform/fixtures/ops_math.txt \
	tools/genesis-conform/fixtures/ops_matmul.txt \
	tools/genesis-conform/fixtures/ops_pointwise.txt \
	tools/genesis-conform/fixtures/ops_reduce.txt \
	tools/genesis-conform/fixtures/ops_scan.txt \
	tools/genesis-conform/fixtures/ops_select.txt \
	tools/genesis-conform/fixtures/ops_sort.txt \
	tools/genesis-conform/fixtures/ops_view.txt \
	tools/genesis-conform/fixtures/pool.safetensors \
	tools/genesis-conform/fixtures/softmax.safetensors \
	tools/genesis-conform/fixtures/vision.safetensors \
	tools/steps.sh \
	samples/01_simple_model.out \
	samples/02_custom_layer.out \
	samples/03_resnet.out \
	samples/04_module_dict_list.out \
	samples/05_save_load.out \
	samples/06_checkpoint.out \
	samples/07_module.out \
	samples/08_layers.out \
	samples/09_losses.out \
	samples/10_init_clip.out \
	samples/11_best_practices.out \
	samples/README.md \
	samples/minilm/download.sh \
	samples/minilm/make_unicode.py \
	samples/minilm/unicode.inc \
	tests/abi/0.1/genesis/backend.h \
	tests/abi/0.1/layout.txt \
	tests/abi/layout.sh \
	tests/fixtures/ankle_boot.jpg \
	tests/fixtures/ankle_boot.png \
	tests/fixtures/autograd.inc \
	tests/fixtures/make_autograd.py \
	tests/fixtures/make_files.py \
	tests/fixtures/make_images.py \
	tests/fixtures/make_minilm.py \
	tests/fixtures/make_modules_activation.py \
	tests/fixtures/make_modules_attention.py \
	tests/fixtures/make_modules_blocks.py \
	tests/fixtures/make_modules_conv.py \
	tests/fixtures/make_modules_embedding.py \
	tests/fixtures/make_modules_linear.py \
	tests/fixtures/make_modules_loss.py \
	tests/fixtures/make_modules_norm.py \
	tests/fixtures/make_modules_parametrize.py \
	tests/fixtures/make_modules_pool.py \
	tests/fixtures/make_modules_recurrent.py \
	tests/fixtures/make_modules_resnet.py \
	tests/fixtures/make_modules_transformer.py \
	tests/fixtures/make_modules_vision.py \
	tests/fixtures/make_optim.py \
	tests/fixtures/make_random.py \
	tests/fixtures/make_safetensors.py \
	tests/fixtures/minilm.txt \
	tests/fixtures/modules.py \
	tests/fixtures/modules_activation.safetensors \
	tests/fixtures/modules_attention.safetensors \
	tests/fixtures/modules_blocks.safetensors \
	tests/fixtures/modules_conv.safetensors \
	tests/fixtures/modules_embedding.safetensors \
	tests/fixtures/modules_linear.safetensors \
	tests/fixtures/modules_loss.safetensors \
	tests/fixtures/modules_norm.safetensors \
	tests/fixtures/modules_parametrize.safetensors \
	tests/fixtures/modules_pool.safetensors \
	tests/fixtures/modules_recurrent.safetensors \
	tests/fixtures/modules_resnet.safetensors \
	tests/fixtures/modules_transformer.safetensors \
	tests/fixtures/modules_vision.safetensors \
	tests/fixtures/numpy.npy \
	tests/fixtures/numpy.npz \
	tests/fixtures/old.pth \
	tests/fixtures/optim_lbfgs.inc \
	tests/fixtures/optim_rules.inc \
	tests/fixtures/optim_schedules.inc \
	tests/fixtures/optim_torch.pth \
	tests/fixtures/python.safetensors \
	tests/fixtures/random.inc \
	tests/fixtures/torch.pth \
	tests/fixtures/training.pth \
	tests/fuzz/corpus/image/ankle_boot.jpg \
	tests/fuzz/corpus/image/ankle_boot.png \
	tests/fuzz/corpus/npy/numpy.npy \
	tests/fuzz/corpus/npz/numpy.npz \
	tests/fuzz/corpus/pickle/cycle \
	tests/fuzz/corpus/pickle/protocol4 \
	tests/fuzz/corpus/pickle/shared \
	tests/fuzz/corpus/pickle/torch \
	tests/fuzz/corpus/pickle/training \
	tests/fuzz/corpus/pth/old.pth \
	tests/fuzz/corpus/pth/torch.pth \
	tests/fuzz/corpus/safetensors/metadata \
	tests/fuzz/corpus/safetensors/python.safetensors \
	tests/fuzz/make_corpus.py \
	tests/lsan.supp \
	tests/project/installcheck.sh \
	tests/project/no-check.sh \
	tests/project/test_abi.sh \
	tests/project/test_char_gpt.sh \
	tests/project/test_check.sh \
	tests/project/test_conform.sh \
	tests/project/test_cxx.sh \
	tests/project/test_fashion_mnist.sh \
	tests/project/test_features.sh \
	tests/project/test_files.sh \
	tests/project/test_fuzz.sh \
	tests/project/test_genesis_tool.sh \
	tests/project/test_headers.sh \
	tests/project/test_minilm.sh \
	tests/project/test_readme.sh \
	tests/project/test_reference_trains.sh \
	tests/project/test_sources.sh \
	tests/project/test_spdx.sh \
	tests/project/test_symbols.sh \
	tests/project/test_template.sh \
	tests/project/test_torch_files.sh \
	tests/project/torch_files.py \
	tests/tsan.supp \
	docs/adding-an-op.md \
	docs/backend-howto.md \
	docs/building.md \
	docs/features.md \
	docs/guide.md \
	docs/layers.md \
	docs/opencl.md \
	docs/versioning.md

