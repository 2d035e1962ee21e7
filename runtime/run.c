/* run.c - a handle's tensors, and the calls that run its code. */
#include "late.h"
#include "shards.h"

#include <string.h>

const nn_model *nnr_descriptor(const nnr_model *model) { return model->nn; }

nn_run *nnr_run(nnr_model *model)
{
	model->averaged = false;
	return model->state;
}

void *nnr_params(nnr_model *model)
{
	model->shared = true;
	return model->params;
}

void *nnr_state(nnr_model *model)
{
	model->shared = true;
	return model->state;
}

void *nnr_gradients(nnr_model *model) { return model->grads; }
int nnr_count(const nnr_model *model, enum nn_kind kind) { return model->n_kind[kind]; }

int nnr_metric_count(const nnr_model *model)
{
	size_t n = 0;
	for (uint32_t i = 0; i < model->nn->n_tensor; i++)
		n += model->nn->tensor[i].kind == NN_METRIC ? model->nn->tensor[i].count : 0;
	return (int)n;
}

const nn_tensor *nnr_tensor(const nnr_model *model, enum nn_kind kind, int k)
{
	for (uint32_t i = 0; i < model->nn->n_tensor; i++)
		if (model->nn->tensor[i].kind == (int32_t)kind && k-- == 0)
			return &model->nn->tensor[i];
	return NULL;
}

void nnr_init(nnr_model *model, uint64_t seed)
{
	model->nn->init(model->params, model->state, seed);
	model->averaged = false;
}

/* ---- averages ---- */

const void *inference_params(nnr_model *model)
{
	const nn_model *nn = model->nn;
	if (!nn->average)
		return model->params;
	if (!model->averaged || model->shared)
		model->code->average(model->params, model->state, model->average, model->work);
	model->averaged = true;
	return model->average;
}

void nnr_average(nnr_model *model)
{
	if (need_functions(model, CODE_AVERAGE) != NNR_OK)
		return;
	const void *average = inference_params(model);
	if (average != model->params)
		memcpy(model->params, average, model->nn->params_size);
	model->averaged = false;
}

/* ---- reals and tensors ---- */

double load_real(const nn_model *nn, const void *at, size_t i)
{
	return nn->real_size == sizeof(float) ? (double)((const float *)at)[i] : ((const double *)at)[i];
}

void store_real(const nn_model *nn, void *at, size_t i, double value)
{
	if (nn->real_size == sizeof(float))
		((float *)at)[i] = (float)value;
	else
		((double *)at)[i] = value;
}

size_t element_size(const nn_model *nn, const nn_tensor *tensor)
{
	return tensor->elem == NN_INT32 ? sizeof(int32_t) : nn->real_size;
}

const nn_tensor *find_tensor(const nnr_model *model, const char *name)
{
	for (uint32_t i = 0; i < model->nn->n_tensor; i++) {
		const nn_tensor *tensor = &model->nn->tensor[i];
		if (tensor->kind <= NN_SETTING && strcmp(tensor->name, name) == 0)
			return tensor;
	}
	return NULL;
}

void *tensor_memory(const nnr_model *model, const nn_tensor *tensor)
{
	bool in_params = tensor->kind == NN_PARAM || tensor->kind == NN_FROZEN;
	return (char *)(in_params ? model->params : model->state) + tensor->offset;
}

size_t tensor_elements(const nn_model *nn, const nn_tensor *tensor)
{
	return tensor->batched ? tensor->count * nn->batch : tensor->count;
}

void *nnr_memory(nnr_model *model, const char *name, const nn_tensor **tensor)
{
	const nn_tensor *found = find_tensor(model, name);
	model->shared = true;
	if (tensor)
		*tensor = found;
	return found ? tensor_memory(model, found) : NULL;
}

/* The tensor of a name whose element count is the caller's, or NULL, reported. */
static const nn_tensor *find_counted(const nnr_model *model, const char *name, size_t count)
{
	const nn_tensor *tensor = find_tensor(model, name);
	if (!tensor)
		host_fail(&model->host, NNR_USAGE, NULL, "model '%s' has no param, state or setting '%s'",
			  model->nn->name, name);
	else if (tensor_elements(model->nn, tensor) != count) {
		host_fail(&model->host, NNR_USAGE, NULL, "'%s' has %zu elements, not %zu", name,
			  tensor_elements(model->nn, tensor), count);
		tensor = NULL;
	}
	return tensor;
}

nnr_status nnr_get(const nnr_model *model, const char *name, double *value, size_t count)
{
	const nn_tensor *tensor = find_counted(model, name, count);
	if (!tensor)
		return NNR_USAGE;
	const void *at = tensor_memory(model, tensor);
	for (size_t i = 0; i < count; i++)
		value[i] = tensor->elem == NN_INT32 ? ((const int32_t *)at)[i] : load_real(model->nn, at, i);
	return NNR_OK;
}

nnr_status nnr_set(nnr_model *model, const char *name, const double *value, size_t count)
{
	const nn_tensor *tensor = find_counted(model, name, count);
	if (!tensor)
		return NNR_USAGE;
	void *at = tensor_memory(model, tensor);
	model->averaged = false;
	for (size_t i = 0; i < count; i++) {
		if (tensor->elem != NN_INT32)
			store_real(model->nn, at, i, value[i]);
		else if (value[i] >= INT32_MIN && value[i] <= INT32_MAX)
			((int32_t *)at)[i] = (int32_t)value[i];
		else
			return host_fail(&model->host, NNR_USAGE, NULL, "%g is no 32-bit integer, as '%s' has them",
					 value[i], name);
	}
	return NNR_OK;
}

nnr_status nnr_get_gradient(const nnr_model *model, const char *name, double *value, size_t count)
{
	const nn_tensor *tensor = find_counted(model, name, count);
	if (!tensor)
		return NNR_USAGE;
	if (tensor->kind != NN_PARAM)
		return host_fail(&model->host, NNR_USAGE, NULL, "'%s' is no trained param: it has no gradient", name);
	for (size_t i = 0; i < count; i++)
		value[i] = load_real(model->nn, (const char *)model->grads + tensor->offset, i);
	return NNR_OK;
}

/* ---- running ---- */

static nnr_status check_call(const nnr_model *model, bool exists, const char *what, int64_t n, int64_t limit)
{
	if (!exists)
		return host_fail(&model->host, NNR_USAGE, NULL, "model '%s' has no %s", model->nn->name, what);
	if (n < 1 || n > limit)
		return host_fail(&model->host, NNR_USAGE, NULL, "%lld rows given, 1 to %lld are possible", (long long)n,
				 (long long)limit);
	return NNR_OK;
}

nnr_status nnr_step(nnr_model *model, const void *const *input, const void *const *target, int n, double *loss)
{
	const nn_model *nn = model->nn;
	nnr_status status = check_call(model, nn->step, "training step: it has no loss or no train line", n, nn->batch);
	if (status == NNR_OK)
		status = need_functions(model, model->shards ? shards_functions(model->shards, n) : CODE_STEP);
	if (status != NNR_OK)
		return status;
	model->averaged = false;
	if (model->shards) {
		double mean = shards_step(model->shards, input, target, n);
		if (loss)
			*loss = mean;
		return NNR_OK;
	}
	model->code->step(model->params, model->state, input, target, model->loss, n, model->work);
	if (loss)
		*loss = load_real(nn, model->loss, 0);
	return NNR_OK;
}

nnr_status nnr_backward(nnr_model *model, const void *const *input, const void *const *target, int n, double *loss)
{
	const nn_model *nn = model->nn;
	nnr_status status = check_call(model, nn->backward, "gradient: it has no loss", n, nn->batch);
	if (status == NNR_OK)
		status = need_functions(model, CODE_BACKWARD);
	if (status != NNR_OK)
		return status;
	if (model->shards && nn->coupling && !nn->coupling[0]) {
		double mean = shards_backward(model->shards, input, target, n);
		if (loss)
			*loss = mean;
		return NNR_OK;
	}
	model->code->backward(model->params, model->state, input, target, model->grads, model->loss, n, model->work);
	if (loss)
		*loss = load_real(nn, model->loss, 0);
	return NNR_OK;
}

void point_at_rows(const nnr_model *model, enum nn_kind kind, const void *const *base, int64_t first, const void **at)
{
	for (int k = 0; k < model->n_kind[kind]; k++) {
		const nn_tensor *tensor = nnr_tensor(model, kind, k);
		size_t row = tensor->batched ? tensor->count * element_size(model->nn, tensor) : 0;
		at[k] = (const char *)base[k] + (size_t)first * row;
	}
}

nnr_status nnr_predict(nnr_model *model, const void *const *input, void *const *output, int64_t n)
{
	const nn_model *nn = model->nn;
	const void *in[MAX_TENSORS], *out[MAX_TENSORS];
	nnr_status status = check_call(model, nn->forward, "outputs", n, INT64_MAX);
	if (status != NNR_OK)
		return status;
	if (model->n_kind[NN_INPUT] > MAX_TENSORS || model->n_kind[NN_OUTPUT] > MAX_TENSORS)
		return host_fail(&model->host, NNR_USAGE, NULL, "more than %d inputs or outputs", MAX_TENSORS);
	status = need_functions(model, CODE_FORWARD | CODE_AVERAGE);
	if (status != NNR_OK)
		return status;
	const void *params = inference_params(model);
	for (int64_t first = 0; first < n; first += nn->batch) {
		int rows = n - first < nn->batch ? (int)(n - first) : (int)nn->batch;
		point_at_rows(model, NN_INPUT, input, first, in);
		point_at_rows(model, NN_OUTPUT, (const void *const *)output, first, out);
		if (rows == 1 && model->code->forward1)
			model->code->forward1(params, model->state, in, (void *const *)out, model->work1);
		else
			model->code->forward(params, model->state, in, (void *const *)out, rows, model->work);
	}
	return NNR_OK;
}
