/* graph.h - the graph: a list of equations over indices, for every part of a model.
 *
 *   T[i...] = red[k...] f(i, k)
 *
 * f is a scalar expression without reducers; its leaves are numbers, index values, run-time scalars and
 * reads R[a(i, k)]. An equation's indices are numbered slots, free ones first, then bound ones, and
 * expressions name an index by its slot only. So expressions are hash-consed over the whole graph (equal
 * work is the same pointer), there is nothing to capture, and two equations are alike when their reducers,
 * extents and expressions are.
 *
 * The sample axis is an axis like any other: a tensor that depends on the sample has it first
 * (tensor.batched), and the index that runs along it has `rows` set, since its run-time bound is the
 * number of rows n of the call, at most graph.batch, its extent. */
#ifndef NNC_GRAPH_H
#define NNC_GRAPH_H

#include "diagnose.h"

enum elem { ELEM_REAL, ELEM_INT, ELEM_BOOL }; /* class[n] is ELEM_INT with tensor.classes n */

enum reducer { RED_NONE, RED_SUM, RED_PROD, RED_MAX, RED_MIN, RED_ARGMAX, RED_ARGMIN };

/* Scalar operators. The comment gives the arity and what is special. */
enum ex {
	/* leaves */
	EX_NUM,   /* real literal: .num (also inf) */
	EX_INT,   /* integer or bool literal: .integer */
	EX_INDEX, /* value of an index: .slot */
	EX_READ,  /* .tensor; arg[0..rank) subscripts; then, if .guarded, arg[rank] the value where any subscript is outside */
	EX_RUN,   /* run-time scalar: .run */
	EX_DRAW,  /* a random draw, .draw, from the stream .site; its element is the equation's free indices */
	/* arithmetic: int if both are, else real; int division is floor division */
	EX_ADD, EX_SUB, EX_MUL, EX_DIV /* real */, EX_FLOORDIV, EX_MOD /* remainder of floor division */, EX_POW, EX_NEG,
	EX_MIN, EX_MAX, /* of equals the first */
	/* bool */
	EX_LT, EX_LE, EX_EQ, EX_NE, EX_AND, EX_OR, EX_NOT,
	EX_SELECT, /* arg[0] ? arg[1] : arg[2]; only the chosen side is evaluated */
	/* real functions of one argument */
	EX_EXP, EX_LOG, EX_LOG1P, EX_EXPM1, EX_SIN, EX_COS, EX_TAN, EX_ASIN, EX_ACOS, EX_ATAN, EX_SINH, EX_COSH, EX_TANH,
	EX_ERF, EX_ERFINV, EX_SQRT, EX_ABS /* int stays int */, EX_SIGN, EX_FLOOR, EX_CEIL, EX_ROUND, EX_ISNAN,
	EX_TO_INT,  /* real or bool -> int, towards 0 */
	EX_TO_REAL, /* int or bool -> real */
	EX_STOP,    /* its argument, without gradient; gone after the chain rule */
	EX_COUNT
};
enum run {
	RUN_STEP, RUN_EPOCH, RUN_STEPS, RUN_STEPS_PER_EPOCH,
	RUN_LOSS, /* real: the loss at the end of the last epoch */
	RUN_DATA, /* rows of the whole evaluated set: known where totals are */
	RUN_ROWS  /* n of this call */
}; /* the others are int */
enum draw { DRAW_UNIFORM /* [0, 1) */, DRAW_NORMAL };

struct expr {
	enum ex op;
	enum elem elem;
	bool guarded;          /* READ */
	enum run run;
	enum draw draw;
	int slot;              /* INDEX */
	int n;                 /* number of args */
	struct expr **arg;
	double num;
	int64_t integer;
	struct tensor *tensor; /* READ */
	const char *site;      /* DRAW: the call's path; with seed, step, row and element it fixes the value */
	uint32_t id;           /* order of creation: for stable sorting, never printed */
	bool affine;           /* int, and constant + sum of integer * slot in the canonical form of affine_expr */
	uint32_t walk;         /* the last walk that met it (rewrite.c), and its place in that */
	int place;
	uint64_t slots;        /* bit s set: slot s occurs in it (at most 64 indices an equation) */
	uint64_t ops;          /* bit op set: that occurs in it */
};

enum { MAX_SLOTS = 64 }; /* indices of an equation */

/* One axis of a tensor, or one index of an equation. */
struct axis {
	int64_t extent; /* -1 only while an equation is being built */
	bool rows;      /* the run-time bound is n; extent is graph.batch */
};
struct index {
	const char *name; /* as printed; distinct within the equation and from every tensor's name */
	int64_t extent;
	bool rows;
};

enum role {
	ROLE_INPUT, ROLE_TARGET, ROLE_SETTING, /* given by the host for a call; SETTING is a real scalar */
	ROLE_PARAM, ROLE_FROZEN,               /* saved; FROZEN gets no gradient */
	ROLE_STATE,                            /* kept between calls, not trained */
	ROLE_VALUE,                            /* defined by an equation */
	ROLE_NEXT,                             /* next value of tensor.of (a param or state): printed as its name with ' */
	ROLE_GRAD,                             /* gradient of the param tensor.of that update reads, backward defines */
	ROLE_DATA,                             /* constant numbers: tensor.data */
	ROLE_VIEW,                             /* the same memory as tensor.of, row-major, other shape */
};

/* Whole numbers from low to high. An end of int64 means: no bound there. */
struct range {
	int64_t low, high; /* inclusive */
};

struct tensor {
	const char *name;    /* "conv1.weight", "conv1.y.sum", "x.grad"; unique within inference, and within the rest */
	uint32_t id;         /* order of creation: its place in graph.tensors; for stable sorting, never printed */
	enum role role;
	enum elem elem;
	int64_t classes;     /* INT: values are 0..classes-1; 0: unknown */
	struct range bounds; /* INT without classes: what is known of the values all the same, where `bounded` */
	bool bounded;
	bool batched;        /* axis[0] is the sample's own */
	bool total;          /* VALUE of inference: the rows of its equation's reducer are those of the whole evaluated set */
	int rank;            /* counts the sample axis */
	struct axis *axis;
	struct tensor *of;   /* NEXT, GRAD, VIEW */
	double *data;        /* DATA: row-major */
	struct span at;      /* where it was declared or defined */
	const char *layer;   /* path of the instance it stands in, "" at top level; for summary and function names */
	const char *rule;    /* STATE: the state's own name where it belongs to an optimiser ("m"), else NULL */
	struct tensor *owner; /* STATE of an optimiser: its param (NULL for a scalar state of a rule over several) */
	double setting;      /* SETTING: its default */
	void *pass;          /* scratch of the pass that runs; every pass sets it before use */
};

enum eq_kind {
	EQ_MAP,     /* T[free] = red[bound] value; every axis of T is a free index, in order */
	EQ_SCATTER, /* T[target...] += value over all indices (nfree 0); T is 0 before, or what an earlier MAP gave it */
	EQ_VIEW,    /* T is a view of T->of; no indices, no value */
	EQ_SCAN,    /* equations that read each other's results of an earlier step: scan; see struct scan */
};

/* Recurrence. Its equations are ordinary ones whose tensors have the scan's index as an axis, the first behind the
 * sample's and those of the scans around it: h[batch, t, i] = f(h[batch, t - 1, k else h0[batch, k]]). What makes a scan
 * of them is the order: step by step, t from 0 to trips - 1 (down to 0 if reverse), all of them for one t before the
 * next. In a step, an equation may read what stands before it in `body` at t, and anything of the body at an earlier
 * step. Only equations that take part in the recurrence stand in a scan; what none of them needs, or what needs none
 * of them, is an ordinary equation over all t, before or behind it. Bodies hold MAPs, VIEWs and inner SCANs. */
enum { MAX_SCAN_DEPTH = 8 /* scans in scans */ };

struct scan {
	const char *index;  /* its name, as printed */
	int64_t trips;
	bool reverse;
	int depth;          /* scans around it; the axis of its index in a tensor is tensor.batched + depth */
	struct equation **body;
	int n;
};

struct equation {
	enum eq_kind kind;
	struct tensor *tensor;
	enum reducer red;
	int nfree, n;          /* free indices, all indices */
	struct index *index;
	struct expr *value;
	struct expr **target;  /* SCATTER: tensor->rank subscripts */
	struct scan *scan;     /* SCAN; tensor and value are NULL */
	struct span at;
};

typedef LIST(struct equation *) equation_list;

struct metric {
	const char *name;
	struct tensor *value; /* real, of any shape; one for all samples: what differs between them has become a total */
};
struct output {
	const char *name;
	struct tensor *value;
};

/* A loss and the params it has gradients for: all trained ones, or those its `only` names. */
struct goal {
	const char *name;     /* "loss" when it was given none */
	struct tensor *value; /* of part forward, rank 0, not batched */
	LIST(struct tensor *) params;
};

/* Run options of the train line. */
struct training {
	bool given;
	int64_t epochs, steps; /* 0: not given */
	uint64_t seed;
	double clip;           /* 0: none */
	double clip_value;     /* 0: none */
	int64_t accumulate;    /* steps an update takes; 0 and 1: one */
	bool ordered;          /* the rows of an epoch come as they are, not shuffled */
	const char *rule;      /* as written, for summary */
};

enum part { PART_INIT, PART_FORWARD, PART_INFERENCE, PART_BACKWARD, PART_UPDATE, PART_AVERAGE, PART_COUNT };

/* A model. Parts, each in an order that respects its reads:
 *   init       values of params and states at step 0 (EQ on the param itself; draws depend on the seed)
 *   forward    training: everything the loss needs, next values of states; ends in `loss`
 *   inference  with training = no: outputs, loss, metrics. Its equations and tensors are its own
 *   backward   gradients; reads what forward defined. Empty until the chain rule has run
 *   update     next values of params and of the optimisers' states, from ROLE_GRAD tensors
 *   average    what inference is to use in place of params (a NEXT of each), from params and states. Often empty */
struct graph {
	struct context *ctx;
	const char *name;        /* C identifier: prefix of everything generated */
	const struct source *src;
	int64_t batch;
	LIST(struct tensor *) tensors; /* all that were ever made, in order of creation */
	LIST(struct usage) usage;      /* simplify.h: of each of them; memory of find_usage only */
	equation_list part[PART_COUNT];
	struct tensor *loss;           /* forward: rank 0, not batched: the batch's loss (all goals added), or NULL */
	LIST(struct goal) goals;       /* what the chain rule starts from; one, value == loss, unless some have `only` */
	struct tensor *inference_loss; /* the same of inference */
	LIST(struct tensor *) grads;   /* ROLE_GRAD, in the order of the params they belong to */
	LIST(struct output) outputs;   /* of inference */
	LIST(struct metric) metrics;   /* of inference */
	struct training training;
	bool early_updates;            /* of a step: each as soon as its gradient is there, whose memory is free then */
	const char *fitted;            /* what has been done to fit into options.ram, for the summary; NULL: nothing */
	bool no_operands;              /* sums of products read their factors where they are, without copies in tiles' form */
	struct table names;            /* tensor names in use, but for inference's own */
	struct table every_name;       /* all that tensors ever had: no index is printed under one of them */
	struct expr_set *exprs;        /* the hash-cons table */
	uint32_t next_id;
	uint32_t walks;                /* over expressions, so far */
};

/* Whether there is a training step: a loss with gradients, and a rule by which params move. */
static inline bool graph_trains(const struct graph *g)
{
	return !g->ctx->options->inference_only && g->loss && g->grads.n && g->part[PART_UPDATE].n;
}

/* A state that an optimiser keeps for one param: no part but the update touches it. */
static inline bool is_optimiser_state(const struct tensor *t)
{
	return t->role == ROLE_STATE && t->rule && t->owner;
}

/* The type of another tensor, with all that is known of its values. */
static inline void take_type(struct tensor *t, const struct tensor *from)
{
	t->elem = from->elem;
	t->classes = from->classes;
	t->bounds = from->bounds;
	t->bounded = from->bounded;
}

/* Bytes of a number. */
enum { INTEGER_SIZE = 4 };
int64_t real_size(const struct graph *g);
static inline int64_t elem_size(enum elem elem, int64_t real) { return elem == ELEM_REAL ? real : INTEGER_SIZE; }

/* ---- graph.c: making things. All allocate in ctx->arena and never fail. ---- */

struct graph *graph_new(struct context *ctx, const char *name, const struct source *src, int64_t batch);
/* A tensor with a name made unique by a 2, 3 ... where taken ("y" -> "y2"). axis is copied. */
struct tensor *graph_tensor(struct graph *g, enum role role, const char *name, enum elem elem, bool batched, int rank,
			    const struct axis *axis, struct span at);
/* Give a tensor another (made unique) name. */
void graph_rename(struct graph *g, struct tensor *t, const char *name);
const char *part_name(enum part part);              /* "init", "forward" ..., as in the text */
int64_t tensor_size(const struct tensor *t);        /* elements, sample axis included at its full extent */
/* Whether two tables of constants are alike: shape, type and all numbers. */
bool same_data(const struct tensor *a, const struct tensor *b);
int64_t tensor_sample_size(const struct tensor *t); /* elements of one sample */
/* An EQ_MAP whose free indices are the tensor's axes; index (copied) has n entries. Not yet in any part. */
struct equation *graph_equation(struct graph *g, struct tensor *t, enum reducer red, int nfree, int n,
				const struct index *index, struct expr *value, struct span at);

/* fn for every equation of a list in order, those inside of scans too (not for the scans themselves). */
void visit_equations(struct equation *const *item, int n, void (*fn)(void *user, struct equation *eq), void *user);

/* ---- expr.c: hash-consed expressions, simplified as they are made (constants folded, x*1, x+0, select of a
 * known condition, ...; only what is exact in IEEE arithmetic for all finite and infinite values, except that
 * 0*x is 0 when the 0 is a literal: the chain rule's own zeros). ---- */

struct expr *ex_num(struct graph *g, double value);
struct expr *ex_int(struct graph *g, int64_t value);
struct expr *ex_bool(struct graph *g, bool value);
struct expr *ex_index(struct graph *g, int slot);
struct expr *ex_run(struct graph *g, enum run run);
struct expr *ex_draw(struct graph *g, enum draw draw, const char *site);
/* subs has t->rank entries; otherwise_ NULL: unguarded. */
struct expr *ex_read(struct graph *g, struct tensor *t, struct expr *const *subs, struct expr *otherwise);
/* Any operator; converts int operands to real where the operator needs it. */
struct expr *ex_make(struct graph *g, enum ex op, int n, struct expr *const *arg);
struct expr *ex1(struct graph *g, enum ex op, struct expr *a);
struct expr *ex2(struct graph *g, enum ex op, struct expr *a, struct expr *b);
struct expr *ex_select(struct graph *g, struct expr *c, struct expr *a, struct expr *b);
struct expr *ex_real(struct graph *g, struct expr *e); /* converted to real if it is not */
/* e with slot s replaced by map[s] (an expression in the new slots; NULL keeps s). */
struct expr *ex_substitute(struct graph *g, struct expr *e, struct expr *const *map, int n);
/* e with every READ of `from` replaced by what `fn` returns for it; used by inlining and renaming. */
struct expr *ex_map_reads(struct graph *g, struct expr *e, struct expr *(*fn)(void *user, struct expr *read), void *user);
/* Every distinct expression within e, in the order in which a walk from the left meets them; every distinct READ.
 * Appended to *out. */
typedef LIST(struct expr *) expr_list;
void collect_exprs(struct graph *g, struct expr *e, expr_list *out);
void collect_reads(struct graph *g, struct expr *e, expr_list *out);
bool ex_is_num(const struct expr *e, double value); /* literal (NUM or INT) equal to value */
const char *ex_name(enum ex op);                    /* "exp", "+" ... as in the language */
bool ex_is_read_of(const struct expr *e, const struct tensor *t, int rank_slots); /* e reads t at [slot 0, 1, ..] exactly */

/* ---- affine.c: what subscripts mean ---- */

/* e as constant + sum coef[s] * slot s; false if it is not affine in its slots. */
struct affine {
	int64_t constant;
	int64_t coef[64];
};
bool affine_of(const struct expr *e, struct affine *out);
bool affine_add(const struct expr *e, int64_t scale, struct affine *out); /* *out += scale * e, likewise */
struct expr *affine_expr(struct graph *g, const struct affine *a);
/* The range of an integer expression over the equation's index ranges, by interval arithmetic; false if an end of it
 * is unknown (reads of integer tensors without classes). class[n] tensors have range 0..n-1. */
bool range_of(const struct expr *e, const struct index *index, struct range *out);
/* What is known of indices in a piece of their loops; and the range there. */
struct piece_ranges {
	uint64_t known; /* slots */
	struct range of[MAX_SLOTS];
};
bool range_within(const struct expr *e, const struct index *index, const struct piece_ranges *piece, struct range *out);
int64_t count_classes(const struct expr *e, const struct index *index); /* by that range; 0: unknown, or negative */
/* Note in t, which has the values of e, what its range tells, unless its classes are known. */
void bound_values(struct tensor *t, const struct expr *e, const struct index *index);

/* ---- totals.c: values that need the whole evaluated set ---- */

/* When a value of part inference is known, while a set is gone through call by call. */
struct known_when {
	int pass;  /* how often the whole set must have been gone through before; 0: no total is in it */
	bool rows; /* differs from call to call: it depends on their rows */
};
/* Of the tensors that eqs define or read, by tensor id. */
struct known_when *find_passes(struct graph *g, const equation_list *eqs);
enum { MAX_PASSES = 2 };

/* ---- coupling.c: which rows meet ---- */

/* The name of the first value of training through which rows of a batch meet otherwise than in the mean of the loss and
 * of its gradients; "": none, so that a batch can be split and these averaged. NULL without a loss. */
const char *find_row_coupling(struct graph *g);

/* ---- the passes, each in its own file, in the order of the pipeline ---- */

/* elaborate.c: tree -> graph with parts init, forward, inference, update; NULL after errors. */
struct node;
struct graph *elaborate(struct context *ctx, const struct node *tree, const struct source *src);

/* differentiate.c: fills part backward: defines every tensor of g->grads as d loss / d param.
 * Reports an error where the loss has no derivative at all. */
bool differentiate_loss(struct graph *g);
/* The same as a service: appends to *out the equations of d(total of `of`) / d wrt[k] and returns those tensors
 * in grad[k] (NULL where `of` does not depend on it). eqs: the equations so far, in order; of has rank 0 (or is
 * batched rank 1: each sample's own). suffix names the adjoints: "x" + suffix. */
void differentiate(struct graph *g, const equation_list *eqs, struct tensor *of, struct tensor *const *wrt, int n,
		   const char *suffix, equation_list *out, struct tensor **grad);

/* simplify.c: algebra across equations: common equations merged, element-wise chains inlined into their only
 * reader, dead equations removed. Keeps meaning; names of outputs, params, states, grads, loss, metrics stay. */
void simplify(struct graph *g);

/* fit.c: changes the graph and how it is to be scheduled until it needs no more than options.ram bytes; reports an error
 * that tells the nearest where that cannot be. */
void fit_memory(struct graph *g);

/* verify.c: checks every invariant above; NULL, or a sentence saying what is broken (in the arena). */
const char *verify(struct graph *g);

/* print.c: the graph as text that reads back, and as Graphviz input. */
void print_graph(struct graph *g, struct text *out);
void print_dot(struct graph *g, struct text *out);
void print_equation(struct graph *g, const struct equation *eq, struct text *out); /* one line, no newline */
void print_expr(struct graph *g, const struct expr *e, const struct index *index, struct text *out);

#endif
