/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.c - reference-counted objects.
 * The count is atomic. Whoever sees 1 holds the only reference, so nobody can change it: the common
 * last release needs no locked instruction.
 */
#include "internal.h"

void *gn__object_new(const gn__kind *kind, size_t bytes) {
    gn__object *object = gn__alloc(bytes);
    if (object == NULL)
        return NULL;
    object->kind = kind;
    atomic_init(&object->references, 1);
    return object;
}

void *gn_retain(const void *object) {
    gn__object *header = (gn__object *)object;
    if (header)
        atomic_fetch_add_explicit(&header->references, 1, memory_order_relaxed);
    return header;
}

/* Destroys an object, then those whose last reference that gave back, and so on. */
static void destroy(gn__object *object) {
    gn__thread *self = gn__self();
    if (self->destroying) {
        if (gn__grow((void **)&self->dead, &self->dead_capacity, self->n_dead,
                     sizeof *self->dead) == GN_OK)
            self->dead[self->n_dead++] = object;
        else
            object->kind->destroy(object); /* no memory for the queue: recursion is what is left */
        return;
    }
    if (gn__thread_state == NULL) { /* the shared state of a thread without memory */
        object->kind->destroy(object);
        return;
    }
    self->destroying = true;
    object->kind->destroy(object);
    while (self->n_dead > 0) {
        object = self->dead[--self->n_dead];
        object->kind->destroy(object);
    }
    self->destroying = false;
}

void gn_release(void *object) {
    gn__object *header = object;
    if (header == NULL)
        return;
    if (atomic_load_explicit(&header->references, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&header->references, 1, memory_order_acq_rel) != 1)
        return;
    destroy(header);
}
