/* derivative_check.c - every gradient of a model against finite differences.
 *
 * The model runs in double at a random point: random rows, and initial params moved a little so that no zero is
 * special. For a sample of the elements w of each param the central difference
 *
 *   (L(w + h) - L(w - h)) / 2h,   h = 1e-6 max(1, |w|)
 *
 * of the training loss L is compared with the gradient. It is off by about h^2 and by the rounding of L over h, which
 * together stay below 1e-8 of the largest gradient. L is what backward returns, from the same state each time, so
 * random draws are the same on both sides. Inputs are checked as the offsets that the compiler adds to them.
 *
 * A formula with a corner (relu, max, abs) has no derivative there; a difference across it is wrong. As a corner is
 * met with a chance in proportion to h, a difference that is off is taken again with other h, and the best counts: a
 * wrong gradient is off with all of them. */
#include "late.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum { ROWS = 3, LEAST_ELEMENTS = 20, MOST_ELEMENTS = 200, SECONDS = 10 };

struct check {
	nnr_model *model;
	void **column; /* of inputs, then targets: double, or int32_t where the tensor is */
	const void *const *input, *const *target;
	void *state;	      /* as it was at the start */
	double *gradient;     /* of all params, by their place in params */
	double loss, largest; /* at the point; largest gradient of all */
	double limit;
	size_t elements; /* of each tensor that are compared, at most */
};

/* A number in [0, 1) that depends on key and i only (splitmix64). */
static double uniform(uint64_t key, uint64_t i)
{
	uint64_t x = key * UINT64_C(0xd1342543de82ef95) + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

/* ---- the random point ---- */

static const nn_tensor *column_tensor(const nnr_model *model, int k)
{
	int n_input = model->n_kind[NN_INPUT];
	return k < n_input ? nnr_tensor(model, NN_INPUT, k) : nnr_tensor(model, NN_TARGET, k - n_input);
}

static int count_columns(const nnr_model *model) { return model->n_kind[NN_INPUT] + model->n_kind[NN_TARGET]; }

/* Real inputs in [low, high); real targets in (0, 1), which are probabilities too; integers within their classes. */
static void fill_columns(struct check *check, double low, double high)
{
	for (int k = 0; k < count_columns(check->model); k++) {
		const nn_tensor *tensor = column_tensor(check->model, k);
		size_t n = tensor->count * ROWS;
		int32_t classes = tensor->classes > 0 ? tensor->classes : 3;
		bool target = tensor->kind == NN_TARGET;
		for (size_t i = 0; i < n; i++) {
			double u = uniform((uint64_t)k + 1, i);
			if (tensor->elem == NN_INT32)
				((int32_t *)check->column[k])[i] = (int32_t)(u * classes);
			else
				((double *)check->column[k])[i] = target ? 0.05 + 0.9 * u : low + (high - low) * u;
		}
	}
}

static void move_params(struct check *check)
{
	const nn_model *nn = check->model->nn;
	for (uint32_t i = 0; i < nn->n_tensor; i++) {
		const nn_tensor *tensor = &nn->tensor[i];
		double *at = tensor->kind == NN_PARAM ? tensor_memory(check->model, tensor) : NULL;
		for (size_t k = 0; at && k < tensor->count; k++)
			at[k] += 0.2 * uniform(1000 + i, k) - 0.1;
	}
}

/* The training loss at the point as it is now; gradients stay in the model. */
static double find_loss(struct check *check)
{
	nnr_model *model = check->model;
	double loss = (double)NAN;
	memcpy(model->state, check->state, model->nn->state_size);
	nnr_backward(model, check->input, check->target, ROWS, &loss);
	return loss;
}

/* As many elements as take about SECONDS in all: the code in process is slow for large models. */
static size_t choose_elements(struct check *check)
{
	clock_t start = clock();
	find_loss(check);
	find_loss(check);
	double one = (double)(clock() - start) / CLOCKS_PER_SEC; /* an element takes two losses */
	double each = SECONDS / (one + 1e-9) / (check->model->n_kind[NN_PARAM] + 1);
	return each < LEAST_ELEMENTS ? LEAST_ELEMENTS : each > MOST_ELEMENTS ? MOST_ELEMENTS : (size_t)each;
}

/* Find a point where the loss is finite: some formulas, as logarithms, want positive inputs. */
static nnr_status find_point(struct check *check)
{
	static const double low[] = {-1, 0.05}, high[] = {1, 0.95};
	nnr_model *model = check->model;
	move_params(check);
	for (int k = 0; k < 2; k++) {
		fill_columns(check, low[k], high[k]);
		check->loss = find_loss(check);
		if (isfinite(check->loss))
			break;
	}
	if (!isfinite(check->loss))
		return host_fail(&model->host, NNR_INVALID, NULL, "the loss of random data is %g: nothing to compare",
				 check->loss);
	memcpy(check->gradient, model->grads, model->nn->grads_size);
	for (size_t i = 0; i < model->nn->grads_size / sizeof(double); i++)
		if (!(fabs(check->gradient[i]) <= check->largest)) /* a nan too */
			check->largest = fabs(check->gradient[i]);
	check->elements = choose_elements(check);
	return NNR_OK;
}

/* ---- comparing ---- */

static double find_difference(struct check *check, double *at, double h)
{
	double w = *at, above = w + h, below = w - h;
	*at = above;
	double up = find_loss(check);
	*at = below;
	double down = find_loss(check);
	*at = w;
	return (up - down) / (above - below);
}

/* Compare one element; the row keeps the worst. scale: what errors are relative to. */
static void check_element(struct check *check, double *at, double derivative, double scale, int64_t i,
			  nnr_check_row *row)
{
	static const double steps[] = {1e-6, 1e-7, 1e-5, 1e-4};
	double error = (double)INFINITY, difference = 0;
	bool off = true;
	for (size_t k = 0; k < sizeof steps / sizeof steps[0] && off; k++) {
		double h = steps[k] * (fabs(*at) > 1 ? fabs(*at) : 1);
		double d = find_difference(check, at, h);
		/* the loss is known to a few roundings only, and so is d */
		double noise = 8 * DBL_EPSILON * fabs(check->loss) / h;
		off = !(fabs(d - derivative) <= check->limit * scale + noise);
		if (!off || k == 0 || fabs(d - derivative) / scale < error) {
			error = fabs(d - derivative) / scale;
			difference = d;
		}
	}
	row->off |= off;
	if (row->checked++ == 0 || !(error <= row->worst)) {
		row->worst = error;
		row->worst_at = i;
		row->derivative = derivative;
		row->difference = difference;
	}
}

static void check_tensor(struct check *check, const nn_tensor *tensor, nnr_check_row *row)
{
	const double *gradient = check->gradient + tensor->offset / sizeof(double);
	double *param = tensor_memory(check->model, tensor), largest = 0;
	size_t n = tensor->count < check->elements ? tensor->count : check->elements;
	for (size_t i = 0; i < tensor->count; i++)
		largest = fabs(gradient[i]) > largest ? fabs(gradient[i]) : largest;
	/* a tensor whose gradients nearly cancel, as a bias before a normalisation, is measured by the others */
	double scale = largest > 1e-4 * check->largest ? largest : 1e-4 * check->largest;
	if (scale == 0)
		scale = 1;
	for (size_t k = 0; k < n; k++) {
		/* one element from each of n equal stretches */
		size_t from = k * tensor->count / n, to = (k + 1) * tensor->count / n;
		size_t i = from + (size_t)(uniform(7, k) * (double)(to - from));
		check_element(check, param + i, gradient[i], scale, (int64_t)i, row);
	}
	row->zero = largest == 0 && !row->off;
}

/* ---- the whole check ---- */

static nnr_status prepare(struct check *check)
{
	nnr_model *model = check->model;
	const struct host *host = &model->host;
	const nn_model *nn = model->nn;
	int n = count_columns(model);
	check->column = host_alloc(host, (size_t)n + 1, sizeof *check->column);
	check->state = host_alloc(host, nn->state_size, 1);
	check->gradient = host_alloc(host, nn->grads_size, 1);
	if (!check->column || !check->state || !check->gradient)
		return NNR_MEMORY;
	for (int k = 0; k < n; k++) {
		check->column[k] = host_alloc(host, column_tensor(model, k)->count * ROWS, sizeof(double));
		if (!check->column[k])
			return NNR_MEMORY;
	}
	check->input = (const void *const *)check->column;
	check->target = check->input + model->n_kind[NN_INPUT];
	memcpy(check->state, model->state, nn->state_size);
	if (!nn->backward)
		return host_fail(host, NNR_INVALID, NULL, "model '%s' has no loss with a gradient to check", nn->name);
	return find_point(check);
}

static void release(struct check *check)
{
	const struct host *host = &check->model->host;
	for (int k = 0; check->column && k < count_columns(check->model); k++)
		host_free(host, check->column[k]);
	host_free(host, check->column);
	host_free(host, check->state);
	host_free(host, check->gradient);
}

/* "x" of an input's "x.offset", which is at most size long, or the param's own name. */
static const char *row_name(const nnr_model *model, const nn_tensor *tensor, char *name, size_t size, bool *input)
{
	for (int k = 0; k < model->n_kind[NN_INPUT]; k++) {
		const char *of = nnr_tensor(model, NN_INPUT, k)->name;
		int n = snprintf(name, size, "%s.offset", of);
		if (n > 0 && (size_t)n < size && strcmp(name, tensor->name) == 0) {
			*input = true;
			return of;
		}
	}
	return tensor->name;
}

/* All params of one loss; model is freed. */
static nnr_status check_model(nnr_model *model, const char *loss, double limit,
			      void (*row)(void *user, const nnr_check_row *row), void *user, int *off)
{
	struct check check = {.model = model, .limit = limit};
	char label[300];
	nnr_status status = prepare(&check);
	for (uint32_t i = 0; i < model->nn->n_tensor && status == NNR_OK; i++) {
		const nn_tensor *tensor = &model->nn->tensor[i];
		nnr_check_row result = {.loss = loss, .count = (int64_t)tensor->count};
		if (tensor->kind != NN_PARAM)
			continue;
		result.name = row_name(model, tensor, label, sizeof label, &result.input);
		check_tensor(&check, tensor, &result);
		*off += result.off;
		if (row)
			row(user, &result);
	}
	release(&check);
	nnr_close(model);
	return status;
}

nnr_status nnr_check(const char *name, const char *text, size_t size, const nnc_options *options, double limit,
		     void (*row)(void *user, const nnr_check_row *row), void *user, int *off)
{
	struct host host;
	nnr_status status = NNR_OK;
	nnc_options with = options ? *options : (nnc_options){0};
	const char *next = "";
	char loss[300];
	host_init(&host, options);
	with.real = NNC_DOUBLE;
	with.batch = ROWS;
	*off = 0;
	for (with.check_loss = 1; status == NNR_OK && next; with.check_loss++) {
		struct late *late = late_compile(&host, name, text, size, &with, &status);
		if (!late)
			return status;
		next = nnc_loss_name(late->compiled, with.check_loss);
		bool several = nnc_loss_name(late->compiled, 1) != NULL;
		snprintf(loss, sizeof loss, "%s", nnc_loss_name(late->compiled, with.check_loss - 1));
		nnr_model *model = open_compiled(late, &with, &status);
		if (model)
			status = check_model(model, several ? loss : NULL, limit, row, user, off);
	}
	return status;
}
