/* rewrite.c - walks over expressions: substitution, replacing of reads, visits.
 *
 * An expression is a DAG that may be shared many times over and thousands of levels deep. So every walk keeps a table
 * of what is done, by id, and a stack of its own: no node is visited twice and no chain is too deep. */
#include "expr.h"

/* What became of each expression: open addressing by id. Starts inside the walk, on the stack. */
struct done {
	const struct expr *from;
	struct expr *to;
};

struct walk {
	struct graph *g;
	struct done first[64], *done;
	size_t n, room;
	LIST(const struct expr *) stack;
};

static struct done *find_done(struct done *done, size_t room, const struct expr *e)
{
	size_t at = e->id * (size_t)0x9E3779B1u & (room - 1);

	while (done[at].from && done[at].from != e)
		at = (at + 1) & (room - 1);
	return &done[at];
}

static void set_done(struct walk *w, const struct expr *from, struct expr *to)
{
	if (2 * w->n >= w->room) {
		struct done *old = w->done;
		size_t old_room = w->room;

		w->room *= 4;
		w->done = arena_array(&w->g->ctx->arena, w->room, sizeof *w->done);
		for (size_t i = 0; i < old_room; i++)
			if (old[i].from)
				*find_done(w->done, w->room, old[i].from) = old[i];
	}
	*find_done(w->done, w->room, from) = (struct done){from, to};
	w->n++;
}

/* e with its arguments replaced by what they became; e itself if none changed. */
static struct expr *rebuild(struct walk *w, const struct expr *e)
{
	struct expr *small[8], **arg = small;
	bool changed = false;

	if (e->n > 8)
		arg = arena_array(&w->g->ctx->arena, (size_t)e->n, sizeof *arg);
	for (int i = 0; i < e->n; i++) {
		arg[i] = find_done(w->done, w->room, e->arg[i])->to;
		changed |= arg[i] != e->arg[i];
	}
	if (!changed)
		return (struct expr *)e;
	if (e->op == EX_READ)
		return ex_read(w->g, e->tensor, arg, e->guarded ? arg[e->tensor->rank] : NULL);
	return ex_make(w->g, e->op, e->n, arg);
}

struct expr *ex_rewrite(struct graph *g, struct expr *e, before_fn *before, after_fn *after, void *user)
{
	struct arena *arena = &g->ctx->arena;
	struct walk w = {.g = g};
	struct expr *ready = before ? before(user, e) : NULL;

	if (ready)
		return ready;
	w.done = w.first;
	w.room = sizeof w.first / sizeof *w.first;
	list_add(arena, &w.stack, e);
	while (w.stack.n) {
		const struct expr *top = w.stack.item[w.stack.n - 1];
		int waiting = w.stack.n;

		if (find_done(w.done, w.room, top)->from) {
			w.stack.n--;
			continue;
		}
		ready = before ? before(user, top) : NULL;
		for (int i = top->n - 1; !ready && i >= 0; i--)
			if (!find_done(w.done, w.room, top->arg[i])->from)
				list_add(arena, &w.stack, top->arg[i]);
		if (w.stack.n > waiting)
			continue;
		if (!ready) {
			ready = rebuild(&w, top);
			if (after)
				ready = after(user, top, ready);
		}
		set_done(&w, top, ready);
		w.stack.n--;
	}
	return find_done(w.done, w.room, e)->to;
}

struct slot_map {
	struct expr *const *map;
	int n;
	uint64_t slots; /* those that change */
};

static struct expr *substitute_before(void *user, const struct expr *e)
{
	struct slot_map *m = user;

	if (!(e->slots & m->slots))
		return (struct expr *)e;
	return e->op == EX_INDEX ? m->map[e->slot] : NULL;
}

struct expr *ex_substitute(struct graph *g, struct expr *e, struct expr *const *map, int n)
{
	struct slot_map m = {.map = map, .n = n};

	for (int s = 0; s < n && s < 64; s++)
		if (map[s])
			m.slots |= (uint64_t)1 << s;
	return ex_rewrite(g, e, substitute_before, NULL, &m);
}

struct read_map {
	struct expr *(*fn)(void *user, struct expr *read);
	void *user;
};

static struct expr *map_read_after(void *user, const struct expr *old, struct expr *rebuilt)
{
	struct read_map *m = user;
	struct expr *to;

	if (old->op != EX_READ || rebuilt->op != EX_READ || rebuilt->tensor != old->tensor)
		return rebuilt;
	to = m->fn(m->user, rebuilt);
	return to ? to : rebuilt;
}

struct expr *ex_map_reads(struct graph *g, struct expr *e, struct expr *(*fn)(void *user, struct expr *read),
			  void *user)
{
	struct read_map m = {fn, user};

	return ex_rewrite(g, e, NULL, map_read_after, &m);
}

struct visit {
	void (*fn)(void *user, struct expr *e);
	void *user;
};

static struct expr *visit_after(void *user, const struct expr *old, struct expr *rebuilt)
{
	struct visit *v = user;

	(void)old;
	v->fn(v->user, rebuilt);
	return rebuilt;
}

void ex_visit(struct graph *g, struct expr *e, void (*fn)(void *user, struct expr *e), void *user)
{
	struct visit v = {fn, user};

	ex_rewrite(g, e, NULL, visit_after, &v);
}
