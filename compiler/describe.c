/* describe.c - the model as data, nn_model of runtime/model.h: names, shapes, offsets and sizes, without its functions.
 *
 * Generated C has it as a constant (emit_descriptor.c); a host in this process takes it as it is, which saves a
 * compiler the text. Offsets and sizes are those that sizeof and offsetof give the structs there (emit_sizes.c). */
#include "describe.h"

#include <math.h>
#include <string.h>

/* ---- the fingerprint: names, shapes and the equations of inference ---- */

struct hash {
	uint64_t value; /* FNV-1a */
};

static void hash_text(struct hash *hash, const char *text)
{
	for (; *text; text++)
		hash->value = (hash->value ^ (unsigned char)*text) * 1099511628211u;
	hash->value = (hash->value ^ '\n') * 1099511628211u;
}

static void hash_tensor(struct emitter *e, struct hash *hash, const struct tensor *t, enum nn_kind kind)
{
	hash_text(hash, arena_printf(e->arena, "%d %s%s %lld", (int)kind, t->name, shape_text(e, t, false),
				     (long long)t->classes));
}

struct hashing {
	struct emitter *e;
	struct hash *hash;
};

static void hash_equation(void *user, struct equation *eq)
{
	struct hashing *h = user;
	struct text text = {.arena = h->e->arena};

	print_equation(h->e->g, eq, &text);
	hash_text(h->hash, text.at);
}

/* What weights belong to: not the batch, nor how they are trained. */
static uint64_t fingerprint(struct emitter *e)
{
	struct hash hash = {14695981039346656037u};
	const struct program *p = e->p;

	for (int i = 0; i < p->params.n; i++)
		hash_tensor(e, &hash, p->params.item[i], p->params.item[i]->role == ROLE_FROZEN ? NN_FROZEN : NN_PARAM);
	for (int i = 0; i < p->states.n; i++)
		if (!p->states.item[i]->rule)
			hash_tensor(e, &hash, p->states.item[i], NN_STATE);
	for (int i = 0; i < p->inputs.n; i++)
		hash_tensor(e, &hash, p->inputs.item[i], NN_INPUT);
	visit_equations(e->g->part[PART_INFERENCE].item, e->g->part[PART_INFERENCE].n, hash_equation,
			&(struct hashing){e, &hash});
	return hash.value;
}

/* ---- tensors ---- */

static void add_tensor(struct description *d, const struct tensor *t, const char *name, enum nn_kind kind,
		       size_t offset)
{
	bool batched = t->rank && t->axis[0].rows;
	nn_tensor made = {.name = name,
			  .kind = kind,
			  .elem = t->elem == ELEM_REAL ? NN_REAL : NN_INT32,
			  .batched = batched,
			  .rank = t->rank - batched,
			  .count = (size_t)tensor_sample_size(t),
			  .offset = offset,
			  .step_axis = -1};

	if (t->elem != ELEM_REAL)
		made.classes = t->elem == ELEM_BOOL ? 2 : (int32_t)t->classes;
	for (int a = batched, n = 0; a < t->rank && n < 8; a++, n++)
		made.dim[n] = (int32_t)t->axis[a].extent;
	list_add(d->arena, &d->tensors, made);
}

static void add_state_tensors(struct description *d, const struct program *p, int64_t real)
{
	struct state_places at = locate_state(p, real, d->arena);

	for (int i = 0; i < p->states.n; i++)
		add_tensor(d, p->states.item[i], p->states.item[i]->name, NN_STATE, (size_t)at.state[i]);
	for (int r = 0; r < p->rules.n; r++) {
		int64_t offset = at.rule[r];

		for (int i = 0; i < p->rules.item[r].states.n; i++) {
			const struct tensor *t = p->rules.item[r].states.item[i];

			add_tensor(d, t, t->name, NN_STATE, (size_t)offset);
			offset += tensor_size(t) * real;
		}
	}
	for (int i = 0; i < p->settings.n; i++)
		add_tensor(d, p->settings.item[i], p->settings.item[i]->name, NN_SETTING, (size_t)at.setting[i]);
}

static void add_tensors(struct description *d, const struct program *p, int64_t real)
{
	const struct graph *g = p->g;

	for (int i = 0; i < p->params.n; i++) {
		struct tensor *t = p->params.item[i];

		add_tensor(d, t, t->name, t->role == ROLE_FROZEN ? NN_FROZEN : NN_PARAM,
			   (size_t)(layout_of(t)->storage[CALL_INIT].offset * real));
	}
	add_state_tensors(d, p, real);
	for (int i = 0; i < p->inputs.n; i++) {
		add_tensor(d, p->inputs.item[i], p->inputs.item[i]->name, NN_INPUT, (size_t)i);
		if (p->stream->present)
			d->tensors.item[d->tensors.n - 1].step_axis = p->stream->input_axis[i];
	}
	for (int i = 0; i < p->targets.n; i++)
		add_tensor(d, p->targets.item[i], p->targets.item[i]->name, NN_TARGET, (size_t)i);
	for (int i = 0; i < g->outputs.n; i++) {
		add_tensor(d, g->outputs.item[i].value, g->outputs.item[i].name, NN_OUTPUT, (size_t)i);
		if (p->stream->present)
			d->tensors.item[d->tensors.n - 1].step_axis = p->stream->output_axis[i];
	}
	for (int i = 0, at = 0; i < g->metrics.n; i++) {
		add_tensor(d, g->metrics.item[i].value, g->metrics.item[i].name, NN_METRIC, (size_t)at);
		at += (int)tensor_size(g->metrics.item[i].value);
	}
}

void describe_model(struct emitter *e, struct description *d)
{
	const struct program *p = e->p;
	const struct training *t = &e->g->training;
	uint32_t real = (uint32_t)real_size(p->g);
	struct struct_sizes size;

	*d = (struct description){.arena = e->arena};
	measure_program(p, &size);
	add_tensors(d, p, real);
	d->model = (nn_model){.abi = NN_MODEL_ABI,
			      .real_size = real,
			      .batch = (uint32_t)e->g->batch,
			      .n_tensor = (uint32_t)d->tensors.n,
			      .tensor = d->tensors.item,
			      .params_size = (size_t)size.params,
			      .grads_size = (size_t)size.grads,
			      .state_size = (size_t)size.state,
			      .work_size = (size_t)size.work,
			      .work1_size = (size_t)size.work1,
			      .totals_size = (size_t)size.totals,
			      .stream_size = (size_t)size.stream,
			      .own_size = (size_t)p->own * real,
			      .name = e->g->name,
			      .source = e->g->src ? source_text(e->g->src) : "",
			      .fingerprint = fingerprint(e),
			      .epochs = (int32_t)t->epochs,
			      .steps = (int32_t)t->steps,
			      .seed = t->seed,
			      .ordered = t->ordered,
			      .moves = p->call[CALL_FORWARD].present && p->call[CALL_FORWARD].writes_state,
			      .coupling = size.grads ? find_row_coupling(e->g) : NULL,
			      .row_cost = floor(training_cost(e->g) / (double)e->g->batch)};
}
