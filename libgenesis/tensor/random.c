/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random.c - generators, and tensors of random numbers.
 *
 * A generator is a seed and an offset. Every random operation takes one offset and numbers its
 * elements in row-major order; element i reads words of the Philox block at (i, offset, seed), so
 * values depend neither on the device nor on threads or memory layout.
 */
#include <math.h>
#include <stdlib.h>
#include <sys/random.h>

#include "../program/program.h"
#include "tensor.h"

/* ---- Generators */

struct gn_generator {
    gn__object object;
    pthread_mutex_t lock;
    uint64_t seed, offset;
};

enum { DEFAULT_SEED = 5489 };

static gn_generator default_generator = {
    .object = {.references = 1}, /* never freed */
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .seed = DEFAULT_SEED,
};

static void generator_destroy(void *object) {
    gn_generator *generator = object;
    pthread_mutex_destroy(&generator->lock);
    free(generator);
}

static const gn__kind generator_kind = {.name = "generator", .destroy = generator_destroy};

gn_generator *gn_generator_new(uint64_t seed) {
    if (gn__failed())
        return NULL;
    gn_generator *generator = gn__object_new(&generator_kind, sizeof *generator);
    if (!generator)
        return NULL;
    pthread_mutex_init(&generator->lock, NULL);
    generator->seed = seed;
    return gn__own(generator);
}

gn_generator *gn_default_generator(void) { return &default_generator; }

static gn_generator *or_default(gn_generator *generator) {
    return generator ? generator : &default_generator;
}

gn_rng_state gn_rng_state_get(gn_generator *generator) {
    generator = or_default(generator);
    pthread_mutex_lock(&generator->lock);
    gn_rng_state state = {generator->seed, generator->offset};
    pthread_mutex_unlock(&generator->lock);
    return state;
}

gn_status gn_rng_state_set(gn_generator *generator, gn_rng_state state) {
    generator = or_default(generator);
    pthread_mutex_lock(&generator->lock);
    generator->seed = state.seed;
    generator->offset = state.offset;
    pthread_mutex_unlock(&generator->lock);
    return gn_error_status();
}

gn_status gn_manual_seed(uint64_t seed) {
    return gn_rng_state_set(NULL, (gn_rng_state){.seed = seed});
}

uint64_t gn_seed(void) {
    uint64_t seed = DEFAULT_SEED;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        gn_fail(GN_E_IO, "seed", "the system gives no random numbers");
    gn_manual_seed(seed);
    return seed;
}

uint64_t gn_initial_seed(void) { return gn_rng_state_get(NULL).seed; }

void gn__random_step(gn_generator *generator, int64_t *key, int64_t *offset) {
    generator = or_default(generator);
    pthread_mutex_lock(&generator->lock);
    *key = (int64_t)generator->seed;
    *offset = (int64_t)generator->offset++;
    pthread_mutex_unlock(&generator->lock);
}

/* The block of the Philox 4x32-10 of Salmon et al. (2011) that RANDOM is defined by. */
void gn__philox(uint64_t index, uint64_t offset, uint64_t key, uint32_t out[4]) {
    uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)offset,
                     (uint32_t)(offset >> 32)};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p = 0xD2511F53ull * c[0], q = 0xCD9E8D57ull * c[2];
        c[0] = (uint32_t)(q >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)q;
        c[2] = (uint32_t)(p >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)p;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof c);
}

/* ---- Programs: parameters key, offset, a, b; operands index, index of a second word, output */

typedef struct random_build {
    gn__builder *b;
    int index, second, key, offset, first_param, second_param, type, digits;
} random_build;

static int word(const random_build *r, int index) {
    return gn__emit(r->b, GN_OP_RANDOM, index, r->offset, r->key);
}

/* u in [0, 1) with as many bits as the dtype's mantissa: word >> (32 - digits) times 2^-digits. f64
 * takes 53 bits from two words. */
static int uniform(const random_build *r) {
    gn__builder *b = r->b;
    if (r->digits <= 24) {
        int bits = gn__emit(b, GN_OP_SHR, gn__cast(b, GN_I64, word(r, r->index)),
                            gn__const_i(b, GN_I64, 32 - r->digits), 0);
        return gn__emit(b, GN_OP_MUL, gn__cast(b, r->type, bits),
                        gn__const_f(b, r->type, 1.0 / (double)(1 << r->digits)), 0);
    }
    int high = gn__emit(b, GN_OP_SHL, gn__cast(b, GN_I64, word(r, r->index)),
                        gn__const_i(b, GN_I64, 21), 0);
    int low = gn__emit(b, GN_OP_SHR, gn__cast(b, GN_I64, word(r, r->second)),
                       gn__const_i(b, GN_I64, 11), 0);
    return gn__emit(b, GN_OP_MUL, gn__cast(b, r->type, gn__emit(b, GN_OP_OR, high, low, 0)),
                    gn__const_f(b, r->type, 0x1p-53), 0);
}

/* low + u * (high - low); a = low, b = high - low */
static int build_uniform(const random_build *r) {
    int scaled = gn__emit(r->b, GN_OP_MUL, uniform(r), r->second_param, 0);
    return gn__emit(r->b, GN_OP_ADD, scaled, r->first_param, 0);
}

/* mean + std * z, from two words; a = mean, b = std */
static int build_normal(const random_build *r) {
    int z = gn__build_normal(r->b, r->type, word(r, r->index), word(r, r->second));
    return gn__emit(r->b, GN_OP_ADD, gn__emit(r->b, GN_OP_MUL, z, r->second_param, 0),
                    r->first_param, 0);
}

/* low + floor(word * range / 2^32); ranges of 2^31 and more: 63 bits modulo the range; a = low,
 * b = range */
static int build_randint_small(const random_build *r) {
    gn__builder *b = r->b;
    int product =
        gn__emit(b, GN_OP_MUL, gn__cast(b, GN_I64, word(r, r->index)), r->second_param, 0);
    int value = gn__emit(b, GN_OP_SHR, product, gn__const_i(b, GN_I64, 32), 0);
    return gn__emit(b, GN_OP_ADD, value, r->first_param, 0);
}

static int build_randint_large(const random_build *r) {
    gn__builder *b = r->b;
    int high = gn__emit(b, GN_OP_SHL, gn__cast(b, GN_I64, word(r, r->index)),
                        gn__const_i(b, GN_I64, 31), 0);
    int low = gn__emit(b, GN_OP_SHR, gn__cast(b, GN_I64, word(r, r->second)),
                       gn__const_i(b, GN_I64, 1), 0);
    int bits = gn__emit(b, GN_OP_AND, gn__emit(b, GN_OP_OR, high, low, 0),
                        gn__const_i(b, GN_I64, INT64_MAX), 0);
    int value = gn__emit(b, GN_OP_REMAINDER, bits, r->second_param, 0);
    return gn__emit(b, GN_OP_ADD, value, r->first_param, 0);
}

/* u < p; a = p */
static int build_bernoulli(const random_build *r) {
    return gn__emit(r->b, GN_OP_LT, uniform(r), r->first_param, 0);
}

/* -log(1 - u) / rate; where u is 0, the mean of what its cell stands for, so that no value is 0;
 * a = 1 / rate */
static int build_exponential(const random_build *r) {
    gn__builder *b = r->b;
    int rest = gn__emit(b, GN_OP_SUB, gn__const_f(b, r->type, 1), uniform(r), 0);
    int value = gn__emit(b, GN_OP_NEG, gn__emit(b, GN_OP_LOG, rest, 0, 0), 0, 0);
    int least = gn__const_f(b, r->type, ldexp(1, -r->digits - 1));
    return gn__emit(b, GN_OP_MUL, gn__emit(b, GN_OP_MAX, value, least, 0), r->first_param, 0);
}

typedef enum {
    UNIFORM,
    NORMAL,
    RANDINT_SMALL,
    RANDINT_LARGE,
    BERNOULLI,
    EXPONENTIAL,
    N_KINDS
} random_kind;

static const struct {
    const char *name;
    int (*build)(const random_build *r);
    bool integers, two_words;
} kinds[N_KINDS] = {
    [UNIFORM] = {.name = "uniform", .build = build_uniform},
    [NORMAL] = {.name = "normal", .build = build_normal, .two_words = true},
    [RANDINT_SMALL] = {.name = "randint", .build = build_randint_small, .integers = true},
    [RANDINT_LARGE] = {.name = "randint",
                       .build = build_randint_large,
                       .integers = true,
                       .two_words = true},
    [BERNOULLI] = {.name = "bernoulli", .build = build_bernoulli},
    [EXPONENTIAL] = {.name = "exponential", .build = build_exponential},
};

static bool takes_two_words(random_kind kind, int dtype) {
    return kinds[kind].two_words || (dtype == GN_F64 && (kind == UNIFORM || kind == EXPONENTIAL));
}

/* Variant: the kind and the dtype. */
static void build(gn__builder *b, const int8_t *v) {
    random_kind kind = (random_kind)v[0];
    int dtype = v[1];
    random_build r = {.b = b, .type = gn__compute_type(dtype)};
    if (kinds[kind].integers)
        r.type = GN_I64;
    else if (!gn_dtype_is_float(dtype))
        r.type = GN_F32; /* bernoulli */
    r.digits = dtype == GN_F64 ? 53 : dtype == GN_F16 ? 11 : dtype == GN_BF16 ? 8 : 24;
    r.index = gn__load(b, gn__build_operand(b, GN_INDEX, GN_I64));
    if (takes_two_words(kind, dtype))
        r.second = gn__load(b, gn__build_operand(b, GN_INDEX, GN_I64));
    int out = gn__build_operand(b, GN_WRITE, dtype);
    r.key = gn__param(b, GN_I64, gn__build_param(b));
    r.offset = gn__param(b, GN_I64, gn__build_param(b));
    r.first_param = gn__param(b, r.type, gn__build_param(b));
    r.second_param = gn__param(b, r.type, gn__build_param(b));
    gn__store(b, out, gn__cast(b, gn__compute_type(dtype), kinds[kind].build(&r)));
}

static gn__kernel kernel = {.name = "random", .flags = GN_PROGRAM_NO_CONTRACT, .build = build};

/* An index operand that numbers the elements of a shape in row-major order, times `times`. */
gn__operand gn__operand_numbers(int n_dims, const int64_t *size, int64_t start, int64_t times) {
    gn__operand o = gn__operand_index(start);
    gn__row_major(n_dims, size, o.stride);
    for (int d = 0; d < n_dims; d++)
        o.stride[d] *= times;
    return o;
}

static gn_tensor *random_fill(gn_tensor *t, random_kind kind, gn_scalar a, gn_scalar b,
                              gn_generator *generator) {
    const gn_program *program = t ? gn__kernel_program(&kernel, GN__VARIANT(kind, t->dtype)) : NULL;
    if (!program)
        return NULL;
    gn_scalar params[4] = {[2] = a, [3] = b};
    gn__random_step(generator, &params[0].i, &params[1].i);
    gn__operand operands[3];
    int n = 0, words = takes_two_words(kind, t->dtype) ? 2 : 1;
    for (int i = 0; i < words; i++)
        operands[n++] = gn__operand_numbers(t->n_dims, t->size, i, words);
    operands[n] = gn__operand_of(t, t->n_dims, t->size);
    gn__launch launch = {.op = kinds[kind].name,
                         .program = program,
                         .n_dims = t->n_dims,
                         .size = t->size,
                         .operands = operands,
                         .params = params};
    return gn__launch_run(t->storage->device, &launch) ? NULL : t;
}

static bool is_float(const char *op, const gn_tensor *t) {
    if (!t || gn_dtype_is_float(t->dtype))
        return t != NULL;
    gn_fail(GN_E_ARGUMENT, op, "needs a floating-point dtype, not %s",
            gn_dtype_name((gn_dtype)t->dtype));
    return false;
}

gn_tensor *gn__uniform_data(gn_tensor *t, double low, double high, gn_generator *generator) {
    return is_float("uniform", t) ? random_fill(t, UNIFORM, (gn_scalar){.f = low},
                                                (gn_scalar){.f = high - low}, generator)
                                  : NULL;
}

gn_tensor *gn__normal_data(gn_tensor *t, double mean, double std, gn_generator *generator) {
    return is_float("normal", t)
               ? random_fill(t, NORMAL, (gn_scalar){.f = mean}, (gn_scalar){.f = std}, generator)
               : NULL;
}

gn_tensor *gn__exponential_data(gn_tensor *t, double rate, gn_generator *generator) {
    return is_float("exponential", t)
               ? random_fill(t, EXPONENTIAL, (gn_scalar){.f = 1 / rate}, (gn_scalar){0}, generator)
               : NULL;
}

/* ---- Public creation */

static gn_generator *generator_of(const gn_tensor_options *options) {
    return options ? options->generator : NULL;
}

gn_tensor *gn_rand_with(gn_shape shape, const gn_tensor_options *options) {
    gn_tensor *t = gn__tensor_from_options("rand", shape, options, gn_default_dtype());
    return gn__uniform_data(t, 0, 1, generator_of(options));
}

gn_tensor *gn_randn_with(gn_shape shape, const gn_tensor_options *options) {
    gn_tensor *t = gn__tensor_from_options("randn", shape, options, gn_default_dtype());
    return gn__normal_data(t, 0, 1, generator_of(options));
}

gn_tensor *gn_rand_like(const gn_tensor *t) {
    return gn__uniform_data(gn_empty_like(t), 0, 1, NULL);
}
gn_tensor *gn_randn_like(const gn_tensor *t) {
    return gn__normal_data(gn_empty_like(t), 0, 1, NULL);
}

static gn_tensor *integers(gn_tensor *t, int64_t low, int64_t high, gn_generator *generator) {
    if (!t)
        return NULL;
    if (low >= high)
        return gn__fail_null(GN_E_ARGUMENT, "randint", "no integer is in [%lld, %lld)",
                             (long long)low, (long long)high);
    int64_t range;
    if (__builtin_sub_overflow(high, low, &range))
        return gn__fail_null(GN_E_ARGUMENT, "randint", "[%lld, %lld) has more than 2^63 integers",
                             (long long)low, (long long)high);
    random_kind kind = range <= INT32_MAX ? RANDINT_SMALL : RANDINT_LARGE;
    return random_fill(t, kind, (gn_scalar){.i = low}, (gn_scalar){.i = range}, generator);
}

gn_tensor *gn_randint(int64_t low, int64_t high, gn_shape shape, const gn_tensor_options *options) {
    gn_tensor *t = gn__tensor_from_options("randint", shape, options, GN_I64);
    return integers(t, low, high, generator_of(options));
}

gn_tensor *gn_randint_like(const gn_tensor *t, int64_t low, int64_t high) {
    return integers(gn_empty_like(t), low, high, NULL);
}

gn_tensor *gn_bernoulli(gn_shape shape, double p, const gn_tensor_options *options) {
    if (gn__failed())
        return NULL;
    if (!(p >= 0 && p <= 1))
        return gn__fail_null(GN_E_ARGUMENT, "bernoulli", "probability %g is outside [0, 1]", p);
    gn_tensor *t = gn__tensor_from_options("bernoulli", shape, options, GN_BOOL);
    return random_fill(t, BERNOULLI, (gn_scalar){.f = p}, (gn_scalar){0}, generator_of(options));
}

gn_status gn__permutation(int64_t *out, int64_t n, gn_generator *generator) {
    int64_t key, offset;
    gn__random_step(generator, &key, &offset);
    for (int64_t i = 0; i < n; i++)
        out[i] = i;
    for (int64_t i = n - 1; i > 0; i--) { /* Fisher and Yates */
        uint32_t words[4];
        gn__philox((uint64_t)i, (uint64_t)offset, (uint64_t)key, words);
        uint64_t random = (uint64_t)words[0] << 32 | words[1];
        int64_t j = (int64_t)(random % ((uint64_t)i + 1)), swapped = out[i];
        out[i] = out[j];
        out[j] = swapped;
    }
    return gn_error_status();
}

gn_tensor *gn_randperm(int64_t n, const gn_tensor_options *options) {
    gn_shape shape = {.n = 1, .size = {n}};
    gn_tensor *t = gn__tensor_from_options("randperm", shape, options, GN_I64);
    int64_t *order = t ? gn__alloc_array((size_t)n + 1, sizeof *order) : NULL;
    if (!order)
        return NULL;
    gn__permutation(order, n, generator_of(options));
    gn__copy_in_data(t, order, GN_I64, n);
    free(order);
    return gn__failed() ? NULL : t;
}
