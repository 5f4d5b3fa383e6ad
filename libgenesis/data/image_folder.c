/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_folder.c - a data set of image files, one folder for each class.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#include "image.h"

/* Strings of one's own, growing. */
typedef struct names {
    char **name;
    size_t n, capacity;
} names;

typedef struct image_folder {
    gn_dataset base;
    names classes, files; /* files: whole paths */
    int64_t *label;       /* of each file */
    gn_image_options options;
    char *device;
} image_folder;

/* ---- Names */

static void free_names(names *list) {
    for (size_t i = 0; i < list->n; i++)
        free(list->name[i]);
    free(list->name);
    *list = (names){.n = 0};
}

static gn_status add_name(names *list, const char *name) {
    if (gn__grow((void **)&list->name, &list->capacity, list->n, sizeof *list->name) == GN_OK &&
        (list->name[list->n] = gn__strdup(name)))
        list->n++;
    return gn_error_status();
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static gn_status join(char *out, const char *folder, const char *name) {
    if (snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX)
        return GN_OK;
    return gn_fail(GN_E_NOT_FOUND, "image_folder", "a name in %.100s.. is too long", folder);
}

static bool is_image(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 ||
                   strcasecmp(dot, ".jpeg") == 0);
}

/* The folders, or image files, in a folder, sorted; hidden ones are left out. */
static gn_status list_names(const char *folder, bool folders, names *out) {
    char path[PATH_MAX];
    struct stat info;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return gn_fail(errno == ENOENT ? GN_E_NOT_FOUND : GN_E_IO, "image_folder", "%s: %s", folder,
                       strerror(errno));
    for (struct dirent *entry; !gn__failed() && (entry = readdir(dir));) {
        const char *name = entry->d_name;
        if (name[0] == '.' || join(path, folder, name) != GN_OK || stat(path, &info) != 0)
            continue;
        if (folders ? S_ISDIR(info.st_mode) : S_ISREG(info.st_mode) && is_image(name))
            add_name(out, name);
    }
    closedir(dir);
    if (out->n > 0)
        qsort(out->name, out->n, sizeof *out->name, by_name);
    return gn_error_status();
}

/* ---- The data set */

static void destroy_folder(gn_dataset *dataset) {
    image_folder *self = (image_folder *)dataset;
    free_names(&self->classes);
    free_names(&self->files);
    free(self->label);
    free(self->device);
}

static gn_status get_image(gn_dataset *dataset, int64_t index, gn_generator *generator,
                           gn_sample *out) {
    image_folder *self = (image_folder *)dataset;
    (void)generator;
    out->x = gn_read_image_with(self->files.name[index], &self->options);
    out->y = gn_scalar_tensor((double)self->label[index],
                              GN_AS(.dtype = GN_I64, .device = self->device));
    return gn_error_status();
}

static const gn__dataset_class folder_class = {
    .name = "image_folder", .get = get_image, .destroy = destroy_folder};

/* Adds the files of class k. */
static gn_status add_class(image_folder *self, const char *path, size_t k) {
    char folder[PATH_MAX], file[PATH_MAX];
    names found = {.n = 0};
    if (join(folder, path, self->classes.name[k]) == GN_OK &&
        list_names(folder, false, &found) == GN_OK && found.n == 0)
        gn_fail(GN_E_NOT_FOUND, "image_folder", "%s: has no files .png, .jpg or .jpeg", folder);
    size_t start = self->files.n;
    for (size_t i = 0; i < found.n && !gn__failed(); i++)
        if (join(file, folder, found.name[i]) == GN_OK)
            add_name(&self->files, file);
    int64_t *label = gn__failed() ? NULL : realloc(self->label, self->files.n * sizeof *label);
    if (label == NULL)
        gn_fail(GN_E_MEMORY, "image_folder", "%s: no memory for its files", path);
    else
        self->label = label;
    for (size_t i = start; label && i < self->files.n; i++)
        label[i] = (int64_t)k;
    free_names(&found);
    return gn_error_status();
}

gn_dataset *gn_image_folder_with(const char *path, const gn_image_options *options) {
    const char *op = "image_folder";
    if (gn__failed())
        return NULL;
    if (path == NULL)
        return gn__fail_null(GN_E_ARGUMENT, op, "the path is NULL");
    image_folder *self = gn__dataset_new(&folder_class, sizeof *self, 0);
    if (self == NULL)
        return NULL;
    if (options)
        self->options = *options;
    if (self->options.device)
        self->options.device = self->device = gn__strdup(self->options.device);
    if (!gn__failed() && list_names(path, true, &self->classes) == GN_OK && self->classes.n == 0)
        gn_fail(GN_E_NOT_FOUND, op, "%s: has no folders, one for each class", path);
    for (size_t k = 0; k < self->classes.n && !gn__failed(); k++)
        add_class(self, path, k);
    if (gn__failed()) {
        gn_release(self);
        return NULL;
    }
    self->base.size = (int64_t)self->files.n;
    return gn__own(self);
}

int64_t gn_image_folder_classes(const gn_dataset *dataset) {
    bool is_folder = dataset && dataset->type == &folder_class;
    return is_folder ? (int64_t)((const image_folder *)dataset)->classes.n : 0;
}

const char *gn_image_folder_class(const gn_dataset *dataset, int64_t i) {
    if (i < 0 || i >= gn_image_folder_classes(dataset))
        return NULL;
    return ((const image_folder *)dataset)->classes.name[i];
}
