/* elaborate_index.c - the indices of an equation that is being built: where they are declared, the axes that `..`
 * stands for, and their extents, which are found as reads are met. */
#include "elaborate.h"
#include "elaborate_building.h"

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
			note_binding(E, name, other, &other->value);
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

/* ---- `..` ---- */

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

bool read_dots(struct elaborator *E, const struct node *item, int n, const struct axis *axis, const char *name,
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

/* ---- declarations: a left side or a reducer ---- */

/* `batch`, or `data`: the samples of the call, or of the whole evaluated set. */
bool is_samples_index(const struct node *n)
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
				report_value(
					E, item->kid[1], &v,
					arena_printf(&E->ctx->arena, "the extent of '%s' is at least 1", name->name));
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

/* ---- extents ---- */

bool unify_extent(struct elaborator *E, int slot, const struct axis *axis, struct span at, const char *from)
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
		list_indices(b, index);
		struct range r;
		bool known = range_of(c->subscript, index, &r);
		if (known && r.low >= 0 && r.high < c->extent)
			continue;
		report_outside(E, c->at, c->tensor, known ? &r : NULL, c->extent, c->axis);
		return false;
	}
	return true;
}

void list_indices(const struct building *b, struct index index[64])
{
	for (int i = 0; i < b->n; i++)
		index[i] = (struct index){b->slot[i].name, b->slot[i].extent, b->slot[i].rows};
}
