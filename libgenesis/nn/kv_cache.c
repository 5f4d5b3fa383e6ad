/* SPDX-License-Identifier: Apache-2.0 */
/* kv_cache.c - keys and values of decoded positions, in memory for the longest sequence. */
#include <stdlib.h>

#include <genesis/transformer.h>

#include "module.h"

static const char op[] = "kv_cache_append";

/* k and v are (.., max_length, *), NULL before the first append. */
struct gn_kv_cache {
    gn__object object;
    int64_t max_length, length;
    gn_tensor *k, *v;
};

static void destroy(void *object) {
    gn_kv_cache *cache = object;
    gn_release(cache->k);
    gn_release(cache->v);
    free(cache);
}

static const gn__kind kind = {"kv_cache", destroy};

static bool is_cache(const char *what, const gn_kv_cache *cache) {
    if (gn__failed())
        return false;
    if (cache && cache->object.kind == &kind)
        return true;
    gn_fail(GN_E_ARGUMENT, what, cache ? "this is no cache" : "the cache is NULL");
    return false;
}

gn_kv_cache *gn_kv_cache_new(int64_t max_length) {
    if (gn__failed())
        return NULL;
    if (max_length < 1)
        return gn__fail_null(GN_E_ARGUMENT, "kv_cache_new",
                             "%lld is no length: it must be positive", (long long)max_length);
    gn_kv_cache *cache = gn__object_new(&kind, sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->max_length = max_length;
    return gn__own(cache);
}

int64_t gn_kv_cache_length(const gn_kv_cache *cache) {
    return is_cache("kv_cache_length", cache) ? cache->length : 0;
}

gn_status gn_kv_cache_truncate(gn_kv_cache *cache, int64_t length) {
    static const char truncate[] = "kv_cache_truncate";
    if (!is_cache(truncate, cache))
        return gn_error_status();
    if (length < 0 || length > cache->length)
        return gn_fail(GN_E_ARGUMENT, truncate, "%lld is not from 0 to %lld, the length",
                       (long long)length, (long long)cache->length);
    cache->length = length;
    return GN_OK;
}

/* Whether t is `like` but for the length, (.., T, *). */
static bool fits(const gn_tensor *t, const gn_tensor *like) {
    bool same = t->n_dims == like->n_dims && t->dtype == like->dtype &&
                t->storage->device == like->storage->device;
    for (int d = 0; d < t->n_dims && same; d++)
        same = t->size[d] == like->size[d] || d == t->n_dims - 2;
    return same;
}

static gn_status check(const gn_kv_cache *cache, gn_tensor *k, gn_tensor *v) {
    if (!gn__given(op, k) || !gn__given(op, v))
        return gn_error_status();
    if (k->n_dims < 2 || v->n_dims < 2 || k->size[k->n_dims - 2] != v->size[v->n_dims - 2])
        return gn_fail(GN_E_ARGUMENT, op, "k %s and v %s must be (.., T, D) and (.., T, E)",
                       gn__shape_of(k), gn__shape_of(v));
    if (gn__recording(2, (gn_tensor *[]){k, v}))
        return gn_fail(GN_E_STATE, op,
                       "keys and values require gradients, which end here: decode with "
                       "gn_set_grad_enabled(false)");
    if (cache->k && (!fits(k, cache->k) || !fits(v, cache->v)))
        return gn_fail(GN_E_ARGUMENT, op,
                       "k %s and v %s do not fit what is there, of %s and %s: dtypes, devices and "
                       "all dims but the length must be the same",
                       gn__shape_of(k), gn__shape_of(v), gn__shape_of(cache->k),
                       gn__shape_of(cache->v));
    const int64_t more = k->size[k->n_dims - 2];
    if (more > cache->max_length - cache->length)
        return gn_fail(GN_E_ARGUMENT, op, "%lld positions behind %lld: there is room for %lld",
                       (long long)more, (long long)cache->length, (long long)cache->max_length);
    return GN_OK;
}

/* Uninitialised (.., max_length, *), owned by the caller. */
static gn_tensor *room_for(const gn_kv_cache *cache, const gn_tensor *t) {
    int64_t size[GN_TENSOR_MAX_DIMS];
    memcpy(size, t->size, sizeof size);
    size[t->n_dims - 2] = cache->max_length;
    return gn_retain(gn__tensor_new(t->storage->device, t->dtype, t->n_dims, size));
}

/* Writes t at positions from the length on, and returns all up to its end. */
static gn_tensor *write(const gn_kv_cache *cache, gn_tensor *room, gn_tensor *t) {
    const int64_t more = t->size[t->n_dims - 2];
    gn_tensor *place = gn_narrow(room, -2, cache->length, more);
    if (place == NULL || gn__copy_data(place, t) != GN_OK)
        return NULL;
    return gn_narrow(room, -2, 0, cache->length + more);
}

gn_status gn_kv_cache_append(gn_kv_cache *cache, gn_tensor *k, gn_tensor *v, gn_tensor **all_k,
                             gn_tensor **all_v) {
    if (!is_cache(op, cache) || check(cache, k, v) != GN_OK)
        return gn_error_status();
    if (cache->k == NULL)
        cache->k = room_for(cache, k);
    if (cache->v == NULL)
        cache->v = room_for(cache, v);
    if (gn__failed())
        return gn_error_status();
    gn_tensor *keys = write(cache, cache->k, k), *values = write(cache, cache->v, v);
    if (gn__failed())
        return gn_error_status();
    *all_k = keys;
    *all_v = values;
    cache->length += k->size[k->n_dims - 2];
    return GN_OK;
}
