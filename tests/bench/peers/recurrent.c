/* recurrent.c - training W6 in C by hand, with the matrix products of a library: recurrent FOLDER. The inputs' share of
 * all gates is one product over all steps, and so are the gradients of the weights; in a step only the state's share is
 * left. Everything lies [step][row][unit]. */
#include "../subject.h"
#include "multiply.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 50, INPUTS = 16, UNITS = 64, CLASSES = 10, ROWS = 32, MOST_GATES = 4, ALL = STEPS * ROWS };

/* In the order of the file. */
struct weights {
	float *ih, *hh, *bias_ih, *bias_hh, *fc, *fc_bias;
};

struct network {
	struct task task;
	int gates; /* 4: LSTM, input forget cell output; 3: GRU, reset update new */
	float loss;
	float *params, *gradient;
	struct weights w, g;
	float x[ALL * INPUTS];
	float a[ALL * MOST_GATES * UNITS],
		b[ALL * MOST_GATES * UNITS];  /* the inputs' and the state's share, then slopes */
	float gate[ALL * MOST_GATES * UNITS]; /* behind their sigmoids and tanhs */
	float h[(STEPS + 1) * ROWS * UNITS],
		c[(STEPS + 1) * ROWS * UNITS]; /* from the state before the first step on */
	float z[ROWS * CLASSES], dz[ROWS * CLASSES], dh[ROWS * UNITS], dc[ROWS * UNITS];
};

static float sigmoid(float x) { return 1 / (1 + expf(-x)); }

static struct weights place_weights(float *at, int gates)
{
	struct weights w;
	w.ih = at;
	w.hh = w.ih + gates * UNITS * INPUTS;
	w.bias_ih = w.hh + gates * UNITS * UNITS;
	w.bias_hh = w.bias_ih + gates * UNITS;
	w.fc = w.bias_hh + gates * UNITS;
	w.fc_bias = w.fc + CLASSES * UNITS;
	return w;
}

/* rows copies of a vector. */
static void spread_bias(float *to, const float *bias, int rows, int n)
{
	for (int r = 0; r < rows; r++)
		memcpy(to + r * n, bias, (size_t)n * sizeof *to);
}

static void lstm_step(const float *restrict a, const float *restrict b, float *restrict gate, const float *restrict c,
		      float *restrict next_c, float *restrict next_h)
{
	for (int r = 0; r < ROWS; r++, a += 4 * UNITS, b += 4 * UNITS, gate += 4 * UNITS)
		for (int i = 0; i < UNITS; i++) {
			const int at = r * UNITS + i;
			gate[i] = sigmoid(a[i] + b[i]);
			gate[UNITS + i] = sigmoid(a[UNITS + i] + b[UNITS + i]);
			gate[2 * UNITS + i] = tanhf(a[2 * UNITS + i] + b[2 * UNITS + i]);
			gate[3 * UNITS + i] = sigmoid(a[3 * UNITS + i] + b[3 * UNITS + i]);
			next_c[at] = gate[UNITS + i] * c[at] + gate[i] * gate[2 * UNITS + i];
			next_h[at] = gate[3 * UNITS + i] * tanhf(next_c[at]);
		}
}

static void gru_step(const float *restrict a, const float *restrict b, float *restrict gate, const float *restrict h,
		     float *restrict next_h)
{
	for (int r = 0; r < ROWS; r++, a += 3 * UNITS, b += 3 * UNITS, gate += 3 * UNITS)
		for (int i = 0; i < UNITS; i++) {
			gate[i] = sigmoid(a[i] + b[i]);
			gate[UNITS + i] = sigmoid(a[UNITS + i] + b[UNITS + i]);
			gate[2 * UNITS + i] = tanhf(a[2 * UNITS + i] + gate[i] * b[2 * UNITS + i]);
			next_h[r * UNITS + i] =
				(1 - gate[UNITS + i]) * gate[2 * UNITS + i] + gate[UNITS + i] * h[r * UNITS + i];
		}
}

/* dh and dc: slopes of the state after the step, and then of the one before it, without what comes through b. */
static void lstm_step_back(const float *restrict gate, const float *restrict c, const float *restrict next_c,
			   float *restrict dh, float *restrict dc, float *restrict a)
{
	for (int r = 0; r < ROWS; r++, gate += 4 * UNITS, a += 4 * UNITS)
		for (int i = 0; i < UNITS; i++) {
			const int at = r * UNITS + i;
			const float in = gate[i], forget = gate[UNITS + i], cell = gate[2 * UNITS + i],
				    out = gate[3 * UNITS + i];
			const float t = tanhf(next_c[at]), d = dc[at] + dh[at] * out * (1 - t * t);
			a[i] = d * cell * in * (1 - in);
			a[UNITS + i] = d * c[at] * forget * (1 - forget);
			a[2 * UNITS + i] = d * in * (1 - cell * cell);
			a[3 * UNITS + i] = dh[at] * t * out * (1 - out);
			dc[at] = d * forget;
			dh[at] = 0;
		}
}

static void gru_step_back(const float *restrict gate, const float *restrict h, float *restrict dh, float *restrict a,
			  float *restrict b)
{
	for (int r = 0; r < ROWS; r++, gate += 3 * UNITS, a += 3 * UNITS, b += 3 * UNITS)
		for (int i = 0; i < UNITS; i++) {
			const int at = r * UNITS + i;
			const float reset = gate[i], update = gate[UNITS + i], fresh = gate[2 * UNITS + i];
			const float d = dh[at] * (1 - update) * (1 - fresh * fresh);
			a[i] = d * b[2 * UNITS + i] * reset * (1 - reset);
			a[UNITS + i] = dh[at] * (h[at] - fresh) * update * (1 - update);
			a[2 * UNITS + i] = d;
			b[i] = a[i];
			b[UNITS + i] = a[UNITS + i];
			b[2 * UNITS + i] = d * reset;
			dh[at] *= update;
		}
}

static void forward(struct network *n)
{
	const int width = n->gates * UNITS, size = ROWS * UNITS;
	spread_bias(n->a, n->w.bias_ih, ALL, width);
	multiply(false, true, ALL, width, INPUTS, 1, n->x, n->w.ih, 1, n->a);
	for (int t = 0; t < STEPS; t++) {
		float *a = n->a + t * ROWS * width, *b = n->b + t * ROWS * width, *gate = n->gate + t * ROWS * width;
		float *h = n->h + t * size, *c = n->c + t * size;
		spread_bias(b, n->w.bias_hh, ROWS, width);
		multiply(false, true, ROWS, width, UNITS, 1, h, n->w.hh, 1, b);
		if (n->gates == 4)
			lstm_step(a, b, gate, c, c + size, h + size);
		else
			gru_step(a, b, gate, h, h + size);
	}
	spread_bias(n->z, n->w.fc_bias, ROWS, CLASSES);
	multiply(false, true, ROWS, CLASSES, UNITS, 1, n->h + STEPS * size, n->w.fc, 1, n->z);
}

static void compare_classes(struct network *n)
{
	const int *label = n->task.y;
	n->loss = 0;
	for (int r = 0; r < ROWS; r++) {
		const float *z = n->z + r * CLASSES;
		float *dz = n->dz + r * CLASSES, most = z[0], all = 0;
		for (int k = 1; k < CLASSES; k++)
			most = z[k] > most ? z[k] : most;
		for (int k = 0; k < CLASSES; k++)
			all += dz[k] = expf(z[k] - most);
		n->loss += (logf(all) + most - z[label[r]]) / ROWS;
		for (int k = 0; k < CLASSES; k++)
			dz[k] /= all * ROWS;
		dz[label[r]] -= 1.0f / ROWS;
	}
}

static void add_rows(const float *from, int rows, int n, float *to)
{
	memset(to, 0, (size_t)n * sizeof *to);
	for (int r = 0; r < rows; r++)
		for (int k = 0; k < n; k++)
			to[k] += from[r * n + k];
}

static void backward(struct network *n)
{
	const int width = n->gates * UNITS, size = ROWS * UNITS;
	multiply(true, false, CLASSES, UNITS, ROWS, 1, n->dz, n->h + STEPS * size, 0, n->g.fc);
	add_rows(n->dz, ROWS, CLASSES, n->g.fc_bias);
	multiply(false, false, ROWS, UNITS, CLASSES, 1, n->dz, n->w.fc, 0, n->dh);
	memset(n->dc, 0, sizeof n->dc);
	for (int t = STEPS - 1; t >= 0; t--) {
		float *a = n->a + t * ROWS * width, *b = n->b + t * ROWS * width, *gate = n->gate + t * ROWS * width;
		float *h = n->h + t * size, *c = n->c + t * size;
		if (n->gates == 4)
			lstm_step_back(gate, c, c + size, n->dh, n->dc, a);
		else
			gru_step_back(gate, h, n->dh, a, b);
		multiply(false, false, ROWS, UNITS, width, 1, n->gates == 4 ? a : b, n->w.hh, 1, n->dh);
	}
	const float *slope = n->gates == 4 ? n->a : n->b; /* an LSTM adds both shares: one slope is for both */
	multiply(true, false, width, INPUTS, ALL, 1, n->a, n->x, 0, n->g.ih);
	multiply(true, false, width, UNITS, ALL, 1, slope, n->h, 0, n->g.hh);
	add_rows(n->a, ALL, width, n->g.bias_ih);
	add_rows(slope, ALL, width, n->g.bias_hh);
}

static const char *prepare(void *self, const struct task *task)
{
	struct network *n = self;
	const float *x = task->x;
	if ((strcmp(task->work, "W6_lstm") != 0 && strcmp(task->work, "W6_gru") != 0) || !task->train ||
	    task->batch != ROWS)
		return "written for training W6";
	free(n->params);
	free(n->gradient);
	*n = (struct network){.task = *task, .gates = strcmp(task->work, "W6_lstm") == 0 ? 4 : 3};
	n->params = aligned_alloc(64, (task->n_params * sizeof(float) + 127) / 64 * 64);
	n->gradient = aligned_alloc(64, (task->n_params * sizeof(float) + 127) / 64 * 64);
	n->w = place_weights(n->params, n->gates);
	n->g = place_weights(n->gradient, n->gates);
	for (int r = 0; r < ROWS; r++)
		for (int t = 0; t < STEPS; t++)
			memcpy(n->x + (t * ROWS + r) * INPUTS, x + (r * STEPS + t) * INPUTS, INPUTS * sizeof *x);
	return NULL;
}

static void reset(void *self)
{
	struct network *n = self;
	memcpy(n->params, n->task.params, n->task.n_params * sizeof(float));
}

static void run(void *self, int steps)
{
	struct network *n = self;
	for (int i = 0; i < steps; i++) {
		forward(n);
		compare_classes(n);
		backward(n);
		for (size_t k = 0; k < n->task.n_params; k++)
			n->params[k] -= 0.1f * n->gradient[k]; /* the rate in W6_lstm.nn and W6_gru.nn */
	}
}

static double answer(void *self) { return (double)((struct network *)self)->loss; }

int main(int argc, char **argv)
{
	struct network *n = calloc(1, sizeof *n);
	const struct subject subject = {n, prepare, reset, run, answer};
	return n && argc == 2 ? serve_subject(&subject, argv[1]) : EXIT_FAILURE;
}
