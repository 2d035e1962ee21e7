/* handle.h - what the files of the run-time library share: the handle, the host's services, conversions. */
#ifndef NNR_HANDLE_H
#define NNR_HANDLE_H

#include <stdarg.h>
#include <stdio.h>

#include "jit.h"
#include "runtime.h"

/* The host's allocator and where messages go. */
struct host {
	void *(*allocate)(void *user, void *block, size_t size);
	void (*report)(void *user, const nnc_message *message);
	void *user;
};

void host_init(struct host *host, const nnc_options *options);
/* Zeroed memory for count items, or NULL: out of memory (an overflow too), which is reported. */
void *host_alloc(const struct host *host, size_t count, size_t size);
/* All of a block is about to be written: its pages come together, which takes half as long as one by one. */
void host_expect(void *block, size_t size);
/* A block made larger or smaller (realloc's contract), or NULL, reported. */
void *host_resize(const struct host *host, void *block, size_t size);
void host_free(const struct host *host, void *block);

/* A place in a file that is being read; zeros: none. line and column count from 1. */
struct place {
	const char *file;
	int line, column, column_end;
	const char *source_line;
};
void host_report(const struct host *host, enum nnc_severity severity, struct place at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Report an error without a line, and return status. */
nnr_status host_fail(const struct host *host, nnr_status status, const char *file, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

enum { MAX_TENSORS = 256 }; /* inputs, targets, or outputs, of one model where pointers to them are kept on a stack */

struct nnr_model {
	struct host host;
	const nn_model *nn;    /* describes the model; stays until the handle is closed */
	const nn_model *code;  /* whose functions are called, after need_functions */
	struct late *late;     /* NULL: not by libtcc */
	struct object *object; /* NULL: not by a C compiler */
	bool awaits_object;    /* which may take the place of libtcc's code */
	struct shards *shards; /* NULL: a batch is not split */
	nnr_code made_by;      /* of code */
	int32_t code_since;    /* step */
	void *block, *scratch; /* allocations that hold the following, each on a cache line of its own: */
	void *params, *state, *grads;
	void *average;	    /* params for inference, where the model has such; see inference_params */
	bool averaged;	    /* average is that of params and state as they are */
	bool shared;	    /* the host has a pointer into params or state */
	void *saved_state;  /* a copy of state, for evaluation */
	void *totals;	    /* over an evaluated set */
	void *loss;	    /* room for one real, or the numbers of all metrics */
	void *work, *work1; /* in scratch */
	int n_kind[NN_METRIC + 1];
};

/* Memory of the host, on a cache line of its own each; the block that holds them all, or NULL, reported. */
struct piece {
	void **at;
	size_t size;
};
void *allocate_pieces(const struct host *host, const struct piece *piece, int n);

/* A handle over a compiled model, which is the handle's, or freed; NULL with *status set. options may be NULL. */
nnr_model *open_compiled(struct late *late, const nnc_options *options, nnr_status *status);
/* To be called before functions of the code are called, between two calls: they are compiled if they were not needed
 * before (bits of late.h), and if a C compiler works on the model and is done, its code is taken. */
nnr_status need_functions(nnr_model *model, unsigned functions);

/* Tensors of the four kinds that have memory of their own in params or state. */
const nn_tensor *find_tensor(const nnr_model *model, const char *name);
void *tensor_memory(const nnr_model *model, const nn_tensor *tensor);
/* Elements in memory: a state with a row per sample has batch rows. */
size_t tensor_elements(const nn_model *nn, const nn_tensor *tensor);
size_t element_size(const nn_model *nn, const nn_tensor *tensor);
/* What evaluation and prediction use: the params, or what the optimiser wants in their place. Needs CODE_AVERAGE. */
const void *inference_params(nnr_model *model);
/* Pointers to the rows from `first` on, of all tensors of a kind. */
void point_at_rows(const nnr_model *model, enum nn_kind kind, const void *const *base, int64_t first, const void **at);
/* One real of 4 or 8 bytes. */
double load_real(const nn_model *nn, const void *at, size_t i);
void store_real(const nn_model *nn, void *at, size_t i, double value);

#endif
