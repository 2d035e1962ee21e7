/* quad.c - check models in __float128, without a C compiler: what the compiler makes of a text is interpreted.
 *
 *   quad [-c] FILE SEED     FILE has a model a line, "NAME: text" with ; for the ends of lines
 *
 * For each model, with 3 rows and with 1, at a random point:
 *   - the gradients agree with central differences of the loss, element by element for some, and along a random
 * direction in all params for the rest;
 *   - the simplified graph gives the same loss, gradients and outputs as the one that the chain rule left;
 *   - the C for float, compiled in process, gives them to 1e-5, and so one step of the optimiser.
 * Errors are relative to the largest gradient of the model, those of float to at least 0.01, as terms of the size of 1
 * may cancel. -c allows the float code also what rounding the params to
 * float does to the exact result, sixteen times, and 1e-6: for models that may be ill-conditioned. Draws of the
 * interpreter are not those of the C, so that models that draw are not compared with it. */
#define INTERPRET_QUAD
#include "diagnose.h"
#include "handle.h"
#include "interpret.h"
#include "syntax.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 3, ELEMENTS = 6 /* of all params that are compared one by one; at least one of each */ };
static const double worst_derivative = 1e-13, worst_simplified = 1e-13, worst_single = 1e-5;

struct check {
	const char *name, *text;
	bool conditioned, failed;
	uint64_t random;
	struct context ctx;
	jmp_buf unwind;
	nnc_options options;
	struct graph *graph;
	struct interpreter in;
	nnr_model *model;		       /* the C */
	number loss, scale;		       /* at the point */
	double derivative, simplified, single; /* worst errors of all models */
};

static uint64_t random_bits(struct check *c)
{
	uint64_t z = c->random += 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

static double random_number(struct check *c, double low, double high)
{
	return (float)(low + (high - low) * (double)(random_bits(c) >> 11) * 0x1p-53);
}

static void fail(struct check *c, const char *what, const char *tensor, int64_t element, number got, number want)
{
	char a[64], b[64];
	quadmath_snprintf(a, sizeof a, "%.20Qg", got);
	quadmath_snprintf(b, sizeof b, "%.20Qg", want);
	if (!c->failed)
		printf("%s: %s: %s[%lld] is %s, not %s\n    %s\n", c->name, what, tensor, (long long)element, a, b,
		       c->text);
	c->failed = true;
}

static void print_message(void *user, const nnc_message *m)
{
	struct check *c = user;
	if (m->severity == NNC_ERROR)
		printf("%s: %s\n    %s\n", c->name, m->text, c->text);
}

/* ---- the graph ---- */

static struct graph *make_graph(struct check *c)
{
	const struct source *src = add_source(&c->ctx, "model.nn", c->text, strlen(c->text), false);
	const struct node *tree = src ? parse_source(&c->ctx, src) : NULL;
	struct graph *g = tree ? elaborate(&c->ctx, tree, src) : NULL;
	return g && !c->ctx.errors && g->loss && differentiate_loss(g) && !c->ctx.errors ? g : NULL;
}

static bool is_given(const struct tensor *t)
{
	return t->role == ROLE_INPUT || t->role == ROLE_TARGET || t->role == ROLE_PARAM || t->role == ROLE_FROZEN ||
	       t->role == ROLE_STATE || t->role == ROLE_SETTING;
}

/* Params near their initial values, states and settings at them, random rows; everything exact in float. */
static void fill_leaves(struct check *c)
{
	for (int i = 0; i < c->graph->tensors.n; i++) {
		struct tensor *t = c->graph->tensors.item[i];
		int64_t n = tensor_size(t);
		number *v = is_given(t) ? tensor_values(&c->in, t) : NULL;
		if (t->role == ROLE_INPUT || t->role == ROLE_TARGET) {
			for (int64_t k = 0; k < n; k++)
				v[k] = t->elem != ELEM_REAL
					       ? (number)(random_bits(c) % (uint64_t)(t->classes ? t->classes : 3))
				       : t->role == ROLE_INPUT ? random_number(c, -1.5, 1.5)
							       : random_number(c, 0.05, 0.95);
		} else if (v) {
			double *got = calloc((size_t)n + 1, sizeof *got);
			if (nnr_get(c->model, t->name, got, (size_t)n) == NNR_OK)
				for (int64_t k = 0; k < n; k++)
					v[k] = (float)(got[k] +
						       (t->role == ROLE_PARAM ? random_number(c, -0.3, 0.3) : 0));
			else
				fail(c, "no such value in the C", t->name, 0, 0, 0);
			free(got);
		}
	}
}

static number run_loss(struct check *c)
{
	interpret(&c->in, &c->graph->part[PART_FORWARD]);
	return tensor_values(&c->in, c->graph->loss)[0];
}

static void run_backward(struct check *c)
{
	c->loss = run_loss(c);
	interpret(&c->in, &c->graph->part[PART_BACKWARD]);
	if (c->in.fault) {
		printf("%s: %s\n    %s\n", c->name, c->in.fault, c->text);
		c->failed = true;
	}
}

/* ---- gradients against differences ---- */

static void find_scale(struct check *c)
{
	c->scale = 0;
	for (int i = 0; i < c->graph->grads.n; i++)
		for (int64_t k = 0; k < tensor_size(c->graph->grads.item[i]); k++)
			c->scale = fmaxq(c->scale, fabsq(tensor_values(&c->in, c->graph->grads.item[i])[k]));
	if (c->scale < 1e-20Q) /* they cancel: compared as if they were of the size of 1 */
		c->scale = 1;
}

static void compare_derivative(struct check *c, const char *name, int64_t element, number got, number above,
			       number below, number h)
{
	number difference = (above - below) / (2 * h);
	double off = (double)(fabsq(difference - got) / c->scale);
	if (!(off <= worst_derivative))
		fail(c, "derivative", name, element, got, difference);
	else
		c->derivative = fmax(c->derivative, off);
}

static void check_differences(struct check *c)
{
	const number h = 0x1p-45Q;
	for (int i = 0; i < c->graph->grads.n; i++) {
		const struct tensor *grad = c->graph->grads.item[i];
		number *x = tensor_values(&c->in, grad->of), *g = tensor_values(&c->in, grad);
		int64_t n = tensor_size(grad), each = ELEMENTS / c->graph->grads.n + 1, apart = (n + each - 1) / each;
		for (int64_t k = (int64_t)(random_bits(c) % (uint64_t)apart); k < n && !c->failed; k += apart) {
			number old = x[k];
			x[k] = old + h;
			number above = run_loss(c);
			x[k] = old - h;
			number below = run_loss(c);
			x[k] = old;
			compare_derivative(c, grad->of->name, k, g[k], above, below, h);
		}
	}
}

/* The derivative along one direction in all params. */
static void check_direction(struct check *c)
{
	const number h = 0x1p-45Q;
	number slope = 0, loss[2], length = 0;
	uint64_t seed = c->random;
	for (int side = 0; side < 3; side++) { /* above, below, back */
		c->random = seed;
		for (int i = 0; i < c->graph->grads.n; i++) {
			const struct tensor *grad = c->graph->grads.item[i];
			for (int64_t k = 0; k < tensor_size(grad); k++) {
				number d = random_number(c, -1, 1);
				tensor_values(&c->in, grad->of)[k] += (side == 1 ? -2 : 1) * h * d;
				slope += side ? 0 : d * tensor_values(&c->in, grad)[k];
				length += side ? 0 : 1;
			}
		}
		if (side < 2)
			loss[side] = run_loss(c);
	}
	number scale = c->scale;
	c->scale *= fmaxq(1, sqrtq(length));
	compare_derivative(c, "direction", 0, slope, loss[0], loss[1], h);
	c->scale = scale;
}

/* ---- the same numbers from elsewhere ---- */

struct copy {
	number loss, *value[256];
	int n;
};

static int64_t own_size(const struct check *c, const struct tensor *t)
{
	return t->batched ? tensor_size(t) / t->axis[0].extent * c->in.rows : tensor_size(t);
}

/* Gradients, and then outputs as for new data. */
static struct tensor *result(const struct check *c, int i)
{
	const struct graph *g = c->graph;
	return i < g->grads.n		       ? g->grads.item[i]
	       : i < g->grads.n + g->outputs.n ? g->outputs.item[i - g->grads.n].value
					       : NULL;
}

static struct copy take_results(struct check *c)
{
	struct copy copy = {.loss = c->loss};
	interpret(&c->in, &c->graph->part[PART_INFERENCE]);
	for (struct tensor *t; copy.n < 256 && (t = result(c, copy.n)) != NULL; copy.n++) {
		size_t size = (size_t)own_size(c, t) * sizeof(number);
		copy.value[copy.n] = malloc(size + 1);
		memcpy(copy.value[copy.n], tensor_values(&c->in, t), size);
	}
	return copy;
}

static void free_results(struct copy *copy)
{
	for (int i = 0; i < copy->n; i++)
		free(copy->value[i]);
}

static void compare_results(struct check *c, const struct copy *before, const struct copy *now)
{
	number size = fmaxq(1, c->scale);
	if (!(fabsq(before->loss - now->loss) <= worst_simplified * fmaxq(1, fabsq(before->loss))))
		fail(c, "simplified", "loss", 0, now->loss, before->loss);
	for (int i = 0; i < now->n; i++)
		for (int64_t k = 0; k < own_size(c, result(c, i)) && !c->failed; k++) {
			number a = before->value[i][k], b = now->value[i][k];
			double off = (double)(fabsq(a - b) / fmaxq(size, fabsq(a)));
			if (a == b)
				continue;
			if (!(off <= worst_simplified))
				fail(c, "simplified", result(c, i)->name, k, b, a);
			else
				c->simplified = fmax(c->simplified, off);
		}
}

/* How far the rounding of params to float moves the loss and the gradients. */
static void measure_condition(struct check *c, number *loss_moves, number *gradient_moves)
{
	struct copy exact = take_results(c);
	number loss = c->loss;
	for (int tries = 0; tries < 3; tries++) {
		number *old[256] = {0};
		int n = c->graph->grads.n;
		for (int i = 0; i < n && i < 256; i++) {
			struct tensor *w = c->graph->grads.item[i]->of;
			int64_t size = tensor_size(w);
			old[i] = malloc((size_t)size * sizeof(number));
			memcpy(old[i], tensor_values(&c->in, w), (size_t)size * sizeof(number));
			for (int64_t k = 0; k < size; k++)
				tensor_values(&c->in, w)[k] *= 1 + (number)random_number(c, -1, 1) * 0x1p-24Q;
		}
		run_backward(c);
		*loss_moves = fmaxq(*loss_moves, fabsq(c->loss - loss));
		for (int i = 0; i < n && i < 256; i++) {
			struct tensor *grad = c->graph->grads.item[i];
			for (int64_t k = 0; k < tensor_size(grad); k++)
				*gradient_moves = fmaxq(*gradient_moves,
							fabsq(tensor_values(&c->in, grad)[k] - exact.value[i][k]));
			memcpy(tensor_values(&c->in, grad->of), old[i], (size_t)tensor_size(grad) * sizeof(number));
			free(old[i]);
		}
	}
	run_backward(c);
	free_results(&exact);
}

/* ---- the C ---- */

static void *float_rows(struct check *c, const nn_tensor *t)
{
	for (int i = 0; i < c->graph->tensors.n; i++) {
		struct tensor *from = c->graph->tensors.item[i];
		if ((from->role != ROLE_INPUT && from->role != ROLE_TARGET) || strcmp(from->name, t->name) != 0)
			continue;
		size_t n = t->count * ROWS;
		float *rows = calloc(n, sizeof(float));
		for (size_t k = 0; k < n; k++)
			if (t->elem == NN_REAL)
				rows[k] = (float)tensor_values(&c->in, from)[k];
			else
				((int32_t *)rows)[k] = (int32_t)tensor_values(&c->in, from)[k];
		return rows;
	}
	return NULL;
}

static void set_values(struct check *c)
{
	for (int i = 0; i < c->graph->tensors.n; i++) {
		struct tensor *t = c->graph->tensors.item[i];
		if (!is_given(t) || t->role == ROLE_INPUT || t->role == ROLE_TARGET)
			continue;
		size_t n = (size_t)tensor_size(t);
		double *v = calloc(n, sizeof *v);
		for (size_t k = 0; k < n; k++)
			v[k] = (double)tensor_values(&c->in, t)[k];
		if (nnr_set(c->model, t->name, v, n) != NNR_OK)
			fail(c, "cannot set in the C", t->name, 0, 0, 0);
		free(v);
	}
}

static void compare_single(struct check *c, const char *what, const char *name, int64_t k, double got, number want,
			   number allowed, number scale)
{
	number off = fabsq((number)got - want);
	if (got == (double)want)
		return;
	if (!(off <= allowed))
		fail(c, what, name, k, got, want);
	else
		c->single = fmax(c->single, (double)(off / scale));
}

static void compare_outputs(struct check *c, void **input)
{
	void *out[16] = {0};
	int n = nnr_count(c->model, NN_OUTPUT);
	for (int k = 0; k < n && k < 16; k++)
		out[k] = calloc(nnr_tensor(c->model, NN_OUTPUT, k)->count * ROWS, sizeof(float));
	if (n > 0 && n <= 16 && nnr_predict(c->model, (const void *const *)input, out, c->in.rows) != NNR_OK)
		fail(c, "cannot run", "outputs", 0, 0, 0);
	for (int k = 0; k < n && n <= 16; k++) {
		const nn_tensor *t = nnr_tensor(c->model, NN_OUTPUT, k);
		struct tensor *want = c->graph->outputs.item[k].value;
		number size = 1;
		for (int64_t i = 0; i < own_size(c, want); i++)
			size = fmaxq(size, fabsq(tensor_values(&c->in, want)[i]));
		for (int64_t i = 0; i < own_size(c, want) && t->elem == NN_REAL; i++)
			compare_single(c, "float output", t->name, i, ((float *)out[k])[i],
				       tensor_values(&c->in, want)[i], 2e-5Q * size * (c->conditioned ? 10 : 1), size);
	}
	for (int k = 0; k < 16; k++)
		free(out[k]);
}

static void compare_gradients(struct check *c, void **input, void **target)
{
	double loss = 0;
	number loss_moves = 0, gradient_moves = 0;
	if (c->conditioned)
		measure_condition(c, &loss_moves, &gradient_moves);
	if (nnr_backward(c->model, (const void *const *)input, (const void *const *)target, (int)c->in.rows, &loss) !=
	    NNR_OK)
		fail(c, "cannot run", "gradients", 0, 0, 0);
	compare_single(c, "float loss", "", 0, loss, c->loss,
		       fmaxq(worst_single * fmaxq(1, fabsq(c->loss)), 16 * loss_moves), fmaxq(1, fabsq(c->loss)));
	number allowed =
		fmaxq(worst_single * fmaxq(c->scale, 0.01Q), c->conditioned ? fmaxq(1e-6Q, 16 * gradient_moves) : 0);
	for (int i = 0; i < c->graph->grads.n; i++) {
		const struct tensor *grad = c->graph->grads.item[i];
		size_t n = (size_t)tensor_size(grad);
		double *got = calloc(n, sizeof *got);
		if (nnr_get_gradient(c->model, grad->of->name, got, n) != NNR_OK)
			fail(c, "no gradient in the C", grad->of->name, 0, 0, 0);
		for (size_t k = 0; k < n; k++)
			compare_single(c, "float gradient", grad->of->name, (int64_t)k, got[k],
				       tensor_values(&c->in, grad)[k], allowed, c->scale);
		free(got);
	}
}

/* One step of the optimiser, from this point. */
static void compare_update(struct check *c, void **input, void **target)
{
	interpret(&c->in, &c->graph->part[PART_UPDATE]);
	if (nnr_step(c->model, (const void *const *)input, (const void *const *)target, (int)c->in.rows, NULL) !=
	    NNR_OK)
		fail(c, "cannot run", "a step", 0, 0, 0);
	for (int i = 0; i < c->graph->part[PART_UPDATE].n; i++) {
		const struct equation *eq = c->graph->part[PART_UPDATE].item[i];
		struct tensor *next = eq->kind == EQ_MAP ? eq->tensor : NULL;
		if (!next || next->role != ROLE_NEXT || next->of->role != ROLE_PARAM)
			continue;
		size_t n = (size_t)tensor_size(next);
		double *got = calloc(n, sizeof *got);
		if (nnr_get(c->model, next->of->name, got, n) != NNR_OK)
			fail(c, "no such param in the C", next->of->name, 0, 0, 0);
		for (size_t k = 0; k < n; k++) {
			number want = tensor_values(&c->in, next)[k], size = fmaxq(1, fabsq(want));
			compare_single(c, "after a float step", next->of->name, (int64_t)k, got[k], want, 1e-4Q * size,
				       size);
		}
		free(got);
	}
}

static void compare_code(struct check *c)
{
	void *input[16] = {0}, *target[16] = {0};
	int n_in = nnr_count(c->model, NN_INPUT), n_target = nnr_count(c->model, NN_TARGET);
	for (int k = 0; k < n_in && k < 16; k++)
		input[k] = float_rows(c, nnr_tensor(c->model, NN_INPUT, k));
	for (int k = 0; k < n_target && k < 16; k++)
		target[k] = float_rows(c, nnr_tensor(c->model, NN_TARGET, k));
	set_values(c);
	compare_outputs(c, input);
	compare_gradients(c, input, target);
	set_values(c);
	if (c->graph->part[PART_UPDATE].n && !c->failed && !c->conditioned)
		compare_update(c, input, target);
	for (int k = 0; k < 16; k++)
		free(input[k]), free(target[k]);
}

/* ---- a model ---- */

static void check_rows(struct check *c, int rows)
{
	c->in.rows = rows;
	c->in.run[RUN_ROWS] = rows;
	fill_leaves(c);
	run_backward(c);
	if (!finiteq(c->loss))
		fail(c, "loss", "", 0, c->loss, 0);
	find_scale(c);
	if (!c->failed && rows > 1)
		check_differences(c);
	if (!c->failed)
		check_direction(c);
	run_backward(c);
}

static void check_graph(struct check *c)
{
	if (setjmp(c->unwind)) {
		fail(c, "memory", "", 0, 0, 0);
		return;
	}
	c->ctx.arena.unwind = &c->unwind;
	c->graph = make_graph(c);
	nnc_options options = {.report = print_message, .user = c, .batch = ROWS};
	c->model = c->graph ? nnr_open_text("model.nn", c->text, strlen(c->text), &options, NULL) : NULL;
	if (!c->model) {
		printf("%s: does not compile\n    %s\n", c->name, c->text);
		c->failed = true;
		return;
	}
	interpreter_init(&c->in, c->graph, ROWS);
	nn_run *run = nnr_run(c->model);
	c->in.run[RUN_STEP] = run->step = 3;
	c->in.run[RUN_EPOCH] = run->epoch = 2;
	c->in.run[RUN_STEPS] = run->steps = 40;
	c->in.run[RUN_STEPS_PER_EPOCH] = run->steps_per_epoch = 10;
	c->in.run[RUN_LOSS] = run->loss = 0.5;
	check_rows(c, 1);
	if (!c->failed)
		check_rows(c, ROWS);
	if (c->failed)
		return;
	struct copy before = take_results(c);
	const char *broken = verify(c->graph);
	simplify(c->graph);
	broken = broken ? broken : verify(c->graph);
	if (broken) {
		printf("%s: %s\n    %s\n", c->name, broken, c->text);
		c->failed = true;
	} else {
		run_backward(c);
		struct copy after = take_results(c);
		compare_results(c, &before, &after);
		free_results(&after);
		if (!c->failed && !c->in.drew)
			compare_code(c);
	}
	free_results(&before);
}

static bool check_model(struct check *c, char *line)
{
	char *colon = strstr(line, ": ");
	if (!colon)
		return false;
	*colon = 0;
	c->name = line;
	for (char *p = colon; *p; p++)
		if (*p == ';' || p == colon + 1)
			*p = p == colon + 1 ? ' ' : '\n';
	c->text = colon + 2;
	c->failed = false;
	memset(&c->ctx, 0, sizeof c->ctx);
	c->options = (nnc_options){.report = print_message, .user = c, .batch = ROWS};
	c->ctx.options = &c->options;
	c->graph = NULL;
	c->model = NULL;
	arena_init(&c->ctx.arena, NULL, NULL);
	check_graph(c);
	nnr_close(c->model);
	arena_free(&c->ctx.arena);
	return !c->failed;
}

int main(int argc, char **argv)
{
	struct check c = {0};
	int at = 1, models = 0, wrong = 0;
	size_t room = 0;
	char *line = NULL;
	c.conditioned = argc > 1 && !strcmp(argv[1], "-c");
	at += c.conditioned;
	FILE *file = argc > at + 1 ? fopen(argv[at], "r") : NULL;
	if (!file)
		return 2;
	c.random = strtoull(argv[at + 1], NULL, 10);
	while (getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		models++;
		wrong += !check_model(&c, line);
	}
	fclose(file);
	free(line);
	printf("%d models, %d wrong; worst derivative %.1e, simplified %.1e, float %.1e\n", models, wrong, c.derivative,
	       c.simplified, c.single);
	return wrong || !models;
}
