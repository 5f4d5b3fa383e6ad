/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope.c - scopes: a thread's stack of objects to be released, and the marks where scopes begin.
 *
 * Invariants: marks[0..depth) never decrease, and none is above n_owned. The objects of the scope
 * number k (from 1) are owned[marks[k - 1] .. marks[k]), those below marks[0] are the root scope's.
 */
#include "internal.h"

void *gn__own(void *object) {
    if (object == NULL)
        return NULL;
    gn__thread *self = gn__self();
    if (self->n_owned == self->owned_capacity &&
        (gn__thread_state == NULL || gn__grow((void **)&self->owned, &self->owned_capacity,
                                              self->n_owned, sizeof *self->owned) != GN_OK)) {
        gn_release(object);
        return NULL;
    }
    self->owned[self->n_owned++] = object;
    return object;
}

/* The depth of a scope counts from 1; 0 says that it could not be opened. */
gn_scope gn_scope_begin(void) {
    gn__thread *self = gn__self();
    if (self->depth == self->marks_capacity &&
        (gn__thread_state == NULL || gn__grow((void **)&self->marks, &self->marks_capacity,
                                              self->depth, sizeof *self->marks) != GN_OK))
        return (gn_scope){0, 0};
    self->marks[self->depth++] = self->n_owned;
    return (gn_scope){self->depth, self->n_owned};
}

void gn__scope_unwind(gn__thread *self, size_t depth, size_t mark) {
    self->depth = depth;
    while (self->n_owned > mark) /* one at a time: a destroy function may open scopes of its own */
        gn_release(self->owned[--self->n_owned]);
}

gn_status gn_scope_end(gn_scope scope) {
    gn__thread *self = gn__self();
    if (scope.depth == 0 || scope.depth > self->depth || self->marks[scope.depth - 1] != scope.mark)
        return gn_fail(GN_E_STATE, "scope_end",
                       "no such scope is open on this thread: it was ended before");
    gn__scope_unwind(self, scope.depth - 1, scope.mark);
    return self->status;
}

void *gn_scope_end_with(gn_scope scope, void *object) {
    gn_retain(object);
    gn_scope_end(scope);
    return gn__own(object);
}
