/* emit_weights.c - the params, and what goes with them of the state, as constants of the C file. */
#include "emit_parts.h"

#include <string.h>

enum { ROW = 80 /* characters of a line */ };

/* Element i of an array of params or states, so that it reads back to the same bits. */
static const char *element_text(struct emitter *e, enum elem elem, const void *array, int64_t i)
{
	if (elem != ELEM_REAL)
		return arena_printf(e->arena, "%ld", (long)((const int32_t *)array)[i]);
	if (e->real_kind == NNC_FLOAT)
		return float_literal(e, ((const float *)array)[i]);
	return real_literal(e, ((const double *)array)[i]);
}

static void write_params_constant(struct emitter *e)
{
	write_blank(e);
	open_block(e, "const %s_params %s_weights = {.flat = {", e->prefix, e->prefix);
	for (int64_t i = 0; i < e->p->n_param;) {
		struct text row = {.arena = e->arena};

		while (i < e->p->n_param && row.n < ROW)
			text_printf(&row, "%s%s,", row.n ? " " : "",
				    element_text(e, ELEM_REAL, e->options->weights, i++));
		write_line(e, "%s", row.at);
	}
	close_block(e, "}};");
}

/* ---- the state ---- */

/* The last line, with the end of the one before it, has more than ROW characters. */
static bool is_row_full(const struct text *text)
{
	size_t n = 0;
	while (n < text->n && n <= ROW && text->at[text->n - 1 - n] != '\n')
		n++;
	return n + (n < text->n) > ROW;
}

/* The elements from *i on along axis k and those behind it, in a pair of braces an axis. */
static void add_elements(struct emitter *e, struct text *text, const struct tensor *t, int k, const void *array,
			 int64_t *i)
{
	if (k == t->rank) {
		text_add(text, element_text(e, t->elem, array, (*i)++));
		return;
	}
	text_add(text, "{");
	for (int64_t n = 0; n < t->axis[k].extent; n++) {
		text_add(text, n == 0 ? "" : is_row_full(text) ? ",\n" : ", ");
		add_elements(e, text, t, k + 1, array, i);
	}
	text_add(text, "}");
}

/* A field of the state, which begins at *at or at the next place that is aligned for it. */
static void write_field_constant(struct emitter *e, const struct tensor *t, int64_t *at)
{
	int64_t size = elem_size(t->elem, real_size(e->g)), n = tensor_size(t), i = 0;
	struct text text = {.arena = e->arena};

	*at = (*at + size - 1) / size * size;
	text_printf(&text, ".%s = ", layout_of(t)->c_name);
	add_elements(e, &text, t, 0, (const char *)e->options->state + *at, &i);
	text_add(&text, ",");
	for (const char *line = text.at; *line; line += *line == '\n') {
		int length = (int)strcspn(line, "\n");

		write_line(e, "%.*s", length, line);
		line += length;
	}
	*at += n * size;
}

/* Of the state what the model keeps itself. The rest, the optimiser's and the run's place, starts at 0. */
static void write_state_constant(struct emitter *e)
{
	const struct program *p = e->p;
	int64_t at = RUN_SIZE;

	write_blank(e);
	open_block(e, "const %s_state %s_kept = {", e->prefix, e->prefix);
	for (int i = 0; i < p->settings.n; i++)
		write_field_constant(e, p->settings.item[i], &at);
	for (int i = 0; i < p->states.n; i++)
		write_field_constant(e, p->states.item[i], &at);
	close_block(e, "};");
}

void write_weights(struct emitter *e)
{
	if (!e->options->weights || e->real_kind == NNC_QUAD)
		return;
	write_params_constant(e);
	if (e->options->state && has_kept(e->p))
		write_state_constant(e);
}

bool has_kept(const struct program *p) { return p->states.n || p->settings.n; }
