/* emit_calls.h - a public function in the making. */
#ifndef NNC_EMIT_CALLS_H
#define NNC_EMIT_CALLS_H

#include "emit_parts.h"

/* Names of the first row of a block, and of how many there are. */
struct block_place {
	const char *at, *rows;
};

/* One call of a static function. */
struct invocation {
	struct function *function;
	struct group *group;
	const struct step_loop *steps; /* the scan it stands in, or NULL */
	struct arg *args;
	int n_args;
	text_list sites;
	int64_t count; /* of a flat function: elements, of one row where rows is set */
	bool rows;
	const struct sweep *sweep;	 /* it takes part in one, or NULL */
	const struct invocation *alone;	 /* of a sweep's first: the call for one sample, or NULL */
	const struct strip *strip;	 /* it is for a strip of samples, or NULL */
	const struct block_place *place; /* it is for a block, a strip or a share, or NULL */
	int64_t row;			 /* of a block: elements of a row of a flat function */
	enum cut_along cut;		 /* how a team shares it, */
	int phase, thread;		 /* how often it has met before, and which thread does it alone, or -1 */
};

/* A pointer variable of a public function. */
struct pointer {
	struct storage storage;
	struct tensor *root;
	const char *name;
	bool written;
};

struct public_call {
	struct emitter *e;
	enum call call;
	struct call_plan *plan;
	struct scope scope;
	struct signature sig;
	LIST(struct invocation) invocations;
	const struct strip *strip; /* around the invocation that is being made, or NULL */
	LIST(struct pointer) pointers;
	const char *step_name[MAX_SCAN_DEPTH];
};

/* emit_signature.c: one more parameter of a list. */
void add_parameter(struct text *out, const char *text);

/* emit_pointers.c */
bool same_storage(const struct storage *a, const struct storage *b);
/* The pointer to a tensor's memory, or NULL; it gets one, perhaps to write through. */
struct pointer *find_pointer(struct public_call *c, struct tensor *root);
void need_pointer(struct public_call *c, struct tensor *root, bool written);
void declare_pointer(struct public_call *c, struct pointer *pointer);
/* "[n][16]": of what is made in blocks or strips, with the rows that have memory. */
const char *pointer_shape(struct public_call *c, const struct tensor *t);
/* base, or base + offset. */
const char *at_offset(struct public_call *c, const char *base, int64_t offset);
/* The first element of a field of a struct, whose tensors lack their first `without` axes if they are of the sample. */
const char *field_text(struct public_call *c, const char *base, const struct tensor *t, int without);
/* Where a storage is, as C. */
const char *storage_text(struct public_call *c, const struct pointer *pointer);

/* emit_invocation.c: the calls of a public function; one of them, and all in the loops of their scans, as C. */
void collect_invocations(struct public_call *c);
void write_invocation(struct public_call *c, const struct invocation *call);
void write_invocations(struct public_call *c);

/* emit_strip.c */
int write_strip(struct public_call *c, const struct invocation *call); /* how many invocations it is */
/* What a call for a strip is given as an argument. */
const char *strip_start(struct public_call *c, const struct invocation *call, const struct arg *arg);

/* emit_sweep.c */
int write_sweep(struct public_call *c, const struct invocation *call); /* how many invocations it is */
/* What a call for a block is given as an argument. */
const char *block_start(struct public_call *c, const struct invocation *call, const struct arg *arg);

/* emit_team.c: what a thread does of the step, and when it waits for the others; the start of what one does at the end.
 */
void write_shares(struct public_call *c);
void open_finish(struct public_call *c);
/* What a call for a share is given as an argument. */
const char *share_start(struct public_call *c, const struct invocation *call, const struct arg *arg);

/* emit_totals.c: totals over the evaluated set that the call reads, in memory of its own; and what it adds to them. */
bool is_copied(const struct public_call *c, const struct tensor *t);
void convert_totals(struct public_call *c);
bool is_of_call(const struct public_call *c, const struct total *total);
void finish_totals(struct public_call *c);

#endif
