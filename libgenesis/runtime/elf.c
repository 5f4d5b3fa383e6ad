/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf.c - whether a shared object is all there. The dynamic loader maps a file that was cut off, in
 * an interrupted copy say, as if it were whole, and the process dies of a bus error; so plugins are
 * looked at before. Damage inside a file of the right length is not found.
 */
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static bool read_at(FILE *file, uint64_t offset, void *target, size_t bytes) {
    return offset <= INT32_MAX && fseek(file, (long)offset, SEEK_SET) == 0 &&
           fread(target, bytes, 1, file) == 1;
}

static bool lies_in(uint64_t offset, uint64_t bytes, uint64_t file_bytes) {
    return offset <= file_bytes && bytes <= file_bytes - offset;
}

/* Whether everything that the header promises lies in the file. */
static bool is_whole(FILE *file, const ElfW(Ehdr) * header, uint64_t file_bytes) {
    ElfW(Phdr) segment;
    for (int i = 0; i < header->e_phnum; i++) {
        uint64_t at = header->e_phoff + (uint64_t)i * header->e_phentsize;
        if (!read_at(file, at, &segment, sizeof segment))
            return false;
        if (segment.p_type == PT_LOAD && !lies_in(segment.p_offset, segment.p_filesz, file_bytes))
            return false;
    }
    return lies_in(header->e_shoff, (uint64_t)header->e_shnum * header->e_shentsize, file_bytes);
}

bool gn__elf_is_cut_off(const char *path, uint64_t file_bytes) {
    ElfW(Ehdr) header;
    FILE *file = fopen(path, "rb");
    bool native = file && read_at(file, 0, &header, sizeof header) &&
                  memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
                  header.e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
    bool cut_off = native && !is_whole(file, &header, file_bytes);
    if (file)
        fclose(file);
    return cut_off; /* what is no such file at all is left to the dynamic loader's judgement */
}
