/* emit_function.c - a group becomes a static function, or shares one that exists.
 *
 * Groups with the same key (emit_key.c) share one function, so that a thousand equal layers are one function called
 * with different pointers. It has the names of the first of them. */
#include "emit_parts.h"

#include <string.h>

/* ---- parameters ---- */

static struct arg *add_arg(struct body *b, const struct tensor *t)
{
	struct arg *arg = find_arg(b, t);
	struct tensor *root = root_of(t);

	if (arg)
		return arg;
	list_add(b->e->arena, &b->args,
		 (struct arg){.root = root, .storage = layout_of(root)->storage[b->call], .name = ""});
	return &b->args.item[b->args.n - 1];
}

int find_site(const text_list *sites, const char *site)
{
	int i = 0;

	while (i < sites->n && strcmp(sites->item[i], site) != 0)
		i++;
	return i;
}

void collect_sites(struct emitter *e, const struct group *group, text_list *sites)
{
	for (int i = 0; i < group->stages.n; i++)
		for (int k = 0; k < group->stages.item[i]->exprs.n; k++) {
			const struct expr *x = group->stages.item[i]->exprs.item[k];

			if (x->op == EX_DRAW && find_site(sites, x->site) == sites->n)
				list_add(e->arena, sites, x->site);
		}
}

uint64_t hash_site(const char *site)
{
	uint64_t hash = 14695981039346656037u;

	for (; *site; site++)
		hash = (hash ^ (unsigned char)*site) * 1099511628211u;
	return hash;
}

static bool is_local(const struct group *group, const struct tensor *t)
{
	for (int i = 0; i < group->stages.n; i++)
		if (group->stages.item[i]->local && group->stages.item[i]->eq->tensor == t)
			return true;
	return false;
}

const char *base_name(struct body *b, const struct tensor *t)
{
	const char *name = short_name(b->e, t);

	t = t->role == ROLE_NEXT ? t->of : t;
	for (int i = 0; i < b->bases.n; i++)
		if (b->bases.item[i].tensor == t)
			return b->bases.item[i].name;
	for (int i = 0; i < b->bases.n; i++)
		if (strcmp(b->bases.item[i].name, name) == 0)
			name = t->name;
	list_add(b->e->arena, &b->bases, (struct local){t, 0, name});
	return name;
}

/* Reads in the order in which they stand, then what is written. */
static void collect_args(struct body *b)
{
	const struct group *group = b->group;

	for (int i = 0; i < group->stages.n; i++) {
		const struct equation *eq = group->stages.item[i]->eq;
		expr_list reads = group->stages.item[i]->reads;

		for (int k = 0; k < reads.n; k++)
			if (!is_local(group, reads.item[k]->tensor)) {
				struct arg *arg = add_arg(b, reads.item[k]->tensor);

				arg->by_element |= group->flat && (reads.item[k]->slots || eq->nfree == 0) &&
						   is_elementwise(reads.item[k], eq);
			}
	}
	for (int i = 0; i < group->stages.n; i++) {
		struct arg *arg;

		if (group->stages.item[i]->local)
			continue;
		arg = add_arg(b, group->stages.item[i]->eq->tensor);
		arg->written = true;
		arg->by_element |= group->flat;
		arg->root = root_of(group->stages.item[i]->eq->tensor);
	}
}

/* Of tiles: memory for a panel. */
static void add_panels(struct body *b)
{
	for (int i = 0; i < b->group->stages.n; i++) {
		const struct tile *tile = tile_of(b->group->stages.item[i], b->one_row);

		if (tile && tile->memory)
			add_arg(b, tile->memory)->written = true;
	}
}

static void name_args(struct body *b)
{
	for (int pass = 0; pass < 2; pass++) /* what is written has first choice */
		for (int i = 0; i < b->args.n; i++) {
			struct arg *arg = &b->args.item[i];

			if (arg->written == (pass == 0))
				arg->name = new_name(b->e, &b->scope, base_name(b, arg->root));
		}
}

/* ---- head and body ---- */

static const char *arg_shape(struct body *b, const struct arg *arg)
{
	const char *shape;

	if (arg->by_element || b->e->options->freestanding)
		return "";
	shape = shifted_shape(b, arg);
	return *shape ? arena_printf(b->e->arena, " /* %s */", shape) : "";
}

static const char *parameters(struct body *b, const struct function *function)
{
	struct text out = {.arena = b->e->arena};

	if (b->group->flat)
		text_add(&out, "int count");
	if (b->takes_n)
		text_add(&out, out.n ? ", int n" : "int n");
	if (b->takes_batch)
		text_add(&out, out.n ? ", int nrows" : "int nrows");
	for (int d = 0; d < count_steps(b->group); d++)
		if (function->takes_step[d])
			text_printf(&out, out.n ? ", int %s" : "int %s", b->step_name[d]);
	if (function->takes_rows)
		text_printf(&out, out.n ? ", int %s" : "int %s", b->block_rows);
	if (b->takes_data)
		text_add(&out, out.n ? ", int ndata" : "int ndata");
	if (b->takes_run)
		text_add(&out, out.n ? ", const nn_run *run" : "const nn_run *run");
	for (int i = 0; i < b->site_names.n; i++)
		text_printf(&out, ", uint64_t %s", b->site_names.item[i]);
	for (int i = 0; i < b->args.n; i++) {
		const struct arg *arg = &b->args.item[i];

		text_printf(&out, "%s%s%s *%s%s%s", out.n ? ", " : "", arg->written ? "" : "const ",
			    elem_type(b->e, arg->root->elem), b->e->options->freestanding ? "" : "restrict ", arg->name,
			    arg_shape(b, arg));
	}
	return out.n ? out.at : "void";
}

/* The body as text. Simplification may have removed the last mention of a parameter. */
static const char *write_body(struct body *b)
{
	struct emitter *e = b->e;
	struct text text = {.arena = e->arena}, *out = e->out;
	static const char *const params[] = {"n", "nrows", "ndata", "count", "run"};

	for (size_t i = 0; i < sizeof params / sizeof *params; i++)
		use_name(e, &b->scope, params[i]);
	for (int i = 0; i < b->sites.n; i++)
		list_add(e->arena, &b->site_names, new_name(e, &b->scope, "place"));
	for (const struct step_loop *loop = b->group->steps; loop; loop = loop->outer)
		if (loop->scan->trips > 1)
			b->step_name[loop->scan->depth] = new_name(e, &b->scope, loop->scan->index);
	if (b->in_blocks)
		b->block_rows = new_name(e, &b->scope,
					 arena_printf(e->arena, "%s_end", b->group->stages.item[0]->eq->index[0].name));
	name_args(b);
	e->out = &text;
	e->depth = 1;
	if (b->group->flat)
		write_flat(b);
	else if (b->group->written_out)
		write_unrolled(b);
	else
		write_loops(b);
	e->depth = 0;
	e->out = out;
	return text.at ? text.at : "";
}

static struct body new_body(struct emitter *e, struct group *group, enum call call, bool in_strip)
{
	return (struct body){.e = e,
			     .group = group,
			     .call = call,
			     .one_row = is_one_row(call) && !serves_one_row(group),
			     .in_blocks = makes_blocks(group) || (call == CALL_TEAM_STEP && group->cut == CUT_ROWS),
			     .goes_on = in_strip && sums_samples(group)};
}

/* ---- the comment above ---- */

/* Equations with their places; "file:line" once for equations of the same line. */
/* A line of what a function computes. */
static void write_equation(struct emitter *e, const struct equation *eq, struct text *out, const char **last)
{
	const char *place = place_text(e, eq->at);

	if (out->n)
		text_add(out, "\n");
	if (*place && strcmp(place, *last) != 0)
		text_printf(out, "%s  ", place);
	*last = place;
	print_equation(e->g, eq, out);
}

static void write_equations(struct emitter *e, const struct group *group)
{
	struct text text = {.arena = e->arena};
	const char *last = "";

	if (e->options->freestanding)
		return;
	for (int i = 0; i < group->stages.n; i++) {
		const struct stage *stage = group->stages.item[i];

		if (stage->adds)
			write_equation(e, stage->adds, &text, &last);
		write_equation(e, stage->written, &text, &last);
	}
	for (char *c = text.at; c && (c = strstr(c, "*/")); c++)
		*c = ' ';
	write_comment(e, text.at);
}

/* ---- names ---- */

static const char *verb(const struct group *group, const struct tensor *t)
{
	if (group->part == PART_INIT)
		return "init";
	if (group->part == PART_AVERAGE)
		return "average";
	return t->role == ROLE_NEXT ? "update" : "compute";
}

/* The last tensor made; of an optimiser's the param. */
static const struct tensor *main_tensor(const struct group *group)
{
	const struct tensor *t = NULL;

	for (int i = 0; i < group->stages.n; i++) {
		const struct tensor *made = group->stages.item[i]->eq->tensor;

		if (!t || t->role != ROLE_NEXT || t->of->role != ROLE_PARAM)
			t = made;
	}
	return t;
}

static const char *function_name(struct emitter *e, const struct group *group, enum call call, bool one_row)
{
	const struct tensor *t = main_tensor(group);
	const char *name = t->role == ROLE_NEXT ? t->of->name : t->name;

	return new_name(e, &e->globals,
			arena_printf(e->arena, "%s_%s%s", verb(group, t), name,
				     call == CALL_STREAM       ? "_step"
				     : one_row || group->alone ? "_row"
							       : ""));
}

/* ---- finding ---- */

/* The parameters that the function has, of those that a body like it could use. */
static void keep_args(struct body *b, const struct function *function)
{
	int kept = 0;

	for (int i = 0; i < b->args.n; i++)
		if (function->keeps[i])
			b->args.item[kept++] = b->args.item[i];
	b->args.n = kept;
}

struct function *find_function(struct emitter *e, struct group *group, enum call call, bool in_strip, struct arg **args,
			       int *n_args)
{
	struct body b = new_body(e, group, call, in_strip);
	struct text *out = e->out;
	const char *text, *key;
	struct function *function;
	int n;

	collect_args(&b);
	add_panels(&b);
	shift_args(&b);
	collect_sites(e, group, &b.sites);
	n = b.args.n;
	key = function_key(&b);
	function = table_get(&e->functions, key);
	if (function) {
		keep_args(&b, function);
		*args = b.args.item;
		*n_args = b.args.n;
		return function;
	}

	function = arena_alloc(e->arena, sizeof *function);
	function->name = function_name(e, group, call, b.one_row);
	function->keeps = arena_array(e->arena, (size_t)n + 1, sizeof *function->keeps);
	table_set(&e->functions, arena_copy(e->arena, key, strlen(key)), function);
	text = write_body(&b);
	for (int i = 0; i < n; i++)
		function->keeps[i] = mentions(text, b.args.item[i].name);
	for (int d = 0; d < count_steps(group); d++)
		function->takes_step[d] = b.step_name[d] && mentions(text, b.step_name[d]);
	keep_args(&b, function);
	*args = b.args.item;
	*n_args = b.args.n;
	function->group = group;
	function->takes_n = b.takes_n;
	function->takes_batch = b.takes_batch;
	function->takes_data = b.takes_data;
	function->takes_run = b.takes_run;
	function->takes_count = group->flat;
	function->takes_rows = b.in_blocks;
	e->out = &e->bodies;
	write_blank(e);
	write_equations(e, group);
	write_line(e, "static void %s(%s)", function->name, parameters(&b, function));
	write_line(e, "{");
	text_add(e->out, text);
	write_line(e, "}");
	e->out = out;
	return function;
}
