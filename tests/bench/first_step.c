/* first_step.c - open a model in process and do one training step on a batch of zeros: first_step MODEL.nn */
#include "runtime.h"
#include <stdlib.h>

enum { MOST = 16 };

/* Zeroed rows for the tensors of one kind. */
static void make_rows(nnr_model *model, enum nn_kind kind, const void **rows)
{
	const nn_model *m = nnr_descriptor(model);
	for (int k = 0; k < nnr_count(model, kind) && k < MOST; k++)
		rows[k] = calloc(m->batch * nnr_tensor(model, kind, k)->count + 1, m->real_size);
}

int main(int argc, char **argv)
{
	nnr_model *model = argc == 2 ? nnr_open(argv[1], NULL, NULL) : NULL;
	const void *input[MOST] = {0}, *target[MOST] = {0};
	double loss;
	if (!model)
		return 1;
	make_rows(model, NN_INPUT, input);
	make_rows(model, NN_TARGET, target);
	return nnr_step(model, input, target, (int)nnr_descriptor(model)->batch, &loss) != NNR_OK;
}
