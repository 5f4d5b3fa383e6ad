/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of image files. */
#include <stdlib.h>
#include <unistd.h>

#include <genesis/image.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    char path[64];
    int fd = fuzz_file(bytes, n, path);
    gn_scope scope = gn_scope_begin();
    gn_tensor *image = gn_read_image(path, .max_pixels = 1 << 20);
    if ((image == NULL) != (gn_error_status() != GN_OK)) /* an error or a result, never both */
        abort();
    gn_error_clear();
    gn_scope_end(scope);
    close(fd);
    return 0;
}
