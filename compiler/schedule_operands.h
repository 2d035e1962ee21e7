/* schedule_operands.h - what schedule_operands.c and schedule_factors.c share. */
#ifndef NNC_SCHEDULE_OPERANDS_H
#define NNC_SCHEDULE_OPERANDS_H

#include "schedule.h"

struct operands {
	struct program *p;
	struct graph *g;
	enum part part;
	const struct equation *eq;	  /* being looked at */
	int steps;			  /* scans around it */
	equation_list *out, *first;	  /* first: before all scans */
	equation_list added;		  /* for eq, not yet in out */
	uint64_t bound;			  /* slots of eq */
	LIST(const struct tensor *) made; /* by the scans around it */
};

/* The factors of a term: those that a bound index moves, and the rest as one expression. */
struct product {
	expr_list factors;
	struct expr *outside; /* NULL: 1 */
	condition_list conditions;
};

/* A factor as it is, or in memory of its own. */
struct operand {
	struct expr *read;     /* what the sum reads; NULL: there is none */
	struct equation *copy; /* that defines it, or NULL */
	bool first;	       /* the copy stands before all scans */
	double moved;	       /* elements, of all steps */
};

/* The term of w->eq as a product of two factors at most, if it can be. */
void find_product(struct operands *w, struct product *product);
/* What tiles can read instead of factor e beside `other`, where the sum has so much work. *covers: conditions under
 * which alone it is not 0 anyway. */
struct operand find_operand(struct operands *w, struct expr *e, struct expr *other, double work,
			    condition_list *covers);
/* How far a slot moves the first read of e that it moves: copies keep the order of what they copy. */
int64_t reach(struct operands *w, struct expr *e, int s);
/* A copy of e with an axis for every index that it depends on, the last one `inner` if not negative; no operand where
 * that would be large, or is not possible. */
struct operand copy_by_indices(struct operands *w, struct expr *e, struct expr *other, int inner, double work);

/* The equation w->eq in the form that tiles take, what it needs in w->added; NULL where it has that form, or cannot have
 * it. */
struct equation *with_operands(struct operands *w);
/* Cycles to copy an element to a place far from the last one's. */
double move_cycles(const struct operands *w);

/* fn for the equations of init, update and average, which read values of the other parts as they lie. */
void visit_other_parts(struct graph *g, void (*fn)(void *user, struct equation *eq), void *user);

/* schedule_phases.c: the equation as a sum over phases of its indices, and *back, which is to stand behind it; NULL where
 * it is none. */
struct equation *in_phases(struct operands *w, struct equation **back);
/* The equation as a map, if it divides free indices and sums over few terms; or NULL. */
struct equation *write_out_sum(struct operands *w);
/* schedule_turn.c: the equation in that form, or one that makes the same from the results in another order. cycles: of all
 * rows and of one, what is in w->added with it. */
struct equation *in_best_order(struct operands *w, struct equation *eq, double cycles[2]);
/* schedule_border.c: the list with values that are made within the border which their copies have. */
equation_list merge_borders(struct program *p, const equation_list *list);
/* schedule_operands.c: the better of these; w->added stands before it. */
struct equation *sum_in_best_form(struct operands *w, struct equation *eq, double cycles[2]);

#endif
