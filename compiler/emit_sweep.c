/* emit_sweep.c - an update that follows its gradient block by block, in the public function: schedule_sweep.c says
 * which. */
#include "emit_calls.h"

#include <string.h>

/* The blocks are all of one size but the last, which takes what would be less than a block too: tiles have enough rows.
 */
static void write_blocks(struct public_call *c, struct invocation make, struct invocation use)
{
	struct emitter *e = c->e;
	const struct sweep *sweep = make.sweep;
	const struct index *index = &sweep->make->stages.item[0]->eq->index[0];
	const char *block = pick_block(e, sweep->block);
	struct block_place place;
	long long all = (long long)index->extent;
	const char *i, *rows;
	int names;

	if (strchr(block, '(')) {
		const char *name = new_name(e, &c->scope, "block");

		write_line(e, "const int %s = %s;", name, block);
		block = name;
	}
	names = c->scope.names.n; /* the size stays declared behind the loop */
	i = place.at = new_name(e, &c->scope, index->name);
	rows = place.rows = new_name(e, &c->scope, "rows");
	open_block(e, "for (int %s = 0, %s; %s < %lld; %s += %s) {", i, rows, i, all, i, rows);
	write_line(e, "%s = %lld - %s < 2 * %s ? %lld - %s : %s;", rows, all, i, block, all, i, block);
	make.place = use.place = &place;
	use.row = sweep->row;
	write_invocation(c, &make);
	write_invocation(c, &use);
	close_block(e, "}");
	release_names(&c->scope, names);
}

int write_sweep(struct public_call *c, const struct invocation *call)
{
	bool added = call->sweep->added == call->group;

	if (call->alone) {
		open_block(c->e, "if (n == 1) {");
		write_invocation(c, call->alone);
		reopen_block(c->e, "} else {");
	}
	if (call->function->takes_rows) {
		write_blocks(c, call[0], call[1]);
	} else {
		write_invocation(c, call);
		if (!added)
			write_invocation(c, call + 1);
	}
	if (call->alone)
		close_block(c->e, "}");
	return added ? 1 : 2;
}

const char *block_start(struct public_call *c, const struct invocation *call, const struct arg *arg)
{
	const struct sweep *sweep = call->sweep;
	const char *name = find_pointer(c, arg->root)->name;
	int64_t shift = arg->by_element ? sweep->row : 0;

	if (arg->root == sweep->make->stages.item[0]->eq->tensor)
		return name;
	if (call->group == sweep->make)
		row_shift(sweep->make, arg->root, &shift);
	if (shift == 1)
		return arena_printf(c->e->arena, "%s + %s", name, call->place->at);
	return shift ? arena_printf(c->e->arena, "%s + %lld * %s", name, (long long)shift, call->place->at) : name;
}
