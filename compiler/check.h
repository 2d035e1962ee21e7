/* check.h - a pass for derivative checks only. */
#ifndef NNC_CHECK_H
#define NNC_CHECK_H

#include "graph.h"

/* requires  a graph as elaborated, before the chain rule; 0 <= goal < g->goals.n
 * keeps     the values of forward, as the offsets are 0; inference and init of everything else
 * breaks    training: part update is gone
 * gives     a graph with one loss, that of the goal, in which only what it has gradients for is a trained param; among
 * these, for every real input x, x.offset[batch, ...]: part forward reads x + x.offset, so its gradient is the input's
 */
void prepare_check(struct graph *g, int goal);

#endif
