/* chain.h - what the files of the chain rule share: derivative.c (scalar rules), adjoint.c (one equation's value),
 * gather.c (solving scatters), differentiate.c (the walk over equations). */
#ifndef NNC_CHAIN_H
#define NNC_CHAIN_H

#include "graph.h"

/* One run of the chain rule. */
struct chain {
	struct graph *g;
	unsigned char *known; /* facts about expressions by id, each found out when first asked */
	size_t room;
	struct expr *value, *self; /* the value being differentiated, and a read of where it is kept, or itself */
	const char *suffix;	   /* of the adjoints' names */
	equation_list *out;
};

/* A convention where a function has no derivative; the reference prints the table. */
struct kink {
	const char *at, *derivative;
};
const struct kink *chain_kinks(int *n);

/* derivative.c: what node hands to its argument k when it has the adjoint `adj`: adj * d node / d arg[k]. Literal 0 for
 * an argument that has no derivative. */
struct expr *pull_back(struct chain *c, struct expr *node, int k, struct expr *adj);
/* May argument k of node have a derivative? Decides by the types and the operator alone. */
bool passes_gradient(const struct expr *node, int k);
/* a + b, where select(c, x, 0) + select(c, 0, y) is select(c, x, y). */
struct expr *add_adjoints(struct graph *g, struct expr *a, struct expr *b);

/* Is there a random draw in e? */
bool has_draw(struct chain *c, const struct expr *e);

/* adjoint.c: the adjoint of each read of a wanted tensor in a value, given that of the value. */
struct read_adjoint {
	struct expr *read, *adjoint;
};
typedef LIST(struct read_adjoint) read_adjoint_list;
typedef bool wanted_fn(const struct tensor *t);
/* c->value is the value, c->self set. */
void differentiate_value(struct chain *c, const struct index *index, struct expr *adjoint, wanted_fn *wanted,
			 read_adjoint_list *out);
/* The wanted reads that the sweep would come to. */
typedef LIST(struct expr *) expr_list;
void find_wanted_reads(struct graph *g, struct expr *value, wanted_fn *wanted, expr_list *out);
/* All subscripts of a read lie inside its tensor: a chain of `and`, without what the indices' ranges prove. */
struct expr *inside_condition(struct graph *g, const struct expr *read, const struct index *index);
/* May subscript d of a read of t leave the tensor, as far as the ranges of the indices tell? */
bool may_leave(const struct tensor *t, int d, const struct expr *sub, const struct index *index);

/* gather.c: one contribution to the adjoint of `to`. As given to solve_term: to.grad[sub...] += value over all indices.
 * After it either free (nfree == to->rank: element [slot 0, 1, ...] is the sum of value over the other indices) or,
 * where the subscripts cannot be solved, a scatter (nfree 0) with every target inside. */
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
/* A read without the quotients, remainders and the guard that the indices' ranges make needless. */
struct expr *tidy_read(struct graph *g, struct expr *read, const struct index *index);
/* False where the term is 0. */
bool solve_term(struct graph *g, struct term *term);

/* A scan and those around it. */
struct scan_level {
	const struct scan *scan;
	const struct scan_level *outer;
};

/* What is known of a tensor (tensor.pass) while the walk runs. */
struct adjoint {
	struct tensor *tensor;
	const struct equation *defined; /* by the first of its equations; NULL: from outside */
	bool active;			/* a gradient passes from it to a tensor asked for */
	bool scattered;			/* more than one equation adds to it */
	bool closed;			/* no contribution is to come; grad is final */
	LIST(struct term) terms;
	LIST(struct tensor *) views; /* views of it that have an adjoint */
	struct tensor *grad;	     /* its adjoint: given, or made when it is closed; NULL: 0 */
	bool noted;
	struct adjoint *next_leaf;	/* of those to close behind the same equation */
	const struct scan_level *level; /* the scan that defines it, or NULL */
	bool open;			/* that scan's adjoint is being made: grad is there, its equation is not */
	int place;			/* in order.c: of its equation, from 1; 0: none */
};

/* contribute.c: the terms that an equation whose tensor has the adjoint `grad` gives to what it reads. */
void add_contributions(struct chain *c, const struct equation *eq, struct tensor *grad);

/* differentiate_scan.c: the adjoint of a scan, from what its tensors' readers behind it have left with them. */
void differentiate_scan(struct chain *c, const equation_list *body, struct span at);
/* order.c: append equations whose reads of each other may form cycles over the steps of scans: what is on a cycle as
 * scans in the reverse of those that levels name, everything in an order that respects the reads. */
void append_ordered(struct chain *c, const equation_list *eqs, struct span at);

/* differentiate.c: names and makes what is common to the files above. */
struct tensor *adjoint_tensor(struct graph *g, const struct tensor *of, const char *name, int rank,
			      const struct axis *axis);
/* Append an equation; its indices get names that nothing else has. of: whose axes the free ones are, or NULL. */
struct equation *append_equation(struct chain *c, struct tensor *t, enum reducer red, int nfree, int n,
				 struct index *index, struct expr *value, struct span at);
struct adjoint *adjoint_of(struct graph *g, struct tensor *t);
const char *adjoint_name(struct chain *c, const struct tensor *t);
/* T.grad from all that came. */
void close_adjoint(struct chain *c, struct adjoint *a);
/* What an equation with the adjoint grad leaves with the tensors that it reads. */
void hand_back(struct chain *c, const struct equation *eq, struct tensor *grad);
/* What scatters give to T.grad, as a tensor of its own: one term less or none. */
void set_scatters_apart(struct chain *c, struct adjoint *a);
/* As differentiate, but where grad[k] is not NULL on entry that tensor is defined. */
void differentiate_into(struct graph *g, const equation_list *eqs, struct tensor *of, struct tensor *const *wrt, int n,
			const char *suffix, equation_list *out, struct tensor **grad);

/* simplify.c: every stop(x) is x from here on. */
void drop_stops(struct graph *g);

#endif
