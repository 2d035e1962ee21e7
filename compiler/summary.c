/* summary.c - a model as a table: what it computes, with how many parameters, multiply-adds and bytes.
 *
 * A row is an instance of a definition, or an equation that stands at top level. The sizes at the end are those of the
 * generated structs. Multiply-adds count a term of a sum as one, per row of the batch. */
#include "summary.h"

#include "emit.h"
#include "schedule.h"

#include <inttypes.h>
#include <string.h>

struct row {
	const char *name;
	const struct tensor *last; /* the last value made under that name */
	int64_t params, terms, bytes;
};

struct summary {
	struct graph *g;
	struct program *p;
	struct arena *arena;
	LIST(struct row) rows;
	struct table by_name; /* row number + 1 */
	int64_t real;	      /* bytes */
};

/* The row of a name, made where it is new. */
static struct row *find_row(struct summary *s, const char *name)
{
	size_t at = (size_t)table_get(&s->by_name, name);

	if (!at) {
		list_add(s->arena, &s->rows, (struct row){.name = name});
		at = (size_t)s->rows.n;
		table_set(&s->by_name, name, (void *)at);
	}
	return &s->rows.item[at - 1];
}

/* An instance's path, or the tensor's own name at top level, without the role of a part of it. */
static const char *row_name(struct summary *s, const struct tensor *t)
{
	if (t->layer && *t->layer)
		return t->layer;
	return arena_copy(s->arena, t->name, strcspn(t->name, "."));
}

static void add_equation(void *user, struct equation *eq)
{
	struct summary *s = user;
	struct row *row = find_row(s, row_name(s, eq->tensor));

	if (eq->tensor->role != ROLE_NEXT)
		row->last = eq->tensor;
	if (eq->kind == EQ_VIEW)
		return;
	row->terms += eq->red == RED_SUM ? (int64_t)work_of(eq, true) : 0;
	if (layout_of(eq->tensor)->storage[CALL_FORWARD].memory != MEM_NONE)
		row->bytes += tensor_sample_size(eq->tensor) * (eq->tensor->elem == ELEM_REAL ? s->real : 4);
}

static const char *shape(struct summary *s, const struct tensor *t)
{
	struct text out = {.arena = s->arena};

	if (!t)
		return "";
	for (int a = t->batched; a < t->rank; a++)
		text_printf(&out, "%s%" PRId64, a > t->batched ? " x " : "", t->axis[a].extent);
	return out.at ? out.at : "1";
}

static void write_rule(struct text *out, int width)
{
	for (int i = 0; i < width; i++)
		text_add(out, "-");
	text_add(out, "\n");
}

static void write_rows(struct summary *s, struct text *out)
{
	struct row total = {0};
	int name_width = 5, shape_width = 6;

	for (int i = 0; i < s->rows.n; i++) {
		int n = (int)strlen(s->rows.item[i].name), m = (int)strlen(shape(s, s->rows.item[i].last));

		name_width = n > name_width ? n : name_width;
		shape_width = m > shape_width ? m : shape_width;
	}
	text_printf(out, "%-*s  %-*s  %12s  %14s  %12s\n", name_width, "layer", shape_width, "output", "parameters",
		    "multiply-adds", "bytes");
	write_rule(out, name_width + shape_width + 46);
	for (int i = 0; i < s->rows.n; i++) {
		const struct row *row = &s->rows.item[i];

		text_printf(out, "%-*s  %-*s  %12" PRId64 "  %14" PRId64 "  %12" PRId64 "\n", name_width, row->name,
			    shape_width, shape(s, row->last), row->params, row->terms, row->bytes);
		total.params += row->params;
		total.terms += row->terms;
		total.bytes += row->bytes;
	}
	write_rule(out, name_width + shape_width + 46);
	text_printf(out, "%-*s  %-*s  %12" PRId64 "  %14" PRId64 "  %12" PRId64 "\n", name_width, "total", shape_width,
		    "", total.params, total.terms, total.bytes);
	text_add(out, "multiply-adds and bytes of values: one row, in inference\n");
}

static void add_terms(void *user, struct equation *eq)
{
	if (eq->kind != EQ_VIEW && (eq->red == RED_SUM || eq->kind == EQ_SCATTER))
		*(int64_t *)user += (int64_t)work_of(eq, true);
}

/* Everything that training computes for one row. */
static int64_t training_terms(const struct graph *g)
{
	int64_t terms = 0;

	for (int part = PART_FORWARD; part <= PART_BACKWARD; part++)
		if (part != PART_INFERENCE)
			visit_equations(g->part[part].item, g->part[part].n, add_terms, &terms);
	return terms;
}

/* What a call of inference needs: its scratch, and the state where it reads that. */
static void write_inference_ram(struct summary *s, struct text *out, enum call call, const char *rows,
				const char *scratch, const struct struct_sizes *sizes, int64_t size)
{
	bool reads_state = s->p->call[call].reads_state;

	if (s->p->call[call].present)
		text_printf(out, "RAM for %s  %12" PRId64 "  %s%s; params are constants\n", rows,
			    size + (reads_state ? sizes->state : 0), reads_state ? "state, " : "", scratch);
}

static void write_memory(struct summary *s, struct text *out, int64_t real)
{
	struct graph *g = s->g;
	struct struct_sizes sizes;

	measure_program(s->p, &sizes);
	text_printf(out, "\nmemory, bytes (batch %" PRId64 ")\n", g->batch);
	text_printf(out, "  params   %12" PRId64 "  %" PRId64 " learnt", sizes.params, s->p->n_trained);
	if (s->p->n_param > s->p->n_trained)
		text_printf(out, ", %" PRId64 " frozen", s->p->n_param - s->p->n_trained);
	text_add(out, "\n");
	if (sizes.grads)
		text_printf(out,
			    "  grads    %12" PRId64
			    "  only for backward and update called apart; step has its own in work\n",
			    sizes.grads);
	text_printf(out, "  state    %12" PRId64 "\n", sizes.state);
	text_printf(out, "  work     %12" PRId64 "  the most that is alive at once: %" PRId64 "\n", sizes.work,
		    sizes.alive);
	text_printf(out, "  work1    %12" PRId64 "  for one row\n", sizes.work1);
	if (g->ctx->options->ram)
		text_printf(out, "within %" PRId64 ": %s\n", g->ctx->options->ram,
			    g->fitted ? g->fitted : "as without a budget");
	if (graph_trains(g))
		text_printf(out, "RAM to train     %12" PRId64 "  params, state, work\n",
			    sizes.params + sizes.state + sizes.work);
	else
		write_inference_ram(s, out, CALL_FORWARD, "a batch", "work", &sizes, sizes.work);
	write_inference_ram(s, out, CALL_FORWARD1, "one row", "work1", &sizes, sizes.work1);
	text_printf(out, "constants        %12" PRId64 "  params, tables\n", s->p->n_param * real + sizes.tables);
}

const char *summary_text(struct graph *g)
{
	int64_t real = real_size(g), training = training_terms(g);
	struct summary s = {.g = g, .p = schedule(g, NULL), .arena = &g->ctx->arena, .real = real};
	struct text out = {.arena = s.arena};

	s.by_name.arena = s.arena;
	visit_equations(g->part[PART_INFERENCE].item, g->part[PART_INFERENCE].n, add_equation, &s);
	for (int i = 0; i < s.p->params.n; i++)
		find_row(&s, row_name(&s, s.p->params.item[i]))->params += tensor_size(s.p->params.item[i]);

	text_printf(&out, "%s\n\n", g->name);
	write_rows(&s, &out);
	if (training && graph_trains(g))
		text_printf(&out, "a training step: %" PRId64 " multiply-adds a row\n", training);
	if (graph_trains(g) && g->training.rule)
		text_printf(&out, "trained by %s\n", g->training.rule);
	write_memory(&s, &out, real);
	return out.at;
}
