/* print_dot.c - the graph as input of Graphviz: a node for each tensor, an edge for each read.
 *
 * Every part but init is a cluster of what it defines; inputs, params, states and constants stand outside. The equation
 * of a node is its tooltip. Scatters into one tensor are one node. */
#include "expr.h"
#include "print.h"

struct dot {
	struct graph *g;
	struct text *out;
	bool *shown;   /* by tensor id: has a node */
	int *edge;     /* by tensor id: the number of the node that it has an edge to already */
	int node;      /* counts nodes */
	uint32_t into; /* id of the tensor that edges go to */
};

static void write_escaped(struct text *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			text_add(out, "\\");
		text_add_bytes(out, text, 1);
	}
}

static const char *node_style(const struct tensor *t)
{
	switch (t->role) {
	case ROLE_INPUT:
	case ROLE_TARGET:
	case ROLE_SETTING: return "shape=ellipse";
	case ROLE_PARAM:
	case ROLE_FROZEN:
	case ROLE_STATE: return "shape=box, style=filled, fillcolor=lightgrey";
	case ROLE_NEXT:
	case ROLE_GRAD: return "shape=box, style=bold";
	case ROLE_DATA: return "shape=note";
	case ROLE_VIEW: return "shape=box, style=dashed";
	default: return "shape=box";
	}
}

/* eq: the equation that defines it, or NULL. */
static void write_node(struct dot *d, const struct tensor *t, const struct equation *eq, const char *indent)
{
	struct text tooltip = {.arena = &d->g->ctx->arena};

	if (d->shown[t->id])
		return;
	d->shown[t->id] = true;
	text_printf(d->out, "%st%u [label=\"", indent, t->id);
	write_escaped(d->out, t->role == ROLE_NEXT ? t->of->name : t->name);
	text_add(d->out, t->role == ROLE_NEXT ? "'" : "");
	for (int a = 0; a < t->rank; a++) {
		text_add(d->out, a ? ", " : "\\n[");
		if (a == 0 && t->batched)
			text_add(d->out, "batch");
		else
			text_printf(d->out, "%lld", (long long)t->axis[a].extent);
	}
	text_printf(d->out, "%s\", %s", t->rank ? "]" : "", node_style(t));
	if (eq) {
		print_equation(d->g, eq, &tooltip);
		text_add(d->out, ", tooltip=\"");
		write_escaped(d->out, tooltip.at);
		text_add(d->out, "\"");
	}
	text_add(d->out, "];\n");
}

static void write_edge(struct dot *d, const struct tensor *from)
{
	if (d->edge[from->id] == d->node)
		return;
	d->edge[from->id] = d->node;
	text_printf(d->out, "\tt%u -> t%u;\n", from->id, d->into);
}

static void read_edge(void *user, struct expr *e)
{
	if (e->op == EX_READ)
		write_edge(user, e->tensor);
}

static void read_node(void *user, struct expr *e)
{
	if (e->op == EX_READ)
		write_node(user, e->tensor, NULL, "\t");
}

/* fn for all that an equation reads. */
static void visit_reads(struct dot *d, const struct equation *eq, void (*fn)(void *user, struct expr *e))
{
	if (eq->value)
		ex_visit(d->g, eq->value, fn, d);
	for (int a = 0; eq->kind == EQ_SCATTER && a < eq->tensor->rank; a++)
		ex_visit(d->g, eq->target[a], fn, d);
}

static void defined_node(void *user, struct equation *eq) { write_node(user, eq->tensor, eq, "\t\t"); }

static void read_nodes(void *user, struct equation *eq) { visit_reads(user, eq, read_node); }

static void read_edges(void *user, struct equation *eq)
{
	struct dot *d = user;

	d->node++;
	d->into = eq->tensor->id;
	visit_reads(d, eq, read_edge);
	if (eq->kind == EQ_VIEW)
		write_edge(d, eq->tensor->of);
}

void print_dot(struct graph *g, struct text *out)
{
	struct dot d = {.g = g, .out = out};

	d.shown = arena_array(&g->ctx->arena, (size_t)g->tensors.n, sizeof *d.shown);
	d.edge = arena_array(&g->ctx->arena, (size_t)g->tensors.n, sizeof *d.edge);
	text_printf(out, "digraph %s {\n\tnode [fontname=\"monospace\", fontsize=10];\n", g->name);
	for (enum part part = PART_FORWARD; part < PART_COUNT; part++) {
		if (!g->part[part].n)
			continue;
		text_printf(out, "\tsubgraph cluster_%s {\n\t\tlabel=\"%s\";\n", part_name(part), part_name(part));
		visit_equations(g->part[part].item, g->part[part].n, defined_node, &d);
		text_add(out, "\t}\n");
	}
	for (enum part part = PART_FORWARD; part < PART_COUNT; part++)
		visit_equations(g->part[part].item, g->part[part].n, read_nodes, &d);
	for (enum part part = PART_FORWARD; part < PART_COUNT; part++)
		visit_equations(g->part[part].item, g->part[part].n, read_edges, &d);
	text_add(out, "}\n");
}
