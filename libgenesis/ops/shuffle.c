/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shuffle.c - rearranging elements between channels and space: views of more dims, permuted.
 */
#include <genesis/vision.h>

#include "support.h"

/* x (*, C, H, W) as (B, C, H, W); false with an error. */
static bool as_images(const char *op, gn_tensor *x, gn_shape *images) {
    if (gn__failed() || !gn__given(op, x))
        return false;
    const int first = x->n_dims - 3;
    if (first < 0) {
        gn_fail(GN_E_ARGUMENT, op, "input %s must be (.., C, H, W)", gn__shape_of(x));
        return false;
    }
    *images =
        GN_SHAPE(gn__count(first, x->size), x->size[first], x->size[first + 1], x->size[first + 2]);
    return true;
}

/* x's leading dims, then the given ones. */
static gn_shape with_leading(const gn_tensor *x, int64_t channels, int64_t height, int64_t width) {
    gn_shape shape = gn_shape_of(x);
    shape.size[shape.n - 3] = channels;
    shape.size[shape.n - 2] = height;
    shape.size[shape.n - 1] = width;
    return shape;
}

static bool divides(int64_t r, int64_t size) {
    return r >= 1 && r <= GN__MAX_STEP && size % r == 0;
}

/* y[b, c, h r + i, w r + j] = x[b, (c, i, j), h, w] */
gn_tensor *gn_pixel_shuffle(gn_tensor *x, int64_t r) {
    static const char op[] = "pixel_shuffle";
    gn_shape s;
    if (!as_images(op, x, &s))
        return NULL;
    const int64_t channels = s.size[1], height = s.size[2], width = s.size[3];
    int64_t size[2];
    if (!divides(r, channels) || !divides(r, channels / r) ||
        __builtin_mul_overflow(height, r, &size[0]) || __builtin_mul_overflow(width, r, &size[1]))
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld^2 does not divide the %lld channels of %s",
                             (long long)r, (long long)channels, gn__shape_of(x));
    gn_tensor *parts = gn_reshape(x, s.size[0], channels / r / r, r, r, height, width);
    return gn_reshape_with(gn_permute(parts, 0, 1, 4, 2, 5, 3),
                           with_leading(x, channels / r / r, size[0], size[1]));
}

/* y[b, (c, i, j), h, w] = x[b, c, h r + i, w r + j] */
gn_tensor *gn_pixel_unshuffle(gn_tensor *x, int64_t r) {
    static const char op[] = "pixel_unshuffle";
    gn_shape s;
    if (!as_images(op, x, &s))
        return NULL;
    const int64_t channels = s.size[1], height = s.size[2], width = s.size[3];
    int64_t more;
    if (!divides(r, height) || !divides(r, width) || __builtin_mul_overflow(channels, r * r, &more))
        return gn__fail_null(GN_E_ARGUMENT, op, "%lld does not divide height and width of %s",
                             (long long)r, gn__shape_of(x));
    gn_tensor *parts = gn_reshape(x, s.size[0], channels, height / r, r, width / r, r);
    return gn_reshape_with(gn_permute(parts, 0, 1, 3, 5, 2, 4),
                           with_leading(x, more, height / r, width / r));
}

/* y[n, (i, g)] = x[n, (g, i)] */
gn_tensor *gn_channel_shuffle(gn_tensor *x, int64_t groups) {
    static const char op[] = "channel_shuffle";
    if (gn__failed() || !gn__given(op, x))
        return NULL;
    if (x->n_dims < 3 || !divides(groups, x->size[1]))
        return gn__fail_null(GN_E_ARGUMENT, op,
                             "input %s must be (N, C, L, ..) with C a multiple of the groups, %lld",
                             gn__shape_of(x), (long long)groups);
    const int64_t area = gn__count(x->n_dims - 2, x->size + 2);
    gn_tensor *parts = gn_reshape(x, x->size[0], groups, x->size[1] / groups, area);
    return gn_reshape_with(gn_transpose(parts, 1, 2), gn_shape_of(x));
}
