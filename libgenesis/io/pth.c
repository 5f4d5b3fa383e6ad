/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pth.c - PyTorch's files: a zip archive with a folder of any name, in which data.pkl has the
 * values and data/0, data/1, .. the storages that its tensors refer to.
 */
#include <stdlib.h>

#include "pickle.h"
#include "zip.h"

enum { MAX_PICKLE = 64 << 20 };

static const char ROOT[] = "archive/";

/* ---- Saving: a tensor is a storage; one that comes twice is stored once, as tied weights are */

typedef struct identity {
    const void *storage;
    int64_t offset, dtype, n_dims;
    int64_t size[GN_TENSOR_MAX_DIMS], stride[GN_TENSOR_MAX_DIMS];
} identity;

typedef struct saver {
    gn_tensor **tensors; /* borrowed from the dictionary */
    size_t n, capacity;
    gn__table *keys; /* identity -> key + 1 */
} saver;

static int64_t key_of(void *context, gn_tensor *t) {
    saver *s = context;
    identity id = {
        .storage = t->storage, .offset = t->offset, .dtype = t->dtype, .n_dims = t->n_dims};
    memcpy(id.size, t->size, (size_t)t->n_dims * sizeof *t->size);
    memcpy(id.stride, t->stride, (size_t)t->n_dims * sizeof *t->stride);
    size_t known = (size_t)gn__table_get(s->keys, &id, sizeof id);
    if (known > 0)
        return (int64_t)known - 1;
    if (gn__grow((void **)&s->tensors, &s->capacity, s->n, sizeof *s->tensors) != GN_OK ||
        gn__table_set(s->keys, &id, sizeof id, (void *)(s->n + 1)) != GN_OK)
        return -1;
    s->tensors[s->n] = t;
    return (int64_t)s->n++;
}

static gn_status put_entry(gn__zip_writer *zip, const char *name, const void *bytes, size_t n) {
    char path[64];
    snprintf(path, sizeof path, "%s%s", ROOT, name);
    return gn__zip_writer_entry(zip, path, (int64_t)n) == GN_OK ? gn__zip_writer_put(zip, bytes, n)
                                                                : gn_error_status();
}

static gn_status put_storages(gn__zip_writer *zip, const saver *s) {
    for (size_t i = 0; i < s->n && !gn__failed(); i++) {
        gn_tensor *t = s->tensors[i];
        char path[64];
        snprintf(path, sizeof path, "%sdata/%zu", ROOT, i);
        if (gn__zip_writer_entry(zip, path, t->count * gn_dtype_bytes(t->dtype)) == GN_OK)
            gn__write_tensor(t, gn__zip_writer_put, zip);
    }
    return gn_error_status();
}

static gn_status save(gn_dict *dict, const char *path) {
    if (gn__little_endian("save", path) != GN_OK)
        return gn_error_status();
    saver s = {.keys = gn__table_new()};
    gn__pickle pickle = {.n = 0};
    if (s.keys && gn__pickle_dict(&pickle, dict, key_of, &s) == GN_OK && pickle.n > MAX_PICKLE)
        gn_fail(GN_E_UNSUPPORTED, "save", "%s: names and numbers take more than %d bytes", path,
                MAX_PICKLE);
    gn__zip_writer zip;
    if (!gn__failed()) {
        gn__zip_writer_begin(&zip, "save", path);
        put_entry(&zip, "data.pkl", pickle.bytes, pickle.n);
        put_entry(&zip, "byteorder", "little", 6);
        put_storages(&zip, &s);
        put_entry(&zip, "version", "3\n", 2);
        gn__zip_writer_end(&zip);
    }
    free(pickle.bytes);
    free(s.tensors);
    gn__table_free(s.keys, NULL);
    return gn_error_status();
}

/* ---- Loading */

typedef struct loader {
    gn__zip zip;
    gn__device *device;
    const char *root; /* "archive/"; malloc'ed */
    gn__table *bytes; /* key -> tensor of u8 with the bytes of the storage, owned by the scope */
} loader;

static gn_status wrong(const loader *l, const char *name, const char *why) {
    return gn_fail(GN_E_FORMAT, "load", "%s: %.200s: %s", l->zip.source.path, name, why);
}

/* The entry of a name in the folder; NULL, without an error, if there is none. */
static const gn__zip_entry *find(const loader *l, const char *folder, const char *name) {
    size_t room = strlen(l->root) + strlen(folder) + strlen(name) + 1;
    char *path = gn__alloc(room);
    if (path == NULL)
        return NULL;
    snprintf(path, room, "%s%s%s", l->root, folder, name);
    const gn__zip_entry *entry = gn__zip_find(&l->zip, path);
    free(path);
    return entry;
}

/* Reads a whole entry; malloc'ed, NULL with an error. */
static char *read_entry(const loader *l, const gn__zip_entry *entry, int64_t most) {
    /* Only what is stored: so no file is small and takes much memory. */
    if (entry->method != GN__ZIP_STORED)
        return wrong(l, entry->name, "is compressed, which PyTorch never does"), NULL;
    if (entry->bytes > most)
        return wrong(l, entry->name, "is larger than names and numbers can be"), NULL;
    char *bytes = gn__alloc((size_t)entry->bytes);
    gn__zip_stream stream;
    if (bytes && gn__zip_stream_open(&stream, &l->zip, entry) == GN_OK) {
        gn__zip_stream_read(&stream, bytes, (size_t)entry->bytes);
        gn__zip_stream_close(&stream);
    }
    if (!gn__failed())
        return bytes;
    free(bytes);
    return NULL;
}

static gn_tensor *read_storage(loader *l, const gn__zip_entry *entry) {
    if (entry->method != GN__ZIP_STORED)
        return wrong(l, entry->name, "is compressed, which PyTorch never does"), NULL;
    gn__zip_stream stream;
    gn_tensor *bytes = NULL;
    if (gn__zip_stream_open(&stream, &l->zip, entry) == GN_OK)
        bytes = gn__read_tensor(l->device, GN_U8, 1, &entry->bytes, gn__zip_stream_read, &stream);
    return gn__zip_stream_close(&stream) == GN_OK ? bytes : NULL;
}

/* The bytes of a storage, read when the first tensor needs them. */
static gn_tensor *storage_of(loader *l, const gn__tensor_spec *spec) {
    const gn__zip_entry *entry = find(l, "data/", spec->key);
    int64_t wanted;
    if (entry == NULL)
        return gn__failed()
                   ? NULL
                   : (wrong(l, spec->key, "is the storage of a tensor, and missing"), NULL);
    if (!gn__mul(spec->storage_count, gn_dtype_bytes(spec->dtype), &wanted) ||
        wanted > entry->bytes)
        return wrong(l, entry->name, "is shorter than the storage of a tensor"), NULL;
    gn_tensor *bytes = gn__table_get(l->bytes, spec->key, strlen(spec->key));
    if (bytes == NULL) {
        bytes = read_storage(l, entry);
        if (bytes)
            gn__table_set(l->bytes, spec->key, strlen(spec->key), bytes);
    }
    return gn__failed() ? NULL : bytes;
}

static gn_tensor *make_tensor(void *context, const gn__tensor_spec *spec) {
    gn_tensor *bytes = storage_of(context, spec);
    if (bytes == NULL)
        return NULL;
    return gn__tensor_over(gn__storage_retain(bytes->storage), spec->dtype, spec->n_dims,
                           spec->size, spec->stride, spec->offset);
}

/* The folder: that of the entry named data.pkl. */
static gn_status find_root(loader *l) {
    static const char wanted[] = "data.pkl";
    for (size_t i = 0; i < l->zip.n; i++) {
        const char *name = l->zip.entries[i].name, *slash = strchr(name, '/');
        if (slash && strcmp(slash + 1, wanted) == 0) {
            char *root = gn__strdup(name);
            if (root)
                root[slash + 1 - name] = '\0';
            l->root = root;
            return gn_error_status();
        }
    }
    return wrong(l, wanted, "is missing: the archive was not written by torch.save");
}

static gn_status check_order(const loader *l) {
    const gn__zip_entry *entry = find(l, "", "byteorder");
    char *text = entry ? read_entry(l, entry, 16) : NULL;
    if (text && (entry->bytes != 6 || memcmp(text, "little", 6) != 0))
        gn_fail(GN_E_UNSUPPORTED, "load", "%s: is of a big-endian machine", l->zip.source.path);
    free(text);
    return gn_error_status();
}

/* Pickles that stand alone begin with the opcode PROTO: PyTorch's files before version 1.6. */
static gn_status refuse_old(const char *path) {
    gn__source source;
    unsigned char first = 0;
    if (gn__source_open(&source, "load", path) != GN_OK)
        return gn_error_status();
    if (source.bytes > 0 && gn__source_read(&source, 0, &first, 1) == GN_OK && first == 0x80)
        gn_fail(GN_E_FORMAT, "load",
                "%s: is in PyTorch's old format, which runs code when it is read: write it anew "
                "with torch.save of PyTorch 1.6 or later",
                path);
    gn__source_close(&source);
    return gn_error_status();
}

static gn_dict *load(const char *path, gn__device *device) {
    loader l = {.device = device};
    if (gn__little_endian("load", path) != GN_OK || refuse_old(path) != GN_OK ||
        gn__zip_open(&l.zip, "load", path) != GN_OK)
        return NULL;
    gn_scope scope = gn_scope_begin();
    gn_dict *dict = NULL;
    l.bytes = gn__table_new();
    if (l.bytes && find_root(&l) == GN_OK && check_order(&l) == GN_OK) {
        const gn__zip_entry *entry = find(&l, "", "data.pkl");
        char *pickle = entry ? read_entry(&l, entry, MAX_PICKLE) : NULL;
        if (pickle)
            dict = gn__unpickle(path, pickle, (size_t)entry->bytes, make_tensor, &l);
        free(pickle);
    }
    gn__table_free(l.bytes, NULL);
    free((char *)l.root);
    gn__zip_close(&l.zip);
    return gn_scope_end_with(scope, gn__failed() ? NULL : dict);
}

const gn__format gn__pth = {.save = save, .load = load};
