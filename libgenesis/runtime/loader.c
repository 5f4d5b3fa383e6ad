/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.c - plugins: from a name to a checked table of functions, or the reason why not.
 *
 * A shared object is never closed: libraries below a plugin (drivers, OpenMP) seldom survive it.
 * Everything here runs under the registry's lock.
 */
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define ABI_SPOKEN                                                                                 \
    TEXT(GN_ABI_MAJOR) "." TEXT(GN_ABI_MINOR_MIN) " to " TEXT(GN_ABI_MAJOR) "." TEXT(GN_ABI_MINOR)

enum {
    MAX_DEVICES = 10000, /* as many as device strings can name */
    MAX_VERSION = 64
};

static gn__plugin *plugins; /* those that can be used */

/* ---- The table of functions */

typedef struct slot {
    const char *name;
    size_t offset;
} slot;

#define SLOT(member)                                                                               \
    { #member, offsetof(gn_backend, member) }

static const slot required[] = {SLOT(close),    SLOT(alloc), SLOT(free),   SLOT(upload),
                                SLOT(download), SLOT(map),   SLOT(reduce), SLOT(scatter)};

/* What a layer has layer_open for. */
static const slot required_of_backends[] = {SLOT(count), SLOT(info), SLOT(open)};

/* An optional function that is of no use without another one. */
static const struct {
    slot has, needs;
} pairs[] = {
    {SLOT(program_create), SLOT(program_release)},
    {SLOT(stream_create), SLOT(stream_destroy)},
    {SLOT(stream_create), SLOT(synchronise)},
    {SLOT(event_create), SLOT(event_destroy)},
    {SLOT(event_create), SLOT(event_record)},
    {SLOT(plan), SLOT(plan_release)},
    {SLOT(plan), SLOT(run)},
};

#undef SLOT

static bool is_empty(const gn_backend *table, const slot *s) {
    void (*function)(void);
    memcpy(&function, (const char *)table + s->offset, sizeof function);
    return function == NULL;
}

static gn_status check_required(const gn_backend *table, const slot *slots, size_t n,
                                gn__reason *why) {
    for (size_t i = 0; i < n; i++)
        if (is_empty(table, &slots[i]))
            return gn__reason_set(why, GN_E_FORMAT, "its table lacks the required function '%s'",
                                  slots[i].name);
    return GN_OK;
}

/* The table that an entry gave, of which no more than its size may be read. */
static gn_status check_size(const gn_backend *table, gn__reason *why) {
    enum { LEAST = offsetof(gn_backend, program_create), MOST = 1 << 16 };
    if (table == NULL)
        return gn__reason_set(why, GN_E_FORMAT, "its entry gave no table");
    if (table->struct_size < LEAST || table->struct_size > MOST ||
        table->struct_size % sizeof(void *) != 0)
        return gn__reason_set(why, GN_E_FORMAT,
                              "its table says that it has %zu bytes; a table of functions has %d "
                              "or somewhat more",
                              table->struct_size, LEAST);
    return GN_OK;
}

static gn_status check_table(const gn_backend *table, const char *name, gn__reason *why) {
    const uint32_t major = table->abi_major, minor = table->abi_minor;
    if (major != GN_ABI_MAJOR || minor < GN_ABI_MINOR_MIN)
        return gn__reason_set(why, GN_E_VERSION,
                              "it was built for ABI %u.%u, and this library speaks %s", major,
                              minor, ABI_SPOKEN);
    gn_status status = check_required(table, required, GN_LENGTH(required), why);
    if (status == GN_OK && table->layer_open == NULL)
        status = check_required(table, required_of_backends, GN_LENGTH(required_of_backends), why);
    if (status != GN_OK)
        return status;
    for (size_t i = 0; i < GN_LENGTH(pairs); i++)
        if (!is_empty(table, &pairs[i].has) && is_empty(table, &pairs[i].needs))
            return gn__reason_set(why, GN_E_FORMAT, "its table has '%s', but not '%s'",
                                  pairs[i].has.name, pairs[i].needs.name);
    const char *own = table->name ? table->name : "";
    if (strcmp(own, name) != 0)
        return gn__reason_set(why, GN_E_FORMAT, "it calls itself '%s', but its file says '%s'",
                              gn__is_text(own, sizeof((gn__plugin *)0)->name) ? own : "(no text)",
                              name);
    if (table->version && !gn__is_text(table->version, MAX_VERSION))
        return gn__reason_set(why, GN_E_FORMAT, "its version is no text of at most %d bytes",
                              MAX_VERSION - 1);
    return GN_OK;
}

/* ---- Loading a file */

/* Asks the entry for its table and copies what both sides know. */
static gn_status negotiate(void *object, const char *name, gn_backend *copy, gn__reason *why) {
    void *symbol = dlsym(object, "gn_backend_entry");
    gn_backend_entry_fn *entry;
    if (symbol == NULL)
        return gn__reason_set(why, GN_E_FORMAT, "it does not export gn_backend_entry");
    memcpy(&entry, &symbol, sizeof entry); /* ISO C knows no cast from object to function pointer */
    gn_abi_request request = {
        .struct_size = sizeof request,
        .major = GN_ABI_MAJOR,
        .minor_min = GN_ABI_MINOR_MIN,
        .minor_max = GN_ABI_MINOR,
    };
    const gn_backend *table = NULL;
    gn__late_clear(gn__self());
    gn_status status = entry(&gn__host, &request, &table);
    if (status == GN_E_VERSION)
        return gn__reason_set(why, status, "it needs ABI %u.%u, and this library speaks %s",
                              request.needed_major, request.needed_minor, ABI_SPOKEN);
    if (status != GN_OK)
        return gn__reason_answer(why, status, "its entry failed");
    if (check_size(table, why) != GN_OK)
        return why->status;
    memset(copy, 0, sizeof *copy);
    memcpy(copy, table, table->struct_size < sizeof *copy ? table->struct_size : sizeof *copy);
    return check_table(copy, name, why);
}

/* A plugin that is in use already: the same file, or another one of its name. */
static gn__plugin *find_loaded(const char *name, const struct stat *file) {
    for (gn__plugin *p = plugins; p; p = p->next)
        if ((file && p->file_device == file->st_dev && p->file_inode == file->st_ino) ||
            strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

gn__plugin *gn__plugin_load(const char *path, const char *name, gn__reason *why) {
    struct stat file;
    gn_backend table;
    if (stat(path, &file) != 0) {
        gn__reason_set(why, GN_E_NOT_FOUND, "%s: %s", path, strerror(errno));
        return NULL;
    }
    gn__plugin *plugin = find_loaded(name, &file);
    if (plugin)
        return plugin;
    if (gn__elf_is_cut_off(path, (uint64_t)file.st_size)) {
        gn__reason_set(why, GN_E_FORMAT, "it is damaged: its end is missing");
        return NULL;
    }
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (object == NULL) {
        const char *text = dlerror();
        gn__reason_set(why, GN_E_FORMAT, "it can't be loaded: %s", text ? text : path);
        return NULL;
    }
    if (negotiate(object, name, &table, why) != GN_OK)
        return NULL;
    plugin = calloc(1, sizeof *plugin);
    char *copy = strdup(path);
    if (plugin == NULL || copy == NULL) {
        free(plugin);
        free(copy);
        gn__reason_set(why, GN_E_MEMORY, "no memory for a plugin");
        return NULL;
    }
    plugin->table = table;
    plugin->path = copy;
    snprintf(plugin->name, sizeof plugin->name, "%s", name);
    plugin->file_device = file.st_dev;
    plugin->file_inode = file.st_ino;
    plugin->n_devices = -1;
    plugin->next = plugins;
    plugins = plugin;
    gn__log(GN_LOG_INFO, "loaded %s, version %s", path, table.version ? table.version : "?");
    return plugin;
}

void gn__table_through(gn_backend *out, const gn_backend *layer, const gn_backend *below) {
    *out = *layer;
    out->count = below->count;
    out->info = below->info;
    out->open = below->open;
    for (size_t at = offsetof(gn_backend, program_create); at < sizeof *out; at += sizeof(void *))
        if (is_empty(below, &(slot){.offset = at}))
            memset((char *)out + at, 0, sizeof(void *));
    out->shutdown = NULL; /* called once per plugin */
    out->layer_open = NULL;
}

/* ---- Finding a plugin by name */

bool gn__plugin_name_fits(const char *name, size_t length) {
    if (length == 0 || length >= sizeof((gn__plugin *)0)->name - 8 ||
        isdigit((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isascii((unsigned char)name[i]) ||
            (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-'))
            return false;
    return true;
}

typedef struct hunt {
    const char *name;
    char path[4096]; /* of the plugin; "" until it is found */
    char folders[600];
    size_t used;
} hunt;

static bool look_in(const char *folder, void *context) {
    hunt *h = context;
    int length = snprintf(h->path, sizeof h->path, "%s/genesis_%s.so", folder, h->name);
    struct stat file;
    if (length > 0 && (size_t)length < sizeof h->path && stat(h->path, &file) == 0)
        return false;
    h->path[0] = '\0';
    const char *trouble = "";
    DIR *readable = opendir(folder);
    if (readable)
        closedir(readable);
    else
        trouble = strerror(errno);
    if (h->used < sizeof h->folders)
        h->used +=
            (size_t)snprintf(h->folders + h->used, sizeof h->folders - h->used,
                             *trouble ? "%s%s (%s)" : "%s%s", h->used ? ", " : "", folder, trouble);
    return true;
}

bool gn__plugin_path(const char *name, char *path, size_t bytes) {
    hunt h = {.name = name};
    gn__search_path(look_in, &h);
    return h.path[0] && (size_t)snprintf(path, bytes, "%s", h.path) < bytes;
}

gn__plugin *gn__plugin_find(const char *name, gn__reason *why) {
    gn__plugin *plugin = find_loaded(name, NULL);
    if (plugin)
        return plugin;
    hunt h = {.name = name};
    gn__search_path(look_in, &h);
    if (h.path[0] == '\0') {
        gn__reason_set(why, GN_E_NOT_FOUND,
                       "there is no plugin genesis_%s.so in %s; GENESIS_PLUGIN_PATH names more "
                       "folders, and the command `genesis devices` lists what is there",
                       name, h.folders);
        return NULL;
    }
    gn__reason inner;
    plugin = gn__plugin_load(h.path, name, &inner);
    if (plugin == NULL)
        gn__reason_set(why, inner.status, "its plugin %s can't be used: %s", h.path, inner.text);
    return plugin;
}

gn_status gn__plugin_count(gn__plugin *plugin, int32_t *n_devices, gn__reason *why) {
    int32_t n = plugin->n_devices;
    if (plugin->table.layer_open)
        return gn__reason_set(why, GN_E_ARGUMENT,
                              "it is a layer, which stands in front of a device, as in '%s:cpu'",
                              plugin->name);
    if (n <= 0) { /* a driver may have been started since it had none */
        n = 0;
        gn__late_clear(gn__self());
        gn_status status = plugin->table.count(&n);
        if (status != GN_OK)
            return gn__reason_answer(why, status, "its devices can't be counted");
        if (n < 0 || n > MAX_DEVICES)
            return gn__reason_set(why, GN_E_FORMAT, "it counts %d devices: 0 to %d can be", (int)n,
                                  MAX_DEVICES);
        if (n == 0)
            return gn__reason_set(why, GN_E_NOT_FOUND, "it finds no device%s%s",
                                  gn__self()->late[0] ? ": " : "", gn__self()->late);
        plugin->n_devices = n;
    }
    *n_devices = n;
    return GN_OK;
}

void gn__plugins_each(void (*visit)(gn__plugin *plugin)) {
    for (gn__plugin *plugin = plugins; plugin; plugin = plugin->next)
        visit(plugin);
}

void gn__plugins_shutdown(void) {
    while (plugins) {
        gn__plugin *plugin = plugins;
        plugins = plugin->next;
        if (plugin->table.shutdown && !plugin->forked)
            plugin->table.shutdown();
        free(plugin->path);
        free(plugin);
    }
}
