/* keep.h - a training step as keep.c counts it: values, and the moments that make and read them (weigh.c). */
#ifndef NNC_KEEP_H
#define NNC_KEEP_H

#include "recompute.h"

typedef LIST(int) int_list;

struct value {
	struct tensor *tensor;
	struct equation *definition; /* NULL: it cannot be computed again */
	int64_t bytes, whole; /* that it takes now (none in the loops of a group), and if it had memory of its own */
	double cost;	      /* of computing it again */
	int_list inputs;      /* values that it is computed from */
	int64_t reader;	      /* bytes of the largest value of the forward pass that is computed from it */
	bool read_back;	      /* by the backward pass */
	bool kept;	      /* by the update too */
	bool along;	      /* computed again wherever it is needed for that */
};

/* Groups that run together. */
struct moment {
	int_list reads, makes;
	bool backward;
};

/* When something lives. */
struct span_of_life {
	int born, dies; /* born -1: never */
};

struct keeping {
	struct graph *g;
	struct arena *arena;
	enum call call;
	LIST(struct value) values;
	LIST(struct moment) moments;
	int *number; /* of a tensor's value, by its id, from 1 */
	bool *dropped;
	/* counting */
	struct span_of_life *life, *copy;
	bool *extended; /* what is computed again reads it */
	int64_t *alive; /* by time */
	int now, room;
	double cost;
};

#endif
