/* emit_draws.c - in process: the draws of a whole loop by one call.
 *
 * Random numbers are functions of row and element (emit_random.c), so a loop over elements may have all of its draws
 * made before it begins, by a routine of the host that a better compiler made (runtime/random.h): into an array, which
 * the loop then reads. Where the loop does nothing but scale and shift a draw, as for most initial weights, the routine
 * is all there is. The numbers are those of the loop, bit for bit. */
#include "emit_parts.h"

enum {
	FEWEST = 16, /* draws that are worth a call */
	MOST = 4096, /* in an array on the stack */
	FLAT_BLOCK = 256
};

static bool is_in_process(const struct body *b) { return b->e->options->freestanding && b->sites.n; }

/* A call for the draws of a site: `count` of a row from `first` on, as scale * draw + shift. */
static void write_draws(struct body *b, const struct expr *draw, const char *row, const char *first, const char *count,
			const char *scale, const char *shift, const char *to)
{
	b->takes_run = true;
	b->e->draws_ahead[draw->draw] = true;
	write_line(b->e, "nn_%s%s(run, %s, %s, %s, %s, %s, %s, %s);", draw->draw == DRAW_NORMAL ? "normal" : "uniform",
		   b->e->suffix, b->site_names.item[find_site(&b->sites, draw->site)], row, first, count, scale, shift,
		   to);
}

/* The same, into an array that the loop over `slot` reads (-1: the loop over a block). Adding -0 changes nothing. */
static void draw_into_array(struct body *b, const struct expr *draw, const char *row, const char *first, int64_t size,
			    const char *count, int slot)
{
	struct emitter *e = b->e;
	const char *array = new_name(e, &b->scope, "drawn"), *zero = arena_printf(e->arena, "-%s", real_literal(e, 0));

	write_line(e, "%s %s[%lld];", e->real, array, (long long)size);
	write_draws(b, draw, row, first, count, real_literal(e, 1), zero, array);
	list_add(e->arena, &b->drawn, (struct drawn){draw, array, slot});
}

static const struct drawn *find_drawn(const struct body *b, const struct expr *draw)
{
	for (int i = b->drawn.n - 1; i >= 0; i--)
		if (b->drawn.item[i].draw == draw)
			return &b->drawn.item[i];
	return NULL;
}

bool print_drawn(struct body *b, struct text *out, const struct expr *draw)
{
	const struct drawn *drawn = find_drawn(b, draw);

	if (drawn)
		text_printf(out, "%s[%s]", drawn->array, drawn->slot < 0 ? b->block_index : b->slot_name[drawn->slot]);
	return drawn;
}

/* ---- before the loop over the last index ---- */

/* Whether the draws of an equation for all values of `slot` are one behind the other, and how many. */
static int64_t draws_of_loop(const struct body *b, const struct equation *eq, int slot)
{
	if (eq->kind != EQ_MAP || slot != eq->nfree - 1 || eq->index[slot].rows || eq->index[slot].extent > MOST)
		return 0;
	for (int s = 0; s < slot; s++)
		if (!(b->open >> s & 1))
			return 0;
	return eq->index[slot].extent;
}

void draw_ahead(struct body *b, int at, int end, int slot)
{
	for (int i = at; is_in_process(b) && i < end; i++) {
		const struct stage *stage = b->group->stages.item[i];
		int64_t count = draws_of_loop(b, stage->eq, slot);

		for (int k = 0; k < stage->exprs.n && count >= FEWEST; k++) {
			struct expr *draw = stage->exprs.item[k];
			struct text first = {.arena = b->e->arena};
			struct affine element = draw_element(stage->eq);

			if (draw->op != EX_DRAW || find_drawn(b, draw))
				continue;
			element.coef[slot] = 0;
			print_affine(b, &first, &element, 0);
			draw_into_array(b, draw, draw_row(b, stage->eq), first.at, count,
					arena_printf(b->e->arena, "%lld", (long long)count), slot);
		}
	}
}

/* ---- flat loops ---- */

/* value = scale * draw + shift, of numbers. */
struct scaled {
	const struct expr *draw;
	double scale, shift;
};

static bool is_scaled(const struct expr *e, struct scaled *s)
{
	const struct expr *sum = e, *product;
	bool minus = e->op == EX_SUB;

	*s = (struct scaled){NULL, 1, -0.0};
	if (e->op == EX_ADD || e->op == EX_SUB) {
		int number = e->arg[1]->op == EX_NUM ? 1 : 0;

		if (e->arg[number]->op != EX_NUM)
			return false;
		s->shift = minus && number == 1 ? -e->arg[1]->num : e->arg[number]->num;
		s->scale = minus && number == 0 ? -1 : 1;
		sum = e->arg[!number];
	}
	product = sum;
	if (sum->op == EX_MUL) {
		int number = sum->arg[1]->op == EX_NUM ? 1 : 0;

		if (sum->arg[number]->op != EX_NUM)
			return false;
		s->scale *= sum->arg[number]->num;
		product = sum->arg[!number];
	}
	s->draw = product;
	return product->op == EX_DRAW;
}

bool write_flat_draws(struct body *b)
{
	struct emitter *e = b->e;
	const struct stage *stage = b->group->stages.item[0];
	struct scaled s;

	if (!is_in_process(b) || b->group->stages.n > 1 || stage->local || stage->eq->red != RED_NONE ||
	    !is_scaled(stage->term, &s))
		return false;
	write_draws(b, s.draw, "0", "0", "count", real_literal(e, s.scale),
		    s.shift == 0 ? arena_printf(e->arena, "-%s", real_literal(e, 0)) : real_literal(e, s.shift),
		    find_arg(b, stage->eq->tensor)->name);
	return true;
}

/* By blocks, each with its draws. */
bool open_flat_blocks(struct body *b)
{
	struct emitter *e = b->e;
	const char *block, *rest, *i;

	if (!is_in_process(b))
		return false;
	block = new_name(e, &b->scope, "block");
	open_block(e, "for (int %s = 0; %s < count; %s += %d) {", block, block, block, (int)FLAT_BLOCK);
	rest = new_name(e, &b->scope, "rest");
	write_line(e, "const int %s = %s(count - %s, %d);", rest, help(e, HELP_SMALLER), block, (int)FLAT_BLOCK);
	for (int k = 0; k < b->group->stages.n; k++)
		for (int x = 0; x < b->group->stages.item[k]->exprs.n; x++) {
			const struct expr *draw = b->group->stages.item[k]->exprs.item[x];

			if (draw->op == EX_DRAW && !find_drawn(b, draw))
				draw_into_array(b, draw, "0", block, FLAT_BLOCK, rest, -1);
		}
	b->block_index = i = new_name(e, &b->scope, "i");
	b->flat_index = arena_printf(e->arena, "%s + %s", block, i);
	open_block(e, "for (int %s = 0; %s < %s; %s++) {", i, i, rest, i);
	return true;
}
