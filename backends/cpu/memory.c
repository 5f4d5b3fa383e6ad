/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - blocks of the host's memory. The host library caches them, so they may be slow. */
#include "cpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Blocks from here on are mapped at multiples of a huge page, and ask for such pages. */
enum { HUGE_PAGE = 2 << 20, MAPPED_FROM = 2 * HUGE_PAGE };

static uint64_t padded(uint64_t bytes, uint64_t unit) { return (bytes + unit - 1) / unit * unit; }

/* `bytes`, a multiple of a huge page, at such a multiple; NULL if there is no memory. */
static void *map_huge(uint64_t bytes) {
    char *all =
        mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    const uint64_t before = padded((uintptr_t)all, HUGE_PAGE) - (uintptr_t)all;
    if (before > 0)
        munmap(all, before);
    if (before < HUGE_PAGE)
        munmap(all + before + bytes, HUGE_PAGE - before);
#if defined(MADV_HUGEPAGE)
    madvise(all + before, bytes, MADV_HUGEPAGE);
#endif
    return all + before;
}

gn_status cpu_alloc(gn_device *device, uint64_t bytes, gn_mem **out) {
    (void)device;
    *out = NULL;
    if (cpu_is_forked())
        return cpu_fail_forked();
    gn_mem *mem = malloc(sizeof *mem);
    const bool possible = mem && bytes <= (uint64_t)INT64_MAX - 2 * HUGE_PAGE;
    if (possible && bytes >= MAPPED_FROM)
        mem->base = map_huge(padded(bytes, HUGE_PAGE));
    else if (possible)
        mem->base = aligned_alloc(GN_MEM_ALIGNMENT, padded(bytes ? bytes : 1, GN_MEM_ALIGNMENT));
    if (!possible || !mem->base) {
        free(mem);
        return cpu_fail(GN_E_MEMORY, 0, "no memory for a block of %llu bytes",
                        (unsigned long long)bytes);
    }
    mem->bytes = bytes;
    mem->wrapped = false;
    *out = mem;
    return GN_OK;
}

gn_status cpu_wrap(gn_device *device, void *memory, uint64_t bytes, gn_mem **out) {
    (void)device;
    *out = NULL;
    if (cpu_is_forked())
        return cpu_fail_forked();
    gn_mem *mem = malloc(sizeof *mem);
    if (!mem)
        return cpu_fail(GN_E_MEMORY, 0, "no memory for a block");
    *mem = (gn_mem){.base = memory, .bytes = bytes, .wrapped = true};
    *out = mem;
    return GN_OK;
}

void cpu_free(gn_device *device, gn_mem *mem) {
    (void)device;
    if (!mem || cpu_is_forked())
        return;
    if (!mem->wrapped && mem->bytes >= MAPPED_FROM)
        munmap(mem->base, padded(mem->bytes, HUGE_PAGE));
    else if (!mem->wrapped)
        free(mem->base);
    free(mem);
}

gn_status cpu_upload(gn_device *device, gn_stream *stream, gn_mem *target, uint64_t offset,
                     const void *source, uint64_t bytes) {
    (void)device, (void)stream;
    if (cpu_is_forked())
        return cpu_fail_forked();
    if (offset > target->bytes || bytes > target->bytes - offset)
        return cpu_fail(GN_E_ARGUMENT, 0, "upload of %llu bytes at %llu leaves the block of %llu",
                        (unsigned long long)bytes, (unsigned long long)offset,
                        (unsigned long long)target->bytes);
    if (bytes > 0)
        memcpy((char *)target->base + offset, source, bytes);
    return GN_OK;
}

gn_status cpu_download(gn_device *device, gn_stream *stream, void *target, const gn_mem *source,
                       uint64_t offset, uint64_t bytes) {
    (void)device, (void)stream;
    if (cpu_is_forked())
        return cpu_fail_forked();
    if (offset > source->bytes || bytes > source->bytes - offset)
        return cpu_fail(GN_E_ARGUMENT, 0, "download of %llu bytes at %llu leaves the block of %llu",
                        (unsigned long long)bytes, (unsigned long long)offset,
                        (unsigned long long)source->bytes);
    if (bytes > 0)
        memcpy(target, (const char *)source->base + offset, bytes);
    return GN_OK;
}

void *cpu_host_pointer(gn_device *device, gn_mem *mem) {
    (void)device;
    return cpu_is_forked() ? NULL : mem->base;
}

/* Free is what the kernel could give without swapping. */
gn_status cpu_memory_info(gn_device *device, uint64_t *free_bytes, uint64_t *total_bytes) {
    (void)device;
    if (cpu_is_forked())
        return cpu_fail_forked();
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    *total_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * page;
    *free_bytes = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * page;
    FILE *file = fopen("/proc/meminfo", "re");
    char line[256];
    unsigned long long kilobytes;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1)
            *free_bytes = kilobytes * 1024;
    if (file)
        fclose(file);
    return GN_OK;
}
