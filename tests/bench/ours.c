/* ours.c - the C that nnc wrote for one work and batch, as a timed subject. Compiled once for each of them, with the
 * generated file as SOURCE and its prefix as MODEL: the calls go through the descriptor, which is constant and in the
 * same file, so that they cost no more than calls by name. */
#include SOURCE
#include "ours.h"
#include <string.h>

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define TEXT2(a) #a
#define TEXT(a) TEXT2(a)
#define DESCRIPTOR JOIN(MODEL, _model)
enum { MOST_OUTPUTS = 1 << 16 };

static NN_ALIGNED JOIN(MODEL, _params) params, initial_params;
static NN_ALIGNED JOIN(MODEL, _state) state, initial_state;
static NN_ALIGNED JOIN(MODEL, _work) work;
static NN_ALIGNED JOIN(MODEL, _work1) work1;
static float output[MOST_OUTPUTS], loss;
static struct task now;

static bool prepare(const struct task *task)
{
	now = *task;
	if (sizeof params.flat != task->n_params * sizeof(float) || (task->train && !DESCRIPTOR.step))
		return false;
	DESCRIPTOR.init(&params, &initial_state, 1);
	memcpy(initial_params.flat, task->params, sizeof params.flat);
	return true;
}

static void reset(void)
{
	params = initial_params;
	state = initial_state;
}

static void run(int steps)
{
	const void *const input[1] = {now.x}, *const target[1] = {now.y};
	void *const out[1] = {output};
	if (now.train)
		for (int i = 0; i < steps; i++) {
			DESCRIPTOR.step(&params, &state, input, target, &loss, now.batch, &work);
			KEEP_MEMORY();
		}
	else if (now.batch == 1)
		for (int i = 0; i < steps; i++) {
			DESCRIPTOR.forward1(&params, &state, input, out, &work1);
			KEEP_MEMORY();
		}
	else
		for (int i = 0; i < steps; i++) {
			DESCRIPTOR.forward(&params, &state, input, out, now.batch, &work);
			KEEP_MEMORY();
		}
}

static double answer(void)
{
	size_t count = 0;
	for (uint32_t k = 0; k < DESCRIPTOR.n_tensor; k++)
		if (DESCRIPTOR.tensor[k].kind == NN_OUTPUT)
			count = DESCRIPTOR.tensor[k].count;
	return now.train ? (double)loss : weigh_outputs(output, count * (size_t)now.batch);
}

const struct ours JOIN(MODEL, _subject) = {TEXT(WORK), BATCH, prepare, reset, run, answer};
