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

/* The backend's name in a file name: "cpu" of "genesis_cpu.so". False if it is no plugin's. */
static bool name_of_file(const char *file, char *name, size_t bytes) {
    static const char prefix[] = "genesis_", suffix[] = ".so";
    size_t length = strlen(file), before = sizeof prefix - 1, after = sizeof suffix - 1;
    if (length <= before + after || strncmp(file, prefix, before) != 0 ||
        strcmp(file + length - after, suffix) != 0)
        return false;
    length -= before + after;
    if (length >= bytes || !gn__plugin_name_fits(file + before, length))
        return false;
    memcpy(name, file + before, length);
    name[length] = '\0';
    return true;
}

static void report_plugin(const char *folder, const char *file, const visitor *v) {
    gn_plugin_report report = {.path = ""};
    gn__reason why = {GN_OK, ""};
    name_of_file(file, report.name, sizeof report.name);
    if ((size_t)snprintf(report.path, sizeof report.path, "%s/%s", folder, file) >=
        sizeof report.path)
        return;
    gn__registry_lock();
    gn__plugin *plugin = gn__plugin_load(report.path, report.name, &why);
    if (plugin) {
        report.abi_major = plugin->table.abi_major;
        report.abi_minor = plugin->table.abi_minor;
        snprintf(report.version, sizeof report.version, "%s",
                 plugin->table.version ? plugin->table.version : "");
        report.layer = plugin->table.layer_open != NULL;
        if (!report.layer)
            gn__plugin_count(plugin, &report.n_devices, &why);
        if (strcmp(plugin->path, report.path) != 0)
            gn__reason_set(&why, GN_E_STATE, "not used: %s comes first", plugin->path);
    }
    gn__registry_unlock();
    snprintf(report.reason, sizeof report.reason, "%.*s", (int)sizeof report.reason - 1, why.text);
    v->visit(&report, v->context);
}

static int is_plugin(const struct dirent *entry) {
    char name[sizeof((gn_plugin_report *)0)->name];
    return name_of_file(entry->d_name, name, sizeof name);
}

/* By bytes, so that the order does not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool report_folder(const char *folder, void *context) {
    visitor *v = context;
    struct dirent **files;
    if (seen_before(v, folder))
        return true;
    int n = scandir(folder, &files, is_plugin, by_name);
    if (n < 0) {
        gn_plugin_report report = {.path = ""};
        snprintf(report.path, sizeof report.path, "%s", folder);
        snprintf(report.reason, sizeof report.reason, "the folder can't be read: %s",
                 strerror(errno));
        v->visit(&report, v->context);
        return true;
    }
    for (int i = 0; i < n; i++) {
        report_plugin(folder, files[i]->d_name, v);
        free(files[i]);
    }
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
