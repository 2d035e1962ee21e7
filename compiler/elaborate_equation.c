/* elaborate_equation.c - y[i, j] = e: from what was built to equations of the graph.
 *
 * finish_equation checks extents and ranges, gives every pending reduction its axes, and appends the equations, inner
 * ones first. `y[i] = sum[j] ...` alone becomes one equation. */
#include "elaborate.h"
#include "elaborate_building.h"

#include <string.h>

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

static int64_t resolve_classes(struct elaborator *E, int64_t classes)
{
	return classes < 0 ? count_terms(E->eq, E->eq->pending.item[-1 - classes].bound) : classes;
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
	if (!into && !whole && t->elem == ELEM_INT) {
		struct index index[64];
		list_indices(b, index);
		bound_values(t, value, index);
	}
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
