/* describe.h - the model as data. */
#ifndef NNC_DESCRIBE_H
#define NNC_DESCRIBE_H

#include "emit_parts.h"

struct description {
	struct arena *arena;
	nn_model model;		 /* its functions are NULL */
	LIST(nn_tensor) tensors; /* of the model: params, states, settings, inputs, targets, outputs, metrics */
};
void describe_model(struct emitter *e, struct description *d);

#endif
