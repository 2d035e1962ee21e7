/* emit_parts.h - what the files of the emitter share: the writer, names, and one function in the making. */
#ifndef NNC_EMIT_PARTS_H
#define NNC_EMIT_PARTS_H

#include "emit.h"
#include "plan.h"

#include "../runtime/model.h"
#include "../runtime/tile.h"

/* C identifiers in use in some scope; a block inside of it gives its own back when it ends. */
struct scope {
	struct table used;
	LIST(const char *) names; /* in the order of declaration */
};

typedef LIST(const char *) text_list;
typedef LIST(int32_t) word_list;

/* A static function of the generated file. */
struct function {
	const char *name;
	struct group *group;
	bool takes_n, takes_data, takes_run, takes_count;
	bool takes_batch; /* where n is a part of the rows: how many they are in all */
	bool takes_rows; /* how many of a block it makes */
	bool takes_step[MAX_SCAN_DEPTH]; /* of the scans around it, from the outermost */
	bool *keeps;			 /* for each parameter that a body like it could use: whether it does */
};

/* Routines that stand at the top of the file if something calls them. */
enum helper {
	HELP_SMALLER,
	HELP_LARGER,
	HELP_DIVIDE,
	HELP_MODULO,
	HELP_RANDOM,
	HELP_UNIFORM,
	HELP_NORMAL,
	HELP_ERFINV,
	HELP_SHARE,
	HELP_ADD_LANES,
	HELP_COUNT
};

/* A block of lines that is being written. */
struct block {
	size_t end;	/* of its opening line, in the text */
	int statements; /* in it so far */
};

enum { RUN_SIZE = 48 /* bytes of nn_run, at the head of a state */ };
enum { ALL_CALLS = (1 << CALL_COUNT) - 1 };

/* Lanes of the vectors that a routine for tiles has on each machine. */
struct tile_lanes {
	int64_t on[TARGET_COUNT];
};

struct emitter {
	struct graph *g;
	struct program *p;
	struct arena *arena;
	const struct emit_options *options;
	enum nnc_real real_kind;
	const char *real, *suffix, *math_suffix; /* "float" "f" "f" */
	const char *prefix, *upper;		 /* mnist, MNIST */
	struct text *out;			 /* where lines go */
	unsigned calls;				 /* that are written, a bit each */
	int depth;				 /* tabs before a line */
	LIST(struct block) blocks;		 /* open ones, outermost first */
	const char **rule_fields;		 /* fields of the state for p->rules */
	struct scope globals;			 /* names of the file: functions, tables */
	struct text bodies;			 /* all static functions */
	struct table functions;			 /* from function_key to struct function */
	struct text key;			 /* of the function that was looked for last */
	struct table strips;			 /* names of loops over strips, by their text */
	struct table libm; /* names of libm's functions that are called; value: number of arguments */
	bool helps[HELP_COUNT];
	bool uses_memcpy, uses_memset, uses_infinity;
	bool draws_ahead[2]; /* by enum draw */
	bool computed;	     /* the params are what embed.c made of those of the model */
	unsigned fast_math;  /* routines of emit_math.c in use, a bit each */
	bool uses_maps;
	word_list words; /* in process: constants that the text reads */
	word_list maps;	 /* of them, where each program begins */
	bool uses_tiles, uses_blocks, uses_panels, uses_adds, uses_across;
	LIST(struct tile_lanes) tile_lanes; /* of each routine for tiles */
	LIST(nn_tile) tile_shapes;	    /* in process: of each tile that is called */
};

/* ---- emit_write.c: lines, comments, numbers ---- */

/* A line at the current depth; lines longer than 110 columns are broken at blanks. */
void write_line(struct emitter *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void write_blank(struct emitter *e);
/* A line that ends in " {", then one deeper; and back with a closing line. "}" and its brace are left out around one
 * statement. */
void open_block(struct emitter *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void close_block(struct emitter *e, const char *line);
/* "} else {" */
void reopen_block(struct emitter *e, const char *line);
/* Whether name stands in text as a word, comments left out. */
bool mentions(const char *text, const char *name);
/* A comment of one or more paragraphs (separated by \n), broken where too long. */
void write_comment(struct emitter *e, const char *text);
/* A source's name without the path to it, which is no business of the output. */
const char *source_text(const struct source *src);
/* "file.nn:12", or "" where the place is unknown. */
const char *place_text(struct emitter *e, struct span at);
/* A number as a literal of the real type. */
const char *real_literal(struct emitter *e, double value);
const char *float_literal(struct emitter *e, float value); /* the shortest that reads back to the same float */
/* A declaration's brackets: "[16][4]". */
const char *shape_text(struct emitter *e, const struct tensor *t, bool with_rows);

/* ---- emit_names.c ---- */

/* want as a C identifier that is new in scope (2, 3, ... behind it where taken) and no reserved word. */
const char *new_name(struct emitter *e, struct scope *scope, const char *want);
const char *upper_case(struct emitter *e, const char *name);
void use_name(struct emitter *e, struct scope *scope, const char *name);
/* Among the names of the file: what may not be used anywhere. */
bool is_reserved_in_c(const char *name); /* emit_reserved.c: by C, C++, the headers or the file itself */
/* Names beyond the first n of scope->names are free again. */
void release_names(struct scope *scope, int n);
/* The last part of a tensor's name, for use where the rest is clear. */
const char *short_name(struct emitter *e, const struct tensor *t);
/* A name of libm in the real type, noted as used. */
const char *math_name(struct emitter *e, const char *name, int n_args);
const char *help(struct emitter *e, enum helper helper);
const char *elem_type(const struct emitter *e, enum elem elem);

/* ---- one function ---- */

struct arg {
	struct tensor *root;
	struct storage storage;
	const char *name;
	bool written, by_element; /* by_element: of a flat group, moves with the element */
	bool bumped;		  /* the pointer moves from row to row */
	int64_t shift;		  /* the pointer is to this element of the tensor */
};

/* A local variable that stands for an expression. */
struct temp {
	const struct expr *expr;
	const char *name;
};

/* A local variable that stands for a tensor's element: the current one, or element `at` where written out. */
struct local {
	const struct tensor *tensor;
	int64_t at;
	const char *name;
};

/* The declaration of a constant, and where it stands in the function's text. */
struct declared {
	const char *name, *text;
	size_t at;
};
/* An array of the draws of a whole loop. */
struct drawn {
	const struct expr *draw;
	const char *array;
	int slot; /* of the loop; -1: that over a block of a flat one */
};

struct body {
	struct emitter *e;
	struct group *group;
	enum call call;
	bool one_row;
	struct scope scope;
	LIST(struct arg) args;
	LIST(struct temp) temps;
	LIST(struct local) locals;
	LIST(struct local) bases;  /* what tensors are called in names */
	int n_complete;		   /* stages of nests that stand before */
	const char *suffix;	   /* of variables for parts of an element that is written out: "_3" */
	const struct equation *eq; /* whose slots the following are */
	const char *slot_name[64]; /* C text of an index's value; NULL where it is constant */
	int64_t slot_value[64];
	uint64_t open;			       /* slots that have a value */
	struct expr *in_digits[64];	       /* an index that runs in two loops, in terms of these; or NULL */
	struct piece_ranges ranges;	       /* of slots, in a piece of their loops */
	const char *step_name[MAX_SCAN_DEPTH]; /* parameters that are the steps of the scans around; NULL: always 0 */
	condition_list *known;		       /* conditions that hold where the expression stands */
	const char *block_rows;		       /* parameter: how many rows of a block are made; NULL: all are */
	const char *rows_slot;		       /* name of the row index that bumped pointers have used up */
	const char *flat_index;		       /* of a flat group */
	const char *block_index;	       /* of one that goes by blocks, within the block */
	LIST(struct drawn) drawn;
	LIST(struct declared) declared; /* constants of code that is written out */
	bool takes_n, takes_batch, takes_data, takes_run;
	bool in_blocks; /* it is told how many rows to make */
	bool goes_on; /* sums are added to what the strips of samples before have left */
	text_list sites; /* where its draws stand: parameters, so that equal layers share a function */
	text_list site_names;
};

/* The sites of a group's draws, each once, in the order in which they stand; the number of one. */
void collect_sites(struct emitter *e, const struct group *group, text_list *sites);
int find_site(const text_list *sites, const char *site);
/* What stands for a site in generated code: FNV-1a of its text. */
uint64_t hash_site(const char *site);

/* A tensor's name within the function: its short one, unless another tensor has that. */
const char *base_name(struct body *b, const struct tensor *t);

/* const type name = value; */
void declare_constant(struct body *b, enum elem elem, const char *name, const char *value);
/* Take those out that nothing behind them uses. */
void drop_unused_constants(struct body *b);

/* emit_shift.c: arg->shift of b->args; a subscript of such an argument, from there; its shape. */
void shift_args(struct body *b);
const struct expr *unshifted(struct body *b, const struct expr *subscript);
const char *shifted_shape(struct body *b, const struct arg *arg);

/* emit_key.c: the group's structure as text; b->args are collected. */
/* It is valid until the next is asked for. */
const char *function_key(struct body *b);

/* emit_function.c: the function for a group in a call, written if there is none like it. *args: what to pass. */
struct function *find_function(struct emitter *e, struct group *group, enum call call, bool in_strip, struct arg **args,
			       int *n_args);

/* What a part of the code declares and nothing behind it may use; its names are free again if it was in a block of C.
 */
struct mark {
	int temps, locals, drawn, names;
};
struct mark mark(const struct body *b);
void forget(struct body *b, struct mark m, bool closed);

/* emit_math.c: the name of a routine for what libm calls `name`, or NULL where libm's is to be used. */
const char *fast_math_name(struct emitter *e, const char *name);
void write_fast_math(struct emitter *e);
/* emit_draws.c. The stages [at, end) run in the loop over `slot`, which is about to be opened, their other free indices
 * being open: their draws are made, if that is worth it. For flat groups: all of one that only scales and shifts a draw,
 * or the loops over blocks. Each is for code in process only, and false where it does nothing. */
void draw_ahead(struct body *b, int at, int end, int slot);
bool write_flat_draws(struct body *b);
bool open_flat_blocks(struct body *b);
/* A draw that has been made ahead. */
bool print_drawn(struct body *b, struct text *out, const struct expr *draw);
/* emit_expr.c: the row and the element that a draw of an equation is for. */
const char *draw_row(struct body *b, const struct equation *eq);
struct affine draw_element(const struct equation *eq);

/* emit_tile.c: the stage that b->eq belongs to, in tiles; and the routine that does them, if anything called it. */
void write_tiles(struct body *b, const struct tile *tile);
void write_tile_routines(struct emitter *e);
/* A number that depends on the machine, in a public function, whether there are tiles or not. */
const char *pick_block(struct emitter *e, const int64_t *number);

/* emit_loops.c, emit_flat.c, emit_unrolled.c: its body; emit_reduce.c. */
void write_loops(struct body *b);
void write_flat(struct body *b);
void write_unrolled(struct body *b);
/* A name for what a stage computes: the tensor's own if that is only a local variable. */
const char *value_name(struct body *b, const struct stage *stage);
/* *name (and where it is an arg: best, winner) takes in one more term. */
void write_accumulate(struct body *b, const struct equation *eq, const char *name, const char *best, const char *term,
		      const char *winner);
const char *neutral_start(struct body *b, const struct equation *eq);
int nest_end(const struct group *group, int at);
void hoist_terms(struct body *b, int at, int end);
bool read_later(struct body *b, int at, int end);
bool old_value_wanted(struct body *b, int at, int end);
void start_stage(struct body *b, const struct equation *eq, int n_open);
void set_slot(struct body *b, int slot, const char *name);
/* Whether an index has one value: extent 1, the only row, or the step that a function is called for. */
bool runs_once(const struct body *b, const struct equation *eq, int slot);
int open_loop(struct body *b, const struct equation *eq, int slot); /* returns the blocks opened: 0 or 1 */
void close_loops(struct body *b, int n);

/* emit_map.c: the stages [at, end), one nest or all of the group, as a call of a program of vectors, where the host has
 * these and it pays; else nothing is written. open: loops around it that are open. */
bool write_map(struct body *b, int at, int end, int open);
void write_map_routine(struct emitter *e);

/* ---- emit_expr.c, emit_affine.c, emit_read.c, emit_temps.c ---- */

/* How strongly operators bind. */
enum level { ANYWHERE, TERNARY = 3, OR, AND, EQUALITY = 9, RELATION, SUM = 12, PRODUCT, UNARY, POSTFIX };

/* The text of an expression; level: how strongly the surroundings bind (0: not at all). */
void print_c(struct body *b, struct text *out, const struct expr *expr, int level);
const char *expr_text(struct body *b, const struct expr *expr);
/* Variables for parts of the expressions: here, for what is used more than once; before a loop, for what it would
 * compute again in each round (before an innermost loop that stores in every round: accesses too). */
enum temps { TEMPS_HERE, TEMPS_BEFORE_LOOP, TEMPS_BEFORE_INNERMOST };
void write_temps(struct body *b, struct expr *const *exprs, int n, enum temps which);
/* The element of t at subscripts subs: "weight[784 * i + j]". */
/* Whether computing e itself, its arguments apart, can do no harm where its value is not wanted. */
bool is_safe(const struct body *b, const struct expr *e);
void print_element(struct body *b, struct text *out, const struct tensor *t, struct expr *const *subs);
/* Slots that an affine value of the equation at hand may have; such a value with the constant slots put in; its terms,
 * `cast` before the names. */
int slots_of(const struct body *b);
struct affine with_constants(const struct body *b, const struct affine *a);
void print_terms(struct body *b, struct text *out, const struct affine *a, const char *cast);
void print_affine(struct body *b, struct text *out, const struct affine *a, int level);
void print_condition(struct body *b, struct text *out, const struct affine *a);
struct arg *find_arg(struct body *b, const struct tensor *t);
void print_read(struct body *b, struct text *out, const struct expr *read, int level);

/* ---- emit_words.c: constants in process ---- */

/* n words of 32 bits, as C that points to them, where a ptrdiff_t may lie. */
const char *words_text(struct emitter *e, const void *words, int n);
void declare_words(struct emitter *e);

/* ---- the rest of the file ---- */

void write_helpers(struct emitter *e); /* emit_random.c: routines that were asked for */
void write_add_lanes(struct emitter *e); /* emit_reduce.c: one of them */
void write_public(struct emitter *e);  /* emit_calls.c */

/* A public function's result and parameters, and what its pointers to rows are called. */
struct signature {
	const char *result, *parameters;
	LIST(const char *) inputs, targets, outputs;
};
struct signature make_signature(struct emitter *e, enum call call, struct scope *scope); /* emit_signature.c */
/* The field of the state that holds an optimiser's states of one name. */
const char *rule_field(const struct emitter *e, const char *rule);
const char *call_name(enum call call);
void write_header_text(struct emitter *e, const char *file); /* emit_header.c */
void write_types(struct emitter *e);			     /* the same, in process */
void write_structs(struct emitter *e);			     /* emit_structs.c */
void write_descriptor(struct emitter *e);		     /* emit_descriptor.c: and the untyped functions */
static inline bool writes_call(const struct emitter *e, enum call call)
{
	return e->p->call[call].present && e->calls >> call & 1;
}
void write_weights(struct emitter *e);			     /* emit_weights.c */
bool has_kept(const struct program *p);			     /* a state has more than the run and the optimiser's */

#endif
