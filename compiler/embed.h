/* embed.h - the graph with embedded weights. */
#ifndef NNC_EMBED_H
#define NNC_EMBED_H

#include "graph.h"

/* requires  a simplified graph; *weights and *state as the generated structs have them, or NULL
 * keeps     it
 * gives     where weights are given to inference-only code: a graph of its own whose params are what inference needs of
 *           them, without loss of precision, and in *weights and *state the numbers that belong to it. Else, and where
 *           nothing is to be computed, or operations are to stay as they are (fp=strict): the same graph and numbers */
struct graph *embed_weights(struct graph *g, const void **weights, const void **state);

#endif
