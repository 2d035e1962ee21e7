/* elaborate_scan.c - recurrence.
 *
 * scan t < T, h[n] = h0 { h'[i] = f(h) } is elaborated as ordinary equations with one more index: everything in the
 * body that depends on the step has an axis for t, h' is the tensor h[batch, t, i], and h reads it one step earlier,
 * h[batch, t - 1, i else h0[batch, i]]. After the body the equations are sorted: only those on a cycle through a state
 * make the scan; what the states do not reach goes before it and what reaches no state behind it, as equations over all
 * t at once. */
#include "elaborate.h"

#include <string.h>

/* ---- states ---- */

/* The body uses something that differs from sample to sample: a name of it, or batch or row. */
static bool mentions_sample(struct elaborator *E, const struct node *n)
{
	if ((n->kind == NODE_NAME || n->kind == NODE_PRIMED) && n->name) {
		if (!strcmp(n->name, "batch") || !strcmp(n->name, "row"))
			return true;
		struct binding *b = lookup(E, n->name);
		if (b && b->value.kind == VAL_TENSOR && is_batched(&b->value))
			return true;
	}
	for (int i = 0; i < n->n; i++)
		if (n->kid[i] && mentions_sample(E, n->kid[i]))
			return true;
	return false;
}

/* The shape in `h[units] = h0`; without brackets that of the initial value. */
static int state_dims(struct elaborator *E, const struct node *carry, const struct value *initial, struct axis *axis)
{
	if (!carry->kid[0]) {
		if (own_rank(initial))
			memcpy(axis, own_axis(initial), (size_t)own_rank(initial) * sizeof *axis);
		return own_rank(initial);
	}
	const struct node *dims = carry->kid[0];
	for (int i = 0; i < dims->n; i++) {
		int64_t extent;
		if (!expect_int(E, dims->kid[i], eval(E, dims->kid[i]), "an extent", &extent))
			return -1;
		if (extent < 1) {
			report_value(E, dims->kid[i], &(struct value){.kind = VAL_INT, .integer = extent},
				     "the extent of an axis is at least 1");
			return -1;
		}
		axis[i] = (struct axis){extent, false};
	}
	return dims->n;
}

/* h inside the body: one step earlier, or the initial value. */
static struct value earlier_value(struct elaborator *E, const struct scan_state *s, struct value initial)
{
	int step = lead_rank(s->lead) - 1; /* the scan's own axis */
	struct expr *sub[64], *map[64];
	for (int i = 0; i < s->all->rank; i++)
		sub[i] = ex_index(E->g, i);
	sub[step] = ex2(E->g, EX_SUB, sub[step], ex_int(E->g, 1));
	map_lead(E, initial.lead, s->lead, map);
	for (int a = lead_rank(initial.lead); a < initial.rank; a++)
		map[a] = ex_index(E->g, s->all->rank - initial.rank + a);
	struct expr *first = ex_real(E->g, ex_substitute(E->g, initial.expr, map, initial.rank));
	struct value v = tensor_value(E, s->all);
	v.lead = s->lead;
	v.expr = ex_read(E->g, s->all, sub, first);
	return v;
}

static bool open_state(struct elaborator *E, const struct node *carry, const struct node *body, bool per_sample)
{
	const char *hint = E->scope->hint;
	E->scope->hint = carry->name;
	struct scan_frame *own = E->scan[--E->scans]; /* the initial value is of outside */
	struct value initial = eval(E, carry->kid[1]);
	initial = as_tensor(E, &initial);
	struct axis axis[64];
	bool ok = initial.kind == VAL_TENSOR && !initial.indexed;
	if (!ok && initial.kind != VAL_ERROR)
		fail(E, carry->kid[1]->at, "the initial value of '%s' is a number or a tensor, not %s", carry->name,
		     kind_text(&initial));
	int n = ok ? state_dims(E, carry, &initial, axis + MAX_SCAN_DEPTH + 1) : -1;
	struct value shape = {
		.kind = VAL_TENSOR, .expr = ex_num(E->g, 0), .rank = n, .axis = axis + MAX_SCAN_DEPTH + 1};
	ok = n >= 0 && lift(E, carry->at, EX_ADD, 2, (struct value[]){initial, shape}).kind != VAL_ERROR;
	if (ok && own_rank(&initial) > n) {
		fail(E, carry->at, "the initial value of '%s' has shape %s, the state %s", carry->name,
		     value_shape(E, &initial), value_shape(E, &shape));
		ok = false;
	}
	if (ok && !is_cheap(initial.expr))
		initial = settle(E, initial, join_path(E, join_path(E, E->scope->path, carry->name), "initial"),
				 carry->at);
	E->scan[E->scans++] = own;
	E->scope->hint = hint;
	if (!ok || initial.kind == VAL_ERROR) {
		bind(E, carry->name, error_value(), carry->name_at);
		return false;
	}
	struct scan_state *s = arena_alloc(&E->ctx->arena, sizeof *s);
	s->lead = (((unsigned)1 << E->scans) - 1) << 1 | per_sample | (initial.lead & 1);
	s->at = carry->name_at;
	struct axis all[64];
	int leading = lead_rank(s->lead);
	lead_axes(E, s->lead, all);
	memcpy(all + leading, axis + MAX_SCAN_DEPTH + 1, (size_t)n * sizeof *all);
	s->all = graph_tensor(E->g, ROLE_VALUE, join_path(E, E->scope->path, carry->name), ELEM_REAL, s->lead & 1,
			      leading + n, all, user_place(E, carry->at));
	s->all->layer = E->scope->path;
	list_add(&E->ctx->arena, &own->states, s->all);
	struct value earlier = earlier_value(E, s, initial);
	if (is_differentiated_by(body, carry->name))
		earlier = make_variable(E, earlier, join_path(E, join_path(E, E->scope->path, carry->name), "now"),
					carry->at);
	bind(E, carry->name, earlier, carry->name_at);
	find_binding(E->scope, carry->name)->carried = s;
	find_binding(E->scope, carry->name)->next = NULL;
	return true;
}

/* h' = v, where h is a state of the innermost scan. */
bool assign_carried(struct elaborator *E, const struct node *lhs, struct value v)
{
	struct binding *b = find_binding(E->scope, lhs->name);
	struct scan_state *s = b ? b->carried : NULL;
	if (!s)
		return false;
	if (s->set) {
		fail(E, lhs->name_at, "the next value of '%s' is set twice", lhs->name);
		return true;
	}
	s->set = true;
	struct value own = tensor_value(E, s->all);
	own.lead = s->lead;
	b->next = s->all;
	b->next_value = own;
	struct expr *e = stretch_value(E, lhs->at, v, &own, "next value", lhs->name, "state");
	if (e)
		define_whole(E, s->all, &own, e, user_place(E, lhs->at));
	return true;
}

/* ---- which equations make the scan ---- */

struct sorting {
	struct elaborator *E;
	struct table defined; /* tensor name -> equation number + 1 */
	bool *from, *to;      /* reached by a state, reaching one */
	int now;
	bool backwards;
};

static struct expr *follow_read(void *user, struct expr *read)
{
	struct sorting *s = user;
	int d = (int)(uintptr_t)table_get(&s->defined, read->tensor->name) - 1;
	if (d >= 0 && s->backwards)
		s->to[d] |= s->to[s->now];
	else if (d >= 0)
		s->from[s->now] |= d >= s->now || s->from[d]; /* not yet defined: read of an earlier step */
	return read;
}

static void follow(struct sorting *s, const struct equation *eq)
{
	for (int i = 0; eq->kind == EQ_SCAN && i < eq->scan->n; i++)
		follow(s, eq->scan->body[i]);
	if (eq->kind == EQ_VIEW) {
		struct expr read = {.op = EX_READ, .tensor = eq->tensor->of};
		follow_read(s, &read);
	} else if (eq->value) {
		ex_map_reads(s->E->g, eq->value, follow_read, s);
	}
}

static void note_defined(struct sorting *s, const struct equation *eq, int number)
{
	for (int i = 0; eq->kind == EQ_SCAN && i < eq->scan->n; i++)
		note_defined(s, eq->scan->body[i], number);
	if (eq->tensor)
		table_set(&s->defined, eq->tensor->name, (void *)(uintptr_t)(number + 1));
}

/* A cycle: states reach it (it reads an earlier step, through others perhaps), and it reaches what an earlier step is
 * read of. */
static void sort_body(struct elaborator *E, const struct scan_frame *frame, const struct node *n)
{
	int count = frame->body.n;
	struct sorting s = {.E = E, .defined = {.arena = &E->ctx->arena}};
	s.from = arena_array(&E->ctx->arena, (size_t)count + 1, sizeof *s.from);
	s.to = arena_array(&E->ctx->arena, (size_t)count + 1, sizeof *s.to);
	for (int i = 0; i < count; i++)
		note_defined(&s, frame->body.item[i], i);
	for (s.now = 0; s.now < count; s.now++)
		follow(&s, frame->body.item[s.now]);
	/* what is read by an equation at or before its own place is read of an earlier step: it is a state */
	const struct node *carries = n->kid[1];
	for (int i = 0; i < carries->n; i++) {
		struct binding *b = find_binding(E->scope, carries->kid[i]->name);
		int d = b && b->carried ? (int)(uintptr_t)table_get(&s.defined, b->carried->all->name) - 1 : -1;
		if (d >= 0)
			s.to[d] = true;
	}
	s.backwards = true;
	for (s.now = count - 1; s.now >= 0; s.now--)
		if (s.to[s.now])
			follow(&s, frame->body.item[s.now]);
	struct scan *scan = arena_alloc(&E->ctx->arena, sizeof *scan);
	*scan = (struct scan){.index = frame->index, .trips = frame->trips, .depth = E->scans};
	scan->body = arena_array(&E->ctx->arena, (size_t)count + 1, sizeof *scan->body);
	for (int i = 0; i < count; i++)
		if (!s.from[i])
			emit_equation(E, frame->body.item[i]);
		else if (s.to[i])
			scan->body[scan->n++] = frame->body.item[i];
	if (scan->n) {
		struct equation *eq = arena_alloc(&E->ctx->arena, sizeof *eq);
		*eq = (struct equation){.kind = EQ_SCAN, .scan = scan, .at = user_place(E, n->at)};
		emit_equation(E, eq);
	}
	for (int i = 0; i < count; i++)
		if (s.from[i] && !s.to[i])
			emit_equation(E, frame->body.item[i]);
}

/* ---- after the scan ---- */

/* A name assigned in the body is its sequence from here on: the scan's axis becomes the first of its own. */
static void close_value(struct elaborator *E, struct value *v, int64_t trips, unsigned bit)
{
	if (v->kind == VAL_TUPLE)
		for (int i = 0; i < v->n; i++)
			close_value(E, &v->item[i], trips, bit);
	if (v->kind != VAL_TENSOR || v->indexed)
		return;
	if (v->lead & bit) {
		v->lead &= ~bit;
		return;
	}
	int leading = lead_rank(v->lead);
	struct expr *map[64];
	struct axis *axis = arena_array(&E->ctx->arena, (size_t)v->rank + 1, sizeof *axis);
	for (int a = 0; a < v->rank; a++) {
		map[a] = ex_index(E->g, a + (a >= leading));
		axis[a + (a >= leading)] = v->axis[a];
	}
	axis[leading] = (struct axis){trips, false};
	v->expr = ex_substitute(E->g, v->expr, map, v->rank);
	v->axis = axis;
	v->rank++;
}

/* The last value of a state: its tensor at t = trips - 1. */
static struct value last_value(struct elaborator *E, const struct scan_state *s, int64_t trips, unsigned bit)
{
	int step = lead_rank(s->lead) - 1;
	struct expr *sub[64];
	struct value v = {.kind = VAL_TENSOR, .lead = s->lead & ~bit, .rank = s->all->rank - 1};
	v.axis = arena_array(&E->ctx->arena, (size_t)v.rank + 1, sizeof *v.axis);
	for (int i = 0; i < s->all->rank; i++) {
		sub[i] = i == step ? ex_int(E->g, trips - 1) : ex_index(E->g, i - (i > step));
		if (i != step)
			v.axis[i - (i > step)] = s->all->axis[i];
	}
	v.expr = ex_read(E->g, s->all, sub, NULL);
	return v;
}

/* errors: reported before the scan. */
static void close_names(struct elaborator *E, const struct node *n, const struct scan_frame *frame,
			const struct table *before, int errors)
{
	unsigned bit = (unsigned)2 << E->scans;
	for (int i = 0; i < E->scope->names.entries.n; i++) {
		struct binding *b = E->scope->names.entries.item[i].value;
		struct binding *old = table_get(before, b->name);
		bool changed = !old || old->value.kind != b->value.kind || old->value.expr != b->value.expr ||
			       old->value.lead != b->value.lead || old->value.item != b->value.item;
		if (b->carried || !changed)
			continue;
		close_value(E, &b->value, frame->trips, bit);
	}
	for (int i = 0; i < n->kid[1]->n; i++) {
		const struct node *carry = n->kid[1]->kid[i];
		struct binding *b = find_binding(E->scope, carry->name);
		struct scan_state *s = b ? b->carried : NULL;
		if (!s)
			continue;
		if (!s->set && E->ctx->errors == errors)
			fail(E, carry->at, "the scan does not set %s'", carry->name);
		b->value = s->set ? last_value(E, s, frame->trips, bit) : error_value();
		b->carried = NULL;
		b->next = NULL;
	}
}

/* Bindings as they are, to tell later which changed. */
static struct table copy_names(struct elaborator *E)
{
	struct table copy = {.arena = &E->ctx->arena};
	for (int i = 0; i < E->scope->names.entries.n; i++) {
		struct binding *b = arena_alloc(&E->ctx->arena, sizeof *b);
		*b = *(struct binding *)E->scope->names.entries.item[i].value;
		table_set(&copy, b->name, b);
	}
	return copy;
}

void run_scan(struct elaborator *E, const struct node *n)
{
	struct scan_frame frame = {.index = n->name, .part = E->part};
	if (E->eq) {
		fail(E, n->at, "a definition that is called with elements (f(x[i])) cannot have a scan");
		return;
	}
	if (E->scans == MAX_SCAN_DEPTH) {
		fail(E, n->at, "scans are nested more than %d deep", MAX_SCAN_DEPTH);
		return;
	}
	if (!expect_int(E, n->kid[0], eval(E, n->kid[0]), "the number of steps", &frame.trips)) {
		bind_errors(E, n);
		return;
	}
	if (frame.trips < 1 || frame.trips > INT32_MAX) {
		report_value(E, n->kid[0], &(struct value){.kind = VAL_INT, .integer = frame.trips},
			     frame.trips < 1 ? "the number of steps is at least 1"
					     : "the number of steps is at most 2^31 - 1");
		bind_errors(E, n);
		return;
	}
	bool per_sample = false;
	for (int i = 0; i < n->kid[1]->n; i++)
		per_sample |= mentions_sample(E, n->kid[1]->kid[i]->kid[1]);
	per_sample |= mentions_sample(E, n->kid[2]);
	struct table before = copy_names(E);
	int errors = E->ctx->errors;
	E->scan[E->scans++] = &frame;
	struct value t = {.kind = VAL_TENSOR,
			  .expr = ex_index(E->g, 0),
			  .lead = (unsigned)1 << E->scans,
			  .rank = 1,
			  .classes = frame.trips};
	t.axis = arena_alloc(&E->ctx->arena, sizeof *t.axis);
	t.axis[0] = (struct axis){frame.trips, false};
	bind(E, n->name, t, n->name_at);
	for (int i = 0; i < n->kid[1]->n; i++)
		open_state(E, n->kid[1]->kid[i], n->kid[2], per_sample);
	if (E->ctx->errors == errors)
		run_block(E, n->kid[2]);
	E->scans--;
	if (E->ctx->errors == errors)
		sort_body(E, &frame, n);
	close_names(E, n, &frame, &before, errors);
	find_binding(E->scope, n->name)->gone = true;
}
