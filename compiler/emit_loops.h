/* emit_loops.h - what the files that write loops share. */
#ifndef NNC_EMIT_LOOPS_H
#define NNC_EMIT_LOOPS_H

#include "emit_parts.h"

/* The loops of a stage that accumulate, and what they are in. */
struct accumulation {
	struct stage *stage;
	int first;	     /* of stage->loop */
	int n_blocks, names; /* names of the scope before the first block */
};

/* emit_loops.c */
const char *index_name(struct body *b, const struct equation *eq, int slot);
const char *extent_text(struct body *b, const struct index *index);
/* The element that a MAP, DOT or ROW stage makes. */
const char *target_text(struct body *b, const struct equation *eq);
/* The stages [at, end) in the body of their nest: values first, and each stored as soon as nothing reads what it
 * overwrites. */
void write_nest_body(struct body *b, int at, int end, int n_open);

/* emit_bounds.c: the accumulating loops before number `until` of the stage. */
void open_accumulation(struct body *b, struct accumulation *acc, int until);
void close_accumulation(struct body *b, const struct accumulation *acc);
/* The variables from which and to which loop k of the stage runs; the loop is not opened. */
void open_bounded(struct body *b, struct accumulation *acc, int k, const char **from, const char **to);

/* emit_reduce.c: the accumulator of a DOT stage, complete; the loops of the others. */
const char *write_dot(struct body *b, struct stage *stage);
void write_row(struct body *b, struct stage *stage);
void write_scatter(struct body *b, struct stage *stage);

#endif
