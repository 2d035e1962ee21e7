/* gradient.c - compare every gradient of generated models with central differences in __float128.
 *
 * Each model comes twice, generated for __float128 and for float, and is known here by its descriptor alone. At a
 * random point the quad gradient must agree with central differences of the loss that backward returns (so training's
 * own loss, draws included: they depend on the step only), and the float gradient with the quad one. Both errors are
 * relative to the largest gradient of the model. On the way: forward of one row is forward1, and a step is
 * backward then update.
 *
 *   gradient [-c|-n] SEED   exit 0 if all agree; pairs[] and n_pairs come from the file that is linked with this
 *
 * -c is for models that may be ill-conditioned: it allows a float gradient also what rounding what is given to float
 * changes in the exact one, 32 times, and 1e-6: gradients may cancel within it, from values of the size of 1. -n
 * is -c, and keeps params near their initial values, which mean something. */
#include "rows.h"
#include <math.h>
#include <quadmath.h>
#include <stdbool.h>
#include <stdio.h>

typedef __float128 quad;

struct pair {
	const nn_model *quad, *single;
};
extern const struct pair pairs[];
extern const int n_pairs;

static const double worst_derivative = 1e-13, worst_single = 1e-5;
enum { MOST_ELEMENTS = 40 }; /* of one tensor that are compared */

static quad get(const nn_model *m, const void *at, size_t i)
{
	return m->real_size == sizeof(quad) ? ((const quad *)at)[i] : (quad)((const float *)at)[i];
}

static void put(const nn_model *m, void *at, size_t i, quad value)
{
	if (m->real_size == sizeof(quad))
		((quad *)at)[i] = value;
	else
		((float *)at)[i] = (float)value;
}

/* The same random point for both runs, exact in float. */
static void fill(struct run *q, struct run *s, double spread)
{
	const nn_model *m = q->m;
	m->init(q->params, q->state0, 7);
	s->m->init(s->params, s->state0, 7);
	int in = 0, out = 0;
	for (uint32_t i = 0; i < m->n_tensor; i++) {
		const nn_tensor *t = &m->tensor[i], *u = &s->m->tensor[i];
		if (t->kind == NN_PARAM || t->kind == NN_FROZEN) {
			if (t->elem != NN_REAL)
				continue;
			void *at = (char *)q->params + t->offset, *bt = (char *)s->params + u->offset;
			for (size_t k = 0; k < t->count; k++) {
				quad v = get(m, at, k) + (t->kind == NN_PARAM ? (quad)uniform(-spread, spread) : 0);
				v = (quad)(float)v;
				put(m, at, k, v);
				put(s->m, bt, k, v);
			}
		} else if (t->kind == NN_INPUT || t->kind == NN_TARGET) {
			int *place = t->kind == NN_INPUT ? &in : &out;
			void *at = t->kind == NN_INPUT ? q->input[*place] : q->target[*place];
			void *bt = t->kind == NN_INPUT ? s->input[*place] : s->target[*place];
			++*place;
			for (size_t k = 0; k < m->batch * t->count; k++) {
				double v = random_element(t);
				if (t->elem == NN_REAL) {
					put(m, at, k, v);
					put(s->m, bt, k, v);
				} else {
					((int32_t *)at)[k] = ((int32_t *)bt)[k] = (int32_t)v;
				}
			}
		}
	}
}

/* Gradients into r->grads; the loss. The state is as init left it. */
static quad backward(struct run *r, int n)
{
	union {
		quad q;
		float f;
	} loss = {0};
	memcpy(r->state, r->state0, r->m->state_size);
	r->m->backward(r->params, r->state, (const void *const *)r->input, (const void *const *)r->target, r->grads,
		       &loss, n, r->work);
	return get(r->m, &loss, 0);
}

struct worst {
	double derivative, single;
	const char *derivative_in, *single_in;
};

static bool failed(const nn_model *m, const char *what, const char *tensor, long element, quad got, quad want)
{
	char a[64], b[64];
	quadmath_snprintf(a, sizeof a, "%.20Qg", got);
	quadmath_snprintf(b, sizeof b, "%.20Qg", want);
	printf("%s: %s: %s[%ld] is %s, not %s\n", m->name, what, tensor, element, a, b);
	return false;
}

static quad largest_gradient(const struct run *r)
{
	quad top = 0;
	for (size_t i = 0; i < r->m->grads_size / r->m->real_size; i++)
		top = fmaxq(top, fabsq(get(r->m, r->grads, i)));
	return top;
}

/* Central differences against the gradients in `grads`, which lie in the order of the params, packed. */
static bool check_differences(struct run *q, int n, const void *grads, quad scale, struct worst *worst)
{
	const nn_model *m = q->m;
	size_t offset = 0;
	quad h = 0x1p-45Q;
	for (uint32_t i = 0; i < m->n_tensor; i++) {
		const nn_tensor *t = &m->tensor[i];
		if (t->kind != NN_PARAM)
			continue;
		void *at = (char *)q->params + t->offset;
		for (size_t k = 0; k < t->count; k += t->count / MOST_ELEMENTS + 1) {
			quad v = get(m, at, k), g = get(m, grads, offset + k);
			put(m, at, k, v + h);
			quad above = backward(q, n);
			put(m, at, k, v - h);
			quad below = backward(q, n);
			put(m, at, k, v);
			quad difference = (above - below) / (2 * h);
			double e = (double)(fabsq(difference - g) / scale);
			if (!(e <= worst_derivative))
				return failed(m, "derivative", t->name, (long)k, g, difference);
			if (e > worst->derivative)
				worst->derivative = e, worst->derivative_in = m->name;
		}
		offset += t->count;
	}
	return true;
}

/* The real params, inputs and targets of a run, one after another: false at the end. */
struct leaf {
	uint32_t tensor;
	int inputs, targets; /* before it */
	quad *at;
	size_t count;
};

static bool next_leaf(const struct run *q, struct leaf *leaf)
{
	const nn_model *m = q->m;
	for (; leaf->tensor < m->n_tensor; leaf->tensor++) {
		const nn_tensor *t = &m->tensor[leaf->tensor];
		void *at = t->kind == NN_PARAM	  ? (char *)q->params + t->offset
			   : t->kind == NN_INPUT  ? q->input[leaf->inputs++]
			   : t->kind == NN_TARGET ? q->target[leaf->targets++]
						  : NULL;
		if (!at || t->elem != NN_REAL)
			continue;
		leaf->at = at;
		leaf->count = t->kind == NN_PARAM ? t->count : m->batch * t->count;
		leaf->tensor++;
		return true;
	}
	return false;
}

/* How far rounding what is given moves the loss and the gradients: what no float code can avoid. */
static void measure_condition(struct run *q, int n, quad loss, const void *grads, quad *loss_moves,
			      quad *gradient_moves)
{
	const nn_model *m = q->m;
	for (int tries = 0; tries < 3; tries++) {
		for (struct leaf leaf = {0}; next_leaf(q, &leaf);) /* they are floats, and still round to themselves */
			for (size_t k = 0; k < leaf.count; k++)
				leaf.at[k] *= 1 + (quad)uniform(-0x1p-25, 0x1p-25);
		*loss_moves = fmaxq(*loss_moves, fabsq(backward(q, n) - loss));
		for (size_t i = 0; i < m->grads_size / m->real_size; i++)
			*gradient_moves = fmaxq(*gradient_moves, fabsq(get(m, q->grads, i) - get(m, grads, i)));
		for (struct leaf leaf = {0}; next_leaf(q, &leaf);)
			for (size_t k = 0; k < leaf.count; k++)
				leaf.at[k] = (quad)(float)leaf.at[k];
	}
}

/* The float code's loss and gradients against the quad ones. */
static bool check_single(struct run *q, struct run *s, int n, quad loss, const void *grads, quad scale,
			 bool conditioned, struct worst *worst)
{
	const nn_model *m = q->m;
	quad single_loss = backward(s, n), loss_moves = 0, gradient_moves = 0;
	if (conditioned)
		measure_condition(q, n, loss, grads, &loss_moves, &gradient_moves);
	quad allowed = fmaxq((quad)worst_single * fmaxq(fabsq(loss), 1), 32 * loss_moves);
	if (!finiteq(single_loss) || fabsq(loss - single_loss) > allowed)
		return failed(m, "float loss", "", 0, single_loss, loss);
	allowed = fmaxq((quad)worst_single * scale, conditioned ? fmaxq(1e-6Q, 32 * gradient_moves) : 0);
	size_t offset = 0;
	for (uint32_t i = 0; i < m->n_tensor; i++) {
		const nn_tensor *t = &m->tensor[i];
		if (t->kind != NN_PARAM)
			continue;
		for (size_t k = 0; k < t->count; k++) {
			quad g = get(m, grads, offset + k), f = get(s->m, s->grads, offset + k);
			if (!(fabsq(f - g) <= allowed))
				return failed(m, "float gradient", t->name, (long)k, f, g);
			if ((double)(fabsq(f - g) / scale) > worst->single)
				worst->single = (double)(fabsq(f - g) / scale), worst->single_in = m->name;
		}
		offset += t->count;
	}
	return true;
}

static bool check_gradients(struct run *q, struct run *s, int n, bool conditioned, struct worst *worst)
{
	const nn_model *m = q->m;
	quad loss = backward(q, n), top = largest_gradient(q), scale = top > 0 ? top : 1;
	if (!finiteq(loss))
		return failed(m, "loss", "", 0, loss, 0);
	void *grads = block(m->grads_size);
	memcpy(grads, q->grads, m->grads_size);
	bool ok = check_differences(q, n, grads, scale, worst) &&
		  check_single(q, s, n, loss, grads, scale, conditioned, worst);
	free(grads);
	return ok;
}

/* What was generated for float, within itself: one row, all rows; step, and backward then update. */
static bool check_calls(struct run *s, int n)
{
	const nn_model *m = s->m;
	if (m->forward) {
		memcpy(s->state, s->state0, m->state_size);
		m->forward(s->params, s->state, (const void *const *)s->input, s->output, 1, s->work);
	}
	if (m->forward && m->forward1) {
		memcpy(s->state, s->state0, m->state_size);
		m->forward1(s->params, s->state, (const void *const *)s->input, s->output1, s->work1);
		int k = 0;
		for (uint32_t i = 0; i < m->n_tensor; i++) {
			const nn_tensor *t = &m->tensor[i];
			if (t->kind != NN_OUTPUT)
				continue;
			for (size_t j = 0; j < t->count; j++) {
				quad a = t->elem == NN_REAL ? get(m, s->output[k], j) : ((int32_t *)s->output[k])[j];
				quad b = t->elem == NN_REAL ? get(m, s->output1[k], j) : ((int32_t *)s->output1[k])[j];
				if (fabsq(a - b) > 1e-5Q * fmaxq(1, fabsq(a)))
					return failed(m, "forward of one row", t->name, (long)j, b, a);
			}
			k++;
		}
	}
	if (!m->step || !m->update)
		return true;
	float *params = block(m->params_size), *stepped = block(m->params_size), *state = block(m->state_size);
	float loss;
	memcpy(params, s->params, m->params_size);
	for (int i = 0; i < 3; i++) {
		backward(s, n);
		m->update(s->params, s->state, s->grads);
		memcpy(s->state0, s->state, m->state_size);
	}
	memcpy(stepped, s->params, m->params_size);
	memcpy(s->params, params, m->params_size);
	m->init(params, state, 7);
	for (int i = 0; i < 3; i++)
		m->step(s->params, state, (const void *const *)s->input, (const void *const *)s->target, &loss, n,
			s->work);
	bool ok = true;
	for (size_t i = 0; i < m->params_size / sizeof(float) && ok; i++) {
		float a = ((float *)s->params)[i];
		if (!(fabsf(a - stepped[i]) <= 1e-4f * fmaxf(1, fabsf(a))))
			ok = failed(m, "step", "params", (long)i, (quad)a, (quad)stepped[i]);
	}
	free(params), free(stepped), free(state);
	return ok;
}

int main(int argc, char **argv)
{
	bool near = argc > 1 && !strcmp(argv[1], "-n"), conditioned = near || (argc > 1 && !strcmp(argv[1], "-c"));
	int at = 1 + conditioned;
	uint64_t seed = argc > at ? strtoull(argv[at], NULL, 10) : 1;
	struct worst worst = {0, 0, "-", "-"};
	int bad = 0;
	for (int i = 0; i < n_pairs; i++) {
		random_state = seed * 1000003 + (uint64_t)i;
		struct run q = make_run(pairs[i].quad), s = make_run(pairs[i].single);
		fill(&q, &s, near ? 0.01 : 0.3);
		int n = (int)q.m->batch;
		bool ok = check_gradients(&q, &s, n, conditioned, &worst) &&
			  check_gradients(&q, &s, n > 1 ? n - 1 : 1, conditioned, &worst) && check_calls(&s, n);
		bad += !ok;
		free_run(&q);
		free_run(&s);
	}
	printf("%d models, %d wrong; worst derivative %.1e (%s), worst float gradient %.1e (%s)\n", n_pairs, bad,
	       worst.derivative, worst.derivative_in, worst.single, worst.single_in);
	return bad || !n_pairs;
}
