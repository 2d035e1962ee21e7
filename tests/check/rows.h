/* rows.h - memory and random rows for a model that is known by its descriptor alone. */
#ifndef ROWS_H
#define ROWS_H

#include "model.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state;
static inline double uniform(double low, double high) /* splitmix64 */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return low + (high - low) * (double)(z >> 11) * 0x1p-53;
}

/* Of exactly that size, so that sanitizers see what goes beyond. */
static inline void *block(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	if (!p)
		abort();
	return p;
}

/* Everything a call of a model needs. */
enum { MAX_ROWS = 16 };
struct run {
	const nn_model *m;
	void *params, *state, *state0, *grads, *work, *work1;
	void *input[MAX_ROWS], *target[MAX_ROWS], *output[MAX_ROWS], *output1[MAX_ROWS];
};

static inline size_t element_size(const nn_model *m, const nn_tensor *t)
{
	return t->elem == NN_REAL ? m->real_size : sizeof(int32_t);
}

/* The arrays of pointers for the tensors of one kind, with room for a whole batch. */
static inline void make_rows(const nn_model *m, int kind, void **rows)
{
	int k = 0;
	for (uint32_t i = 0; i < m->n_tensor; i++) {
		const nn_tensor *t = &m->tensor[i];
		if (t->kind == kind && k < MAX_ROWS)
			rows[k++] = block(m->batch * t->count * element_size(m, t));
	}
}

static inline struct run make_run(const nn_model *m)
{
	struct run r = {0};
	r.m = m;
	r.params = block(m->params_size);
	r.state = block(m->state_size);
	r.state0 = block(m->state_size);
	r.grads = block(m->grads_size);
	r.work = block(m->work_size);
	r.work1 = block(m->work1_size);
	make_rows(m, NN_INPUT, r.input);
	make_rows(m, NN_TARGET, r.target);
	make_rows(m, NN_OUTPUT, r.output);
	make_rows(m, NN_OUTPUT, r.output1);
	return r;
}

static inline void free_run(struct run *r)
{
	free(r->params), free(r->state), free(r->state0), free(r->grads), free(r->work), free(r->work1);
	for (int i = 0; i < MAX_ROWS; i++)
		free(r->input[i]), free(r->target[i]), free(r->output[i]), free(r->output1[i]);
}

/* A number for the next element of an input or target: exact in float; a class where it is an integer. */
static inline double random_element(const nn_tensor *t)
{
	if (t->elem != NN_REAL)
		return (double)(int)uniform(0, t->classes ? t->classes : 3);
	return (float)(t->kind == NN_INPUT ? uniform(-1.5, 1.5) : uniform(0.05, 0.95));
}

#endif
