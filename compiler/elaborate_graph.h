/* elaborate_graph.h - reading the text of a graph back (elaborate_graph*.c). */
#ifndef NNC_ELABORATE_GRAPH_H
#define NNC_ELABORATE_GRAPH_H

#include "elaborate.h"

/* ---- elaborate_graph.c: the text of a graph ---- */
bool is_graph_text(const struct node *tree);
struct tensor *add_grad(struct elaborator *E, const char *name, struct tensor *w, struct span at);
struct tensor *graph_text_grad(struct elaborator *E, const char *name, struct span at);
bool declare_graph_state(struct elaborator *E, const struct node *var);
void note_optimizer(struct elaborator *E, const struct node *var, struct tensor *t);
void run_part(struct elaborator *E, const struct node *n);

/* ---- elaborate_graph_equation.c: its equations ---- */
void read_map(struct elaborator *E, const struct node *lhs, const struct node *rhs, bool declared);
void read_scatter(struct elaborator *E, const struct node *n);
void declare_body(struct elaborator *E, const struct node *block);
void read_scan(struct elaborator *E, const struct node *n, int depth);

/* ---- elaborate_graph_result.c: what follows the parts ---- */
void read_result(struct elaborator *E, const struct node *n);
void finish_graph_text(struct elaborator *E);

#endif
