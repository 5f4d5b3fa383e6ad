/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/temp_dir.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { RING = 4 };

static char folder[PATH_MAX / 2];

/* Not by assertions: they work inside tests only. */
static void must(bool done, const char *path) {
    if (done)
        return;
    perror(path);
    exit(99); /* a hard error, for automake */
}

void temp_dir_make(void) {
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/genesis-XXXXXX", parent && *parent ? parent : "/tmp");
    must(mkdtemp(folder) != NULL, folder);
}

const char *temp_dir_path(const char *name) {
    static char ring[RING][PATH_MAX];
    static unsigned n;
    char *path = ring[n++ % RING];
    snprintf(path, PATH_MAX, "%s%s%s", folder, *name ? "/" : "", name);
    return path;
}

/* Calls visit, if it is not NULL, for each file; returns how many there are. */
static int each(void (*visit)(const char *path)) {
    int n = 0;
    DIR *dir = opendir(folder);
    must(dir != NULL, folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            n++;
            if (visit)
                visit(temp_dir_path(entry->d_name));
        }
    closedir(dir);
    return n;
}

static void remove_file(const char *path) { must(remove(path) == 0, path); }

void temp_dir_remove(void) {
    each(remove_file);
    must(rmdir(folder) == 0, folder);
}

int temp_dir_count(void) { return each(NULL); }

const char *temp_dir_write(const char *name, const void *bytes, size_t n) {
    const char *path = temp_dir_path(name);
    size_t length = strlen(name);
    bool compress = length > 3 && strcmp(name + length - 3, ".gz") == 0;
    remove(path); /* ext4 waits for the disk when a file is cut to nothing and written anew */
    gzFile file = gzopen(path, compress ? "wb" : "wbT"); /* T: as it is */
    must(file != NULL && gzfwrite(bytes, 1, n, file) == n && gzclose(file) == Z_OK, path);
    return path;
}
