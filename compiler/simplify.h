/* simplify.h - what the files of the simplifier share: simplify.c (the order, dead equations), propagate.c (copies,
 * constants, equal equations), inline.c (element-wise producers into their only reader), absorb.c (scales into weights),
 * join.c (sums of sums), uniform.c (what the elements of an update share), winner.c (what the place of a maximum
 * chooses), slope.c (slopes beside their functions). */
#ifndef NNC_SIMPLIFY_H
#define NNC_SIMPLIFY_H

#include "graph.h"

/* What is known of a tensor (tensor.pass) while the graph is simplified. */
struct usage {
	bool fixed;		     /* keeps its equation: not ROLE_VALUE or ROLE_VIEW, or the graph names it */
	int definitions;	     /* equations that define it */
	struct equation *definition; /* the last of them */
	int part;		     /* that it stands in */
	int reads;		     /* different reads of it, counted for each equation; a view counts as 2 */
	bool repeated;		     /* inline.c: something reads it that must go on reading it */
	bool live;
	bool of_params;		     /* absorb.c: no row changes it */
	bool moves;		     /* absorb.c: a state whose next value inference gives */
	LIST(struct equation *) equations; /* that define it, for liveness */
	struct expr *value; /* propagate.c: what stands for an element, in the slots of its axes; or NULL */
};

static inline struct usage *usage_of(const struct tensor *t) { return t->pass; }

/* Set up tensor.pass: all but reads. */
void find_usage(struct graph *g);
void remove_dead(struct graph *g);
void propagate(struct graph *g);
void inline_producers(struct graph *g);
/* Requires: find_usage. Sums that become one are dead. */
void join_sums(struct graph *g);
void gather_uniform_factors(struct graph *g);
/* Requires: find_usage. */
void read_winners(struct graph *g);
/* Of a value of the forward pass: whether one equation of the backward pass alone reads it, and no view. */
bool is_kept_for_one(struct graph *g, const struct tensor *t);
/* Into the forward pass. */
void insert_behind(struct graph *g, const struct equation *behind, struct equation *eq);
/* Requires: find_usage. Tensors that it makes have none. Whether there were any. */
bool find_slopes_early(struct graph *g);
/* The same as simplify, of part inference where the params are known. */
void simplify_known(struct graph *g);
/* absorb.c. Sets usage.of_params. known: what changes between calls counts as the row's. */
void find_of_params(struct graph *g, bool known);
/* absorb.c. Requires: find_usage. known: params are, while compiling. Whether anything changed; the usage is as it was
 * then. */
bool absorb(struct graph *g, bool known);

#endif
