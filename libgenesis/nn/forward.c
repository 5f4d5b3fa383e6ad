/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward.c - running a module: its hooks, and the members that are computed before each run.
 *
 * The order is PyTorch's: forward pre-hooks, the forward function, forward hooks. Full backward
 * hooks stand as two nodes in the graph, around what the forward function records: the one behind
 * the output keeps the output's gradient, and the one before the input calls the hooks. Where the
 * input needs no gradient, there is only the first, which then calls them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "module.h"

/* ---- Registration of hooks */

static int64_t add_hook(const char *op, gn_module *module, gn__hook_kind kind, gn_module_hook *fn,
                        void *context) {
    if (!gn__is_module(op, module))
        return gn_error_status();
    if (fn == NULL)
        return gn_fail(GN_E_ARGUMENT, op, "the function is NULL");
    struct gn_module_state *s = module->state;
    if (gn__grow((void **)&s->hooks, &s->hooks_capacity, s->n_hooks, sizeof *s->hooks) != GN_OK)
        return gn_error_status();
    s->hooks[s->n_hooks++] = (gn__module_hook){++s->last_hook, kind, fn, context};
    return s->last_hook;
}

int64_t gn_register_forward_pre_hook(gn_module *module, gn_module_hook *fn, void *context) {
    return add_hook("register_forward_pre_hook", module, GN__HOOK_PRE, fn, context);
}

int64_t gn_register_forward_hook(gn_module *module, gn_module_hook *fn, void *context) {
    return add_hook("register_forward_hook", module, GN__HOOK_FORWARD, fn, context);
}

int64_t gn_register_full_backward_hook(gn_module *module, gn_module_hook *fn, void *context) {
    return add_hook("register_full_backward_hook", module, GN__HOOK_BACKWARD, fn, context);
}

gn_status gn_remove_module_hook(gn_module *module, int64_t handle) {
    static const char op[] = "remove_module_hook";
    if (!gn__is_module(op, module))
        return gn_error_status();
    struct gn_module_state *s = module->state;
    size_t i = 0;
    while (i < s->n_hooks && s->hooks[i].handle != handle)
        i++;
    if (i == s->n_hooks)
        return gn_fail(GN_E_ARGUMENT, op, "%s has no hook %lld", module->type->name,
                       (long long)handle);
    memmove(&s->hooks[i], &s->hooks[i + 1], (--s->n_hooks - i) * sizeof *s->hooks);
    return GN_OK;
}

/* ---- Running hooks */

/* The first hook of a kind with a handle above `after`: hooks may remove themselves. */
static const gn__module_hook *next_hook(const gn_module *module, gn__hook_kind kind,
                                        int64_t after) {
    const struct gn_module_state *s = module->state;
    for (size_t i = 0; i < s->n_hooks; i++)
        if (s->hooks[i].kind == kind && s->hooks[i].handle > after)
            return &s->hooks[i];
    return NULL;
}

/* `value` (NULL: a gradient that is not wanted) after the hooks of a kind. */
static gn_tensor *run_hooks(gn_module *module, gn__hook_kind kind, gn_tensor *value,
                            gn_tensor *other) {
    int64_t handle = 0;
    for (const gn__module_hook *h; (h = next_hook(module, kind, handle)) && !gn__failed();) {
        handle = h->handle;
        gn_tensor *changed = h->fn(module, value, other, h->context);
        if (changed && value)
            value = changed;
    }
    return gn__failed() ? NULL : value;
}

/* ---- Full backward hooks */

/* One run of a module with backward hooks; both nodes hold it. */
typedef struct backward_call {
    gn__object object;
    gn_module *module;      /* retained */
    gn_tensor *grad_output; /* retained, from one node's turn to the other's */
    bool input_needs;       /* there is a node before the input */
} backward_call;

static void destroy_call(void *object) {
    backward_call *call = object;
    gn_release(call->module);
    gn_release(call->grad_output);
    free(call);
}

static const gn__kind call_kind = {.name = "backward_call", .destroy = destroy_call};

static void release_call(void *data) { gn_release(*(void **)data); }

static gn_status output_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    backward_call *call = *(void **)node->data;
    out[0] = grads[0];
    if (call->input_needs) {
        gn_retain(grads[0]);
        gn_release(call->grad_output);
        call->grad_output = grads[0];
    } else {
        run_hooks(call->module, GN__HOOK_BACKWARD, NULL, grads[0]);
    }
    return gn_error_status();
}

static gn_status input_backward(gn__node *node, gn_tensor *const *grads, gn_tensor **out) {
    backward_call *call = *(void **)node->data;
    gn_tensor *changed = run_hooks(call->module, GN__HOOK_BACKWARD, grads[0], call->grad_output);
    if (changed && (!gn__same_shape(changed, grads[0]) || changed->dtype != grads[0]->dtype))
        return gn_fail(GN_E_ARGUMENT, "full_backward_hook",
                       "it turned a %s gradient %s into a %s one %s",
                       gn_dtype_name(grads[0]->dtype), gn__shape_of(grads[0]),
                       gn_dtype_name(changed->dtype), gn__shape_of(changed));
    out[0] = changed;
    return gn_error_status();
}

static const gn__node_class output_node = {
    .name = "backward_hook", .backward = output_backward, .destroy = release_call};
static const gn__node_class input_node = {
    .name = "backward_hook", .backward = input_backward, .destroy = release_call};

/* x behind a node of the call: a tensor of its own with the same data. */
static gn_tensor *behind(const gn__node_class *type, backward_call *call, gn_tensor *x) {
    gn_tensor *twin = gn_detach(x);
    gn__node *node = twin ? gn__record(type, twin, 1, &x, sizeof(void *)) : NULL;
    if (node == NULL)
        return NULL;
    *(void **)node->data = gn_retain(call);
    return twin;
}

/* The call, or NULL if there is nothing to hook; *x becomes what goes in. */
static backward_call *begin_call(gn_module *module, gn_tensor **x) {
    if (next_hook(module, GN__HOOK_BACKWARD, 0) == NULL || !gn_is_grad_enabled() || *x == NULL)
        return NULL;
    backward_call *call = gn__own(gn__object_new(&call_kind, sizeof *call));
    if (call == NULL)
        return NULL;
    call->module = gn_retain(module);
    call->input_needs = gn__recording(1, x);
    if (call->input_needs)
        *x = behind(&input_node, call, *x);
    return call;
}

/* ---- Members computed before each run */

gn_status gn__derived_add(gn_module *module, const char *name, gn_tensor *rest,
                          gn__derive *compute) {
    struct gn_module_state *s = module->state;
    if (gn__grow((void **)&s->derived, &s->derived_capacity, s->n_derived, sizeof *s->derived) !=
        GN_OK)
        return gn_error_status();
    char *copy = gn__strdup(name);
    if (copy)
        s->derived[s->n_derived++] =
            (gn__derived){.name = copy, .rest = gn_retain(rest), .compute = compute};
    return gn_error_status();
}

gn__derived *gn__derived_find(const gn_module *module, const char *name) {
    const struct gn_module_state *s = module->state;
    for (size_t i = 0; i < s->n_derived; i++)
        if (name && strcmp(s->derived[i].name, name) == 0)
            return &s->derived[i];
    return NULL;
}

void gn__derived_remove(gn_module *module, const char *name, gn_tensor *rest) {
    struct gn_module_state *s = module->state;
    gn__derived *d = gn__derived_find(module, name);
    gn__repoint(module, d->rest, rest);
    gn_release(d->rest);
    free(d->name);
    const size_t i = (size_t)(d - s->derived);
    memmove(d, d + 1, (--s->n_derived - i) * sizeof *d);
}

void gn__derived_follow(gn_module *module, const void *old, const void *rest) {
    struct gn_module_state *s = module->state;
    for (size_t i = 0; i < s->n_derived && rest; i++)
        if (s->derived[i].rest == old) {
            s->derived[i].rest = gn_retain(rest);
            gn_release((void *)old);
        }
}

void gn__derived_free(struct gn_module_state *s) {
    for (size_t i = 0; i < s->n_derived; i++) {
        free(s->derived[i].name);
        gn_release(s->derived[i].rest);
    }
    free(s->derived);
}

/* Members point to the values, owned by the scope, until leave. A module that runs inside its own
 * forward goes on with those that it has. False if there is nothing to leave. */
static bool enter_derived(gn_module *module) {
    struct gn_module_state *s = module->state;
    if (s->n_derived == 0 || s->derived[0].value)
        return false;
    for (size_t i = 0; i < s->n_derived; i++) {
        gn__derived *d = &s->derived[i];
        d->value = d->compute(module, d->name);
        if (d->value == NULL)
            break;
        gn__repoint(module, d->rest, d->value);
    }
    return true;
}

static void leave_derived(gn_module *module) {
    struct gn_module_state *s = module->state;
    for (size_t i = 0; i < s->n_derived; i++) {
        gn__derived *d = &s->derived[i];
        if (d->value)
            gn__repoint(module, d->value, d->rest);
        d->value = NULL;
    }
}

/* ---- Which module runs */

typedef struct lookup {
    const gn_module *module;
    char *name;
    size_t bytes;
} lookup;

static void note_name(const char *name, gn_module *module, void *context) {
    lookup *l = context;
    if (module == l->module)
        snprintf(l->name, l->bytes, "%s", name);
}

/* "layers.0.fc (Linear)": each module that runs is found below the one that runs it. */
static void describe(const gn__running *r, char *text, size_t bytes) {
    const gn_module *module = r->module;
    char name[GN__NAME_BYTES] = "";
    size_t used = 0;
    text[0] = '\0';
    if (r->outer) {
        describe(r->outer, text, bytes);
        used = strcspn(text, " ("); /* the path, without its class */
        gn__modules_walk(r->outer->module, note_name, &(lookup){module, name, sizeof name});
    }
    snprintf(text + used, bytes - used, "%s%s%s(%s)", used && *name ? "." : "", name,
             used || *name ? " " : "", module->type->name);
}

/* ---- Forward */

static gn_tensor *run_hooked(gn_module *module, gn_tensor *x, gn__module_forward *forward,
                             void *context) {
    x = run_hooks(module, GN__HOOK_PRE, x, NULL);
    backward_call *call = begin_call(module, &x);
    const bool entered = enter_derived(module);
    const uint32_t version = x ? atomic_load(&x->storage->version) : 0;
    gn_tensor *y = gn__failed() ? NULL : forward(module, x, context);
    if (entered)
        leave_derived(module);
    if (y && call && call->input_needs && atomic_load(&x->storage->version) != version)
        return gn__fail_null(GN_E_STATE, module->type->name,
                             "it has full backward hooks, and changes its input in place: the "
                             "input's own history would not know");
    y = y ? run_hooks(module, GN__HOOK_FORWARD, y, x) : NULL;
    return y && call && gn__recording(1, &y) ? behind(&output_node, call, y) : y;
}

gn_tensor *gn__module_run(gn_module *module, gn_tensor *x, gn__module_forward *forward,
                          void *context) {
    gn__thread *self = gn__self();
    const gn__running running = {self->running, module, describe};
    const bool plain = module->state->n_hooks == 0 && module->state->n_derived == 0;
    self->running = &running;
    gn_scope scope = gn_scope_begin();
    gn_tensor *y = plain ? forward(module, x, context) : run_hooked(module, x, forward, context);
    y = gn_scope_end_with(scope, y);
    self->running = running.outer;
    return y;
}

static gn_tensor *run_forward(gn_module *module, gn_tensor *x, void *context) {
    (void)context;
    return module->type->forward(module, x);
}

gn_tensor *gn_forward(gn_module *module, gn_tensor *x) {
    if (!gn__is_module("forward", module) || !gn__given(module->type->name, x))
        return NULL;
    if (module->type->forward == NULL)
        return gn__fail_null(GN_E_UNSUPPORTED, module->type->name, "this module has no forward");
    return gn__module_run(module, x, run_forward, NULL);
}

static gn_tensor *run_loss(gn_module *module, gn_tensor *input, void *target) {
    return module->type->loss(module, input, target);
}

gn_tensor *gn_loss(gn_module *criterion, gn_tensor *input, gn_tensor *target) {
    if (!gn__is_module("loss", criterion) || !gn__given(criterion->type->name, input) ||
        !gn__given(criterion->type->name, target))
        return NULL;
    if (criterion->type->loss == NULL)
        return gn__fail_null(GN_E_UNSUPPORTED, criterion->type->name,
                             "this module is no loss of two arguments");
    return gn__module_run(criterion, input, run_loss, target);
}

static gn_tensor *run_invoke(gn_module *module, gn_tensor *first, void *context) {
    gn_tensor_array *inputs = context;
    inputs->tensor[0] = first;
    return module->type->invoke(module, inputs->tensor);
}

gn_tensor *gn_invoke_n(gn_module *module, gn_tensor_array inputs) {
    if (!gn__is_module("invoke", module))
        return NULL;
    const gn_module_class *type = module->type;
    for (int64_t i = 0; i < inputs.n && i < (int64_t)GN_LENGTH(inputs.tensor); i++)
        if (!gn__given(type->name, inputs.tensor[i]))
            return NULL;
    if (inputs.n == 1)
        return gn_forward(module, inputs.tensor[0]);
    if (inputs.n == 2 && type->loss)
        return gn_loss(module, inputs.tensor[0], inputs.tensor[1]);
    if (type->invoke == NULL || inputs.n != type->inputs)
        return gn__fail_null(GN_E_ARGUMENT, type->name, "%lld inputs are given, but it has %d",
                             (long long)inputs.n,
                             type->invoke ? type->inputs
                             : type->loss ? 2
                                          : 1);
    return gn__module_run(module, inputs.tensor[0], run_invoke, &inputs);
}
