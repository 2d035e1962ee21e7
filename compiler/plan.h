/* plan.h - the plan of the generated C: its public functions (calls), the groups each of them runs, where every tensor
 * lies meanwhile, and how much memory that takes.
 *
 * schedule.c and place.c decide and emit_*.c obeys: nothing about the order of loops, the fusion of equations or what is
 * written out is decided while C is written. The parts of a graph become lists of groups (plan_group.h); every
 * call runs some of these groups in order. */
#ifndef NNC_PLAN_H
#define NNC_PLAN_H

#include "plan_group.h"

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

/* The places of an axis outside of which a tensor is 0. */
struct inside {
	int64_t from, to;
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
	const struct inside *inside; /* by axis, of a copy that has 0 around it; or NULL */
	int number;	       /* early_updates.c, schedule_strips.c, schedule_team.c, place_team.c, keep.c: scratch */
	int pointer;	       /* emit: number of its variable in the public function that is being written */
	const char *c_name;    /* emit: the identifier for it; NULL before it is asked for */
};
static inline struct layout *layout_of(const struct tensor *t) { return t->pass; }
static inline struct tensor *root_of(const struct tensor *t) { return layout_of(t)->root; }
/* The element that a read touches, counted in elements of t: *flat = constant + sum coef * slot; false if not affine.
 */
bool flat_subscript(const struct tensor *t, struct expr *const *subs, struct affine *flat);
int64_t axis_stride(const struct tensor *t, int axis);
/* Elements of memory, the sample axis included at its full extent, and of one sample. */
int64_t memory_size(const struct tensor *t);
int64_t memory_sample_size(const struct tensor *t);
/* Calls fn for every tensor that a group uses, as often as it does: with the layout of what it is a view of. */
enum use { MAKES, REPLACES /* the param or state of a next value that it makes */, READS };
typedef void use_fn(void *user, enum use use, struct layout *layout);
void visit_uses(const struct group *group, use_fn *fn, void *user);

/* A value that a call hands back, and where. */
struct result {
	struct tensor *value;
	int64_t index; /* place among the outputs, or of its first number among the metrics */
};

/* A total over the evaluated set, and what each call of its pass adds to it. */
struct total {
	struct tensor *tensor, *part;
	enum reducer red;
	int pass; /* from 1 */
};

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

enum {
	TILE_MEMOS = 64,
	LEAST_OF_MAP = 48,   /* elements of what the host's vector instructions do */
	TOTAL_LIMIT = 100000 /* multiply-adds per row that are written out in a file */
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
	struct tile_memo *tile_memos[TILE_MEMOS]; /* schedule_tile.c: a hash table of the problems it has met */
	bool in_process; /* for this machine, the first one; libtcc compiles what is not in tiles */
	bool own_code;	 /* and each tile has code of its own */
	bool maps;	 /* or in the host's vector instructions */
	group_list init, inference, training, update, streaming, average;
	struct call_plan call[CALL_COUNT];
	struct space work, work1;
	int64_t scratch, scratch_int; /* elements: the most that any call needs */
	int64_t own; /* reals that each thread of a team has for itself */
};
/* Whether there is a call that takes scratch for one row. */
bool has_work1(const struct program *p);
/* Whether a call finds a total as the program's reals, a copy of the field; else it reads the field itself. */
bool is_converted(const struct program *p, const struct total *total);
/* What a call gives and takes: of a stream, the slices. */
struct tensor *output_of(const struct program *p, enum call call, int k);
struct tensor *input_of(const struct program *p, enum call call, int k);
/* The strip that group `at` of a call stands in, or NULL. */
const struct strip *strip_at(const struct call_plan *plan, int at);
/* Multiply-adds of backward for a whole batch, about. */
double training_cost(const struct graph *g);

#endif
