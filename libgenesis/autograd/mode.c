/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mode.c - what the thread does with operations: record them, or not, or look for NaN in them.
 */
#include "autograd.h"

bool gn_is_grad_enabled(void) { return !gn__self()->no_grad; }

/* Sets or clears a reason for not recording; whether it was set. */
static bool set_off(uint8_t reason, bool set) {
    gn__thread *self = gn__self();
    bool was = self->no_grad & reason;
    self->no_grad = (uint8_t)(set ? self->no_grad | reason : self->no_grad & ~reason);
    return was;
}

bool gn_set_grad_enabled(bool enabled) { return !set_off(GN__OFF_BY_USER, !enabled); }

bool gn_is_inference_mode_enabled(void) { return gn__self()->no_grad & GN__OFF_INFERENCE; }
bool gn_set_inference_mode(bool enabled) { return set_off(GN__OFF_INFERENCE, enabled); }

bool gn_is_inference(const gn_tensor *t) { return gn__given("is_inference", t) && t->inference; }

bool gn_is_detect_anomaly_enabled(void) { return gn__self()->seek_nan; }

bool gn_set_detect_anomaly(bool enabled) {
    gn__thread *self = gn__self();
    bool was = self->seek_nan;
    self->seek_nan = enabled;
    return was;
}
