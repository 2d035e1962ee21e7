/* recompute.c - values that the backward pass computes again instead of keeping them.
 *
 * The backward pass reads values of the forward pass, so they live from one to the other. A value whose own inputs are
 * there can be computed once more, by the same equation under another name, right before the backward pass needs it:
 *
 *     relu[batch, i] = max(sum[batch, i] + bias[i], 0)
 *     ...
 *     relu.again[batch, i] = max(sum[batch, i] + bias[i], 0)
 *     w.grad[i, j] = sum[batch] y.grad[batch, i] * relu.again[batch, j]
 *
 * The numbers are the same: it is the same equation of the same values, and random draws depend on where they stand
 * only. What it reads may be such a value itself, which is then computed before it.
 *
 * requires  part backward, simplified
 * keeps     what all results are
 * breaks    that no two equations are alike */
#include "recompute.h"

struct copying {
	struct graph *g;
	const bool *again;
	struct equation **definition; /* by the tensor's id */
	struct tensor **copy;	      /* likewise; views of copies too */
	equation_list *out;
};

struct tensor *origin_of(struct tensor *t)
{
	while (t->role == ROLE_VIEW)
		t = t->of;
	return t;
}

bool may_compute_again(const struct equation *eq) { return eq->kind == EQ_MAP && eq->tensor->role == ROLE_VALUE; }

static struct tensor *copy_of(struct copying *c, struct tensor *t);

static struct expr *read_copy(void *user, struct expr *read)
{
	struct copying *c = user;
	struct tensor *copy;

	if (!c->again[origin_of(read->tensor)->id])
		return read;
	copy = copy_of(c, read->tensor);
	return ex_read(c->g, copy, read->arg, read->guarded ? read->arg[copy->rank] : NULL);
}

/* The equation as it is, or one that reads copies. */
static struct equation *with_copies(struct copying *c, struct equation *eq, struct tensor *t)
{
	struct arena *arena = &c->g->ctx->arena;
	struct equation *made = arena_alloc(arena, sizeof *made);

	*made = *eq;
	made->tensor = t;
	made->value = ex_map_reads(c->g, eq->value, read_copy, c);
	if (eq->kind == EQ_SCATTER)
		made->target = arena_array(arena, (size_t)t->rank, sizeof *made->target);
	for (int a = 0; eq->kind == EQ_SCATTER && a < t->rank; a++)
		made->target[a] = ex_map_reads(c->g, eq->target[a], read_copy, c);
	return made;
}

static struct tensor *new_copy(struct copying *c, const struct tensor *t, enum role role)
{
	struct tensor *copy = graph_tensor(c->g, role, arena_printf(&c->g->ctx->arena, "%s.again", t->name), t->elem,
					   t->batched, t->rank, t->axis, t->at);

	take_type(copy, t);
	copy->layer = t->layer;
	return copy;
}

/* The copy of a value, or of a view of one, whose equation is in the list by then. */
static struct tensor *copy_of(struct copying *c, struct tensor *t)
{
	struct arena *arena = &c->g->ctx->arena;
	struct equation *eq;
	struct tensor *copy = c->copy[t->id], *of;

	if (copy)
		return copy;
	if (t->role == ROLE_VIEW) {
		of = copy_of(c, t->of);
		c->copy[t->id] = copy = new_copy(c, t, ROLE_VIEW);
		copy->of = of;
		eq = arena_alloc(arena, sizeof *eq);
		*eq = (struct equation){.kind = EQ_VIEW, .tensor = copy, .at = t->at};
	} else {
		c->copy[t->id] = copy = new_copy(c, t, ROLE_VALUE);
		eq = with_copies(c, c->definition[t->id], copy);
	}
	list_add(arena, c->out, eq);
	return copy;
}

/* Make what the equations of a scan read, before it, and the scan that reads it. */
static struct equation *scan_with_copies(struct copying *c, const struct equation *eq)
{
	struct arena *arena = &c->g->ctx->arena;
	struct equation *made = arena_alloc(arena, sizeof *made);

	*made = *eq;
	made->scan = arena_alloc(arena, sizeof *made->scan);
	*made->scan = *eq->scan;
	made->scan->body = arena_array(arena, (size_t)eq->scan->n, sizeof *made->scan->body);
	for (int i = 0; i < eq->scan->n; i++) {
		struct equation *inner = eq->scan->body[i];

		made->scan->body[i] = inner->kind == EQ_SCAN   ? scan_with_copies(c, inner)
				      : inner->kind == EQ_VIEW ? inner
							       : with_copies(c, inner, inner->tensor);
	}
	return made;
}

static void note_definition(void *user, struct equation *eq)
{
	struct copying *c = user;

	c->definition[eq->tensor->id] = eq;
}

void compute_again(struct graph *g, const equation_list *backward, const bool *again)
{
	struct arena *arena = &g->ctx->arena;
	size_t n = (size_t)g->tensors.n;
	equation_list out = {0};
	struct copying c = {.g = g, .again = again, .out = &out};

	c.definition = arena_array(arena, n, sizeof *c.definition);
	c.copy = arena_array(arena, n, sizeof *c.copy);
	visit_equations(g->part[PART_FORWARD].item, g->part[PART_FORWARD].n, note_definition, &c);
	for (int i = 0; i < backward->n; i++) {
		struct equation *eq = backward->item[i];

		if (eq->kind == EQ_SCAN)
			eq = scan_with_copies(&c, eq);
		else if (eq->kind != EQ_VIEW)
			eq = with_copies(&c, eq, eq->tensor);
		list_add(arena, &out, eq);
	}
	g->part[PART_BACKWARD] = out;
}
