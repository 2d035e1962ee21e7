/* add_template.h - a tile that is added to what is there, times a scale; emit_tile_routine.c puts it into generated
 * files behind the tile of the same number of lanes, whose words it shares. */

/* The first rows and elements of the columns, along the first index of each, were part of the tile before, which overlaps.
 * T, which may be far away, is asked for while the sums run, a row at each of their first steps: all of it at once would
 * keep A and B waiting. */
TILE_INLINE void add_NUMBER(const struct tile *tile, int rows, int cols, int repeat, const REAL *restrict a,
			    const REAL *restrict b, REAL *restrict t, REAL scale, int done_rows, int done)
{
	const int n = rows * cols, first = TILE_STEPS == 1 && tile->far && repeat >= rows ? rows : 0;
	vector_NUMBER sum[32], factor[28];

	if (!first) {
		TILE_UNROLL
		for (int i = 0; i < n; i++)
			__builtin_prefetch(t + TILE_AT(tile->t_row, i / cols, tile->split[0]) +
					   TILE_AT(tile->t_col, i % cols, tile->split[1]), 1);
	}
	TILE_UNROLL
	for (int i = 0; i < 32; i++)
		sum[i] = (vector_NUMBER){0};
	sums_NUMBER(tile, 0, rows, cols, first, a, b, sum, t, tile->t_row[0], cols);
	sums_NUMBER(tile, 0, rows, cols, repeat - first, a + first * tile->a_sum[3], b + first * tile->b_sum[3], sum, NULL, 0,
		    0);
	TILE_UNROLL
	for (int c = 0; c < cols; c++)
		factor[c] = (vector_NUMBER)((mask_NUMBER)((vector_NUMBER){0} + scale) &
					    ((mask_NUMBER){TILE_LIST_NUMBER(0, 1)} + c % tile->split[1] * lanes_NUMBER >= done));
	TILE_UNROLL
	for (int i = 0; i < n; i++)
		if (i / cols % tile->split[0] >= done_rows) {
			any_vector_NUMBER *at = (any_vector_NUMBER *)(t + TILE_AT(tile->t_row, i / cols, tile->split[0]) +
								      TILE_AT(tile->t_col, i % cols, tile->split[1]));

			*at += factor[i % cols] * sum[i];
		}
}
