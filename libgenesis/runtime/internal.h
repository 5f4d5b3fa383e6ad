/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the files of runtime/ share, and no other folder uses.
 *
 * Locks, in the order in which they are taken:
 *   registry        the lists of plugins and devices; held while one is loaded or opened
 *   device->lock    handles of programs, plans
 *   device->queue   calls on the default stream: the ABI forbids two at a time
 *   allocator       held while the backend allocates or frees; a call may ask for scratch memory
 */
#ifndef GENESIS_RUNTIME_INTERNAL_H
#define GENESIS_RUNTIME_INTERNAL_H

#include <sys/types.h>

#include "runtime.h"

/* ---- Why something can't be used: kept apart from the thread's error, because looking at plugins
 * that can't be used is none. */

typedef struct gn__reason {
    gn_status status;
    char text[896];
} gn__reason;

/* Returns `status`. */
gn_status gn__reason_set(gn__reason *why, gn_status status, const char *format, ...)
    GN_PRINTF(3, 4);

/* For a call that did not answer GN_OK: "its entry failed: the firmware is missing". */
gn_status gn__reason_answer(gn__reason *why, gn_status status, const char *what);

/* Whether what a plugin wrote is UTF-8 that a terminal can show, and ends within `room` bytes. */
bool gn__is_text(const char *text, size_t room);
/* Replaces the rest by question marks. */
void gn__text_clean(char *text);

/* ---- Plugins (loader.c). All under the registry's lock. */

typedef struct gn__plugin {
    struct gn__plugin *next;
    gn_backend table; /* zeros beyond the plugin's struct_size */
    char name[64];
    char *path;
    dev_t file_device; /* with the inode: which file it is, under whatever path */
    ino_t file_inode;
    int32_t n_devices; /* -1: not counted yet */
    bool opened;       /* a device of it was opened */
    bool forked;       /* ... by the process that this one was forked from */
} gn__plugin;

/* Whether it can be the name of a backend: letters, digits, - and _, no digit in front. */
bool gn__plugin_name_fits(const char *name, size_t length);

/* Where the search path has a backend first: what programs use. False: nowhere. */
bool gn__plugin_path(const char *name, char *path, size_t bytes);

/* The plugin of a backend, from the search path at its first use. NULL with a reason. */
gn__plugin *gn__plugin_find(const char *name, gn__reason *why);

/* Whether a shared object of so many bytes ends before what its header promises. */
bool gn__elf_is_cut_off(const char *path, uint64_t file_bytes);

/* The plugin in a file. NULL with a reason. */
gn__plugin *gn__plugin_load(const char *path, const char *name, gn__reason *why);

/* Its devices, counted once. None is an error, with the plugin's own reason. */
gn_status gn__plugin_count(gn__plugin *plugin, int32_t *n_devices, gn__reason *why);

/* A layer's table in front of another one: without the optional functions that `below` lacks. */
void gn__table_through(gn_backend *out, const gn_backend *layer, const gn_backend *below);

void gn__plugins_each(void (*visit)(gn__plugin *plugin));

/* Shuts the plugins down and forgets them; the shared objects stay. */
void gn__plugins_shutdown(void);

/* ---- The search path (search.c) */

/* Calls `visit` for each folder of the path, in order, until it returns false. */
void gn__search_path(bool (*visit)(const char *folder, void *context), void *context);

/* ---- Devices (registry.c) */

void gn__registry_lock(void);
void gn__registry_unlock(void);

/* The open device with the plugin's handle, or NULL. Takes no lock. */
gn__device *gn__device_of_handle(const gn_device *handle);

/* A device of the string's for a plugin alone; NULL with a reason. gn__device_close ends its use:
 * what is left of it goes at gn_shutdown. */
gn__device *gn__device_open_hidden(const char *text, gn__reason *why);
void gn__device_close(gn__device *device);

/* The host's service device_open (complete.c). */
gn_status gn__complete_open(const char *name, const gn_backend **table, gn_device **out);

/* Records GN_E_FORKED. */
gn_status gn__forked(const gn__device *device, const char *op);

/* ---- Calls of the backend (host.c) */

extern const gn_host gn__host; /* the services that plugins get */

/* Before a call that may fail: forgets what was said about an earlier one. */
static inline void gn__late_clear(gn__thread *self) {
    if (self->late_tag | (unsigned char)self->late[0]) {
        self->late_tag = 0;
        self->late[0] = '\0';
    }
}

/* What the plugin said of the call that has just failed, or the status' meaning. */
const char *gn__late_text(gn_status status);

/* The operation that the tag names which came with it, or else `op`. */
const char *gn__late_op(const char *op);

/* For a call of the device that failed: "device lost: the cable is out (on cuda:1)". */
gn_status gn__reason_call(gn__reason *why, const gn__device *device, gn_status status);

/* Records the failure of a call: the operation, and that text. */
gn_status gn__call_failed(const gn__device *device, const char *op, gn_status status);

/* The tag of a call: the address of the operation's name, a static string, and a check of it in the
 * upper bits, because a plugin may hand back anything. */
enum { GN__ADDRESS_BITS = 48 };
static inline uint64_t gn__tag(const char *op) {
    const uint64_t address = (uintptr_t)op, mixed = address * UINT64_C(0x9e3779b97f4a7c15);
    return address | mixed >> GN__ADDRESS_BITS << GN__ADDRESS_BITS;
}

/* Brackets every call that takes a stream. `leave` gives back the scratch memory of the call. */
static inline void gn__queue_enter(gn__device *device) {
    gn__thread *self = gn__self();
    pthread_mutex_lock(&device->bottom->queue);
    gn__late_clear(self);
    self->launches++;
}
void gn__scratch_release(gn__device *device);
static inline void gn__queue_leave(gn__device *device) {
    device = device->bottom;
    if (__builtin_expect(atomic_load_explicit(&device->scratch, memory_order_relaxed) != NULL, 0))
        gn__scratch_release(device);
    pthread_mutex_unlock(&device->queue);
}

/* Waits for all work. */
gn_status gn__device_wait(gn__device *device, const char *op);

/* ---- The allocator (allocator.c) */

typedef struct gn__allocator gn__allocator;

/* NULL without memory; no error is recorded. */
gn__allocator *gn__allocator_new(gn__device *device);
/* Gives everything back, unless the device is dead; storage that is in use loses its device. */
void gn__allocator_free(gn__allocator *allocator);

/* Memory with one reference, or NULL with a reason. `in_call`: for scratch, while a call of the
 * backend runs and must not be waited for. */
gn__storage *gn__allocator_take(gn__device *device, uint64_t bytes, bool in_call, gn__reason *why);
/* The same over memory of the host's; the backend has `wrap`. */
gn__storage *gn__allocator_wrap(gn__device *device, void *data, uint64_t bytes, gn__reason *why);
void gn__allocator_give(gn__storage *storage);

/* The link that a storage has while the runtime holds it in a list of its own. */
gn__storage **gn__storage_next(gn__storage *storage);

/* ---- Handles of programs (handles.c): looked up without a lock at each launch */

typedef struct gn__handles gn__handles;

gn__handles *gn__handles_new(void); /* NULL without memory; no error is recorded */

/* The backend's handle of a program, created at its first launch. Status without an error recorded:
 * the caller may have another way. */
gn_status gn__handle_get(gn__device *device, const gn_program *program, void **out);
void gn__handles_free(gn__device *device); /* those of a dead device are just forgotten */

/* ---- Row programs in pieces (split.c) */

gn_status gn__split_run(gn__device *device, const gn__launch *launch);
/* A reduction over nothing: the row parts with the identities of the reductions. */
gn_status gn__split_run_empty(gn__device *device, const gn__launch *launch);
void gn__split_shutdown(void);

/* ---- Plans and fallbacks (plan.c, fallback.c) */

void gn__plans_free(gn__device *device);
void gn__fallback_shutdown(void);

#endif
