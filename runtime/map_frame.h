/* map_frame.h - what the instructions of a map work on: slots, and the loops that are open (map_kernels.c). */
#ifndef NNR_MAP_FRAME_H
#define NNR_MAP_FRAME_H

#include "tile_kernels.h"

#include <stdbool.h>

#include "map.h"

enum { STRIP = NN_MAP_STRIP_BYTES / sizeof(real), REGISTERS = NN_MAP_UNIFORM - NN_MAP_REGISTER };
enum { UNIFORMS = NN_MAP_SLOTS - NN_MAP_UNIFORM };

/* Bits of a vector of reals: masks. */
typedef int32_t bits_of_float __attribute__((vector_size(TILE_BYTES), may_alias));
typedef int64_t bits_of_double __attribute__((vector_size(TILE_BYTES), may_alias));
#define BITS_JOIN(real) bits_of_##real
#define BITS_OF(real) BITS_JOIN(real)
typedef BITS_OF(TILE_REAL) bits;
typedef int32_t element_of_float __attribute__((may_alias));
typedef int64_t element_of_double __attribute__((may_alias));
#define ELEMENT_JOIN(real) element_of_##real
#define ELEMENT_OF(real) ELEMENT_JOIN(real)
typedef ELEMENT_OF(TILE_REAL) element; /* one of bits */
typedef real whole __attribute__((vector_size(TILE_BYTES), may_alias)); /* a vec that is a value */

struct space {
	const int32_t *extent;
	int levels, strip, base; /* base: of its indices among all */
	int count;		 /* of level `strip` in this strip */
};

struct frame {
	int n, limit; /* elements of the strip; rows of the call */
	int n_index;
	int index[NN_MAP_INDICES]; /* of all loops; where a strip is, that of its first element */
	const struct space *strip;
	struct {
		real *at;
		ptrdiff_t step; /* from vector to vector */
	} slot[NN_MAP_SLOTS];
	whole uniform[UNIFORMS];
	whole scratch[REGISTERS][STRIP / WIDTH];
};

/* A result takes the place of an operand, or lies apart. */
#ifdef __clang__
#define IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define IVDEP _Pragma("GCC ivdep")
#endif

typedef void instruction(struct frame *f, const int32_t *w);

INLINE int extent_of(const struct frame *f, const struct space *s, int level)
{
	return s->extent[level] < 0 ? f->limit * -s->extent[level] : s->extent[level];
}

INLINE int rows_of(const struct frame *f, const struct space *s, int level)
{
	return level == s->strip ? s->count : extent_of(f, s, level);
}

#endif
