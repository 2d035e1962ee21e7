/* shards.h - training by several threads. */
#ifndef NNR_SHARDS_H
#define NNR_SHARDS_H

#include "late.h"

/* strict: the numbers are the same for any number of threads. NULL: out of memory, or no threads to be had; reported. */
struct shards *shards_start(nnr_model *model, int threads, bool strict);
/* As the model's backward: sets its gradients from n rows, and returns their mean loss. */
double shards_backward(struct shards *shards, const void *const *input, const void *const *target, int n);
/* A training step; returns the loss before it. Needs these functions of the code. */
double shards_step(struct shards *shards, const void *const *input, const void *const *target, int n);
unsigned shards_functions(const struct shards *shards, int n);
/* Other code is going to run, which has scratch of other sizes. False: out of memory, reported. */
bool shards_fit(struct shards *shards, const nn_model *code);
void shards_free(struct shards *shards);

#endif
