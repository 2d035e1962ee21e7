/* evaluate.h - equations computed while compiling. */
#ifndef NNC_EVALUATE_H
#define NNC_EVALUATE_H

#include "graph.h"

/* The elements of the equation's tensor, row-major, in the arena. values: of the tensors that are known, by id. NULL:
 * it reads others, or takes a run's numbers. */
double *evaluate_equation(struct graph *g, const struct equation *eq, double *const *values);

#endif
