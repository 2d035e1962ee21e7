/* tile_code.c - machine code for tiles, made when a model is opened.
 *
 * All numbers of a tile are known then, as they are when a C compiler sees a file of nnc's. So steps become offsets
 * within instructions, and a tile may have any size that the registers hold: the same tiles that files have are as fast
 * as there (tile_sums.c). The loops around count on the stack: each has its index, and where a, b and t are at that.
 *
 * The code is written into pages of its own, which can be executed once they can no longer be written. */
#include "tile_code.h"

#include <string.h>

#include "code_memory.h"
#include "tile_maker.h"

#if defined(__x86_64__) && !defined(_WIN32)

/* ---- the loops around ---- */

/* R9 = the end of a loop */
static void get_end(struct tile_maker *m, const nn_tile_loop *loop)
{
	if (loop->end > 0)
		x86_set(&m->x, R9, loop->end);
	else
		x86_get(&m->x, true, R9, tile_slot(loop->end == NN_TILE_N ? SLOT_N : SLOT_BLOCK));
}

/* SLOT_ASK = where a is in the next round of the innermost loop, or, of the last, in this one; RAX is its index. */
static void find_asked(struct tile_maker *m, const nn_tile_loop *loop)
{
	struct x86 *x = &m->x;
	x86_get(x, true, R10, x86_register(RAX));
	x86_add(x, R10, loop->by);
	get_end(m, loop);
	x86_subtract(x, R9, loop->by);
	x86_take_less(x, R10, R9);
	x86_multiply(x, R9, R10, (int64_t)loop->a * m->real);
	x86_add_from(x, R9, tile_slot(m->at[A]));
	x86_put(x, false, tile_slot(SLOT_ASK), R9);
}

static void make_loops(struct tile_maker *m, int k);

/* What stands in loop k, whose index is RAX. */
static void make_round(struct tile_maker *m, int k)
{
	struct x86 *x = &m->x;
	const nn_tile_loop *loop = &m->tile->loop[k];
	const int64_t step[OPERANDS] = {loop->a, loop->b, loop->t};
	const struct tile_maker outer = *m;
	if (m->tile->ask && k + 1 == m->tile->n_loop)
		find_asked(m, loop);
	for (int o = 0; o < OPERANDS; o++) {
		if (step[o] == 0)
			continue;
		x86_multiply(x, R9, RAX, step[o] * m->real);
		x86_add_from(x, R9, tile_slot(m->at[o]));
		m->at[o] = SLOT_LOOPS + k * SLOTS_OF_LOOP + 1 + o;
		x86_put(x, false, tile_slot(m->at[o]), R9);
	}
	make_loops(m, k + 1);
	memcpy(m->at, outer.at, sizeof m->at);
}

/* The round at the end of loop k, from `end` on, where fewer rows or columns are left than a tile has. */
static void make_rest(struct tile_maker *m, int k, int end)
{
	const nn_tile_loop *loop = &m->tile->loop[k];
	const bool is_column = loop->rest >= NN_TILE_COLUMN;
	int32_t *count = is_column ? &m->column[loop->rest - NN_TILE_COLUMN] : &m->row[loop->rest - NN_TILE_ROW];
	const int32_t whole = *count;
	*count = (int32_t)((int64_t)(loop->end - end) * whole / loop->by);
	x86_set(&m->x, RAX, end);
	make_round(m, k);
	*count = whole;
}

static void make_loops(struct tile_maker *m, int k)
{
	struct x86 *x = &m->x;
	const nn_tile_loop *loop = &m->tile->loop[k];
	const struct x86_place mine = tile_slot(SLOT_LOOPS + k * SLOTS_OF_LOOP);
	if (k == m->tile->n_loop) {
		make_tile(m);
		return;
	}
	const int rest = loop->rest ? loop->end % loop->by : 0, end = loop->end - rest;
	if (end || loop->end <= 0) {
		x86_set(x, RAX, 0);
		const size_t start = x->n;
		x86_put(x, true, mine, RAX);
		if (!rest && loop->by > 1 && (loop->end <= 0 || loop->end % loop->by)) {
			get_end(m, loop);
			x86_subtract(x, R9, loop->by);
			x86_take_less(x, RAX, R9);
		}
		make_round(m, k);
		x86_get(x, true, RAX, mine);
		x86_add(x, RAX, loop->by);
		if (rest)
			x86_set(x, R9, end);
		else
			get_end(m, loop);
		x86_repeat_below(x, RAX, R9, start);
	}
	if (rest)
		make_rest(m, k, end);
}

/* Bytes of the frame: the slots, and results across samples; behind those the last vectors of a square that is turned.
 */
static int frame_size(const struct tile_maker *m)
{
	const int results = results_offset(m),
		  vectors = m->tile->row[0] * m->tile->row[1] * m->tile->column[0] * m->tile->column[1];
	return m->tile->across ? results + (vectors + m->set->width) * 64 : results;
}

static void make_function(struct tile_maker *m)
{
	struct x86 *x = &m->x;
	x86_open_frame(x, frame_size(m));
	x86_put(x, false, tile_slot(SLOT_TILE), RDI);
	x86_put(x, false, tile_slot(SLOT_AT + A), RSI);
	x86_put(x, false, tile_slot(SLOT_AT + B), RDX);
	x86_put(x, false, tile_slot(SLOT_AT + T), RCX);
	x86_put(x, true, tile_slot(SLOT_N), R8);
	x86_put(x, true, tile_slot(SLOT_BLOCK), R9);
	if (m->tile->adds == NN_TILE_SCALED)
		x86_store_lane(x, tile_slot(SLOT_SCALE), 0, 0);
	if (m->tile->dot && m->tile->trips[0] % m->tile->lanes)
		x86_set_mask(x, m->bytes, m->tile->trips[0] % m->tile->lanes);
	make_loops(m, 0);
	x86_return(x);
}

/* The function of a tile behind what is written; false, and there is none, if some number is too large. */
static bool write_function(const struct tile_set *set, const nn_tile *tile, struct x86 *x)
{
	const int real = x->doubles ? 8 : 4;
	struct tile_maker m = {.x = *x,
			       .set = set,
			       .tile = tile,
			       .real = real,
			       .bytes = tile->lanes * real,
			       .row = {tile->row[0], tile->row[1]},
			       .column = {tile->column[0], tile->column[1]},
			       .at = {SLOT_AT + A, SLOT_AT + B, SLOT_AT + T}};
	make_function(&m);
	if (!m.x.failed)
		x->n = m.x.n;
	return !m.x.failed;
}

struct tile_code make_tile_code(const struct tile_set *set, nn_tile *tile, int n)
{
	enum { MOST = 64 << 10 /* bytes of a tile, and more than any takes */ };
	struct code_memory code;
	int made = 0;
	for (int i = 0; i < n; i++)
		tile[i].run = set->run;
	if (!set->makes_code || n == 0)
		return (struct tile_code){NULL, 0};
	code = open_code((size_t)MOST * (size_t)(n + 1));
	if (!code.at)
		return (struct tile_code){NULL, 0};
	struct x86 x = {.at = code.at,
			.room = code.size,
			.avx512 = set->registers == 32,
			.doubles = set->width == (set->registers == 32 ? 8 : 4)};
	x86_write_masks(&x);
	for (int i = 0; i < n; i++) {
		union {
			uint8_t *object;
			tile_function *function;
		} first = {.object = x.at + x.n};
		if (!write_function(set, &tile[i], &x))
			continue;
		tile[i].run = first.function;
		made++;
	}
	if (close_code(&code, made ? x.n : 0))
		return (struct tile_code){code.at, code.size};
	for (int i = 0; i < n; i++)
		tile[i].run = set->run;
	return (struct tile_code){NULL, 0};
}

void free_tile_code(struct tile_code code) { free_code((struct code_memory){code.at, code.size}); }

#else

struct tile_code make_tile_code(const struct tile_set *set, nn_tile *tile, int n)
{
	for (int i = 0; i < n; i++)
		tile[i].run = set->run;
	return (struct tile_code){NULL, 0};
}

void free_tile_code(struct tile_code code) { (void)code; }

#endif
