/* run.c - the handle: a model's code, its memory, and the calls that run it.
 *
 * The code is the generated C, compiled in this process or linked in by the host; either way it is known only by its
 * descriptor (model.h). The handle owns one block for params, state, gradients and scratch. */
#include "files.h"

#include <string.h>

enum { LINE = 64 }; /* bytes of a cache line: generated code may ask for vectors aligned to it */

static size_t round_up(size_t size) { return (size + LINE - 1) / LINE * LINE; }

/* Cut the pieces of one block, in the order of *piece; sizes come from a C compiler's sizeof, so they add up. */
static nnr_status allocate_memory(nnr_model *model)
{
	const nn_model *nn = model->nn;
	const struct {
		void **piece;
		size_t size;
	} part[] = {
		{&model->params, nn->params_size},
		{&model->state, nn->state_size},
		{&model->grads, nn->grads_size},
		{&model->work, nn->work_size},
		{&model->work1, nn->work1_size},
		{&model->saved_state, nn->state_size},
		{&model->totals, nn->totals_size},
		{&model->loss, ((size_t)nnr_metric_count(model) + 1) * nn->real_size},
	};
	enum { PARTS = sizeof part / sizeof part[0] };
	size_t total = LINE;
	for (int i = 0; i < PARTS; i++)
		total += round_up(part[i].size);
	model->block = host_alloc(&model->host, total, 1);
	if (!model->block)
		return NNR_MEMORY;
	char *at = (char *)model->block + (LINE - (uintptr_t)model->block % LINE) % LINE;
	for (int i = 0; i < PARTS; i++) {
		*part[i].piece = at;
		at += round_up(part[i].size);
	}
	return NNR_OK;
}

/* A handle over a descriptor, which is in jit (owned from here on) or linked in (jit NULL). */
static nnr_model *make_handle(const struct host *host, const nn_model *nn, struct jit *jit, nnr_status *status)
{
	nnr_model *model = NULL;
	*status = NNR_OK;
	if (nn->abi != NN_MODEL_ABI)
		*status = host_fail(host, NNR_USAGE, NULL, "the code of model '%s' has ABI %u, this library has %d",
				    nn->name, (unsigned)nn->abi, NN_MODEL_ABI);
	else if (nn->real_size != sizeof(float) && nn->real_size != sizeof(double))
		*status = host_fail(host, NNR_USAGE, NULL, "only float and double models run in process");
	else if (!(model = host_alloc(host, 1, sizeof *model)))
		*status = NNR_MEMORY;
	if (!model) {
		jit_free(jit);
		return NULL;
	}
	model->host = *host;
	model->nn = nn;
	model->jit = jit;
	for (uint32_t i = 0; i < nn->n_tensor; i++)
		if (nn->tensor[i].kind >= 0 && nn->tensor[i].kind <= NN_METRIC)
			model->n_kind[nn->tensor[i].kind]++;
	*status = allocate_memory(model);
	if (*status != NNR_OK) {
		nnr_close(model);
		return NULL;
	}
	nnr_init(model, nn->seed);
	return model;
}

nnr_model *nnr_attach(const nn_model *descriptor, const nnc_options *options, nnr_status *status)
{
	struct host host;
	nnr_status ignored;
	host_init(&host, options);
	return make_handle(&host, descriptor, NULL, status ? status : &ignored);
}

static void report_jit(void *user, const char *message)
{
	host_fail(user, NNR_INVALID, NULL, "internal error: the generated C does not compile: %s", message);
}

nnr_model *open_compiled(const struct host *host, nnc_model *compiled, nnr_status *status)
{
	char symbol[300];
	const char *text = nnc_emit_in_process(compiled);
	*status = NNR_INVALID;
	if (!text)
		return NULL;
	struct host listener = *host; /* libtcc hands it back without const */
	struct jit *jit = jit_compile(text, report_jit, &listener);
	if (!jit)
		return NULL;
	/* the name under which generated C has its descriptor */
	int n = snprintf(symbol, sizeof symbol, "%s_model", nnc_prefix(compiled));
	const nn_model *nn = n < (int)sizeof symbol ? jit_symbol(jit, symbol) : NULL;
	if (!nn) {
		host_fail(host, NNR_INVALID, NULL, "internal error: the generated C has no '%s'", symbol);
		jit_free(jit);
		return NULL;
	}
	return make_handle(host, nn, jit, status);
}

nnr_model *nnr_open_text(const char *name, const char *text, size_t size, const nnc_options *options,
			 nnr_status *status)
{
	struct host host;
	nnr_status ignored;
	if (!status)
		status = &ignored;
	host_init(&host, options);
	if (options && options->real == NNC_QUAD) {
		*status = host_fail(&host, NNR_USAGE, NULL, "only float and double models run in process");
		return NULL;
	}
	*status = NNR_INVALID;
	nnc_model *compiled = nnc_compile(name, text, size, options);
	if (!compiled)
		return NULL;
	nnr_model *model = open_compiled(&host, compiled, status);
	nnc_free(compiled);
	return model;
}

nnr_model *nnr_open(const char *path, const nnc_options *options, nnr_status *status)
{
	struct host host;
	nnr_status ignored;
	struct bytes text;
	if (!status)
		status = &ignored;
	host_init(&host, options);
	*status = read_file(&host, path, false, &text);
	if (*status != NNR_OK)
		return NULL;
	nnr_model *model = nnr_open_text(path, text.at, text.size, options, status);
	host_free(&host, text.at);
	return model;
}

void nnr_close(nnr_model *model)
{
	if (!model)
		return;
	struct host host = model->host;
	jit_free(model->jit);
	host_free(&host, model->block);
	host_free(&host, model);
}

const nn_model *nnr_descriptor(const nnr_model *model) { return model->nn; }
nn_run *nnr_run(nnr_model *model) { return model->state; }
void *nnr_params(nnr_model *model) { return model->params; }
void *nnr_state(nnr_model *model) { return model->state; }
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
	/* the struct may have fields that init leaves alone, as padding between tensors */
	memset(model->params, 0, model->nn->params_size);
	memset(model->state, 0, model->nn->state_size);
	model->nn->init(model->params, model->state, seed);
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
	if (status != NNR_OK)
		return status;
	nn->step(model->params, model->state, input, target, model->loss, n, model->work);
	if (loss)
		*loss = load_real(nn, model->loss, 0);
	return NNR_OK;
}

nnr_status nnr_backward(nnr_model *model, const void *const *input, const void *const *target, int n, double *loss)
{
	const nn_model *nn = model->nn;
	nnr_status status = check_call(model, nn->backward, "gradient: it has no loss", n, nn->batch);
	if (status != NNR_OK)
		return status;
	nn->backward(model->params, model->state, input, target, model->grads, model->loss, n, model->work);
	if (loss)
		*loss = load_real(nn, model->loss, 0);
	return NNR_OK;
}

enum { MAX_TENSORS = 256 }; /* inputs, or outputs, of one model */

/* Pointers to the rows that start at `first`, of all tensors of a kind. */
static void point_at_rows(const nnr_model *model, enum nn_kind kind, const void *const *base, int64_t first,
			  const void **at)
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
	for (int64_t first = 0; first < n; first += nn->batch) {
		int rows = n - first < nn->batch ? (int)(n - first) : (int)nn->batch;
		point_at_rows(model, NN_INPUT, input, first, in);
		point_at_rows(model, NN_OUTPUT, (const void *const *)output, first, out);
		if (rows == 1 && nn->forward1)
			nn->forward1(model->params, model->state, in, (void *const *)out, model->work1);
		else
			nn->forward(model->params, model->state, in, (void *const *)out, rows, model->work);
	}
	return NNR_OK;
}
