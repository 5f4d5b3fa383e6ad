/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer.h (internal) - what all optimizers share. An optimizer is a rule: a table of
 * hyperparameters, a table of states, and lines of assignments that update a parameter and its
 * states in place. Those whose update is not pointwise bring a step of their own.
 */
#ifndef GENESIS_OPTIM_OPTIMIZER_H
#define GENESIS_OPTIM_OPTIMIZER_H

#include <float.h>
#include <math.h>

#include <genesis/optim.h>

#include "../program/program.h"
#include "../tensor/tensor.h"

enum {
    GN__MAX_HYPERS = 12,
    GN__MAX_STATES = 3,
    GN__MAX_NUMBERS = 2,
    GN__MAX_LINES = 12,
    /* read: parameter, gradient, states; written: parameter, states */
    GN__MAX_STEP_OPERANDS = 3 + 2 * GN__MAX_STATES
};

#define GN__BELOW_ONE (1 - DBL_EPSILON / 2)
#define GN__ABOVE_ONE (1 + DBL_EPSILON)

/* ---- Rules */

/* How a hyperparameter is written: in the options' struct, and in a state dict. */
typedef enum gn__hyper_type {
    GN__HYPER_NUMBER,   /* a double, where 0 means the standard */
    GN__HYPER_OPTIONAL, /* a gn_optional */
    GN__HYPER_COUNT,    /* an int64_t, where 0 means the standard; an int in a state dict */
    GN__HYPER_FLAG,     /* a bool */
    GN__HYPER_FIXED,    /* not in the struct: always the standard; a bool in a state dict */
} gn__hyper_type;

typedef struct gn__hyper {
    const char *name; /* PyTorch's; of what PyTorch has in a tuple ("betas"), one of our own */
    const char *tuple;
    int place; /* in the tuple */
    gn__hyper_type type;
    size_t offset; /* in the options' struct */
    double standard, low, high;
    const char *flag;   /* name in the lines that says whether the value is not 0 */
    const char *choice; /* of a flag: the string that it is in a state dict, or else None */
} gn__hyper;

/* A hyperparameter with the name of its member. */
#define GN__HYPER(kind, options, member)                                                           \
    .name = #member, .type = (kind), .offset = offsetof(options, member)
#define GN__NUMBER(options, member) GN__HYPER(GN__HYPER_NUMBER, options, member)
#define GN__OPTIONAL(options, member) GN__HYPER(GN__HYPER_OPTIONAL, options, member)
#define GN__COUNT(options, member) GN__HYPER(GN__HYPER_COUNT, options, member)
#define GN__FLAG(options, member) GN__HYPER(GN__HYPER_FLAG, options, member), .high = 1

typedef struct gn__state_info {
    const char *name;  /* PyTorch's */
    const char *alias; /* in the lines */
    int needs;         /* the hyperparameter that must not be 0; 0: always there */
    int starts_at;     /* 1 + the hyperparameter that it begins with; 0: zeros */
} gn__state_info;

/* Scalars of a call, by the names that the lines have for them. */
enum { GN__MAX_SCALARS = 10 };
typedef struct gn__scalars {
    int n;
    const char *name[GN__MAX_SCALARS];
    gn_scalar value[GN__MAX_SCALARS];
} gn__scalars;

static inline void gn__scalar(gn__scalars *list, const char *name, double value) {
    list->name[list->n] = name;
    list->value[list->n++].f = value;
}

typedef struct gn__group gn__group;
typedef struct gn__slot gn__slot;

typedef struct gn__rule {
    const char *name; /* "adam": of the operation, in messages and traces */
    const gn__hyper *hypers;
    int n_hypers; /* the first one is lr */
    /* An error unless the values fit each other; NULL: each is checked alone. */
    gn_status (*check)(const char *op, const double *value);

    gn__state_info states[GN__MAX_STATES];
    const char *numbers[GN__MAX_NUMBERS]; /* kept for each parameter, in the state dict, too */
    bool silent_steps;                    /* the state dict has no "step" */

    /* Pointwise optimizers. Names: p, g, the states' aliases, flags, scalars. */
    gn__assignment lines[GN__MAX_LINES];
    /* The scalars of update number `step`, from 1, and the next values of the numbers. */
    void (*scalars)(const gn__group *group, int64_t step, double *numbers, gn__scalars *out);

    /* Others update a parameter by operations (NULL: by lines), with states of their own shapes
     * (false: this parameter has no such state; NULL: the parameter's shape). */
    gn_status (*update)(const gn__group *group, gn__slot *slot, gn_tensor *gradient);
    bool (*state_shape)(const gn_tensor *parameter, int state, gn_shape *shape);

    /* Or they do everything, in a step that needs its closure, with a memory of their own: saved
     * to and loaded from the first parameter's entry (NULL: none). Loading changes nothing when it
     * fails. */
    gn_tensor *(*step)(gn_optimizer *optimizer, gn_closure *closure, void *context);
    gn_status (*save)(gn_optimizer *optimizer, gn_dict *entry);
    gn_status (*load)(gn_optimizer *optimizer, const gn_dict *entry);
    void (*forget)(void *memory);
} gn__rule;

/* ---- Optimizers */

/* A parameter and what the optimizer keeps for it. */
struct gn__slot {
    gn_tensor *parameter;
    gn_tensor *state[GN__MAX_STATES]; /* NULL before the first step */
    int64_t step;                     /* updates so far */
    double number[GN__MAX_NUMBERS], next_number[GN__MAX_NUMBERS];
};

struct gn__group {
    const gn__rule *rule;
    double value[GN__MAX_HYPERS]; /* by the rule's numbers */
    gn_dict *extra;               /* what schedules note here: "initial_lr", "max_lr", .. */
    int begin, end;               /* its slots */
    uint32_t flags;               /* bit k: value k is not 0 */
    const gn_program *programs[GN_N_DTYPES]; /* for these flags */
};

struct gn_optimizer {
    gn__object object;
    const gn__rule *rule;
    double standard[GN__MAX_HYPERS]; /* what it was made with */
    int n_groups, n_slots;
    gn__group *groups;
    gn__slot *slots; /* those of the groups, in order */
    void *memory;    /* of the rule */
    /* Of one step: n_slots each; made at the first step. */
    struct gn__launch *launches;
    struct gn__operand *operands; /* GN__MAX_STEP_OPERANDS per slot */
    gn_scalar *scalars;           /* GN__MAX_SCALARS per slot */
};

/* An optimizer over the tensors of a dict, owned by the scope. `options` is the struct that the
 * rule's hyperparameters point into, or NULL. */
gn_optimizer *gn__optimizer_new(const gn__rule *rule, gn_dict *parameters, const void *options);

/* An error GN_E_ARGUMENT unless low <= value <= high. */
bool gn__in_range(const char *op, const char *name, double value, double low, double high);

/* Hyperparameters: the number of one by name, or -1; whether all of a group's are fit; what follows
 * from a change of them. */
int gn__hyper_find(const gn__rule *rule, const char *name);
gn_status gn__hypers_check(const gn__rule *rule, const char *op, const double *value);
void gn__group_changed(gn__group *group);

/* Whether the group's hyperparameters ask for the rule's state k. */
static inline bool gn__uses_state(const gn__group *group, int k) {
    const gn__state_info *info = &group->rule->states[k];
    return info->name && (info->needs == 0 || group->flags >> info->needs & 1);
}
/* Whether the parameter has state k in that group, and its shape. */
bool gn__has_state(const gn__group *group, const gn_tensor *parameter, int k, gn_shape *shape);

#endif
