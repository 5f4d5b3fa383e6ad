/* SPDX-License-Identifier: Apache-2.0 */
/* char_gpt - trains a small GPT on a text, saves it, loads it again and writes with it. */
#include "generate.h"
#include "train.h"

static gn_status run(const options *o) {
    saved s;
    if (o->device)
        gn_set_default_device(o->device);
    gn_manual_seed((uint64_t)o->seed);
    if (!o->load && train(o) != GN_OK)
        return gn_error_status();
    gn_manual_seed((uint64_t)o->seed); /* --load writes what the training wrote */
    if (saved_read(&s, o->load ? o->load : o->out) != GN_OK)
        return gn_error_status();
    return generate(&s, o);
}

int main(int argc, char **argv) {
    options o;
    int status = options_parse(&o, argc, argv);
    if (status != OPTIONS_GO_ON)
        return status;
    status = run(&o) == GN_OK ? 0 : 1;
    gn_perror("char_gpt");
    gn_shutdown();
    return status;
}
