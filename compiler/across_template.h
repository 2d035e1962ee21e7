/* across_template.h - a tile whose vectors lie along the samples: its results are turned as they are stored, those of
 * samples that are there. T has the tile's rows side by side. emit_tile_routine.c puts it into generated files behind the
 * panels of the same number of lanes, whose words it shares. */
TILE_INLINE void columns_NUMBER(const struct tile *tile, int rows, int cols, int repeat, const REAL *restrict a,
				const REAL *restrict b, vector_NUMBER *restrict result, const REAL *ask)
{
	vector_NUMBER sum[32];

	TILE_UNROLL
	for (int i = 0; i < 32; i++)
		sum[i] = (vector_NUMBER){0};
	sums_NUMBER(tile, 0, rows, cols, repeat, a, b, sum, ask, tile->ask, tile->ask != 0);
	TILE_UNROLL
	for (int i = 0; i < rows * cols; i++)
		result[i % cols * rows + i / cols] = sum[i];
}

/* Few samples need but one of the columns. */
TILE_INLINE void across_NUMBER(const struct tile *tile, int rows, int cols, int repeat, const REAL *restrict a,
			       const REAL *restrict b, REAL *restrict t, int there, const REAL *ask)
{
	vector_NUMBER result[32];
	REAL turned[lanes_NUMBER * lanes_NUMBER];

	if (there <= lanes_NUMBER)
		columns_NUMBER(tile, rows, 1, repeat, a, b, result, ask);
	else
		columns_NUMBER(tile, rows, cols, repeat, a, b, result, ask);
	for (int c = 0; c < cols && c * lanes_NUMBER < there; c++) {
		const int left = there - c * lanes_NUMBER;

		TILE_UNROLL
		for (int r = 0; r < rows; r += lanes_NUMBER) {
			const int width = rows - r < lanes_NUMBER ? rows - r : lanes_NUMBER;

			turn_NUMBER((const REAL *)&result[c * rows + r], lanes_NUMBER, width, turned, lanes_NUMBER);
			for (int i = 0; i < lanes_NUMBER && i < left; i++)
				memcpy(t + (c * lanes_NUMBER + i) * tile->t_col[0] + r, turned + i * lanes_NUMBER,
				       (size_t)width * sizeof(REAL));
		}
	}
}
