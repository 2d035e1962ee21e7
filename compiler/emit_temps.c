/* emit_temps.c - variables for parts of expressions.
 *
 * Expressions are DAGs, C's are trees. A part that is used more than once is computed once, into a variable; and a
 * part that a loop does not change and that costs more than an access is computed before the loop. Parts within a side
 * of a choice may not be evaluated when the other side is taken: they move only if evaluating them cannot fail. */
#include "emit_parts.h"
#include "expr.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 40 /* nested operators in one C expression */ };

/* What is known of one expression while its variables are chosen. */
struct fact {
	struct expr *expr;
	int uses;    /* how often its text would stand in the code */
	int depth;   /* of its text */
	bool sure;   /* evaluated whichever side choices take */
	bool safe;   /* may be evaluated where it would not have been */
	bool bound;  /* reads what this group makes, or is a draw: stays where it is */
	bool costly; /* more than an addition or a product of accesses */
	bool chosen;
};

/* Where an expression was met. */
struct meeting {
	const struct expr *expr;
	int at;
};

struct facts {
	struct body *body;
	struct fact *item;     /* as they are met in the text, arguments first */
	struct meeting *by_id; /* their places in item */
	int n;
};

static int compare_meetings(const void *a, const void *b)
{
	const struct meeting *x = a, *y = b;

	return x->expr->id != y->expr->id ? (x->expr->id < y->expr->id ? -1 : 1) : x->at - y->at;
}

static struct meeting *find_meeting(struct facts *facts, const struct expr *e)
{
	int low = 0, high = facts->n - 1;

	while (low < high) {
		int middle = (low + high) / 2;

		if (facts->by_id[middle].expr->id < e->id)
			low = middle + 1;
		else
			high = middle;
	}
	return &facts->by_id[low];
}

static struct fact *find_fact(struct facts *facts, const struct expr *e)
{
	return &facts->item[find_meeting(facts, e)->at];
}

static bool has_temp(const struct body *b, const struct expr *e)
{
	for (int i = b->temps.n - 1; i >= 0; i--)
		if (b->temps.item[i].expr == e)
			return true;
	return false;
}

/* A read that stays inside for all values that the indices have here. */
static bool stays_inside(const struct body *b, const struct expr *read)
{
	if (b->eq->n < MAX_SLOTS && read->slots >> b->eq->n) /* an index of another equation of the group */
		return false;
	for (int a = 0; a < read->tensor->rank; a++) {
		struct range r;

		if (!range_within(read->arg[a], b->eq->index, &b->ranges, &r) || r.low < 0 ||
		    r.high >= read->tensor->axis[a].extent)
			return false;
	}
	return true;
}

/* By a nest that is not complete yet. */
static bool made_here(const struct body *b, const struct tensor *t)
{
	for (int i = b->n_complete; i < b->group->stages.n; i++)
		if (root_of(b->group->stages.item[i]->eq->tensor) == root_of(t) ||
		    (b->group->stages.item[i]->eq->tensor->role == ROLE_NEXT &&
		     b->group->stages.item[i]->eq->tensor->of == root_of(t)))
			return true;
	return false;
}

/* A read of the element that a flat group's loop has come to. */
static bool moves(const struct body *b, const struct expr *read)
{
	const struct arg *arg = b->group->flat ? find_arg((struct body *)b, read->tensor) : NULL;

	return arg && arg->by_element;
}

bool is_safe(const struct body *b, const struct expr *e)
{
	switch (e->op) {
	case EX_READ: return e->guarded || stays_inside(b, e);
	case EX_FLOORDIV:
	case EX_MOD: return e->arg[1]->op == EX_INT && e->arg[1]->integer != 0;
	case EX_TO_INT: return e->arg[0]->elem != ELEM_REAL;
	default: return true;
	}
}

static bool own_cost(const struct expr *e)
{
	return is_slow_function(e->op) || e->op == EX_DIV || e->op == EX_POW || e->op == EX_FLOORDIV || e->op == EX_MOD;
}

/* How often the text of argument i of e stands in the text of e. */
static int times_printed(const struct expr *e, int i)
{
	switch (e->op) {
	case EX_MIN:
	case EX_MAX: return e->elem == ELEM_REAL ? 2 : 1;
	case EX_SIGN: return 3;
	case EX_ISNAN: return 2;
	case EX_ABS: return e->elem == ELEM_REAL ? 1 : 3;
	case EX_POW: /* as products */
		return i == 0 && e->arg[1]->op == EX_NUM &&
				       (e->arg[1]->num == 2 || e->arg[1]->num == 3 || e->arg[1]->num == -2)
			       ? 2
			       : 1;
	default: return 1;
	}
}

static bool is_side(const struct expr *e, int i)
{
	switch (e->op) {
	case EX_SELECT:
	case EX_AND:
	case EX_OR: return i > 0;
	case EX_READ: return e->guarded && i == e->tensor->rank;
	default: return false;
	}
}

/* Not worth a variable. */
static bool is_plain(const struct expr *e)
{
	switch (e->op) {
	case EX_NUM:
	case EX_INT:
	case EX_INDEX:
	case EX_RUN: return true;
	case EX_READ: return !e->guarded;
	case EX_NEG:
	case EX_TO_INT:
	case EX_TO_REAL: return is_plain(e->arg[0]);
	case EX_LT:
	case EX_LE:
	case EX_EQ:
	case EX_NE: return is_plain(e->arg[0]) && is_plain(e->arg[1]);
	default: return e->affine;
	}
}

static void learn(struct facts *facts, struct fact *f)
{
	const struct body *b = facts->body;
	const struct expr *e = f->expr;

	f->safe = is_safe(b, e);
	f->bound = e->op == EX_DRAW || (e->op == EX_READ && (made_here(b, e->tensor) || moves(b, e)));
	f->costly = own_cost(e);
	f->depth = 1;
	if (has_temp(b, e)) {
		*f = (struct fact){.expr = f->expr, .safe = true, .depth = 1};
		return;
	}
	for (int i = 0; i < e->n; i++) {
		const struct fact *part = find_fact(facts, e->arg[i]);

		f->safe &= part->safe;
		f->bound |= part->bound;
		f->costly |= part->costly;
		if (part->depth >= f->depth)
			f->depth = part->depth + 1;
	}
	f->depth = f->depth > DEEPEST ? 1 : f->depth;
}

struct meetings {
	struct arena *arena;
	LIST(struct meeting) all;
};

static void note_meeting(void *user, struct expr *e)
{
	struct meetings *met = user;

	list_add(met->arena, &met->all, (struct meeting){e, met->all.n});
}

/* All expressions within exprs, with everything but uses; arguments before what uses them. Their order is that of the
 * text, so that a graph that is read back gives the same code. */
static void collect_facts(struct facts *facts, struct expr *const *exprs, int n)
{
	struct meetings met = {.arena = facts->body->e->arena};
	struct expr **first; /* by the number of a meeting; NULL: met before */
	int kept = 0, place = 0;

	for (int i = 0; i < n; i++)
		ex_visit(facts->body->e->g, exprs[i], note_meeting, &met);
	first = arena_array(met.arena, (size_t)met.all.n + 1, sizeof *first);
	if (met.all.n)
		qsort(met.all.item, (size_t)met.all.n, sizeof *met.all.item, compare_meetings);
	for (int i = 0; i < met.all.n; i++)
		if (i == 0 || met.all.item[i].expr != met.all.item[i - 1].expr) {
			first[met.all.item[i].at] = (struct expr *)met.all.item[i].expr;
			met.all.item[kept++] = met.all.item[i];
		}
	facts->item = arena_array(met.arena, (size_t)kept + 1, sizeof *facts->item);
	facts->by_id = met.all.item;
	facts->n = kept;
	for (int i = 0; place < kept; i++)
		if (first[i])
			facts->item[place++].expr = first[i];
	for (int i = 0; i < kept; i++)
		find_meeting(facts, facts->item[i].expr)->at = i;
	for (int i = 0; i < kept; i++)
		learn(facts, &facts->item[i]);
}

static const char *temp_name(struct body *b, const struct expr *e)
{
	static const char *const names[EX_COUNT] = {
		[EX_ADD] = "total",	[EX_SUB] = "difference", [EX_MUL] = "product",	[EX_DIV] = "ratio",
		[EX_POW] = "power",	[EX_NEG] = "opposite",	 [EX_MIN] = "least",	[EX_MAX] = "most",
		[EX_DRAW] = "drawn",	[EX_SELECT] = "chosen",	 [EX_EXP] = "growth",	[EX_LOG] = "logarithm",
		[EX_SQRT] = "root",	[EX_TO_REAL] = "number", [EX_TO_INT] = "whole", [EX_FLOORDIV] = "quotient",
		[EX_MOD] = "remainder", [EX_ABS] = "size",
	};
	const char *want = names[e->op];

	if (e->elem == ELEM_BOOL)
		want = "test";
	else if (e->op == EX_READ)
		want = arena_printf(b->e->arena, "this_%s", base_name(b, e->tensor));
	else if (e->elem == ELEM_INT && !want)
		want = "place";
	if (!want)
		want = arena_printf(b->e->arena, "%s_value", ex_name(e->op));
	return new_name(b->e, &b->scope, b->suffix ? arena_printf(b->e->arena, "%s%s", want, b->suffix) : want);
}

void declare_constant(struct body *b, enum elem elem, const char *name, const char *value)
{
	const struct text *out = b->e->out;
	size_t from = out->n;

	write_line(b->e, "const %s %s = %s;", elem_type(b->e, elem), name, value);
	list_add(b->e->arena, &b->declared,
		 (struct declared){name, arena_copy(b->e->arena, out->at + from, out->n - from), from});
}

/* From the last to the first, since what one of them is made of may be used by nothing else. */
void drop_unused_constants(struct body *b)
{
	struct text *out = b->e->out;

	for (int i = b->declared.n - 1; i >= 0; i--) {
		const struct declared *d = &b->declared.item[i];
		size_t n = strlen(d->text);

		if (d->at + n > out->n || memcmp(out->at + d->at, d->text, n) != 0 ||
		    mentions(out->at + d->at + n, d->name))
			continue;
		memmove(out->at + d->at, out->at + d->at + n, out->n - d->at - n + 1);
		out->n -= n;
		for (int k = 0; k < b->e->blocks.n; k++) /* that are open behind it */
			if (b->e->blocks.item[k].end > d->at)
				b->e->blocks.item[k].end -= n;
	}
	b->declared.n = 0;
}

static void declare(struct body *b, struct expr *e)
{
	const char *text = expr_text(b, e), *name = temp_name(b, e);

	declare_constant(b, e->elem, name, text);
	list_add(b->e->arena, &b->temps, (struct temp){e, name});
}

/* Uses and sureness flow from what uses to what is used. A chosen expression is printed once more only by name. */
static void count_uses(struct facts *facts, struct expr *const *exprs, int n)
{
	for (int i = 0; i < n; i++) {
		struct fact *root = find_fact(facts, exprs[i]);

		root->uses++;
		root->sure = true;
	}
	for (int k = facts->n - 1; k >= 0; k--) {
		struct fact *f = &facts->item[k];

		if (!f->uses || (f->expr->n && has_temp(facts->body, f->expr)))
			continue;
		for (int i = 0; i < f->expr->n; i++) {
			struct fact *part = find_fact(facts, f->expr->arg[i]);

			part->uses += times_printed(f->expr, i);
			part->sure |= f->sure && !is_side(f->expr, i);
		}
	}
}

/* An access, or a choice of accesses, on a side of a choice that is as well made whichever side is taken: loops with
 * such branches run in vectors only if nothing but arithmetic depends on them. */
static bool is_loaded_first(const struct body *b, const struct fact *f)
{
	const struct expr *e = f->expr;
	bool load = e->op == EX_READ && !e->guarded, choice = e->op == EX_SELECT && e->elem == ELEM_REAL && !f->costly;

	if ((!load && !choice) || e->elem == ELEM_BOOL || f->sure || !f->safe || b->group->written_out ||
	    !(e->slots & ~(uint64_t)1))
		return false;
	for (int i = 0; load && i < b->locals.n; i++)
		if (b->locals.item[i].tensor == e->tensor)
			return false;
	return true;
}

/* Variables for what is used more than once, or too deep. */
static void share(struct body *b, struct expr *const *exprs, int n)
{
	struct facts facts = {.body = b};

	collect_facts(&facts, exprs, n);
	count_uses(&facts, exprs, n);
	for (int i = 0; i < facts.n; i++) {
		struct fact *f = &facts.item[i];
		bool deep = f->depth == 1 && f->expr->n && find_fact(&facts, f->expr->arg[0])->depth == DEEPEST;

		if (!f->uses || has_temp(b, f->expr))
			continue;
		if ((f->uses > 1 || deep) && f->expr->n + (f->expr->op == EX_DRAW) > 0 && (f->sure || f->safe) &&
		    !is_plain(f->expr))
			declare(b, f->expr);
		else if (is_loaded_first(b, f))
			declare(b, f->expr);
	}
}

/* The largest parts that do not depend on loops to come and are worth computing before them. */
static void hoist(struct body *b, struct expr *const *exprs, int n, bool cheap_too)
{
	struct facts facts = {.body = b};
	expr_list chosen = {0};

	collect_facts(&facts, exprs, n);
	count_uses(&facts, exprs, n);
	for (int k = facts.n - 1; k >= 0; k--) {
		struct fact *f = &facts.item[k];
		bool worth = f->costly || (cheap_too && (f->expr->op == EX_READ || f->expr->op == EX_MUL));

		if (!f->uses || has_temp(b, f->expr))
			continue;
		f->chosen = worth && !f->bound && f->safe && f->expr->elem == ELEM_REAL && !(f->expr->slots & ~b->open);
		if (f->chosen)
			list_add(b->e->arena, &chosen, f->expr);
		for (int i = 0; f->chosen && i < f->expr->n; i++) /* what is within it needs no variable of its own */
			find_fact(&facts, f->expr->arg[i])->uses -= times_printed(f->expr, i);
	}
	if (!chosen.n)
		return;
	share(b, chosen.item, chosen.n);
	for (int i = chosen.n - 1; i >= 0; i--)
		if (!has_temp(b, chosen.item[i]))
			declare(b, chosen.item[i]);
}

void write_temps(struct body *b, struct expr *const *exprs, int n, enum temps which)
{
	if (which == TEMPS_HERE)
		share(b, exprs, n);
	else
		hoist(b, exprs, n, which == TEMPS_BEFORE_INNERMOST);
}
