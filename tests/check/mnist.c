/* mnist.c - train generated C on a data set in the folder given, with the runtime's reader and loop; print the
 * accuracy. */
#include "m.h"
#include "runtime.h"
#include <stdio.h>

static void report(void *user, const nnc_message *message)
{
	(void)user;
	fprintf(stderr, "%s\n", message->text);
}

int main(int argc, char **argv)
{
	nnc_options options = {.report = report};
	nnr_model *model = argc == 2 ? nnr_attach(&m_model, &options, NULL) : NULL;
	nnr_data *train, *test;
	double loss, accuracy = 0;
	if (!model)
		return 2;
	nnr_data_options which = {.scale = 1 / 255.0, .split = NNR_TRAIN};
	if (nnr_read_data(model, argv[1], &which, &train))
		return 1;
	which.split = NNR_TEST;
	if (nnr_read_data(model, argv[1], &which, &test))
		return 1;
	nnr_training training = {.data = train, .seed = 1};
	nnr_init(model, 1);
	if (nnr_train(model, &training) || nnr_evaluate(model, test, &loss, &accuracy))
		return 1;
	printf("MNIST 784-128-10: %.4f of %ld test images\n", accuracy, (long)nnr_rows(test));
	nnr_free_data(train);
	nnr_free_data(test);
	nnr_close(model);
	return accuracy < 0.97;
}
