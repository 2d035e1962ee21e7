/* map_maker.h - a function for a map (map_code.c) in the making.
 *
 * What moves in loops are the addresses of arrays and the integers that are affine in the indices. Each has a home, a
 * general register or a place on the stack, and is where that says plus an offset that is known while the code is made:
 * so a loop that is written out, or one whose rounds are known, costs its movers nothing. Registers and uniforms of the
 * map live in vector registers, or on the stack where there are too many. */
#ifndef NNR_MAP_MAKER_H
#define NNR_MAP_MAKER_H

#include "map.h"
#include "tile_set.h"
#include "x86.h"

enum { MOST_INTEGERS = 40, MOVERS = NN_MAP_REGISTER + MOST_INTEGERS, MOST_DEPTH = 20 };
/* Constants of all programs stand before the code. */
enum { VECTOR_BYTES = 64, MOST_CONSTANTS = 256 };

/* Vector registers: some for what an instruction needs for itself, one of masks for AVX2, then homes. */
enum { TEMPORARY = 0, MASK_VECTOR = 6, FIRST_HOME = 7 };
/* Masks of AVX-512: the lanes of a last, partial vector; those that a condition holds for; one for gathers. */
enum { MASK_REST = 1, MASK_TEST = 2, MASK_GATHER = 3 };

struct map_mover {
	bool used, in_register;
	int home;	     /* a register, or a slot of the frame */
	int64_t offset;	     /* bytes of an address */
	const int32_t *word; /* of an integer: its constant, behind which its factors are */
};

struct map_words { /* a SPACE */
	const int32_t *extent, *moves, *body, *end;
	int levels, strip, moved, base;
};

struct map_maker {
	struct x86 x;
	const struct tile_set *set;
	int real, width, bytes; /* of an element; of a vector: elements, bytes */
	bool failed, calls;
	struct map_mover mover[MOVERS]; /* arrays, then integers */
	int n_integer, n_index;
	struct x86_place home[NN_MAP_SLOTS], saved[NN_MAP_SLOTS]; /* of vectors; where calls leave them */
	struct x86_place buffer; /* for a vector */
	struct x86_place counter[MOST_DEPTH];
	int depth, most_depth, n_slot, n_register, n_uniform;
	bool number[NN_MAP_SLOTS]; /* uniforms that the call gives */
	bool seen[NN_MAP_SLOTS];
	bool has_rows;
	/* the vectors at hand: elements of a level of the strip's space, the last ones if partial; count: how many, 0: as
	 * many as the frame says */
	const struct map_words *strip;
	int level;
	bool partial;
	int count;
	int *n_constant;
};

/* Slots of the frame, 8 bytes each. */
enum { SLOT_N, SLOT_REST, SLOT_SAVED, SAVED = 5, SLOTS = SLOT_SAVED + SAVED };

static inline struct x86_place frame_slot(int number) { return x86_memory(RSP, 8 * number); }

/* The registers of the caller, which are saved in the frame. */
static inline int kept_register(int i) { return i == 0 ? RBX : R12 + i - 1; }

static inline struct map_words words_of(const int32_t *w, int base)
{
	const int32_t *moves = w + 4 + w[1], *body = w + (w[0] >> 8);
	return (struct map_words){w + 4, moves + 1, body, body + w[3], w[1], w[2], *moves, base};
}

static inline const int32_t *next_instruction(const int32_t *w)
{
	return w + (w[0] >> 8) + ((w[0] & 255) == NN_MAP_SPACE ? w[3] : 0);
}

/* ---- map_homes.c ---- */

/* Note what the instructions [w, end) use, within loops of some depth, and in the strip of a space. */
void look_at(struct map_maker *m, const int32_t *w, const int32_t *end, int depth, const struct map_words *strip);
/* General registers: of addresses first, in the innermost loops of counters, as far as calls leave them. */
void give_registers(struct map_maker *m);
/* Vector registers; returns the bytes of the frame. */
int give_vectors(struct map_maker *m);

/* ---- map_loops.c ---- */

/* The code of the instructions [w, end). */
void make_code(struct map_maker *m, const int32_t *w, const int32_t *end);

/* ---- map_lanes.c ---- */

/* The step of a memory slot, and of an integer, from lane to lane. */
int64_t lane_step(const struct map_maker *m, int memory);
int64_t lane_factor(const struct map_maker *m, const int32_t *word);
/* Where a mover is: of an integer nothing but a place of the frame. RAX may be used. */
struct x86_place address_of(struct map_maker *m, int memory);
/* A vector in the code: of integers lane * by + from, or one value, as wide as reals. */
struct x86_place ramp(struct map_maker *m, int64_t by, int64_t from);
/* The lanes that count, where they are not all. */
void set_lanes(struct map_maker *m);
void load_lanes(struct map_maker *m, int to, int memory);
void store_lanes(struct map_maker *m, int memory, int from);
/* What is at base + index; partial: only where lanes count. */
void gather_lanes(struct map_maker *m, int to, struct x86_place base, int index, int mask);
/* An integer that moves, in each lane; lanes: and on by its factor. */
void load_integer(struct map_maker *m, int to, const int32_t *word, bool lanes);
void make_load_inside(struct map_maker *m, const int32_t *w);

/* ---- map_values.c ---- */

struct x86_operation real_operation(const struct map_maker *m, int code);
struct x86_operation bits_operation(const struct map_maker *m, enum x86_table table, int code);
/* A slot's value in a register (its own, or this one), or where an operation can read it. */
int value_in(struct map_maker *m, int slot, int temporary);
struct x86_place value_at(struct map_maker *m, int slot, int temporary);
/* Where to compute a slot's value, and that it is there. */
int result_in(const struct map_maker *m, int slot, int temporary);
void keep_result(struct map_maker *m, int slot, int in);
void copy_vector(struct map_maker *m, int to, int from);
/* to = mask ? yes : no; of AVX-512 the mask is MASK_TEST. */
void choose(struct map_maker *m, int to, int mask, int no, struct x86_place yes);
/* Any instruction but SPACE. */
void make_instruction(struct map_maker *m, const int32_t *w);

#endif
