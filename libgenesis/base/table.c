/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - hashing, and a hash table from byte strings to pointers.
 *
 * Entries lie in the order of their insertion, which is the order of gn__table_each; `slots` holds
 * their numbers + 1 (0: free) under open addressing with linear probing. The slots are a power of
 * two and at most half full.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- The hash: multiply 64 by 64 bits, fold the halves; 16 bytes a step (as Wang Yi's wyhash) */

static inline uint64_t fold(uint64_t a, uint64_t b) {
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t read8(const unsigned char *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static inline uint64_t read4(const unsigned char *p) {
    uint32_t word;
    memcpy(&word, p, 4);
    return word;
}

uint64_t gn__hash(const void *bytes, size_t length, uint64_t seed) {
    static const uint64_t k[4] = {0xa0761d6478bd642f, 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3,
                                  0x589965cc75374cc3};
    const unsigned char *p = bytes;
    size_t left = length;
    uint64_t a = 0, b = 0, other = seed ^ k[3];
    seed ^= k[0];
    for (; left > 32; left -= 32, p += 32) { /* two chains of multiplications at a time */
        seed = fold(read8(p) ^ k[1], read8(p + 8) ^ seed);
        other = fold(read8(p + 16) ^ k[2], read8(p + 24) ^ other);
    }
    if (length > 32)
        seed ^= other;
    for (; left > 16; left -= 16, p += 16)
        seed = fold(read8(p) ^ k[1], read8(p + 8) ^ seed);
    if (left >= 8) {
        a = read8(p);
        b = read8(p + left - 8);
    } else if (left >= 4) {
        a = read4(p);
        b = read4(p + left - 4);
    } else if (left > 0) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
    }
    return fold(k[2] ^ length, fold(a ^ k[1], b ^ seed));
}

/* ---- The table */

typedef struct entry {
    uint64_t hash;
    size_t length;
    void *key, *value;
} entry;

struct gn__table {
    entry *entries;
    size_t n_entries, capacity;
    uint32_t *slots;
    size_t n_slots;
};

gn__table *gn__table_new(void) { return gn__alloc(sizeof(gn__table)); }

void gn__table_free(gn__table *table, void (*free_value)(void *value)) {
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->n_entries; i++) {
        if (free_value && table->entries[i].value)
            free_value(table->entries[i].value);
        free(table->entries[i].key);
    }
    free(table->entries);
    free(table->slots);
    free(table);
}

/* The slot of a key: that of its entry, or the free one where it belongs. */
static size_t find_slot(const gn__table *table, uint64_t hash, const void *key, size_t length) {
    size_t mask = table->n_slots - 1, slot = hash & mask;
    for (; table->slots[slot] != 0; slot = (slot + 1) & mask) {
        const entry *e = &table->entries[table->slots[slot] - 1];
        if (e->hash == hash && e->length == length && memcmp(e->key, key, length) == 0)
            break;
    }
    return slot;
}

void *gn__table_get(const gn__table *table, const void *key, size_t length) {
    if (table->n_entries == 0)
        return NULL;
    uint32_t number = table->slots[find_slot(table, gn__hash(key, length, 0), key, length)];
    return number ? table->entries[number - 1].value : NULL;
}

static gn_status grow_slots(gn__table *table) {
    size_t n_slots = table->n_slots ? table->n_slots * 2 : 16;
    uint32_t *slots = gn__alloc_array(n_slots, sizeof *slots);
    if (slots == NULL)
        return GN_E_MEMORY;
    for (size_t i = 0; i < table->n_entries; i++) {
        size_t slot = table->entries[i].hash & (n_slots - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (n_slots - 1);
        slots[slot] = (uint32_t)i + 1;
    }
    free(table->slots);
    table->slots = slots;
    table->n_slots = n_slots;
    return GN_OK;
}

gn_status gn__table_set(gn__table *table, const void *key, size_t length, void *value) {
    if ((table->n_entries + 1) * 2 > table->n_slots && grow_slots(table) != GN_OK)
        return GN_E_MEMORY;
    uint64_t hash = gn__hash(key, length, 0);
    size_t slot = find_slot(table, hash, key, length);
    if (table->slots[slot] != 0) {
        table->entries[table->slots[slot] - 1].value = value;
        return GN_OK;
    }
    if (gn__grow((void **)&table->entries, &table->capacity, table->n_entries,
                 sizeof *table->entries) != GN_OK)
        return GN_E_MEMORY;
    void *copy = gn__alloc(length);
    if (copy == NULL)
        return GN_E_MEMORY;
    memcpy(copy, key, length);
    table->entries[table->n_entries++] = (entry){hash, length, copy, value};
    table->slots[slot] = (uint32_t)table->n_entries;
    return GN_OK;
}

void gn__table_each(const gn__table *table, void (*visit)(void *value, void *context),
                    void *context) {
    for (size_t i = 0; i < table->n_entries; i++)
        visit(table->entries[i].value, context);
}
