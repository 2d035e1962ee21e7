/* emit_unrolled_value.c - the value of one element, whose indices are numbers: its terms joined, or compared one by
 * one. */
#include "emit_unrolled.h"

bool is_row_slot(const struct body *b, const struct equation *eq, int slot)
{
	return eq->index[slot].rows && !b->one_row;
}

static bool stays_index(const struct body *b, const struct equation *eq, int slot)
{
	return is_row_slot(b, eq, slot) || is_step(eq, count_steps(b->group), slot);
}

void set_place(struct body *b, struct place_values *v, const struct equation *eq, int slot, int64_t value)
{
	v->value[slot] = value;
	v->slot[slot] = stays_index(b, eq, slot) ? NULL : ex_int(b->e->g, value);
}

static int64_t rounds(const struct index *index) { return index->rows ? 1 : index->extent; }

bool advance_place(struct body *b, struct place_values *v, const struct equation *eq, const int *slots, int n)
{
	for (int k = n - 1; k >= 0; k--) {
		if (v->value[slots[k]] + 1 < rounds(&eq->index[slots[k]])) {
			set_place(b, v, eq, slots[k], v->value[slots[k]] + 1);
			return true;
		}
		set_place(b, v, eq, slots[k], 0);
	}
	return false;
}

static struct expr *value_at(struct body *b, const struct equation *eq, const struct place_values *v)
{
	return ex_substitute(b->e->g, eq->value, v->slot, eq->n);
}

/* The bound slots but rows, in the order of the stage's loops. */
static int bound_slots(const struct body *b, const struct stage *stage, int *slots)
{
	int n = 0;

	for (int k = 0; k < stage->n_loop; k++)
		if (stage->loop[k] >= stage->eq->nfree && !is_row_slot(b, stage->eq, stage->loop[k]))
			slots[n++] = stage->loop[k];
	return n;
}

static bool is_neutral_value(enum reducer red, const struct expr *e)
{
	return (red == RED_SUM && ex_is_num(e, 0)) || (red == RED_PROD && ex_is_num(e, 1));
}

/* The function that each of the terms is, where compilers can make vectors of its calls; NULL: there is none. */
static const char *shared_function(struct body *b, const expr_list *terms)
{
	enum { PAYS = 8 /* terms from which on an array is no detour */ };
	const struct expr *first = terms->item[0];

	if (terms->n < PAYS || b->e->options->tiles || first->elem != ELEM_REAL || first->n != 1)
		return NULL;
	for (int i = 1; i < terms->n; i++)
		if (terms->item[i]->op != first->op)
			return NULL;
	return fast_math_name(b->e, ex_name(first->op));
}

/* The terms, one function of different values, which is computed in a loop over them. */
static const char *called_terms(struct body *b, const struct equation *eq, const expr_list *terms, const char *function)
{
	struct emitter *e = b->e;
	const char *name = new_name(e, &b->scope, arena_printf(e->arena, "%s_term", base_name(b, eq->tensor)));
	const char *k = new_name(e, &b->scope, "k");
	struct text values = {.arena = e->arena}, out = {.arena = e->arena};
	expr_list args = {0};

	for (int i = 0; i < terms->n; i++)
		list_add(e->arena, &args, terms->item[i]->arg[0]);
	write_temps(b, args.item, args.n, TEMPS_HERE);
	for (int i = 0; i < args.n; i++) {
		text_printf(&values, "%s%s", i ? ", " : "", expr_text(b, args.item[i]));
		text_printf(&out, "%s%s[%d]", i == 0 ? "" : eq->red == RED_SUM ? " + " : " * ", name, i);
	}
	write_line(e, "%s %s[%d] = {%s};", e->real, name, args.n, values.at);
	open_block(e, "for (int %s = 0; %s < %d; %s++) {", k, k, args.n, k);
	write_line(e, "%s[%s] = %s(%s[%s]);", name, k, function, name, k);
	close_block(e, "}");
	return out.at;
}

const char *joined_terms(struct body *b, const struct stage *stage, struct place_values *v)
{
	const struct equation *eq = stage->eq;
	struct text out = {.arena = b->e->arena};
	expr_list terms = {0};
	int slots[64], n = bound_slots(b, stage, slots);
	bool sum = eq->red == RED_SUM;
	const char *function;

	for (int k = 0; k < n; k++)
		set_place(b, v, eq, slots[k], 0);
	do {
		struct expr *term = value_at(b, eq, v);

		if (!is_neutral_value(eq->red, term))
			list_add(b->e->arena, &terms, term);
	} while (advance_place(b, v, eq, slots, n));
	if (!terms.n)
		return NULL;
	if ((function = shared_function(b, &terms)))
		return called_terms(b, eq, &terms, function);
	write_temps(b, terms.item, terms.n, TEMPS_HERE);
	for (int i = 0; i < terms.n; i++) {
		struct expr *term = terms.item[i];
		bool minus = sum && i > 0 && term->op == EX_NEG;

		if (i > 0)
			text_add(&out, minus ? " - " : sum ? " + " : " * ");
		print_c(b, &out, minus ? term->arg[0] : term, terms.n == 1 ? 0 : !sum ? 13 + (i > 0) : i > 0 ? 13 : 12);
	}
	return out.at;
}

const char *element_suffix(struct body *b, const struct equation *eq, const struct place_values *v)
{
	struct text out = {.arena = b->e->arena};

	for (int s = 0; s < eq->nfree; s++)
		if (!eq->index[s].rows && eq->index[s].extent > 1 && !is_step(eq, count_steps(b->group), s))
			text_printf(&out, "_%lld", (long long)v->value[s]);
	return out.at;
}

const char *element_name(struct body *b, const struct stage *stage, const struct place_values *v)
{
	const char *suffix = element_suffix(b, stage->eq, v);
	const char *base = base_name(b, stage->eq->tensor);

	return new_name(b->e, &b->scope, suffix ? arena_printf(b->e->arena, "%s%s", base, suffix) : base);
}

/* Statements for the largest of the terms of one element, and which it is. */
static const char *extreme_term(struct body *b, const struct stage *stage, struct place_values *v)
{
	const struct equation *eq = stage->eq;
	int slots[64], n = bound_slots(b, stage, slots);
	bool which = eq->red == RED_ARGMAX || eq->red == RED_ARGMIN, first = true;
	const char *name = element_name(b, stage, v), *best = which ? new_name(b->e, &b->scope, "best") : name;
	int winner = 0;

	for (int k = 0; k < n; k++)
		set_place(b, v, eq, slots[k], 0);
	do {
		struct expr *term = value_at(b, eq, v);
		const char *text;

		write_temps(b, &term, 1, TEMPS_HERE);
		text = expr_text(b, term);
		if (first) {
			if (which)
				write_line(b->e, "int32_t %s = 0;", name);
			write_line(b->e, "%s %s = %s;", eq->value->elem == ELEM_REAL ? b->e->real : "int32_t", best,
				   text);
		} else {
			write_accumulate(b, eq, name, best, text,
					 which ? arena_printf(b->e->arena, "%d", winner) : NULL);
		}
		first = false;
		winner++;
	} while (advance_place(b, v, eq, slots, n));
	return name;
}

const char *element_value(struct body *b, const struct stage *stage, struct place_values *v)
{
	struct expr *value;
	const char *text;

	if (stage->eq->red != RED_NONE && !is_variable(stage->eq))
		return (text = joined_terms(b, stage, v)) ? text : neutral_start(b, stage->eq);
	if (stage->eq->red != RED_NONE)
		return extreme_term(b, stage, v);
	value = value_at(b, stage->eq, v);
	write_temps(b, &value, 1, TEMPS_HERE);
	return expr_text(b, value);
}
