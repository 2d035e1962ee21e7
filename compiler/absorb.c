/* absorb.c - factors that no row changes, taken out of what inference computes for every row.
 *
 * A normalisation by running statistics, a scale behind a layer, a weight that has a length of its own: they are values
 * that are affine in something of the row, with a scale and a shift that only params and states are in,
 *
 *   y[batch, c] = f(scale[c] * x[batch, c] + shift[c])         x[batch, c] = sum[k] weight[c, k] * u[batch, k]
 *
 * Where x is a sum of products that nothing else reads, the scale goes into its weight,
 *
 *   weight.scaled[c, k] = weight[c, k] * scale[c]              x[batch, c] = sum[k] weight.scaled[c, k] * u[batch, k]
 *
 * provided that the weight has the scale's indices among its subscripts. It is done once a call, so only with a weight
 * that is no larger than a row of x, and not where there is a recurrence, since a call may be for one step of it; with
 * embedded weights (embed.c) it is done while compiling and always pays. Elsewhere the value stays a difference times a
 * scale, as the difference may be small, and what takes some work of that becomes a tensor, computed once a call. */
#include "absorb.h"
#include "expr.h"

enum { MAX_NODES = 200 /* of a value that is looked at */ };

/* ---- what no row changes ---- */

static bool is_fixed_role(const struct absorbing *w, const struct tensor *t)
{
	switch (t->role) {
	case ROLE_PARAM:
	case ROLE_FROZEN:
	case ROLE_DATA: return true;
	case ROLE_SETTING: return !w->known;
	case ROLE_STATE: return !t->batched && !(w->known && usage_of(t)->moves);
	default: return false;
	}
}

static void note_next(void *user, struct equation *eq)
{
	(void)user;
	if (eq->tensor->role == ROLE_NEXT)
		usage_of(eq->tensor->of)->moves = true;
}

static void note_reader(void *user, struct expr *read)
{
	(void)user;
	usage_of(read->tensor)->reads++;
}

static void note_readers(void *user, struct equation *eq)
{
	struct absorbing *w = user;

	if (eq->kind == EQ_VIEW)
		usage_of(eq->tensor->of)->reads++;
	if (eq->value)
		ex_visit_reads(w->g, eq->value, note_reader, NULL);
	for (int d = 0; eq->target && d < eq->tensor->rank; d++)
		ex_visit_reads(w->g, eq->target[d], note_reader, NULL);
}

/* usage.of_params, .moves and .reads of all tensors. What a scan computes counts as the row's. */
static void find_fixed(struct absorbing *w)
{
	visit_equations(w->list->item, w->list->n, note_next, NULL);
	visit_equations(w->list->item, w->list->n, note_readers, w);
	for (int i = 0; i < w->g->tensors.n; i++)
		usage_of(w->g->tensors.item[i])->of_params = is_fixed_role(w, w->g->tensors.item[i]);
	for (int i = 0; i < w->list->n; i++) {
		const struct equation *eq = w->list->item[i];
		struct usage *u = eq->tensor ? usage_of(eq->tensor) : NULL;

		w->stepped |= eq->kind == EQ_SCAN;
		if (eq->kind == EQ_VIEW)
			u->of_params = usage_of(eq->tensor->of)->of_params;
		else if (eq->kind == EQ_MAP && eq->tensor->role == ROLE_VALUE && u->definitions == 1)
			u->of_params = !eq->tensor->total && is_of_params(w, eq->value, eq->index);
		for (int p = 0; eq->kind == EQ_MAP && p < eq->n; p++)
			u->of_params &= !eq->index[p].rows;
	}
}

/* ---- new equations ---- */

static void insert(struct absorbing *w, int at, struct equation *eq)
{
	list_add(&w->g->ctx->arena, w->list, eq);
	for (int i = w->list->n - 1; i > at; i--)
		w->list->item[i] = w->list->item[i - 1];
	w->list->item[at] = eq;
	w->at += at <= w->at;
}

static bool holds(const struct equation *at, const struct equation *eq)
{
	bool found = at == eq;

	for (int k = 0; at->kind == EQ_SCAN && k < at->scan->n && !found; k++)
		found = holds(at->scan->body[k], eq);
	return found;
}

int place_of(const struct absorbing *w, const struct equation *eq)
{
	int i = 0;

	while (i < w->list->n && !holds(w->list->item[i], eq))
		i++;
	return i;
}

int move_before(struct absorbing *w, int at, struct expr *value)
{
	expr_list reads = {0};

	collect_reads(w->g, value, &reads);
	for (int i = 0; i < reads.n; i++) {
		struct equation *eq = usage_of(reads.item[i]->tensor)->definition;
		int from = eq ? place_of(w, eq) : w->list->n;

		if (from == w->list->n || from <= at)
			continue;
		if (eq->value)
			at = move_before(w, at, eq->value);
		for (int k = place_of(w, eq); k > at; k--)
			w->list->item[k] = w->list->item[k - 1];
		w->list->item[at++] = eq;
	}
	return at;
}

struct tensor *new_tensor(struct absorbing *w, const char *base, const char *role, const char *layer, int rank,
			  const struct index *index)
{
	struct graph *g = w->g;
	struct arena *arena = &g->ctx->arena;
	struct axis axis[MAX_SLOTS];
	struct tensor *t;

	for (int d = 0; d < rank; d++)
		axis[d] = (struct axis){index[d].extent, false};
	t = graph_tensor(g, ROLE_VALUE, arena_printf(arena, "%s.%s", base, role), ELEM_REAL, false, rank, axis,
			 w->eq->at);
	t->layer = layer;
	t->pass = arena_alloc(arena, sizeof(struct usage));
	usage_of(t)->of_params = true;
	usage_of(t)->definitions = 1;
	return t;
}

void define_tensor(struct absorbing *w, int at, struct tensor *t, const struct index *index, struct expr *value)
{
	struct equation *eq = graph_equation(w->g, t, RED_NONE, t->rank, t->rank, index, value, w->eq->at);

	usage_of(t)->definition = eq;
	insert(w, at, eq);
	w->changed = true;
}

int64_t count_points(const struct equation *eq, bool one_row)
{
	int64_t n = 1;

	for (int p = 0; p < eq->n; p++)
		if (!(one_row && eq->index[p].rows) && __builtin_mul_overflow(n, eq->index[p].extent, &n))
			return INT64_MAX;
	return n;
}

/* The last param or state in e that belongs to a layer, or the tensor of the equation. */
static const struct tensor *layer_tensor(const struct absorbing *w, struct expr *e)
{
	expr_list reads = {0};

	collect_reads(w->g, e, &reads);
	for (int i = reads.n - 1; i >= 0; i--)
		if (reads.item[i]->tensor->role != ROLE_VALUE && *reads.item[i]->tensor->layer)
			return reads.item[i]->tensor;
	return w->eq->tensor;
}

struct expr *set_apart(struct absorbing *w, struct expr *e, const char *role, int64_t least)
{
	struct expr *map[MAX_SLOTS] = {0}, *sub[MAX_SLOTS];
	struct index index[MAX_SLOTS];
	const struct tensor *of;
	struct tensor *t;
	int64_t size = 1;
	int rank = 0, reads = 0;

	if (!e || !is_work(e, &reads))
		return e;
	for (int p = 0; p < w->eq->n; p++)
		if (e->slots >> p & 1) {
			size *= w->eq->index[p].extent;
			map[p] = ex_index(w->g, rank);
			sub[rank] = ex_index(w->g, p);
			index[rank++] = w->eq->index[p];
		}
	if (size >= least)
		return e;
	of = layer_tensor(w, e);
	t = new_tensor(w, of->role == ROLE_VALUE ? of->name : of->layer, role, of->layer, rank, index);
	define_tensor(w, w->at, t, index, ex_substitute(w->g, e, map, w->eq->n));
	return ex_read(w->g, t, sub, NULL);
}

struct expr *set_apart_of_rows(struct absorbing *w, struct expr *e, const char *role)
{
	int64_t steps = count_points(w->eq, false), row = count_points(w->eq, true);

	return set_apart(w, e, role, row < steps ? row + 1 : steps);
}

/* ---- an equation ---- */

static struct expr *write_form(void *user, const struct expr *e)
{
	struct absorbing *w = user;
	struct graph *g = w->g;
	struct form form;
	struct expr *value;

	if (!contains_part(e, w->read))
		return (struct expr *)e;
	if (!find_form(w, (struct expr *)e, &form))
		return NULL;
	if (w->absorbed) {
		value = set_apart_of_rows(w, whole_shift(g, &form, w->factor), "shift");
		return add_terms(g, EX_ADD, add_terms(g, EX_ADD, w->read, value), form.rest);
	}
	if (!w->factor)
		w->factor = set_apart_of_rows(w, w->scale, "scale");
	value = add_terms(g, EX_ADD, w->read, set_apart_of_rows(w, form.before, "offset"));
	value = add_terms(g, EX_ADD, ex2(g, EX_MUL, value, w->factor), set_apart_of_rows(w, form.shift, "shift"));
	return add_terms(g, EX_ADD, value, form.rest);
}

/* Sums and multiples are looked at from what they are sums and multiples of. */
static bool is_term(const struct absorbing *w, const struct expr *e)
{
	switch (e->op) {
	case EX_ADD:
	case EX_SUB:
	case EX_MUL:
	case EX_DIV:
	case EX_NEG: return false;
	default: return e->elem == ELEM_REAL && !is_of_params(w, e, w->eq->index);
	}
}

/* Write the value in terms of one of its parts, where that is less work. */
static void absorb_scale(struct absorbing *w, struct expr *part)
{
	struct equation *eq = w->eq;
	struct expr *value;
	int before = w->list->n;
	bool work = false;

	w->read = part;
	w->factor = NULL;
	for (int try = 0; try < 2; try++) {
		w->no_literals = try;
		w->scale = NULL;
		work = false;
		if (find_scale(w, eq->value, &work))
			break;
		w->scale = NULL;
	}
	if (!w->scale)
		return;
	w->absorbed = !ex_is_num(w->scale, 1) && part->op == EX_READ && !part->guarded && scale_sum(w);
	if (!w->absorbed && !work)
		return;
	value = ex_rewrite(w->g, eq->value, write_form, NULL, w);
	if (w->absorbed || w->list->n > before)
		eq->value = value;
}

static int count_nodes(const struct expr *e, int most)
{
	int n = 1;

	for (int k = 0; k < e->n && n <= most; k++)
		n += count_nodes(e->arg[k], most - n);
	return n;
}

static void absorb_scales(void *user, struct equation *eq)
{
	struct absorbing *w = user;
	expr_list parts = {0};

	w->eq = eq;
	if (eq->kind != EQ_MAP || usage_of(eq->tensor)->of_params || !eq->tensor->batched ||
	    eq->value->elem != ELEM_REAL || count_nodes(eq->value, MAX_NODES) > MAX_NODES)
		return;
	collect_exprs(w->g, eq->value, &parts);
	for (int i = 0; i < parts.n; i++)
		if (is_term(w, parts.item[i]))
			absorb_scale(w, parts.item[i]);
}

void find_of_params(struct graph *g, bool known)
{
	struct absorbing w = {.g = g, .known = known, .list = &g->part[PART_INFERENCE]};

	find_fixed(&w);
}

bool absorb(struct graph *g, bool known)
{
	struct absorbing w = {.g = g, .known = known, .list = &g->part[PART_INFERENCE]};

	find_fixed(&w);
	for (w.at = 0; w.at < w.list->n; w.at++)
		visit_equations(&w.list->item[w.at], 1, absorb_scales, &w);
	return w.changed;
}
