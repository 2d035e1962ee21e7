/* tile_code.c - machine code for tiles, made when a model is opened.
 *
 * All numbers of a tile are known then, as they are when a C compiler sees a file of nnc's. So steps become offsets
 * within instructions, and a tile may have any size that the registers hold: the same tiles that files have are as fast
 * as there. A row of results is held in registers one after the other, behind all of them a step's columns of b and a
 * row of a. The loops around count on the stack: each has its index, and where a, b and t are at that.
 *
 * The code is written into pages of its own, which can be executed once they can no longer be written. */
#if defined(__x86_64__) && !defined(_WIN32)
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#endif

#include "tile_code.h"
#include "x86.h"

#if defined(__x86_64__) && !defined(_WIN32)

enum operand { A, B, T, OPERANDS };
enum { MOST_UNROLLED = 32 /* products in the round of a loop that is unrolled */ };

/* A function in the making. */
struct maker {
	struct x86 x;
	const nn_tile *tile;
	int real, bytes; /* of an element, of a vector */
	int rows, columns;
	int at[OPERANDS]; /* slots of the addresses for the loops that are open */
	int64_t moved[2]; /* by how much the sums that have been written have moved a and b */
};

/* Slots of the frame, 8 bytes each. */
enum { SLOT_N, SLOT_BLOCK, SLOT_SCALE, SLOT_AT, SLOT_LOOPS = SLOT_AT + OPERANDS, SLOTS_OF_LOOP = 1 + OPERANDS };

static struct x86_place slot(int number) { return x86_memory(RSP, 8 * number); }

/* ---- a step of the sums ---- */

static int64_t place_of(int i, const int32_t split[2], const int32_t step[2])
{
	return (int64_t)(i % split[0]) * step[0] + (int64_t)(i / split[0]) * step[1];
}

/* Row i of a, and column i of b, at an offset in elements. */
static struct x86_place row_at(const struct maker *m, int i, int64_t offset)
{
	return x86_memory(RSI, (place_of(i, m->tile->row, m->tile->a_row) + offset) * m->real);
}

static struct x86_place column_at(const struct maker *m, int i, int64_t offset)
{
	return x86_memory(RDX, (place_of(i, m->tile->column, m->tile->b_column) + offset) * m->real);
}

static void load_row(struct maker *m, int to, struct x86_place at)
{
	if (m->tile->dot)
		x86_load(&m->x, m->bytes, to, at);
	else
		x86_broadcast(&m->x, m->bytes, to, at);
}

/* offset: of a and of b. last: only these lanes count, unless it is 0. */
static void make_step(struct maker *m, const int64_t offset[2], int last)
{
	struct x86 *x = &m->x;
	const int held = m->rows * m->columns, row = held + m->columns;
	const bool from_memory = m->tile->dot || m->x.avx512;
	if (m->rows == 1 && !last) {
		load_row(m, row, row_at(m, 0, offset[A]));
		for (int c = 0; c < m->columns; c++)
			x86_multiply_add(x, m->bytes, c, row, column_at(m, c, offset[B]));
		return;
	}
	for (int c = 0; c < m->columns; c++)
		if (last)
			x86_load_last(x, m->bytes, held + c, column_at(m, c, offset[B]), last);
		else
			x86_load(x, m->bytes, held + c, column_at(m, c, offset[B]));
	for (int i = 0; i < m->rows; i++) {
		const struct x86_place at = row_at(m, i, offset[A]);
		if (m->columns == 1 && from_memory) {
			if (m->tile->dot)
				x86_multiply_add(x, m->bytes, i, held, at);
			else
				x86_multiply_add_all(x, m->bytes, i, held, at);
			continue;
		}
		load_row(m, row, at);
		for (int c = 0; c < m->columns; c++)
			x86_multiply_add(x, m->bytes, i * m->columns + c, held + c, x86_register(row));
	}
}

/* ---- sums ---- */

static int counter_of(int sum)
{
	static const int counter[NN_TILE_SUMS] = {RAX, R9, R10, R11};
	return counter[sum];
}

static void set_counter(struct maker *m, int sum, int trips)
{
	if (trips == NN_TILE_N)
		x86_get(&m->x, true, counter_of(sum), slot(SLOT_N));
	else
		x86_set(&m->x, counter_of(sum), trips);
}

static void move(struct maker *m, int64_t a, int64_t b)
{
	x86_add(&m->x, RSI, a * m->real);
	x86_add(&m->x, RDX, b * m->real);
}

/* The most steps that divide the trips and are not too much text. */
static int unrolled_steps(const struct maker *m, int trips)
{
	int steps = MOST_UNROLLED / (m->rows * m->columns);
	if (trips == NN_TILE_N)
		return 1;
	while (steps > 1 && trips % steps)
		steps--;
	return steps > 1 ? steps : 1;
}

static void make_innermost(struct maker *m)
{
	const nn_tile *t = m->tile;
	const bool none = t->n_sum == 0;
	const int whole = none ? 1 : t->dot ? t->trips[0] / t->lanes : t->trips[0];
	const int64_t each[2] = {none	  ? 0
				 : t->dot ? t->lanes
					  : t->a_sum[0],
				 none	  ? 0
				 : t->dot ? t->lanes
					  : t->b_sum[0]};
	const int steps = unrolled_steps(m, whole);
	const bool loop = whole != steps;
	size_t start;
	if (loop)
		set_counter(m, 0, whole == NN_TILE_N ? NN_TILE_N : whole / steps);
	start = m->x.n;
	for (int k = 0; k < steps; k++)
		make_step(m, (int64_t[]){k * each[A], k * each[B]}, 0);
	if (loop) {
		move(m, steps * each[A], steps * each[B]);
		x86_count_down(&m->x, counter_of(0), start);
	}
	m->moved[A] = loop ? whole * each[A] : 0;
	m->moved[B] = loop ? whole * each[B] : 0;
	if (t->dot && t->trips[0] % t->lanes) { /* the last elements, behind some that have been: those count as 0 */
		const int64_t at = t->trips[0] - t->lanes - (loop ? (int64_t)whole * t->lanes : 0);
		make_step(m, (int64_t[]){at, at}, t->trips[0] % t->lanes);
	}
}

static void make_sums(struct maker *m, int sum)
{
	const nn_tile *t = m->tile;
	size_t start;
	if (sum <= 0) {
		make_innermost(m);
		return;
	}
	set_counter(m, sum, t->trips[sum]);
	start = m->x.n;
	make_sums(m, sum - 1);
	move(m, t->a_sum[sum] - m->moved[A], t->b_sum[sum] - m->moved[B]);
	x86_count_down(&m->x, counter_of(sum), start);
	m->moved[A] = (int64_t)t->trips[sum] * t->a_sum[sum];
	m->moved[B] = (int64_t)t->trips[sum] * t->b_sum[sum];
}

/* ---- results ---- */

/* Number i of the results, in the order in which they lie in memory where they lie side by side: its register, and its
 * place. */
static int result_register(const struct maker *m, int i)
{
	return m->tile->t_row[0] == 1 ? i % m->rows * m->columns + i / m->rows : i;
}

static int64_t result_place(const struct maker *m, int i)
{
	const nn_tile *t = m->tile;
	const int number = result_register(m, i);
	return place_of(number / m->columns, t->row, t->t_row) + place_of(number % m->columns, t->column, t->t_column);
}

/* Totals of the lanes of as many sums as 16 bytes hold results, side by side in the first of their registers. */
static void add_up(struct maker *m, const int *sum)
{
	const int scratch = m->rows * m->columns;
	if (m->real == 8) {
		x86_add_pairs(&m->x, m->bytes, sum[0], sum[1], scratch);
	} else {
		x86_add_pairs(&m->x, m->bytes, sum[0], sum[2], scratch);
		x86_add_pairs(&m->x, m->bytes, sum[1], sum[3], scratch);
		x86_add_pairs(&m->x, m->bytes, sum[0], sum[1], scratch);
	}
	x86_add_quarters(&m->x, m->bytes, sum[0], scratch);
}

static void store_totals(struct maker *m)
{
	const int n = m->rows * m->columns, each = 16 / m->real;
	for (int i = 0; i < n; i += each) {
		int sum[4];
		bool apart = i + each > n;
		for (int k = 0; k < each; k++) {
			sum[k] = i + k < n ? result_register(m, i + k) : m->rows * m->columns + 1;
			apart = apart || result_place(m, i + k) != result_place(m, i) + k;
		}
		add_up(m, sum);
		if (!apart)
			x86_store(&m->x, 16, x86_memory(RCX, result_place(m, i) * m->real), sum[0]);
		for (int k = 0; k < each && i + k < n && apart; k++)
			x86_store_lane(&m->x, x86_memory(RCX, result_place(m, i + k) * m->real), sum[0], k);
	}
}

/* As many times as the call says, to what is there. */
static void add_results(struct maker *m)
{
	const int n = m->rows * m->columns, scale = n;
	x86_broadcast(&m->x, m->bytes, scale, slot(SLOT_SCALE));
	for (int i = 0; i < n; i++)
		x86_scale_add(&m->x, m->bytes, result_register(m, i), scale,
			      x86_memory(RCX, result_place(m, i) * m->real));
}

static void store_results(struct maker *m)
{
	if (m->tile->adds == NN_TILE_SCALED)
		add_results(m);
	for (int i = 0; i < m->rows * m->columns; i++)
		x86_store(&m->x, m->bytes, x86_memory(RCX, result_place(m, i) * m->real), result_register(m, i));
}

static void make_tile(struct maker *m)
{
	x86_get(&m->x, false, RSI, slot(m->at[A]));
	x86_get(&m->x, false, RDX, slot(m->at[B]));
	x86_get(&m->x, false, RCX, slot(m->at[T]));
	for (int i = 0; i < m->rows * m->columns; i++)
		if (m->tile->adds == NN_TILE_SCALED) {
			x86_ask(&m->x, x86_memory(RCX, result_place(m, i) * m->real));
			x86_clear(&m->x, i);
		} else if (m->tile->adds)
			x86_load(&m->x, m->bytes, result_register(m, i), x86_memory(RCX, result_place(m, i) * m->real));
		else
			x86_clear(&m->x, i);
	make_sums(m, m->tile->n_sum - 1);
	if (m->tile->dot)
		store_totals(m);
	else
		store_results(m);
}

/* ---- the loops around ---- */

/* R9 = the end of a loop */
static void get_end(struct maker *m, const nn_tile_loop *loop)
{
	if (loop->end > 0)
		x86_set(&m->x, R9, loop->end);
	else
		x86_get(&m->x, true, R9, slot(loop->end == NN_TILE_N ? SLOT_N : SLOT_BLOCK));
}

static void make_loops(struct maker *m, int k)
{
	struct x86 *x = &m->x;
	const nn_tile_loop *loop = &m->tile->loop[k];
	const int64_t step[OPERANDS] = {loop->a, loop->b, loop->t};
	const int mine = SLOT_LOOPS + k * SLOTS_OF_LOOP;
	size_t start;
	if (k == m->tile->n_loop) {
		make_tile(m);
		return;
	}
	x86_set(x, RAX, 0);
	start = x->n;
	x86_put(x, true, slot(mine), RAX);
	if (loop->by > 1 && (loop->end <= 0 || loop->end % loop->by)) {
		get_end(m, loop);
		x86_subtract(x, R9, loop->by);
		x86_take_less(x, RAX, R9);
	}
	for (int o = 0; o < OPERANDS; o++) {
		if (step[o] == 0)
			continue;
		x86_multiply(x, R9, RAX, step[o] * m->real);
		x86_add_from(x, R9, slot(m->at[o]));
		m->at[o] = mine + 1 + o;
		x86_put(x, false, slot(m->at[o]), R9);
	}
	make_loops(m, k + 1);
	x86_get(x, true, RAX, slot(mine));
	x86_add(x, RAX, loop->by);
	get_end(m, loop);
	x86_repeat_below(x, RAX, R9, start);
}

static void make_function(struct maker *m)
{
	struct x86 *x = &m->x;
	const int slots = SLOT_LOOPS + m->tile->n_loop * SLOTS_OF_LOOP;
	x86_open_frame(x, 8 * slots);
	x86_put(x, false, slot(SLOT_AT + A), RSI);
	x86_put(x, false, slot(SLOT_AT + B), RDX);
	x86_put(x, false, slot(SLOT_AT + T), RCX);
	x86_put(x, true, slot(SLOT_N), R8);
	x86_put(x, true, slot(SLOT_BLOCK), R9);
	if (m->tile->adds == NN_TILE_SCALED)
		x86_store_lane(x, slot(SLOT_SCALE), 0, 0);
	if (m->tile->dot && m->tile->trips[0] % m->tile->lanes)
		x86_set_mask(x, m->bytes, m->tile->trips[0] % m->tile->lanes);
	make_loops(m, 0);
	x86_return(x);
}

/* The function of a tile at offset `at` of the memory, or of nothing; its length, or 0 if some number is too large. */
static size_t write_function(const struct tile_set *set, const nn_tile *tile, uint8_t *memory, size_t at)
{
	const bool avx512 = set->registers == 32;
	const int real = (avx512 ? 64 : 32) / set->width;
	struct maker m = {.x = {.at = memory, .n = at, .avx512 = avx512, .doubles = real == 8},
			  .tile = tile,
			  .real = real,
			  .bytes = tile->lanes * real,
			  .rows = tile->row[0] * tile->row[1],
			  .columns = tile->column[0] * tile->column[1],
			  .at = {SLOT_AT + A, SLOT_AT + B, SLOT_AT + T}};
	make_function(&m);
	return m.x.failed ? 0 : m.x.n - at;
}

struct tile_code make_tile_code(const struct tile_set *set, nn_tile *tile, int n)
{
	struct x86 start = {0};
	struct tile_code code = {NULL, 0};
	x86_write_masks(&start);
	code.size = start.n;
	for (int i = 0; i < n; i++) {
		tile[i].run = set->run;
		code.size += set->makes_code ? write_function(set, &tile[i], NULL, 0) : 0;
	}
	if (code.size == start.n)
		return code;
	code.at = mmap(NULL, code.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code.at == MAP_FAILED)
		return (struct tile_code){NULL, 0};
	start = (struct x86){.at = code.at};
	x86_write_masks(&start);
	for (int i = 0; i < n; i++) {
		const size_t at = start.n, length = write_function(set, &tile[i], NULL, at);
		union {
			uint8_t *object;
			tile_function *function;
		} first = {.object = start.at + at};
		if (length == 0)
			continue;
		write_function(set, &tile[i], start.at, at);
		start.n += length;
		tile[i].run = first.function;
	}
	if (mprotect(code.at, code.size, PROT_READ | PROT_EXEC) == 0)
		return code;
	for (int i = 0; i < n; i++)
		tile[i].run = set->run;
	free_tile_code(code);
	return (struct tile_code){NULL, 0};
}

void free_tile_code(struct tile_code code)
{
	if (code.at)
		munmap(code.at, code.size);
}

#else

struct tile_code make_tile_code(const struct tile_set *set, nn_tile *tile, int n)
{
	for (int i = 0; i < n; i++)
		tile[i].run = set->run;
	return (struct tile_code){NULL, 0};
}

void free_tile_code(struct tile_code code) { (void)code; }

#endif
