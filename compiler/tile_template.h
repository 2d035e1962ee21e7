/* tile_template.h - a tile of a sum of products in vectors; emit_tile.c puts it into generated files, once for every
 * choice of a number of lanes.
 *
 * There, NUMBER is that of the choice, LANES what it takes, REAL and INTEGER types of one size, and this comment is left
 * out. All loops over rows and columns have bounds that are known once the call is inlined, and are unrolled: the sums
 * live in registers. */
enum { lanes_NUMBER = LANES };
typedef REAL vector_NUMBER __attribute__((vector_size(lanes_NUMBER * sizeof(REAL))));
typedef vector_NUMBER any_vector_NUMBER __attribute__((aligned(sizeof(REAL)), may_alias));
typedef INTEGER mask_NUMBER __attribute__((vector_size(lanes_NUMBER * sizeof(REAL))));

/* Steps of the innermost sum from k on, `by` at a time while so many are left; returns the first that is not done. */
TILE_INLINE int steps_NUMBER(const struct tile *tile, int dot, int rows, int cols, int by, int k, int trips, int inner,
			    const REAL *restrict a, const REAL *restrict b, vector_NUMBER sum[32], const REAL *ask, int ask_step,
			    int lines)
{
	const int n = rows * cols, a_step = tile->a_sum[inner], b_step = tile->b_sum[inner];
	/* behind the last step: where the next sum begins, or the tile to the right */
	const int next = inner ? cols * lanes_NUMBER : tile->b_sum[1];
	const int asks = by > 1 && lines ? (by * ask_step + TILE_LINE(REAL) - 1) / TILE_LINE(REAL) : lines;
	const REAL *pa = a + k * a_step, *pb = b + k * b_step;
	vector_NUMBER held[28], value = {0};

	TILE_ROLL
	for (; k + by <= trips; k += by, pa += by * a_step, pb += by * b_step) {
		const REAL *at = pb + (k + tile->ahead < trips ? tile->ahead : tile->ahead - trips) * b_step +
				 (k + tile->ahead < trips ? 0 : next);

		TILE_UNROLL
		for (int i = 0; i < asks; i++)
			__builtin_prefetch(ask + k * ask_step +
					   (by > 1 ? i * TILE_LINE(REAL) : TILE_AT(tile->t_col, i, tile->split[1])));
		TILE_UNROLL_4 /* not all: compilers would mix the steps, and run out of registers */
		for (int s = 0; s < by; s++) {
			TILE_UNROLL
			for (int c = 0; c < cols; c++) {
				held[c] = *(const any_vector_NUMBER *)(pb + s * b_step +
								       TILE_AT(tile->b_col, c, tile->split[1]));
				if (tile->ahead && c % tile->split[1] * lanes_NUMBER % TILE_LINE(REAL) == 0)
					__builtin_prefetch(at + s * b_step + TILE_AT(tile->b_col, c, tile->split[1]));
				if (dot && rows > 1)
					TILE_HOLD(held[c]);
			}
			TILE_UNROLL
			for (int i = 0; i < n; i++) {
				const REAL *from = pa + s * a_step + TILE_AT(tile->a_row, i / cols, tile->split[0]);

				if (!dot) {
					sum[i] += *from * held[i % cols];
					continue;
				}
				if (i % cols == 0) {
					value = *(const any_vector_NUMBER *)from;
					if (cols > 1)
						TILE_HOLD(value);
				}
				sum[i] += value * held[i % cols];
			}
		}
	}
	return k;
}

/* The last elements of a dot product, behind some that have been: those count as 0. */
TILE_INLINE void tail_NUMBER(const struct tile *tile, int rows, int cols, const REAL *restrict a, const REAL *restrict b,
			    vector_NUMBER sum[32])
{
	const int back = lanes_NUMBER - tile->tail;
	const mask_NUMBER last = (mask_NUMBER){TILE_LIST_NUMBER(0, 1)} >= back;
	vector_NUMBER held[28];

	TILE_UNROLL
	for (int c = 0; c < cols; c++)
		held[c] = (vector_NUMBER)((mask_NUMBER) *
						 (const any_vector_NUMBER *)(b + TILE_AT(tile->b_col, c, tile->split[1]) -
									     back) &
					 last);
	TILE_UNROLL
	for (int i = 0; i < rows * cols; i++)
		sum[i] += *(const any_vector_NUMBER *)(a + TILE_AT(tile->a_row, i / cols, tile->split[0]) - back) *
			  held[i % cols];
}

/* The sums of rows x cols results, added to what sum is. At each step of them lines are asked for, as far apart as columns
 * of T, ask_step from the step before; at many steps at a time, all that lies side by side. */
TILE_INLINE void sums_NUMBER(const struct tile *tile, int dot, int rows, int cols, int repeat, const REAL *restrict a,
			    const REAL *restrict b, vector_NUMBER sum[32], const REAL *ask, int ask_step, int lines)
{
	/* where there is but one sum, it is the outermost */
	const int inner = tile->trips[0] * tile->trips[1] * tile->trips[2] > 1 || tile->tail ? 0 : 3;
	const int trips = inner ? repeat : tile->trips[0];

	for (int k3 = 0; k3 < (inner ? 1 : repeat); k3++)
		for (int k2 = 0; k2 < tile->trips[2]; k2++)
			for (int k1 = 0; k1 < tile->trips[1]; k1++) {
				const REAL *pa = a + k3 * tile->a_sum[3] + k2 * tile->a_sum[2] + k1 * tile->a_sum[1];
				const REAL *pb = b + k3 * tile->b_sum[3] + k2 * tile->b_sum[2] + k1 * tile->b_sum[1];
				int k = 0;

				if (TILE_STEPS > 1)
					k = steps_NUMBER(tile, dot, rows, cols, TILE_STEPS, k, trips, inner, pa, pb, sum,
							 ask, ask_step, lines);
				if (TILE_STEPS == 1 || inner || trips % TILE_STEPS) /* gcc does not see that none are left */
					steps_NUMBER(tile, dot, rows, cols, 1, k, trips, inner, pa, pb, sum, ask, ask_step, lines);
				if (dot && tile->tail)
					tail_NUMBER(tile, rows, cols, pa + trips * tile->a_sum[0],
						    pb + trips * tile->b_sum[0], sum);
			}
	/* what is read behind the sums stays behind them: held in registers from before, it would take theirs */
	__asm__ volatile("" ::: "memory");
}

/* T that is far away is asked for before it is written, a row at each of the first steps. */
TILE_INLINE void tile_NUMBER(const struct tile *tile, int dot, int rows, int cols, int repeat, const REAL *restrict a,
			    const REAL *restrict b, REAL *restrict t, const REAL *ask)
{
	const int n = rows * cols, first = TILE_STEPS == 1 && tile->far && repeat >= rows ? rows : 0;
	/* of a dot product: results that lie side by side, in vectors */
	const int whole = cols == 1 && tile->t_row[0] == 1 && tile->split[0] >= rows ? n / lanes_NUMBER : 0;
	vector_NUMBER sum[32];

	TILE_UNROLL
	for (int i = 0; i < 32; i++)
		sum[i] = (vector_NUMBER){0};
	if (tile->adds) {
		TILE_UNROLL
		for (int i = 0; i < n; i++) {
			const REAL *from = t + TILE_AT(tile->t_row, i / cols, tile->split[0]) +
					   TILE_AT(tile->t_col, i % cols, tile->split[1]);

			if (dot)
				sum[i] = (vector_NUMBER){*from};
			else
				sum[i] = *(const any_vector_NUMBER *)from;
		}
	}
	sums_NUMBER(tile, dot, rows, cols, first, a, b, sum, t, tile->t_row[0], cols);
	sums_NUMBER(tile, dot, rows, cols, repeat - first, a + first * tile->a_sum[3], b + first * tile->b_sum[3], sum, ask,
		    tile->ask, tile->ask != 0);
	if (!dot) {
		TILE_UNROLL
		for (int i = 0; i < n; i++)
			*(any_vector_NUMBER *)(t + TILE_AT(tile->t_row, i / cols, tile->split[0]) +
					      TILE_AT(tile->t_col, i % cols, tile->split[1])) = sum[i];
		return;
	}
	TILE_UNROLL
	for (int parts = 1, left = n; parts < lanes_NUMBER; parts *= 2) { /* neighbours are added until each sum is one lane */
		left = (left + 1) / 2;
		TILE_UNROLL
		for (int i = 0; i < left; i++)
			sum[i] = TILE_SHUFFLE(mask_NUMBER, sum[2 * i], sum[2 * i + 1], TILE_LIST_NUMBER(0, 2)) +
				 TILE_SHUFFLE(mask_NUMBER, sum[2 * i], sum[2 * i + 1], TILE_LIST_NUMBER(1, 2));
	}
	TILE_UNROLL
	for (int i = 0; i < whole; i++)
		*(any_vector_NUMBER *)(t + i * lanes_NUMBER) = sum[i];
	TILE_UNROLL
	for (int i = whole * lanes_NUMBER; i < n; i++)
		t[TILE_AT(tile->t_row, i / cols, tile->split[0]) + TILE_AT(tile->t_col, i % cols, tile->split[1])] =
			sum[i / lanes_NUMBER][i % lanes_NUMBER];
}
