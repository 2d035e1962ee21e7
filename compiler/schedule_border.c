/* schedule_border.c - values that are made with the border that their windows want.
 *
 * Tiles read windows over the border of an image from a copy with 0 around it (schedule_operands.c). If what is copied
 * is made element by element, it is made there at once, and whoever else reads it finds it inside the border:
 *
 *     relu[batch, i, j, a] = max(y[batch, i, j, a], 0)
 *     relu.operand[batch, i < 34, j < 34, a] = relu[batch, i - 1, j - 1, a else 0]
 *
 * becomes one equation, and relu[batch, i, j, a] is relu.operand[batch, i + 1, j + 1, a]. Of two equal copies, one is
 * made.
 *
 * requires  the equations of a part with their operands, in order
 * gives     the same list, or one with fewer values; layout.inside of the copies (emit_tile_border.c) */
#include "schedule_operands.h"

#include <string.h>

#include "expr.h"

/* A copy with a border, of what `made` makes; or a copy `instead` of which there is an equal one. */
struct bordered {
	struct equation *copy, *made;
	struct tensor *instead;
	int64_t before[MAX_SLOTS]; /* places of the border, by axis */
};

struct borders {
	struct graph *g;
	LIST(struct bordered) list; /* layout.number is the place in it, from 1 */
};

static struct bordered *border_of(struct borders *b, const struct tensor *t)
{
	int number = layout_of(t)->number;

	return number ? &b->list.item[number - 1] : NULL;
}

/* Whether an equation is a copy of a tensor with 0 around it: inside, by axis, it reads the tensor. */
static bool find_inside(const struct equation *eq, struct inside *inside)
{
	const struct expr *read = eq->value;
	const struct tensor *of;

	if (eq->kind != EQ_MAP || eq->red != RED_NONE || read->op != EX_READ || !read->guarded)
		return false;
	of = read->tensor;
	if (of->rank != eq->tensor->rank || !ex_is_num(read->arg[of->rank], 0))
		return false;
	for (int a = 0; a < of->rank; a++) {
		struct affine sub;

		if (!affine_of(read->arg[a], &sub) || read->arg[a]->slots != (uint64_t)1 << a || sub.coef[a] != 1)
			return false;
		inside[a] = (struct inside){-sub.constant, of->axis[a].extent - sub.constant};
	}
	return true;
}

/* The same of all of a value. */
static bool is_border(const struct equation *eq, struct bordered *found)
{
	struct inside inside[MAX_SLOTS];
	const struct tensor *of;

	if (!find_inside(eq, inside))
		return false;
	of = eq->value->tensor;
	if (of->role != ROLE_VALUE || layout_of(of)->kept || of->elem != ELEM_REAL)
		return false;
	for (int a = 0; a < of->rank; a++) {
		if (inside[a].from < 0 || inside[a].to > eq->index[a].extent)
			return false;
		found->before[a] = inside[a].from;
	}
	found->copy = (struct equation *)eq;
	return 3 * tensor_size(eq->tensor) <= 5 * tensor_size(of); /* else passes over the border are too many */
}

/* What has 0 around it, whoever makes it: tiles may leave out sums over that. */
static void note_inside(struct graph *g, const struct equation *eq)
{
	struct inside inside[MAX_SLOTS], *kept;
	size_t rank;

	if (!find_inside(eq, inside))
		return;
	rank = (size_t)eq->tensor->rank;
	kept = arena_array(&g->ctx->arena, rank, sizeof *kept);
	memcpy(kept, inside, rank * sizeof *kept);
	layout_of(eq->tensor)->inside = kept;
}

static bool is_equal(const struct bordered *a, const struct bordered *b)
{
	bool same = true;

	for (int i = 0; i < a->copy->nfree; i++)
		same &= a->before[i] == b->before[i] && a->copy->index[i].extent == b->copy->index[i].extent;
	return same;
}

static void forget(const struct tensor *t) { layout_of(t)->number = 0; }

/* Whether an equation is one of the copies. */
static bool is_copy(struct borders *b, const struct equation *eq)
{
	for (int i = 0; i < b->list.n; i++)
		if (b->list.item[i].copy == eq)
			return true;
	return false;
}

/* Reads that may leave the tensor, or are in an equation that is no map of this list: it stays. */
static void forget_reads(struct borders *b, struct expr *e, bool all, const struct equation *copy)
{
	expr_list reads = {0};

	collect_reads(b->g, e, &reads);
	for (int i = 0; i < reads.n; i++) {
		const struct bordered *border = border_of(b, reads.item[i]->tensor);

		if (border && !border->instead && !(copy && is_copy(b, copy)) && (all || reads.item[i]->guarded))
			forget(reads.item[i]->tensor);
	}
}

static void forget_all(void *user, struct equation *eq)
{
	struct borders *b = user;

	forget(eq->kind == EQ_VIEW ? eq->tensor->of : eq->tensor);
	if (eq->kind == EQ_MAP || eq->kind == EQ_SCATTER)
		forget_reads(b, eq->value, true, NULL);
	for (int a = 0; eq->kind == EQ_SCATTER && a < eq->tensor->rank; a++)
		forget_reads(b, eq->target[a], true, NULL);
}

static void find_borders(struct borders *b, const equation_list *list)
{
	struct graph *g = b->g;

	for (int i = 0; i < list->n; i++) {
		struct bordered found = {0};
		const struct bordered *first;

		if (!is_border(list->item[i], &found))
			continue;
		first = border_of(b, found.copy->value->tensor);
		if (first && !is_equal(first, &found))
			continue;
		if (first)
			found.instead = first->copy->tensor;
		list_add(&g->ctx->arena, &b->list, found);
		layout_of(first ? found.copy->tensor : found.copy->value->tensor)->number = b->list.n;
	}
	for (int i = 0; i < list->n && b->list.n; i++) {
		struct equation *eq = list->item[i];
		struct bordered *border = eq->kind == EQ_MAP ? border_of(b, eq->tensor) : NULL;

		if (eq->kind == EQ_SCAN) {
			visit_equations(eq->scan->body, eq->scan->n, forget_all, b);
		} else if (eq->kind != EQ_MAP) {
			forget_all(b, eq);
		} else {
			forget_reads(b, eq->value, false, eq);
			if (border && !border->instead &&
			    (border->made || eq->red != RED_NONE || ex_has(eq->value, EX_DRAW)))
				forget(eq->tensor);
			else if (border && !border->instead)
				border->made = eq;
		}
	}
	if (b->list.n)
		visit_other_parts(g, forget_all, b);
}

/* The read of a value within its border. */
static struct expr *move_read(void *user, struct expr *read)
{
	struct borders *b = user;
	const struct bordered *border = border_of(b, read->tensor);
	struct expr *sub[MAX_SLOTS];

	if (border && border->instead)
		return ex_read(b->g, border->instead, read->arg, NULL);
	if (!border || !border->made)
		return read;
	for (int a = 0; a < read->tensor->rank; a++)
		sub[a] = ex2(b->g, EX_ADD, read->arg[a], ex_int(b->g, border->before[a]));
	return ex_read(b->g, border->copy->tensor, sub, NULL);
}

/* The equation that makes the copy from what the value is made of. */
static struct equation *make_bordered(struct borders *b, const struct bordered *border, struct expr *value)
{
	const struct equation *copy = border->copy;
	const struct tensor *of = copy->value->tensor;
	struct expr *inside = ex_bool(b->g, true), *map[MAX_SLOTS];

	for (int a = 0; a < of->rank; a++) {
		map[a] = copy->value->arg[a];
		if (of->axis[a].extent == copy->index[a].extent)
			continue;
		inside = ex2(b->g, EX_AND, inside, ex2(b->g, EX_LE, ex_int(b->g, 0), map[a]));
		inside = ex2(b->g, EX_AND, inside, ex2(b->g, EX_LT, map[a], ex_int(b->g, of->axis[a].extent)));
	}
	value = ex_select(b->g, inside, ex_substitute(b->g, value, map, of->rank), ex_num(b->g, 0));
	return graph_equation(b->g, copy->tensor, RED_NONE, copy->nfree, copy->n, copy->index, value, border->made->at);
}

equation_list merge_borders(struct program *p, const equation_list *list)
{
	struct borders b = {.g = p->g};
	equation_list out = {0};

	for (int i = 0; i < list->n; i++)
		note_inside(p->g, list->item[i]);
	find_borders(&b, list);
	for (int i = 0; i < list->n && b.list.n; i++) {
		struct equation *eq = list->item[i];
		struct bordered *border = eq->kind == EQ_MAP ? border_of(&b, eq->tensor) : NULL;
		struct expr *value;

		if (is_copy(&b, eq)) {
			const struct bordered *of = border_of(&b, eq->value->tensor);

			if ((border && border->instead) || (of && of->made))
				continue;
		}
		if (eq->kind == EQ_MAP) {
			value = ex_map_reads(b.g, eq->value, move_read, &b);
			if (border && border->made)
				eq = make_bordered(&b, border, value);
			else if (value != eq->value)
				eq = graph_equation(b.g, eq->tensor, eq->red, eq->nfree, eq->n, eq->index, value,
						    eq->at);
		}
		list_add(&b.g->ctx->arena, &out, eq);
	}
	for (int i = 0; i < b.list.n; i++) {
		forget(b.list.item[i].copy->value->tensor);
		forget(b.list.item[i].copy->tensor);
	}
	return b.list.n ? out : *list;
}
