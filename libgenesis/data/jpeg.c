/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jpeg.c - JPEG files, by libjpeg-turbo (or any libjpeg). What it would print or exit for becomes an
 * error; so do warnings of damage, which it would patch up.
 */
#include "image.h"

#ifdef GN_WITH_JPEG
#include <setjmp.h>
#include <stdlib.h>

#include <jerror.h>
#include <jpeglib.h>

/* Each scan of a progressive file goes over the whole image; cameras and tools write about 10. */
enum { MAX_SCANS = 100 };

typedef struct decoder {
    struct jpeg_error_mgr errors; /* first: libjpeg gives its address */
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct jpeg;
    jmp_buf failed;
    char message[JMSG_LENGTH_MAX];
} decoder;

static void fail(j_common_ptr jpeg) {
    decoder *self = (decoder *)jpeg->err;
    jpeg->err->format_message(jpeg, self->message);
    longjmp(self->failed, 1);
}

/* Levels below 0 are warnings. Some bytes too many between two parts are common, and harmless. */
static void message(j_common_ptr jpeg, int level) {
    if (level < 0 && jpeg->err->msg_code != JWRN_EXTRANEOUS_DATA)
        fail(jpeg);
}

static void count_scans(j_common_ptr jpeg) {
    decoder *self = (decoder *)jpeg->err;
    if (self->jpeg.input_scan_number <= MAX_SCANS)
        return;
    snprintf(self->message, sizeof self->message, "more than %d scans", MAX_SCANS);
    longjmp(self->failed, 1);
}

static void decode(decoder *self, const gn__image_file *source, gn__picture *out) {
    struct jpeg_decompress_struct *jpeg = &self->jpeg;
    jpeg_create_decompress(jpeg);
    jpeg->progress = &self->progress;
    jpeg_stdio_src(jpeg, source->file);
    jpeg_read_header(jpeg, TRUE);
    if (jpeg->num_components != 1 && jpeg->num_components != 3) {
        gn_fail(GN_E_UNSUPPORTED, "read_image", "%s: JPEG of %d channels: only grey and colours",
                source->path, jpeg->num_components);
        return;
    }
    jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    *out = (gn__picture){
        .height = jpeg->image_height, .width = jpeg->image_width, .channels = jpeg->num_components};
    if (gn__picture_make(source, out) != GN_OK)
        return;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = out->pixels + jpeg->output_scanline * out->width * out->channels;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
}

gn_status gn__jpeg_read(const gn__image_file *source, gn__picture *out) {
    decoder *self = gn__alloc(sizeof *self);
    if (self == NULL)
        return gn_error_status();
    self->jpeg.err = jpeg_std_error(&self->errors);
    self->errors.error_exit = fail;
    self->errors.emit_message = message;
    self->progress.progress_monitor = count_scans;
    if (setjmp(self->failed) == 0)
        decode(self, source, out);
    else
        gn_fail(GN_E_FORMAT, "read_image", "%s: %s", source->path, self->message);
    jpeg_destroy_decompress(&self->jpeg);
    free(self);
    return gn_error_status();
}
#else
gn_status gn__jpeg_read(const gn__image_file *source, gn__picture *out) {
    (void)out;
    return gn_fail(GN_E_UNSUPPORTED, "read_image",
                   "%s: Genesis was built without libjpeg (Debian, Ubuntu: apt install "
                   "libjpeg-dev, then configure and make again)",
                   source->path);
}
#endif
