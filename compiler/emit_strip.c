/* emit_strip.c - strips of samples that several functions go through: schedule_strips.c says which.
 *
 * The loop over them is a function of its own, given the pointers that its calls use. Loops of the same text are one
 * function: those of equal layers, and of a step and of what gives gradients only. */
#include "emit_calls.h"

#include <string.h>

/* A pointer of the public function that the loop uses. */
struct parameter {
	struct pointer *pointer;
	const char *outside; /* its name there */
	bool written;
};
typedef LIST(struct parameter) parameter_list;

static parameter_list collect_parameters(struct public_call *c, const struct invocation *call, int n)
{
	parameter_list list = {0};

	for (int i = 0; i < n; i++)
		for (int k = 0; k < call[i].n_args; k++) {
			struct pointer *pointer = find_pointer(c, call[i].args[k].root);
			int at = 0;

			while (at < list.n && list.item[at].pointer != pointer)
				at++;
			if (at == list.n)
				list_add(c->e->arena, &list, (struct parameter){pointer, pointer->name, false});
			list.item[at].written |= call[i].args[k].written;
		}
	return list;
}

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

static void write_loop(struct public_call *c, const struct invocation *call, int n)
{
	struct emitter *e = c->e;
	const struct strip *strip = call->strip;
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
}

/* What pointers are called within the function: numbers, or names for people. */
static void name_inside(struct public_call *c, const parameter_list *list, bool numbered)
{
	struct emitter *e = c->e;

	for (int i = 0; i < list->n; i++) {
		struct pointer *pointer = list->item[i].pointer;

		pointer->name = numbered ? arena_printf(e->arena, "at%d", i)
					 : new_name(e, &c->scope, short_name(e, pointer->root));
	}
}

static const char *parameters(struct public_call *c, const parameter_list *list, const char *loop, bool numbered)
{
	struct text out = {.arena = c->e->arena};

	text_printf(&out, "int n%s%s", mentions(loop, "ndata") ? ", int ndata" : "",
		    mentions(loop, "run") ? ", const nn_run *run" : "");
	for (int i = 0; i < list->n; i++) {
		const struct pointer *pointer = list->item[i].pointer;
		const char *shape = numbered ? "" : pointer_shape(c, pointer->root);

		text_printf(&out, ", %s%s *%s%s%s%s", list->item[i].written ? "" : "const ",
			    elem_type(c->e, pointer->root->elem), pointer->name, *shape ? " /* " : "", shape,
			    *shape ? " */" : "");
	}
	return out.at;
}

/* The loop as a function; without a name for it, the parameters have none either. */
static const char *function_text(struct public_call *c, const struct invocation *call, int n,
				 const parameter_list *list, const char *name)
{
	static const char *const taken[] = {"n", "ndata", "run"};
	struct emitter *e = c->e;
	struct text loop = {.arena = e->arena}, text = {.arena = e->arena}, *out = e->out;
	struct scope scope = c->scope;
	int depth = e->depth;

	c->scope = (struct scope){0};
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		use_name(e, &c->scope, taken[i]);
	name_inside(c, list, !name);
	e->out = &loop;
	e->depth = 1;
	write_loop(c, call, n);
	e->out = &text;
	e->depth = 0;
	write_line(e, "static void %s(%s)", name ? name : "", parameters(c, list, loop.at, !name));
	write_line(e, "{");
	text_add(&text, loop.at);
	write_line(e, "}");
	for (int i = 0; i < list->n; i++)
		list->item[i].pointer->name = list->item[i].outside;
	e->out = out;
	e->depth = depth;
	c->scope = scope;
	return text.at;
}

/* Named after the last that makes something of samples. */
static const char *function_name(struct emitter *e, const struct invocation *call, int n)
{
	int last = n - 1;

	while (last > 0 && sums_samples(call[last].group))
		last--;
	return new_name(e, &e->globals, arena_printf(e->arena, "%s_in_strips", call[last].function->name));
}

static const char *find_strip_function(struct public_call *c, const struct invocation *call, int n,
				       const parameter_list *list)
{
	struct emitter *e = c->e;
	struct text *out = e->out;
	const char *key = function_text(c, call, n, list, NULL), *name = table_get(&e->strips, key);
	int depth = e->depth;

	if (name)
		return name;
	name = function_name(e, call, n);
	table_set(&e->strips, key, (void *)name);
	e->out = &e->bodies;
	e->depth = 0;
	write_blank(e);
	write_comment(e, "Strips of samples, each of which goes through all of it while it is near.");
	text_add(e->out, function_text(c, call, n, list, name));
	e->out = out;
	e->depth = depth;
	return name;
}

int write_strip(struct public_call *c, const struct invocation *call)
{
	int n = call->strip->last - call->strip->first + 1;
	parameter_list list = collect_parameters(c, call, n);
	const char *name = find_strip_function(c, call, n, &list);
	struct text out = {.arena = c->e->arena};
	bool takes_data = false, takes_run = false;

	for (int i = 0; i < n; i++) {
		takes_data |= call[i].function->takes_data;
		takes_run |= call[i].function->takes_run;
	}
	text_printf(&out, "n%s%s", takes_data ? ", totals->rows" : "", takes_run ? ", &state->run" : "");
	for (int i = 0; i < list.n; i++)
		add_parameter(&out, list.item[i].outside);
	write_line(c->e, "%s(%s);", name, out.at);
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
