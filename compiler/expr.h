/* expr.h - what the files that make expressions share; everybody else uses graph.h. */
#ifndef NNC_EXPR_H
#define NNC_EXPR_H

#include "graph.h"

/* The one expression equal to *key (its args, payload, elem; id, slots, ops and affine are filled in here). key and its
 * arg array are copied where it is new. Nothing is simplified. */
struct expr *ex_intern(struct graph *g, const struct expr *key);
/* An operator exactly as given, args already of the right types. */
struct expr *ex_plain(struct graph *g, enum ex op, enum elem elem, int n, struct expr *const *arg);
/* e as another type: the same, bool to int, or either to real. Never narrows: a real stays. */
struct expr *ex_convert(struct graph *g, struct expr *e, enum elem to);
/* Sums and products of affine arguments in canonical form, quotients and remainders by an integer with the multiples
 * of it split off; NULL where there is nothing to do (or the integers would overflow). */
struct expr *affine_make(struct graph *g, enum ex op, int n, struct expr *const *arg);
/* a - b where both are affine and differ by a constant. */
bool affine_difference(const struct expr *a, const struct expr *b, int64_t *difference);

/* e rewritten bottom up, no node twice. before(e) gives an expression's result without a look at its arguments, or
 * NULL; after(old, new) may replace what was rebuilt. Either may be NULL. */
typedef struct expr *before_fn(void *user, const struct expr *e);
typedef struct expr *after_fn(void *user, const struct expr *old, struct expr *rebuilt);
struct expr *ex_rewrite(struct graph *g, struct expr *e, before_fn *before, after_fn *after, void *user);

/* Calls fn for every distinct expression in e, arguments before what uses them; e->place counts them from 0. */
void ex_visit(struct graph *g, struct expr *e, void (*fn)(void *user, struct expr *e), void *user);
/* The same for the reads in it, which are not numbered; what has none is not gone through. */
void ex_visit_reads(struct graph *g, struct expr *e, void (*fn)(void *user, struct expr *read), void *user);

_Static_assert(EX_COUNT <= 64, "expr.ops has a bit for each");
static inline bool ex_has(const struct expr *e, enum ex op) { return e->ops >> op & 1; }
/* A function of a real number that takes longer than arithmetic; and whether one is in e. */
static inline bool is_slow_function(enum ex op) { return op >= EX_EXP && op <= EX_SQRT; }
static inline bool has_slow_function(const struct expr *e)
{
	return e->ops >> EX_EXP & (((uint64_t)2 << (EX_SQRT - EX_EXP)) - 1);
}

/* Functions and arithmetic of real numbers; false where op is neither. */
bool compute1(enum ex op, double x, double *out);
bool compute2(enum ex op, double x, double y, double *out);
/* Arithmetic of integers; false also where the result is none, or too large. */
bool compute_ints(enum ex op, int64_t x, int64_t y, int64_t *out);
/* The literal that an operator makes of two; NULL where they are none, or there is none. */
struct expr *fold_reals(struct graph *g, enum ex op, const struct expr *a, const struct expr *b);
struct expr *fold_ints(struct graph *g, enum ex op, const struct expr *a, const struct expr *b);

/* The value of an integer or a test, slot s being at[s]. *left: operators that may still be looked at, as an expression
 * may be shared many times over; -1 where they are not enough, there is more in it than arithmetic, comparisons and
 * logic, or something overflows. */
int64_t compute_integer(const struct expr *e, const int64_t *at, int *left);

bool is_reserved_name(const char *name);

/* Floor division and its remainder; b != 0 and not INT64_MIN / -1. */
int64_t floor_divide(int64_t a, int64_t b);
int64_t floor_modulo(int64_t a, int64_t b);

#endif
