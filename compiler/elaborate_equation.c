/* elaborate_equation.c - equations with indices: reads, reducers, extents.
 *
 * While the right side is evaluated, extents are found as its reads are met, so what stands under a reducer cannot be
 * an equation yet: it is kept as pending and read through a placeholder. finish_equation then checks extents and
 * ranges, gives every pending reduction its free indices (those it uses, nothing more), and appends the equations,
 * inner ones first. `y[i] = sum[j] ...` alone becomes one equation. */
#include "elaborate.h"

#include <string.h>

void begin_equation(struct elaborator *E, struct building *b)
{
	*b = (struct building){.n = 1 + E->scans};
	for (int d = 0; d < E->scans; d++)
		b->slot[1 + d] = (struct slot){.name = E->scan[d]->index, .extent = E->scan[d]->trips, .weak = -1};
	b->slot[0] = (struct slot){.name = "batch", .extent = E->g->batch, .rows = true};
	E->eq = b;
}

int find_slot(struct elaborator *E, const char *name)
{
	for (int i = E->eq->n - 1; i > 0; i--)
		if (E->eq->slot[i].visible && E->eq->slot[i].scope == E->scope && E->eq->slot[i].name &&
		    !strcmp(E->eq->slot[i].name, name))
			return i;
	return -1;
}

/* A new index; -1 after an error. name NULL: an axis of `..`, named at the end. */
int add_slot(struct elaborator *E, const char *name, int64_t extent, bool bound, struct span at)
{
	struct building *b = E->eq;
	if (b->n == 64) {
		fail(E, at, "an equation has at most 63 indices");
		return -1;
	}
	struct binding *other = name ? lookup(E, name) : NULL;
	if (other) {
		fail(E, at, "index '%s' has the name of a value that is visible here", name);
		if (other->at.src)
			report_note(E->ctx, other->at, "'%s' is %s from here", name, value_text(E, &other->value));
		return -1;
	}
	if (name && find_slot(E, name) >= 0) {
		fail(E, at, "index '%s' stands here twice", name);
		return -1;
	}
	b->slot[b->n] = (struct slot){.name = name,
				      .extent = extent,
				      .bound = bound,
				      .scope = E->scope,
				      .visible = true,
				      .weak = -1,
				      .at = at,
				      .extent_at = at,
				      .extent_from = "the text"};
	return b->n++;
}

static struct dots *visible_dots(struct elaborator *E)
{
	for (int i = E->eq->dots.n - 1; i >= 0; i--)
		if (E->eq->dots.item[i].scope == E->scope)
			return &E->eq->dots.item[i];
	return NULL;
}

/* Make the indices that `..` stands for. */
static bool fill_dots(struct elaborator *E, struct dots *d, int n, const struct axis *axis)
{
	d->n = n;
	d->first = E->eq->n;
	for (int i = 0; i < n; i++) {
		int s = add_slot(E, NULL, axis ? axis[i].extent : -1, d->bound, d->at);
		if (s < 0)
			return false;
	}
	return true;
}

static void open_dots(struct elaborator *E, bool bound, struct span at)
{
	struct dots d = {.n = -1, .bound = bound, .scope = E->scope, .at = at};
	if (E->scope->dots >= 0)
		fill_dots(E, &d, E->scope->dots, E->scope->dots_axis);
	list_add(&E->ctx->arena, &E->eq->dots, d);
}

/* ---- extents ---- */

static bool unify_extent(struct elaborator *E, int slot, const struct axis *axis, struct span at, const char *from)
{
	struct slot *s = &E->eq->slot[slot];
	if (s->extent < 0) {
		s->extent = axis->extent;
		s->rows = axis->rows;
		s->extent_at = at;
		s->extent_from = from;
		return true;
	}
	if (s->extent == axis->extent)
		return true;
	fail(E, at, "index '%s' runs over %lld here (%s), but over %lld elsewhere", s->name ? s->name : "..",
	     (long long)axis->extent, from, (long long)s->extent);
	if (s->extent_at.src)
		report_note(E->ctx, s->extent_at, "%lld is from %s", (long long)s->extent, s->extent_from);
	return false;
}

/* ---- reads ---- */

static bool wants_slice(struct elaborator *E, const struct node *items, int given, int rank, bool has_dots)
{
	for (int i = 0; i < items->n; i++)
		if (items->kid[i]->kind == NODE_SLICE)
			return true;
	if (has_dots || given >= rank)
		return false;
	for (int i = 0; i < items->n; i++) {
		const struct node *k = items->kid[i];
		if (k->kind != NODE_NUMBER && !(k->kind == NODE_NAME && find_slot(E, k->name) < 0 &&
						lookup(E, k->name) && lookup(E, k->name)->value.kind == VAL_INT))
			return false;
	}
	return true;
}

/* One subscript: an integer expression of the indices. */
static bool read_subscript(struct elaborator *E, const struct node *item, struct expr **out)
{
	struct value v = eval(E, item);
	if (v.kind == VAL_ERROR || !to_indexed(E, item->at, &v))
		return false;
	if (v.expr->elem == ELEM_BOOL)
		v.expr = ex1(E->g, EX_TO_INT, v.expr);
	if (v.expr->elem != ELEM_INT) {
		fail(E, item->at, "a subscript is a whole number; int(x) makes one of a real x");
		return false;
	}
	*out = v.expr;
	return true;
}

static bool read_dots(struct elaborator *E, const struct node *item, int n, const struct axis *axis, const char *name,
		      struct expr **out)
{
	struct dots *d = visible_dots(E);
	if (!d) {
		fail(E, item->at, "'..' stands neither on the left of this equation nor under a reducer around it");
		return false;
	}
	if (d->n < 0 && !fill_dots(E, d, n, NULL))
		return false;
	if (d->n != n) {
		fail(E, item->at, "'..' is %d axes here, %d elsewhere in this %s", n, d->n,
		     E->scope->def ? "definition" : "equation");
		return false;
	}
	for (int i = 0; i < n; i++) {
		if (!unify_extent(E, d->first + i, &axis[i], item->at, name))
			return false;
		out[i] = ex_index(E->g, d->first + i);
	}
	return true;
}

static void add_check(struct elaborator *E, struct expr *sub, int64_t extent, int axis, struct span at,
		      const char *name)
{
	list_add(&E->ctx->arena, &E->eq->checks,
		 (struct range_check){.subscript = sub, .extent = extent, .axis = axis, .at = at, .tensor = name});
}

/* What is subscripted, for messages. */
const char *read_name(const struct node *n) { return n->kid[0]->name ? n->kid[0]->name : "the value"; }

void report_subscripts(struct elaborator *E, struct span at, const char *name, const struct value *v, int given)
{
	int rank = own_rank(v);
	fail(E, at, "'%s' has shape %s: %d subscript%s for %d ax%ss", name, value_shape(E, v), given,
	     given == 1 ? "" : "s", rank, rank == 1 ? "i" : "e");
}

/* `batch` may be written first in any read, and `data` under a reducer over it. */
static bool names_samples(struct elaborator *E, const char *name)
{
	bool data = E->eq && E->eq->slot[E->eq->batch_slot].data;
	return !strcmp(name, "batch") || (data && !strcmp(name, "data"));
}

struct value eval_read(struct elaborator *E, const struct node *n, struct value base)
{
	const struct node *items = n->kid[1], *otherwise = n->n > 2 ? n->kid[2] : NULL;
	bool first = items->n && items->kid[0]->kind == NODE_NAME && names_samples(E, items->kid[0]->name);
	bool has_dots = false;
	int given = 0;
	for (int i = first; i < items->n; i++) {
		has_dots |= items->kid[i]->kind == NODE_DOTS;
		given += items->kid[i]->kind != NODE_DOTS;
	}
	if (E->graph_text && is_batched(&base) && !first)
		base.lead = 0; /* another sample's: x[r, ..] */
	int rank = own_rank(&base);
	const char *name = read_name(n);
	if (!otherwise && wants_slice(E, items, given, rank, has_dots))
		return slice(E, n, base);
	if (has_dots ? given > rank : given != rank) {
		report_subscripts(E, n->at, name, &base, given);
		return error_value();
	}
	struct expr *map[64];
	int leading = 0;
	for (int bit = 0; bit <= E->scans; bit++)
		if (base.lead >> bit & 1)
			map[leading++] = ex_index(E->g, bit ? bit : E->eq->batch_slot);
	int axis = 0;
	for (int i = first; i < items->n; i++) {
		const struct node *item = items->kid[i];
		if (item->kind == NODE_DOTS) {
			if (!read_dots(E, item, rank - given, own_axis(&base) + axis, name, map + leading + axis))
				return error_value();
			axis += rank - given;
			continue;
		}
		struct expr **sub = &map[leading + axis];
		if (!read_subscript(E, item, sub))
			return error_value();
		bool bare =
			item->kind == NODE_NAME && (*sub)->op == EX_INDEX && find_slot(E, item->name) == (*sub)->slot;
		struct slot *s = bare ? &E->eq->slot[(*sub)->slot] : NULL;
		if (bare && otherwise && s->weak < 0) {
			s->weak = own_axis(&base)[axis].extent;
		} else if (bare && !otherwise) {
			bool written =
				s->extent >= 0 && s->extent_at.begin == s->at.begin && s->extent_at.src == s->at.src;
			if (!written && !unify_extent(E, (*sub)->slot, &own_axis(&base)[axis], item->at, name))
				return error_value();
		}
		if (!otherwise)
			add_check(E, *sub, own_axis(&base)[axis].extent, axis + 1, item->at, name);
		axis++;
	}
	struct value out = {.kind = VAL_TENSOR, .indexed = true, .classes = base.classes};
	if (!otherwise) {
		out.expr = ex_substitute(E->g, base.expr, map, base.rank);
		return out;
	}
	struct value e = eval(E, otherwise);
	if (e.kind == VAL_ERROR || !to_indexed(E, otherwise->at, &e))
		return error_value();
	struct tensor *t = E->graph_text && base.expr->op == EX_READ ? base.expr->tensor : NULL;
	if (!t) {
		struct building *saved = E->eq;
		E->eq = NULL;
		t = materialize(E, base, join_path(E, E->scope->path, E->scope->hint), n->at);
		E->eq = saved;
	}
	if (!t)
		return error_value();
	if (t->elem == ELEM_REAL)
		e.expr = ex_real(E->g, e.expr);
	out.classes = 0;
	out.expr = ex_read(E->g, t, map, e.expr);
	if (t->elem == ELEM_INT && t->classes && e.expr->op == EX_INT && e.expr->integer >= 0 &&
	    e.expr->integer < t->classes)
		out.classes = t->classes;
	return out;
}

/* ---- indices of a left side or a reducer ---- */

/* `batch`, or `data`: the samples of the call, or of the whole evaluated set. */
static bool is_samples_index(const struct node *n)
{
	return n->kind == NODE_NAME && (!strcmp(n->name, "batch") || !strcmp(n->name, "data"));
}

/* Declare them; own axes into slot[], `batch` into *batch. `..` opens a frame: marked by -1 in slot[]. */
bool declare_indices(struct elaborator *E, const struct node *items, bool bound, int *slot, int *n, bool *batch)
{
	bool data = false;
	*n = 0;
	for (int i = 0; i < items->n; i++) {
		const struct node *item = items->kid[i], *name = item;
		int64_t extent = -1;
		bool rows = false;
		if (item->kind == NODE_DOTS) {
			open_dots(E, bound, item->at);
			slot[(*n)++] = -1;
			continue;
		}
		if (item->kind == NODE_BINARY && item->op == OP_LT && item->kid[0]->kind == NODE_NAME) {
			name = item->kid[0];
			struct value v = eval(E, item->kid[1]);
			rows = v.kind == VAL_TENSOR && v.expr->op == EX_RUN && v.expr->run == RUN_ROWS;
			extent = E->g->batch;
			if (!rows && !expect_int(E, item->kid[1], v, "an extent", &extent))
				return false;
			if (extent < 1) {
				fail(E, item->kid[1]->at, "the extent of '%s' is %lld, but must be at least 1",
				     name->name, (long long)extent);
				return false;
			}
		}
		if (name->kind != NODE_NAME || strchr(name->name, '.')) {
			fail(E, item->at, "only index names stand here: i, i < n, or ..");
			return false;
		}
		if (!strcmp(name->name, "data") && !bound) {
			fail(E, item->at, "`data` is an index of reducers: sum[data] x");
			return false;
		}
		if (is_samples_index(name)) {
			if (i && !bound) {
				fail(E, item->at, "batch stands first");
				return false;
			}
			if (*batch) {
				fail(E, item->at, "%s stands here %s", name->name,
				     data == !strcmp(name->name, "data") ? "twice"
									 : "beside the other index of the samples");
				return false;
			}
			*batch = true;
			data = !strcmp(name->name, "data");
			continue;
		}
		int s = add_slot(E, name->name, extent, bound, item->at);
		if (s < 0)
			return false;
		E->eq->slot[s].rows = rows;
		slot[(*n)++] = s;
	}
	return true;
}

/* ---- reducers ---- */

static enum reducer reducer_of(const char *name, bool *mean)
{
	static const char *const names[] = {"", "sum", "prod", "max", "min", "argmax", "argmin"};
	*mean = !strcmp(name, "mean");
	for (int r = RED_SUM; r <= RED_ARGMIN; r++)
		if (!strcmp(names[r], name))
			return (enum reducer)r;
	return RED_SUM; /* mean */
}

/* A tensor that stands for a pending result until its axes are known. It is not the graph's; its id is one so that
 * reads of different ones have different hashes. */
static struct tensor *placeholder(struct elaborator *E, const char *name, enum elem elem, struct span at)
{
	struct tensor *t = arena_alloc(&E->ctx->arena, sizeof *t);
	*t = (struct tensor){.name = name, .role = ROLE_VALUE, .elem = elem, .at = at, .layer = E->scope->path};
	t->id = E->g->next_id;
	return t;
}

static struct value add_pending(struct elaborator *E, struct pending p, bool mean)
{
	struct expr *read = ex_read(E->g, p.tensor, NULL, NULL);
	if (mean) {
		p.count = placeholder(E, "count", ELEM_REAL, p.at);
		read = ex2(E->g, EX_DIV, read, ex_read(E->g, p.count, NULL, NULL));
	}
	list_add(&E->ctx->arena, &E->eq->pending, p);
	return (struct value){.kind = VAL_TENSOR, .expr = read, .indexed = true};
}

const char *role_name(struct elaborator *E, const char *role)
{
	const char *hint = E->scope->hint;
	return join_path(E, strcmp(hint, "value") ? join_path(E, E->scope->path, hint) : E->scope->path, role);
}

/* Whether a reducer's samples are those of the whole evaluated set. */
static bool reduces_data(const struct node *items)
{
	for (int i = 0; i < items->n; i++)
		if (items->kid[i]->kind == NODE_NAME && !strcmp(items->kid[i]->name, "data"))
			return true;
	return false;
}

/* The samples' index of a reducer over the batch or the data. It stands among the other slots where it is written,
 * first or last, since that is the order in which the terms are added. */
static void bind_batch(struct elaborator *E, bool data, struct span at)
{
	int s = add_slot(E, NULL, E->g->batch, true, at);
	if (s < 0)
		return;
	E->eq->slot[s] = (struct slot){.name = data ? "data" : "batch",
				       .extent = E->g->batch,
				       .rows = true,
				       .data = data,
				       .bound = true,
				       .scope = E->scope};
	E->eq->batch_slot = s;
}

static struct value reduce(struct elaborator *E, const struct node *n)
{
	struct building *b = E->eq;
	bool mean, over_batch = false, total = reduces_data(n->kid[0]);
	enum reducer red = reducer_of(n->name, &mean);
	if (total && red != RED_SUM && red != RED_MIN && red != RED_MAX) {
		fail(E, n->at, "`data` is reduced by sum, mean, min and max, not by %s", n->name);
		return error_value();
	}
	if (total && E->scans) {
		fail(E, n->at, "`data` is not an index inside a scan: reduce over it behind the scan");
		return error_value();
	}
	int first = b->n, dots = b->dots.n, old_batch = b->batch_slot, slot[64], count;
	bool leads = is_samples_index(n->kid[0]->kid[0]);
	if (leads)
		bind_batch(E, total, n->kid[0]->at);
	bool ok = declare_indices(E, n->kid[0], true, slot, &count, &over_batch);
	if (ok && over_batch && !leads)
		bind_batch(E, total, n->kid[0]->at);
	struct value term = ok ? eval(E, n->kid[1]) : error_value();
	if (term.kind != VAL_ERROR && !to_indexed(E, n->kid[1]->at, &term))
		term = error_value();
	uint64_t bound = 0;
	for (int i = first; i < b->n; i++) {
		/* nested reducers have closed theirs: what is still open here is ours */
		if (b->slot[i].visible || (b->slot[i].rows && i == b->batch_slot && over_batch))
			bound |= (uint64_t)1 << i;
		b->slot[i].visible = false;
	}
	int here = b->batch_slot;
	b->batch_slot = old_batch;
	for (int i = dots; i < b->dots.n; i++)
		if (b->dots.item[i].n < 0 && term.kind != VAL_ERROR) {
			fail(E, b->dots.item[i].at, "'..' is read nowhere under this reducer");
			term = error_value();
		}
	b->dots.n = dots;
	if (term.kind == VAL_ERROR)
		return term;
	bool arg = red == RED_ARGMAX || red == RED_ARGMIN;
	if (arg && !E->graph_text && (count != 1 || over_batch)) {
		fail(E, n->at, "%s takes one index", n->name);
		return error_value();
	}
	struct expr *e = term.expr;
	if (e->elem == ELEM_BOOL)
		e = ex1(E->g, EX_TO_INT, e);
	if (mean)
		e = ex_real(E->g, e);
	struct pending p = {.red = red, .value = e, .bound = bound, .total = total, .batch_slot = here, .at = n->at};
	p.tensor = placeholder(E, role_name(E, mean ? "sum" : n->name), arg ? ELEM_INT : e->elem, n->at);
	struct value out = add_pending(E, p, mean);
	if (arg)
		out.classes =
			-E->eq->pending.n; /* as many as there are terms, once that is known: of pending -1 - classes */
	else if (red == RED_MAX || red == RED_MIN)
		out.classes = term.classes > 0 ? term.classes : 0;
	return out;
}

/* sum[p in "*.weight"] e: over the trained params whose name fits; e is evaluated for each. */
static struct value reduce_params(struct elaborator *E, const struct node *n)
{
	const struct node *match = n->kid[0]->kid[0];
	const char *pattern = match->kid[0]->name;
	if (n->kid[0]->n != 1 || strcmp(n->name, "sum")) {
		fail(E, n->at, "params are reduced as sum[p in \"pattern\"] e");
		return error_value();
	}
	struct value total = int_value(0);
	bool any = false;
	struct building *saved = E->eq;
	E->eq = NULL;
	for (int i = 0; i < E->params.entries.n && total.kind != VAL_ERROR; i++) {
		struct tensor *t = E->params.entries.item[i].value;
		if (t->role != ROLE_PARAM || !matches(pattern, t->name))
			continue;
		struct tensor *grad = NULL;
		for (int k = 0; k < E->g->grads.n; k++)
			if (E->g->grads.item[k]->of == t)
				grad = rule_gradient(E, k);
		if (E->part == PART_UPDATE && !grad)
			continue;
		bind(E, match->name, tensor_value(E, t), match->at);
		if (grad)
			bind(E, join_path(E, match->name, "grad"), tensor_value(E, grad), match->at);
		struct value v = eval(E, n->kid[1]);
		total = v.kind == VAL_ERROR ? v : !any ? v : lift(E, n->at, EX_ADD, 2, (struct value[]){total, v});
		any = true;
	}
	E->eq = saved;
	if (!any && total.kind != VAL_ERROR) {
		fail(E, match->at, "no trained parameter's name fits \"%s\"", pattern);
		return error_value();
	}
	return total;
}

struct value eval_reduce(struct elaborator *E, const struct node *n)
{
	if (n->kid[0]->n && n->kid[0]->kid[0]->kind == NODE_MATCH)
		return reduce_params(E, n);
	if (E->eq)
		return reduce(E, n);
	struct building b;
	begin_equation(E, &b);
	struct value v = reduce(E, n);
	v = finish_equation(E, v, NULL, 0, false, NULL, role_name(E, n->name), n->at);
	E->eq = NULL;
	return v;
}

/* x[2*k else 0] where no equation is being built: one without indices. */
struct value eval_read_alone(struct elaborator *E, const struct node *n, struct value base)
{
	struct building b;
	begin_equation(E, &b);
	struct value v = eval_read(E, n, base);
	v = finish_equation(E, v, NULL, 0, false, NULL, role_name(E, "element"), n->at);
	E->eq = NULL;
	return v;
}

struct value pending_draw(struct elaborator *E, struct span at, enum draw draw, const char *site)
{
	struct building *b = E->eq;
	for (int i = 0; i < b->dots.n; i++)
		if (b->dots.item[i].n < 0) {
			fail(E, at, "'..' must be known before a draw: read a tensor with '..' first");
			return error_value();
		}
	uint64_t uses = 0;
	for (int i = 1; i < b->n; i++)
		if (b->slot[i].visible || i <= E->scans)
			uses |= (uint64_t)1 << i;
	struct pending p = {
		.draw = true, .value = ex_draw(E->g, draw, site), .uses = uses, .batch_slot = b->batch_slot, .at = at};
	p.tensor = placeholder(E, role_name(E, draw == DRAW_NORMAL ? "normal" : "uniform"), ELEM_REAL, at);
	return add_pending(E, p, false);
}

/* ---- finishing ---- */

static struct pending *pending_of(struct building *b, const struct tensor *t, bool *count)
{
	for (int i = 0; i < b->pending.n; i++) {
		*count = b->pending.item[i].count == t;
		if (b->pending.item[i].tensor == t || *count)
			return &b->pending.item[i];
	}
	return NULL;
}

struct usage {
	struct building *b;
	uint64_t slots;
};

static struct expr *note_use(void *user, struct expr *read)
{
	struct usage *u = user;
	bool count;
	struct pending *p = pending_of(u->b, read->tensor, &count);
	if (p && !count)
		u->slots |= p->uses;
	return read;
}

/* Slots that an expression depends on, also through pending results. */
static uint64_t uses_of(struct elaborator *E, struct expr *e)
{
	struct usage u = {E->eq, e->slots};
	ex_map_reads(E->g, e, note_use, &u);
	return u.slots;
}

static struct expr *count_of(struct elaborator *E, const struct pending *p)
{
	struct expr *e = ex_num(E->g, 1);
	for (int i = 0; i < E->eq->n; i++) {
		if (!(p->bound >> i & 1))
			continue;
		struct slot *s = &E->eq->slot[i];
		e = ex2(E->g, EX_MUL, e,
			s->rows ? ex_real(E->g, ex_run(E->g, s->data ? RUN_DATA : RUN_ROWS))
				: ex_num(E->g, (double)s->extent));
	}
	return e;
}

static struct expr *resolve_read(void *user, struct expr *read)
{
	struct elaborator *E = user;
	bool count;
	struct pending *p = pending_of(E->eq, read->tensor, &count);
	return !p ? read : count ? count_of(E, p) : p->read;
}

/* Names for the indices of `..`: letters that the equation does not use. */
static void name_slots(struct building *b)
{
	static const char *const letters[] = {"i", "j", "k", "l", "m", "p", "q", "r", "s",
					      "t", "u", "v", "a", "b", "c", "d", "e"};
	size_t next = 0;
	for (int i = 1; i < b->n; i++) {
		if (b->slot[i].name)
			continue;
		for (bool taken = true; taken && next < sizeof letters / sizeof letters[0]; next++) {
			taken = false;
			for (int k = 0; k < b->n; k++)
				taken |= b->slot[k].name && !strcmp(b->slot[k].name, letters[next]);
			if (!taken)
				b->slot[i].name = letters[next];
		}
		if (!b->slot[i].name)
			b->slot[i].name = "z";
	}
}

void report_outside(struct elaborator *E, struct span at, const char *name, const struct range *r, int64_t extent,
		    int axis)
{
	long long last = (long long)extent - 1;
	if (!r)
		fail(E, at, "the range of this subscript of '%s' is not known (axis %d goes from 0 to %lld)", name,
		     axis, last);
	else if (r->low == r->high)
		fail(E, at, "this subscript of '%s' is %lld, but axis %d goes from 0 to %lld", name, (long long)r->low,
		     axis, last);
	else
		fail(E, at, "this subscript of '%s' runs from %lld to %lld, but axis %d goes from 0 to %lld", name,
		     (long long)r->low, (long long)r->high, axis, last);
	if (r && r->low == r->high && r->low < 0)
		report_note(E->ctx, (struct span){0}, "subscripts count from 0: the last one is %s[%lld]", name, last);
	else if (r && r->low < r->high)
		report_note(E->ctx, (struct span){0},
			    "a value for the places outside stands inside the brackets: %s[.. else 0]", name);
	else if (!r)
		report_note(E->ctx, (struct span){0},
			    "declare the integers as class[n], cut them with clamp, or give a value for the places "
			    "outside: %s[.. else 0]",
			    name);
}

bool check_extents(struct elaborator *E)
{
	struct building *b = E->eq;
	for (int i = 1; i < b->n; i++) {
		struct slot *s = &b->slot[i];
		if (s->extent < 0)
			s->extent = s->weak;
		if (s->extent >= 0)
			continue;
		if (s->name)
			fail(E, s->at, "index '%s' has no extent: no read has it alone as a subscript; write %s < ...",
			     s->name, s->name);
		else
			fail(E, s->at, "the extents of '..' are not known here");
		return false;
	}
	for (int i = 0; i < b->checks.n; i++) {
		struct range_check *c = &b->checks.item[i];
		struct index index[64];
		for (int k = 0; k < b->n; k++)
			index[k] = (struct index){b->slot[k].name, b->slot[k].extent, b->slot[k].rows};
		struct range r;
		bool known = range_of(c->subscript, index, &r);
		if (known && r.low >= 0 && r.high < c->extent)
			continue;
		report_outside(E, c->at, c->tensor, known ? &r : NULL, c->extent, c->axis);
		return false;
	}
	return true;
}

/* The equation of a pending result, with its own compact slots; or, where all is for `into`, that tensor's. */
static void define(struct elaborator *E, struct tensor *t, enum reducer red, const int *order, int nfree,
		   uint64_t bound, struct expr *value, struct span at)
{
	struct building *b = E->eq;
	struct index index[64];
	struct expr *map[64] = {0};
	int n = 0;
	at = user_place(E, at);
	if (t->role == ROLE_VALUE)
		t->at = at;
	for (int i = 0; i < nfree; i++, n++) {
		index[n] = (struct index){b->slot[order[i]].name, b->slot[order[i]].extent, b->slot[order[i]].rows};
		map[order[i]] = ex_index(E->g, n);
	}
	for (int i = 0; i < b->n; i++)
		if (bound >> i & 1) {
			index[n] = (struct index){b->slot[i].name, b->slot[i].extent, b->slot[i].rows};
			map[i] = ex_index(E->g, n++);
		}
	value = ex_substitute(E->g, value, map, b->n);
	emit_equation(E, graph_equation(E->g, t, red, nfree, n, index, value, at));
}

/* Free slots of a set in the order of a tensor's axes: the batch first. */
static int order_slots(uint64_t uses, int batch_slot, int *order)
{
	int n = 0;
	if (uses >> batch_slot & 1)
		order[n++] = batch_slot;
	for (int i = 0; i < 64; i++)
		if (i != batch_slot && uses >> i & 1)
			order[n++] = i;
	return n;
}

static struct tensor *new_tensor(struct elaborator *E, const char *name, enum elem elem, bool batched, const int *order,
				 int n, struct span at)
{
	struct axis axis[64];
	for (int i = 0; i < n; i++)
		axis[i] = (struct axis){E->eq->slot[order[i]].extent, E->eq->slot[order[i]].rows};
	struct tensor *t = graph_tensor(E->g, ROLE_VALUE, name, elem, batched, n, axis, at);
	t->layer = E->scope->path;
	return t;
}

static int64_t count_terms(const struct building *b, uint64_t bound)
{
	int64_t n = 1;
	for (int i = 0; i < b->n; i++)
		n *= bound >> i & 1 ? b->slot[i].extent : 1;
	return n;
}

static int64_t resolve_classes(struct elaborator *E, int64_t classes)
{
	return classes < 0 ? count_terms(E->eq, E->eq->pending.item[-1 - classes].bound) : classes;
}

/* Which slots every pending result uses; a draw is per sample where the equation is. */
static uint64_t settle_uses(struct elaborator *E, struct expr *value, bool batched)
{
	struct building *b = E->eq;
	uint64_t outer = 0;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < b->pending.n; i++) {
			struct pending *p = &b->pending.item[i];
			if (!p->draw)
				p->uses = uses_of(E, p->value) & ~p->bound;
			else if (round && (p->batch_slot || batched || (outer & 1)))
				p->uses |= (uint64_t)1 << p->batch_slot;
		}
		outer = uses_of(E, value);
	}
	return outer;
}

/* How many classes an integer expression has, from the range of its values; 0: not known, or negative ones. */
static int64_t find_classes(const struct building *b, const struct expr *e)
{
	struct index index[64];
	struct range r;
	for (int i = 0; i < b->n; i++)
		index[i] = (struct index){b->slot[i].name, b->slot[i].extent, b->slot[i].rows};
	return range_of(e, index, &r) && r.low >= 0 && r.high < INT32_MAX ? r.high + 1 : 0;
}

struct value finish_equation(struct elaborator *E, struct value v, const int *lhs, int nlhs, bool batched,
			     struct tensor *into, const char *name, struct span at)
{
	struct building *b = E->eq;
	if (b->failed || v.kind == VAL_ERROR || !to_indexed(E, at, &v) || !check_extents(E))
		return error_value();
	name_slots(b);
	uint64_t uses = settle_uses(E, v.expr, batched);
	unsigned lead = (unsigned)(uses & (((uint64_t)2 << E->scans) - 1)) | batched;
	uint64_t free = lead;
	int order[64], n = 0;
	for (int bit = 0; bit <= E->scans; bit++)
		if (lead >> bit & 1)
			order[n++] = bit;
	for (int i = 0; i < nlhs; i++) {
		order[n++] = lhs[i];
		free |= (uint64_t)1 << lhs[i];
	}

	int merged = -1; /* the pending result that is the whole right side */
	for (int i = 0; i < b->pending.n; i++) {
		struct pending *p = &b->pending.item[i];
		if (i == b->pending.n - 1 && v.expr->op == EX_READ && v.expr->tensor == p->tensor &&
		    (p->uses == free || E->graph_text) && !(into && p->total)) {
			merged = i;
			break;
		}
		int axes[64], k = order_slots(p->uses, p->batch_slot, axes);
		p->value = ex_map_reads(E->g, p->value, resolve_read, E);
		bool own_batch = p->uses >> p->batch_slot & 1;
		struct tensor *t = new_tensor(E, p->tensor->name, p->tensor->elem, own_batch, axes, k, p->at);
		if (p->red == RED_ARGMAX || p->red == RED_ARGMIN)
			t->classes = count_terms(b, p->bound);
		t->total = p->total;
		define(E, t, p->red, axes, k, p->bound, p->value, p->at);
		struct expr *subs[64];
		for (int a = 0; a < k; a++)
			subs[a] = ex_index(E->g, axes[a]);
		p->read = ex_read(E->g, t, subs, NULL);
	}
	struct pending *whole = merged >= 0 ? &b->pending.item[merged] : NULL;
	struct expr *value = ex_map_reads(E->g, whole ? whole->value : v.expr, resolve_read, E);
	if (into && into->elem == ELEM_REAL)
		value = ex_real(E->g, value);
	enum elem elem = whole ? whole->tensor->elem : value->elem;
	struct tensor *t = into ? into : new_tensor(E, name, elem, lead & 1, order, n, at);
	t->total = whole && whole->total;
	if (!into)
		t->classes = resolve_classes(E, v.classes);
	if (!into && t->elem == ELEM_INT && !t->classes && !whole)
		t->classes = find_classes(b, value);
	define(E, t, whole ? whole->red : RED_NONE, order, n, whole ? whole->bound : 0, value, at);
	struct value out = tensor_value(E, t);
	out.lead = lead;
	return out;
}

/* y[i, ..] = e */
void assign_equation(struct elaborator *E, const struct node *lhs, const struct node *rhs)
{
	if (E->eq) {
		fail(E, lhs->at,
		     "a definition that is called with elements (f(x[i])) cannot write equations with indices");
		return;
	}
	struct building b;
	begin_equation(E, &b);
	const char *hint = E->scope->hint;
	E->scope->hint = lhs->name;
	int slot[64], n, order[64], k = 0;
	bool batch = false;
	bool ok = declare_indices(E, lhs->kid[0], false, slot, &n, &batch);
	struct value v = ok ? eval(E, rhs) : error_value();
	if (ok && v.kind == VAL_TUPLE && v.n)
		v = v.item[0];
	const char *full = join_path(E, E->scope->path, lhs->name);
	for (int i = 0; i < n && ok; i++) {
		if (slot[i] >= 0) {
			order[k++] = slot[i];
			continue;
		}
		struct dots *d = &b.dots.item[0];
		if (d->n < 0 && v.kind != VAL_ERROR) {
			fail(E, d->at, "'..' stands on the left but is read nowhere on the right");
			ok = false;
		}
		for (int a = 0; a < d->n; a++)
			order[k++] = d->first + a;
	}
	struct value out = error_value();
	if (ok && v.kind != VAL_ERROR)
		out = finish_equation(E, v, order, k, batch, NULL, lhs->primed ? join_path(E, full, "next") : full,
				      lhs->at);
	E->eq = NULL;
	E->scope->hint = hint;
	assign_result(E, lhs, out);
}
