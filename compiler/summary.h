/* summary.h - what a model is, as a table. */
#ifndef NNC_SUMMARY_H
#define NNC_SUMMARY_H

#include "graph.h"

/* requires a verified graph; gives a text in the arena of g->ctx. */
const char *summary_text(struct graph *g);

#endif
