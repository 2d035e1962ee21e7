/* library.c - W2 and W3 in C by hand, with the matrix products of a library: library FOLDER classic|fused. `classic`
 * computes the gradient of the weights and then takes a step along it; `fused` adds the product to the weights right
 * away. Weights are [out][in], as in the file. */
#include "mlp.h"
#include "multiply.h"

struct program {
	struct mlp mlp;
	bool fused;
};

static void forward(struct mlp *m)
{
	const int rows = m->task.batch;
	for (int l = 0; l < m->layers; l++) {
		const int in = m->size[l], out = m->size[l + 1];
		for (int r = 0; r < rows; r++)
			memcpy(m->value[l + 1] + r * out, m->bias[l], (size_t)out * sizeof(float));
		multiply(false, true, rows, out, in, 1, m->value[l], m->weight[l], 1, m->value[l + 1]);
		if (l + 1 < m->layers)
			cut_below_zero(m->value[l + 1], (size_t)rows * (size_t)out);
	}
}

static void update_layer(struct mlp *m, int l, bool fused)
{
	const int rows = m->task.batch, in = m->size[l], out = m->size[l + 1];
	const float *slope = m->slope[l + 1];
	if (fused) {
		multiply(true, false, out, in, rows, -m->rate, slope, m->value[l], 1, m->weight[l]);
	} else {
		multiply(true, false, out, in, rows, 1, slope, m->value[l], 0, m->gradient);
		for (size_t k = 0; k < (size_t)in * (size_t)out; k++)
			m->weight[l][k] -= m->rate * m->gradient[k];
	}
	memset(m->gradient, 0, (size_t)out * sizeof(float));
	for (int r = 0; r < rows; r++)
		for (int k = 0; k < out; k++)
			m->gradient[k] += slope[r * out + k];
	for (int k = 0; k < out; k++)
		m->bias[l][k] -= m->rate * m->gradient[k];
}

static void train(struct mlp *m, bool fused)
{
	const int rows = m->task.batch;
	forward(m);
	compare_classes(m);
	for (int l = m->layers - 1; l >= 0; l--) {
		const int in = m->size[l], out = m->size[l + 1];
		if (l > 0) {
			multiply(false, false, rows, in, out, 1, m->slope[l + 1], m->weight[l], 0, m->slope[l]);
			for (int k = 0; k < rows * in; k++)
				m->slope[l][k] = m->value[l][k] > 0 ? m->slope[l][k] : 0;
		}
		update_layer(m, l, fused);
	}
}

static const char *prepare(void *self, const struct task *task)
{
	struct program *p = self;
	if (!task->train && p->fused)
		return "its forward pass is that of classic";
	return prepare_mlp(&p->mlp, task);
}

static void reset(void *self)
{
	struct mlp *m = &((struct program *)self)->mlp;
	memcpy(m->params, m->initial, m->task.n_params * sizeof(float));
}

static void run(void *self, int steps)
{
	struct program *p = self;
	for (int i = 0; i < steps; i++)
		if (p->mlp.task.train)
			train(&p->mlp, p->fused);
		else
			forward(&p->mlp);
}

static double answer(void *self) { return answer_mlp(&((struct program *)self)->mlp); }

int main(int argc, char **argv)
{
	struct program p = {.fused = argc == 3 && strcmp(argv[2], "fused") == 0};
	const struct subject subject = {&p, prepare, reset, run, answer};
	return argc == 3 ? serve_subject(&subject, argv[1]) : EXIT_FAILURE;
}
