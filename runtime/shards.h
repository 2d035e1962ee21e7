/* shards.h - the gradient of a batch, made in parts by several threads. */
#ifndef NNR_SHARDS_H
#define NNR_SHARDS_H

#include "handle.h"

/* strict: the parts are the same for any number of threads. NULL: out of memory, or no threads to be had; reported. */
struct shards *shards_start(nnr_model *model, int threads, bool strict);
/* As the model's backward: sets its gradients from n rows, and returns their mean loss. */
double shards_backward(struct shards *shards, const void *const *input, const void *const *target, int n);
/* Other code is going to run, whose scratch is of this size. False: out of memory, reported. */
bool shards_fit(struct shards *shards, size_t work_size);
void shards_free(struct shards *shards);

#endif
