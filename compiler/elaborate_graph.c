/* elaborate_graph.c - reading the text of a graph back (print.c describes it): its declarations and parts. Equations go
 * straight into the part they stand in, under the names they have. */
#include "elaborate_graph.h"
#include "elaborate.h"

#include <string.h>

bool is_graph_text(const struct node *tree)
{
	for (int i = 0; i < tree->n; i++)
		if (tree->kid[i]->kind == NODE_PART)
			return true;
	return false;
}

/* ---- declarations ---- */

static struct tensor *param_before_dot(struct elaborator *E, const char *name, const char **rest)
{
	const char *dot = strrchr(name, '.');
	if (!dot)
		return NULL;
	struct tensor *w = table_get(&E->params, arena_copy(&E->ctx->arena, name, (size_t)(dot - name)));
	*rest = dot + 1;
	return w && w->role == ROLE_PARAM ? w : NULL;
}

struct tensor *add_grad(struct elaborator *E, const char *name, struct tensor *w, struct span at)
{
	struct tensor *t = graph_tensor(E->g, ROLE_GRAD, name, w->elem, false, w->rank, w->axis, at);
	t->of = w;
	t->layer = w->layer;
	list_add(&E->ctx->arena, &E->g->grads, t);
	bind(E, name, tensor_value(E, t), at);
	return t;
}

/* w.grad of a param w, made where it is first met; NULL if the name is no such gradient. */
struct tensor *graph_text_grad(struct elaborator *E, const char *name, struct span at)
{
	const char *rest;
	struct tensor *w = param_before_dot(E, name, &rest);
	if (!w || strcmp(rest, "grad") || (E->part != PART_BACKWARD && E->part != PART_UPDATE))
		return NULL;
	for (int i = 0; i < E->g->grads.n; i++)
		if (E->g->grads.item[i]->of == w)
			return NULL;
	return add_grad(E, name, w, at);
}

/* state v ~ optimizer("m", w), state v ~ gradient(w); or the name w.m tells. Returns false if it was a gradient. */
bool declare_graph_state(struct elaborator *E, const struct node *var)
{
	const struct node *note = var->n > 3 ? var->kid[3] : NULL;
	const struct node *of = note && note->kind == NODE_CALL && note->n ? note->kid[note->n - 1]->kid[0] : NULL;
	struct tensor *w = of && of->kind == NODE_NAME ? table_get(&E->params, of->name) : NULL;
	if (!note || strcmp(note->name, "gradient"))
		return true;
	if (w)
		add_grad(E, var->name, w, var->name_at);
	else
		fail(E, note->at, "gradient(w) needs the name of a param");
	return false;
}

void note_optimizer(struct elaborator *E, const struct node *var, struct tensor *t)
{
	const struct node *note = var->n > 3 ? var->kid[3] : NULL;
	if (note && note->kind == NODE_CALL && !strcmp(note->name, "optimizer") && note->n &&
	    note->kid[0]->kid[0]->kind == NODE_STRING) {
		t->rule = note->kid[0]->kid[0]->name;
		const struct node *of = note->n > 1 ? note->kid[1]->kid[0] : NULL;
		t->owner = of && of->kind == NODE_NAME ? table_get(&E->params, of->name) : NULL;
		return;
	}
	const char *rest;
	struct tensor *w = param_before_dot(E, t->name, &rest);
	if (w) {
		t->rule = rest;
		t->owner = w;
	}
}

/* ---- parts ---- */

static void read_part_loss(struct elaborator *E, const struct node *n)
{
	struct value v = eval(E, n->kid[0]);
	if (v.kind == VAL_ERROR)
		return;
	if (v.kind != VAL_TENSOR || v.expr->op != EX_READ || v.rank) {
		fail(E, n->at, "the loss of a part is a tensor of rank 0");
		return;
	}
	*(E->part == PART_INFERENCE ? &E->g->inference_loss : &E->g->loss) = v.expr->tensor;
}

static void read_statement(struct elaborator *E, const struct node *n)
{
	if (n->kind == NODE_SCAN) {
		declare_body(E, n->kid[2]);
		read_scan(E, n, 0);
		return;
	}
	if (n->kind == NODE_ASSIGN && n->kid[0]->n == 1)
		read_map(E, n->kid[0]->kid[0], n->kid[1], false);
	else if (n->kind == NODE_SCATTER)
		read_scatter(E, n);
	else if (n->kind == NODE_LOSS)
		read_part_loss(E, n);
	else
		fail(E, n->at, "a part of a graph holds equations only");
}

/* A scope for part inference: what is declared, but no values of other parts. */
static struct scope *inference_scope(struct elaborator *E)
{
	struct scope *s = arena_alloc(&E->ctx->arena, sizeof *s);
	*s = *E->file;
	s->names = (struct table){.arena = &E->ctx->arena};
	for (int i = 0; i < E->file->names.entries.n; i++) {
		struct binding *b = E->file->names.entries.item[i].value;
		bool value = b->value.kind == VAL_TENSOR && b->value.expr->op == EX_READ &&
			     (b->value.expr->tensor->role == ROLE_VALUE || b->value.expr->tensor->role == ROLE_VIEW);
		if (value)
			continue;
		struct binding *copy = arena_alloc(&E->ctx->arena, sizeof *copy);
		*copy = *b;
		copy->next = NULL;
		table_set(&s->names, b->name, copy);
	}
	return s;
}

void run_part(struct elaborator *E, const struct node *n)
{
	int part = 0;
	while (part < PART_COUNT && strcmp(part_name((enum part)part), n->name))
		part++;
	if (part == PART_COUNT) {
		fail(E, n->name_at,
		     "a graph has the parts init, forward, inference, backward, update and average, not '%s'", n->name);
		return;
	}
	E->part = (enum part)part;
	struct scope *file = E->file;
	struct table all = E->g->names;
	if (part == PART_INFERENCE) {
		E->file = E->scope = inference_scope(E);
		E->inference = E->file;
		forget_value_names(E->g);
	}
	for (int i = 0; i < n->kid[0]->n; i++)
		read_statement(E, n->kid[0]->kid[i]);
	if (part == PART_INFERENCE) {
		E->g->names = all;
		E->file = E->scope = file;
	}
}
