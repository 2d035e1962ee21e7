/* adjoint.c - the chain rule inside one equation: from the adjoint of its value to those of its reads.
 *
 * One sweep over the expression's DAG, parents before children, adds up what each node hands to its arguments. Nodes
 * from which no wanted read can be reached are left alone. */
#include "chain.h"

/* A node of the value, and what has come together for it. */
struct node {
	struct expr *e, *adjoint;
	bool reaches; /* a wanted read */
};

struct sweep {
	LIST(struct node) nodes; /* arguments before their users */
	int *place;		 /* open addressing by id: 1 + position in nodes */
	size_t room;
	LIST(struct expr *) stack;
};

static int *find_entry(const struct sweep *s, const struct expr *e)
{
	size_t at = e->id * (size_t)0x9E3779B1u & (s->room - 1);

	while (s->place[at] && s->nodes.item[s->place[at] - 1].e != e)
		at = (at + 1) & (s->room - 1);
	return &s->place[at];
}

static struct node *find_node(struct sweep *s, const struct expr *e)
{
	int place = *find_entry(s, e);

	return place ? &s->nodes.item[place - 1] : NULL;
}

static void add_node(struct arena *arena, struct sweep *s, struct expr *e, bool reaches)
{
	if (2 * (size_t)s->nodes.n >= s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->place = arena_array(arena, s->room, sizeof *s->place);
		for (int i = 0; i < s->nodes.n; i++)
			*find_entry(s, s->nodes.item[i].e) = i + 1;
	}
	*find_entry(s, e) = s->nodes.n + 1;
	list_add(arena, &s->nodes, (struct node){e, NULL, reaches});
}

/* Every node that may hand on a gradient, arguments first. */
static void collect_nodes(struct arena *arena, struct sweep *s, struct expr *value, wanted_fn *wanted)
{
	list_add(arena, &s->stack, value);
	while (s->stack.n) {
		struct expr *e = s->stack.item[s->stack.n - 1];
		int waiting = s->stack.n;
		bool reaches = e->op == EX_READ && wanted(e->tensor);

		if (s->room && find_node(s, e)) {
			s->stack.n--;
			continue;
		}
		for (int k = e->n - 1; k >= 0; k--) {
			struct node *arg = passes_gradient(e, k) && s->room ? find_node(s, e->arg[k]) : NULL;

			if (arg)
				reaches |= arg->reaches;
			else if (passes_gradient(e, k))
				list_add(arena, &s->stack, e->arg[k]);
		}
		if (s->stack.n > waiting)
			continue;
		add_node(arena, s, e, reaches);
		s->stack.n--;
	}
}

void find_wanted_reads(struct graph *g, struct expr *value, wanted_fn *wanted, expr_list *out)
{
	struct arena *arena = &g->ctx->arena;
	struct sweep s = {0};

	collect_nodes(arena, &s, value, wanted);
	for (int i = 0; i < s.nodes.n; i++)
		if (s.nodes.item[i].e->op == EX_READ && wanted(s.nodes.item[i].e->tensor))
			list_add(arena, out, s.nodes.item[i].e);
}

static void hand_on(struct chain *c, struct sweep *s, struct expr *to, struct expr *adjoint)
{
	struct node *node = find_node(s, to);

	node->adjoint = add_adjoints(c->g, node->adjoint, adjoint);
}

void differentiate_value(struct chain *c, const struct index *index, struct expr *adjoint, wanted_fn *wanted,
			 read_adjoint_list *out)
{
	struct arena *arena = &c->g->ctx->arena;
	struct sweep s = {0};

	collect_nodes(arena, &s, c->value, wanted);
	hand_on(c, &s, c->value, adjoint);
	for (int i = s.nodes.n - 1; i >= 0; i--) {
		struct expr *e = s.nodes.item[i].e, *adj = s.nodes.item[i].adjoint;

		if (!s.nodes.item[i].reaches || !adj || ex_is_num(adj, 0))
			continue;
		if (e->op == EX_READ && wanted(e->tensor))
			list_add(arena, out, (struct read_adjoint){e, adj});
		for (int k = 0; k < e->n; k++) {
			struct expr *condition;

			if (!passes_gradient(e, k) || !find_node(&s, e->arg[k])->reaches)
				continue;
			if (e->op != EX_READ) {
				hand_on(c, &s, e->arg[k], pull_back(c, e, k, adj));
				continue;
			}
			condition = inside_condition(c->g, e, index);
			hand_on(c, &s, e->arg[k], ex_select(c->g, condition, ex_num(c->g, 0), adj));
		}
	}
}
