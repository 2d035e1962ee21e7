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

/* The loops of a nest from number k on, and its body. */
void write_nest_loops(struct body *b, int at, int end, int k, int n_open);

/* emit_pieces.c: one loop after the other instead of loop k, if the schedule has cut it and that is of use here; all
 * that is within. */
bool write_pieces(struct body *b, int at, int end, int k, int n_open);
/* From here on the slot is in [from, to). */
void know_range(struct body *b, int slot, int64_t from, int64_t to);
/* The terms of stages [at, end) with map for their slots, if that is not NULL, become what they are while the indices are
 * in the ranges known; what they were is returned. */
struct expr **restrict_terms(struct body *b, int at, int end, struct expr *const *map);
void restore_terms(struct body *b, int at, int end, struct expr *const *kept);

/* emit_bounds.c: the accumulating loops before number `until` of the stage. */
void open_accumulation(struct body *b, struct accumulation *acc, int until);
void close_accumulation(struct body *b, const struct accumulation *acc);
/* The variables from which and to which loop k of the stage runs; the loop is not opened. */
void open_bounded(struct body *b, struct accumulation *acc, int k, const char **from, const char **to);

/* emit_reduce.c: the accumulator of a DOT stage, complete; the loops of the others. */
const char *write_dot(struct body *b, struct stage *stage);
void write_row(struct body *b, struct stage *stage);
/* 0 in all of a tensor. */
void clear_tensor(struct body *b, const struct tensor *t);
void write_scatter(struct body *b, struct stage *stage);

#endif
