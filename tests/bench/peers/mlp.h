/* mlp.h - what the hand-written programs for W2 and W3 share: sizes, buffers and the loss. */
#ifndef MLP_H
#define MLP_H

#include "../subject.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 3 };

struct mlp {
	struct task task;
	float rate, loss;
	int layers, size[MOST_LAYERS + 1];
	float *weight[MOST_LAYERS], *bias[MOST_LAYERS];		/* within params */
	float *params, *initial, *gradient;			/* params in the order of the file */
	float *value[MOST_LAYERS + 1], *slope[MOST_LAYERS + 1]; /* of each layer's units, [batch][size] */
};

static float *new_floats(size_t n) { return aligned_alloc(64, (n * sizeof(float) + 127) / 64 * 64); }

/* NULL, or why not. */
static const char *prepare_mlp(struct mlp *m, const struct task *task)
{
	static const int sizes[2][MOST_LAYERS + 1] = {{784, 128, 10}, {784, 512, 512, 10}};
	if (strcmp(task->work, "W2") != 0 && strcmp(task->work, "W3") != 0)
		return "written for W2 and W3";
	m->task = *task;
	m->rate = 0.002f; /* as in W2.nn and W3.nn */
	m->layers = task->work[1] - '0';
	memcpy(m->size, sizes[m->layers - 2], sizeof m->size);
	free(m->params);
	free(m->initial);
	free(m->gradient);
	m->params = new_floats(task->n_params);
	m->initial = new_floats(task->n_params);
	m->gradient = new_floats(task->n_params);
	memcpy(m->initial, task->params, task->n_params * sizeof(float));
	size_t at = 0;
	for (int l = 0; l < m->layers; l++) {
		m->weight[l] = m->params + at;
		at += (size_t)m->size[l] * (size_t)m->size[l + 1];
		m->bias[l] = m->params + at;
		at += (size_t)m->size[l + 1];
	}
	for (int l = 0; l <= m->layers; l++) {
		size_t n = (size_t)task->batch * (size_t)m->size[l];
		if (l > 0)
			free(m->value[l]);
		free(m->slope[l]);
		m->value[l] = l > 0 ? new_floats(n) : (float *)task->x;
		m->slope[l] = new_floats(n);
	}
	return NULL;
}

/* Softmax cross-entropy of the last values: the loss, and its slope. */
static void compare_classes(struct mlp *m)
{
	const int n = m->task.batch, classes = m->size[m->layers], *label = m->task.y;
	float sum = 0;
	for (int r = 0; r < n; r++) {
		const float *z = m->value[m->layers] + r * classes;
		float *slope = m->slope[m->layers] + r * classes, most = z[0], all = 0;
		for (int k = 1; k < classes; k++)
			most = z[k] > most ? z[k] : most;
		for (int k = 0; k < classes; k++)
			all += slope[k] = expf(z[k] - most);
		sum += logf(all) + most - z[label[r]];
		for (int k = 0; k < classes; k++)
			slope[k] /= all * (float)n;
		slope[label[r]] -= 1 / (float)n;
	}
	m->loss = sum / (float)n;
}

/* relu */
static void cut_below_zero(float *value, size_t n)
{
	for (size_t k = 0; k < n; k++)
		value[k] = value[k] > 0 ? value[k] : 0;
}

static double answer_mlp(const struct mlp *m)
{
	if (m->task.train)
		return (double)m->loss;
	return weigh_outputs(m->value[m->layers], (size_t)m->task.batch * (size_t)m->size[m->layers]);
}

#endif
