/* tile_sums.c - the machine code of one tile: its sums and its results.
 *
 * A row of results is held in registers one after the other, behind all of them a step's columns of b and a row of a.
 */
#include "tile_maker.h"

#include <string.h>

#if defined(__x86_64__) && !defined(_WIN32)

enum { MOST_UNROLLED = 32 /* products in the round of a loop that is unrolled */ };

/* ---- a step of the sums ---- */

static int64_t place_of(int i, const int32_t split[2], const int32_t step[2])
{
	return (int64_t)(i % split[0]) * step[0] + (int64_t)(i / split[0]) * step[1];
}

/* Row i of a, and column i of b, at an offset in elements. */
static struct x86_place row_at(const struct tile_maker *m, int i, int64_t offset)
{
	return x86_memory(RSI, (place_of(i, m->row, m->tile->a_row) + offset) * m->real);
}

static struct x86_place column_at(const struct tile_maker *m, int i, int64_t offset)
{
	return x86_memory(RDX, (place_of(i, m->column, m->tile->b_column) + offset) * m->real);
}

static void load_row(struct tile_maker *m, int to, struct x86_place at)
{
	if (m->tile->dot)
		x86_load(&m->x, m->bytes, to, at);
	else
		x86_broadcast(&m->x, m->bytes, to, at);
}

/* What a step asks for: b this far from where it reads it, or from there in the register; and what R8 says. */
struct asked {
	bool b;
	int base;
	int64_t beyond;
	int lines; /* what R8 says, as far apart as columns of results; to be written if there are several */
};

static void ask_for(struct tile_maker *m, const struct asked *asked, int64_t of_b, int64_t of_far)
{
	for (int c = 0; c < asked->lines; c++)
		x86_ask(&m->x, x86_memory(R8, (place_of(c, m->column, m->tile->t_column) + of_far) * m->real),
			m->tile->adds);
	for (int c = 0; c < m->columns && asked->b; c++) {
		struct x86_place at = column_at(m, c, of_b + asked->beyond);
		at.number = asked->base;
		x86_ask(&m->x, at, false);
	}
}

/* offset: of a and of b. last: only these lanes count, unless it is 0. */
static void make_step(struct tile_maker *m, const int64_t offset[2], int last)
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

static void set_counter(struct tile_maker *m, int sum, int trips)
{
	if (trips == NN_TILE_N)
		x86_get(&m->x, true, counter_of(sum), tile_slot(SLOT_N));
	else
		x86_set(&m->x, counter_of(sum), trips);
}

static void move(struct tile_maker *m, int64_t a, int64_t b)
{
	x86_add(&m->x, RSI, a * m->real);
	x86_add(&m->x, RDX, b * m->real);
}

/* The most steps that divide the trips and are not too much text. */
static int unrolled_steps(const struct tile_maker *m, int trips)
{
	int steps = MOST_UNROLLED / (m->rows * m->columns);
	if (trips == NN_TILE_N)
		return 1;
	while (steps > 1 && trips % steps)
		steps--;
	return steps > 1 ? steps : 1;
}

/* Steps of the innermost sum, number `first` and so many behind it; NN_TILE_N: those that its counter says. */
static void make_steps(struct tile_maker *m, int first, int trips, const int64_t each[OPERANDS], struct asked asked)
{
	const int steps = unrolled_steps(m, trips);
	const bool loop = trips != steps;
	if (loop && trips != NN_TILE_N)
		set_counter(m, 0, trips / steps);
	const size_t start = m->x.n;
	for (int k = first; k < first + steps; k++) {
		int64_t at[OPERANDS];
		for (int o = 0; o < OPERANDS; o++)
			at[o] = k * each[o] - m->moved[o];
		ask_for(m, &asked, at[B], at[FAR]);
		make_step(m, at, 0);
	}
	if (!loop)
		return;
	move(m, steps * each[A], steps * each[B]);
	x86_add(&m->x, R8, steps * each[FAR] * m->real);
	if (asked.base != RDX)
		x86_add(&m->x, asked.base, steps * each[B] * m->real);
	x86_count_down(&m->x, counter_of(0), start);
	for (int o = 0; o < OPERANDS; o++)
		m->moved[o] += trips * each[o];
}

/* Steps that ask for b some steps ahead, the last of them where the next sum begins, or the tile to the right. */
static void make_steps_ahead(struct tile_maker *m, const int64_t each[OPERANDS])
{
	const nn_tile *t = m->tile;
	struct x86 *x = &m->x;
	const int trips = t->trips[0], ahead = trips != NN_TILE_N && trips < t->ahead ? trips : t->ahead;
	const int64_t next = ahead * each[B] + (t->n_sum > 1 ? t->b_sum[1] : (int64_t)m->columns * t->lanes);
	if (trips != NN_TILE_N) {
		if (trips > ahead)
			make_steps(m, 0, trips - ahead, each, (struct asked){true, RDX, ahead * each[B], 0});
		make_steps(m, trips - ahead, ahead, each, (struct asked){true, RDX, next - trips * each[B], 0});
		return;
	}
	set_counter(m, 0, NN_TILE_N);
	x86_subtract(x, counter_of(0), ahead);
	const size_t none = x86_skip_none(x, counter_of(0));
	make_steps(m, 0, NN_TILE_N, each, (struct asked){true, RDX, ahead * each[B], 0});
	x86_land(x, none);
	x86_set(x, counter_of(0), ahead);
	x86_get(x, true, R9, tile_slot(SLOT_N));
	x86_take_less(x, counter_of(0), R9);
	x86_multiply(x, R9, R9, -each[B] * m->real); /* there is one sum, and R9 counts none */
	x86_add_from(x, R9, x86_register(RDX));
	make_steps(m, 0, NN_TILE_N, each, (struct asked){true, R9, next, 0});
}

/* Whether results that are added to memory are asked for while the sums run. */
static bool asks_in_turn(const struct tile_maker *m)
{
	const nn_tile *t = m->tile;
	return t->adds == NN_TILE_SCALED && t->n_sum == 1 && t->trips[0] == NN_TILE_N && t->row[1] == 1 && !t->ahead;
}

/* The first steps ask for a row of results each: all at once would keep a and b waiting. */
static void make_steps_in_turn(struct tile_maker *m, const int64_t each[OPERANDS])
{
	struct x86 *x = &m->x;
	x86_get(x, false, R8, x86_register(RCX));
	x86_set(x, counter_of(0), m->rows);
	x86_get(x, true, R9, tile_slot(SLOT_N));
	x86_take_less(x, counter_of(0), R9);
	make_steps(m, 0, NN_TILE_N, (int64_t[]){each[A], each[B], m->tile->t_row[0]},
		   (struct asked){.base = RDX, .lines = m->columns});
	set_counter(m, 0, NN_TILE_N);
	x86_subtract(x, counter_of(0), m->rows);
	const size_t none = x86_skip_none(x, counter_of(0));
	make_steps(m, 0, NN_TILE_N, each, (struct asked){.base = RDX});
	x86_land(x, none);
}

static void make_innermost(struct tile_maker *m)
{
	const nn_tile *t = m->tile;
	const bool none = t->n_sum == 0;
	const int whole = none ? 1 : t->dot ? t->trips[0] / t->lanes : t->trips[0];
	const int64_t each[OPERANDS] = {none	 ? 0
					: t->dot ? t->lanes
						 : t->a_sum[0],
					none	 ? 0
					: t->dot ? t->lanes
						 : t->b_sum[0],
					t->ask};
	memset(m->moved, 0, sizeof m->moved);
	if (t->ahead && !none) {
		make_steps_ahead(m, each);
	} else if (asks_in_turn(m)) {
		make_steps_in_turn(m, each);
	} else {
		if (whole == NN_TILE_N)
			set_counter(m, 0, NN_TILE_N);
		make_steps(m, 0, whole, each, (struct asked){.base = RDX, .lines = t->ask != 0});
	}
	if (t->dot && t->trips[0] % t->lanes) { /* the last elements, behind some that have been: those count as 0 */
		const int64_t at = t->trips[0] - t->lanes;
		make_step(m, (int64_t[]){at - m->moved[A], at - m->moved[B]}, t->trips[0] % t->lanes);
	}
}

static void make_sums(struct tile_maker *m, int sum)
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
static int result_register(const struct tile_maker *m, int i)
{
	return m->tile->t_row[0] == 1 ? i % m->rows * m->columns + i / m->rows : i;
}

static int64_t result_place(const struct tile_maker *m, int i)
{
	const nn_tile *t = m->tile;
	const int number = result_register(m, i);
	return place_of(number / m->columns, m->row, t->t_row) + place_of(number % m->columns, m->column, t->t_column);
}

/* Totals of the lanes of as many sums as 16 bytes hold results, side by side in the first of their registers. */
static void add_up(struct tile_maker *m, const int *sum)
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

static void store_totals(struct tile_maker *m)
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
static void add_results(struct tile_maker *m)
{
	const int n = m->rows * m->columns, scale = n;
	x86_broadcast(&m->x, m->bytes, scale, tile_slot(SLOT_SCALE));
	for (int i = 0; i < n; i++)
		x86_scale_add(&m->x, m->bytes, result_register(m, i), scale,
			      x86_memory(RCX, result_place(m, i) * m->real));
}

static void store_results(struct tile_maker *m)
{
	if (m->tile->adds == NN_TILE_SCALED)
		add_results(m);
	for (int i = 0; i < m->rows * m->columns; i++)
		x86_store(&m->x, m->bytes, x86_memory(RCX, result_place(m, i) * m->real), result_register(m, i));
}

/* Results across samples are stored by the runtime's routine, which turns them. */
static void turn_results(struct tile_maker *m)
{
	struct x86 *x = &m->x;
	const int n = m->rows * m->columns, offset = results_offset(m);
	for (int i = 0; i < n; i++)
		x86_store(x, m->bytes, x86_memory(RSP, offset + (i % m->columns * m->rows + i / m->columns) * m->bytes),
			  i);
	x86_get(x, false, RDI, tile_slot(SLOT_TILE));
	x86_get(x, false, RSI, x86_register(RSP));
	x86_add(x, RSI, offset);
	x86_get(x, false, RDX, x86_register(RCX));
	x86_get(x, true, RCX, tile_slot(SLOT_N));
	x86_call(x, m->set->turn);
}

static void start_results(struct tile_maker *m)
{
	for (int i = 0; i < m->rows * m->columns; i++) {
		const struct x86_place at = x86_memory(RCX, result_place(m, i) * m->real);
		if (m->tile->adds && m->tile->adds != NN_TILE_SCALED) {
			x86_load(&m->x, m->bytes, result_register(m, i), at);
			continue;
		}
		if (m->tile->adds && !asks_in_turn(m))
			x86_ask(&m->x, at, true);
		x86_clear(&m->x, i);
	}
}

void make_tile(struct tile_maker *m)
{
	m->rows = m->row[0] * m->row[1];
	m->columns = m->column[0] * m->column[1];
	x86_get(&m->x, false, RSI, tile_slot(m->at[A]));
	x86_get(&m->x, false, RDX, tile_slot(m->at[B]));
	x86_get(&m->x, false, RCX, tile_slot(m->at[T]));
	if (m->tile->ask)
		x86_get(&m->x, false, R8, tile_slot(SLOT_ASK));
	start_results(m);
	make_sums(m, m->tile->n_sum - 1);
	if (m->tile->across)
		turn_results(m);
	else if (m->tile->dot)
		store_totals(m);
	else
		store_results(m);
}

#else

typedef int tile_sums_are_not_for_this_processor;

#endif
