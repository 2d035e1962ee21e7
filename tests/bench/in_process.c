/* in_process.c - a timed program that opens the models in this process: in_process FOLDER MODELS tcc|cc|double
 * [THREADS], by whom their code is made. Double, by tcc, is the reference that can be had on any machine. Threads may
 * use all cores; without that argument the batch is not split and the program stays where it was started. */
#define _GNU_SOURCE
#include "runtime.h"
#include "subject.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct in_process {
	const char *models; /* their folder */
	enum nnc_real real;
	enum nnc_jit jit;
	int threads; /* 0: not asked for */
	struct task task;
	nnr_model *model;
	void *initial_params, *initial_state;
	void *input, *target, *output;
	size_t outputs;
	double loss;
};

static void report(void *user, const nnc_message *message)
{
	(void)user;
	fprintf(stderr, "%s:%d: %s\n", message->file ? message->file : "", message->line, message->text);
}

static void *copy_bytes(const void *from, size_t size)
{
	void *copy = malloc(size + 1);
	return copy ? memcpy(copy, from, size) : NULL;
}

/* n numbers of the file in the model's type. */
static void *convert_reals(const struct in_process *p, const float *from, size_t n)
{
	if (p->real == NNC_FLOAT)
		return copy_bytes(from, n * sizeof(float));
	double *to = malloc(n * sizeof(double) + 1);
	for (size_t k = 0; to && k < n; k++)
		to[k] = (double)from[k];
	return to;
}

static void *convert_rows(const struct in_process *p, enum nn_kind kind, const void *rows)
{
	const nn_tensor *t = nnr_tensor(p->model, kind, 0);
	if (!t || !rows)
		return NULL;
	size_t n = t->count * (size_t)p->task.batch;
	return t->elem == NN_REAL ? convert_reals(p, rows, n) : copy_bytes(rows, n * sizeof(int32_t));
}

static void forget_model(struct in_process *p)
{
	nnr_close(p->model);
	free(p->initial_params);
	free(p->initial_state);
	free(p->input);
	free(p->target);
	free(p->output);
}

static const char *prepare(void *self, const struct task *task)
{
	struct in_process *p = self;
	char path[4096];
	if (p->threads && !task->train)
		return "threads are for training";
	nnc_options options = {.report = report,
			       .real = p->real,
			       .batch = task->batch,
			       .jit = p->jit,
			       .cache = "cache",
			       .threads = p->threads};
	forget_model(p);
	p->task = *task;
	snprintf(path, sizeof path, "%s/%s.nn", p->models, task->work);
	p->model = nnr_open(path, &options, NULL);
	if (!p->model)
		return "the model does not compile";
	const nn_model *m = nnr_descriptor(p->model);
	if (m->params_size != task->n_params * m->real_size)
		return "the data are of another model";
	p->outputs = nnr_tensor(p->model, NN_OUTPUT, 0)->count * (size_t)task->batch;
	p->initial_params = convert_reals(p, task->params, task->n_params);
	p->initial_state = copy_bytes(nnr_state(p->model), m->state_size);
	p->input = convert_rows(p, NN_INPUT, task->x);
	p->target = convert_rows(p, NN_TARGET, task->y);
	p->output = malloc(p->outputs * m->real_size);
	return NULL;
}

static void reset(void *self)
{
	struct in_process *p = self;
	const nn_model *m = nnr_descriptor(p->model);
	memcpy(nnr_params(p->model), p->initial_params, m->params_size);
	memcpy(nnr_state(p->model), p->initial_state, m->state_size);
}

static void run(void *self, int steps)
{
	struct in_process *p = self;
	const void *const input[1] = {p->input}, *const target[1] = {p->target};
	void *const output[1] = {p->output};
	for (int i = 0; i < steps; i++)
		if (p->task.train)
			nnr_step(p->model, input, target, p->task.batch, &p->loss);
		else
			nnr_predict(p->model, input, output, p->task.batch);
}

static double answer(void *self)
{
	const struct in_process *p = self;
	if (p->task.train)
		return p->loss;
	if (p->real == NNC_FLOAT)
		return weigh_outputs(p->output, p->outputs);
	double sum = 0;
	for (size_t k = 0; k < p->outputs; k++) {
		double out = ((double *)p->output)[k];
		sum += (double)(1 + k % 5) * (out - 1) * (out - 1);
	}
	return sum / (double)p->outputs;
}

static void use_all_cores(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	for (int k = 0; k < CPU_SETSIZE; k++)
		CPU_SET(k, &set);
	sched_setaffinity(0, sizeof set, &set);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return EXIT_FAILURE;
	struct in_process p = {.models = argv[2],
			       .real = strcmp(argv[3], "double") == 0 ? NNC_DOUBLE : NNC_FLOAT,
			       .jit = strcmp(argv[3], "cc") == 0 ? NNC_JIT_CC : NNC_JIT_TCC,
			       .threads = argc > 4 ? atoi(argv[4]) : 0};
	if (p.threads)
		use_all_cores();
	const struct subject subject = {&p, prepare, reset, run, answer};
	return serve_subject(&subject, argv[1]);
}
