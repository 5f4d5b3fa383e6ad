/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomic.c - files that appear whole or not at all: written beside their place, synced, renamed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

enum { TRIES = 1000 };

static gn_status fail(const gn__atomic *file, const char *what, int cause) {
    return gn_fail(cause == ENOENT ? GN_E_NOT_FOUND : GN_E_IO, file->op, "%s: %s: %s", file->path,
                   what, strerror(cause));
}

/* Creates the temporary file. Not mkstemp, whose files nobody else may read. */
static gn_status create(gn__atomic *file) {
    static atomic_uint count;
    size_t room = strlen(file->path) + 48;
    file->temporary = gn__alloc(room);
    if (file->temporary == NULL)
        return gn_error_status();
    for (int i = 0; i < TRIES; i++) {
        snprintf(file->temporary, room, "%s.%ld-%u.part", file->path, (long)getpid(),
                 atomic_fetch_add(&count, 1));
        file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd >= 0 || errno != EEXIST)
            break;
    }
    if (file->fd >= 0)
        return GN_OK;
    int cause = errno;
    free(file->temporary);
    file->temporary = NULL; /* it is not ours to remove */
    return fail(file, "a file beside it can't be created", cause);
}

gn_status gn__atomic_begin(gn__atomic *file, const char *op, const char *path) {
    *file = (gn__atomic){.op = op, .fd = -1};
    struct stat info;
    char *target = realpath(path, NULL);
    file->path = target ? target : gn__strdup(path);
    if (file->path == NULL)
        return gn_error_status();
    if (target && stat(target, &info) == 0) {
        if (!S_ISREG(info.st_mode))
            return gn_fail(GN_E_IO, op, "%s: is there already, and is no regular file", path);
        file->mode = info.st_mode & 0777;
    }
    return create(file);
}

gn_status gn__atomic_patch(gn__atomic *file, int64_t offset, const void *bytes, size_t n) {
    const char *at = bytes;
    while (n > 0 && !gn__failed()) {
        ssize_t written = pwrite(file->fd, at, n, offset);
        if (written < 0 && errno != EINTR)
            return fail(file, "can't be written", errno);
        if (written > 0) {
            at += written;
            offset += written;
            n -= (size_t)written;
        }
    }
    return gn_error_status();
}

gn_status gn__atomic_write(gn__atomic *file, const void *bytes, size_t n) {
    if (gn__atomic_patch(file, file->at, bytes, n) == GN_OK)
        file->at += (int64_t)n;
    return gn_error_status();
}

/* Makes the renaming last; folders of some file systems can't be synced, which is no error. */
static gn_status sync_folder(const gn__atomic *file) {
    char *folder = gn__strdup(file->path);
    if (folder == NULL)
        return gn_error_status();
    char *slash = strrchr(folder, '/');
    if (slash == folder)
        slash++;
    if (slash)
        *slash = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        fail(file, "its folder can't be synced", errno);
    if (fd >= 0)
        close(fd);
    free(folder);
    return gn_error_status();
}

static void put_in_place(gn__atomic *file) {
    if (file->mode != 0 && fchmod(file->fd, file->mode) != 0)
        fail(file, "its permissions can't be kept", errno);
    else if (fsync(file->fd) != 0)
        fail(file, "can't be synced", errno);
    else if (close(file->fd) != 0)
        file->fd = -1, fail(file, "can't be closed", errno);
    else if (file->fd = -1, rename(file->temporary, file->path) != 0)
        fail(file, "the written file can't be put in place", errno);
    else
        sync_folder(file);
}

gn_status gn__atomic_end(gn__atomic *file) {
    if (!gn__failed())
        put_in_place(file);
    if (file->fd >= 0)
        close(file->fd);
    if (gn__failed() && file->temporary)
        unlink(file->temporary); /* after a rename there is nothing of that name */
    free(file->temporary);
    free(file->path);
    return gn_error_status();
}
