/* open.c - the handle: a model's code and its memory.
 *
 * The code is the generated C, compiled in this process or linked in by the host; either way it is known only by its
 * descriptor (model.h). All that lasts from one call to the next lies in memory of the handle, in structs whose layout
 * the descriptor tells. So a model may begin with the code that is there at once, libtcc's, and go on with that of the
 * machine's C compiler when it is done: if both descriptors say the same, what changes is which functions are called.
 */
#include "files.h"
#include "late.h"
#include "object.h"
#include "shards.h"

#include <string.h>

enum { LINE = 64 }; /* bytes of a cache line: generated code may ask for vectors aligned to it */

static size_t round_up(size_t size) { return (size + LINE - 1) / LINE * LINE; }

/* Sizes come from a C compiler's sizeof, so they add up. */
void *allocate_pieces(const struct host *host, const struct piece *piece, int n)
{
	size_t total = LINE;
	for (int i = 0; i < n; i++)
		total += round_up(piece[i].size);
	void *block = host_alloc(host, total, 1);
	if (!block)
		return NULL;
	char *at = (char *)block + (LINE - (uintptr_t)block % LINE) % LINE;
	for (int i = 0; i < n; i++) {
		*piece[i].at = at;
		at += round_up(piece[i].size);
	}
	return block;
}

static nnr_status allocate_memory(nnr_model *model)
{
	const nn_model *nn = model->nn;
	const struct piece kept[] = {
		{&model->params, nn->params_size},
		{&model->state, nn->state_size},
		{&model->grads, nn->grads_size},
		{&model->saved_state, nn->state_size},
		{&model->average, nn->average ? nn->params_size : 0},
		{&model->totals, nn->totals_size},
		{&model->loss, ((size_t)nnr_metric_count(model) + 1) * nn->real_size},
	};
	const struct piece scratch[] = {{&model->work, nn->work_size}, {&model->work1, nn->work1_size}};
	model->block = allocate_pieces(&model->host, kept, sizeof kept / sizeof kept[0]);
	if (model->block)
		model->scratch = allocate_pieces(&model->host, scratch, sizeof scratch / sizeof scratch[0]);
	return model->scratch ? NNR_OK : NNR_MEMORY;
}

static nnr_status check_descriptor(const struct host *host, const nn_model *nn)
{
	if (nn->abi != NN_MODEL_ABI)
		return host_fail(host, NNR_USAGE, NULL, "the code of model '%s' has ABI %u, this library has %d",
				 nn->name, (unsigned)nn->abi, NN_MODEL_ABI);
	if (nn->real_size != sizeof(float) && nn->real_size != sizeof(double))
		return host_fail(host, NNR_USAGE, NULL, "only float and double models run in process");
	return NNR_OK;
}

/* Several threads, where they are asked for and the model allows it. In strict mode a single one splits too, so that
 * its results are those of any number. */
static nnr_status split_batches(nnr_model *model, const nnc_options *options)
{
	const nn_model *nn = model->nn;
	bool strict = options && options->fp == NNC_FP_STRICT;
	int threads = options ? options->threads : 0;
	bool small = model->n_kind[NN_INPUT] <= MAX_TENSORS && model->n_kind[NN_TARGET] <= MAX_TENSORS;
	if (threads < 1 || (threads == 1 && !strict) || !nn->backward)
		return NNR_OK;
	if (small && (nn->team_step || (nn->coupling && !nn->coupling[0]))) {
		model->shards = shards_start(model, threads, strict);
		return model->shards ? NNR_OK : NNR_MEMORY;
	}
	if (nn->coupling && nn->coupling[0])
		host_report(&model->host, NNC_NOTE, (struct place){.file = nn->source},
			    "trained by one thread: rows of a batch meet in '%s'", nn->coupling);
	else
		host_report(&model->host, NNC_NOTE, (struct place){.file = nn->source}, "trained by one thread");
	return NNR_OK;
}

/* A handle over a descriptor, whose code is in late or in object, or linked in. They are the handle's, if there is one.
 */
static nnr_model *make_handle(const struct host *host, const nn_model *nn, struct late *late, struct object *object,
			      const nnc_options *options, nnr_status *status)
{
	nnr_model *model = NULL;
	*status = check_descriptor(host, nn);
	if (*status == NNR_OK && !(model = host_alloc(host, 1, sizeof *model)))
		*status = NNR_MEMORY;
	if (!model)
		return NULL;
	model->host = *host;
	model->nn = nn;
	model->code = late ? &late->code : nn;
	model->late = late;
	model->object = object;
	model->awaits_object = late && object;
	model->made_by = late ? NNR_TCC : object ? NNR_CC : NNR_LINKED;
	for (uint32_t i = 0; i < nn->n_tensor; i++)
		if (nn->tensor[i].kind >= 0 && nn->tensor[i].kind <= NN_METRIC)
			model->n_kind[nn->tensor[i].kind]++;
	*status = allocate_memory(model);
	if (*status == NNR_OK) {
		host_expect(model->params, nn->params_size);
		host_expect(model->state, nn->state_size);
		nnr_init(model, nn->seed);
		*status = split_batches(model, options);
	}
	if (*status == NNR_OK)
		return model;
	model->late = NULL;
	model->object = NULL;
	nnr_close(model);
	return NULL;
}

nnr_model *nnr_attach(const nn_model *descriptor, const nnc_options *options, nnr_status *status)
{
	struct host host;
	nnr_status ignored;
	host_init(&host, options);
	return make_handle(&host, descriptor, NULL, NULL, options, status ? status : &ignored);
}

void nnr_close(nnr_model *model)
{
	if (!model)
		return;
	struct host host = model->host;
	shards_free(model->shards);
	late_free(model->late);
	object_free(&host, model->object);
	host_free(&host, model->scratch);
	host_free(&host, model->block);
	host_free(&host, model);
}

nnr_code nnr_made_by(const nnr_model *model, int32_t *since)
{
	if (since)
		*since = model->code_since;
	return model->made_by;
}

/* ---- compiling ---- */

/* What a program that trains, or else predicts, calls first. */
static unsigned first_functions(const struct late *late, const nnc_options *options)
{
	bool split = options->threads > 1 || (options->threads == 1 && options->fp == NNC_FP_STRICT);
	if (options->check_loss)
		return CODE_INIT | CODE_BACKWARD;
	if (!nnc_trains(late->compiled))
		return CODE_INIT | CODE_FORWARD;
	return CODE_INIT | (split ? CODE_TEAM_STEP : CODE_STEP); /* and without that one, the first step says what */
}

/* Begin with the C compiler. NULL after errors, with *status set. */
static struct object *compile_behind(struct late *late, const char *symbol, const nnc_options *options,
				     nnr_status *status)
{
	const char *text = nnc_emit_c(late->compiled, NULL, NULL, NULL);
	struct object *object =
		text ? object_start(&late->host, text, symbol, options->fp == NNC_FP_STRICT, options->cache) : NULL;
	*status = object ? NNR_OK : text || late->out_of_memory ? NNR_MEMORY : NNR_INVALID;
	return object;
}

nnr_model *open_compiled(struct late *late, const nnc_options *options, nnr_status *status)
{
	static const nnc_options plain = {0};
	const struct host host = late->host; /* which outlives it */
	char symbol[300];		     /* the name under which generated C has its descriptor */
	struct object *object = NULL;
	nnr_model *model = NULL;
	const nn_model *nn = NULL;
	if (!options)
		options = &plain;
	*status = NNR_OK;
	if (snprintf(symbol, sizeof symbol, "%s_model", nnc_prefix(late->compiled)) >= (int)sizeof symbol)
		*status = host_fail(&host, NNR_INVALID, NULL, "the model's name is too long");
	if (*status == NNR_OK && options->jit != NNC_JIT_TCC)
		object = compile_behind(late, symbol, options, status);
	if (*status == NNR_OK && options->jit != NNC_JIT_CC)
		*status = late_start(late, options, first_functions(late, options), &nn);
	else if (*status == NNR_OK && object_wait(object) == OBJECT_READY)
		nn = object_descriptor(object);
	else if (*status == NNR_OK)
		*status = host_fail(&host, NNR_INVALID, NULL, "%s", object_complaint(object));
	if (options->jit == NNC_JIT_CC) {
		late_free(late);
		late = NULL;
	}
	if (*status == NNR_OK)
		model = make_handle(&host, nn, late, object, options, status);
	if (model)
		return model;
	object_free(&host, object);
	late_free(late);
	return NULL;
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
	struct late *late = late_compile(&host, name, text, size, options, status);
	return late ? open_compiled(late, options, status) : NULL;
}

nnr_model *nnr_open(const char *path, const nnc_options *options, nnr_status *status)
{
	struct host host;
	struct bytes text;
	nnr_status ignored;
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

/* ---- from one code to the other ---- */

/* The same tensors at the same places: what one code has left in memory the other finds there. */
static bool same_layout(const nn_model *a, const nn_model *b)
{
	if (a->abi != b->abi || a->real_size != b->real_size || a->batch != b->batch || a->n_tensor != b->n_tensor ||
	    a->params_size != b->params_size || a->grads_size != b->grads_size || a->state_size != b->state_size ||
	    a->totals_size != b->totals_size || a->fingerprint != b->fingerprint)
		return false;
	for (uint32_t i = 0; i < a->n_tensor; i++) {
		const nn_tensor *x = &a->tensor[i], *y = &b->tensor[i];
		if (strcmp(x->name, y->name) != 0 || x->kind != y->kind || x->elem != y->elem || x->count != y->count ||
		    x->offset != y->offset || x->batched != y->batched)
			return false;
	}
	return true;
}

/* Scratch may differ, as nothing in it outlives a call. */
static bool fit_scratch(nnr_model *model, const nn_model *nn)
{
	const struct piece scratch[] = {{&model->work, nn->work_size}, {&model->work1, nn->work1_size}};
	if (model->shards && (nn->work_size > model->nn->work_size || nn->own_size > model->nn->own_size) &&
	    !shards_fit(model->shards, nn))
		return false;
	if (nn->work_size <= model->nn->work_size && nn->work1_size <= model->nn->work1_size)
		return true;
	void *before = model->scratch, *block = allocate_pieces(&model->host, scratch, 2);
	if (!block)
		return false;
	model->scratch = block;
	host_free(&model->host, before);
	return true;
}

static void take_new_code(nnr_model *model)
{
	if (!model->awaits_object || object_state(model->object) == OBJECT_MAKING)
		return;
	model->awaits_object = false;
	if (object_state(model->object) == OBJECT_ABSENT)
		return;
	const nn_model *nn = object_descriptor(model->object);
	if (object_state(model->object) == OBJECT_FAILED)
		host_report(&model->host, NNC_WARNING, (struct place){0}, "%s; goes on without",
			    object_complaint(model->object));
	else if (!same_layout(model->nn, nn))
		host_report(&model->host, NNC_WARNING, (struct place){0},
			    "internal error: the C compiler lays out '%s' in another way; goes on without", nn->name);
	else if (fit_scratch(model, nn)) {
		model->code = nn;
		model->made_by = NNR_CC;
		model->code_since = nnr_run(model)->step;
	}
}

nnr_status need_functions(nnr_model *model, unsigned functions)
{
	take_new_code(model);
	return model->made_by == NNR_TCC ? late_need(model->late, functions) : NNR_OK;
}
