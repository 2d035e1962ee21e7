/* steps.c - train a model on random rows, and print its weights: the same for any way in which its code came to be.
 *
 *   steps COUNT [MODEL.nn [BATCH [FP [REAL [NAME=VALUE...]]]]]
 *   steps COUNT NAME
 *
 * With MODEL defined: the generated descriptor that is linked in; with MODELS defined: that of this NAME in models.inc;
 * else MODEL.nn, compiled in process with --batch=BATCH (3; 0: the train line's), --fp=FP (strict), --real=REAL
 * (float) and -D NAME=VALUE. Every seventh batch and the last one have half the rows.
 *
 * Prints the loss of the last step and each param, exactly (%a). */
#include "rows.h"
#include <stdio.h>
#include <string.h>

#ifdef MODEL
extern const nn_model MODEL;
#elif defined MODELS
#include "models.h"
static const struct {
	const char *name;
	const nn_model *model;
} models[] = {
#include "models.inc"
};
#else
#include "runtime.h"
#endif

static void fill(struct run *r)
{
	int in = 0, out = 0;
	for (uint32_t i = 0; i < r->m->n_tensor; i++) {
		const nn_tensor *t = &r->m->tensor[i];
		if (t->kind != NN_INPUT && t->kind != NN_TARGET)
			continue;
		void *at = t->kind == NN_INPUT ? r->input[in++] : r->target[out++];
		for (size_t k = 0; k < r->m->batch * t->count; k++) {
			double v = random_element(t);
			if (t->elem != NN_REAL)
				((int32_t *)at)[k] = (int32_t)v;
			else if (r->m->real_size == 4)
				((float *)at)[k] = (float)v;
			else
				((double *)at)[k] = v;
		}
	}
}

static double real(const nn_model *m, const void *at, size_t i)
{
	return m->real_size == 4 ? (double)((const float *)at)[i] : ((const double *)at)[i];
}

static void train(const nn_model *m, int count)
{
	if (!m->step)
		return;
	struct run r = make_run(m);
	union {
		float f;
		double d;
	} loss = {0};
	m->init(r.params, r.state, 1);
	for (int i = 0; i < count; i++) {
		random_state = (uint64_t)i;
		fill(&r);
		int n = i % 7 == 6 || i == count - 1 ? ((int)m->batch + 1) / 2 : (int)m->batch;
		m->step(r.params, r.state, (const void *const *)r.input, (const void *const *)r.target, &loss, n,
			r.work);
	}
	printf("loss %a\n", real(m, &loss, 0));
	for (uint32_t i = 0; i < m->n_tensor; i++) {
		const nn_tensor *t = &m->tensor[i];
		if (t->kind == NN_PARAM && t->elem == NN_REAL)
			for (size_t k = 0; k < t->count; k++)
				printf("%s[%ld] %a\n", t->name, (long)k, real(m, (char *)r.params + t->offset, k));
	}
	free_run(&r);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100;
#ifdef MODEL
	const nn_model *m = &MODEL;
#elif defined MODELS
	const nn_model *m = NULL;
	for (size_t i = 0; i < sizeof models / sizeof *models; i++)
		if (argc > 2 && strcmp(models[i].name, argv[2]) == 0)
			m = models[i].model;
	if (!m)
		return 1;
#else
	nnc_options options = {.define = argc > 6 ? (const char *const *)(argv + 6) : NULL,
			       .batch = argc > 3 ? atoi(argv[3]) : 3,
			       .fp = argc > 4 && strcmp(argv[4], "fast") == 0 ? NNC_FP_FAST : NNC_FP_STRICT,
			       .real = argc > 5 && strcmp(argv[5], "double") == 0 ? NNC_DOUBLE : NNC_FLOAT};
	nnr_model *model = argc > 2 ? nnr_open(argv[2], &options, NULL) : NULL;
	if (!model)
		return 1;
	const nn_model *m = nnr_descriptor(model);
#endif
	train(m, count);
#if !defined MODEL && !defined MODELS
	nnr_close(model);
#endif
	return 0;
}
