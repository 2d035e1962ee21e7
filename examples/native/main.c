/* main.c - train generated C at the full speed of a compiler: trainer DATA WEIGHTS [TEST-DATA]
 *
 *   nnc lenet.nn
 *   cc -O3 -march=native -DMODEL=lenet_model main.c lenet.c $(pkg-config --cflags --static --libs nnc) -o trainer
 *
 * The network is lenet.c, of which only the descriptor is used, so that this program serves any model; libnnrun has the
 * data readers, the training loop and the weights' file format. WEIGHTS are read first if they are there, and a run
 * that was interrupted goes on. */
#include <stdio.h>
#include <sys/stat.h>

#include <runtime.h>

extern const nn_model MODEL;

static void report(void *user, const nnc_message *m)
{
	(void)user;
	fprintf(stderr, "%s: %s\n", m->file ? m->file : MODEL.name, m->text);
}

/* A line at the end of each epoch, or every 100 steps. */
static bool progress(void *user, const nnr_progress *p)
{
	nnr_model *model = user;
	if (!p->epoch_end && p->step % 100)
		return true;
	printf("epoch %d step %d: loss %.4f", p->epoch + 1, (int)p->step, p->loss);
	for (int k = 0; p->test_loss && k <= nnr_count(model, NN_METRIC); k++)
		printf(", test %s %.4f", k ? nnr_tensor(model, NN_METRIC, k - 1)->name : "loss",
		       k ? p->test_metric[k - 1] : *p->test_loss);
	printf("\n");
	fflush(stdout);
	return true;
}

/* A folder has a test set of its own; else it is the third argument, or there is none. */
static const char *find_test(int argc, char **argv)
{
	struct stat about;
	return argc > 3 ? argv[3] : stat(argv[1], &about) == 0 && S_ISDIR(about.st_mode) ? argv[1] : NULL;
}

int main(int argc, char **argv)
{
	nnc_options options = {.report = report};
	nnr_data_options test_options = {.split = NNR_TEST};
	nnr_data *data = NULL, *test = NULL;
	struct stat about;
	if (argc < 3) {
		fprintf(stderr, "usage: trainer DATA WEIGHTS [TEST-DATA]\n");
		return NNR_USAGE;
	}
	nnr_status status;
	nnr_model *model = nnr_attach(&MODEL, &options, &status);
	const char *test_path = find_test(argc, argv);
	if (status == NNR_OK)
		status = nnr_read_data(model, argv[1], NULL, &data);
	if (status == NNR_OK && test_path)
		status = nnr_read_data(model, test_path, &test_options, &test);
	if (status == NNR_OK && stat(argv[2], &about) == 0)
		status = nnr_load(model, argv[2]);
	nnr_training training = {.data = data, .test = test, .progress = progress, .user = model};
	if (status == NNR_OK) {
		training.seed = nnr_run(model)->seed;
		status = nnr_train(model, &training);
	}
	if (status == NNR_OK)
		status = nnr_save(model, argv[2]);
	nnr_free_data(data);
	nnr_free_data(test);
	nnr_close(model);
	return status;
}
