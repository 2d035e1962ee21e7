/* chain.h - what the files of the chain rule share.
 *
 *   differentiate.c       the walk over the equations, backwards        differentiate_loss.c  the backward part of a
 * model contribute.c          one equation: what it gives to its reads      differentiate_scan.c  one recurrence
 *   adjoint.c             one value: the adjoints of its reads          order.c               equations into scans
 *   derivative.c          one function of numbers
 *   gather.c subscript.c  R[a(l)] += f(l) solved for R[j]               accumulate.c          T.grad from its parts
 *   stride.c              the same where a window moves by steps */
#ifndef NNC_CHAIN_H
#define NNC_CHAIN_H

#include "graph.h"

/* One run of the chain rule. */
struct chain {
	struct graph *g;
	unsigned char *known; /* derivative.c: facts about expressions by id, each found out when first asked */
	size_t room;
	struct expr *value, *self; /* the value being differentiated, and a read of where it is kept, or itself */
	const char *suffix;	   /* of the adjoints' names */
	equation_list *out;
};

/* One contribution to the adjoint of `to`. As given to solve_term: to.grad[sub...] += value over all indices. After it
 * either free, nfree == to->rank: element [slot 0, 1, ...] is the sum of value over the other indices; or a scatter,
 * with every target inside, in which the first nfree indices are those of the targets. */
struct term {
	struct tensor *to;
	const struct tensor *from; /* whose equation it came from */
	struct span at;
	bool scatter;
	bool keep_gather; /* whatever it costs, if the subscripts are affine */
	bool compare;	  /* and by comparison where they are not: a scatter is not possible */
	int nfree, n;
	struct index *index; /* free ones may lack a name */
	struct expr **sub;   /* to->rank */
	struct expr *value;
	struct expr *where; /* NULL, or what fixes some free indices, which value does not use: 0 elsewhere */
};

/* A scan and those around it. */
struct scan_level {
	const struct scan *scan;
	const struct scan_level *outer;
};

/* What is known of a tensor (tensor.pass) while the walk runs. */
struct adjoint {
	struct tensor *tensor;
	const struct equation *defined; /* by the first of its equations; NULL: from outside */
	const struct scan_level *level; /* the scan that defines it, or NULL */
	bool active;			/* a gradient passes from it to a tensor asked for */
	bool scattered;			/* more than one equation adds to it */
	LIST(struct term) terms;
	LIST(struct tensor *) views; /* views of it that have an adjoint */
	struct tensor *grad;	     /* given, or made when it is closed; NULL: 0 */
	bool open;		     /* the adjoint of its scan is being made: grad is there, its equation is not */
	bool closed;		     /* nothing is to come; grad is final */
	bool noted;		     /* in a list of those to close behind an equation: */
	struct adjoint *next_leaf;
	int place; /* order.c: of its equation, from 1; 0: none */
};

/* ---- derivative.c ---- */

/* A convention where a function has no derivative; the reference prints the table. */
struct kink {
	const char *at, *derivative;
};
const struct kink *chain_kinks(int *n);
/* What node hands to its argument k when it has the adjoint `adj`: adj * d node / d arg[k]. Literal 0 for an argument
 * that has no derivative. */
struct expr *pull_back(struct chain *c, struct expr *node, int k, struct expr *adj);
/* May argument k of node have a derivative? Decides by the types and the operator alone. */
bool passes_gradient(const struct expr *node, int k);
/* a + b, where select(c, x, 0) + select(c, 0, y) is select(c, x, y). a may be NULL. */
struct expr *add_adjoints(struct graph *g, struct expr *a, struct expr *b);
bool has_draw(struct chain *c, const struct expr *e);

/* ---- adjoint.c ---- */

typedef bool wanted_fn(const struct tensor *t);
struct read_adjoint {
	struct expr *read, *adjoint;
};
typedef LIST(struct read_adjoint) read_adjoint_list;
/* The adjoint of each read of a wanted tensor in c->value, given that of the value. c->self is set. */
void differentiate_value(struct chain *c, const struct index *index, struct expr *adjoint, wanted_fn *wanted,
			 read_adjoint_list *out);
/* The wanted reads that it would come to. */
void find_wanted_reads(struct graph *g, struct expr *value, wanted_fn *wanted, expr_list *out);

/* ---- subscript.c ---- */

/* May subscript d of a read of t leave the tensor, as far as the ranges of the indices tell? */
bool may_leave(const struct tensor *t, int d, const struct expr *sub, const struct index *index);
/* All subscripts of a read lie inside its tensor: a chain of `and`, without what the ranges prove. */
struct expr *inside_condition(struct graph *g, const struct expr *read, const struct index *index);
/* A read without the quotients, remainders and the guard that the ranges make needless. */
struct expr *tidy_read(struct graph *g, struct expr *read, const struct index *index);
/* e with all reads tidied, and `else 0` for each that may leave its tensor and has no else value. */
struct expr *guard_reads(struct graph *g, struct expr *e, const struct index *index);
bool is_affine_term(const struct term *term);
/* Replace the loops of a term that its subscripts use as i // d or i % d by digits. */
void split_quotients(struct graph *g, struct term *term);

/* ---- stride.c ---- */

/* Of each axis of a tensor: 0, or it is taken as two, j = by*q + r + first. */
struct strides {
	int64_t by[MAX_SLOTS], first[MAX_SLOTS];
	int n; /* axes */
};
/* A term for the tensor with these axes; false: it has none that are split. */
bool split_strides(struct graph *g, const struct term *term, struct term *split, struct strides *strides);
/* What has been solved for that tensor as a term for the real one. */
void join_strides(struct graph *g, const struct tensor *to, const struct strides *strides, struct term *term);

/* ---- gather.c ---- */

/* False where the term is 0. */
bool solve_term(struct graph *g, struct term *term);

/* ---- contribute.c ---- */

/* The terms that an equation whose tensor has the adjoint `grad` gives to what it reads. */
void add_contributions(struct chain *c, const struct equation *eq, struct tensor *grad);

/* ---- accumulate.c ---- */

/* A new real tensor that belongs to `of`; axis may be that of `of`. */
struct tensor *adjoint_tensor(struct graph *g, const struct tensor *of, const char *name, int rank,
			      const struct axis *axis);
const char *adjoint_name(struct chain *c, const struct tensor *t);
/* The free indices of an equation for T.grad, named as where T is defined, or as in a term that names them, or NULL. */
struct index *free_indices(struct graph *g, const struct adjoint *a);
/* Append an equation to c->out; its indices get names that nothing else has. */
struct equation *append_equation(struct chain *c, struct tensor *t, enum reducer red, int nfree, int n,
				 struct index *index, struct expr *value, struct span at);
/* Append the equations of T.grad, from all that came; a->grad NULL if nothing did. */
void close_adjoint(struct chain *c, struct adjoint *a);
/* Append what scatters give to T.grad as a tensor of its own, and put one term in their place. */
void set_scatters_apart(struct chain *c, struct adjoint *a);

/* ---- differentiate.c ---- */

struct adjoint *adjoint_of(struct graph *g, struct tensor *t);
bool is_active(const struct tensor *t);
/* What an equation whose tensor has the adjoint `grad` leaves with the tensors that it reads. */
void hand_back(struct chain *c, const struct equation *eq, struct tensor *grad);
/* As differentiate, but where grad[k] is not NULL on entry that tensor is defined. */
void differentiate_into(struct graph *g, const equation_list *eqs, struct tensor *of, struct tensor *const *wrt, int n,
			const char *suffix, equation_list *out, struct tensor **grad);

/* ---- differentiate_scan.c, order.c ---- */

/* The adjoint of a scan with `depth` scans around it, from what the readers behind it have left with its tensors. */
void differentiate_scan(struct chain *c, const equation_list *body, int depth, struct span at);
/* Append equations whose reads of each other may form cycles over the steps of scans: what is on a cycle as scans in
 * the reverse of those that define it, everything in an order that respects the reads. */
void append_ordered(struct chain *c, const equation_list *eqs, int depth, struct span at);

/* ---- simplify.c ---- */

/* Every stop(x) is x from here on. */
void drop_stops(struct graph *g);

#endif
