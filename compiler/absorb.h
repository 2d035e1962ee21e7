/* absorb.h - what the files share that take out of inference what no row changes: absorb.c (which values, and tensors
 * for parts of them), absorb_form.c (values as a scale and a shift), absorb_weights.c (scales into weights). */
#ifndef NNC_ABSORB_H
#define NNC_ABSORB_H

#include "simplify.h"

struct absorbing {
	struct graph *g;
	bool known;	     /* what depends on params only is computed while compiling */
	bool stepped;	     /* there is a recurrence: a call may be for one step of it */
	equation_list *list; /* part inference */
	int at;		     /* the place in it that is looked at: */
	struct equation *eq; /* an equation there, or in the scan there */
	struct expr *read;   /* in whose terms its value is written: a read, or another function of the row */
	struct expr *scale;  /* of the read wherever it occurs; NULL: not met yet */
	struct expr *factor; /* the same as it is written: computed, or a tensor of its own; NULL: not yet */
	bool no_literals;    /* multiples by a number are left as they are: x and -x / 2 have the same scale */
	bool absorbed;	     /* the read's tensor has been scaled */
	bool changed;
};

/* value = scale * (read + before) + shift + rest. Only rest may have anything of the row in it. NULL: there is none. */
struct form {
	struct expr *scale, *before, *shift, *rest;
};

/* ---- absorb_form.c ---- */

/* Whether no row changes the value. */
bool is_of_params(const struct absorbing *w, const struct expr *e, const struct index *index);
bool contains_part(const struct expr *e, const struct expr *part);
/* a op b, of which either may be NULL: 0. op: EX_ADD or EX_SUB. */
struct expr *add_terms(struct graph *g, enum ex op, struct expr *a, struct expr *b);
/* e in terms of w->read; false where it is not affine in it. */
bool find_form(const struct absorbing *w, struct expr *e, struct form *form);
/* What is added to scale * read. */
struct expr *whole_shift(struct graph *g, const struct form *form, struct expr *scale);
/* Whether an element of a tensor is had more cheaply: e has a function in it, or two reads. *reads: 0. */
bool is_work(const struct expr *e, int *reads);
/* Whether the read has the same scale everywhere in e, which is w->scale then. *work: there is something to set apart.
 */
bool find_scale(struct absorbing *w, struct expr *e, bool *work);

/* ---- absorb.c ---- */

/* The place of an equation, or of the scan around it. */
int place_of(const struct absorbing *w, const struct equation *eq);
/* What the equations at `at` are to read stands before them: move it there. Returns the place of those then. */
int move_before(struct absorbing *w, int at, struct expr *value);
/* A tensor of the given indices with the name base.role, in a layer. */
struct tensor *new_tensor(struct absorbing *w, const char *base, const char *role, const char *layer, int rank,
			  const struct index *index);
/* Its equation, at a place. */
void define_tensor(struct absorbing *w, int at, struct tensor *t, const struct index *index, struct expr *value);
/* How often a value is computed: for all rows, or for one. */
int64_t count_points(const struct equation *eq, bool one_row);
/* e, which no row changes, read from a tensor of its own, if that is better and has fewer elements than `least`. */
struct expr *set_apart(struct absorbing *w, struct expr *e, const char *role, int64_t least);
/* The same for what is computed for every row: no more elements than that takes for one, and fewer than for all. */
struct expr *set_apart_of_rows(struct absorbing *w, struct expr *e, const char *role);

/* ---- absorb_weights.c ---- */

/* The scale into the sum of products that is read, directly or as a view, if nothing else reads it. */
bool scale_sum(struct absorbing *w);

#endif
