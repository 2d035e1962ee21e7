/* tile_maker.h - machine code for a tile in the making: what the files that write it share. tile_code.c writes the
 * function and the loops around the tile, tile_sums.c the tile. */
#ifndef NNR_TILE_MAKER_H
#define NNR_TILE_MAKER_H

#include "tile_set.h"
#include "x86.h"

enum tile_operand { A, B, T, OPERANDS, FAR = T /* what is asked for, of which sums know */ };

struct tile_maker {
	struct x86 x;
	const struct tile_set *set;
	const nn_tile *tile;
	int real, bytes;	   /* of an element, of a vector */
	int32_t row[2], column[2]; /* the tile's, or fewer at the end of an index */
	int rows, columns;
	int at[OPERANDS];	 /* slots of the addresses for the loops that are open */
	int64_t moved[OPERANDS]; /* by how much sums have moved a, b and what is asked for */
};

/* Slots of the frame, 8 bytes each. */
enum {
	SLOT_TILE,
	SLOT_N,
	SLOT_BLOCK,
	SLOT_SCALE,
	SLOT_ASK,
	SLOT_AT,
	SLOT_LOOPS = SLOT_AT + OPERANDS,
	SLOTS_OF_LOOP = 1 + OPERANDS
};

static inline struct x86_place tile_slot(int number) { return x86_memory(RSP, 8 * number); }
/* Where results of a tile whose vectors lie across samples wait to be turned: a multiple of 64 bytes from RSP on. */
static inline int results_offset(const struct tile_maker *m)
{
	return (8 * (SLOT_LOOPS + m->tile->n_loop * SLOTS_OF_LOOP) + 63) / 64 * 64;
}

/* The tile where the open loops are. */
void make_tile(struct tile_maker *m);

#endif
