/* emit_strip.c - strips of samples that several functions go through, in the public function: schedule_strips.c says
 * which. */
#include "emit_calls.h"

/* Sums over the samples begin with 0; each strip adds to them. */
static void clear_sums(struct public_call *c, const struct invocation *call, int n)
{
	for (int i = 0; i < n; i++) {
		const struct tensor *t = call[i].group->stages.item[0]->eq->tensor;

		if (!sums_samples(call[i].group))
			continue;
		c->e->uses_memset = true;
		write_line(c->e, "memset(%s, 0, %lld * sizeof(%s));", find_pointer(c, root_of(t))->name,
			   (long long)memory_size(t), elem_type(c->e, t->elem));
	}
}

int write_strip(struct public_call *c, const struct invocation *call)
{
	struct emitter *e = c->e;
	const struct strip *strip = call->strip;
	int n = strip->last - strip->first + 1, names = c->scope.names.n;
	struct block_place place;
	const char *at, *rows;

	clear_sums(c, call, n);
	at = place.at = new_name(e, &c->scope, "row");
	rows = place.rows = strip->rows == 1 ? "1" : new_name(e, &c->scope, "rows");
	open_block(e, strip->rows == 1 ? "for (int %s = 0; %s < n; %s++) {" : "for (int %s = 0; %s < n; %s += %lld) {",
		   at, at, at, (long long)strip->rows);
	if (strip->rows > 1)
		write_line(e, "const int %s = n - %s < %lld ? n - %s : %lld;", rows, at, (long long)strip->rows, at,
			   (long long)strip->rows);
	for (int i = 0; i < n; i++) {
		struct invocation one = call[i];

		one.place = &place;
		write_invocation(c, &one);
	}
	close_block(e, "}");
	release_names(&c->scope, names);
	return n;
}

const char *strip_start(struct public_call *c, const struct invocation *call, const struct arg *arg)
{
	const struct tensor *root = arg->root;
	const char *name = find_pointer(c, arg->root)->name;
	int64_t size = memory_sample_size(root);

	if (!root->rank || !root->axis[0].rows || layout_of(root)->strip_rows[c->call])
		return name;
	if (size == 1)
		return arena_printf(c->e->arena, "%s + %s", name, call->place->at);
	return arena_printf(c->e->arena, "%s + %lld * %s", name, (long long)size, call->place->at);
}
