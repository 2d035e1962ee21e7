/* offset.h - a pass for derivative checks only. */
#ifndef NNC_OFFSET_H
#define NNC_OFFSET_H

#include "graph.h"

/* requires  a graph as elaborated, before the chain rule
 * keeps     the value of everything, as the offsets are 0
 * gives     for every real input x a trained param "x.offset" of its shape with the batch in front, and x + x.offset in
 *           place of x in part forward. So the gradient of the offset is that of the input, row by row. */
void add_input_offsets(struct graph *g);

#endif
