/* emit_key.c - what makes two functions the same: a short text of a group's structure, in which tensors are numbers.
 *
 * A thousand equal layers have a thousand groups with one key, and so one function that is called with different
 * pointers. The key holds all that the body's text depends on but names: the schedule, extents, expressions, and of
 * each tensor its shape, type and place among the parameters. */
#include "emit_parts.h"

#include <string.h>

struct key {
	struct body *b;
	struct text text;
	LIST(const struct expr *) met; /* shared expressions are written once */
	LIST(const struct tensor *) tensors;
};

static void add_number(struct key *k, int64_t n)
{
	char digits[24], *at = digits + sizeof digits;
	uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;

	if (n >= 0 && n < 10) { /* most are */
		text_add_bytes(&k->text, (char[]){(char)('0' + n), ' '}, 2);
		return;
	}
	*--at = ' ';
	do
		*--at = (char)('0' + rest % 10);
	while (rest /= 10);
	if (n < 0)
		*--at = '-';
	text_add_bytes(&k->text, at, (size_t)(digits + sizeof digits - at));
}

/* A flat loop runs over elements, whatever the shape. */
static bool in_flat_loop(const struct key *k, const struct arg *arg)
{
	return k->b->group->flat && (!arg || arg->by_element);
}

/* A tensor by its number, the first time with what is known of it. */
static void add_tensor(struct key *k, const struct tensor *t)
{
	const struct arg *arg = find_arg(k->b, t);

	for (int i = 0; i < k->tensors.n; i++)
		if (k->tensors.item[i] == t) {
			add_number(k, i);
			return;
		}
	list_add(k->text.arena, &k->tensors, t);
	text_add_bytes(&k->text, "T", 1);
	add_number(k, arg ? arg - k->b->args.item : -1);
	add_number(k, arg ? arg->written * 2 + arg->by_element : 0);
	add_number(k, t->elem);
	if (in_flat_loop(k, arg))
		return;
	add_number(k, t->batched);
	for (int a = 0; a < t->rank; a++)
		add_number(k, t->axis[a].rows ? -1 : t->axis[a].extent);
	add_number(k, layout_of(t)->once);
	for (int a = 0; a < t->rank && layout_of(t)->inside; a++) {
		add_number(k, layout_of(t)->inside[a].from);
		add_number(k, layout_of(t)->inside[a].to);
	}
	if (t->role == ROLE_DATA)
		text_add(&k->text, t->name);
	if (t->classes) /* ranges decide whether a division needs care */
		add_number(k, t->classes);
}

static void add_expr(struct key *k, const struct expr *e);

/* Where a pointer to a part is passed, from there, but where it matters how far a border is; behind them may stand what
 * a read outside gives. */
static void add_subscripts(struct key *k, const struct expr *read, const struct arg *arg)
{
	bool shifted = arg && arg->shift && !layout_of(read->tensor)->inside;

	for (int i = 0; i < read->n && !in_flat_loop(k, arg); i++)
		add_expr(k, shifted ? unshifted(k->b, read->arg[i]) : read->arg[i]);
}

static void add_expr(struct key *k, const struct expr *e)
{
	uint64_t bits;

	for (int i = k->met.n - 1; e->n && i >= 0; i--)
		if (k->met.item[i] == e) {
			text_add_bytes(&k->text, "=", 1);
			add_number(k, i);
			return;
		}
	text_add_bytes(&k->text, "(", 1);
	add_number(k, e->op);
	memcpy(&bits, &e->num, sizeof bits);
	if (e->op == EX_NUM)
		add_number(k, (int64_t)bits);
	else if (e->op == EX_INT)
		add_number(k, e->integer);
	else if (e->op == EX_INDEX)
		add_number(k, e->slot);
	else if (e->op == EX_RUN)
		add_number(k, e->run * 2 + (e->run == RUN_ROWS && k->b->group->cut == CUT_SAMPLES));
	else if (e->op == EX_DRAW)
		add_number(k, find_site(&k->b->sites, e->site) * 2 + (int)e->draw);
	else if (e->op == EX_READ)
		add_tensor(k, e->tensor);
	if (e->op == EX_READ)
		add_subscripts(k, e, find_arg(k->b, e->tensor));
	for (int i = 0; i < e->n && e->op != EX_READ; i++)
		add_expr(k, e->arg[i]);
	text_add_bytes(&k->text, ")", 1);
	if (e->n)
		list_add(k->text.arena, &k->met, e);
}

static void add_stage(struct key *k, const struct stage *stage)
{
	const struct equation *eq = stage->eq;

	text_add(&k->text, "\nS");
	add_number(k, eq->kind);
	add_number(k, eq->red);
	add_number(k, stage->form);
	add_number(k, (stage->adds != NULL) * 8 + stage->joins * 4 + stage->clears * 2 + stage->local);
	if (k->b->group->flat) {
		add_tensor(k, eq->tensor);
		add_expr(k, eq->value);
		return;
	}
	add_number(k, stage->lanes);
	add_number(k, stage->from);
	add_number(k, stage->to);
	add_number(k, stage->n_free);
	for (int i = 0; i < stage->n_loop; i++)
		add_number(k, stage->loop[i]);
	text_add(&k->text, "I");
	add_number(k, eq->nfree);
	for (int i = 0; i < eq->n; i++)
		add_number(k, eq->index[i].rows ? -1 : eq->index[i].extent);
	add_tensor(k, eq->tensor);
	add_expr(k, eq->value);
	for (int a = 0; eq->kind == EQ_SCATTER && a < eq->tensor->rank; a++)
		add_expr(k, eq->target[a]);
}

const char *function_key(struct body *b)
{
	struct key k = {.b = b, .text = b->e->key};
	const struct group *group = b->group;

	k.text.arena = b->e->arena;
	k.text.n = 0;
	add_number(&k, b->one_row + 2 * b->in_blocks + 4 * group->alone + 8 * b->goes_on);
	add_number(&k, has_run_time_rows(group));
	add_number(&k, group->flat ? 0 : group->depth);
	add_number(&k, group->written_out * 2 + group->flat);
	add_number(&k, count_steps(group));
	add_number(&k, b->args.n);
	for (int i = 0; i < group->stages.n; i++)
		add_stage(&k, group->stages.item[i]);
	b->e->key = k.text;
	return k.text.at;
}
