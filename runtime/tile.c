/* tile.c - which of the precompiled tiles this processor can run. */
#include "tile_set.h"

#include <string.h>

#include "processor.h"

#define DECLARE(set, real)                                                                                             \
	void tile_run_##set##_##real(const nn_tile *t, const real *a, const real *b, real *result, int n, int block,   \
				     real scale);                                                                      \
	void tile_fill_##set##_##real(const nn_panel *panel, const real *from, real *to, int n);                       \
	void tile_turn_##set##_##real(const nn_tile *t, const real *sums, real *result, int n);                        \
	void tile_map_##set##_##real(const int32_t *program, int n, int n_number, const real *number, int n_memory,    \
				     real *const *memory);                                                             \
	extern tile_function *const tile_functions_##set##_##real[]
#define SET(set, real, bytes, registers, makes_code)                                                                   \
	{                                                                                                              \
#set, bytes / (int)sizeof(real), registers, makes_code, (tile_function *)tile_run_##set##_##real,      \
			(tile_function *)tile_fill_##set##_##real, (tile_function *)tile_turn_##set##_##real,          \
			(tile_function *)tile_map_##set##_##real, tile_functions_##set##_##real                        \
	}

#if defined(__x86_64__)
DECLARE(avx512, float);
DECLARE(avx512, double);
DECLARE(avx2, float);
DECLARE(avx2, double);
#endif
DECLARE(base, float);
DECLARE(base, double);

/* The best first; within a set float, then double. */
static const struct tile_set sets[][2] = {
#if defined(__x86_64__)
	{SET(avx512, float, 64, 32, true), SET(avx512, double, 64, 32, true)},
	{SET(avx2, float, 32, 16, true), SET(avx2, double, 32, 16, true)},
#endif
	{SET(base, float, 16, 16, false), SET(base, double, 16, 16, false)},
};

const struct tile_set *find_tile_set(size_t real_size, const char *instructions)
{
	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
		if (processor_runs(sets[i][0].instructions) &&
		    (!instructions || strcmp(sets[i][0].instructions, instructions) == 0))
			return &sets[i][real_size == sizeof(double)];
	return NULL;
}

const struct tile_set *select_tile_set(size_t real_size, bool strict)
{
	return find_tile_set(real_size, strict ? "base" : NULL);
}
