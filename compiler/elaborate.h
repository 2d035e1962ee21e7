/* elaborate.h - private to the elaborator (elaborate*.c, known.c): values, scopes, calls.
 *
 * The elaborator runs a model's text like a program whose values are known numbers or tensors, and whose effect
 * is to append equations to the graph. Calls are inlined, shapes become numbers, names become paths. The equation that
 * is being built, the train line and the text of a graph have headers of their own. */
#ifndef NNC_ELABORATE_H
#define NNC_ELABORATE_H

#include "graph.h"
#include "syntax.h"

enum value_kind {
	VAL_ERROR, /* an error was reported; whatever is made of it is VAL_ERROR too, silently */
	VAL_NONE,
	VAL_BOOL,
	VAL_INT,
	VAL_REAL,
	VAL_STRING,
	VAL_TUPLE,
	VAL_TENSOR,
	VAL_LAYER,
};

/* A tensor value is a scalar expression, not yet an equation. There are two kinds:
 *   whole    over the value's axes: slot k is axis k. Leading axes come first, those a value has because it depends
 *            on the sample or on a scan's index; the language counts only the own axes behind them
 *   indexed  a scalar under the equation being built: slots are that equation's; rank 0 */
struct value {
	enum value_kind kind;
	int64_t integer; /* INT, BOOL */
	double real;
	const char *string;
	int n; /* TUPLE */
	struct value *item;
	struct expr *expr; /* TENSOR ... */
	int64_t classes;
	unsigned lead; /* which leading axes it has: bit 0 the sample's, bit 1 + d that of the scan at depth d */
	bool indexed;
	bool drawn; /* one random draw of a whole-tensor expression: may not be stretched */
	int rank;   /* counts the leading axes */
	struct axis *axis;
	struct layer *layer;
};

/* `layer L = f(a)`: f with its first argument open; all calls share the params of instance `path`. */
struct layer {
	const struct node *call; /* the CALL or NAME node */
	const char *path, *label;
	struct scope *scope; /* where its arguments are evaluated */
	bool used;
};

/* What a name stands for in a scope. */
struct binding {
	const char *name;
	struct value value;
	struct span at;
	struct tensor *state, *next; /* a state, and its next value once set */
	struct value next_value;     /* how next is read */
	struct scan_state *carried;  /* a scan's state */
	bool gone;		     /* was the index of a scan that is over */
};

/* One call in progress: the file, a def, an optimizer or an init. */
struct scope {
	struct scope *caller;
	const struct node *def; /* NULL: the file */
	struct span call_at;
	const char *path;	/* instance path, "" for the file */
	const char *suffix;	/* ".0" inside repeat, "" outside */
	const char *hint;	/* name for a value that has none yet: the name assigned to, or the instance */
	struct table names;	/* struct binding */
	struct table instances; /* labels and names used in this scope (and this round of a repeat): their span */
	struct table numbers;	/* of unlabelled instances: how many of a name there are beyond the first */
	struct table overrides; /* arguments that are not formals: struct override */
	LIST(const char *) params_seen; /* names of params and states declared, for messages */
	int dots;			/* number of axes `..` stands for, -1: not known yet */
	struct axis *dots_axis;
	bool builtin; /* the text is the standard library's */
	bool shared;  /* a param that exists already is meant (layer, second elaboration) */
	bool returned;
	struct value result;
	struct tensor *weight; /* optimizer: w */
	bool averages;	       /* what it returns is of part average */
	int draws;
};

struct override {
	struct value value;
	struct span at;
	bool used;
};

/* Of a call, as it is written. */
struct argument {
	const char *name; /* NULL: positional */
	struct value value;
	struct span at;
};

/* A state of a scan: `all` has its value after every step, along the scan's index. */
struct scan_state {
	struct tensor *all;
	unsigned lead; /* of `all`, the scan's index included */
	bool set;
	struct span at;
};

/* A scan whose body is being run: its equations go to `body`, their tensors have its index as an axis. */
struct scan_frame {
	const char *index;
	int64_t trips;
	enum part part;
	equation_list body;
	LIST(struct tensor *) states;
};

/* An included text, and which of the two runs of the model have met it. */
enum run_mark { RAN_FIRST = 1, RAN_SECOND = 2 };
struct inclusion {
	const struct node *tree; /* NULL after errors */
	unsigned ran;
};

enum { MAX_CALL_DEPTH = 200, MAX_EXPR_DEPTH = 2000, MAX_STATEMENTS = 3000000, MAX_TENSORS = 500000 };

struct building;

struct elaborator {
	struct context *ctx;
	struct graph *g;
	struct scope *scope, *file;
	struct building *eq; /* NULL: whole-tensor mode */
	enum part part;
	bool training;
	struct table defs, inits, optimizers; /* struct node (DEFINE): of the user's texts, and of the library so far */
	struct source **library;	      /* those of its files that definitions were taken from, or NULL */
	struct table hidden;		      /* "def f" -> that of the library, whose name the user's text took */
	struct table params;		      /* full name -> struct tensor: params and states */
	struct table included;		      /* the key of a file -> struct inclusion */
	struct table named;		      /* the file and what it includes, as written there -> struct inclusion */
	struct table defines;		      /* -D name -> struct override */
	struct table met;		      /* params and states that the second run met */
	struct table layers;		      /* full name -> struct layer */
	LIST(struct node *) trains;
	const struct node *average; /* the train line's option */
	struct tensor **gradient;   /* as the rules see those of g->grads; NULL: as they are */
	int64_t updates_every;	    /* accumulated steps; 0 or 1: every step is an update */
	LIST(struct goal) goals;
	LIST(const struct node *) goal_nodes;
	int depth, call_depth;
	int statements; /* run so far */
	struct scan_frame *
		scan[MAX_SCAN_DEPTH]; /* open scans, outermost first; slot 1 + d of equations is the index of scan[d] */
	int scans;
	bool second; /* the elaboration with training = no */
	bool graph_text;
	struct scope *inference; /* graph text: names of part inference */
	struct table instances;	 /* graph text: names in its layer lines */
};

/* ---- known.c ---- */
struct value error_value(void);
struct value int_value(int64_t i);
struct value real_value(double r);
struct value bool_value(bool b);
bool is_known(const struct value *v);  /* not a tensor, layer or error */
bool is_number(const struct value *v); /* INT, REAL or BOOL */
double number_of(const struct value *v);
/* Arithmetic of known values; reports what is wrong at n. */
struct value known_binary(struct elaborator *E, const struct node *n, enum node_op op, struct value a, struct value b);
struct value known_unary(struct elaborator *E, const struct node *n, enum node_op op, struct value a);
struct value known_function(struct elaborator *E, const struct node *n, enum ex op, struct value a);
bool known_equal(const struct value *a, const struct value *b);
const char *value_text(struct elaborator *E,
		       const struct value *v); /* for messages: "3", "[batch, 3, 28]", "\"same\"" */
const char *value_shape(struct elaborator *E, const struct value *v); /* per-sample shape "[3, 28]" */
const char *kind_text(const struct value *v);			      /* "a number", "a tensor" ... */

/* ---- elaborate.c: the two runs ---- */
void forget_value_names(struct graph *g); /* names of values may be taken again; those of declared tensors stay */

/* ---- elaborate_message.c ---- */
void fail(struct elaborator *E, struct span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
struct span user_place(struct elaborator *E, struct span at);
bool expect_int(struct elaborator *E, const struct node *n, struct value v, const char *what, int64_t *out);
/* "RULE, not 7 / 2 = 3.5" at n, and where the names in it have their values from. */
void report_value(struct elaborator *E, const struct node *n, const struct value *v, const char *rule);
void note_values(struct elaborator *E, const struct node *n);
/* Says where b has its value v from, under the name that the text has for it. */
void note_binding(struct elaborator *E, const char *name, const struct binding *b, const struct value *v);
/* A note where the shape of a value comes from, unless that is in the text the error shows. */
void note_origin(struct elaborator *E, struct span at, const struct value *v);
/* A subscript of `name` that leaves its axis (from 1), or of unknown range (r NULL). */
void report_outside(struct elaborator *E, struct span at, const char *name, const struct range *r, int64_t extent,
		    int axis);
/* "'x' has shape [3, 4]: 3 subscripts for 2 axes" */
void report_subscripts(struct elaborator *E, struct span at, const char *name, const struct value *v, int given);

/* ---- elaborate_name.c ---- */
const char *join_path(struct elaborator *E, const char *path, const char *name);
const char *saved_path(struct elaborator *E, const char *text, const char *own, struct span at);
const char *role_name(struct elaborator *E, const char *role); /* path of a temporary: what it is for, then its role */
struct binding *find_binding(struct scope *s, const char *name);
struct binding *lookup(struct elaborator *E, const char *name); /* this scope, then what a def sees of the file */
void bind(struct elaborator *E, const char *name, struct value v, struct span at);
bool is_predefined(const char *name);
/* " (did you mean 'x'?)", or "": of what a name may be here, of the definitions in a table, of the names given. */
const char *suggest(struct elaborator *E, const char *name);
const char *suggest_definition(struct elaborator *E, const char *name, const struct table *definitions);
const char *suggest_of(struct elaborator *E, const char *name, const char *const *names, int n);
struct value eval_name(struct elaborator *E, const struct node *n);
struct value eval_primed(struct elaborator *E, const struct node *n);

/* ---- elaborate_include.c: definitions and the texts they stand in ---- */
/* By name, its body parsed by now; NULL if there is none. The library's own text finds the library's. */
const struct node *get_definition(struct elaborator *E, struct table *table, const char *name);
const struct node *library_definition(struct elaborator *E, struct table *table, const char *name);
/* Whether there is one. */
bool is_defined(struct elaborator *E, struct table *table, const char *name);
void collect_definitions(struct elaborator *E, const struct node *block);
void run_include(struct elaborator *E, const struct node *n);

/* ---- elaborate_statement.c ---- */
void run_block(struct elaborator *E, const struct node *block);
const char *filled_text(struct elaborator *E, const char *text, struct span at);
/* The names that a block which could not be run assigns: what reads them is no error of its own. */
void bind_errors(struct elaborator *E, const struct node *n);

/* ---- elaborate_assign.c ---- */
void run_assignment(struct elaborator *E, const struct node *n);
void assign_result(struct elaborator *E, const struct node *lhs, struct value v); /* y[i] = ...: binds y, or sets y' */
void emit_equation(struct elaborator *E, struct equation *eq); /* to the current part, or the scan's body */

/* ---- elaborate_scan.c: recurrence ---- */
void run_scan(struct elaborator *E, const struct node *n);
bool assign_carried(struct elaborator *E, const struct node *lhs, struct value v); /* h' = v of a scan's state */

/* ---- elaborate_expr.c ---- */
struct value eval(struct elaborator *E, const struct node *n);

/* ---- elaborate_value.c: values that are tensors ---- */
bool is_batched(const struct value *v); /* depends on the sample */
int lead_rank(unsigned lead);
int own_rank(const struct value *v); /* rank without the leading axes */
struct axis *own_axis(const struct value *v);
/* The leading axes of a value of `to` as slots for one of `from`, a subset. */
void map_lead(struct elaborator *E, unsigned from, unsigned to, struct expr **map);
void lead_axes(struct elaborator *E, unsigned lead, struct axis *axis);
/* The indices of an equation over all axes of a value. */
void whole_index(struct elaborator *E, const struct value *v, struct index *index);
struct value tensor_value(struct elaborator *E, struct tensor *t);
struct value as_tensor(struct elaborator *E, const struct value *v); /* numbers become rank 0 tensors */
bool to_indexed(struct elaborator *E, struct span at, struct value *v);
bool is_tensor_itself(const struct value *v);
bool is_cheap(const struct expr *e);
/* The equation t = e, element by element over all axes, those of `own`. */
void define_whole(struct elaborator *E, struct tensor *t, const struct value *own, struct expr *e, struct span at);
struct tensor *materialize(struct elaborator *E, struct value v, const char *name, struct span at);
/* The value as one read of a tensor: an equation is made unless it is that already. VAL_ERROR after errors. */
struct value settle(struct elaborator *E, struct value v, const char *name, struct span at);

/* ---- elaborate_broadcast.c, elaborate_slice.c, elaborate_matmul.c: whole tensors ---- */
struct value lift(struct elaborator *E, struct span at, enum ex op, int n, const struct value *args);
/* v in the shape of `own`, a value that is a tensor itself, and of its type; NULL, reported, where it does not fit:
 * "the WHAT of 'NAME' has shape .., the KIND .." */
struct expr *stretch_value(struct elaborator *E, struct span at, struct value v, const struct value *own,
			   const char *what, const char *name, const char *kind);
struct value slice(struct elaborator *E, const struct node *n, struct value base);
struct value matmul(struct elaborator *E, const struct node *n, struct value a, struct value b);
struct value transpose(struct elaborator *E, struct span at, struct value v);

/* ---- elaborate_declare.c: inputs, params, states; elaborate_init.c: their first values ---- */
void declare(struct elaborator *E, const struct node *n);
/* The equation of part init that gives t its first value; mark: equations that part had before v was made. */
void set_initial(struct elaborator *E, struct tensor *t, struct value v, struct span at, int mark);
void initialize(struct elaborator *E, const struct node *var, const char *name, struct tensor *t);

/* ---- elaborate_call.c ---- */
struct value eval_call(struct elaborator *E, const struct node *n);
const struct node *find_definition(struct elaborator *E, const char *name, bool of_tensor);
void unknown_function(struct elaborator *E, const struct node *n);
struct value inline_definition(struct elaborator *E, const struct node *def, const char *path, struct span at,
			       const struct argument *arg, int n, bool shared);

/* ---- elaborate_argument.c: which formal an argument is for; elaborate_pattern.c: whether it fits ---- */
int formal_count(const struct node *def, bool *folds);
bool bind_arguments(struct elaborator *E, struct scope *s, const struct argument *arg, int n);
void check_overrides(struct elaborator *E, struct scope *s);
bool bind_options(struct elaborator *E, struct scope *s, const struct node *call, const struct value *option);
bool bind_formal(struct elaborator *E, const struct node *formal, struct value v, struct span at); /* in E->scope */

/* ---- elaborate_instance.c: instances, layers ---- */
struct scope *enter(struct elaborator *E, const struct node *def, const char *path, struct span at);
void leave(struct elaborator *E, struct scope *s);
const char *instance_path(struct elaborator *E, const char *label, const char *name, struct span at);
void bind_layer(struct elaborator *E, const struct node *n);
struct value call_layer(struct elaborator *E, const struct node *n, struct layer *layer, const struct argument *arg,
			int count);

/* ---- elaborate_builtin.c, elaborate_constant.c ---- */
bool is_builtin(const char *name);
struct value eval_builtin(struct elaborator *E, const struct node *n, const struct value *args, int nargs);
struct value make_draw(struct elaborator *E, const struct node *n, enum draw draw);
struct value array_value(struct elaborator *E, const struct node *n);
struct value batch_value(struct elaborator *E, const struct node *n, const struct value *args, int nargs);
struct value class_value(struct elaborator *E, const struct node *n, const struct value *args);

/* ---- elaborate_grad.c: grad(e, x) ---- */
struct value eval_gradient(struct elaborator *E, const struct node *n, struct value e);
/* Some grad in the text takes the derivative by `name`. */
bool is_differentiated_by(const struct node *text, const char *name);
/* A tensor of its own with the value of v, by which derivatives can be taken. */
struct value make_variable(struct elaborator *E, struct value v, const char *name, struct span at);

#endif
