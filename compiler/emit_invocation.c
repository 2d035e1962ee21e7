/* emit_invocation.c - the calls that a public function makes: of which functions, with what, in the loops of which
 * scans. */
#include "emit_calls.h"

#include <inttypes.h>
#include <string.h>

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

void collect_invocations(struct public_call *c)
{
	for (int i = 0; i < c->plan->groups.n; i++)
		add_invocation(c, i);
	merge_invocations(c);
}

/* ---- one of them as C ---- */

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

/* ---- all of them, in the loops of their scans ---- */

static bool is_around(const struct step_loop *loop, const struct step_loop *inner)
{
	while (inner && inner != loop)
		inner = inner->outer;
	return inner == loop;
}

static void write_range(struct public_call *c, int from, int to, const struct step_loop *around);

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
			write_range(c, from, to, loop);
		}
		return;
	}
	c->step_name[scan->depth] = t = new_name(c->e, &c->scope, scan->index);
	if (scan->reverse)
		open_block(c->e, "for (int %s = %lld; %s >= 0; %s--) {", t, (long long)scan->trips - 1, t, t);
	else
		open_block(c->e, "for (int %s = 0; %s < %lld; %s++) {", t, t, (long long)scan->trips, t);
	write_range(c, from, to, loop);
	close_block(c->e, "}");
	release_names(&c->scope, names);
}

/* The invocations [from, to), which are in the loop `around` (NULL: none) and perhaps in further ones. */
static void write_range(struct public_call *c, int from, int to, const struct step_loop *around)
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

void write_invocations(struct public_call *c) { write_range(c, 0, c->invocations.n, NULL); }
