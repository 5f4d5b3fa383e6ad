/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sheet.c - images of the data set as one BMP picture in base64, which every browser shows. BMP has
 * 256 shades of grey without compression, so no library is needed.
 */
#include <stdlib.h>
#include <string.h>

#include "report.h"

enum { FILE_HEADER = 14, INFO_HEADER = 40, PALETTE = 256 * 4 };

static void put_u32(unsigned char *at, uint32_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static void write_headers(unsigned char *bmp, uint32_t bytes, uint32_t rows) {
    memcpy(bmp, "BM", 2);
    put_u32(bmp + 2, bytes);
    put_u32(bmp + 10, FILE_HEADER + INFO_HEADER + PALETTE);
    unsigned char *info = bmp + FILE_HEADER;
    put_u32(info, INFO_HEADER);
    put_u32(info + 4, SIDE);
    put_u32(info + 8, rows);
    put_u32(info + 12, 8 << 16 | 1); /* 8 bits a pixel, 1 plane */
    put_u32(info + 32, 256);
    for (uint32_t grey = 0; grey < 256; grey++)
        put_u32(info + INFO_HEADER + 4 * grey, grey * 0x10101);
}

static void write_base64(FILE *out, const unsigned char *data, size_t n) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16;
        three |= i + 1 < n ? (uint32_t)data[i + 1] << 8 : 0;
        three |= i + 2 < n ? data[i + 2] : 0;
        putc(letters[three >> 18], out);
        putc(letters[three >> 12 & 63], out);
        putc(i + 1 < n ? letters[three >> 6 & 63] : '=', out);
        putc(i + 2 < n ? letters[three & 63] : '=', out);
    }
}

gn_status sheet_write(FILE *out, gn_dataset *dataset, const int64_t *images, int n) {
    uint32_t rows = (uint32_t)(SIDE * n), start = FILE_HEADER + INFO_HEADER + PALETTE;
    uint32_t bytes = start + rows * SIDE; /* 28 is a multiple of 4: rows need no padding */
    unsigned char *bmp = calloc(bytes, 1);
    if (bmp == NULL)
        return gn_fail(GN_E_MEMORY, "report", "no memory for the picture of the images");
    write_headers(bmp, bytes, rows);
    for (int i = 0; i < n; i++) {
        float pixels[PIXELS];
        gn_scope scope = gn_scope_begin();
        gn_copy_out(gn_select(gn_dataset_x(dataset), 0, images[i]), pixels, GN_F32, PIXELS);
        if (gn_scope_end(scope) != GN_OK)
            break;
        for (int row = 0; row < SIDE; row++) {
            unsigned char *line = bmp + start + SIDE * (rows - 1 - (uint32_t)(SIDE * i + row));
            for (int k = 0; k < SIDE; k++) /* rows go from the bottom to the top */
                line[k] = (unsigned char)(pixels[SIDE * row + k] * 255 + 0.5f);
        }
    }
    fputs("data:image/bmp;base64,", out);
    write_base64(out, bmp, bytes);
    free(bmp);
    return gn_error_status();
}
