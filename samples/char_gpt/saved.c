/* SPDX-License-Identifier: Apache-2.0 */
/* saved.c - the file is one of PyTorch's: {"model": {..}, "layers": 4, .., "characters": ".."}. */
#include "saved.h"

gn_status saved_write(const saved *s, const char *path) {
    gn_scope scope = gn_scope_begin();
    gn_dict *file = gn_dict_new();
    gn_dict_set(file, "model", gn_state_dict(s->model));
    gn_dict_set(file, "layers", s->sizes.layers);
    gn_dict_set(file, "width", s->sizes.width);
    gn_dict_set(file, "heads", s->sizes.heads);
    gn_dict_set(file, "context", s->sizes.context);
    gn_dict_set(file, "characters", gn_tensor_of(s->letters.byte, s->letters.n));
    gn_save(file, path);
    return gn_scope_end(scope);
}

/* The alphabet and the sizes; false if they make no sense. */
static bool read_sizes(saved *s, const gn_dict *file) {
    gn_tensor *characters = gn_dict_get(file, "characters");
    char bytes[256];
    const int64_t n = characters ? gn_numel(characters) : 0;
    if (n < 1 || n > 256 || gn_copy_out(characters, bytes, GN_U8, n) != GN_OK)
        return false;
    s->letters = alphabet_of(bytes, (size_t)n);
    s->sizes = (gpt_sizes){.characters = s->letters.n,
                           .layers = gn_dict_get_int(file, "layers", 0),
                           .width = gn_dict_get_int(file, "width", 0),
                           .heads = gn_dict_get_int(file, "heads", 0),
                           .context = gn_dict_get_int(file, "context", 0)};
    return s->sizes.layers > 0 && s->sizes.width > 0 && s->sizes.heads > 0 &&
           s->sizes.context > 1 && s->sizes.width % s->sizes.heads == 0;
}

gn_status saved_read(saved *s, const char *path) {
    gn_dict *file = gn_load(path, NULL);
    *s = (saved){.model = NULL};
    if (file == NULL)
        return gn_error_status();
    if (!read_sizes(s, file))
        return gn_fail(GN_E_FORMAT, path, "is no model that char_gpt has saved");
    s->model = gpt_new(&s->sizes, 0);
    gn_load_state_dict(s->model, gn_dict_get_dict(file, "model"));
    gn_eval(s->model);
    return gn_error_status();
}
