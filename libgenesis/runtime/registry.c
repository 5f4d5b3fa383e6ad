/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - devices by their strings: parsed, opened once, found again without a lock; the
 * default device; what becomes of devices in a forked child.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP */
#endif
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

typedef struct device_name {
    char backend[64];
    int ordinal;
    char text[64]; /* canonical: ordinal 0 has no number */
} device_name;

static gn_status parse(const char *text, device_name *out, gn__reason *why) {
    size_t length = strcspn(text, ":");
    const char *number = text + length + (text[length] == ':');
    size_t digits = strspn(number, "0123456789");
    if (text[length] == ':' && *number != '\0' && digits == 0 && gn__plugin_name_fits(text, length))
        return gn__reason_set(why, GN_E_UNSUPPORTED,
                              "layers, such as '%.*s:' before a device, are not supported",
                              (int)length, text);
    if (!gn__plugin_name_fits(text, length) || number[digits] != '\0' || digits > 4 ||
        (text[length] == ':' && digits == 0))
        return gn__reason_set(why, GN_E_ARGUMENT,
                              "it is no device string; those are like 'cpu', 'cuda' and 'cuda:1'");
    memcpy(out->backend, text, length);
    out->backend[length] = '\0';
    out->ordinal = digits ? atoi(number) : 0;
    if (out->ordinal)
        snprintf(out->text, sizeof out->text, "%.*s:%d", (int)length, text, out->ordinal);
    else
        memcpy(out->text, out->backend, sizeof out->text);
    return GN_OK;
}

static gn__device *find(const char *text) {
    gn__device *device = atomic_load_explicit(&devices, memory_order_acquire);
    while (device && strcmp(device->name, text) != 0)
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

/* The plugin of a device string, if it has that device. Under the lock. */
static gn__plugin *plugin_of(const device_name *name, gn__reason *why) {
    gn__plugin *plugin = gn__plugin_find(name->backend, why);
    int32_t n_devices;
    if (plugin == NULL)
        return NULL;
    if (plugin->forked) {
        gn__reason_set(why, GN_E_FORKED,
                       "%s was used before fork(): this child process cannot use it; fork first, "
                       "or start the child with exec",
                       plugin->name);
        return NULL;
    }
    gn__reason inner;
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

static void free_device(gn__device *device) {
    if (device == NULL)
        return;
    gn__plans_free(device);
    gn__handles_free(device);
    gn__allocator_free(device->allocator);
    if (device->handle && !device->forked)
        device->table->close(device->handle);
    if (!device->forked) { /* in a child they may be locked by threads that it does not have */
        pthread_mutex_destroy(&device->queue);
        pthread_mutex_destroy(&device->lock);
    }
    free(device);
}

static gn__device *open_device(gn__plugin *plugin, const device_name *name, gn__reason *why) {
    gn_device_info info;
    if (ask_info(plugin, name->ordinal, &info, why) != GN_OK)
        return NULL;
    gn__device *device = calloc(1, sizeof *device);
    if (device == NULL)
        goto no_memory;
    device->table = &plugin->table;
    device->plugin = plugin;
    device->ordinal = name->ordinal;
    device->flags = info.flags;
    device->dtypes = info.dtypes;
    memcpy(device->name, name->text, sizeof device->name);
    pthread_mutex_init(&device->queue, NULL);
    pthread_mutex_init(&device->lock, NULL);
    device->plans = gn__table_new();
    device->handles = gn__handles_new();
    device->allocator = gn__allocator_new(device);
    if (!device->plans || !device->handles || !device->allocator)
        goto no_memory;
    gn__late_clear(gn__self());
    gn_status status = plugin->table.open(name->ordinal, &device->handle);
    if (status != GN_OK || device->handle == NULL) {
        device->handle = NULL;
        gn__reason_answer(why, status != GN_OK ? status : GN_E_INTERNAL, "it can't be opened");
        free_device(device);
        return NULL;
    }
    plugin->opened = true;
    gn__log(GN_LOG_INFO, "opened %s: %s", device->name, info.name);
    return device;
no_memory:
    free_device(device);
    gn__reason_set(why, GN_E_MEMORY, "no memory for a device");
    return NULL;
}

/* The device, or NULL with a reason. */
static gn__device *get(const char *text, gn__reason *why) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    device_name name;
    if (parse(text, &name, why) != GN_OK)
        return NULL;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
    gn__device *device = find(name.text);
    gn__plugin *plugin = device ? NULL : plugin_of(&name, why);
    if (plugin) {
        device = open_device(plugin, &name, why);
        if (device) {
            device->next = atomic_load(&devices);
            atomic_store_explicit(&devices, device, memory_order_release);
        }
    }
    pthread_mutex_unlock(&lock);
    return device;
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
    gn__device *device = get(text, &why), *none = NULL;
    if (device == NULL)
        fail(&why, text);
    else if (!atomic_compare_exchange_strong(&standard, &none, device))
        device = none; /* one set meanwhile by another thread wins */
    return device;
}

static gn__device *open_named(const char *text) {
    gn__reason why;
    gn__device *device = get(text, &why);
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
    const gn__device *device = get(text ? text : gn_default_device(), &why);
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

gn_status gn_device_describe(const char *text, gn_device_info *out) {
    if (gn__failed())
        return gn_error_status();
    if (out == NULL)
        return gn_fail(GN_E_ARGUMENT, "device_describe", "no struct to fill");
    device_name name;
    gn__reason why = {GN_OK, ""};
    if (text == NULL)
        text = gn_default_device();
    if (parse(text, &name, &why) == GN_OK) {
        pthread_mutex_lock(&lock);
        gn__plugin *plugin = plugin_of(&name, &why);
        if (plugin)
            ask_info(plugin, name.ordinal, out, &why);
        pthread_mutex_unlock(&lock);
    }
    if (why.status != GN_OK)
        fail(&why, text);
    return why.status == GN_OK ? GN_OK : gn_error_status();
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
        if (!device->forked && device->table->synchronise)
            device->table->synchronise(device->handle, NULL);
        free_device(device);
        device = next;
    }
    gn__plugins_shutdown();
    pthread_mutex_unlock(&lock);
    gn__split_shutdown();
    gn__fallback_shutdown();
}
