/* recompute.h - what the files share that fit a model into a budget of memory (--ram).
 *
 *   fit.c        the plans, from the fastest to the smallest, of which the first that fits is taken
 *   keep.c       which values the backward pass should compute again, so that no more than so much lives at once
 *   recompute.c  part backward in which it does */
#ifndef NNC_RECOMPUTE_H
#define NNC_RECOMPUTE_H

#include "plan.h"

/* keep.c: a model of when values live in a training step. */
struct keeping *weigh_values(struct program *p);
/* The most bytes that live at once with all values kept. */
int64_t most_alive(struct keeping *k);
/* Choose values so that no more than `most` bytes live at once, or as little beyond as can be: again[id] of every
 * value's tensor tells whether it is chosen. False: no better choice was found than something beyond it. */
bool choose_values(struct keeping *k, int64_t most, bool *again);
/* recompute.c: part backward from the equations `backward`, which are left as they are; what again[id] says is computed
 * in it once more, right before its first use. */
void compute_again(struct graph *g, const equation_list *backward, const bool *again);
/* Whether the value an equation of part forward makes can be computed again later: it gives the same then. */
bool may_compute_again(const struct equation *eq);
/* Whose memory a tensor is. */
struct tensor *origin_of(struct tensor *t);

#endif
