/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dict.h (internal) - what files need to know of dictionaries beyond <genesis/dict.h>.
 */
#ifndef GENESIS_DICT_INTERNAL_H
#define GENESIS_DICT_INTERNAL_H

#include <genesis/dict.h>

/* Dictionaries that lie inside each other, at most: what walks them may recurse. */
enum { GN__DICT_MAX_DEPTH = 64 };

bool gn__dict_is_list(const gn_dict *dict);
/* Python's dictionaries may have integers for keys, as the state of an optimizer has. Here they are
 * names like "0"; files write them as integers again. */
bool gn__dict_is_numbered(const gn_dict *dict);
void gn__dict_number(gn_dict *dict);
/* Whether there is an entry of that name, of any kind. */
bool gn__dict_has(const gn_dict *dict, const char *name);

/* A value without a name: only the member of its kind counts. */
typedef struct gn__value {
    gn_value_kind kind;
    union {
        int64_t integer; /* and truth values */
        double number;
        char *string;
        void *object; /* tensor, dictionary, list */
    };
} gn__value;

/* Entry i < size. Borrowed. */
const gn__value *gn__dict_value(const gn_dict *dict, int64_t i);
/* Sets entry i of another dictionary, under its name. */
gn_status gn__dict_copy_entry(gn_dict *dict, const gn_dict *from, int64_t i);

#endif
