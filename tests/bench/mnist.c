/* mnist.c - train on MNIST from the model's text, or, with ATTACHED, by C that nnc wrote; fails below 97 % of the test
 * set: mnist MODEL.nn FOLDER tcc|cc|auto, by whom the code is made, which is not kept. */
#include "runtime.h"
#include <stdio.h>
#include <string.h>

#ifdef ATTACHED
extern const nn_model ATTACHED;
#endif

static void report(void *user, const nnc_message *message)
{
	(void)user;
	fprintf(stderr, "%s\n", message->text);
}

int main(int argc, char **argv)
{
	nnc_options options = {.report = report, .cache = "none"};
	nnr_data *train, *test;
	double accuracy = 0;
	if (argc != 4)
		return 2;
	options.jit = strcmp(argv[3], "cc") == 0     ? NNC_JIT_CC
		      : strcmp(argv[3], "auto") == 0 ? NNC_JIT_AUTO
						     : NNC_JIT_TCC;
#ifdef ATTACHED
	nnr_model *model = nnr_attach(&ATTACHED, &options, NULL);
#else
	nnr_model *model = nnr_open(argv[1], &options, NULL);
#endif
	nnr_data_options which = {.scale = 1 / 255.0, .split = NNR_TRAIN};
	if (!model || nnr_read_data(model, argv[2], &which, &train))
		return 1;
	which.split = NNR_TEST;
	if (nnr_read_data(model, argv[2], &which, &test))
		return 1;
	nnr_training training = {.data = train, .seed = 1};
	if (nnr_train(model, &training) || nnr_evaluate(model, test, NULL, &accuracy))
		return 1;
	fprintf(stderr, "MNIST: %.2f %% of the test set\n", 100 * accuracy);
	return accuracy < 0.97;
}
