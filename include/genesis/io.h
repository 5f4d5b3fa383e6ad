/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.h - files of tensors, and checkpoints of a training. The format follows from the suffix:
 *
 *     .pth, .pt      PyTorch's: everything that a dictionary may hold
 *     .safetensors   tensors alone, by name
 *     .npz, .npy     NumPy's: tensors by name, or one of any name
 *
 * PyTorch, safetensors and NumPy read what is written here, and the other way round. Files are not
 * trusted: whatever does not add up is an error GN_E_FORMAT, nothing in a file is executed, and no
 * memory is taken on the word of a file alone.
 */
#ifndef GENESIS_IO_H
#define GENESIS_IO_H

#include <genesis/scheduler.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a dictionary, which stays as it is. Atomic: a temporary file in the same folder is synced
 * and renamed, so that a crash leaves the old file or the new one, whole. Formats other than .pth
 * refuse what is no tensor, and NumPy's bfloat16. */
GN_API gn_status gn_save(gn_dict *dict, const char *path);

/* Reads a dictionary onto a device (NULL: the default one; PyTorch's map_location). Tensors require
 * no gradient.
 *
 * .pth: what torch.save writes since PyTorch 1.6, of tensors, parameters, dictionaries with strings
 * or integers for keys, lists, tuples (which become lists), numbers, strings and None. A pickle that
 * asks for anything else of Python is an error that names it. Integers of more than 64 bits become
 * floats. Tensors that share a storage in the file share it here. A lone tensor is "tensor".
 *
 * .safetensors: on cpu the tensors lie in the mapped file: reading takes no time and no memory
 * before they are used, and what is changed is not written back. Whoever writes into such a file in
 * place changes them, too, and whoever cuts it short ends the program with SIGBUS; gn_save replaces
 * it as a whole, which is safe.
 *
 * .npy: one tensor, named "tensor". */
GN_API gn_dict *gn_load(const char *path, const char *device);

/* ---- Checkpoints
 *
 *     gn_save_checkpoint("run.pth", model, adam, .scheduler = schedule, .epoch = epoch);
 *
 *     gn_dict *run = gn_load_checkpoint("run.pth", model, adam, .scheduler = schedule);
 *     int64_t epoch = gn_dict_get_int(run, "epoch", 0) + 1;
 *
 * On cpu a training goes on from there bit by bit as if it had not been interrupted. The file is a
 * dictionary, in a format that can hold it (.pth):
 *
 *     model_state_dict, optimizer_state_dict, scheduler_state_dict    as PyTorch names them
 *     rng_state    {seed, offset} of the generator
 *     epoch        a number
 *
 * and the entries of `extra`, the program's own. */
typedef struct gn_save_checkpoint_options {
    size_t struct_size;
    gn_scheduler *scheduler; /* NULL: none */
    gn_generator *generator; /* NULL: the default one */
    int64_t epoch;
    gn_dict *extra; /* NULL: none */
} gn_save_checkpoint_options;

#define gn_save_checkpoint(...)                                                                    \
    GN_CALL3(gn_save_checkpoint_with, gn_save_checkpoint_options, __VA_ARGS__, )
GN_API gn_status gn_save_checkpoint_with(const char *path, gn_module *model,
                                         gn_optimizer *optimizer,
                                         const gn_save_checkpoint_options *options);

/* Puts a checkpoint's states into the model, the optimizer, the scheduler and the generator, which
 * must be made with the options that they had; returns all that was in it. A part that the
 * checkpoint lacks or that does not fit is an error; parts before it may have been loaded then. One
 * that has no rng_state, as PyTorch's, leaves the generator as it is. */
typedef struct gn_load_checkpoint_options {
    size_t struct_size;
    gn_scheduler *scheduler; /* NULL: none */
    gn_generator *generator; /* NULL: the default one */
} gn_load_checkpoint_options;

#define gn_load_checkpoint(...)                                                                    \
    GN_CALL3(gn_load_checkpoint_with, gn_load_checkpoint_options, __VA_ARGS__, )
GN_API gn_dict *gn_load_checkpoint_with(const char *path, gn_module *model, gn_optimizer *optimizer,
                                        const gn_load_checkpoint_options *options);

#ifdef __cplusplus
}
#endif
#endif
