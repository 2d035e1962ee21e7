/* panel_template.h - an operand in the order in which a tile reads it; emit_panel.c puts it into generated files behind
 * the tile of the same number of lanes, whose words it shares. */

/* Square of the elements at from[i * step + j] as to[j * width + i]; for those i that are not there, the last. The rows
 * are interleaved until they are columns. This is long, so it is compiled once. */
TILE_APART void turn_NUMBER(const REAL *restrict from, int step, int there, REAL *restrict to, int width)
{
	vector_NUMBER row[lanes_NUMBER], pair[lanes_NUMBER];

	TILE_UNROLL
	for (int i = 0; i < lanes_NUMBER; i++)
		row[i] = *(const any_vector_NUMBER *)(from + (i < there ? i : there - 1) * step);
	TILE_UNROLL
	for (int parts = 1; parts < lanes_NUMBER; parts *= 2) {
		TILE_UNROLL
		for (int i = 0; i < lanes_NUMBER / 2; i++) {
			pair[2 * i] = TILE_SHUFFLE(mask_NUMBER, row[i], row[i + lanes_NUMBER / 2], PANEL_PAIRS_NUMBER(0));
			pair[2 * i + 1] = TILE_SHUFFLE(mask_NUMBER, row[i], row[i + lanes_NUMBER / 2],
						     PANEL_PAIRS_NUMBER(lanes_NUMBER / 2));
		}
		TILE_UNROLL
		for (int i = 0; i < lanes_NUMBER; i++)
			row[i] = pair[i];
	}
	TILE_UNROLL
	for (int i = 0; i < lanes_NUMBER; i++)
		*(any_vector_NUMBER *)(to + i * width) = row[i];
}

/* What the sums run along lies side by side: squares of it are turned. */
TILE_APART void fill_turned_NUMBER(const struct filling *panel, int groups, int repeat, int there,
				   const REAL *restrict from, REAL *restrict to)
{
	const int width = panel->run * groups, trips = panel->trips[0];

	for (int k3 = 0; k3 < repeat; k3++)
		for (int k2 = 0; k2 < panel->trips[2]; k2++)
			for (int k1 = 0; k1 < panel->trips[1]; k1++, to += width * trips) {
				const REAL *at = from + k3 * panel->step[3] + k2 * panel->step[2] + k1 * panel->step[1];

				for (int k0 = 0; k0 < trips; k0 += lanes_NUMBER) {
					const int k = k0 < trips - lanes_NUMBER ? k0 : trips - lanes_NUMBER;

					for (int i = 0; i < width; i += lanes_NUMBER) {
						const REAL *square = at + k + TILE_AT(panel->place, i, panel->run);

						turn_NUMBER(square, panel->place[0], there - i, to + k * width + i, width);
					}
				}
			}
}

TILE_INLINE void fill_NUMBER(const struct filling *panel, int turned, int groups, int repeat, int there,
			    const REAL *restrict from, REAL *restrict to)
{
	const int width = panel->run * groups;

	if (turned) {
		fill_turned_NUMBER(panel, groups, repeat, there, from, to);
		return;
	}
	for (int k3 = 0; k3 < repeat; k3++)
		for (int k2 = 0; k2 < panel->trips[2]; k2++)
			for (int k1 = 0; k1 < panel->trips[1]; k1++) {
				const REAL *at = from + k3 * panel->step[3] + k2 * panel->step[2] + k1 * panel->step[1];

				for (int k0 = 0; k0 < panel->trips[0]; k0++, at += panel->step[0], to += width)
					for (int i = 0; i < groups; i++)
						memcpy(to + i * panel->run, at + i * panel->place[1],
						       (size_t)panel->run * sizeof(REAL));
			}
}
