/* rewrite.c - walks over expressions: substitution, replacing of reads, visits.
 *
 * An expression is a DAG that may be shared many times over and thousands of levels deep. So a walk first lists its
 * expressions, each once and behind its arguments, with a stack of its own; each is marked with the number of the walk
 * and its place in the list. What is done with them runs along the list and needs the marks no longer, so it may walk
 * itself; where `before` has done so, the marks are made again. */
#include "expr.h"

#include <assert.h>

/* An expression in the list, what became of it, and where the places of its arguments are; -1: it is taken as it is. */
struct step {
	struct expr *from, *to;
	int args;
};

struct frame {
	struct expr *e;
	int next; /* argument to look at */
};

/* Small walks, which most are, stay on the C stack. */
struct walk {
	struct arena *arena;
	LIST(struct step) steps;
	LIST(int) args;
	LIST(struct frame) stack;
	struct step first_steps[32];
	int first_args[64];
	struct frame first_stack[32];
};

static void start_walk(struct walk *w, struct graph *g)
{
	enum { STEPS = sizeof w->first_steps / sizeof *w->first_steps };
	enum { ARGS = sizeof w->first_args / sizeof *w->first_args };
	enum { DEPTH = sizeof w->first_stack / sizeof *w->first_stack };

	w->arena = &g->ctx->arena;
	w->steps.item = w->first_steps;
	w->steps.room = STEPS;
	w->args.item = w->first_args;
	w->args.room = ARGS;
	w->stack.item = w->first_stack;
	w->stack.room = DEPTH;
	w->steps.n = w->args.n = w->stack.n = 0;
	g->walks++;
	assert(g->walks);
}

static void add_step(struct walk *w, struct graph *g, struct expr *e, struct expr *to)
{
	e->walk = g->walks;
	e->place = w->steps.n;
	list_add(w->arena, &w->steps, (struct step){e, to, to ? -1 : w->args.n});
	for (int i = 0; !to && i < e->n; i++)
		list_add(w->arena, &w->args, e->arg[i]->place);
}

/* What `before` says of e. */
static struct expr *ask(struct walk *w, struct graph *g, before_fn *before, void *user, struct expr *e)
{
	uint32_t own = g->walks;
	struct expr *ready = before(user, e);

	if (g->walks == own)
		return ready;
	g->walks++;
	for (int i = 0; i < w->steps.n; i++) {
		w->steps.item[i].from->walk = g->walks;
		w->steps.item[i].from->place = i;
	}
	return ready;
}

/* List e and all in it but what stands in something that `before` has an answer for. */
static void list_steps(struct walk *w, struct graph *g, struct expr *e, before_fn *before, void *user)
{
	list_add(w->arena, &w->stack, (struct frame){e, 0});
	while (w->stack.n) {
		struct frame *top = &w->stack.item[w->stack.n - 1];
		struct expr *at = top->e, *open = NULL;
		struct expr *ready = before && top->next == 0 ? ask(w, g, before, user, at) : NULL;

		while (!ready && !open && top->next < at->n) {
			struct expr *arg = at->arg[top->next++];

			if (arg->walk == g->walks)
				continue;
			if (arg->n == 0) /* most are */
				add_step(w, g, arg, before ? ask(w, g, before, user, arg) : NULL);
			else
				open = arg;
		}
		if (open) {
			list_add(w->arena, &w->stack, (struct frame){open, 0});
			continue;
		}
		add_step(w, g, at, ready);
		w->stack.n--;
	}
}

/* e with its arguments replaced by what they became; e itself if none changed. */
static struct expr *rebuild(struct walk *w, struct graph *g, const struct step *step)
{
	struct expr *small[8], **arg = small, *e = step->from;
	bool changed = false;

	if (e->n > 8)
		arg = arena_array(w->arena, (size_t)e->n, sizeof *arg);
	for (int i = 0; i < e->n; i++) {
		arg[i] = w->steps.item[w->args.item[step->args + i]].to;
		changed |= arg[i] != e->arg[i];
	}
	if (!changed)
		return e;
	if (e->op == EX_READ)
		return ex_read(g, e->tensor, arg, e->guarded ? arg[e->tensor->rank] : NULL);
	return ex_make(g, e->op, e->n, arg);
}

struct expr *ex_rewrite(struct graph *g, struct expr *e, before_fn *before, after_fn *after, void *user)
{
	struct walk w;

	start_walk(&w, g);
	list_steps(&w, g, e, before, user);
	for (int i = 0; i < w.steps.n; i++) {
		struct step *step = &w.steps.item[i];

		if (step->to)
			continue;
		step->to = rebuild(&w, g, step);
		if (after)
			step->to = after(user, step->from, step->to);
	}
	return w.steps.item[w.steps.n - 1].to;
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

static struct expr *map_read_before(void *user, const struct expr *e)
{
	(void)user;
	return ex_has(e, EX_READ) ? NULL : (struct expr *)e;
}

struct expr *ex_map_reads(struct graph *g, struct expr *e, struct expr *(*fn)(void *user, struct expr *read),
			  void *user)
{
	struct read_map m = {fn, user};

	return ex_rewrite(g, e, map_read_before, map_read_after, &m);
}

static const uint64_t every_op = UINT64_MAX, reads_only = (uint64_t)1 << EX_READ;

/* The same list without what is needed to make expressions anew, and without what has none of the operations that are
 * wanted. */
static void visit(struct graph *g, struct expr *e, uint64_t wanted, void (*fn)(void *user, struct expr *e), void *user)
{
	struct arena *arena = &g->ctx->arena;
	struct expr *first[64];
	struct frame first_stack[32];
	expr_list list = {.item = first, .room = sizeof first / sizeof *first};
	LIST(struct frame) stack = {.item = first_stack, .room = sizeof first_stack / sizeof *first_stack};
	uint32_t walk = ++g->walks;

	if (e->ops & wanted)
		list_add(arena, &stack, (struct frame){e, 0});
	while (stack.n) {
		struct frame *top = &stack.item[stack.n - 1];
		struct expr *at = top->e, *open = NULL;

		while (!open && top->next < at->n) {
			struct expr *arg = at->arg[top->next++];

			if (arg->walk == walk || !(arg->ops & wanted))
				continue;
			if (arg->n) {
				open = arg;
				continue;
			}
			arg->walk = walk;
			arg->place = list.n;
			list_add(arena, &list, arg);
		}
		if (open) {
			list_add(arena, &stack, (struct frame){open, 0});
			continue;
		}
		at->walk = walk;
		at->place = list.n;
		list_add(arena, &list, at);
		stack.n--;
	}
	for (int i = 0; i < list.n; i++)
		if (wanted >> list.item[i]->op & 1)
			fn(user, list.item[i]);
}

void ex_visit(struct graph *g, struct expr *e, void (*fn)(void *user, struct expr *e), void *user)
{
	visit(g, e, every_op, fn, user);
}

void ex_visit_reads(struct graph *g, struct expr *e, void (*fn)(void *user, struct expr *read), void *user)
{
	visit(g, e, reads_only, fn, user);
}

static void collect(struct graph *g, struct expr *e, uint64_t wanted, expr_list *out)
{
	struct arena *arena = &g->ctx->arena;
	struct expr *first[64];
	expr_list stack = {.item = first, .room = sizeof first / sizeof *first};
	uint32_t walk = ++g->walks;

	if (e->ops & wanted)
		list_add(arena, &stack, e);
	while (stack.n) {
		struct expr *top = stack.item[--stack.n];

		if (top->walk == walk)
			continue;
		top->walk = walk;
		if (wanted >> top->op & 1)
			list_add(arena, out, top);
		for (int i = top->n - 1; i >= 0; i--)
			if (top->arg[i]->walk != walk && top->arg[i]->ops & wanted)
				list_add(arena, &stack, top->arg[i]);
	}
}

void collect_exprs(struct graph *g, struct expr *e, expr_list *out) { collect(g, e, every_op, out); }

void collect_reads(struct graph *g, struct expr *e, expr_list *out) { collect(g, e, reads_only, out); }
