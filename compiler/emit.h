/* emit.h - the graph as C: one file of functions, one header.
 *
 * requires  a verified graph; options.real, unroll, fp and inference_only are obeyed
 * keeps     the graph (expressions may be added, tensor->pass is used)
 * gives     text in the arena of g->ctx; the same text for the same graph. NULL, reported, where unroll is `all` and
 * the model too large for it */
#ifndef NNC_EMIT_H
#define NNC_EMIT_H

#include "graph.h"

struct emit_options {
	const char *header;	  /* name to include, or NULL: the header's text stands in the file */
	const void *weights;	  /* NULL, or the params in the order of the generated struct, to embed */
	const void *state;	  /* with weights: the state of the generated struct, to embed too */
	const char **header_text; /* NULL, or where to put the text of the header that is included, made from the same
				     schedule */
	bool no_forward1;	  /* leave that function out */
	bool freestanding;	  /* no #include at all: the file declares what it needs of libm and <stdint.h> */
	const nnc_tiles *tiles;	  /* freestanding: NULL, or the routines that it may call */
};

const char *emit_text(struct graph *g, const struct emit_options *options);

/* The same in parts, for code in process that is compiled when something first calls it. `functions`: which of
 * nn_model's, a bit each in their order; those that the model has not are ignored. A text has them as any_NAME. In that
 * with the first of them, init, stands for every function that is left out one that asks the host for it, by nn_late
 * (runtime/late.h). There is no descriptor, but describe_parts. options and the graph stay as they are until the last
 * part; nothing else is emitted from the graph in between. */
struct emitter;
struct emitter *begin_parts(struct graph *g, const struct emit_options *options);
const char *emit_part(struct emitter *e, unsigned functions);
const struct nn_model *describe_parts(struct emitter *e);
/* Constants that the last text reads as nn_words; they are gone with the next one. */
const int32_t *words_of_part(const struct emitter *e, size_t *n);
/* Where among them the programs of maps begin, in the order of their numbers. */
const int32_t *maps_of_part(const struct emitter *e, int *n);
/* The tiles that the last part calls, in the order of their numbers. */
const struct nn_tile *part_tiles(const struct emitter *e, int *n);
/* header: the file's name, for its guard; NULL: the graph's name and ".h". */
const char *emit_header(struct graph *g, const char *header);

/* Bytes of the generated structs. */
struct struct_sizes {
	int64_t params, grads, state, work, work1, totals, stream;
	int64_t alive;  /* the largest set of values in work that mean something at the same time */
	int64_t tables; /* constants in the code */
};
void measure_structs(struct graph *g, struct struct_sizes *sizes);
struct program;
void measure_program(const struct program *p, struct struct_sizes *sizes);
/* Bytes of the state, and where its fields are in it: one for each of the program's settings, states and rules. */
struct state_places {
	int64_t size, *setting, *state, *rule;
};
struct state_places locate_state(const struct program *p, int64_t real, struct arena *arena);

#endif
