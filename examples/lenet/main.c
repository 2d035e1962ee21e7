/* main.c - train generated C at the full speed of a compiler: lenet MNIST-FOLDER WEIGHTS
 *
 *   nnc lenet.nn
 *   cc -O3 -march=native main.c lenet.c $(pkg-config --cflags --static --libs nnc) -o lenet
 *
 * The network is lenet.c; libnnrun has the data readers, the training loop and the weights' file format. */
#include <stdio.h>

#include <runtime.h>

#include "lenet.h"

static void report(void *user, const nnc_message *m)
{
	(void)user;
	fprintf(stderr, "%s: %s\n", m->file ? m->file : "lenet", m->text);
}

static bool progress(void *user, const nnr_progress *p)
{
	(void)user;
	if (p->epoch_end)
		printf("epoch %d: training loss %.4f, test loss %.4f, accuracy %.4f\n", p->epoch + 1, p->loss,
		       *p->test_loss, p->test_metric[0]);
	return true;
}

int main(int argc, char **argv)
{
	nnc_options options = {.report = report};
	nnr_data_options test_options = {.split = NNR_TEST};
	nnr_model *model = nnr_attach(&lenet_model, &options, NULL);
	nnr_data *data = NULL, *test = NULL;
	if (argc != 3 || !model) {
		fprintf(stderr, "usage: lenet MNIST-FOLDER WEIGHTS\n");
		return 2;
	}
	nnr_status status = nnr_read_data(model, argv[1], NULL, &data);
	if (status == NNR_OK)
		status = nnr_read_data(model, argv[1], &test_options, &test);
	nnr_training training = {.data = data, .test = test, .progress = progress, .seed = 1};
	if (status == NNR_OK)
		status = nnr_train(model, &training);
	if (status == NNR_OK)
		status = nnr_save(model, argv[2]);
	nnr_free_data(data);
	nnr_free_data(test);
	nnr_close(model);
	return status;
}
