/* across_template.h - a tile whose vectors lie along the samples: its results are turned as they are stored, those of
 * samples that are there. T has the tile's rows side by side. emit_tile_routine.c puts it into generated files behind the
 * panels of the same number of lanes, whose words it shares. */
TILE_INLINE void columns_NUMBER(const struct tile *tile, int rows, int cols, int repeat, const REAL *restrict a,
				const REAL *restrict b, REAL *restrict t, int there, const REAL *ask)
{
	vector_NUMBER sum[32], row[lanes_NUMBER];

	TILE_UNROLL
	for (int i = 0; i < 32; i++)
		sum[i] = (vector_NUMBER){0};
	sums_NUMBER(tile, 0, rows, cols, repeat, a, b, sum, ask);
	TILE_UNROLL
	for (int c = 0; c < cols; c++) {
		TILE_UNROLL
		for (int r = 0; r < rows; r += lanes_NUMBER) {
			const int width = rows - r < lanes_NUMBER ? rows - r : lanes_NUMBER;

			TILE_UNROLL
			for (int i = 0; i < lanes_NUMBER; i++)
				row[i] = i < width ? sum[(r + i) * cols + c] : (vector_NUMBER){0};
			interleave_NUMBER(row);
			TILE_UNROLL
			for (int i = 0; i < lanes_NUMBER; i++)
				if (c * lanes_NUMBER + i < there)
					memcpy(t + (c * lanes_NUMBER + i) * tile->t_col[0] + r, &row[i],
					       (size_t)width * sizeof(REAL));
		}
	}
}

/* Few samples need but one of the columns. */
TILE_INLINE void across_NUMBER(const struct tile *tile, int rows, int cols, int repeat, const REAL *restrict a,
			       const REAL *restrict b, REAL *restrict t, int there, const REAL *ask)
{
	if (there <= lanes_NUMBER)
		columns_NUMBER(tile, rows, 1, repeat, a, b, t, there, ask);
	else
		columns_NUMBER(tile, rows, cols, repeat, a, b, t, there, ask);
}
