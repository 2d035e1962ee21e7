/* streams.c - a sequence gone through step by step gives what forward gives for all of it: each step's outputs those
 * at that step, and in the end those of the whole.
 *
 *   streams MODEL.nn...   prints one line; exit 0 if all agree */
#include "rows.h"

#include <math.h>
#include <runtime.h>
#include <stdio.h>

static double value_at(const nn_tensor *t, const void *at, size_t i)
{
	return t->elem == NN_REAL ? (double)((const float *)at)[i] : (double)((const int32_t *)at)[i];
}

/* Where element i of a step's slice is in the whole tensor. */
static size_t whole_place(const nn_tensor *t, size_t i, int step)
{
	size_t inner = 1;
	for (int a = t->step_axis + 1; a < t->rank; a++)
		inner *= (size_t)t->dim[a];
	return i / inner * inner * (size_t)t->dim[t->step_axis] + (size_t)step * inner + i % inner;
}

static size_t slice_count(const nn_tensor *t)
{
	return t->step_axis < 0 ? t->count : t->count / (size_t)t->dim[t->step_axis];
}

struct sequence {
	nnr_model *m;
	void *input[MAX_ROWS], *output[MAX_ROWS], *slice_in[MAX_ROWS], *slice_out[MAX_ROWS];
	int steps;
};

static void fill(struct sequence *s)
{
	const nn_model *nn = nnr_descriptor(s->m);
	make_rows(nn, NN_INPUT, s->input);
	make_rows(nn, NN_INPUT, s->slice_in);
	make_rows(nn, NN_OUTPUT, s->output);
	make_rows(nn, NN_OUTPUT, s->slice_out);
	for (int k = 0; k < nnr_count(s->m, NN_INPUT); k++) {
		const nn_tensor *t = nnr_tensor(s->m, NN_INPUT, k);
		for (size_t i = 0; i < t->count; i++)
			if (t->elem == NN_REAL)
				((float *)s->input[k])[i] = (float)uniform(-1, 1);
			else
				((int32_t *)s->input[k])[i] = (int32_t)uniform(0, t->classes);
		if (t->step_axis >= 0)
			s->steps = t->dim[t->step_axis];
	}
	for (int k = 0; k < nnr_count(s->m, NN_OUTPUT); k++)
		if (nnr_tensor(s->m, NN_OUTPUT, k)->step_axis >= 0)
			s->steps = nnr_tensor(s->m, NN_OUTPUT, k)->dim[nnr_tensor(s->m, NN_OUTPUT, k)->step_axis];
}

static void free_sequence(struct sequence *s)
{
	for (int k = 0; k < MAX_ROWS; k++)
		free(s->input[k]), free(s->output[k]), free(s->slice_in[k]), free(s->slice_out[k]);
	nnr_close(s->m);
}

static void cut(struct sequence *s, int step)
{
	for (int k = 0; k < nnr_count(s->m, NN_INPUT); k++) {
		const nn_tensor *t = nnr_tensor(s->m, NN_INPUT, k);
		size_t size = element_size(nnr_descriptor(s->m), t);
		for (size_t i = 0; i < slice_count(t); i++)
			memcpy((char *)s->slice_in[k] + i * size,
			       (char *)s->input[k] + (t->step_axis < 0 ? i : whole_place(t, i, step)) * size, size);
	}
}

/* The largest difference of a step's outputs from those of the whole. */
static double compare(struct sequence *s, int step)
{
	double worst = 0;
	for (int k = 0; k < nnr_count(s->m, NN_OUTPUT); k++) {
		const nn_tensor *t = nnr_tensor(s->m, NN_OUTPUT, k);
		if (t->step_axis < 0 && step + 1 < s->steps)
			continue;
		for (size_t i = 0; i < slice_count(t); i++) {
			double a = value_at(t, s->slice_out[k], i),
			       b = value_at(t, s->output[k], t->step_axis < 0 ? i : whole_place(t, i, step));
			double error = fabs(a - b) / fmax(1, fabs(b));
			worst = error <= worst ? worst : error;
		}
	}
	return worst;
}

static void print(void *user, const nnc_message *message)
{
	(void)user;
	puts(message->text);
}

int main(int argc, char **argv)
{
	int wrong = 0;
	double all = 0;
	for (int a = 1; a < argc; a++) {
		nnc_options options = {.report = print};
		struct sequence s = {.m = nnr_open(argv[a], &options, NULL)};
		nnr_stream *stream = s.m ? nnr_stream_open(s.m, NULL) : NULL;
		double worst = stream ? 0 : INFINITY;
		if (stream)
			fill(&s);
		if (stream)
			nnr_predict(s.m, (const void *const *)s.input, s.output, 1);
		for (int pass = 0; stream && pass < 2; pass++) {
			for (int step = 0; step < s.steps; step++) {
				cut(&s, step);
				nnr_stream_step(stream, (const void *const *)s.slice_in, s.slice_out);
				double error = compare(&s, step);
				worst = error <= worst ? worst : error; /* no fmax: it would lose a NaN */
			}
			nnr_stream_restart(stream);
		}
		if (!(worst <= 1e-6) || s.steps < 2) {
			printf("%s: %g after %d steps\n", argv[a], worst, s.steps);
			wrong++;
		}
		all = fmax(all, worst);
		nnr_stream_close(stream);
		free_sequence(&s);
	}
	printf("%d models, %d wrong; worst difference %.2g\n", argc - 1, wrong, all);
	return wrong != 0;
}
