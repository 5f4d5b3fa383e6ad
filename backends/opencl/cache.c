/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache.c - compiled programs on disk, a file for each.
 *
 * The folder is $GENESIS_CACHE_DIR/opencl, else $XDG_CACHE_HOME/genesis/opencl, else
 * ~/.cache/genesis/opencl; an empty GENESIS_CACHE_DIR, or a folder that can't be written, means no
 * cache. A file begins with a header by which damage shows, and a file that is not sound is as good
 * as none: it is compiled and written again. Files appear under their name by a rename, whole, so
 * that processes may read and write at once. When they grow beyond a bound, those that were not
 * used for the longest time go.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mkostemp */
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "opencl.h"

enum { PATH_BYTES = 448, KEPT_BYTES = 256 << 20 };

/* ---- Hashes */

static void mix(ocl_key *key, uint64_t word) {
    static const uint64_t factors[2] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xd6e8feb86659fd93)};
    for (int i = 0; i < 2; i++) {
        const uint64_t product = (key->half[i] ^ word ^ factors[1 - i]) * factors[i];
        key->half[i] = product ^ product >> 29;
    }
}

/* The length goes in, too, so that it matters where one text ends and the next begins. */
void ocl_hash(ocl_key *key, const void *bytes, size_t n) {
    const char *at = bytes;
    uint64_t word;
    for (size_t left = n; left > 0;) {
        const size_t part = left < sizeof word ? left : sizeof word;
        word = 0;
        memcpy(&word, at, part);
        mix(key, word);
        at += part;
        left -= part;
    }
    mix(key, n);
}

void ocl_hash_text(ocl_key *key, const char *text) { ocl_hash(key, text, strlen(text)); }

/* ---- The folder */

/* The folder that others are in; false: there is none. */
static bool base_folder(char path[PATH_BYTES]) {
    const char *own = getenv("GENESIS_CACHE_DIR"), *cache = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    int length = 0;
    if (own)
        length = snprintf(path, PATH_BYTES, "%s", own);
    else if (cache && *cache == '/')
        length = snprintf(path, PATH_BYTES, "%s/genesis", cache);
    else if (home && *home == '/')
        length = snprintf(path, PATH_BYTES, "%s/.cache/genesis", home);
    return length > 0 && length < PATH_BYTES - 16;
}

/* mkdir -p */
static bool make_folders(char *path) {
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    return (mkdir(path, 0700) == 0 || errno == EEXIST) && access(path, R_OK | W_OK | X_OK) == 0;
}

static char folder[PATH_BYTES]; /* "": none */

static void find_folder(void) {
    char path[PATH_BYTES];
    if (!base_folder(path))
        return;
    strcat(path, "/opencl");
    if (make_folders(path))
        memcpy(folder, path, sizeof folder);
}

const char *ocl_cache_folder(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_folder);
    return folder[0] ? folder : NULL;
}

/* ---- Files */

typedef struct header {
    char magic[8];
    ocl_key key;
    uint64_t bytes; /* that follow */
    ocl_key sum;    /* of them */
} header;

static const char magic[8] = "GNOCL\r\n";

static void file_path(char path[PATH_BYTES + 64], const ocl_key *key) {
    snprintf(path, PATH_BYTES + 64, "%s/%016llx%016llx.bin", folder,
             (unsigned long long)key->half[0], (unsigned long long)key->half[1]);
}

static bool same(const ocl_key *a, const ocl_key *b) {
    return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

/* The bytes behind the header, if all is as it was written. */
static void *read_sound(FILE *file, const ocl_key *key, size_t *n) {
    header h;
    struct stat status;
    ocl_key sum = {0};
    if (fread(&h, sizeof h, 1, file) != 1 || memcmp(h.magic, magic, sizeof magic) != 0 ||
        !same(&h.key, key) || fstat(fileno(file), &status) != 0 || h.bytes == 0 ||
        h.bytes > KEPT_BYTES || (uint64_t)status.st_size != sizeof h + h.bytes)
        return NULL;
    void *bytes = malloc(h.bytes);
    if (bytes && fread(bytes, h.bytes, 1, file) == 1) {
        ocl_hash(&sum, bytes, h.bytes);
        if (same(&sum, &h.sum)) {
            *n = h.bytes;
            return bytes;
        }
    }
    free(bytes);
    return NULL;
}

void *ocl_cache_load(const ocl_key *key, size_t *n) {
    char path[PATH_BYTES + 64];
    if (ocl_cache_folder() == NULL)
        return NULL;
    file_path(path, key);
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return NULL;
    void *bytes = read_sound(file, key, n);
    if (bytes)
        futimens(fileno(file), NULL); /* used now: see make_room */
    fclose(file);
    return bytes;
}

/* ---- The bound */

typedef struct listed {
    char name[64];
    uint64_t bytes;
    struct timespec used;
} listed;

static int older_first(const void *a, const void *b) {
    const struct timespec *x = &((const listed *)a)->used, *y = &((const listed *)b)->used;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* The files of the folder; *bytes: of all. NULL: none, or no memory. To be freed with free(). */
static listed *list_files(DIR *opened, size_t *n, uint64_t *bytes) {
    listed *files = NULL;
    size_t room = 0;
    struct dirent *entry;
    struct stat status;
    *n = 0;
    *bytes = 0;
    while ((entry = readdir(opened)) != NULL) {
        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof files->name ||
            fstatat(dirfd(opened), entry->d_name, &status, 0) != 0 || !S_ISREG(status.st_mode))
            continue;
        if (*n == room) {
            room = room ? room * 2 : 64;
            listed *larger = realloc(files, room * sizeof *files);
            if (larger == NULL)
                break;
            files = larger;
        }
        listed *file = &files[(*n)++];
        memcpy(file->name, entry->d_name, strlen(entry->d_name) + 1);
        file->bytes = (uint64_t)status.st_size;
        file->used = status.st_mtim;
        *bytes += file->bytes;
    }
    return files;
}

/* Removes files that were not used for the longest time, until a quarter of the bound is free.
 * Returns what is left. */
static uint64_t make_room(void) {
    size_t n;
    uint64_t bytes;
    DIR *opened = opendir(folder);
    if (opened == NULL)
        return 0;
    listed *files = list_files(opened, &n, &bytes);
    if (files && bytes > KEPT_BYTES) {
        qsort(files, n, sizeof *files, older_first);
        for (size_t i = 0; i < n && bytes > KEPT_BYTES / 4 * 3; i++)
            if (unlinkat(dirfd(opened), files[i].name, 0) == 0)
                bytes -= files[i].bytes;
    }
    free(files);
    closedir(opened);
    return bytes;
}

/* Counts what this process adds to what it found; others are counted when it looks again. */
static void keep_bound(uint64_t added) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool looked;
    static uint64_t bytes;
    pthread_mutex_lock(&lock);
    bytes += added;
    if (!looked || bytes > KEPT_BYTES)
        bytes = make_room();
    looked = true;
    pthread_mutex_unlock(&lock);
}

/* ---- Writing */

static bool write_whole(int descriptor, const header *h, const void *bytes) {
    FILE *file = fdopen(descriptor, "wb");
    if (file == NULL) {
        close(descriptor);
        return false;
    }
    const bool written =
        fwrite(h, sizeof *h, 1, file) == 1 && fwrite(bytes, h->bytes, 1, file) == 1;
    return fclose(file) == 0 && written;
}

void ocl_cache_store(const ocl_key *key, const void *bytes, size_t n) {
    char path[PATH_BYTES + 64], temporary[PATH_BYTES + 64];
    header h = {.key = *key, .bytes = n};
    if (ocl_cache_folder() == NULL)
        return;
    memcpy(h.magic, magic, sizeof magic);
    ocl_hash(&h.sum, bytes, n);
    file_path(path, key);
    snprintf(temporary, sizeof temporary, "%s/new-XXXXXX", folder);
    const int descriptor = mkostemp(temporary, O_CLOEXEC);
    if (descriptor < 0)
        return;
    if (!write_whole(descriptor, &h, bytes) || rename(temporary, path) != 0)
        unlink(temporary);
    keep_bound(sizeof h + n);
}
