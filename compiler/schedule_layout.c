/* schedule_layout.c - in what order values lie in memory: an index that windows do not move may come last.
 *
 *     y[batch, o, i, j] = sum[a, u, v] w[o, a, u, v] * x[batch, a, i + u, j + v]
 *
 * Vectors along j are unaligned in x, as many as a row has places, and a sum over places has no long run in memory.
 * With the channels last there are none of these, and sums over v and a move like one:
 *
 *     y[batch, i, j, o] = sum[a, u, v] w[o, a, u, v] * x[batch, i + u, j + v, a]
 *
 * Which axes go together, and may come last, schedule_classes.c says; whether they do is decided by what the sums of
 * products would cost with them and without them. Inputs and views have copies.
 *
 * requires  the equations of a part in order, as the graph has them
 * gives     the same list, or one in which some values have their axes in another order */
#include "schedule_layout.h"

#include "expr.h"

#include <math.h>

/* ---- equations in other layouts ---- */

struct turning {
	struct layouts *l;
	uint32_t chosen; /* candidates */
};

/* The axis of a tensor that is to come last, the longest of those chosen. */
static int last_axis(const struct turning *turn, const struct value *value)
{
	struct layouts *l = turn->l;
	int last = value->last;
	int64_t longest = 0;

	for (int a = 1; a < value->last; a++)
		for (int k = 0; k < l->n_candidate; k++)
			if (turn->chosen >> k & 1 && find_class(l, value->first + a) == l->candidate[k] &&
			    value->old->axis[a].extent > longest) {
				last = a;
				longest = value->old->axis[a].extent;
			}
	return last;
}

/* The place of an axis where another one, or itself, is put last. */
static int place_of(int axis, int last, int rank) { return axis == last ? rank - 1 : axis - (axis > last); }

/* The tensor with an axis last. */
static struct tensor *turned(struct layouts *l, struct value *value, int last)
{
	const struct tensor *old = value->old;
	struct axis axis[MAX_SLOTS];
	struct tensor *t = value->with_last[last];

	if (t)
		return t;
	for (int a = 0; a < old->rank; a++)
		axis[place_of(a, last, old->rank)] = old->axis[a];
	t = make_tensor(l->w.p, old, ROLE_VALUE,
			value->copied ? arena_printf(l->arena, "%s.turned", old->name) : old->name, old->rank, axis);
	t->of = NULL;
	t->batched = old->batched;
	take_type(t, old);
	return value->with_last[last] = t;
}

static struct expr *turn_read(void *user, struct expr *read)
{
	const struct turning *turn = user;
	struct value *value = value_of(turn->l, read->tensor);
	int last = value ? last_axis(turn, value) : -1, rank = read->tensor->rank;
	struct expr *sub[MAX_SLOTS];

	if (!value || last == value->last)
		return read;
	for (int a = 0; a < rank; a++)
		sub[place_of(a, last, rank)] = read->arg[a];
	return ex_read(turn->l->w.g, turned(turn->l, value, last), sub, read->guarded ? read->arg[rank] : NULL);
}

static struct equation *turn_equation(struct turning *turn, struct equation *eq)
{
	struct layouts *l = turn->l;
	struct value *value = value_of(l, eq->tensor);
	struct expr *map[MAX_SLOTS], *e = ex_map_reads(l->w.g, eq->value, turn_read, turn);
	struct index index[MAX_SLOTS];
	int last = value ? last_axis(turn, value) : -1;

	if (!value || last == value->last)
		return e == eq->value
			       ? eq
			       : graph_equation(l->w.g, eq->tensor, eq->red, eq->nfree, eq->n, eq->index, e, eq->at);
	for (int s = 0; s < eq->n; s++) {
		int place = s < eq->nfree ? place_of(s, last, eq->nfree) : s;

		map[s] = ex_index(l->w.g, place);
		index[place] = eq->index[s];
	}
	return graph_equation(l->w.g, turned(l, value, last), eq->red, eq->nfree, eq->n, index,
			      ex_substitute(l->w.g, e, map, eq->n), eq->at);
}

/* x.turned[batch, i, j, a] = x[batch, a, i, j] */
static struct equation *copy_turned(struct layouts *l, struct value *value, int last)
{
	struct tensor *t = turned(l, value, last);
	struct index index[MAX_SLOTS];
	struct expr *sub[MAX_SLOTS];

	for (int a = 0; a < t->rank; a++)
		index[a] = (struct index){.name = t->axis[a].rows ? "batch" : arena_printf(l->arena, "i%d", a),
					  .extent = t->axis[a].extent,
					  .rows = t->axis[a].rows};
	for (int a = 0; a < t->rank; a++)
		sub[a] = ex_index(l->w.g, place_of(a, last, t->rank));
	return graph_equation(l->w.g, t, RED_NONE, t->rank, t->rank, index, ex_read(l->w.g, value->old, sub, NULL),
			      t->at);
}

/* ---- the choice ---- */

static double cycles_of(struct turning *turn, struct equation *eq)
{
	const struct operands *w = &turn->l->w;
	double cycles[2] = {0};

	sum_in_best_form(&turn->l->w, turn_equation(turn, eq), cycles);
	return cycles[w->part == PART_INFERENCE]; /* one row has the least work for each copy of a weight */
}

/* Candidates that an equation's tensors have. */
static uint32_t classes_of(struct layouts *l, const struct equation *eq)
{
	uint32_t classes = 0;
	expr_list reads = {0};

	collect_reads(l->w.g, eq->value, &reads);
	for (int i = -1; i < reads.n; i++) {
		const struct value *value = value_of(l, i < 0 ? eq->tensor : reads.item[i]->tensor);

		for (int k = 0; value && k < l->n_candidate; k++)
			for (int a = 0; a < value->last; a++)
				classes |= (uint32_t)(find_class(l, value->first + a) == l->candidate[k]) << k;
	}
	return classes;
}

/* What tiles take at least for the products of an equation, 0 where that is not known: quotients become phases, and an
 * index that moves one factor only may be summed over in a copy. */
static double least_cycles(struct layouts *l, struct equation *eq)
{
	struct product product = {0};
	double work = 1;
	uint64_t both;

	if (ex_has(eq->value, EX_FLOORDIV) || ex_has(eq->value, EX_MOD))
		return 0;
	l->w.eq = eq;
	find_product(&l->w, &product);
	if (product.factors.n != 2)
		return 0;
	both = product.factors.item[0]->slots & product.factors.item[1]->slots;
	for (int s = 0; s < eq->n; s++)
		if ((s < eq->nfree || both >> s & 1) && !(eq->index[s].rows && l->w.part == PART_INFERENCE))
			work *= (double)eq->index[s].extent;
	return work / l->w.p->machine[0].lanes * l->w.p->machine[0].rate;
}

/* What all sums cost, those that have none of the changed classes as before; INFINITY where that is surely more than
 * so much. */
static double total_cycles(struct turning *turn, uint32_t changed, double most, double *each)
{
	const double rounding = 1 + 1e-9;
	struct layouts *l = turn->l;
	double total = 0, least = 0;

	for (int i = 0; i < l->sums.n; i++) {
		const struct sum *sum = &l->sums.item[i];

		least += sum->classes & changed ? sum->least : sum->cycles;
	}
	for (int i = 0; i < l->sums.n; i++) {
		const struct sum *sum = &l->sums.item[i];

		if (least > most * rounding)
			return INFINITY;
		each[i] = sum->classes & changed ? cycles_of(turn, sum->eq) : sum->cycles;
		total += each[i];
		least += sum->classes & changed ? each[i] - sum->least : 0;
	}
	return total;
}

static void keep_cycles(struct layouts *l, const double *each)
{
	for (int i = 0; i < l->sums.n; i++)
		l->sums.item[i].cycles = each[i];
}

/* What the sums cost that have one of these classes. */
static double touched(const struct layouts *l, uint32_t classes)
{
	double cycles = 0;

	for (int i = 0; i < l->sums.n; i++)
		cycles += l->sums.item[i].classes & classes ? l->sums.item[i].cycles : 0;
	return cycles;
}

/* None or all of the candidates, then each the other way if that is better by a tenth for the sums that have it: of
 * layouts that differ from value to value less is known. */
static uint32_t choose(struct layouts *l)
{
	struct turning turn = {l, 0};
	const uint32_t all = (uint32_t)((uint64_t)1 << l->n_candidate) - 1;
	/* backward, other passes gain as well */
	const double better = l->w.part == PART_INFERENCE ? 0.95 : 1;
	double *each = arena_array(l->arena, (size_t)l->sums.n + 1, sizeof *each), least, cost;

	for (int i = 0; i < l->sums.n; i++) {
		l->sums.item[i].classes = classes_of(l, l->sums.item[i].eq);
		l->sums.item[i].least = least_cycles(l, l->sums.item[i].eq);
	}
	turn.chosen = all;
	least = total_cycles(&turn, all, INFINITY, each);
	keep_cycles(l, each);
	turn.chosen = 0;
	cost = total_cycles(&turn, all, least / better, each);
	if (least < better * cost) {
		turn.chosen = all;
	} else {
		least = cost;
		keep_cycles(l, each);
	}
	for (int k = 0; k < l->n_candidate; k++) {
		const uint32_t one = (uint32_t)1 << k;
		double gain = 0.1 * touched(l, one);

		turn.chosen ^= one;
		cost = total_cycles(&turn, one, least - gain, each);
		if (least - cost > gain) {
			least = cost;
			keep_cycles(l, each);
		} else {
			turn.chosen ^= one;
		}
	}
	return turn.chosen;
}

/* The copy of an input or a view, if there is to be one. */
static void add_copy(struct turning *turn, const struct tensor *t, equation_list *out)
{
	struct value *value = value_of(turn->l, t);
	int last = value ? last_axis(turn, value) : -1;

	if (value && last != value->last)
		list_add(turn->l->arena, out, copy_turned(turn->l, value, last));
}

equation_list give_layouts(struct program *p, enum part part, const equation_list *list)
{
	struct layouts l = {.w = {.p = p, .g = p->g, .part = part}, .arena = &p->g->ctx->arena};
	struct turning turn = {&l, 0};
	equation_list out = {0};

	l.w.out = l.w.first = &out;
	if (!p->n_machine || p->g->no_operands || p->g->ctx->options->unroll == NNC_UNROLL_ALL ||
	    !has_windows(&l, list))
		return *list;
	find_values(&l, list);
	find_candidates(&l, list);
	if (l.n_candidate)
		turn.chosen = choose(&l);
	for (int i = 0; turn.chosen && i < l.values.n; i++)
		if (l.values.item[i].old->role == ROLE_INPUT)
			add_copy(&turn, l.values.item[i].old, &out);
	for (int i = 0; turn.chosen && i < list->n; i++) {
		struct equation *eq = list->item[i];

		list_add(l.arena, &out, eq->kind == EQ_MAP ? turn_equation(&turn, eq) : eq);
		if (eq->kind == EQ_VIEW)
			add_copy(&turn, eq->tensor, &out);
	}
	for (int i = 0; i < l.values.n; i++)
		remove_value(l.values.item[i].old);
	return turn.chosen ? out : *list;
}
