/* plan_group.h - what one function of the generated C computes: equations, loops around them, and where these are cut.
 *
 * Part of plan.h. A stage is an equation with its loops, a group the stages that share a function. schedule_groups.c,
 * schedule_loops.c, schedule_pieces.c and schedule_shape.c make them. */
#ifndef NNC_PLAN_GROUP_H
#define NNC_PLAN_GROUP_H

#include "plan_tile.h"

/* How an equation's elements come about. */
enum form {
	FORM_MAP,    /* one expression an element */
	FORM_DOT,    /* an accumulator an element, the bound loops inside */
	FORM_ROW,    /* a row of the tensor accumulates in memory: the last free index runs innermost */
	FORM_SCATTER /* every loop adds to an element found by subscripts */
};

/* What affine conditions say: value >= 0. */
typedef LIST(struct affine) condition_list;

/* A scan around groups. Each of its steps is a call of every one of them in turn, over all samples; for a function the
 * step is a number that it is given. */
struct step_loop {
	const struct scan *scan;
	const struct step_loop *outer;
};

/* Where the loop over an index is cut: pieces [at[k], at[k + 1]). In piece `whole`, if by > 0, the index is taken as
 * at[whole] + by*q + r with a loop over q, and in it one over r; so it is in others that are as long. */
enum { MOST_PIECES = 6, MOST_CUTS = 4 };
struct cut {
	int slot, n;
	int64_t at[MOST_PIECES + 1];
	int64_t by;
	int whole, high; /* high: the slot of q, and behind it that of r */
};

enum { SUM_LANES = 16 };

/* An equation within a group. Its loops are the group's shared ones and then `loop`, outermost first. */
struct stage {
	struct equation *eq;
	const struct equation *written; /* as the list of equations has it: eq may have fewer loops, or none */
	int n_steps; /* scans around it; the slots of their steps are the first behind the sample's */
	enum form form;
	struct expr *term;	/* eq->value without what `conditions` say already */
	struct expr **target;	/* SCATTER: eq->target likewise */
	expr_list exprs, reads; /* every distinct one within eq->value; READs within eq->target as well */
	condition_list
		conditions;   /* the term counts only where all hold: bounds of the accumulating loops, else tests */
	int n_loop;
	int8_t loop[64];      /* slots, those of the group's shared loops not among them */
	int n_free;	      /* the first n_free of loop are free indices that run outside of the accumulation */
	struct tile *tile;    /* NULL, or how a machine with vectors computes it; and where there is but one row: */
	struct tile *row_tile; /* the same pointer where tiles do not care */
	int lanes;	  /* DOT: partial results, of sums up to SUM_LANES, side by side in the innermost loop; 1: none */
	int64_t from, to; /* written out: this range of elements of a row; to 0: all */
	struct cut cut[MOST_CUTS]; /* of the nest of loops that begins here, outermost first */
	int n_cut;
	struct equation *wide; /* eq with the slots of all q and r behind its own, where cuts of its nest have these */
	const struct equation *adds; /* NULL, or it is added to what the tensor holds: the sum that it is a multiple of */
	bool joins;	  /* stands in the free loops of the stage before, element by element */
	bool clears;	  /* SCATTER: nothing has set the tensor before */
	bool local;	  /* only this group reads it, element by element: it needs no memory */
};

static inline const struct tile *tile_of(const struct stage *stage, bool one_row)
{
	return one_row ? stage->row_tile : stage->tile;
}

/* How several threads make what a group makes; see schedule_team.c. */
enum cut_along {
	CUT_NOTHING, /* one of them does all */
	CUT_SAMPLES,
	CUT_ROWS, /* the first index of what it makes */
	CUT_ELEMENTS
};

/* Equations that become one function: loops that are fused. */
struct group {
	struct stage_list {
		struct stage **item;
		int n, room;
	} stages;
	int depth;		       /* slots 0..depth-1 are loops around all stages */
	bool written_out;	       /* no loops but those over rows */
	const struct step_loop *steps; /* the innermost scan around it, or NULL */
	int64_t steady_from, steady_to; /* its steps in which all tests on them are decided alike; to 0: no such tests */
	bool flat; /* element by element over whole tensors: one loop over all elements, whatever the shape */
	enum part part;
	unsigned readers;    /* INFERENCE: which calls need it, a bit each */
	struct sweep *sweep; /* CALL_STEP: it takes part in one, or NULL */
	bool alone;	     /* for one sample, whose row is 0 */
	bool backwards;	     /* the outermost loop runs from its end */
	struct expr *zero;   /* or NULL: where this is 0, the outermost loop has nothing to do */
	enum cut_along cut;  /* CALL_TEAM_STEP; and: */
	int phase;	     /* how often threads have met before */
	int thread;	     /* that makes all of it: CUT_NOTHING, or CUT_ELEMENTS where they are few */
	int64_t unit[TARGET_COUNT]; /* CUT_ROWS: so many are made together on each machine */
};
typedef LIST(struct group *) group_list;
/* Whether what computes a batch would be written alike for a sample alone. */
bool serves_one_row(const struct group *group);

/* An update that follows its gradient block by block; see schedule_sweep.c. */
struct sweep {
	struct group *make, *use;    /* the gradient's group and the update's, in this order in the list of CALL_STEP */
	struct group *alone;	     /* does both where there is but one sample, or NULL */
	struct group *added;	     /* does both where there are more, and needs no gradient; or NULL */
	int64_t row;		     /* elements of a row of the gradient */
	int64_t block[TARGET_COUNT]; /* rows of a block on each machine */
	int64_t room;		     /* rows that have memory: up to two blocks but one, or all: then there are no blocks */
};
/* The group's function is told how many rows to make. */
static inline bool makes_blocks(const struct group *group)
{
	return group->sweep && group->sweep->make == group &&
	       group->sweep->room < group->stages.item[0]->eq->index[0].extent;
}
/* The update behind the gradient of a sweep. */
static inline bool is_swept(const struct group *group) { return group->sweep && group->sweep->use == group; }
/* CALL_STEP: the sweep that goes through a gradient, or NULL. */
struct sweep *sweep_of(const struct tensor *grad);

static inline int count_steps(const struct group *group) { return group->steps ? group->steps->scan->depth + 1 : 0; }
/* Whether the slot of an equation within n_steps scans is the step of one of them. */
static inline bool is_step(const struct equation *eq, int n_steps, int slot)
{
	return eq->kind == EQ_MAP && slot >= eq->tensor->batched && slot < eq->tensor->batched + n_steps;
}
/* A read of what another step has made. */
bool reads_other_step(const struct expr *read, const struct equation *eq, int n_steps);
/* Whether the elements of a stage are complete only after loops that have stored parts of them. */
bool accumulates_in_memory(const struct group *group, const struct stage *stage);
/* init and update know of no rows: what has a sample axis is set for the whole batch. */
static inline bool has_run_time_rows(const struct group *group)
{
	return group->part != PART_INIT && group->part != PART_UPDATE && group->part != PART_AVERAGE;
}

/* Whether a group, which stands in a strip, adds up what belongs to samples. */
static inline bool sums_samples(const struct group *group) { return !group->stages.item[0]->eq->tensor->batched; }
/* The slot of the innermost step. */
int step_slot(const struct group *group, const struct stage *stage);
/* Multiply-adds (or terms) of an equation for one row and step. */
double stage_cost(const struct stage *stage);
/* The first n subscripts of a read are slots 0..n-1. */
bool reads_identity(const struct expr *read, int n);
/* A read of the element that the equation makes, of a tensor of the same shape. */
bool reads_element(const struct expr *read, const struct equation *eq);
/* Whether a read in a flat equation is of the element that the equation makes. */
bool is_elementwise(const struct expr *read, const struct equation *eq);
/* Elements from what group reads of a tensor for row 0 to what it reads for row 1; false: it is not always the same. */
bool row_shift(const struct group *group, const struct tensor *root, int64_t *shift);
/* The conditions under which a guarded read is inside. Subscripts that are not affine keep their tests. */
void guard_conditions(struct graph *g, condition_list *list, const struct index *index, const struct expr *read);
/* restrict.c: what a term of the equation is while its indices are in these ranges. */
struct expr *restrict_term(struct graph *g, const struct equation *eq, struct expr *term,
			   const struct piece_ranges *ranges);

#endif
