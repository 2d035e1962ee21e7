/* plain.c - W1 to W3 in C by hand without a library: plain FOLDER. Loops in a good order over weights that are kept
 * transposed, [in][out], so that the inner loops run along memory. */
#include "mlp.h"

/* W1, 2-8-1, with its sizes in the loops. */
struct tiny {
	float w[2][8], b[8], v[8], c; /* weights of both layers */
};

struct program {
	struct mlp mlp;
	struct tiny tiny, initial_tiny;
	float z[8]; /* W1's outputs */
	bool is_tiny;
};

/* Lambert's continued fraction for tanh, eleven levels: within 4e-7 everywhere. */
static inline float rational_tanh(float x)
{
	const float c = x < -7.5f ? -7.5f : x > 7.5f ? 7.5f : x, s = c * c;
	const float above =
		((((7.27309195e-11f * s + 1.56007822e-07f) * s + 4.91424640e-05f) * s + 4.67836257e-03f) * s +
		 1.42857143e-01f) *
			s +
		1;
	const float below =
		((((4.80024068e-09f * s + 3.27616427e-06f) * s + 5.50395597e-04f) * s + 3.00751880e-02f) * s +
		 4.76190476e-01f) *
			s +
		1;
	return c * above / below;
}

static inline float forward_tiny(const struct tiny *t, const float *x, float h[8])
{
	float sum = t->c;
	for (int i = 0; i < 8; i++)
		h[i] = rational_tanh(t->w[0][i] * x[0] + t->w[1][i] * x[1] + t->b[i]);
	for (int i = 0; i < 8; i++)
		sum += t->v[i] * h[i];
	return 0.5f + 0.5f * rational_tanh(0.5f * sum);
}

static float train_tiny(struct tiny *t, const float *x, const float *y, int rows)
{
	const float rate = 0.001f; /* as in W1.nn */
	struct tiny g = {0};
	float loss = 0;
	for (int r = 0; r < rows; r++, x += 2, y++) {
		float h[8], z = forward_tiny(t, x, h), error = z - *y, slope = 2 * error * z * (1 - z);
		loss += error * error;
		g.c += slope;
		for (int i = 0; i < 8; i++) {
			float d = slope * t->v[i] * (1 - h[i] * h[i]);
			g.v[i] += slope * h[i];
			g.b[i] += d;
			g.w[0][i] += d * x[0];
			g.w[1][i] += d * x[1];
		}
	}
	const float step = rate / (float)rows;
	t->c -= step * g.c;
	for (int i = 0; i < 8; i++) {
		t->w[0][i] -= step * g.w[0][i];
		t->w[1][i] -= step * g.w[1][i];
		t->b[i] -= step * g.b[i];
		t->v[i] -= step * g.v[i];
	}
	return loss / (float)rows;
}

static void forward(struct mlp *m)
{
	for (int l = 0; l < m->layers; l++) {
		const int in = m->size[l], out = m->size[l + 1];
		const float *x = m->value[l];
		float *y = m->value[l + 1];
		for (int r = 0; r < m->task.batch; r++, x += in, y += out) {
			memcpy(y, m->bias[l], (size_t)out * sizeof(float));
			for (int i = 0; i < in; i++)
				for (int k = 0; k < out; k++)
					y[k] += x[i] * m->weight[l][i * out + k];
			if (l + 1 < m->layers)
				cut_below_zero(y, (size_t)out);
		}
	}
}

static void update_layer(struct mlp *m, int l)
{
	const int rows = m->task.batch, in = m->size[l], out = m->size[l + 1];
	for (int i = 0; i < in; i++)
		for (int r = 0; r < rows; r++) {
			const float step = m->rate * m->value[l][r * in + i], *slope = m->slope[l + 1] + r * out;
			if (step != 0)
				for (int k = 0; k < out; k++)
					m->weight[l][i * out + k] -= step * slope[k];
		}
	for (int r = 0; r < rows; r++)
		for (int k = 0; k < out; k++)
			m->bias[l][k] -= m->rate * m->slope[l + 1][r * out + k];
}

static void train(struct mlp *m)
{
	const int rows = m->task.batch;
	forward(m);
	compare_classes(m);
	for (int l = m->layers - 1; l >= 0; l--) {
		const int in = m->size[l], out = m->size[l + 1];
		for (int r = 0; l > 0 && r < rows; r++)
			for (int i = 0; i < in; i++) {
				const float *slope = m->slope[l + 1] + r * out;
				float sum = 0;
				for (int k = 0; k < out; k++)
					sum += m->weight[l][i * out + k] * slope[k];
				m->slope[l][r * in + i] = m->value[l][r * in + i] > 0 ? sum : 0;
			}
		update_layer(m, l);
	}
}

static const char *prepare_tiny(struct program *p, const struct task *task)
{
	const float *w = task->params;
	struct tiny *t = &p->initial_tiny;
	p->mlp.task = *task;
	for (int i = 0; i < 8; i++) {
		t->w[0][i] = w[2 * i];
		t->w[1][i] = w[2 * i + 1];
		t->b[i] = w[16 + i];
		t->v[i] = w[24 + i];
	}
	t->c = w[32];
	return task->batch <= 8 ? NULL : "no room";
}

static const char *prepare(void *self, const struct task *task)
{
	struct program *p = self;
	p->is_tiny = strcmp(task->work, "W1") == 0;
	if (p->is_tiny)
		return prepare_tiny(p, task);
	const char *reason = prepare_mlp(&p->mlp, task);
	if (reason)
		return reason;
	const float *from = task->params;
	for (int l = 0; l < p->mlp.layers; l++) {
		const int in = p->mlp.size[l], out = p->mlp.size[l + 1];
		float *to = p->mlp.initial + (p->mlp.weight[l] - p->mlp.params);
		for (int k = 0; k < out; k++)
			for (int i = 0; i < in; i++)
				to[i * out + k] = from[k * in + i];
		from += in * out + out;
	}
	return NULL;
}

static void reset(void *self)
{
	struct program *p = self;
	p->tiny = p->initial_tiny;
	if (!p->is_tiny)
		memcpy(p->mlp.params, p->mlp.initial, p->mlp.task.n_params * sizeof(float));
}

static void run(void *self, int steps)
{
	struct program *p = self;
	const struct task *task = &p->mlp.task;
	float h[8];
	for (int i = 0; i < steps; i++) {
		if (!p->is_tiny && task->train)
			train(&p->mlp);
		else if (!p->is_tiny)
			forward(&p->mlp);
		else if (task->train)
			p->mlp.loss = train_tiny(&p->tiny, task->x, task->y, task->batch);
		else
			for (int r = 0; r < task->batch; r++)
				p->z[r] = forward_tiny(&p->tiny, (const float *)task->x + 2 * r, h);
		KEEP_MEMORY();
	}
}

static double answer(void *self)
{
	struct program *p = self;
	if (p->is_tiny && !p->mlp.task.train)
		return weigh_outputs(p->z, (size_t)p->mlp.task.batch);
	return answer_mlp(&p->mlp);
}

int main(int argc, char **argv)
{
	struct program p = {0};
	const struct subject subject = {&p, prepare, reset, run, answer};
	return argc == 2 ? serve_subject(&subject, argv[1]) : EXIT_FAILURE;
}
