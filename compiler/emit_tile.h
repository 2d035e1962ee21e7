/* emit_tile.h - what the files that write tiles share: emit_tile.c the loops around calls of one routine, emit_panel.c
 * operands in the order in which tiles read them, emit_tile_border.c what they need not read, emit_epilogue.c what
 * follows them, emit_tile_call.c calls of the runtime's routine, emit_tile_routine.c the routine for files of C. */
#ifndef NNC_EMIT_TILE_H
#define NNC_EMIT_TILE_H

#include "emit_parts.h"

/* What the numbers of a tile are called in the function: literals or enumerators. */
struct tile_names {
	const char *lanes, *row[2], *col[2], *step[64]; /* step: of tile->loop[k] */
	const char *copied;			/* whether B is, on machines that copy more than others */
	const char *vector;				/* NULL, or the index along which vectors lie, before what begins earlier */
	const char *there;				/* across samples: how many there are from the tile on */
	const char *ask;				/* what the next round of a loop reads, or NULL */
	const char *few;				/* the rows of the batch by which a loop goes on, or NULL */
	const struct tile_loop *cut;			/* NULL, or the loop that no tile divides: its index, before what begins */
	const char *cut_name;				/* earlier than it says */
	const char *from, *steps; /* NULL, or the first of the outermost sum's steps that a tile takes, and how many */
	const char *scale, *done[2]; /* of a tile that is added: rows, and elements of columns, of the one that it overlaps */
};

/* ---- emit_tile.c ---- */

/* One loop of the nest; a tile at its end starts earlier, so that it is whole. */
void open_tile_loop(struct body *b, const struct tile *tile, struct tile_names *names, int k);

/* Where a tile starts in a tensor: which: 0 A, 1 B, 2 T. */
const char *start_text(struct body *b, const struct tile *tile, int which);
/* Where a tile reads one of its factors. */
const char *operand_text(struct body *b, const struct tile *tile, const struct tile_names *names, int which);
/* a * b in C, short where one is 1. */
const char *product(struct emitter *e, const char *a, const char *b);
const char *number(struct emitter *e, int64_t n);
/* A number that depends on the machine: one where all agree. */
const char *pick(struct emitter *e, const int64_t *number);
/* The steps of two sides: "{784, 1}", "{784}". */
void write_pair(struct text *out, const char *field, const char *first, const char *second);

/* ---- emit_tile_border.c ---- */

/* Where an operand has 0 around it, which steps of the outermost sum a tile takes. */
void name_steps_inside(struct body *b, const struct tile *tile, struct tile_names *names);

/* ---- emit_panel.c ---- */

/* Elements that lie side by side in a panel, of the first of the operand's indices. */
const char *panel_run(struct body *b, const struct tile_names *names, bool of_b);
/* From one value of a sum to the next in the panel. */
const char *panel_step(struct body *b, const struct tile *tile, const struct tile_names *names, bool of_b, int sum);
/* How a panel is filled: the name of what says so. */
const char *write_panel_shape(struct body *b, const struct tile *tile, const struct tile_names *names, bool of_b);
void fill_panel(struct body *b, const struct tile *tile, const struct tile_names *names, const char *order);
/* A number or a place: this on machines that copy B, else that. */
const char *if_copied(struct body *b, const struct tile_names *names, const char *copy, const char *place);
/* On machines that do: the panel of B, or all of them before the loops. */
void fill_copy(struct body *b, const struct tile *tile, const struct tile_names *names, const char *order);
/* Where that of a tile is. */
const char *text_of_b(struct body *b, const struct tile *tile, const struct tile_names *names);

/* ---- emit_ask.c ---- */

/* How far a step of the sums goes on in what is asked for. */
const char *ask_step(struct body *b, const struct tile *tile, const struct tile_names *names);
/* The loop that tile->asks names is open: where what its next round reads begins. */
void name_asked(struct body *b, const struct tile *tile, struct tile_names *names);
/* What a tile asks for: each of an inner loop for its part; NULL: nothing. */
const char *ask_text(struct body *b, const struct tile *tile, const struct tile_names *names);

/* ---- emit_epilogue.c ---- */

/* The maps that follow the tile in its group, over what the loops within tile->followed have stored. */
void write_epilogue(struct body *b, const struct tile *tile, const struct tile_names *names);

/* ---- emit_tile_call.c ---- */

/* The outermost of the tile's loops that the runtime's function has. */
int first_called_loop(const struct tile *tile);
void call_tile(struct body *b, const struct tile *tile, const struct tile_names *names);
/* A pointer to an nn_panel, as C. */
const char *write_call_panel(struct body *b, const struct tile *tile);
void declare_routines(struct emitter *e);

/* ---- emit_tile_routine.c ---- */

/* The number of the routine with the tile's lanes on every machine, from 1. */
int find_routine(struct emitter *e, const struct tile *tile);

#endif
