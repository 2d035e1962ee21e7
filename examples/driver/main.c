/* main.c - train a network inside a program: driver MODEL.nn DATA-FOLDER WEIGHTS
 *
 *   cc main.c $(pkg-config --cflags --static --libs nnc) -o driver
 *   ./driver ../digits/digits.nn ../digits digits.safetensors
 *
 * The model is a text that is read while the program runs; no C compiler is needed there. The program trains it, saves
 * the weights, and shows that another handle that loads them predicts the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <runtime.h>

/* Messages of the compiler, of the data readers, of everything: to whatever log the program has. */
static void report(void *user, const nnc_message *m)
{
	FILE *log = user;
	if (m->file && m->line)
		fprintf(log, "%s:%d:%d: ", m->file, m->line, m->column);
	else if (m->file)
		fprintf(log, "%s: ", m->file);
	fprintf(log, "%s\n", m->text);
}

/* Called after every step, and at the end of an epoch with the results of the test set. */
static bool progress(void *user, const nnr_progress *p)
{
	(void)user;
	if (p->epoch_end && (p->epoch + 1) % 5 == 0)
		printf("epoch %2d: training loss %.3f, test loss %.3f, accuracy %.2f\n", p->epoch + 1, p->loss,
		       *p->test_loss, p->test_metric[0]);
	return true; /* false would stop here */
}

/* The outputs of the first rows of a data set; the caller frees them. */
static float *predict(nnr_model *model, const nnr_data *data, int rows)
{
	size_t in_size = nnr_tensor(model, NN_INPUT, 0)->count, out_size = nnr_tensor(model, NN_OUTPUT, 0)->count;
	float *in = malloc((size_t)rows * in_size * sizeof *in), *out = malloc((size_t)rows * out_size * sizeof *out);
	void *input[] = {in}, *output[] = {out};
	if (in && out) {
		nnr_gather(model, data, NULL, 0, rows, input, NULL);
		nnr_predict(model, (const void *const *)input, output, rows);
	}
	free(in);
	return out;
}

static int train(nnr_model *model, const nnr_data *data, const nnr_data *test, const char *weights)
{
	nnr_training training = {.data = data, .test = test, .progress = progress, .seed = 1};
	if (nnr_train(model, &training) != NNR_OK || nnr_save(model, weights) != NNR_OK)
		return 1;
	printf("trained %d steps\n", (int)nnr_run(model)->step);
	return 0;
}

static int compare(nnr_model *a, nnr_model *b, const nnr_data *test)
{
	enum { ROWS = 100 };
	float *p = predict(a, test, ROWS), *q = predict(b, test, ROWS);
	int same = p && q && memcmp(p, q, ROWS * nnr_tensor(a, NN_OUTPUT, 0)->count * sizeof *p) == 0;
	printf("predictions of the saved weights are %s\n", same ? "the same" : "different");
	free(p);
	free(q);
	return !same;
}

int main(int argc, char **argv)
{
	nnc_options options = {.report = report, .user = stderr};
	nnr_data_options test_options = {.split = NNR_TEST};
	nnr_data *data = NULL, *test = NULL;
	nnr_model *model = NULL, *again = NULL;
	int failed = 1;
	if (argc != 4) {
		fprintf(stderr, "usage: driver MODEL.nn DATA-FOLDER WEIGHTS\n");
		return 2;
	}
	model = nnr_open(argv[1], &options, NULL);
	again = nnr_open(argv[1], &options, NULL);
	if (model && again && nnr_read_data(model, argv[2], NULL, &data) == NNR_OK &&
	    nnr_read_data(model, argv[2], &test_options, &test) == NNR_OK)
		failed = train(model, data, test, argv[3]);
	if (!failed)
		failed = nnr_load(again, argv[3]) != NNR_OK || compare(model, again, test);
	nnr_free_data(data);
	nnr_free_data(test);
	nnr_close(model);
	nnr_close(again);
	return failed;
}
