/* cli_train.c - the commands that run a model on data: train, eval, predict. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "files.h"

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Open the model and, if asked, its weights; NULL with *code set. */
static nnr_model *open_model(struct cli *cli, const char *text, size_t size, int *code)
{
	nnr_status status;
	nnr_model *model = nnr_open_text(cli->input, text, size, &cli->options, &status);
	if (!model || cli->messages.errors) {
		print_count(&cli->messages);
		nnr_close(model);
		*code = model ? EXIT_ERRORS : exit_code_of(status);
		return NULL;
	}
	if (cli->seeded)
		nnr_init(model, cli->seed);
	status = cli->load ? nnr_load(model, cli->load) : NNR_OK;
	*code = exit_code_of(status);
	if (status == NNR_OK)
		return model;
	nnr_close(model);
	return NULL;
}

/* A model that takes nothing has rows without anything in them. */
static nnr_status make_empty_row(struct cli *cli, nnr_model *model, nnr_data **data)
{
	static const void *const nothing[] = {NULL};
	*data = NULL;
	if (nnr_count(model, NN_INPUT) || (cli->command != PREDICT && nnr_count(model, NN_TARGET)))
		return (nnr_status)(usage_error("nnc %s needs --data", command_name(cli->command)), NNR_USAGE);
	return nnr_wrap_data(model, nothing, cli->command == PREDICT ? NULL : nothing, 1, data);
}

static nnr_status read_data(struct cli *cli, nnr_model *model, const char *path, nnr_split split, nnr_data **data)
{
	if (!path)
		return make_empty_row(cli, model, data);
	nnr_data_options options = {.scale = cli->scale, .split = split, .inputs_only = cli->command == PREDICT};
	double start = seconds();
	nnr_status status = nnr_read_data(model, path, &options, data);
	if (status == NNR_OK && cli->verbose)
		fprintf(stderr, "nnc: %s: %" PRId64 " rows in %.2f s\n", path, nnr_rows(*data), seconds() - start);
	return status;
}

/* One number; a count in full. */
static int format_number(char *text, size_t size, double value)
{
	return snprintf(text, size, "%.*g", fabs(value) < 1e15 && value == floor(value) ? 15 : 6, value);
}

/* A vector stands in a line, a matrix in a line for each row behind its name, its columns aligned. */
static void print_metric(const nn_tensor *t, const double *value)
{
	char text[32];
	size_t width = t->rank ? (size_t)t->dim[t->rank - 1] : 1;
	int longest = 0;
	for (size_t i = 0; t->rank > 1 && i < t->count; i++) {
		int length = format_number(text, sizeof text, value[i]);
		longest = length > longest ? length : longest;
	}
	printf(t->rank > 1 ? "%s\n" : "%s", t->name);
	for (size_t i = 0; i < t->count; i++) {
		format_number(text, sizeof text, value[i]);
		printf(" %*s%s", longest, text, i % width == width - 1 ? "\n" : "");
	}
}

/* Loss and metrics, each on a line of its own; either may be NULL. */
static void print_results(nnr_model *model, const double *loss, const double *metric)
{
	if (loss)
		printf("loss %.6g\n", *loss);
	for (int k = 0; metric && k < nnr_count(model, NN_METRIC); k++) {
		const nn_tensor *t = nnr_tensor(model, NN_METRIC, k);
		print_metric(t, metric + t->offset);
	}
}

static nnr_status evaluate(nnr_model *model, const nnr_data *data)
{
	double loss, *metric = calloc((size_t)nnr_metric_count(model) + 1, sizeof *metric);
	if (!metric)
		return NNR_MEMORY;
	bool has_loss = nnr_descriptor(model)->loss != NULL;
	nnr_status status = nnr_evaluate(model, data, has_loss ? &loss : NULL, metric);
	if (status == NNR_OK)
		print_results(model, has_loss ? &loss : NULL, metric);
	free(metric);
	return status;
}

/* ---- train ---- */

/* Set by an interrupt (Ctrl-C): training ends after the step at hand, and the weights are written. A second interrupt
 * ends the program. A handler can reach nothing but such a variable. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	interrupted = 1;
	signal(number, SIG_DFL);
}

struct display {
	nnr_model *model;
	bool quiet, terminal;
	double start, last, shown; /* seconds: the epoch's first step, the last step, the last line */
	int epoch;		   /* that start is of; -1: none */
	int64_t first_row;	   /* row of the epoch at start */
	int32_t tested;		   /* the step after which the test set gave these; -1: none */
	double test_loss, *test_metric;
};

static void print_progress(const struct display *display, const nnr_progress *p)
{
	double elapsed = display->last - display->start;
	char line[1000];
	size_t n = (size_t)snprintf(line, sizeof line, "epoch %d/%d  step %" PRId64 "/%" PRId64 "  loss %.5g",
				    p->epoch + 1, p->epochs, p->step, p->steps, p->loss);
	if (p->test_loss) {
		n += (size_t)snprintf(line + n, sizeof line - n, "  test loss %.5g", *p->test_loss);
		for (int k = 0; k < nnr_count(display->model, NN_METRIC) && n < sizeof line / 2; k++) {
			const nn_tensor *t = nnr_tensor(display->model, NN_METRIC, k);
			if (t->count == 1)
				n += (size_t)snprintf(line + n, sizeof line - n, "  %.100s %.4g", t->name,
						      p->test_metric[t->offset]);
		}
	}
	if (elapsed > 0)
		snprintf(line + n, sizeof line - n, "  %.0f rows/s", (double)(p->row - display->first_row) / elapsed);
	if (display->terminal)
		fprintf(stderr, "\r%s\033[K", line);
	else
		fprintf(stderr, "%s\n", line);
}

static bool on_progress(void *user, const nnr_progress *p)
{
	struct display *display = user;
	double now = seconds();
	if (p->epoch != display->epoch) {
		display->epoch = p->epoch;
		display->start = display->shown = now;
		display->first_row = p->row;
	}
	if (!p->epoch_end)
		display->last = now;
	if (!display->quiet && (p->epoch_end || (display->terminal && now - display->shown > 0.1))) {
		print_progress(display, p);
		display->shown = now;
	}
	if (p->test_loss) {
		display->tested = (int32_t)p->step;
		display->test_loss = *p->test_loss;
		memcpy(display->test_metric, p->test_metric,
		       (size_t)nnr_metric_count(display->model) * sizeof *p->test_metric);
	}
	return !interrupted;
}

/* Train, and say how it went. */
static nnr_status train(struct cli *cli, nnr_model *model, const nnr_data *data, const nnr_data *test,
			struct display *display)
{
	nnr_training training = {.data = data,
				 .test = test,
				 .epochs = cli->epochs,
				 .steps = cli->steps,
				 .seed = nnr_run(model)->seed,
				 .progress = on_progress,
				 .user = display};
	double start = seconds();
	int first = nnr_run(model)->step;
	void (*before)(int) = signal(SIGINT, on_interrupt);
	if (before == SIG_IGN) /* a job in the background */
		signal(SIGINT, SIG_IGN);
	nnr_status status = nnr_train(model, &training);
	signal(SIGINT, before);
	if (display->terminal && !display->quiet && display->epoch >= 0)
		fputc('\n', stderr);
	if (status == NNR_OK && nnr_run(model)->step == first)
		fprintf(stderr, "nnc: nothing to do: %d steps were done before; --epochs and --steps count them\n",
			first);
	if (status == NNR_OK && cli->verbose) {
		int32_t since;
		nnr_code code = nnr_made_by(model, &since);
		fprintf(stderr, "nnc: %d steps in %.2f s\n", nnr_run(model)->step - first, seconds() - start);
		fprintf(stderr, "nnc: code by %s since step %d\n", code == NNR_CC ? "the C compiler" : "libtcc",
			since > first ? (int)since : first);
	}
	return status;
}

/* Train, save, and print the final results: those of the last epoch's test if nothing came after it. */
static nnr_status train_and_save(struct cli *cli, nnr_model *model, const nnr_data *data, const nnr_data *test,
				 const char *output)
{
	struct display display = {.model = model,
				  .quiet = cli->quiet,
				  .terminal = isatty(STDERR_FILENO),
				  .epoch = -1,
				  .tested = -1,
				  .test_metric = calloc((size_t)nnr_metric_count(model) + 1, sizeof(double))};
	nnr_status status = display.test_metric ? train(cli, model, data, test, &display) : NNR_MEMORY;
	if (status == NNR_OK && cli->average && !nnr_descriptor(model)->average)
		fprintf(stderr,
			"nnc: the model keeps no averages (average= of its train line): --average does nothing\n");
	if (status == NNR_OK && cli->average)
		nnr_average(model);
	if (status == NNR_OK)
		status = nnr_save(model, output);
	if (status == NNR_OK && display.tested == nnr_run(model)->step)
		print_results(model, &display.test_loss, display.test_metric);
	else if (status == NNR_OK)
		status = evaluate(model, test ? test : data);
	free(display.test_metric);
	return status;
}

/* Better now than after an hour of training: can the weights be written? */
static nnr_status check_output(struct cli *cli, const char *path)
{
	struct host host;
	struct new_file file;
	if (check_replaces(cli, path) != EXIT_OK)
		return NNR_USAGE;
	host_init(&host, &cli->options);
	nnr_status status = create_file(&host, path, &file);
	discard_file(&host, &file);
	return status;
}

int run_train(struct cli *cli, const char *text, size_t size)
{
	int code;
	nnr_data *data = NULL, *test = NULL;
	nnr_model *model = open_model(cli, text, size, &code);
	if (!model)
		return code;
	char *name = cli->output ? NULL : output_name(cli, ".safetensors");
	const char *output = cli->output ? cli->output : name;
	/* a folder holds both sets, or the first alone */
	bool tested = !cli->test && cli->data && nnr_has_split(model, cli->data, NNR_TEST);
	const char *test_path = tested ? cli->data : cli->test;
	nnr_status status = output ? check_output(cli, output) : NNR_MEMORY;
	if (status == NNR_OK)
		status = read_data(cli, model, cli->data, NNR_TRAIN, &data);
	if (status == NNR_OK && test_path)
		status = read_data(cli, model, test_path, NNR_TEST, &test);
	if (status == NNR_OK)
		status = train_and_save(cli, model, data, test, output);
	nnr_free_data(test);
	nnr_free_data(data);
	nnr_close(model);
	free(name);
	return exit_code_of(status);
}

/* ---- eval and predict ---- */

/* Open the model, read its data, do the work and close both. */
static int run_on_data(struct cli *cli, const char *text, size_t size,
		       nnr_status (*work)(struct cli *cli, nnr_model *model, const nnr_data *data))
{
	int code;
	nnr_data *data;
	nnr_model *model = open_model(cli, text, size, &code);
	if (!model)
		return code;
	nnr_status status = read_data(cli, model, cli->data, NNR_TEST, &data);
	if (status == NNR_OK) {
		status = work(cli, model, data);
		nnr_free_data(data);
	}
	nnr_close(model);
	return exit_code_of(status);
}

static nnr_status evaluate_all(struct cli *cli, nnr_model *model, const nnr_data *data)
{
	(void)cli;
	return evaluate(model, data);
}

int run_eval(struct cli *cli, const char *text, size_t size) { return run_on_data(cli, text, size, evaluate_all); }

/* Arrays for one batch of all tensors of a kind; free_arrays() them. NULL: out of memory. */
static void **make_arrays(nnr_model *model, enum nn_kind kind)
{
	const nn_model *nn = nnr_descriptor(model);
	int n = nnr_count(model, kind);
	void **array = calloc((size_t)n + 1, sizeof *array);
	for (int k = 0; array && k < n; k++) {
		const nn_tensor *tensor = nnr_tensor(model, kind, k);
		array[k] = calloc(tensor->count * nn->batch, element_size(nn, tensor));
		if (!array[k]) {
			while (k-- > 0)
				free(array[k]);
			free(array);
			return NULL;
		}
	}
	return array;
}

static void free_arrays(nnr_model *model, enum nn_kind kind, void **array)
{
	for (int k = 0; array && k < nnr_count(model, kind); k++)
		free(array[k]);
	free(array);
}

/* One row of all outputs, in their order; digits enough to read the same numbers back. */
static void print_row(FILE *stream, nnr_model *model, void *const *output, int row)
{
	const nn_model *nn = nnr_descriptor(model);
	bool first = true;
	for (int k = 0; k < nnr_count(model, NN_OUTPUT); k++) {
		const nn_tensor *tensor = nnr_tensor(model, NN_OUTPUT, k);
		size_t start = tensor->batched ? (size_t)row * tensor->count : 0;
		for (size_t i = start; i < start + tensor->count; i++, first = false) {
			if (!first)
				fputc(',', stream);
			if (tensor->elem == NN_INT32)
				fprintf(stream, "%" PRId32, ((const int32_t *)output[k])[i]);
			else
				fprintf(stream, "%.*g", nn->real_size == sizeof(float) ? 9 : 17,
					load_real(nn, output[k], i));
		}
	}
	fputc('\n', stream);
}

static nnr_status print_predictions(FILE *stream, nnr_model *model, const nnr_data *data)
{
	int batch = (int)nnr_descriptor(model)->batch;
	void **input = make_arrays(model, NN_INPUT), **output = make_arrays(model, NN_OUTPUT);
	nnr_status status = input && output ? NNR_OK : NNR_MEMORY;
	for (int64_t first = 0; first < nnr_rows(data) && status == NNR_OK; first += batch) {
		int n = nnr_rows(data) - first < batch ? (int)(nnr_rows(data) - first) : batch;
		nnr_gather(model, data, NULL, first, n, input, NULL);
		status = nnr_predict(model, (const void *const *)input, output, n);
		for (int row = 0; row < n && status == NNR_OK; row++)
			print_row(stream, model, output, row);
	}
	free_arrays(model, NN_INPUT, input);
	free_arrays(model, NN_OUTPUT, output);
	return status;
}

static nnr_status predict(struct cli *cli, nnr_model *model, const nnr_data *data)
{
	struct host host;
	struct new_file file;
	if (nnr_count(model, NN_OUTPUT) == 0)
		return (nnr_status)(usage_error("%s has no output: name one, as in 'output y'", cli->input), NNR_USAGE);
	if (!cli->output || strcmp(cli->output, "-") == 0)
		return print_predictions(stdout, model, data);
	if (check_replaces(cli, cli->output) != EXIT_OK)
		return NNR_USAGE;
	host_init(&host, &cli->options);
	nnr_status status = create_file(&host, cli->output, &file);
	if (status == NNR_OK)
		status = print_predictions(file.stream, model, data);
	if (status == NNR_OK)
		return commit_file(&host, &file, false);
	discard_file(&host, &file);
	return status;
}

int run_predict(struct cli *cli, const char *text, size_t size) { return run_on_data(cli, text, size, predict); }
