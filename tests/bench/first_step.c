/* first_step.c - do one training step on a batch of zeros and end, to see how long it takes to start: first_step
 * MODEL.nn opens the model in process, with code by tcc; with ATTACHED it is one that is linked in. */
#include "runtime.h"
#include <stdlib.h>

enum { MOST = 16 };

#ifdef ATTACHED
extern const nn_model ATTACHED;
#endif

/* Zeroed rows for the tensors of one kind. */
static void make_rows(nnr_model *model, enum nn_kind kind, const void **rows)
{
	const nn_model *m = nnr_descriptor(model);
	for (int k = 0; k < nnr_count(model, kind) && k < MOST; k++)
		rows[k] = calloc(m->batch * nnr_tensor(model, kind, k)->count + 1, m->real_size);
}

int main(int argc, char **argv)
{
	const void *input[MOST] = {0}, *target[MOST] = {0};
	double loss;
	if (argc != 2)
		return 2;
#ifdef ATTACHED
	nnr_model *model = nnr_attach(&ATTACHED, NULL, NULL);
#else
	nnr_model *model = nnr_open(argv[1], NULL, NULL);
#endif
	if (!model)
		return 1;
	make_rows(model, NN_INPUT, input);
	make_rows(model, NN_TARGET, target);
	return nnr_step(model, input, target, (int)nnr_descriptor(model)->batch, &loss) != NNR_OK;
}
