/* train.c - the training loop and evaluation: everything about them that no model needs to know.
 *
 * The steps are numbered from the initialisation of the model on; step k uses batch k % b of epoch k / b, b batches an
 * epoch. So where a run stands is one number, and a run that is taken up again sees the same rows in the same order. */
#include "data.h"
#include "late.h"

#include <math.h>
#include <string.h>

/* ---- batches ---- */

/* Arrays of one batch, in the model's types. */
struct batch {
	void **input, **target; /* input starts the allocation */
	void **output;		/* of a model whose states move on; else there is none */
};

static void free_batch(const nnr_model *model, struct batch *batch)
{
	int n = model->n_kind[NN_INPUT] + model->n_kind[NN_TARGET] + model->n_kind[NN_OUTPUT];
	for (int i = 0; batch->input && i < n; i++)
		host_free(&model->host, batch->input[i]);
	host_free(&model->host, batch->input);
}

static nnr_status make_arrays(const nnr_model *model, enum nn_kind kind, void **array)
{
	for (int i = 0; i < model->n_kind[kind]; i++) {
		const nn_tensor *tensor = nnr_tensor(model, kind, i);
		array[i] = host_alloc(&model->host, tensor->count * model->nn->batch, element_size(model->nn, tensor));
		if (!array[i])
			return NNR_MEMORY;
	}
	return NNR_OK;
}

/* batch must be zero; free_batch it after a failure too. */
static nnr_status make_batch(const nnr_model *model, struct batch *batch)
{
	int n_input = model->n_kind[NN_INPUT], n_target = model->n_kind[NN_TARGET];
	batch->input =
		host_alloc(&model->host, (size_t)(n_input + n_target + model->n_kind[NN_OUTPUT]) + 1, sizeof(void *));
	if (!batch->input)
		return NNR_MEMORY;
	batch->target = batch->input + n_input;
	batch->output = batch->target + n_target;
	nnr_status status = make_arrays(model, NN_INPUT, batch->input);
	if (status == NNR_OK)
		status = make_arrays(model, NN_TARGET, batch->target);
	return status == NNR_OK && model->nn->moves ? make_arrays(model, NN_OUTPUT, batch->output) : status;
}

static const void *const *as_const(void *const *pointers) { return (const void *const *)pointers; }

/* ---- the order of rows ---- */

/* A hash of three numbers: splitmix64's mixer (Steele, Lea, Flood 2014) over a Weyl step for each. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* The rows in the order of an epoch: a Fisher-Yates shuffle whose i-th draw is a hash of seed, epoch and i. */
static void shuffle(int64_t *row, int64_t n, uint64_t seed, int64_t epoch)
{
	uint64_t key = mix(mix(seed + UINT64_C(0x9e3779b97f4a7c15)) + (uint64_t)epoch);
	for (int64_t i = 0; i < n; i++)
		row[i] = i;
	for (int64_t i = n - 1; i > 0; i--) {
		/* the bias of % is below n / 2^64 */
		int64_t k = (int64_t)(mix(key + (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15)) % (uint64_t)(i + 1));
		int64_t other = row[k];
		row[k] = row[i];
		row[i] = other;
	}
}

/* ---- evaluation ---- */

static nnr_status check_targets(const nnr_model *model, const nnr_data *data)
{
	if (data->n_target < model->n_kind[NN_TARGET])
		return host_fail(&model->host, NNR_USAGE, NULL, "the data have no targets");
	return NNR_OK;
}

/* One pass over a set: the loss of each batch is weighted with its rows, take (metrics or metrics2) gets them all. Each
 * may be NULL. States that forward moves on go from batch to batch, and start from where they were before the pass. */
static void pass_over(nnr_model *model, const void *params, const nnr_data *data, struct batch *batch, double *loss,
		      void (*take)(const void *params, void *state, const void *const *input, const void *const *target,
				   void *totals, int n, void *work))
{
	const nn_model *nn = model->nn;
	for (int64_t first = 0; first < data->rows; first += nn->batch) {
		int n = data->rows - first < nn->batch ? (int)(data->rows - first) : (int)nn->batch;
		nnr_gather(model, data, NULL, first, n, batch->input, batch->target);
		if (loss) {
			model->code->loss(params, model->state, as_const(batch->input), as_const(batch->target),
					  model->loss, n, model->work);
			*loss += (double)n / (double)data->rows * load_real(nn, model->loss, 0);
		}
		if (take)
			take(params, model->state, as_const(batch->input), as_const(batch->target), model->totals, n,
			     model->work);
		if (nn->moves)
			model->code->forward(params, model->state, as_const(batch->input), batch->output, n,
					     model->work);
	}
	memcpy(model->state, model->saved_state, nn->state_size);
}

nnr_status nnr_evaluate(nnr_model *model, const nnr_data *data, double *loss, double *metric)
{
	const nn_model *nn = model->nn;
	struct batch batch = {0};
	int n_metric = nnr_metric_count(model);
	bool measured = metric && n_metric;
	nnr_status status = check_targets(model, data);
	if (status == NNR_OK && ((loss && !nn->loss) || (measured && !nn->metrics)))
		status = host_fail(&model->host, NNR_USAGE, NULL, "model '%s' has no %s", nn->name,
				   loss && !nn->loss ? "loss" : "metrics");
	if (status == NNR_OK)
		status = make_batch(model, &batch);
	if (status == NNR_OK)
		status = need_functions(model, CODE_AVERAGE | (loss ? CODE_LOSS : 0) | (measured ? CODE_METRICS : 0) |
						       (nn->moves ? CODE_FORWARD : 0));
	if (status != NNR_OK) {
		free_batch(model, &batch);
		return status;
	}
	const void *params = inference_params(model);
	memcpy(model->saved_state, model->state, nn->state_size);
	memset(model->totals, 0, nn->totals_size);
	if (loss)
		*loss = 0;
	pass_over(model, params, data, &batch, loss, measured ? model->code->metrics : NULL);
	if (measured && model->code->metrics2)
		pass_over(model, params, data, &batch, NULL, model->code->metrics2);
	if (measured)
		model->code->metrics_finish(params, model->state, model->totals, model->loss, model->work);
	for (int k = 0; measured && k < n_metric; k++)
		metric[k] = load_real(nn, model->loss, (size_t)k);
	memcpy(model->state, model->saved_state, nn->state_size);
	free_batch(model, &batch);
	return NNR_OK;
}

/* ---- training ---- */

struct run {
	nnr_model *model;
	const nnr_training *training;
	struct batch batch;
	int64_t *row;	     /* order of this epoch */
	double *test_metric; /* the numbers of all metrics */
	int64_t steps_per_epoch, steps;
	int epochs;
	int64_t rows_done; /* of this epoch */
};

/* How long: what the caller says counts before the train line, steps before epochs. */
static nnr_status plan(struct run *run)
{
	const nn_model *nn = run->model->nn;
	const nnr_training *training = run->training;
	int64_t rows = training->data->rows, epochs = training->epochs, steps = training->steps;
	run->steps_per_epoch = (rows + nn->batch - 1) / nn->batch;
	if (!epochs && !steps) {
		epochs = nn->epochs;
		steps = nn->steps;
	}
	if (!epochs && !steps)
		epochs = 1;
	if (!steps || (epochs && epochs <= (steps - 1) / run->steps_per_epoch))
		steps = epochs > INT32_MAX / run->steps_per_epoch ? (int64_t)INT32_MAX + 1
								  : epochs * run->steps_per_epoch;
	if (steps > INT32_MAX)
		return host_fail(&run->model->host, NNR_USAGE, NULL,
				 "%lld epochs of %lld steps are more than 2^31 steps", (long long)epochs,
				 (long long)run->steps_per_epoch);
	run->steps = steps;
	run->epochs = (int)((steps + run->steps_per_epoch - 1) / run->steps_per_epoch);
	return NNR_OK;
}

/* Tell the host; false: it wants to stop. */
static bool report_progress(struct run *run, int epoch, bool epoch_end, const double *test_loss)
{
	const nnr_training *training = run->training;
	nnr_progress progress = {.epoch = epoch,
				 .epochs = run->epochs,
				 .step = nnr_run(run->model)->step,
				 .steps = run->steps,
				 .row = run->rows_done,
				 .rows = training->data->rows,
				 .loss = run->rows_done ? nnr_run(run->model)->loss_sum / (double)run->rows_done : 0,
				 .epoch_end = epoch_end,
				 .test_loss = test_loss,
				 .test_metric = test_loss ? run->test_metric : NULL};
	return !training->progress || training->progress(training->user, &progress);
}

static nnr_status do_step(struct run *run, int64_t first)
{
	nnr_model *model = run->model;
	int64_t rows = run->training->data->rows, left = rows - first;
	int n = left < model->nn->batch ? (int)left : (int)model->nn->batch;
	double loss;
	nnr_gather(model, run->training->data, run->row + first, 0, n, run->batch.input, run->batch.target);
	nnr_status status = nnr_step(model, as_const(run->batch.input), as_const(run->batch.target), n, &loss);
	if (status != NNR_OK)
		return status;
	if (!isfinite(loss))
		return host_fail(&model->host, NNR_INVALID, NULL,
				 "training failed: the loss of step %d is %g; a smaller rate may help",
				 (int)nnr_run(model)->step - 1, loss);
	nnr_run(model)->loss_sum += loss * n;
	run->rows_done += n;
	return NNR_OK;
}

/* The rest of the epoch in which the run stands. *stopped: the host wanted no more. */
static nnr_status do_epoch(struct run *run, bool *stopped)
{
	nnr_model *model = run->model;
	nn_run *state = nnr_run(model);
	int64_t rows = run->training->data->rows;
	int epoch = (int)(state->step / run->steps_per_epoch);
	double test_loss;
	if (model->nn->ordered)
		for (int64_t i = 0; i < rows; i++)
			run->row[i] = i;
	else
		shuffle(run->row, rows, run->training->seed, epoch);
	run->rows_done = state->step % run->steps_per_epoch * model->nn->batch;
	if (!run->rows_done)
		state->loss_sum = 0;
	state->epoch = epoch;
	do {
		nnr_status status = do_step(run, state->step % run->steps_per_epoch * model->nn->batch);
		if (status != NNR_OK)
			return status;
		if (!report_progress(run, epoch, false, NULL))
			*stopped = true;
	} while (!*stopped && state->step < run->steps && state->step % run->steps_per_epoch);
	bool complete = state->step % run->steps_per_epoch == 0;
	if (*stopped && !complete)
		return NNR_OK;
	if (run->training->test) {
		nnr_status status = nnr_evaluate(model, run->training->test, &test_loss, run->test_metric);
		if (status != NNR_OK)
			return status;
	}
	if (complete) {
		state->epoch = epoch + 1;
		state->loss = run->training->test ? test_loss : state->loss_sum / (double)run->rows_done;
	}
	if (!report_progress(run, epoch, true, run->training->test ? &test_loss : NULL))
		*stopped = true;
	return NNR_OK;
}

nnr_status nnr_train(nnr_model *model, const nnr_training *training)
{
	const nn_model *nn = model->nn;
	struct run run = {.model = model, .training = training};
	nn_run *state = nnr_run(model);
	bool stopped = false;
	nnr_status status = check_targets(model, training->data);
	if (status == NNR_OK)
		status = plan(&run);
	if (status != NNR_OK)
		return status;
	state->steps = (int32_t)run.steps;
	state->steps_per_epoch = (int32_t)run.steps_per_epoch;
	run.row = host_alloc(&model->host, (size_t)training->data->rows, sizeof *run.row);
	run.test_metric = host_alloc(&model->host, (size_t)nnr_metric_count(model) + 1, sizeof(double));
	status = run.row && run.test_metric ? make_batch(model, &run.batch) : NNR_MEMORY;
	if (status == NNR_OK && !nn->step)
		status = nnr_step(model, NULL, NULL, 1, NULL); /* says why not */
	/* and what follows the training, which should not fail for want of memory to compile it */
	if (status == NNR_OK)
		status = need_functions(model, CODE_LOSS | CODE_METRICS | CODE_AVERAGE);
	while (status == NNR_OK && !stopped && state->step < run.steps)
		status = do_epoch(&run, &stopped);
	free_batch(model, &run.batch);
	host_free(&model->host, run.test_metric);
	host_free(&model->host, run.row);
	return status;
}
