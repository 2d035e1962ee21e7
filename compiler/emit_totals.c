/* emit_totals.c - what a call finds in its rows goes into the totals over the evaluated set, and comes from there. */
#include "emit_calls.h"

bool is_of_call(const struct public_call *c, const struct total *total)
{
	return c->call == (total->pass == 1 ? CALL_METRICS : CALL_METRICS2);
}

/* Element i of a total's field, and of what a pointer points to; i "" for one number. */
static const char *total_element(struct public_call *c, const struct tensor *t, const char *i)
{
	const char *field = field_text(c, "totals", t, 0);

	if (t->rank == 0)
		return arena_printf(c->e->arena, "totals->%s", layout_of(t)->c_name);
	return arena_printf(c->e->arena, t->rank == 1 ? "%s[%s]" : "(%s)[%s]", field, i);
}

/* The loop over the elements of a total; returns its index. */
static const char *open_elements(struct public_call *c, const struct tensor *t)
{
	const char *i = t->rank ? new_name(c->e, &c->scope, "i") : "0";

	if (t->rank)
		open_block(c->e, "for (int %s = 0; %s < %lld; %s++) {", i, i, (long long)tensor_size(t), i);
	return i;
}

static void close_elements(struct public_call *c, const struct tensor *t, int names)
{
	if (t->rank)
		close_block(c->e, "}");
	release_names(&c->scope, names);
}

bool is_copied(const struct public_call *c, const struct tensor *t)
{
	enum memory memory = layout_of(t)->storage[c->call].memory;

	return memory != MEM_NONE && memory != MEM_TOTAL;
}

void convert_totals(struct public_call *c)
{
	for (int k = 0; k < c->e->p->totals.n; k++) {
		struct tensor *t = c->e->p->totals.item[k].tensor;
		int names = c->scope.names.n;
		const char *i;

		if (!is_copied(c, t))
			continue;
		i = open_elements(c, t);
		write_line(c->e, "%s[%s] = (%s)%s;", find_pointer(c, t)->name, i, c->e->real, total_element(c, t, i));
		close_elements(c, t, names);
	}
}

void finish_totals(struct public_call *c)
{
	struct emitter *e = c->e;
	const char *rows = c->call == CALL_METRICS ? "rows" : "rows2";

	for (int k = 0; k < e->p->totals.n; k++) {
		const struct total *total = &e->p->totals.item[k];
		int names = c->scope.names.n;
		const char *i, *field, *part;

		if (!is_of_call(c, total))
			continue;
		part = find_pointer(c, total->part)->name;
		i = open_elements(c, total->tensor);
		field = total_element(c, total->tensor, i);
		if (total->red == RED_SUM) {
			write_line(e, "%s += %s[%s];", field, part, i);
		} else {
			open_block(e, "if (totals->%s == 0 || %s[%s] %c %s) {", rows, part, i,
				   total->red == RED_MAX ? '>' : '<', field);
			write_line(e, "%s = %s[%s];", field, part, i);
			close_block(e, "}");
		}
		close_elements(c, total->tensor, names);
	}
	write_line(e, "totals->%s += n;", rows);
}
