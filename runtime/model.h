/* What every model looks like to a host that loads it at run time. Shared by all generated headers, which carry
 * this text; the guard lets many of them be included together. */
#ifndef NN_MODEL_ABI
#define NN_MODEL_ABI 5

#include <stddef.h>
#include <stdint.h>

/* static NN_ALIGNED name_params params; begins on a boundary of 64 bytes, as aligned_alloc(64, size) does: no vector then
 * lies across two lines of a cache, which is worth up to a third of the time. Nothing is wrong with any other place. */
#if defined _MSC_VER
#define NN_ALIGNED __declspec(align(64))
#elif defined __GNUC__ || defined __TINYC__
#define NN_ALIGNED __attribute__((aligned(64)))
#else
#define NN_ALIGNED
#endif

/* Where a run stands; the head of every model's state. The host sets what its training loop knows: epoch, the planned
 * steps, and the losses. init sets seed and zeroes the rest; update and step add 1 to step. A host that hands a batch
 * over in parts says with first_row where a part begins, so that each row has its own random draws. */
typedef struct nn_run {
	uint64_t seed;
	int32_t step, epoch, steps, steps_per_epoch;
	double loss;     /* at the end of the last epoch: of the test set, or the training rows' mean where there is none */
	double loss_sum; /* of the rows of this epoch that were trained on */
	int32_t first_row;
} nn_run;

/* What team_step is told of the thread that calls it. meet returns when all threads of the team have called it. */
typedef struct nn_team {
	int32_t part, parts; /* 0 <= part < parts <= n */
	void *own;           /* nn_model.own_size bytes for this thread alone */
	void (*meet)(const struct nn_team *team);
} nn_team;

enum nn_kind { NN_PARAM, NN_FROZEN, NN_STATE, NN_SETTING, NN_INPUT, NN_TARGET, NN_OUTPUT, NN_METRIC };
enum nn_elem { NN_REAL, NN_INT32 };

typedef struct nn_tensor {
	const char *name;
	int32_t kind;      /* enum nn_kind */
	int32_t elem;      /* enum nn_elem; NN_REAL has nn_model.real_size bytes */
	int32_t classes;   /* integer values are 0 .. classes-1; 0: not bounded */
	int32_t batched;   /* one such tensor for every row: inputs, targets, outputs, states of sequences */
	int32_t rank;
	int32_t dim[8];    /* of one row where batched */
	size_t count;      /* elements (of one row where batched) */
	size_t offset;     /* bytes: PARAM, FROZEN in params; STATE, SETTING in state. METRIC: of its first number among all. Others: place in
	                          the array of pointers */
	int32_t step_axis; /* INPUT, OUTPUT: the one of dim that stream_step has not; -1: it has all */
} nn_tensor;

/* params, state, grads and work are the generated structs; all memory is the caller's. input, target and output hold
 * a pointer each, in the order of the descriptor's tensors of that kind, to rows of [n][count] elements.
 * 0 < n <= batch. loss and metric point to reals. NULL where the model has no such function.
 * Metrics of a set of any number of rows: totals are zeroed, metrics takes in n rows a call, then metrics2 (if not NULL)
 * the same rows again, and metrics_finish gives the numbers. */
typedef struct nn_model {
	uint32_t abi;          /* NN_MODEL_ABI of the generator */
	uint32_t real_size;    /* 4, 8 or 16 */
	uint32_t batch;        /* largest n */
	uint32_t n_tensor;
	const nn_tensor *tensor;  /* params in the order of params.flat first */
	size_t params_size, grads_size, state_size, work_size, work1_size, totals_size; /* bytes */
	const char *name, *source;
	uint64_t fingerprint;  /* of names, shapes and equations */
	int32_t epochs, steps; /* of the train line; 0: not given */
	uint64_t seed;
	int32_t ordered;       /* the rows of an epoch are wanted in their order */
	int32_t moves;         /* forward moves the state on: what one call leaves the next one starts from */
	void (*init)(void *params, void *state, uint64_t seed);
	void (*forward)(const void *params, void *state, const void *const *input, void *const *output, int n, void *work);
	void (*forward1)(const void *params, void *state, const void *const *input, void *const *output, void *work1);
	void (*loss)(const void *params, void *state, const void *const *input, const void *const *target, void *loss, int n,
		     void *work);
	void (*metrics)(const void *params, void *state, const void *const *input, const void *const *target, void *totals,
			int n, void *work);
	void (*metrics2)(const void *params, void *state, const void *const *input, const void *const *target,
			 void *totals, int n, void *work);
	void (*metrics_finish)(const void *params, void *state, const void *totals, void *metric, void *work);
	void (*backward)(const void *params, void *state, const void *const *input, const void *const *target, void *grads,
			 void *loss, int n, void *work);
	void (*update)(void *params, void *state, const void *grads);
	void (*step)(void *params, void *state, const void *const *input, const void *const *target, void *loss, int n,
		     void *work);
	/* one step of a sequence; stream is the generated struct, all 0 before the first. work1 as for forward1 */
	void (*stream_step)(const void *params, void *state, void *stream, const void *const *input, void *const *output,
			    void *work1);
	void (*average)(const void *params, void *state, void *average, void *work); /* params for inference */
	/* step, shared by threads: each of a team calls it, with the same arguments but for loss and team. The numbers are those
	 * of step, to the bit with --fp=strict. NULL also where it was not asked for, or would be slower than parts of the batch */
	void (*team_step)(void *params, void *state, const void *const *input, const void *const *target, void *loss, int n,
			  void *work, const nn_team *team);
	size_t stream_size, own_size; /* bytes */
	/* "": loss and gradients of a batch are the averages of those of its parts, weighted with their rows, and backward
	 * moves no state. Else the first value of training through which rows meet in another way, or NULL. */
	const char *coupling;
	double row_cost;       /* multiply-adds of training for one row, about */
} nn_model;
#endif
