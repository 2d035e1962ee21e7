/* map_kernels.c - the instructions of map.h for one instruction set and one type of reals, and what runs them.
 *
 * The Makefile compiles this file like tile_kernels.c. A program is interpreted where it has no machine code
 * (map_code.c): a table is less text for libtcc than calls whose addresses are computed anew for each strip, and a
 * strip is long enough that what an instruction is costs little. */
#include "map_elements.h"
#include "map_memory.h"

static void execute(struct frame *f, const int32_t *w, const int32_t *end);

/* ---- loops ---- */

INLINE void move_slots(struct frame *f, const struct space *s, int level, ptrdiff_t by)
{
	const int32_t *moved = s->extent + s->levels, *end;
	const int words = s->levels + 1;
	for (end = moved + 1 + *moved * words, moved++; moved < end; moved += words)
		f->slot[*moved].at += by * moved[1 + level];
	f->index[s->base + level] += (int)by;
}

static void run_strips(struct frame *f, struct space *s, const int32_t *body, const int32_t *end)
{
	const struct space *around = f->strip;
	const int n = f->n, whole_level = extent_of(f, s, s->strip);
	int inner = 1, each;
	for (int k = s->strip + 1; k < s->levels; k++)
		inner *= extent_of(f, s, k);
	each = inner > 0 && inner <= STRIP ? STRIP / inner : 1;
	f->strip = s;
	for (int i = 0; i < whole_level; i += each) {
		s->count = whole_level - i < each ? whole_level - i : each;
		f->n = s->count * inner;
		execute(f, body, end);
		move_slots(f, s, s->strip, s->count);
	}
	move_slots(f, s, s->strip, -whole_level);
	f->n = n;
	f->strip = around;
}

static void map_space(struct frame *f, const int32_t *w)
{
	const int32_t *body = w + (w[0] >> 8), *end = body + w[3];
	struct space s = {.extent = w + 4, .levels = w[1], .strip = w[2], .base = f->n_index};
	int k;
	for (k = 0; k < s.levels; k++) {
		f->index[s.base + k] = 0;
		if (extent_of(f, &s, k) <= 0)
			return;
	}
	f->n_index += s.levels;
	do {
		if (s.strip < s.levels)
			run_strips(f, &s, body, end);
		else
			execute(f, body, end);
		for (k = s.strip - 1; k >= 0; k--) {
			move_slots(f, &s, k, 1);
			if (f->index[s.base + k] < extent_of(f, &s, k))
				break;
			move_slots(f, &s, k, -extent_of(f, &s, k));
		}
	} while (k >= 0);
	f->n_index -= s.levels;
}

/* ---- the interpreter ---- */

static instruction *const instructions[NN_MAP_OPS] = {[NN_MAP_SPACE] = map_space,
						      [NN_MAP_LOAD] = map_load,
						      [NN_MAP_LOAD_INSIDE] = map_load_inside,
						      [NN_MAP_STORE] = map_store,
						      [NN_MAP_SPLAT] = map_splat,
						      [NN_MAP_INDEX] = map_index,
						      [NN_MAP_GATHER] = map_gather,
						      [NN_MAP_MOVE] = map_move,
						      [NN_MAP_NEG] = map_neg,
						      [NN_MAP_SIGN] = map_sign,
						      [NN_MAP_NOT] = map_not,
						      [NN_MAP_ADD] = map_add,
						      [NN_MAP_SUB] = map_sub,
						      [NN_MAP_MUL] = map_mul,
						      [NN_MAP_DIV] = map_div,
						      [NN_MAP_MIN] = map_min,
						      [NN_MAP_MAX] = map_max,
						      [NN_MAP_POW] = map_pow,
						      [NN_MAP_LT] = map_lt,
						      [NN_MAP_LE] = map_le,
						      [NN_MAP_EQ] = map_eq,
						      [NN_MAP_NE] = map_ne,
						      [NN_MAP_AND] = map_and,
						      [NN_MAP_OR] = map_or,
						      [NN_MAP_INT_ADD] = map_int_add,
						      [NN_MAP_INT_SUB] = map_int_sub,
						      [NN_MAP_INT_MUL] = map_int_mul,
						      [NN_MAP_INT_QUOTIENT] = map_int_quotient,
						      [NN_MAP_INT_REMAINDER] = map_int_remainder,
						      [NN_MAP_INT_LT] = map_int_lt,
						      [NN_MAP_INT_LE] = map_int_le,
						      [NN_MAP_INT_EQ] = map_int_eq,
						      [NN_MAP_INT_NE] = map_int_ne,
						      [NN_MAP_INT_TO_REAL] = map_int_to_real,
						      [NN_MAP_MUL_ADD] = map_mul_add,
						      [NN_MAP_MUL_SUB] = map_mul_sub,
						      [NN_MAP_SUB_MUL] = map_sub_mul,
						      [NN_MAP_SELECT] = map_select,
						      [NN_MAP_SELECT_LT] = map_select_lt,
						      [NN_MAP_SELECT_LE] = map_select_le,
						      [NN_MAP_REDUCE_SUM] = map_reduce_sum,
						      [NN_MAP_REDUCE_MIN] = map_reduce_min,
						      [NN_MAP_REDUCE_MAX] = map_reduce_max,
						      [NN_MAP_TOTAL_SUM] = map_total_sum,
						      [NN_MAP_TOTAL_MIN] = map_total_min,
						      [NN_MAP_TOTAL_MAX] = map_total_max,
#define X(NAME, name, vectors) [NN_MAP_##NAME] = map_function_##name,
						      NN_MAP_FUNCTIONS(X)
#undef X
};

static void execute(struct frame *f, const int32_t *w, const int32_t *end)
{
	while (w < end) {
		const int op = w[0] & 255;
		instructions[op](f, w);
		w += (w[0] >> 8) + (op == NN_MAP_SPACE ? w[3] : 0);
	}
}

void TILE_FUNCTION(map)(const int32_t *program, int n, int n_number, const real *number, int n_memory,
			real *const *memory)
{
	struct frame f;
	f.limit = n;
	f.n = f.n_index = 0;
	f.strip = NULL;
	for (int i = 0; i < n_memory; i++) {
		f.slot[NN_MAP_MEMORY + i].at = memory[i];
		f.slot[NN_MAP_MEMORY + i].step = WIDTH;
	}
	for (int i = 0; i < program[0]; i++) {
		f.slot[NN_MAP_REGISTER + i].at = (real *)f.scratch[i];
		f.slot[NN_MAP_REGISTER + i].step = WIDTH;
	}
	for (int i = 0; i < program[1]; i++) {
		f.slot[NN_MAP_UNIFORM + i].at = (real *)&f.uniform[i];
		f.slot[NN_MAP_UNIFORM + i].step = 0;
	}
	for (int i = 0; i < n_number; i++)
		f.uniform[i] = number[i] + (whole){0};
	program += 2;
	execute(&f, program, program + (program[0] >> 8) + program[3]);
}

/* ---- for machine code (map_code.c), which calls them with a vector ---- */

#define VECTOR_FUNCTION(NAME, name, vectors)                                                                           \
	static whole vector_##name(whole x)                                                                            \
	{                                                                                                              \
		real lane[WIDTH];                                                                                      \
		memcpy(lane, &x, sizeof lane);                                                                         \
		IVDEP for (int i = 0; i < WIDTH; i++) lane[i] = lane_##name(lane[i]);                                  \
		memcpy(&x, lane, sizeof lane);                                                                         \
		return x;                                                                                              \
	}
NN_MAP_FUNCTIONS(VECTOR_FUNCTION)

static whole vector_pow(whole x, whole y)
{
	for (int i = 0; i < WIDTH; i++)
		x[i] = lane_pow(x[i], y[i]);
	return x;
}

tile_function *const TILE_FUNCTION(functions)[NN_MAP_OPS] = {[NN_MAP_POW] = (tile_function *)vector_pow,
#define X(NAME, name, vectors) [NN_MAP_##NAME] = (tile_function *)vector_##name,
							     NN_MAP_FUNCTIONS(X)
#undef X
};
