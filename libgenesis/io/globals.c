/* SPDX-License-Identifier: Apache-2.0 */
/*
 * globals.c - the names of Python that pickles may use, all of them harmless.
 */
#include "pickle.h"

static const char *const storages[GN_N_DTYPES] = {
    [GN_BOOL] = "BoolStorage",     [GN_U8] = "ByteStorage",   [GN_I8] = "CharStorage",
    [GN_I16] = "ShortStorage",     [GN_I32] = "IntStorage",   [GN_I64] = "LongStorage",
    [GN_F16] = "HalfStorage",      [GN_F32] = "FloatStorage", [GN_F64] = "DoubleStorage",
    [GN_BF16] = "BFloat16Storage",
};

static const struct {
    const char *module, *name;
    gn__global_id id;
} globals[] = {
    {"collections", "OrderedDict", GN__GLOBAL_ORDERED_DICT},
    {"torch._utils", "_rebuild_tensor_v2", GN__GLOBAL_REBUILD_TENSOR},
    {"torch._utils", "_rebuild_parameter", GN__GLOBAL_REBUILD_PARAMETER},
    {"torch", "Size", GN__GLOBAL_SIZE},
};

gn__global_id gn__global_find(const char *module, const char *name, int *dtype) {
    for (size_t i = 0; i < GN_LENGTH(globals); i++)
        if (strcmp(module, globals[i].module) == 0 && strcmp(name, globals[i].name) == 0)
            return globals[i].id;
    for (int d = 1; d < GN_N_DTYPES && strcmp(module, "torch") == 0; d++)
        if (storages[d] && strcmp(name, storages[d]) == 0) {
            *dtype = d;
            return GN__GLOBAL_STORAGE;
        }
    return GN__GLOBAL_UNKNOWN;
}

const char *gn__global_storage(int dtype) {
    return dtype > 0 && dtype < GN_N_DTYPES ? storages[dtype] : NULL;
}
