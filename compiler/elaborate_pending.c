/* elaborate_pending.c - reductions and draws inside an equation that is being built.
 *
 * While the right side is evaluated, extents are found as its reads are met, so what stands under a reducer cannot be
 * an equation yet: it is kept as pending and read through a placeholder. Once the extents are known, each gets the free
 * indices that it uses, nothing more. */
#include "elaborate.h"
#include "elaborate_building.h"

/* A tensor that stands for a pending result until its axes are known. It is not the graph's; its id is one so that
 * reads of different ones have different hashes. */
struct tensor *placeholder(struct elaborator *E, const char *name, enum elem elem, struct span at)
{
	struct tensor *t = arena_alloc(&E->ctx->arena, sizeof *t);
	*t = (struct tensor){.name = name, .role = ROLE_VALUE, .elem = elem, .at = at, .layer = E->scope->path};
	t->id = E->g->next_id;
	return t;
}

struct value add_pending(struct elaborator *E, struct pending p, bool mean)
{
	struct expr *read = ex_read(E->g, p.tensor, NULL, NULL);
	if (mean) {
		p.count = placeholder(E, "count", ELEM_REAL, p.at);
		read = ex2(E->g, EX_DIV, read, ex_read(E->g, p.count, NULL, NULL));
	}
	list_add(&E->ctx->arena, &E->eq->pending, p);
	return (struct value){.kind = VAL_TENSOR, .expr = read, .indexed = true};
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

/* ---- once the extents are known ---- */

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

/* Which slots every pending result uses; a draw is per sample where the equation is. */
uint64_t settle_uses(struct elaborator *E, struct expr *value, bool batched)
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

int64_t count_terms(const struct building *b, uint64_t bound)
{
	int64_t n = 1;
	for (int i = 0; i < b->n; i++)
		n *= bound >> i & 1 ? b->slot[i].extent : 1;
	return n;
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

struct expr *resolve_read(void *user, struct expr *read)
{
	struct elaborator *E = user;
	bool count;
	struct pending *p = pending_of(E->eq, read->tensor, &count);
	return !p ? read : count ? count_of(E, p) : p->read;
}
