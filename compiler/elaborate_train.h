/* elaborate_train.h - losses, metrics, outputs and the train line (elaborate_train.c, _update, _totals). */
#ifndef NNC_ELABORATE_TRAIN_H
#define NNC_ELABORATE_TRAIN_H

#include "elaborate.h"

/* ---- elaborate_train.c ---- */
void add_loss(struct elaborator *E, const struct node *n);
void add_metrics(struct elaborator *E, const struct node *n);
void add_outputs(struct elaborator *E, const struct node *n);
void set_goals(struct elaborator *E);
bool fits_any(const struct node *only, const char *name);
struct tensor *total_loss(struct elaborator *E);
void read_options(struct elaborator *E, const struct node *options);
void default_output(struct elaborator *E);
bool matches(const char *pattern, const char *name);

/* ---- elaborate_update.c ---- */
void build_training(struct elaborator *E);
struct tensor *rule_gradient(struct elaborator *E, int k); /* of param k of g->grads, as the rules see it */

/* ---- elaborate_totals.c: `data` ---- */
void drop_totals(struct elaborator *E);	   /* of the run with training = yes */
void finish_metrics(struct elaborator *E); /* of the other */

#endif
