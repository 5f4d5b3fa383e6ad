/* SPDX-License-Identifier: Apache-2.0 */
/*
 * autograd.h - gradients by reverse-mode automatic differentiation.
 *
 * Operations on tensors that require a gradient record a graph; gn_backward walks it in reverse and
 * adds to the gradients of its leaves. In-place operations are recorded, too; they are refused on
 * leaves that require a gradient, and a backward walk that needs a value changed since is an error.
 *
 * Modes (recording, inference, looking for NaN) are those of the calling thread.
 */
#ifndef GENESIS_AUTOGRAD_H
#define GENESIS_AUTOGRAD_H

#include <genesis/shape_ops.h>

#ifdef __cplusplus
extern "C" {
#endif

GN_API bool gn_requires_grad(const gn_tensor *t);
/* Starts or stops recording for a leaf of floating-point dtype. Borrowed t. */
GN_API gn_tensor *gn_requires_grad_(gn_tensor *t, bool requires_grad);
/* Made by the user, not by a recorded operation. */
GN_API bool gn_is_leaf(const gn_tensor *t);
/* The name of the operation that made t: "matmul"; NULL for leaves. Static. */
GN_API const char *gn_grad_fn(const gn_tensor *t);
/* Keeps the gradient of a tensor that is not a leaf, too: what its hooks leave of it. */
GN_API gn_status gn_retain_grad(gn_tensor *t);

/* The gradient accumulated so far; borrowed, and NULL without an error if there is none. */
GN_API gn_tensor *gn_grad(const gn_tensor *t);
/* Replaces the gradient; NULL forgets it. Same shape, dtype and device as t. */
GN_API gn_status gn_set_grad(gn_tensor *t, gn_tensor *grad);

typedef struct gn_backward_options {
    size_t struct_size;
    gn_tensor *gradient; /* of t; needed unless t has one element */
    bool retain_graph;   /* keep saved tensors for another walk */
    /* Record the walk itself, for gradients of gradients; retains the graph. A leaf's gradient then
     * holds the leaf: gn_set_grad(leaf, NULL) ends that. */
    bool create_graph;
    /* gn_backward only: accumulate into these tensors, leaves or not, and no others. */
    gn_tensor *const *inputs;
    int n_inputs; /* 0: all leaves */
} gn_backward_options;

/* Adds d t / d leaf to the gradient of every leaf that t depends on. The graph's saved tensors are
 * freed on the way, so a second walk is an error unless retain_graph was set. */
#define gn_backward(...) GN_CALL1(gn_backward_with, gn_backward_options, __VA_ARGS__, )
GN_API gn_status gn_backward_with(gn_tensor *t, const gn_backward_options *options);

/* The gradients of t with respect to n inputs (leaves or not), after their hooks and without
 * touching the .grad of leaves. Only what leads to the inputs is walked. out[i] is owned by the
 * scope, and NULL if t does not depend on inputs[i]. */
GN_API gn_status gn_gradients(gn_tensor *t, int n, gn_tensor *const *inputs, gn_tensor **out,
                              const gn_backward_options *options);

/* ---- Modes. Each function returns what was, to be set again in the end:
 * bool was = gn_set_grad_enabled(false); .. gn_set_grad_enabled(was); */

/* Whether this thread records. */
GN_API bool gn_is_grad_enabled(void);
GN_API bool gn_set_grad_enabled(bool enabled);

/* Inference: nothing is recorded, and what is made meanwhile never takes part in recording: outside
 * of the mode it can't be changed in place, require a gradient, or be needed by one. */
GN_API bool gn_is_inference_mode_enabled(void);
GN_API bool gn_set_inference_mode(bool enabled);
/* Whether t was made in that mode. */
GN_API bool gn_is_inference(const gn_tensor *t);

/* Looks for NaN in what recorded operations compute, and in the gradients of a walk. The first one
 * is an error GN_E_STATE that names the operation, its shapes, and the module whose forward ran it.
 * Slow: it waits for the device after each operation. */
GN_API bool gn_is_detect_anomaly_enabled(void);
GN_API bool gn_set_detect_anomaly(bool enabled);

/* ---- Hooks. They run in the order of registration, each once per walk, when the gradient is
 * complete. One that is registered while hooks of the tensor run waits for the next walk; a change
 * in place leaves them with the value that the tensor had before. */

/* Calls fn with each gradient that reaches t; what it returns replaces the gradient, NULL keeps it.
 * Returns a handle > 0 for gn_remove_hook, or a negative status. */
typedef gn_tensor *gn_hook(gn_tensor *gradient, void *context);
GN_API int64_t gn_register_hook(gn_tensor *t, gn_hook *fn, void *context);
/* Calls fn with a leaf each time after gn_backward has added to its gradient: gn_grad(leaf). */
typedef void gn_accumulated_hook(gn_tensor *leaf, void *context);
GN_API int64_t gn_register_post_accumulate_grad_hook(gn_tensor *leaf, gn_accumulated_hook *fn,
                                                     void *context);
GN_API gn_status gn_remove_hook(gn_tensor *t, int64_t handle);

/* ---- Functions of one's own */

typedef struct gn_function_context gn_function_context;

typedef struct gn_function {
    const char *name;
    /* Computes the outputs; runs without recording. May save tensors for backward. */
    gn_status (*forward)(gn_function_context *context, gn_tensor *const *inputs, int n_inputs,
                         gn_tensor **outputs, int n_outputs);
    /* grads[i] is the gradient of output i, or NULL for zero. Sets input_grads[k] for each input
     * that needs one (gn_function_needs_grad); NULL means zero. */
    gn_status (*backward)(gn_function_context *context, gn_tensor *const *grads, int n_outputs,
                          gn_tensor **input_grads, int n_inputs);
    size_t state_bytes; /* of gn_function_state, copied from `state` in gn_function_apply */
    /* backward does more than call operations of this library, so that it can't be recorded: then
     * gradients of its gradients are an error. */
    bool once_differentiable;
} gn_function;

/* Runs fn and records it. state may be NULL if state_bytes is 0. */
GN_API gn_status gn_function_apply(const gn_function *fn, const void *state,
                                   gn_tensor *const *inputs, int n_inputs, gn_tensor **outputs,
                                   int n_outputs);
/* In forward: keeps a tensor (an input, output or other); in backward: gets it, in the order saved.
 */
GN_API gn_status gn_function_save(gn_function_context *context, gn_tensor *t);
GN_API gn_tensor *gn_function_saved(gn_function_context *context, int i);
GN_API void *gn_function_state(gn_function_context *context);
GN_API bool gn_function_needs_grad(const gn_function_context *context, int input);

/* ---- Checkpoints: less memory for more time */

/* Computes the outputs from the inputs, and from what else it uses: parameters get gradients, too.
 * It must do the same each time, change none of its inputs in place, and register no hooks. */
typedef gn_status gn_checkpointed(gn_tensor *const *inputs, int n_inputs, gn_tensor **outputs,
                                  int n_outputs, void *context);

typedef struct gn_checkpoint_options {
    size_t struct_size;
    /* Called when the graph needs the context no more, or on an error; NULL: it outlives them. */
    void (*free_context)(void *context);
    bool no_preserve_rng_state; /* the second run takes other random numbers */
} gn_checkpoint_options;

/* Runs fn without keeping what its operations need for backward: at most 10 inputs are kept, and
 * the walk runs fn again from them, with the default generator's state of the first time, so that
 * dropout drops the same. Checkpoints nest. outputs[i] is owned by the scope. While
 * gn_set_detect_anomaly is on, fn is recorded as if there were no checkpoint. */
GN_API gn_status gn_checkpoint(gn_checkpointed *fn, void *context, gn_tensor *const *inputs,
                               int n_inputs, gn_tensor **outputs, int n_outputs,
                               const gn_checkpoint_options *options);

/* ---- Derivatives of functions. fn computes one tensor from n inputs; it is given ones that share
 * the data of `inputs` and require a gradient. All return fn's result, without history. */

typedef gn_tensor *gn_differentiable(gn_tensor *const *inputs, void *context);

/* vjp[i] = v^T (d fn / d input i), of that input's shape, zeros where fn does not depend on it. v:
 * of the result's shape; NULL is 1 for a result of one element. */
GN_API gn_tensor *gn_vjp(gn_differentiable *fn, void *context, int n, gn_tensor *const *inputs,
                         gn_tensor *v, gn_tensor **vjp);
/* *jvp = sum of (d fn / d input i) v[i], of the result's shape; v[i] has the shape of input i. By
 * differentiating twice: fn's operations must be twice differentiable. */
GN_API gn_tensor *gn_jvp(gn_differentiable *fn, void *context, int n, gn_tensor *const *inputs,
                         gn_tensor *const *v, gn_tensor **jvp);

/* ---- Checking gradients against finite differences */

typedef struct gn_gradcheck_options {
    size_t struct_size;
    gn_optional eps, atol, rtol; /* 1e-6, 1e-5, 1e-3 */
    bool second_order;           /* checks the gradient of the gradient, too */
} gn_gradcheck_options;

/* fn computes one tensor from n float64 inputs that require gradients. GN_OK if the gradients
 * agree; otherwise an error that shows the input, the element and both values. */
GN_API gn_status gn_gradcheck(gn_differentiable *fn, void *context, int n, gn_tensor *const *inputs,
                              const gn_gradcheck_options *options);

#ifdef __cplusplus
}
#endif
#endif
