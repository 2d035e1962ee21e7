/* schedule.h - how the equations of a graph are computed: which together, in which loops, in which calls.
 *
 * schedule.c decides and emit_*.c obeys: nothing about the order of loops, the fusion of equations or what is
 * written out is decided while C is written. The parts of a graph become four lists of groups; every public
 * function of the generated C (a call) runs some of these groups in order. */
#ifndef NNC_SCHEDULE_H
#define NNC_SCHEDULE_H

#include "graph.h"

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

/* The kinds of machine that a generated file may be compiled for, as in nnc_target. */
enum target { TARGET_AVX512, TARGET_AVX2, TARGET_SSE2, TARGET_NEON, TARGET_COUNT };
enum { TILE_SUMS = 4, TILE_MEMOS = 64, LEAST_OF_MAP = 48 /* elements of what the host's vector instructions do */ };

/* What a tile may look like on a machine. */
struct machine {
	int lanes, registers;	/* of vectors: reals in one, how many there are */
	bool fused;		/* multiply-add is one instruction */
	int rows, cols;		/* the most in an outer product */
	int dot_rows, dot_cols; /* and in a dot product */
	int sums;		/* loops within a tile */
};
/* Tiles are so small that loads and what counts the steps are as many instructions as the multiply-adds. */
static inline bool is_narrow(const struct machine *machine) { return machine->fused && machine->registers <= 16; }

/* An index as the tiles see it, perhaps made of several: how far it moves in the factors A and B and in the result. */
struct tile_axis {
	int slot; /* the innermost one's; -1: no index */
	int64_t extent;
	bool rows;
	int64_t a, b, t;
};
struct tile_size {
	int lanes;	    /* of the vectors */
	int row[2], col[2]; /* elements of the tiled indices; of an outer product col[0] counts vectors */
};

/* A loop around the tiles. */
struct tile_loop {
	struct tile_axis axis;
	/* of the tile that it moves along; SUM: the outermost, of which the tile adds a part; NONE: by 1 */
	enum { SIDE_NONE, SIDE_ROW, SIDE_COLUMN, SIDE_VECTOR, SIDE_SUM } side;
	int number; /* which row or column index */
};

/* The operand that is copied into a panel, in the order in which a tile reads it. */
enum panel { PANEL_NONE, PANEL_A, PANEL_B };

/* A sum of products in tiles; see schedule_tile.c. */
struct tile {
	const struct expr *a, *b; /* the factors; b is read by vectors */
	struct expr *scale;	  /* NULL, or T is not set but moved by so many times the sum */
	bool dot;
	bool across; /* vectors lie along the samples: results are turned as they are stored */
	bool adds; /* to the result, which is 0 at first: some sums are loops around it */
	bool rests; /* at the end of an index there are smaller ones, and none overlap */
	struct tile_axis row[2], col[2];
	struct tile_axis sum[TILE_SUMS]; /* innermost first */
	int n_sum;
	struct tile_size size[TARGET_COUNT];
	enum panel panel;
	int ahead;	       /* steps of the innermost sum by which B is asked for before it is read, or 0 */
	int asks;	       /* the loop whose next round reads what is asked for at each step of the sums, or -1 */
	int outside;	       /* the first loops, which move the operand of the panel: it is filled inside of them */
	bool turned;	       /* while it is: what lies side by side are elements of the innermost sum */
	struct tensor *memory; /* for it */
	int n_loop;
	struct tile_loop loop[MAX_SLOTS]; /* outermost first; a stage's tile has memory for n_loop of them only */
};
/* Whether one is the other but for loops over rows. */
bool same_but_for_rows(const struct tile *a, const struct tile *b);
/* Elements of a panel for each step of the sums. */
int64_t panel_places(const struct tile *tile, int target);

/* Where the loop over an index is cut: pieces [at[k], at[k + 1]). In piece `whole`, if by > 0, the index is taken as
 * at[whole] + by*q + r with a loop over q, and in it one over r; so it is in others that are as long. */
enum { MOST_PIECES = 6, MOST_CUTS = 4 };
struct cut {
	int slot, n;
	int64_t at[MOST_PIECES + 1];
	int64_t by;
	int whole, high; /* high: the slot of q, and behind it that of r */
};

/* What is known of indices in a piece of their loops. */
struct piece_ranges {
	uint64_t known; /* slots */
	struct range of[MAX_SLOTS];
};

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
	int n_loop, loop[64]; /* slots, those of the group's shared loops not among them */
	int n_free;	      /* the first n_free of loop are free indices that run outside of the accumulation */
	struct tile *tile;    /* NULL, or how a machine with vectors computes it; and where there is but one row: */
	struct tile *row_tile; /* the same pointer where tiles do not care */
	int lanes;	  /* DOT: partial sums that run side by side in the innermost loop; 1: none */
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
	enum cut_along cut;  /* CALL_TEAM_STEP */
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

enum call {
	CALL_INIT,
	CALL_FORWARD,
	CALL_FORWARD1,
	CALL_LOSS,
	CALL_METRICS,
	CALL_METRICS2, /* a second pass over the evaluated set */
	CALL_METRICS_FINISH,
	CALL_BACKWARD,
	CALL_UPDATE,
	CALL_STEP,
	CALL_STREAM,
	CALL_AVERAGE,
	CALL_TEAM_STEP,
	CALL_COUNT
};
static inline bool is_step_call(enum call call) { return call == CALL_STEP || call == CALL_TEAM_STEP; }
/* Whether a call is for one sample, whose index is 0 everywhere. */
static inline bool is_one_row(enum call call) { return call == CALL_FORWARD1 || call == CALL_STREAM; }

/* Where a tensor's elements are while a call runs. */
enum memory {
	MEM_NONE, /* nowhere: a local of its group's function, or not used by this call */
	MEM_WORK,
	MEM_WORK_INT, /* offset in work's reals, integers */
	MEM_PARAMS,
	MEM_GRADS, /* offset in flat */
	MEM_STATE, /* a field of its own */
	MEM_RULE,  /* offset in the flat array of the optimiser's state `rule` */
	MEM_SCRATCH,
	MEM_SCRATCH_INT, /* offset in the state's scratch (init, update) */
	MEM_LOCAL,	 /* an array in the public function */
	MEM_INPUT,
	MEM_TARGET,
	MEM_OUTPUT,
	MEM_STREAM,  /* a field of its own of what a stream keeps */
	MEM_METRIC,  /* the host's; metric: offset in the array */
	MEM_TOTAL,   /* a field of the totals */
	MEM_AVERAGE, /* offset in flat of the params that average gives */
	MEM_DATA,    /* a table of constants */
	MEM_OWN	     /* of a thread in a team */
};
struct storage {
	enum memory memory;
	int64_t offset;
	const char *rule; /* RULE */
};

/* What scheduling and placing know of a tensor; tensor->pass points to it from schedule() on. */
struct layout {
	struct tensor *root;  /* whose memory it is: a view's origin */
	struct group *group;  /* that defines it, or NULL */
	struct group *reader; /* the only group that reads it, when there is one */
	int readers;	      /* groups that read it (2: two or more) */
	bool kept;	      /* has a meaning outside of the functions: output, metric, loss, gradient, next value */
	unsigned need;	      /* INFERENCE: calls that need it */
	unsigned once;	      /* bit a: axis a, of the steps of a scan, has one element of memory for all of them */
	struct storage storage[CALL_COUNT];
	int64_t strip_rows[CALL_COUNT]; /* samples that have memory; 0: all of the call */
	struct buffer *buffer; /* place.c: in the call that is being placed */
	int dies;	       /* place.c: the last of the call's groups that uses it */
	int number;	       /* early_updates.c, schedule_strips.c, keep.c: scratch */
	int pointer;	       /* emit: number of its variable in the public function that is being written */
	const char *c_name;    /* emit: the identifier for it; NULL before it is asked for */
};
static inline struct layout *layout_of(const struct tensor *t) { return t->pass; }
static inline struct tensor *root_of(const struct tensor *t) { return layout_of(t)->root; }

/* A value that a call hands back, and where. */
struct result {
	struct tensor *value;
	int64_t index; /* place among the outputs, or of its first number among the metrics */
};

struct program;
/* A total over the evaluated set, and what each call of its pass adds to it. */
struct total {
	struct tensor *tensor, *part;
	enum reducer red;
	int pass; /* from 1 */
};
/* Whether a call finds a total as the program's reals, a copy of the field; else it reads the field itself. */
bool is_converted(const struct program *p, const struct total *total);

/* Groups [first, last] of a call that a strip of so many samples goes through before the next one; see
 * schedule_strips.c. */
struct strip {
	int first, last;
	int64_t rows;
};

/* A public function of the generated C. */
struct call_plan {
	bool present;
	group_list groups;
	LIST(struct strip) strips;
	LIST(struct tensor *)
	next; /* NEXT tensors that must be copied to what they are the next value of, at the end */
	LIST(struct result) copies;   /* outputs that are not computed in place */
	int64_t work, work_int;	      /* elements of work that it uses */
	int64_t integers_at;	      /* where its integers begin in work's */
	int64_t alive, alive_int;     /* the most of them that mean something at the same time */
	struct tensor *largest[3];    /* the largest reals among these, NULL: no more */
	int64_t scratch, scratch_int; /* of the state's scratch */
	bool reads_state, writes_state;
	bool sweeps; /* some updates follow their gradients */
};

/* Room for what lives during a call, whichever it is. One call may need the most reals and another one the most integers:
 * where that makes a difference, each call has its integers behind its own reals, in one block. */
struct space {
	int64_t reals, integers; /* elements */
	bool overlaid;		 /* a union of them, not one behind the other */
};

/* Alike states of an optimiser, one for each param that has it, in the order of the params. */
struct rule_state {
	const char *name;
	LIST(struct tensor *) states;
	int64_t size;
};

/* Inference one step at a time, of one sample's sequence. */
struct stream {
	bool present;
	const char *refused;		       /* why there is none although there are steps, or NULL */
	equation_list equations;	       /* of a step */
	LIST(struct tensor *) kept;	       /* states: what later steps need of earlier ones; 0 at first */
	LIST(struct tensor *) inputs, outputs; /* of a step, or the whole where they have no steps */
	int *input_axis, *output_axis;	       /* of the steps, the sample's not counted; -1: none */
	int64_t limit;			       /* the most steps; 0: any number */
};

struct program {
	struct graph *g;
	LIST(struct tensor *) params; /* trained ones, then frozen ones: the order of the generated struct */
	int64_t n_trained, n_param;   /* elements */
	LIST(struct tensor *) settings, states, inputs, targets; /* states: those that stand alone */
	LIST(struct rule_state) rules;
	LIST(struct total) totals;
	struct stream *stream;
	LIST(struct tensor *) tables;	      /* DATA tensors */
	int64_t n_metric;		      /* numbers of all metrics */
	double statements;		      /* written out */
	struct machine machine[TARGET_COUNT]; /* what it is for: all targets in their order, or one */
	int n_machine;			      /* 0: no tiles */
	const struct tile_memo *tile_memos[TILE_MEMOS]; /* schedule_tile.c: a hash table of the problems it has met */
	bool in_process; /* for this machine, the first one; libtcc compiles what is not in tiles */
	bool own_code;	 /* and each tile has code of its own */
	bool maps;	 /* or in the host's vector instructions */
	group_list init, inference, training, update, streaming, average;
	struct call_plan call[CALL_COUNT];
	struct space work, work1;
	int64_t scratch, scratch_int; /* elements: the most that any call needs */
	int64_t own; /* reals that each thread of a team has for itself */
};

/* requires  a verified graph whose chain rule, if any, has run
 * keeps     the graph's parts and tensors (it uses tensor->pass; expressions may be added)
 * gives     groups and calls, every tensor's layout; place() fills in storage.
 * tiles: the routines that the code may call, or NULL: it stands alone. */
struct program *schedule(struct graph *g, const nnc_tiles *tiles);
/* Whether there is a call that takes scratch for one row. */
bool has_work1(const struct program *p);

enum {
	WRITE_OUT_LIMIT = 256, /* multiply-adds per row of a group that is written out */
	FUNCTION_LIMIT = 250,  /* the same in one function where all is written out */
	TOTAL_LIMIT = 100000   /* the same in a file */
};

/* A tensor that is not the graph's, of a type and place like another one. */
struct tensor *make_tensor(struct program *p, const struct tensor *like, enum role role, const char *name, int rank,
			   const struct axis *axis);
/* Whose memory a tensor is, when what it is a view of has changed. */
void find_root(struct tensor *t);
/* What a call gives and takes: of a stream, the slices. */
struct tensor *output_of(const struct program *p, enum call call, int k);
struct tensor *input_of(const struct program *p, enum call call, int k);

/* stream.c: one step of part inference. */
struct stream *make_stream(struct program *p);

/* schedule_groups.c: the groups of a list of equations of a part, appended to *out. */
void group_equations(struct program *p, enum part part, const equation_list *list, group_list *out);
/* Take the loops that a group shares from its stages. */
void split_loops(struct group *group);
/* Calls fn for every tensor that a group uses, as often as it does: with the layout of what it is a view of. */
enum use { MAKES, REPLACES /* the param or state of a next value that it makes */, READS };
typedef void use_fn(void *user, enum use use, struct layout *layout);
void visit_uses(const struct group *group, use_fn *fn, void *user);
double group_cost(const struct group *group);
/* The first n subscripts of a read are slots 0..n-1. */
bool reads_identity(const struct expr *read, int n);
/* A read of the element that the equation makes, of a tensor of the same shape. */
bool reads_element(const struct expr *read, const struct equation *eq);

/* schedule_shape.c: the shape of every group, and the local values. */
void finish_groups(struct program *p, group_list *list);

/* schedule_loops.c: the form of an equation and the order of its loops. */
struct stage *make_stage(struct graph *g, struct equation *eq, int n_steps);
/* schedule_terms.c: the equation, or what stands for it where it is a sum of a few terms. */
struct equation *write_out_terms(struct graph *g, struct equation *eq);
/* The same with so many terms, all that it has. */
struct equation *with_terms(struct graph *g, const struct equation *eq, int64_t terms);
/* schedule_merge.c: the equation with bound indices that move like one as one. */
struct equation *merge_bound(struct graph *g, struct equation *eq);
/* Multiply-adds (or terms) of an equation for one row and step. */
double stage_cost(const struct stage *stage);
/* The element that a read touches, counted in elements of t: *flat = constant + sum coef * slot; false if not affine.
 */
bool flat_subscript(const struct tensor *t, struct expr *const *subs, struct affine *flat);
int64_t axis_stride(const struct tensor *t, int axis);

/* schedule_pieces.c: cuts; restrict.c: what a term of the equation is while its indices are in these ranges. */
void find_pieces(struct program *p, struct group *group);
struct expr *restrict_term(struct graph *g, const struct equation *eq, struct expr *term,
			   const struct piece_ranges *ranges);
/* *out = a - b, where both are affine integers. */
bool affine_gap(const struct expr *a, const struct expr *b, struct affine *out);
/* The slot of the innermost step. */
int step_slot(const struct group *group, const struct stage *stage);

/* Elements of memory, the sample axis included at its full extent, and of one sample. */
int64_t memory_size(const struct tensor *t);
int64_t memory_sample_size(const struct tensor *t);

/* schedule_steps.c: which tensors of the list's scans need memory for one step only (layout.once). */
void keep_one_step(struct program *p, equation_list *list);

/* schedule_layout.c: the list of a part with values in other layouts, where its sums of products gain by it. */
equation_list give_layouts(struct program *p, enum part part, const equation_list *list);
/* schedule_operands.c: multiply-adds of an equation, of all rows or of one. */
double work_of(const struct equation *eq, bool one_row);
/* schedule_operands.c: the list of a part with equations added that give sums of products operands which tiles can
 * read. */
equation_list give_operands(struct program *p, enum part part, const equation_list *list);

/* e, which is a factor of a term of a sum: conditions without which it is 0 go to the list, the rest is returned. */
struct expr *peel_conditions(struct graph *g, condition_list *list, const struct index *index, struct expr *e);
/* The conditions under which a guarded read is inside. Subscripts that are not affine keep their tests. */
void guard_conditions(struct graph *g, condition_list *list, const struct index *index, const struct expr *read);

/* Whether so many multiply-adds are enough for tiles, and the options allow them. */
bool may_tile(const struct program *p, double work);
/* schedule_tile.c: the stage in tiles, or NULL where that has no form or no gain. open: slots of loops around it. */
struct tile *plan_tile(struct program *p, const struct stage *stage, enum part part, uint64_t open, bool one_row);
/* About what that would take, one step of scans; INFINITY: there is none. */
double tile_cycles(struct program *p, const struct stage *stage, enum part part, uint64_t open, bool one_row,
		   bool *dot);
/* The machines that the program is for. */
void find_machines(struct program *p, const nnc_tiles *tiles);
/* Elements of its index by which a loop goes on. */
int64_t loop_step(const struct tile *tile, const struct tile_loop *loop, int target);

/* Whether a read in a flat equation is of the element that the equation makes. */
bool is_elementwise(const struct expr *read, const struct equation *eq);

/* pack.c: offsets of pieces that live from position `born` to `dies`, both included; returns the elements that they take
 * together. *alive: the largest set that lives at once, which is the least that they can take; *when: at which
 * position it does. */
struct piece {
	int64_t size, offset;
	int born, dies;
};
int64_t pack_pieces(struct arena *arena, struct piece *piece, int n, int64_t *alive, int *when);

/* early_updates.c: the groups of a training step appended to *out, updates that follow their gradients (and with
 * early_updates all of them) as early as they can be, the others at the end. */
void order_step(struct program *p, group_list *out);

/* schedule_sweep.c: the groups of a gradient and of an update as a sweep, or NULL where that cannot be. moved: other
 * updates may run before. */
struct sweep *plan_sweep(struct program *p, struct group *make, struct group *use, bool moved);
/* Whether rows of what a group makes can be made by moving pointers: nothing else depends on the row's number. */
bool moves_by_pointers(const struct stage *stage, const struct group *make);
/* Rows that a tile makes together; 0: it has no loop over the rows alone. */
int64_t rows_at_once(const struct stage *stage, int target);
/* schedule_add.c: both as one sum that is added to the param, or NULL. */
struct group *plan_addition(struct program *p, const struct stage *sum, const struct group *use);
/* Elements from what group reads of a tensor for row 0 to what it reads for row 1; false: it is not always the same. */
bool row_shift(const struct group *group, const struct tensor *root, int64_t *shift);

/* schedule_strips.c: samples go through the groups of calls in strips, where that keeps more in the cache. */
void plan_strips(struct program *p);
/* The strip that group `at` of a call stands in, or NULL. */
const struct strip *strip_at(const struct call_plan *plan, int at);
/* The slot of the samples in an equation, or -1: of none, or of more than one. */
int samples_of(const struct equation *eq);
/* Whether an expression depends on which sample it is by nothing but what it reads of that sample, and draws for it. */
bool reads_own_sample(const struct expr *e, int samples);
/* Whether a group, which stands in a strip, adds up what belongs to samples. */
static inline bool sums_samples(const struct group *group) { return !group->stages.item[0]->eq->tensor->batched; }

/* schedule_team.c: the step shared by threads, where that pays. After place(). */
void plan_team(struct program *p);
/* Whether threads are to share steps, not the batch. */
bool is_for_team(const struct program *p);
/* Multiply-adds of backward for a whole batch, about. */
double training_cost(const struct graph *g);

/* place.c: storage of every tensor in every call, and the sizes of work. */
void place(struct program *p);
void place_fixed(struct program *p); /* place_fixed.c: of what does not depend on lifetimes */
/* overwrite.c: whether stage `at` of the group may store where `old` is. */
bool may_overwrite(const struct group *group, int at, const struct tensor *old);
/* lifetime.c: layout.dies of what the call makes and reads, results apart; the first and last group that are run again
 * and again with group `at`. */
void find_lifetimes(const struct call_plan *plan, enum call call);
int first_round(const struct call_plan *plan, int at);
int last_round(const struct call_plan *plan, int at);

#endif
