/* stream.h - what the two files of step-by-step inference share. */
#ifndef NNC_STREAM_H
#define NNC_STREAM_H

#include "chain.h"
#include "expr.h"
#include "schedule.h"

struct timed {
	int axis;    /* of the steps; -1: not timed */
	int64_t lag; /* how many steps earlier it is read */
	bool needed;
	struct tensor *slice;  /* of the step at hand, or the whole where not timed */
	struct tensor *before; /* what is kept: the slice one step earlier, or [lag] of them, the latest first */
};

struct streaming {
	struct program *p;
	struct graph *g;
	struct arena *arena;
	struct timed *of;	    /* by tensor id */
	LIST(struct tensor *) kept; /* those of which earlier steps are read */
	const struct equation *eq;  /* being gone over */
	int time;		    /* its slot of the steps, or -1 */
	int64_t trips;
	bool changed, uses_time, uses_count;
	const char *refused;
	struct tensor *count; /* steps so far */
	struct stream *out;
};

/* A subscript along steps. */
struct shift {
	int slot;	     /* of the reader's steps; -1: the subscript is a constant */
	struct expr *lag;    /* how many steps earlier: slot - subscript */
	int64_t least, most; /* of it */
};

static inline struct timed *timed_of(const struct streaming *s, const struct tensor *t) { return &s->of[t->id]; }

/* ---- stream_steps.c ---- */

/* What outputs need, and the scan whose steps are those of the inputs, or else of the outputs: find out along which
 * axes tensors are timed. False where there is none; then s->out->refused may say why. */
bool find_steps(struct streaming *s);
bool find_shift(const struct streaming *s, const struct expr *sub, struct shift *shift);
bool has_timed(struct streaming *s, struct equation *const *item, int n);
bool has_needed(struct streaming *s, struct equation *const *item, int n);

#endif
