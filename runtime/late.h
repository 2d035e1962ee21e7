/* late.h - a compiled model's code by libtcc, function by function. */
#ifndef NNR_LATE_H
#define NNR_LATE_H

#include "handle.h"
#include "map_code.h"
#include "tile_code.h"

#include <pthread.h>

/* The functions of nn_model, in its order. */
enum {
	CODE_INIT = 1 << 0,
	CODE_FORWARD = 1 << 1,
	CODE_FORWARD1 = 1 << 2,
	CODE_LOSS = 1 << 3,
	CODE_METRICS = 1 << 4 | 1 << 5 | 1 << 6,
	CODE_BACKWARD = 1 << 7,
	CODE_UPDATE = 1 << 8,
	CODE_STEP = 1 << 9,
	CODE_STREAM = 1 << 10,
	CODE_AVERAGE = 1 << 11,
	CODE_TEAM_STEP = 1 << 12,
	CODE_ALL = (1 << 13) - 1,
	CODE_COUNT = 13
};

/* A piece of the code, and what it uses. */
struct code_part {
	struct jit *jit;
	nn_tile *tile;
	struct tile_code code;
	tile_function **maps;	  /* nn_maps, or NULL */
	struct map_code map_code; /* that is theirs */
	int32_t *words; /* nn_words, or NULL */
};

struct late {
	struct host host;
	nnc_model *compiled; /* freed with this; NULL: nothing is left to compile */
	bool out_of_memory;  /* the compiler's flag */
	nnc_tiles tiles;
	const struct tile_set *tile_set;
	nn_model *descriptor; /* in which functions that are not there yet are compiled when they are called */
	nn_model code;	      /* the same, with the functions that are there */
	unsigned ready;	      /* those that `code` has, or the model has not; bits as above */
	pthread_mutex_t lock; /* of what follows: nn_late may be called by any thread */
	void *function[CODE_COUNT];
	struct code_part part[CODE_COUNT];
	int n_part;
};

/* Text to graph. NULL with *status set. */
struct late *late_compile(const struct host *host, const char *name, const char *text, size_t size,
			  const nnc_options *options, nnr_status *status);
/* The code for some functions, init among them. *descriptor stays until late_free; those of its functions that are not
 * there yet are compiled when they are called. */
nnr_status late_start(struct late *late, const nnc_options *options, unsigned functions, const nn_model **descriptor);
/* late->code has these functions, if the model has. To be called by the handle's thread. */
nnr_status late_need(struct late *late, unsigned functions);
/* For the code itself: the function of a number, or NULL, reported. */
void *nn_late(struct late *late, int number);
/* NULL is allowed. */
void late_free(struct late *late);

#endif
