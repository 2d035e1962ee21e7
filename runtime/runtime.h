/* runtime.h - run a model in this process: open a .nn, train it, predict, save and load its weights.
 *
 *   nnr_model *m = nnr_open("digits.nn", NULL);
 *   const void *in[] = {images}, *target[] = {labels};       (float and int32_t rows)
 *   double loss;
 *   for (int i = 0; m && i < 1000; i++)
 *           nnr_step(m, in, target, 32, &loss);
 *   nnr_save(m, "digits.safetensors");
 *   nnr_close(m);
 *
 * No globals; nothing is printed, nothing exits. A handle is used by one thread at a time; several handles may live at
 * once. Every failure is a status and, if the options have a report callback, a message to it. Strings and arrays are
 * the caller's unless a comment says otherwise. */
#ifndef NNR_RUNTIME_H
#define NNR_RUNTIME_H

#include "model.h"
#include "nnc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The values are the exit statuses of the command line where it has one. */
typedef enum nnr_status {
	NNR_OK,
	NNR_INVALID, /* the model, the data or the weights are wrong (or memory ran out within nnc_compile) */
	NNR_USAGE,   /* the call is wrong: an unknown name, a wrong count, a function that the model has not */
	NNR_IO,	     /* a file cannot be opened, read or written */
	NNR_MEMORY   /* out of memory */
} nnr_status;

typedef struct nnr_model nnr_model;
typedef struct nnr_data nnr_data;

/* ---- a model ---- */

/* Compile a .nn file, or its text, in process; params and states have their initial values, drawn from the seed of the
 * train line. options may be NULL; real must be NNC_FLOAT or NNC_DOUBLE. Its allocator and report callback serve the
 * handle as well, until nnr_close. NULL after errors, which were reported; *status (if not NULL) says which kind. */
nnr_model *nnr_open(const char *path, const nnc_options *options, nnr_status *status);
nnr_model *nnr_open_text(const char *name, const char *text, size_t size, const nnc_options *options,
			 nnr_status *status);
/* A handle over C that nnc generated and that is linked in: nnr_attach(&digits_model, ...). */
nnr_model *nnr_attach(const nn_model *descriptor, const nnc_options *options, nnr_status *status);
void nnr_close(nnr_model *model);

/* By whom the code was made that the next call runs, and since which step of the run (NULL: not asked for). */
typedef enum nnr_code { NNR_LINKED, NNR_TCC, NNR_CC } nnr_code;
nnr_code nnr_made_by(const nnr_model *model, int32_t *since);

/* Names, shapes and sizes; lives as long as the handle. */
const nn_model *nnr_descriptor(const nnr_model *model);
/* Where the run stands: read it, or set epoch and the planned steps. */
nn_run *nnr_run(nnr_model *model);
/* The k-th tensor of a kind, or NULL: in the order in which the pointers below are given. */
const nn_tensor *nnr_tensor(const nnr_model *model, enum nn_kind kind, int k);
int nnr_count(const nnr_model *model, enum nn_kind kind);
/* The numbers of all metrics: those of metric t are count of them from offset on. */
int nnr_metric_count(const nnr_model *model);

/* Start again: initial params and states of this seed, step 0. */
void nnr_init(nnr_model *model, uint64_t seed);

/* Put what inference uses in place of the params: the averages that an optimiser keeps (average= of the train line), to
 * save or to hand on. Evaluation and prediction use them without this. Nothing happens where there are none. */
void nnr_average(nnr_model *model);

/* ---- running ----
 * input, target and output hold a pointer for each tensor of that kind, to n rows of its elements: the model's real
 * (float or double) or int32_t. No labels are checked here: they must lie within their classes. */

/* One training step on 0 < n <= batch rows. *loss (may be NULL): their mean loss before it. */
nnr_status nnr_step(nnr_model *model, const void *const *input, const void *const *target, int n, double *loss);
/* The outputs of any number of rows. */
nnr_status nnr_predict(nnr_model *model, const void *const *input, void *const *output, int64_t n);
/* The gradients of the training loss, to be read with nnr_get_gradient; params stay. */
nnr_status nnr_backward(nnr_model *model, const void *const *input, const void *const *target, int n, double *loss);

/* A sequence gone through step by step, with what the model keeps from one step to the next: for models whose outputs
 * come from a scan forwards over the steps of an input (nn_model.stream_step). There may be many of one model, each at
 * its own step; they run one at a time, and are closed before the model. NULL where the model has no such function. */
typedef struct nnr_stream nnr_stream;
nnr_stream *nnr_stream_open(nnr_model *model, nnr_status *status);
void nnr_stream_close(nnr_stream *stream);
/* Back to before the first step. */
void nnr_stream_restart(nnr_stream *stream);
/* The outputs as they stand after one more step. Of tensors with a step_axis the pointers are to one step's elements. */
void nnr_stream_step(nnr_stream *stream, const void *const *input, void *const *output);

/* Params, frozen params, states and settings by name. count must be the tensor's. */
nnr_status nnr_get(const nnr_model *model, const char *name, double *value, size_t count);
nnr_status nnr_set(nnr_model *model, const char *name, const double *value, size_t count);
nnr_status nnr_get_gradient(const nnr_model *model, const char *name, double *value, size_t count);
/* The memory of one of them itself: reals of the descriptor's size, or int32_t; NULL if there is none of that name. */
void *nnr_memory(nnr_model *model, const char *name, const nn_tensor **tensor);

/* The whole structs, as the generated header declares them; for code that is linked in, or an all-reduce. */
void *nnr_params(nnr_model *model);
void *nnr_state(nnr_model *model);
void *nnr_gradients(nnr_model *model);

/* ---- weights: safetensors files ---- */

/* Write params, frozen params, states and the run, so that training can go on from the file. The file is complete or
 * not there at all; an older one of that name stays until then. */
nnr_status nnr_save(nnr_model *model, const char *path);
/* Read them by name, in any order, from F64, F32, F16 or BF16. Every param must be there with its shape; states that
 * are missing keep their values. After an error nothing has changed. */
nnr_status nnr_load(nnr_model *model, const char *path);

/* ---- data ---- */

typedef enum nnr_split { NNR_TRAIN, NNR_TEST } nnr_split;
typedef struct nnr_data_options {
	double scale;	  /* real inputs are multiplied by it; 0 stands for 1 */
	nnr_split split;  /* which part of a folder is read */
	bool inputs_only; /* targets may be missing, and are not read */
} nnr_data_options;

/* Read a data set: path is a CSV file or a text, or files separated by commas (CSV, IDX or text, in the order of the
 * model's inputs and then targets), or a folder with the files of MNIST or with train.csv and test.csv (or .txt); each
 * plain or .gz. See runtime/README.md for what the files must hold. options may be NULL. */
nnr_status nnr_read_data(nnr_model *model, const char *path, const nnr_data_options *options, nnr_data **data);
/* Whether path is a folder that has files of that part. */
bool nnr_has_split(const nnr_model *model, const char *path, nnr_split split);
/* The same interface over rows in memory, borrowed until nnr_free_data; target may be NULL. Labels are checked. */
nnr_status nnr_wrap_data(nnr_model *model, const void *const *input, const void *const *target, int64_t rows,
			 nnr_data **data);
int64_t nnr_rows(const nnr_data *data);
/* Copy n rows into arrays of the model's types; row NULL: rows first, first + 1, ... target may be NULL. */
void nnr_gather(const nnr_model *model, const nnr_data *data, const int64_t *row, int64_t first, int n,
		void *const *input, void *const *target);
void nnr_free_data(nnr_data *data);

/* ---- training and evaluation over a data set ---- */

typedef struct nnr_progress {
	int epoch, epochs;	 /* from 0; the epoch of the step that was just done */
	int64_t step, steps;	 /* steps done since the model was initialised, planned */
	int64_t row, rows;	 /* rows of this epoch done, in all */
	double loss;		 /* mean over the rows of this epoch so far */
	bool epoch_end;		 /* the last call of an epoch, after the test */
	const double *test_loss; /* NULL: not tested now */
	const double *test_metric;
} nnr_progress;

typedef struct nnr_training {
	const nnr_data *data;
	const nnr_data *test; /* evaluated at the end of each epoch; may be NULL */
	int epochs;	      /* in all, counting those done before; 0: the train line's, or what steps needs, or 1 */
	int64_t steps;	      /* in all; 0: the train line's, or epochs times the steps of one */
	uint64_t seed;	      /* of the order of the rows */
	/* After every step, and once more at the end of an epoch; false ends the training early. May be NULL. */
	bool (*progress)(void *user, const nnr_progress *progress);
	void *user;
} nnr_training;

/* Train from where the run stands to the planned end. The order of the rows is a function of seed and epoch alone, so a
 * run that was saved and loaded goes on as if it had not been interrupted. A loss that is not finite is an error. */
nnr_status nnr_train(nnr_model *model, const nnr_training *training);
/* Mean loss and metrics (nnr_metric_count numbers) over a data set, as for new data: states do not change. Each of loss
 * and metric may be NULL, and must be where the model has none. */
nnr_status nnr_evaluate(nnr_model *model, const nnr_data *data, double *loss, double *metric);

/* ---- derivative check ---- */

typedef struct nnr_check_row {
	const char *loss; /* of which loss, where there are several; else NULL */
	const char *name; /* of the param, or of the real input */
	bool input;
	int64_t checked, count;	       /* elements */
	double worst;		       /* |derivative - difference|, relative to the largest gradient of the tensor */
	int64_t worst_at;	       /* element */
	double derivative, difference; /* there */
	bool off;		       /* some error is above the limit and the rounding of the loss */
	bool zero;		       /* the gradient of every element is exactly 0, and was found to be: not much of a check */
} nnr_check_row;

/* Compare every gradient of a model, compiled with double, with central differences of its training loss on random
 * rows; row is called for each tensor. NNR_INVALID if the model has errors; *off counts the tensors above limit. */
nnr_status nnr_check(const char *name, const char *text, size_t size, const nnc_options *options, double limit,
		     void (*row)(void *user, const nnr_check_row *row), void *user, int *off);

#ifdef __cplusplus
}
#endif
#endif
