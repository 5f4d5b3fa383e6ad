/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search.c - the folders in which plugins are looked for, and a look at all that lie there.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* secure_getenv */
#endif
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

#ifndef GN_PLUGIN_DIR
#define GN_PLUGIN_DIR "/usr/local/lib/genesis"
#endif

void gn__search_path(bool (*visit)(const char *folder, void *context), void *context) {
    const char *path = secure_getenv("GENESIS_PLUGIN_PATH"); /* NULL in setuid programs */
    while (path && *path) {
        size_t length = strcspn(path, ":");
        char folder[sizeof((gn_plugin_report *)0)->path];
        if (length > 0 && length < sizeof folder) {
            memcpy(folder, path, length);
            folder[length] = '\0';
            if (!visit(folder, context))
                return;
        }
        path += length + (path[length] == ':');
    }
    visit(GN_PLUGIN_DIR, context);
}

/* ---- Reports on plugins */

enum { MAX_FOLDERS = 64 }; /* that are told apart */

typedef struct visitor {
    void (*visit)(const gn_plugin_report *report, void *context);
    void *context;
    struct stat seen[MAX_FOLDERS];
    int n_seen;
} visitor;

/* Whether the path had the folder before, be it under another name. */
static bool seen_before(visitor *v, const char *folder) {
    struct stat here;
    if (stat(folder, &here) != 0)
        return false;
    for (int i = 0; i < v->n_seen; i++)
        if (v->seen[i].st_dev == here.st_dev && v->seen[i].st_ino == here.st_ino)
            return true;
    if (v->n_seen < MAX_FOLDERS)
        v->seen[v->n_seen++] = here;
    return false;
}

enum { NAME_BYTES = sizeof((gn_plugin_report *)0)->name };

/* The backend's name in a file name: "cpu" of "genesis_cpu.so". False if it is no plugin's. */
static bool name_of_file(const char *file, char name[NAME_BYTES]) {
    static const char prefix[] = "genesis_", suffix[] = ".so";
    size_t length = strlen(file), before = sizeof prefix - 1, after = sizeof suffix - 1;
    if (length <= before + after || strncmp(file, prefix, before) != 0 ||
        strcmp(file + length - after, suffix) != 0)
        return false;
    length -= before + after;
    if (length >= NAME_BYTES || !gn__plugin_name_fits(file + before, length))
        return false;
    memcpy(name, file + before, length);
    name[length] = '\0';
    return true;
}

/* Not loaded: a plugin may do anything then. */
static void report_plugin(const char *folder, const char *file, const char *name,
                          const visitor *v) {
    gn_plugin_report report = {.path = ""};
    char first[sizeof report.path];
    snprintf(report.name, sizeof report.name, "%s", name);
    if ((size_t)snprintf(report.path, sizeof report.path, "%s/%s", folder, file) >=
        sizeof report.path)
        return;
    if (gn__plugin_path(name, first, sizeof first) && strcmp(first, report.path) != 0)
        snprintf(report.reason, sizeof report.reason, "not used: %.*s comes first",
                 (int)sizeof report.reason - 32, first);
    gn__text_clean(report.reason);
    v->visit(&report, v->context);
}

static void report_others(const char *folder, int n, const char *first, const visitor *v) {
    gn_plugin_report report = {.path = ""};
    snprintf(report.path, sizeof report.path, "%s", folder);
    if (n == 1)
        snprintf(report.reason, sizeof report.reason, "another file, %.255s", first);
    else
        snprintf(report.reason, sizeof report.reason, "%d other files, such as %.255s", n, first);
    const size_t used = strlen(report.reason);
    snprintf(report.reason + used, sizeof report.reason - used,
             ": a plugin is named genesis_NAME.so");
    gn__text_clean(report.reason);
    v->visit(&report, v->context);
}

static int is_entry(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* By bytes, so that the order does not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool report_folder(const char *folder, void *context) {
    visitor *v = context;
    struct dirent **files;
    const char *first = NULL;
    int n_others = 0;
    if (seen_before(v, folder))
        return true;
    int n = scandir(folder, &files, is_entry, by_name);
    if (n < 0) {
        gn_plugin_report report = {.path = ""};
        snprintf(report.path, sizeof report.path, "%s", folder);
        snprintf(report.reason, sizeof report.reason, "the folder can't be read: %s",
                 strerror(errno));
        v->visit(&report, v->context);
        return true;
    }
    for (int i = 0; i < n; i++) {
        const char *file = files[i]->d_name;
        char name[NAME_BYTES];
        if (name_of_file(file, name))
            report_plugin(folder, file, name, v);
        else if (n_others++ == 0)
            first = file;
    }
    if (n_others > 0)
        report_others(folder, n_others, first, v);
    for (int i = 0; i < n; i++)
        free(files[i]);
    free(files);
    return true;
}

gn_status gn_plugins_visit(void (*visit)(const gn_plugin_report *report, void *context),
                           void *context) {
    if (gn__failed())
        return gn_error_status();
    if (visit == NULL)
        return gn_fail(GN_E_ARGUMENT, "plugins_visit", "no function to call");
    visitor v = {.visit = visit, .context = context};
    gn__search_path(report_folder, &v);
    return GN_OK;
}

gn_status gn_plugin_probe(const char *path, gn_plugin_report *out) {
    if (gn__failed())
        return gn_error_status();
    if (path == NULL || out == NULL)
        return gn_fail(GN_E_ARGUMENT, "plugin_probe", "no path, or no struct to fill");
    const char *slash = strrchr(path, '/');
    gn__reason why = {GN_OK, ""};
    *out = (gn_plugin_report){.path = ""};
    if ((size_t)snprintf(out->path, sizeof out->path, "%s", path) >= sizeof out->path ||
        !name_of_file(slash ? slash + 1 : path, out->name))
        return gn_fail(GN_E_ARGUMENT, "plugin_probe", "%s: a plugin is named genesis_NAME.so",
                       path);
    gn__registry_lock();
    gn__plugin *plugin = gn__plugin_load(path, out->name, &why);
    if (plugin) {
        out->abi_major = plugin->table.abi_major;
        out->abi_minor = plugin->table.abi_minor;
        snprintf(out->version, sizeof out->version, "%s",
                 plugin->table.version ? plugin->table.version : "");
        out->layer = plugin->table.layer_open != NULL;
        if (!out->layer)
            gn__plugin_count(plugin, &out->n_devices, &why);
        if (strcmp(plugin->path, path) != 0)
            gn__reason_set(&why, GN_E_STATE, "not used: %s comes first", plugin->path);
    }
    gn__registry_unlock();
    snprintf(out->reason, sizeof out->reason, "%.*s", (int)sizeof out->reason - 1, why.text);
    gn__text_clean(out->reason);
    return GN_OK;
}
