/* emit_calls.c - the public functions: pointers into the caller's memory, then one call after the other. */
#include "emit_calls.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* ---- invocations ---- */

static struct invocation make_invocation(struct public_call *c, struct group *group)
{
	struct invocation call = {.group = group};
	const struct equation *eq = group->stages.item[0]->eq;

	call.function = find_function(c->e, group, c->call, c->strip != NULL, &call.args, &call.n_args);
	collect_sites(c->e, group, &call.sites);
	call.steps = group->steps;
	if (group->flat) {
		call.rows = eq->nfree && eq->index[0].rows && !is_one_row(c->call) && has_run_time_rows(group);
		call.count = 1;
		for (int s = 0; s < eq->nfree; s++)
			call.count *= eq->index[s].rows && has_run_time_rows(group) ? 1 : eq->index[s].extent;
	}
	if (is_step_call(c->call))
		call.sweep = group->sweep;
	if (c->call == CALL_TEAM_STEP) {
		call.cut = group->cut;
		call.phase = group->phase;
		call.thread = group->cut == CUT_NOTHING ? group->thread : -1;
	}
	call.strip = c->strip;
	return call;
}

static void add_invocation(struct public_call *c, int at)
{
	struct group *group = c->plan->groups.item[at];
	struct invocation call;

	c->strip = strip_at(c->plan, at);
	call = make_invocation(c, group);

	if (c->call == CALL_STEP && call.sweep && (call.sweep->make == group || call.sweep->added == group) &&
	    call.sweep->alone) {
		struct invocation *alone = arena_alloc(c->e->arena, sizeof *alone);

		*alone = make_invocation(c, call.sweep->alone);
		call.alone = alone;
	}
	list_add(c->e->arena, &c->invocations, call);
}

/* Two calls of a flat function whose arrays lie one behind the other are one call. */
static bool continues(const struct invocation *a, const struct invocation *b)
{
	if (a->function != b->function || !a->function->takes_count || a->rows || b->rows || a->sites.n || a->sweep ||
	    b->sweep || a->strip != b->strip || a->cut != b->cut || a->phase != b->phase || a->thread != b->thread)
		return false;
	for (int i = 0; i < a->n_args; i++) {
		struct storage next = a->args[i].storage;

		if (a->args[i].by_element) {
			if (next.memory == MEM_STATE || next.memory == MEM_STREAM || next.memory == MEM_LOCAL ||
			    next.memory == MEM_DATA || next.memory == MEM_TOTAL)
				return false;
			next.offset += a->count;
		}
		if (!same_storage(&next, &b->args[i].storage))
			return false;
	}
	return true;
}

static void merge_invocations(struct public_call *c)
{
	int kept = 0;

	for (int i = 0; i < c->invocations.n; i++) {
		if (kept && continues(&c->invocations.item[kept - 1], &c->invocations.item[i]))
			c->invocations.item[kept - 1].count += c->invocations.item[i].count;
		else
			c->invocations.item[kept++] = c->invocations.item[i];
	}
	c->invocations.n = kept;
}

/* Elements that a flat function is to go through. */
static const char *count_text(struct public_call *c, const struct invocation *call)
{
	struct arena *arena = c->e->arena;
	bool samples = call->strip || call->cut == CUT_SAMPLES;
	const char *rows = call->place ? call->place->rows : "n";

	if (call->place && !samples)
		return call->row == 1 ? rows
				      : arena_printf(arena, strchr(rows, ' ') ? "(%s) * %lld" : "%s * %lld", rows,
						     (long long)call->row);
	if (!samples && !call->rows)
		return arena_printf(arena, "%lld", (long long)call->count);
	return call->count == 1 ? rows : arena_printf(arena, "%s * %lld", rows, (long long)call->count);
}

/* Where what an argument is given begins. */
static const char *start_of(struct public_call *c, const struct invocation *call, const struct arg *arg)
{
	if (call->strip)
		return strip_start(c, call, arg);
	if (call->place)
		return c->call == CALL_TEAM_STEP ? share_start(c, call, arg) : block_start(c, call, arg);
	return find_pointer(c, arg->root)->name;
}

void write_invocation(struct public_call *c, const struct invocation *call)
{
	struct text out = {.arena = c->e->arena};
	const struct function *f = call->function;
	bool samples = call->strip || (call->place && call->cut == CUT_SAMPLES);

	if (f->takes_count)
		add_parameter(&out, count_text(c, call));
	if (f->takes_n)
		add_parameter(&out, is_one_row(c->call) ? "1" : samples ? call->place->rows : "n");
	if (f->takes_batch)
		add_parameter(&out, is_one_row(c->call) ? "1" : "n");
	for (int d = 0; call->steps && d <= call->steps->scan->depth; d++)
		if (f->takes_step[d])
			add_parameter(&out, c->step_name[d]);
	if (f->takes_rows)
		add_parameter(&out,
			      call->place ? call->place->rows
					  : arena_printf(c->e->arena, "%lld",
							 (long long)call->group->stages.item[0]->eq->index[0].extent));
	if (f->takes_data)
		add_parameter(&out, call->strip ? "ndata" : "totals->rows");
	if (f->takes_run)
		add_parameter(&out, call->strip				      ? "run"
				    : call->place && call->cut == CUT_SAMPLES ? "&run"
									      : "&state->run");
	for (int i = 0; i < call->sites.n; i++)
		add_parameter(&out, arena_printf(c->e->arena, "0x%016" PRIx64 "u /* %s */",
						 hash_site(call->sites.item[i]), call->sites.item[i]));
	for (int i = 0; i < call->n_args; i++)
		add_parameter(&out, at_offset(c, start_of(c, call, &call->args[i]), call->args[i].shift));
	write_line(c->e, "%s(%s);", f->name, out.n ? out.at : "");
}

/* ---- scans ---- */

static bool is_around(const struct step_loop *loop, const struct step_loop *inner)
{
	while (inner && inner != loop)
		inner = inner->outer;
	return inner == loop;
}

static void write_invocations(struct public_call *c, int from, int to, const struct step_loop *around);

/* The steps of a loop that the invocations [from, to) stand in: as a loop, or one after the other. */
static void write_steps(struct public_call *c, int from, int to, const struct step_loop *loop)
{
	const struct scan *scan = loop->scan;
	int names = c->scope.names.n;
	const char *t;

	if (c->e->g->ctx->options->unroll == NNC_UNROLL_ALL) {
		for (int64_t k = 0; k < scan->trips; k++) {
			int64_t step = scan->reverse ? scan->trips - 1 - k : k;

			c->step_name[scan->depth] = arena_printf(c->e->arena, "%lld", (long long)step);
			write_invocations(c, from, to, loop);
		}
		return;
	}
	c->step_name[scan->depth] = t = new_name(c->e, &c->scope, scan->index);
	if (scan->reverse)
		open_block(c->e, "for (int %s = %lld; %s >= 0; %s--) {", t, (long long)scan->trips - 1, t, t);
	else
		open_block(c->e, "for (int %s = 0; %s < %lld; %s++) {", t, t, (long long)scan->trips, t);
	write_invocations(c, from, to, loop);
	close_block(c->e, "}");
	release_names(&c->scope, names);
}

/* The invocations [from, to), which are in the loop `around` (NULL: none) and perhaps in further ones. */
static void write_invocations(struct public_call *c, int from, int to, const struct step_loop *around)
{
	while (from < to) {
		const struct step_loop *loop = c->invocations.item[from].steps;
		int end = from;

		if (c->invocations.item[from].strip) {
			from += write_strip(c, &c->invocations.item[from]);
			continue;
		}
		if (c->invocations.item[from].sweep) {
			from += write_sweep(c, &c->invocations.item[from]);
			continue;
		}
		if (loop == around) {
			write_invocation(c, &c->invocations.item[from++]);
			continue;
		}
		while (loop->outer != around)
			loop = loop->outer;
		while (end < to && is_around(loop, c->invocations.item[end].steps))
			end++;
		write_steps(c, from, end, loop);
		from = end;
	}
}

/* ---- before and after ---- */

/* The elements of a tensor as C: with the rows of this call. */
static const char *bytes_text(struct public_call *c, const struct tensor *t)
{
	bool whole = c->call == CALL_UPDATE || (t->role == ROLE_NEXT && (t->of->role == ROLE_PARAM || t->of->owner));
	bool batched = t->rank && t->axis[0].rows && !whole, rows = batched && !is_one_row(c->call);
	int64_t size = batched ? tensor_sample_size(t) : tensor_size(t);

	return arena_printf(c->e->arena, rows ? "(size_t)n * %lld * sizeof(%s)" : "%lld * sizeof(%s)", (long long)size,
			    elem_type(c->e, t->elem));
}

/* The gradient of a param, looked for from *next on: mostly they stand in the same order. NULL: there is none. */
static struct tensor *find_grad(const struct graph *g, const struct tensor *param, int *next)
{
	for (int k = 0; k < g->grads.n; k++) {
		int at = (*next + k) % g->grads.n;

		if (g->grads.item[at]->of == param) {
			*next = at + 1;
			return g->grads.item[at];
		}
	}
	return NULL;
}

/* Gradients that no equation gives are 0. */
static void clear_missing_grads(struct public_call *c)
{
	struct program *p = c->e->p;
	int next = 0;

	for (int i = 0; i < p->params.n; i++) {
		struct tensor *param = p->params.item[i], *grad;
		struct pointer at = {.storage = {.memory = MEM_GRADS}, .root = param};

		if (param->role != ROLE_PARAM)
			continue;
		grad = find_grad(c->e->g, param, &next);
		if (grad && layout_of(grad)->group)
			continue;
		if (!grad && is_step_call(c->call))
			continue;
		at.storage.offset = layout_of(param)->storage[c->call].offset;
		if (grad)
			at.storage = layout_of(grad)->storage[c->call];
		c->e->uses_memset = true;
		write_line(c->e, "memset(%s, 0, %s); /* %s has no part in the loss */", storage_text(c, &at),
			   bytes_text(c, param), param->name);
	}
}

static void start_init(struct public_call *c)
{
	struct program *p = c->e->p;

	bool computed = c->e->computed, kept = computed && has_kept(p);

	c->e->uses_memset |= !computed || !kept || !p->n_param;
	if (computed && p->n_param)
		write_line(c->e, "*params = %s_weights;", c->e->prefix);
	else
		write_line(c->e, "memset(params, 0, sizeof *params);");
	if (kept)
		write_line(c->e, "*state = %s_kept;", c->e->prefix);
	else
		write_line(c->e, "memset(state, 0, sizeof *state);");
	write_line(c->e, "state->run.seed = seed;");
	if (kept)
		return;
	for (int i = 0; i < p->settings.n; i++)
		write_line(c->e, "state->%s = %s;", layout_of(p->settings.item[i])->c_name,
			   real_literal(c->e, p->settings.item[i]->setting));
}

static void write_copy(struct public_call *c, const char *to, struct tensor *from)
{
	c->e->uses_memcpy = true;
	write_line(c->e, "memcpy(%s, %s, %s);", to, find_pointer(c, root_of(from))->name, bytes_text(c, from));
}

static struct tensor *loss_of(const struct public_call *c)
{
	return c->call == CALL_LOSS ? c->e->g->inference_loss : c->e->g->loss;
}

static void finish(struct public_call *c)
{
	for (int i = 0; i < c->plan->copies.n; i++) {
		const struct result *r = &c->plan->copies.item[i];

		write_copy(c,
			   c->call == CALL_METRICS_FINISH ? at_offset(c, "metrics", r->index)
							  : c->sig.outputs.item[r->index],
			   r->value);
	}
	if (c->call == CALL_METRICS || c->call == CALL_METRICS2)
		finish_totals(c);
	for (int i = 0; i < c->plan->next.n; i++) {
		const struct tensor *t = c->plan->next.item[i];

		write_copy(c, find_pointer(c, t->of)->name, c->plan->next.item[i]);
	}
	if (c->call == CALL_UPDATE || is_step_call(c->call))
		write_line(c->e, "state->run.step++;");
}

/* Everything that is read or written gets a pointer. */
static void collect_pointers(struct public_call *c)
{
	for (int i = 0; i < c->e->p->totals.n; i++) {
		const struct total *total = &c->e->p->totals.item[i];

		if (is_of_call(c, total))
			need_pointer(c, total->part, true);
		if (is_copied(c, total->tensor))
			need_pointer(c, total->tensor, true);
	}
	for (int i = 0; i < c->invocations.n; i++) {
		const struct invocation *call = &c->invocations.item[i];

		for (int k = 0; k < call->n_args; k++)
			need_pointer(c, call->args[k].root, call->args[k].written);
		for (int k = 0; call->alone && k < call->alone->n_args; k++)
			need_pointer(c, call->alone->args[k].root, call->alone->args[k].written);
	}
	for (int i = 0; i < c->plan->copies.n; i++) {
		struct tensor *root = root_of(c->plan->copies.item[i].value);

		need_pointer(c, root, false);
	}
	for (int i = 0; i < c->plan->next.n; i++) {
		struct tensor *t = c->plan->next.item[i];

		need_pointer(c, t, false);
		need_pointer(c, t->of, true);
	}
	if (strcmp(c->sig.result, "void") != 0) {
		struct tensor *root = root_of(loss_of(c));

		need_pointer(c, root, false);
	}
}

/* ---- parameters that a function does not use ---- */

/* The last word of every parameter that the body does not mention. */
static void write_unused(struct emitter *e, const char *parameters, const char *body)
{
	const char *end = parameters;

	while (*end) {
		const char *start, *name;

		end += strcspn(end, ",");
		for (start = end; start > parameters && (isalnum((unsigned char)start[-1]) || start[-1] == '_');
		     start--)
			;
		name = arena_copy(e->arena, start, (size_t)(end - start));
		if (!mentions(body, name))
			write_line(e, "(void)%s;", name);
		end += *end == ',';
	}
}

static void write_body(struct public_call *c)
{
	for (int i = 0; i < c->pointers.n; i++)
		declare_pointer(c, &c->pointers.item[i]);
	if (c->pointers.n)
		write_blank(c->e);
	if (c->call == CALL_INIT)
		start_init(c);
	if (c->call == CALL_AVERAGE)
		write_line(c->e, "*average = *params;");
	if (c->call == CALL_BACKWARD || c->call == CALL_STEP)
		clear_missing_grads(c);
	convert_totals(c);
	if (c->call == CALL_TEAM_STEP)
		write_shares(c);
	else
		write_invocations(c, 0, c->invocations.n, NULL);
	if (c->call == CALL_TEAM_STEP)
		open_finish(c);
	finish(c);
	if (c->call == CALL_TEAM_STEP)
		close_block(c->e, "}");
	if (strcmp(c->sig.result, "void") != 0)
		write_line(c->e, "return %s[0];", find_pointer(c, root_of(loss_of(c)))->name);
}

static void write_call(struct emitter *e, enum call call)
{
	struct public_call c = {.e = e, .call = call, .plan = &e->p->call[call]};
	struct text body = {.arena = e->arena}, *out = e->out;

	c.sig = make_signature(e, call, &c.scope);
	for (int i = 0; i < c.plan->groups.n; i++)
		add_invocation(&c, i);
	merge_invocations(&c);
	collect_pointers(&c);
	e->out = &body;
	e->depth = 1;
	write_body(&c);
	e->out = out;
	e->depth = 0;
	write_blank(e);
	write_line(e, "%s %s_%s(%s)", c.sig.result, e->prefix, call_name(call), c.sig.parameters);
	open_block(e, "{");
	write_unused(e, c.sig.parameters, body.n ? body.at : "");
	text_add(e->out, body.n ? body.at : "");
	close_block(e, "}");
}

void write_public(struct emitter *e)
{
	for (enum call call = 0; call < CALL_COUNT; call++)
		if (writes_call(e, call))
			write_call(e, call);
}
