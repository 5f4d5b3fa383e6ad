/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - devices by their strings: parsed, opened once, found again without a lock; layers
 * in front of devices; the default device; what becomes of devices in a forked child.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP */
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Recursive, because a plugin may fork a compiler while its device is opened: see watch_forks. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* Open devices. They are put in front, and taken out by gn_shutdown only. */
static _Atomic(gn__device *) devices;

/* The process's default device, once it is open. */
static _Atomic(gn__device *) standard;

void gn__registry_lock(void) { pthread_mutex_lock(&lock); }
void gn__registry_unlock(void) { pthread_mutex_unlock(&lock); }

/* ---- fork: the child has none of the driver's threads, so every device is dead in it */

static void mark_forked(gn__plugin *plugin) { plugin->forked = plugin->opened; }

static void after_fork_in_child(void) {
    for (gn__device *device = atomic_load(&devices); device; device = device->next)
        device->forked = true;
    gn__plugins_each(mark_forked);
    /* The child's only thread holds the lock, but has another id than the one that took it. */
    lock = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
}

static void watch_forks(void) {
    /* Held across the fork, so that the child finds both lists whole. */
    pthread_atfork(gn__registry_lock, gn__registry_unlock, after_fork_in_child);
}

/* ---- Device strings */

/* "trace:check:cuda:1" is the layer trace in front of "check:cuda:1"; "cuda:1" is a device of the
 * backend cuda. */
typedef struct device_name {
    char plugin[64];   /* the first word: a layer, or a backend */
    const char *below; /* behind a layer; NULL: there is none */
    int ordinal;
} device_name;

static gn_status parse(const char *text, device_name *out, gn__reason *why) {
    const size_t length = strcspn(text, ":");
    const char *rest = text + length + (text[length] == ':');
    const size_t digits = strspn(rest, "0123456789");
    const bool more = text[length] == ':', number = digits > 0 && rest[digits] == '\0';
    if (strlen(text) >= sizeof((gn__device *)0)->name || !gn__plugin_name_fits(text, length) ||
        (more && *rest == '\0') || (number && digits > 4))
        return gn__reason_set(why, GN_E_ARGUMENT,
                              "it is no device string; those are like 'cpu', 'cuda:1', and with a "
                              "layer in front 'trace:cuda:1'");
    memcpy(out->plugin, text, length);
    out->plugin[length] = '\0';
    out->ordinal = number ? atoi(rest) : 0;
    out->below = more && !number ? rest : NULL;
    return out->below ? parse(rest, &(device_name){.ordinal = 0}, why) : GN_OK;
}

static void print(char text[64], const char *format, ...) GN_PRINTF(2, 3);
static void print(char text[64], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, 64, format, arguments);
    va_end(arguments);
}

/* The string that a device goes by: no number for 0, and no leading zeros. It is never longer than
 * the one that was given. */
static void canonical(char text[64], const device_name *name, const gn__device *below) {
    if (below)
        print(text, "%s:%s", name->plugin, below->name);
    else if (name->ordinal)
        print(text, "%s:%d", name->plugin, name->ordinal);
    else
        print(text, "%s", name->plugin);
}

static gn__device *find(const char *text) {
    gn__device *device = atomic_load_explicit(&devices, memory_order_acquire);
    while (device && (device->hidden || strcmp(device->name, text) != 0))
        device = device->next;
    return device;
}

gn__device *gn__device_of_handle(const gn_device *handle) {
    gn__device *device = atomic_load_explicit(&devices, memory_order_acquire);
    while (device && device->handle != handle)
        device = device->next;
    return device;
}

/* ---- Opening */

static gn__plugin *find_plugin(const device_name *name, gn__reason *why) {
    gn__plugin *plugin = gn__plugin_find(name->plugin, why);
    if (plugin && plugin->forked) {
        gn__reason_set(why, GN_E_FORKED,
                       "%s was used before fork(): this child process cannot use it; fork first, "
                       "or start the child with exec",
                       plugin->name);
        return NULL;
    }
    return plugin;
}

/* The backend of a device string, if it has that device. Under the lock. */
static gn__plugin *backend_of(const device_name *name, gn__reason *why) {
    gn__plugin *plugin = find_plugin(name, why);
    gn__reason inner;
    int32_t n_devices;
    if (plugin == NULL)
        return NULL;
    if (gn__plugin_count(plugin, &n_devices, &inner) != GN_OK) {
        gn__reason_set(why, inner.status, "its plugin %s can't be used: %s", plugin->path,
                       inner.text);
        return NULL;
    }
    if (name->ordinal >= n_devices) {
        if (n_devices == 1)
            gn__reason_set(why, GN_E_NOT_FOUND, "%s has one device, '%s'", plugin->name,
                           plugin->name);
        else
            gn__reason_set(why, GN_E_NOT_FOUND, "%s has %d devices, '%s' to '%s:%d'", plugin->name,
                           n_devices, plugin->name, plugin->name, n_devices - 1);
        return NULL;
    }
    return plugin;
}

/* The layer in front of a device string. Under the lock. */
static gn__plugin *layer_of(const device_name *name, gn__reason *why) {
    gn__plugin *plugin = find_plugin(name, why);
    if (plugin && plugin->table.layer_open == NULL) {
        gn__reason_set(why, GN_E_ARGUMENT,
                       "'%s' is no layer: only a layer can stand in front of another device",
                       name->plugin);
        return NULL;
    }
    return plugin;
}

static gn_status ask_info(gn__plugin *plugin, int ordinal, gn_device_info *out, gn__reason *why) {
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    gn__late_clear(gn__self());
    gn_status status = plugin->table.info(ordinal, out);
    if (status != GN_OK)
        return gn__reason_answer(why, status, "it can't be described");
    if (!gn__is_text(out->name, sizeof out->name) ||
        !gn__is_text(out->vendor, sizeof out->vendor) ||
        !gn__is_text(out->driver, sizeof out->driver))
        return gn__reason_set(why, GN_E_FORMAT,
                              "it can't be described: a name that its plugin gives is no text, or "
                              "does not end");
    return GN_OK;
}

/* What a device holds of its backend. May be called again. */
static void close_parts(gn__device *device) {
    gn__plans_free(device);
    gn__handles_free(device);
    gn__allocator_free(device->allocator);
    device->allocator = NULL;
    if (device->handle && !device->forked)
        device->table->close(device->handle);
    device->handle = NULL;
}

static void free_device(gn__device *device) {
    close_parts(device);
    if (!device->forked) { /* in a child they may be locked by threads that it does not have */
        pthread_mutex_destroy(&device->queue);
        pthread_mutex_destroy(&device->lock);
    }
    free(device);
}

/* A device that is not open yet. NULL: no memory. */
static gn__device *new_device(gn__plugin *plugin, gn__device *below) {
    gn__device *device = calloc(1, sizeof *device);
    if (device == NULL)
        return NULL;
    device->plugin = plugin;
    device->table = below ? &device->through : &plugin->table;
    device->below = below;
    device->bottom = below ? below->bottom : device;
    pthread_mutex_init(&device->queue, NULL);
    pthread_mutex_init(&device->lock, NULL);
    device->plans = gn__table_new();
    device->handles = gn__handles_new();
    device->allocator = gn__allocator_new(device);
    if (device->plans && device->handles && device->allocator)
        return device;
    free_device(device);
    return NULL;
}

/* Opens it; false with a reason. */
static bool open_handle(gn__device *device, gn__reason *why) {
    const gn_backend *table = &device->plugin->table;
    const gn__device *below = device->below;
    gn__late_clear(gn__self());
    gn_status status =
        below ? table->layer_open(below->table, below->handle, below->name, &device->handle)
              : table->open(device->ordinal, &device->handle);
    if (status == GN_OK && device->handle != NULL)
        return true;
    device->handle = NULL;
    gn__reason_answer(why, status != GN_OK ? status : GN_E_INTERNAL, "it can't be opened");
    return false;
}

static gn__device *open_device(const device_name *name, gn__device *below, bool hidden,
                               gn__reason *why) {
    gn_device_info info = {.name = "a layer"};
    gn__plugin *plugin = below ? layer_of(name, why) : backend_of(name, why);
    if (plugin == NULL || (!below && ask_info(plugin, name->ordinal, &info, why) != GN_OK))
        return NULL;
    gn__device *device = new_device(plugin, below);
    if (device == NULL) {
        gn__reason_set(why, GN_E_MEMORY, "no memory for a device");
        return NULL;
    }
    if (below)
        gn__table_through(&device->through, &plugin->table, below->table);
    device->ordinal = below ? below->ordinal : name->ordinal;
    device->flags = below ? below->flags : info.flags;
    device->dtypes = below ? below->dtypes : info.dtypes;
    device->hidden = hidden;
    canonical(device->name, name, below);
    if (!open_handle(device, why)) {
        free_device(device);
        return NULL;
    }
    plugin->opened = true;
    gn__log(GN_LOG_INFO, "opened %s: %s", device->name, info.name);
    device->next = atomic_load(&devices);
    atomic_store_explicit(&devices, device, memory_order_release);
    return device;
}

/* The device, or NULL with a reason. Under the lock. */
static gn__device *get_locked(const char *text, bool hidden, gn__reason *why) {
    device_name name;
    gn__device *device = NULL, *below = NULL;
    char own[64];
    if (parse(text, &name, why) != GN_OK)
        return NULL;
    if (name.below) {
        below = get_locked(name.below, hidden, why);
        if (below == NULL)
            return NULL;
    }
    canonical(own, &name, below);
    if (!hidden)
        device = find(own);
    if (device == NULL)
        device = open_device(&name, below, hidden, why);
    if (device == NULL && below && hidden)
        gn__device_close(below);
    return device;
}

static gn__device *get(const char *text, bool hidden, gn__reason *why) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
    gn__device *device = get_locked(text, hidden, why);
    pthread_mutex_unlock(&lock);
    return device;
}

/* ---- Devices for plugins */

gn__device *gn__device_open_hidden(const char *text, gn__reason *why) {
    return get(text, true, why);
}

/* The record stays in the list, which others may be reading. */
void gn__device_close(gn__device *device) {
    for (; device; device = device->below)
        close_parts(device);
}

/* ---- The default device */

static const char *environment_device(void) {
    const char *text = getenv("GENESIS_DEVICE");
    return text && *text ? text : NULL;
}

const char *gn_default_device(void) {
    const gn__device *device = atomic_load_explicit(&standard, memory_order_acquire);
    const char *text = device ? device->name : environment_device();
    return text ? text : "cpu";
}

static void fail(const gn__reason *why, const char *text) {
    gn_fail(why->status, "device", "'%s': %s", text, why->text);
}

static gn__device *open_standard(void) {
    gn__reason why;
    const char *text = gn_default_device();
    gn__device *device = get(text, false, &why), *none = NULL;
    if (device == NULL)
        fail(&why, text);
    else if (!atomic_compare_exchange_strong(&standard, &none, device))
        device = none; /* one set meanwhile by another thread wins */
    return device;
}

static gn__device *open_named(const char *text) {
    gn__reason why;
    gn__device *device = get(text, false, &why);
    if (device == NULL)
        fail(&why, text);
    return device;
}

gn__device *gn__device_get(const char *text) {
    gn__device *device = text ? find(text) : atomic_load_explicit(&standard, memory_order_acquire);
    if (device == NULL)
        device = text ? open_named(text) : open_standard();
    if (device && device->forked)
        device = (gn__forked(device, "device"), NULL);
    return device;
}

gn_status gn_set_default_device(const char *text) {
    if (gn__failed())
        return gn_error_status();
    if (text == NULL)
        return gn_fail(GN_E_ARGUMENT, "set_default_device", "no device is named");
    gn__device *device = gn__device_get(text);
    if (device == NULL)
        return gn_error_status();
    atomic_store_explicit(&standard, device, memory_order_release);
    return GN_OK;
}

/* ---- Questions about devices */

bool gn_device_available(const char *text) {
    gn__reason why;
    const gn__device *device = get(text ? text : gn_default_device(), false, &why);
    return device && !device->forked;
}

int gn_device_count(const char *backend) {
    gn__reason why;
    int32_t n = 0;
    if (backend == NULL || !gn__plugin_name_fits(backend, strlen(backend)))
        return 0;
    pthread_mutex_lock(&lock);
    gn__plugin *plugin = gn__plugin_find(backend, &why);
    if (plugin == NULL || gn__plugin_count(plugin, &n, &why) != GN_OK)
        n = 0;
    pthread_mutex_unlock(&lock);
    return n;
}

/* What is known of a device string: of a layer, what the device below says. Under the lock. */
static gn_status describe(const char *text, gn_device_info *out, gn__reason *why) {
    device_name name;
    if (parse(text, &name, why) != GN_OK)
        return why->status;
    if (name.below)
        return layer_of(&name, why) ? describe(name.below, out, why) : why->status;
    gn__plugin *plugin = backend_of(&name, why);
    return plugin ? ask_info(plugin, name.ordinal, out, why) : why->status;
}

gn_status gn_device_describe(const char *text, gn_device_info *out) {
    if (gn__failed())
        return gn_error_status();
    if (out == NULL)
        return gn_fail(GN_E_ARGUMENT, "device_describe", "no struct to fill");
    gn__reason why;
    if (text == NULL)
        text = gn_default_device();
    pthread_mutex_lock(&lock);
    gn_status status = describe(text, out, &why);
    pthread_mutex_unlock(&lock);
    if (status != GN_OK)
        fail(&why, text);
    return status == GN_OK ? GN_OK : gn_error_status();
}

gn_status gn_synchronize(const char *text) {
    if (gn__failed())
        return gn_error_status();
    gn__device *device = gn__device_get(text);
    return device ? gn__device_wait(device, "synchronize") : gn_error_status();
}

/* ---- The end */

void gn__runtime_shutdown(void) {
    pthread_mutex_lock(&lock);
    atomic_store(&standard, NULL);
    gn__device *device = atomic_exchange(&devices, NULL);
    while (device) {
        gn__device *next = device->next;
        if (!device->forked && device->handle && device->table->synchronise)
            device->table->synchronise(device->handle, NULL);
        free_device(device);
        device = next;
    }
    gn__plugins_shutdown();
    pthread_mutex_unlock(&lock);
    gn__split_shutdown();
    gn__fallback_shutdown();
}
