/* order.c - equations that read each other over the steps of scans, brought into an order in which they can run.
 *
 * A node is an equation, an edge a read. A strongly connected component (Tarjan 1972) of more than one node can only be
 * run step by step: it becomes a scan. Inside it only reads at the same step count for the order, which may leave
 * components again: inner scans. Components come out after what they read. */
#include "chain.h"
#include "expr.h"

#include <assert.h>

struct link {
	int to;	       /* node that is read */
	uint32_t same; /* bit d: at the same step of the scan at depth d */
};

struct node {
	struct equation *eq;
	const struct scan_level *level;
	LIST(struct link) links;
	int set;	/* of the nodes being ordered it is a member of */
	int found, low; /* Tarjan's numbers; 0: not found yet */
	bool waiting;	/* on the stack */
};

typedef LIST(int) int_list;

struct ordering {
	struct graph *g;
	struct span at;
	struct node *node;
	int now;   /* node whose reads are being found */
	int depth; /* of the outermost scan that they may form */
	int sets;
};

/* ---- edges ---- */

static const struct scan_level *level_at(const struct scan_level *level, int depth)
{
	while (level && level->scan->depth > depth)
		level = level->outer;
	return level && level->scan->depth == depth ? level : NULL;
}

static bool same_step(struct graph *g, const struct expr *read, const struct tensor *into, int depth)
{
	int axis = read->tensor->batched + depth;
	int64_t difference;

	return affine_difference(read->arg[axis], ex_index(g, into->batched + depth), &difference) && !difference;
}

static void add_link(struct ordering *o, const struct tensor *from, const struct expr *read)
{
	struct node *node = &o->node[o->now];
	const struct adjoint *a = from->pass;
	struct link link = {0, UINT32_MAX};

	if (!a || !a->place)
		return;
	link.to = a->place - 1;
	for (int d = o->depth; read && level_at(node->level, d) && level_at(a->level, d); d++)
		if (!same_step(o->g, read, node->eq->tensor, d))
			link.same &= ~((uint32_t)1 << d);
	list_add(&o->g->ctx->arena, &node->links, link);
}

static void add_read(void *user, struct expr *read) { add_link(user, read->tensor, read); }

static void find_links(struct ordering *o, const equation_list *eqs)
{
	for (int i = 0; i < eqs->n; i++) {
		struct equation *eq = eqs->item[i];
		struct adjoint *a = adjoint_of(o->g, eq->tensor);

		a->place = i + 1;
		o->node[i].eq = eq;
		o->node[i].level = a->level;
	}
	for (o->now = 0; o->now < eqs->n; o->now++)
		if (eqs->item[o->now]->kind == EQ_VIEW)
			add_link(o, eqs->item[o->now]->tensor->of, NULL);
		else
			ex_visit_reads(o->g, eqs->item[o->now]->value, add_read, o);
	for (int i = 0; i < eqs->n; i++)
		adjoint_of(o->g, eqs->item[i]->tensor)->place = 0;
}

/* ---- components ---- */

/* The nodes of a set at a depth: links between them count if they are at the same step of all scans around. */
struct component_search {
	struct ordering *o;
	int set, depth, found;
	int_list stack;
	equation_list *out;
};

static void order_nodes(struct ordering *o, const int_list *nodes, int depth, equation_list *out);

static bool counts(const struct component_search *s, struct link link)
{
	uint32_t around = ((uint32_t)1 << s->depth) - 1;

	return s->o->node[link.to].set == s->set && (link.same & around) == around;
}

static bool reads_itself(const struct component_search *s, int n)
{
	const struct node *node = &s->o->node[n];

	for (int i = 0; i < node->links.n; i++)
		if (node->links.item[i].to == n && counts(s, node->links.item[i]))
			return true;
	return false;
}

/* The nodes of a component in the order in which the equations were made. */
static void sort_nodes(int_list *nodes)
{
	for (int i = 1; i < nodes->n; i++)
		for (int k = i; k > 0 && nodes->item[k] < nodes->item[k - 1]; k--) {
			int larger = nodes->item[k - 1];

			nodes->item[k - 1] = nodes->item[k];
			nodes->item[k] = larger;
		}
}

static void append_component(struct component_search *s, int_list *members)
{
	struct ordering *o = s->o;
	struct arena *arena = &o->g->ctx->arena;
	const struct scan *old;
	struct scan *scan;
	struct equation *eq;
	equation_list body = {0};

	if (members->n == 1 && !reads_itself(s, members->item[0])) {
		list_add(arena, s->out, o->node[members->item[0]].eq);
		return;
	}
	sort_nodes(members);
	assert(level_at(o->node[members->item[0]].level, s->depth));
	old = level_at(o->node[members->item[0]].level, s->depth)->scan;
	order_nodes(o, members, s->depth + 1, &body);
	scan = arena_alloc(arena, sizeof *scan);
	*scan = (struct scan){old->index, old->trips, !old->reverse, s->depth, body.item, body.n};
	eq = arena_alloc(arena, sizeof *eq);
	*eq = (struct equation){.kind = EQ_SCAN, .scan = scan, .at = o->at};
	list_add(arena, s->out, eq);
}

static void search(struct component_search *s, int n)
{
	struct arena *arena = &s->o->g->ctx->arena;
	struct node *node = &s->o->node[n];
	int_list members = {0};
	int last;

	node->found = node->low = ++s->found;
	node->waiting = true;
	list_add(arena, &s->stack, n);
	for (int i = 0; i < node->links.n; i++) {
		struct node *to = &s->o->node[node->links.item[i].to];

		if (!counts(s, node->links.item[i]))
			continue;
		if (!to->found)
			search(s, node->links.item[i].to);
		if (to->waiting && to->low < node->low)
			node->low = to->low;
	}
	if (node->low < node->found)
		return;
	do {
		last = s->stack.item[--s->stack.n];
		s->o->node[last].waiting = false;
		list_add(arena, &members, last);
	} while (last != n);
	append_component(s, &members);
}

static void order_nodes(struct ordering *o, const int_list *nodes, int depth, equation_list *out)
{
	struct component_search s = {.o = o, .set = ++o->sets, .depth = depth, .out = out};

	for (int i = 0; i < nodes->n; i++) {
		o->node[nodes->item[i]].set = s.set;
		o->node[nodes->item[i]].found = 0;
	}
	for (int i = 0; i < nodes->n; i++)
		if (o->node[nodes->item[i]].set == s.set && !o->node[nodes->item[i]].found)
			search(&s, nodes->item[i]);
}

void append_ordered(struct chain *c, const equation_list *eqs, int depth, struct span at)
{
	struct arena *arena = &c->g->ctx->arena;
	struct ordering o = {.g = c->g, .at = at, .depth = depth};
	int_list all = {0};

	o.node = arena_array(arena, (size_t)eqs->n, sizeof *o.node);
	for (int i = 0; i < eqs->n; i++)
		list_add(arena, &all, i);
	find_links(&o, eqs);
	order_nodes(&o, &all, depth, c->out);
}
