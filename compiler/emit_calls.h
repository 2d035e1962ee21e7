/* emit_calls.h - a public function in the making. */
#ifndef NNC_EMIT_CALLS_H
#define NNC_EMIT_CALLS_H

#include "emit_parts.h"

/* One call of a static function. */
struct invocation {
	struct function *function;
	const struct step_loop *steps; /* the scan it stands in, or NULL */
	struct arg *args;
	int n_args;
	text_list sites;
	int64_t count; /* of a flat function: elements, of one row where rows is set */
	bool rows;
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
/* base, or base + offset. */
const char *at_offset(struct public_call *c, const char *base, int64_t offset);
/* The first element of a field of a struct, whose tensors lack their first `without` axes if they are of the sample. */
const char *field_text(struct public_call *c, const char *base, const struct tensor *t, int without);
/* Where a storage is, as C. */
const char *storage_text(struct public_call *c, const struct pointer *pointer);

/* emit_totals.c: totals over the evaluated set that the call reads, in memory of its own; and what it adds to them. */
bool is_copied(const struct public_call *c, const struct tensor *t);
void convert_totals(struct public_call *c);
bool is_of_call(const struct public_call *c, const struct total *total);
void finish_totals(struct public_call *c);

#endif
