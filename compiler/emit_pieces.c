/* emit_pieces.c - a loop that the schedule has cut, as one after the other, each with the terms of its piece.
 *
 * An index that is divided runs in two loops, j = at + by*q + r: terms and targets are written in q and r, which leaves
 * no divisions. The innermost loop over r is written out, if it is short: what lies side by side in memory then stands
 * side by side in one round of the loop over q, of which compilers make vectors. */
#include "emit_loops.h"

enum { WRITTEN_OUT = 4 /* rounds */ };

void know_range(struct body *b, int slot, int64_t from, int64_t to)
{
	b->ranges.known |= (uint64_t)1 << slot;
	b->ranges.of[slot] = (struct range){from, to - 1};
}

struct expr **restrict_terms(struct body *b, int at, int end, struct expr *const *map)
{
	struct expr **kept = arena_array(b->e->arena, (size_t)(end - at) + 1, sizeof *kept);

	for (int i = at; i < end; i++) {
		struct stage *stage = b->group->stages.item[i];
		struct expr *term = kept[i - at] = stage->term;

		if (map)
			term = ex_substitute(b->e->g, term, map, MAX_SLOTS);
		stage->term = restrict_term(b->e->g, stage->wide ? stage->wide : stage->eq, term, &b->ranges);
	}
	return kept;
}

void restore_terms(struct body *b, int at, int end, struct expr *const *kept)
{
	for (int i = at; i < end; i++)
		b->group->stages.item[i]->term = kept[i - at];
}

static const struct cut *find_cut(const struct stage *stage, int slot)
{
	for (int i = 0; i < stage->n_cut; i++)
		if (stage->cut[i].slot == slot)
			return &stage->cut[i];
	return NULL;
}

/* Whether the terms of its pieces differ, or divide the index. */
static bool is_of_use(struct body *b, int at, int end, const struct cut *cut)
{
	struct piece_ranges before = b->ranges;
	bool use = false;

	for (int piece = 0; piece < cut->n; piece++) {
		struct expr **kept;

		know_range(b, cut->slot, cut->at[piece], cut->at[piece + 1]);
		kept = restrict_terms(b, at, end, NULL);
		for (int i = at; i < end; i++)
			use |= b->group->stages.item[i]->term != kept[i - at];
		restore_terms(b, at, end, kept);
		b->ranges = before;
	}
	for (int i = at; cut->by && i < end; i++) {
		expr_list all = {0};

		collect_exprs(b->e->g, b->group->stages.item[i]->term, &all);
		for (int k = 0; k < all.n; k++)
			use |= (all.item[k]->op == EX_FLOORDIV || all.item[k]->op == EX_MOD) &&
			       all.item[k]->slots >> cut->slot & 1;
	}
	return use;
}

/* Variables for what the rounds share, and accesses that are on sides of choices, of all rounds: ahead of their stores.
 */
static void load_ahead(struct body *b, int at, const struct cut *cut)
{
	struct stage *stage = b->group->stages.item[at];
	struct expr **terms = arena_array(b->e->arena, (size_t)cut->by, sizeof *terms), *map[MAX_SLOTS] = {0};

	for (int64_t r = 0; r < cut->by; r++) {
		struct expr **kept;

		map[cut->high + 1] = ex_int(b->e->g, r);
		kept = restrict_terms(b, at, at + 1, map);
		terms[r] = stage->term;
		restore_terms(b, at, at + 1, kept);
	}
	write_temps(b, terms, (int)cut->by, TEMPS_HERE);
}

/* The rounds of the loop over r, the innermost, one after the other. */
static void write_out(struct body *b, int at, int end, int k, int n_open, const struct cut *cut)
{
	struct expr *map[MAX_SLOTS] = {0};
	int low = cut->high + 1;

	b->slot_name[low] = NULL;
	b->open |= (uint64_t)1 << low;
	if (end == at + 1)
		load_ahead(b, at, cut);
	for (int64_t r = 0; r < cut->by; r++) {
		struct mark m = mark(b);
		struct expr **kept;

		b->slot_value[low] = r;
		map[low] = ex_int(b->e->g, r);
		kept = restrict_terms(b, at, end, map);
		write_nest_loops(b, at, end, k + 1, n_open);
		restore_terms(b, at, end, kept);
		forget(b, m, false);
	}
	b->slot_value[low] = 0;
}

/* Pieces that are like the one whose index is taken apart, are taken apart as well. */
static bool has_digits(const struct cut *cut, int piece)
{
	const int64_t *whole = cut->at + cut->whole, *at = cut->at + piece;

	return cut->by && at[1] - at[0] == whole[1] - whole[0] && (at[0] - whole[0]) % cut->by == 0;
}

/* A piece of which the index is at + by*q + r. */
static void write_digits(struct body *b, int at, int end, int k, int n_open, const struct cut *cut, int piece)
{
	struct stage *stage = b->group->stages.item[at];
	int64_t from = cut->at[piece], to = cut->at[piece + 1];
	struct affine index = {.constant = from};
	struct expr *map[MAX_SLOTS] = {0}, **kept;
	int blocks;

	index.coef[cut->high] = cut->by;
	index.coef[cut->high + 1] = 1;
	map[cut->slot] = b->in_digits[cut->slot] = affine_expr(b->e->g, &index);
	know_range(b, cut->high, 0, (to - from) / cut->by);
	know_range(b, cut->high + 1, 0, cut->by);
	kept = restrict_terms(b, at, end, map);
	b->eq = stage->wide;
	blocks = open_loop(b, stage->wide, cut->high);
	if (k + 1 == stage->n_free && cut->by <= WRITTEN_OUT) {
		hoist_terms(b, at, end);
		write_out(b, at, end, k, n_open, cut);
	} else {
		hoist_terms(b, at, end);
		blocks += open_loop(b, stage->wide, cut->high + 1);
		write_nest_loops(b, at, end, k + 1, n_open);
	}
	close_loops(b, blocks);
	restore_terms(b, at, end, kept);
	b->in_digits[cut->slot] = NULL;
	b->slot_name[cut->high] = b->slot_name[cut->high + 1] = NULL;
}

static void write_piece(struct body *b, int at, int end, int k, int n_open, const struct cut *cut, int piece)
{
	const struct stage *stage = b->group->stages.item[at];
	int64_t from = cut->at[piece], to = cut->at[piece + 1];
	struct expr **kept = restrict_terms(b, at, end, NULL);

	b->eq = stage->wide;
	b->open |= (uint64_t)1 << cut->slot;
	if (to - from == 1) {
		b->slot_name[cut->slot] = NULL;
		b->slot_value[cut->slot] = from;
		write_nest_loops(b, at, end, k + 1, n_open);
	} else {
		const char *name = index_name(b, stage->eq, cut->slot);

		open_block(b->e, "for (int %s = %lld; %s < %lld; %s++) {", name, (long long)from, name, (long long)to,
			   name);
		set_slot(b, cut->slot, name);
		write_nest_loops(b, at, end, k + 1, n_open);
		close_block(b->e, "}");
	}
	restore_terms(b, at, end, kept);
}

bool write_pieces(struct body *b, int at, int end, int k, int n_open)
{
	const struct stage *stage = b->group->stages.item[at];
	const struct cut *cut = find_cut(stage, stage->loop[k]);
	struct piece_ranges before = b->ranges;
	uint64_t open = b->open;

	if (!cut || !is_of_use(b, at, end, cut))
		return false;
	for (int piece = 0; piece < cut->n; piece++) {
		int64_t from = cut->at[piece], to = cut->at[piece + 1];
		struct mark m = mark(b);

		know_range(b, cut->slot, from, to);
		if (has_digits(cut, piece))
			write_digits(b, at, end, k, n_open, cut, piece);
		else
			write_piece(b, at, end, k, n_open, cut, piece);
		forget(b, m, to - from > 1);
		b->slot_name[cut->slot] = NULL;
		b->slot_value[cut->slot] = 0;
		b->open = open;
		b->ranges = before;
	}
	return true;
}
