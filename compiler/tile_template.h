/* tile_template.h - a tile of a sum of products in vectors of LANES elements; emit_tile.c puts it into generated files.
 *
 * There, LANES, BYTES, REAL, INTEGER, COUNT, EVEN and ODD are replaced (16, 64, float, int32_t, and the numbers 0 to
 * 15, the even and the odd ones of 0 to 31), and this comment is left out. All loops over rows and columns have bounds
 * that are known once the call is inlined, and are unrolled: the sums live in registers. */
typedef REAL vector_LANES __attribute__((vector_size(BYTES)));
typedef REAL any_vector_LANES __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
typedef INTEGER mask_LANES __attribute__((vector_size(BYTES)));

TILE_INLINE void tile_LANES(const struct tile *tile, int dot, int rows, int cols, int repeat, const REAL *restrict a,
			    const REAL *restrict b, REAL *restrict t)
{
	const int n = rows * cols;
	vector_LANES sum[32], held[28];

	TILE_UNROLL
	for (int i = 0; i < 32; i++)
		sum[i] = (vector_LANES){0};
	for (int k3 = 0; k3 < repeat; k3++)
		for (int k2 = 0; k2 < tile->trips[2]; k2++)
			for (int k1 = 0; k1 < tile->trips[1]; k1++) {
				const REAL *pa = a + k3 * tile->a_sum[3] + k2 * tile->a_sum[2] + k1 * tile->a_sum[1];
				const REAL *pb = b + k3 * tile->b_sum[3] + k2 * tile->b_sum[2] + k1 * tile->b_sum[1];

				for (int k0 = 0; k0 < tile->trips[0];
				     k0++, pa += tile->a_sum[0], pb += tile->b_sum[0]) {
					TILE_UNROLL
					for (int c = 0; c < cols; c++)
						held[c] = *(const any_vector_LANES *)(pb + TILE_AT(tile->b_col, c,
												   tile->split[1]));
					TILE_UNROLL
					for (int i = 0; i < n; i++) {
						const REAL *at = pa + TILE_AT(tile->a_row, i / cols, tile->split[0]);

						if (dot)
							sum[i] += *(const any_vector_LANES *)at * held[i % cols];
						else
							sum[i] += *at * held[i % cols];
					}
				}
				if (dot &&
				    tile->tail) { /* the last elements, behind some that have been: those count as 0 */
					const int back = LANES - tile->tail;
					const mask_LANES last = (mask_LANES){COUNT} >= back;

					TILE_UNROLL
					for (int c = 0; c < cols; c++)
						held[c] = (vector_LANES)((mask_LANES) *
										 (const any_vector_LANES
											  *)(pb +
											     TILE_AT(tile->b_col, c,
												     tile->split[1]) -
											     back) &
									 last);
					TILE_UNROLL
					for (int i = 0; i < n; i++)
						sum[i] += *(const any_vector_LANES *)(pa +
										      TILE_AT(tile->a_row, i / cols,
											      tile->split[0]) -
										      back) *
							  held[i % cols];
				}
			}
	if (!dot) {
		TILE_UNROLL
		for (int i = 0; i < n; i++)
			*(any_vector_LANES *)(t + TILE_AT(tile->t_row, i / cols, tile->split[0]) +
					      TILE_AT(tile->t_col, i % cols, tile->split[1])) = sum[i];
		return;
	}
	TILE_UNROLL
	for (int parts = 1, left = n; parts < LANES; parts *= 2) { /* neighbours are added until each sum is one lane */
		left = (left + 1) / 2;
		TILE_UNROLL
		for (int i = 0; i < left; i++)
			sum[i] = TILE_SHUFFLE(mask_LANES, sum[2 * i], sum[2 * i + 1], EVEN) +
				 TILE_SHUFFLE(mask_LANES, sum[2 * i], sum[2 * i + 1], ODD);
	}
	TILE_UNROLL
	for (int i = 0; i < n; i++)
		t[TILE_AT(tile->t_row, i / cols, tile->split[0]) + TILE_AT(tile->t_col, i % cols, tile->split[1])] =
			sum[i / LANES][i % LANES];
}
