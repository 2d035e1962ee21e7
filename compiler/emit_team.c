/* emit_team.c - the public function of a step that threads share: what this thread does of each call, and where it
 * waits for the others. schedule_team.c says along what a call is cut.
 *
 * Threads meet before a call that touches memory which another thread has written since they met last, or writes what
 * another may still read. Two calls on the samples of a thread touch nothing of another one's, where rows are as long
 * and lie in the same place; neither do two calls that the same thread does alone. The plan has put calls into phases
 * for which that is so; here it is seen in the memory as well. */
#include "emit_calls.h"

#include <string.h>

/* Memory that the threads have touched since they met. */
struct touched {
	struct storage storage;
	const struct tensor *root;
	int64_t size, row; /* row: of the samples, of which each thread has its own; 0: any thread any element */
	int thread;	   /* that alone has touched it, or -1 */
	bool written;
};
struct sharing {
	struct public_call *c;
	LIST(struct touched) touched;
	struct block_place samples;
	int phase; /* of the plan */
	int open;  /* the thread that a block is open for, or -1 */
};

/* ---- when to meet ---- */

static bool may_clash(const struct touched *a, const struct touched *b)
{
	if ((!a->written && !b->written) || a->storage.memory != b->storage.memory ||
	    (a->thread >= 0 && a->thread == b->thread))
		return false;
	if (a->storage.memory == MEM_STATE)
		return a->root == b->root;
	if (a->storage.memory == MEM_RULE && strcmp(a->storage.rule, b->storage.rule) != 0)
		return false;
	if (a->row && a->row == b->row && a->storage.offset == b->storage.offset)
		return false;
	return a->storage.offset < b->storage.offset + b->size && b->storage.offset < a->storage.offset + a->size;
}

static struct touched touch(const struct sharing *w, const struct invocation *call, const struct arg *arg)
{
	const struct tensor *root = arg->root;
	const struct tensor *owner = root->role == ROLE_NEXT ? root->of : root;

	return (struct touched){
		.storage = layout_of(root)->storage[w->c->call],
		.root = owner,
		.size = memory_size(root),
		.row = call->cut == CUT_SAMPLES && root->rank && root->axis[0].rows ? memory_sample_size(root) : 0,
		.thread = call->thread,
		.written = arg->written};
}

static void close_alone(struct sharing *w)
{
	if (w->open >= 0)
		close_block(w->c->e, "}");
	w->open = -1;
}

static void meet(struct sharing *w)
{
	close_alone(w);
	write_line(w->c->e, "team->meet(team);");
	w->touched.n = 0;
}

/* Meet if n calls, which follow each other without, need it. */
static void meet_before(struct sharing *w, const struct invocation *call, int n)
{
	bool clash = call->phase > w->phase;

	for (int i = 0; i < n; i++)
		for (int k = 0; k < call[i].n_args; k++) {
			struct touched now = touch(w, &call[i], &call[i].args[k]);

			for (int t = 0; t < w->touched.n; t++)
				clash |= now.storage.memory != MEM_OWN && may_clash(&w->touched.item[t], &now);
		}
	w->phase = call->phase;
	if (clash)
		meet(w);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < call[i].n_args; k++)
			list_add(w->c->e->arena, &w->touched, touch(w, &call[i], &call[i].args[k]));
}

/* ---- shares ---- */

static const char *bound(struct emitter *e, int next, const char *n, const char *unit)
{
	return arena_printf(e->arena, "%s(team, %d, %s, %s)", help(e, HELP_SHARE), next, n, unit);
}

static void write_alone(struct sharing *w, const struct invocation *call)
{
	int thread = call->thread;

	if (w->open != thread) {
		close_alone(w);
		if (thread)
			open_block(w->c->e, "if (team->part == %d %% team->parts) {", thread);
		else
			open_block(w->c->e, "if (team->part == 0) {");
		w->open = thread;
	}
	write_invocation(w->c, call);
}

/* `all` elements or rows in whole units, by n calls: in blocks, or NULL, at once. */
static void write_cut(struct sharing *w, const struct invocation *call, int n, int64_t all, const char *unit,
		      const char *block)
{
	struct public_call *c = w->c;
	struct emitter *e = c->e;
	const char *total = arena_printf(e->arena, "%lld", (long long)all);
	int names = c->scope.names.n;
	const char *i =
		new_name(e, &c->scope, call->cut == CUT_ROWS ? call->group->stages.item[0]->eq->index[0].name : "i");
	const char *end = new_name(e, &c->scope, arena_printf(e->arena, "%s_end", i));
	const char *rows = block ? new_name(e, &c->scope, "rows") : arena_printf(e->arena, "%s - %s", end, i);
	struct block_place place = {i, rows};

	open_block(e,
		   block ? "for (int %s = %s, %s = %s, %s; %s < %s; %s += %s) {"
			 : "for (int %s = %s, %s = %s; %.0s%s < %s; %s = %s) {",
		   i, bound(e, 0, total, unit), end, bound(e, 1, total, unit), rows, i, end, i, block ? rows : end);
	if (block)
		write_line(e, "%s = %s - %s < 2 * %s ? %s - %s : %s;", rows, end, i, block, end, i, block);
	for (int k = 0; k < n; k++) {
		struct invocation one = call[k];

		one.place = &place;
		one.row = k > 0 ? call->sweep->row : 1;
		write_invocation(c, &one);
	}
	close_block(e, "}");
	release_names(&c->scope, names);
}

/* The call at hand, or with it the one behind; how many these were. */
static int write_share(struct sharing *w, struct invocation *call)
{
	enum { FLAT_UNIT = 64, LEAST_COUNT = 4096 };
	struct emitter *e = w->c->e;
	const struct group *group = call->group;
	bool sweeps = call->cut == CUT_ROWS && group->sweep && group->sweep->make == group;

	if (call->cut == CUT_ELEMENTS && call->count < LEAST_COUNT) {
		call->cut = CUT_NOTHING;
		call->thread = group->thread;
	}
	meet_before(w, call, sweeps ? 2 : 1);
	if (call->cut == CUT_NOTHING) {
		write_alone(w, call);
		return 1;
	}
	close_alone(w);
	if (call->cut == CUT_SAMPLES) {
		struct invocation one = *call;

		one.place = &w->samples;
		write_invocation(w->c, &one);
		return 1;
	}
	if (call->cut == CUT_ELEMENTS)
		write_cut(w, call, 1, call->count, arena_printf(e->arena, "%d", (int)FLAT_UNIT), NULL);
	else
		write_cut(w, call, sweeps ? 2 : 1, group->stages.item[0]->eq->index[0].extent,
			  pick_block(e, group->unit), makes_blocks(group) ? pick_block(e, group->sweep->block) : NULL);
	return sweeps ? 2 : 1;
}

const char *share_start(struct public_call *c, const struct invocation *call, const struct arg *arg)
{
	const struct group *group = call->group;
	const struct tensor *root = arg->root, *made = group->stages.item[0]->eq->tensor;
	const char *name = find_pointer(c, arg->root)->name;
	int64_t shift = 0;

	if (layout_of(root)->storage[c->call].memory == MEM_OWN)
		return name;
	if (call->cut == CUT_SAMPLES)
		shift = root->rank && root->axis[0].rows ? memory_sample_size(root) : 0;
	else if (group->flat)
		shift = arg->by_element ? call->row : 0;
	else if (root == root_of(made))
		shift = tensor_size(made) / made->axis[0].extent;
	else
		row_shift(group, root, &shift);
	if (shift == 1)
		return arena_printf(c->e->arena, "%s + %s", name, call->place->at);
	return shift ? arena_printf(c->e->arena, "%s + %lld * %s", name, (long long)shift, call->place->at) : name;
}

/* ---- the whole ---- */

/* The samples of this thread, and the run as their draws see it. */
static void declare_samples(struct sharing *w)
{
	struct public_call *c = w->c;
	struct emitter *e = c->e;
	bool some = false, draws = false;

	for (int i = 0; i < c->invocations.n; i++) {
		const struct invocation *call = &c->invocations.item[i];

		some |= call->cut == CUT_SAMPLES;
		draws |= call->cut == CUT_SAMPLES && call->function->takes_run;
	}
	if (!some)
		return;
	w->samples.at = new_name(e, &c->scope, "row");
	w->samples.rows = new_name(e, &c->scope, "rows");
	write_line(e, "const int %s = %s, %s = %s - %s;", w->samples.at, bound(e, 0, "n", "1"), w->samples.rows,
		   bound(e, 1, "n", "1"), w->samples.at);
	if (draws) {
		write_line(e, "nn_run run = state->run;");
		write_blank(e);
		write_line(e, "run.first_row += %s;", w->samples.at);
	} else {
		write_blank(e);
	}
}

void write_shares(struct public_call *c)
{
	struct sharing w = {.c = c, .open = -1};

	declare_samples(&w);
	for (int i = 0; i < c->invocations.n;)
		i += write_share(&w, &c->invocations.item[i]);
	meet(&w);
}

void open_finish(struct public_call *c) { open_block(c->e, "if (team->part == 0) {"); }
