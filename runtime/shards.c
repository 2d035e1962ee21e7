/* shards.c - training by several threads: they share a step, or its batch.
 *
 * Where the code has a function for that (nn_model.team_step), threads share the step itself: each makes some of the
 * elements of everything. No gradient goes from one thread to another, and the numbers are those of one thread.
 *
 * Else the rows of a batch are cut into shards, in order. Each shard goes through backward with params that all share
 * and a context of the thread that has taken it, and leaves its gradients in memory of its own. Then the shards'
 * gradients are averaged, weighted with their rows and added in their order, each thread for some of the elements. So
 * what comes out depends on the number of shards, and not on which thread did what when. In strict mode that number is
 * fixed; otherwise each thread has one, which is the least work.
 *
 * Threads must have something to do: of a step with fewer multiply-adds fewer of them take part, or one alone.
 *
 * Only for models whose descriptor says that the gradients of a batch are averages of those of its parts
 * (nn_model.coupling); a step is shared whatever that says. */
#include "shards.h"

#include <pthread.h>
#include <string.h>

#include "team.h"

enum {
	STRICT_SHARDS = 8,
	LEAST_SPLIT = 2000000, /* multiply-adds of a batch for a thread: a few of the times that it takes to meet */
	LEAST_SHARE = 6000000, /* of a shared step, in which they meet more often */
	LEAST_USES = 32	       /* and of each param, all of which a thread reads: some 13 rows of a dense net */
};

struct worker {
	void *block, *work, *own;
	void *state; /* a copy of what backward reads of the model's: the run and the settings */
	double loss; /* of a shared step; room for a real of either size */
};

struct shard {
	void *block, *grads;
	double loss; /* of its rows; weight: their part of all */
	double weight;
};

struct shards {
	nnr_model *model;
	struct team *team;
	bool strict;
	int n_worker, n_shard;
	struct worker *worker;
	struct shard *shard;
	const void *const *input, *const *target; /* of the job */
	int n, rows, used;			  /* rows of the batch and of a shard; shards that have some */
	pthread_mutex_t lock;			  /* of what follows */
	int next;				  /* shard to be taken */
};

/* ---- a shard of the batch ---- */

static void do_backward(const struct shards *shards, struct worker *worker, int k)
{
	const nnr_model *model = shards->model;
	const nn_model *nn = model->nn;
	const void *input[MAX_TENSORS], *target[MAX_TENSORS];
	double loss[1]; /* room for a real of either size */
	int first = k * shards->rows, rows = shards->n - first < shards->rows ? shards->n - first : shards->rows;
	nn_run *run = memcpy(worker->state, model->state, sizeof *run);
	run->first_row += first;
	for (uint32_t i = 0; i < nn->n_tensor; i++) {
		const nn_tensor *t = &nn->tensor[i];
		if (t->kind == NN_SETTING)
			memcpy((char *)worker->state + t->offset, (const char *)model->state + t->offset,
			       t->count * element_size(nn, t));
	}
	point_at_rows(model, NN_INPUT, shards->input, first, input);
	point_at_rows(model, NN_TARGET, shards->target, first, target);
	struct shard *shard = &shards->shard[k];
	model->code->backward(model->params, worker->state, input, target, shard->grads, loss, rows, worker->work);
	shard->loss = load_real(nn, loss, 0);
	shard->weight = (double)rows / shards->n;
}

#define AVERAGE_OF(real)                                                                                               \
	static void average_##real(const struct shards *shards, size_t first, size_t last)                             \
	{                                                                                                              \
		real *restrict to = shards->model->grads;                                                              \
		for (int k = 0; k < shards->used; k++) {                                                               \
			const real *restrict from = shards->shard[k].grads;                                            \
			const real weight = (real)shards->shard[k].weight;                                             \
			if (k == 0)                                                                                    \
				for (size_t i = first; i < last; i++)                                                  \
					to[i] *= weight;                                                               \
			else                                                                                           \
				for (size_t i = first; i < last; i++)                                                  \
					to[i] += weight * from[i];                                                     \
		}                                                                                                      \
	}
AVERAGE_OF(float)
AVERAGE_OF(double)

/* A thread's share of the elements of the gradients, so few at a time that they stay in a cache. */
static void do_average(const struct shards *shards, const nn_team *member)
{
	enum { BLOCK = 4096 };
	const nn_model *nn = shards->model->nn;
	size_t count = nn->grads_size / nn->real_size, n = (size_t)member->parts;
	size_t first = count * (size_t)member->part / n, end = count * ((size_t)member->part + 1) / n;
	for (; first < end; first += BLOCK) {
		size_t last = end - first < BLOCK ? end : first + BLOCK;
		if (nn->real_size == sizeof(float))
			average_float(shards, first, last);
		else
			average_double(shards, first, last);
	}
}

static int take_shard(struct shards *shards)
{
	pthread_mutex_lock(&shards->lock);
	int k = shards->next < shards->used ? shards->next++ : -1;
	pthread_mutex_unlock(&shards->lock);
	return k;
}

static void do_shards(void *user, const nn_team *member)
{
	struct shards *shards = user;
	for (int k = take_shard(shards); k >= 0; k = take_shard(shards))
		do_backward(shards, &shards->worker[member->part], k);
	member->meet(member);
	do_average(shards, member);
}

static double run_backward(struct shards *shards, const void *const *input, const void *const *target, int n,
			   int threads)
{
	int n_shard = shards->strict ? STRICT_SHARDS : threads;
	double loss = 0;
	shards->input = input;
	shards->target = target;
	shards->n = n;
	shards->rows = (n + n_shard - 1) / n_shard;
	shards->used = (n + shards->rows - 1) / shards->rows;
	shards->next = 0;
	team_run(shards->team, threads, do_shards, shards);
	for (int k = 0; k < shards->used; k++)
		loss += shards->shard[k].weight * shards->shard[k].loss;
	return loss;
}

double shards_backward(struct shards *shards, const void *const *input, const void *const *target, int n)
{
	return run_backward(shards, input, target, n, shards->n_worker);
}

/* ---- a step ---- */

/* Which descriptor has all functions that there are; of libtcc's code some may not be compiled. */
static const nn_model *whole_code(const nnr_model *model)
{
	return model->made_by == NNR_TCC ? model->nn : model->code;
}

static int threads_for(const struct shards *shards, int n)
{
	const nn_model *nn = shards->model->nn;
	bool share = whole_code(shards->model)->team_step;
	double work = nn->row_cost * n; /* 0: a descriptor that does not say */
	double worth = work / (share ? LEAST_SHARE : LEAST_SPLIT);
	double uses = work / (double)(nn->params_size / nn->real_size + 1);
	int most = n < shards->n_worker ? n : shards->n_worker;
	if (share && uses < worth * LEAST_USES)
		worth = uses / LEAST_USES;
	return worth >= most || work <= 0 ? most : worth < 1 ? 1 : (int)worth;
}

unsigned shards_functions(const struct shards *shards, int n)
{
	const nn_model *nn = whole_code(shards->model);
	if (threads_for(shards, n) == 1 && (nn->team_step || !shards->strict))
		return CODE_STEP;
	return nn->team_step ? CODE_TEAM_STEP : CODE_BACKWARD | CODE_UPDATE;
}

static void do_share(void *user, const nn_team *member)
{
	const struct shards *shards = user;
	nnr_model *model = shards->model;
	model->code->team_step(model->params, model->state, shards->input, shards->target,
			       &shards->worker[member->part].loss, shards->n, model->work, member);
}

double shards_step(struct shards *shards, const void *const *input, const void *const *target, int n)
{
	nnr_model *model = shards->model;
	unsigned functions = shards_functions(shards, n);
	int threads = threads_for(shards, n);
	if (functions == CODE_STEP) {
		model->code->step(model->params, model->state, input, target, model->loss, n, model->work);
		return load_real(model->nn, model->loss, 0);
	}
	if (functions == CODE_TEAM_STEP) {
		shards->input = input;
		shards->target = target;
		shards->n = n;
		team_run(shards->team, threads, do_share, shards);
		return load_real(model->nn, &shards->worker[0].loss, 0);
	}
	double loss = run_backward(shards, input, target, n, threads);
	model->code->update(model->params, model->state, model->grads);
	return loss;
}

/* ---- setting up ---- */

/* The block that a worker's memory is in, or NULL, reported. */
static bool allocate_worker(const struct shards *shards, const nn_model *code, struct worker *worker)
{
	const nnr_model *model = shards->model;
	const struct piece piece[] = {{&worker->work, code->work_size},
				      {&worker->own, code->own_size},
				      {&worker->state, model->nn->state_size}};
	worker->block = allocate_pieces(&model->host, piece, 3);
	return worker->block != NULL;
}

static bool allocate_contexts(struct shards *shards)
{
	const nnr_model *model = shards->model;
	const struct host *host = &model->host;
	shards->worker = host_alloc(host, (size_t)shards->n_worker, sizeof *shards->worker);
	shards->shard = shards->worker ? host_alloc(host, (size_t)shards->n_shard, sizeof *shards->shard) : NULL;
	if (!shards->shard)
		return false;
	for (int i = 0; i < shards->n_worker; i++) {
		if (!allocate_worker(shards, model->nn, &shards->worker[i]))
			return false;
		team_give(shards->team, i, shards->worker[i].own);
	}
	shards->shard[0].grads = model->grads; /* which become the average where they are */
	for (int k = 1; k < shards->n_shard; k++) {
		struct shard *shard = &shards->shard[k];
		const struct piece piece[] = {{&shard->grads, model->nn->grads_size}};
		if (!(shard->block = allocate_pieces(host, piece, 1)))
			return false;
	}
	return true;
}

bool shards_fit(struct shards *shards, const nn_model *code)
{
	for (int i = 0; i < shards->n_worker; i++) {
		struct worker *worker = &shards->worker[i], wider = *worker;
		if (!allocate_worker(shards, code, &wider))
			return false;
		host_free(&shards->model->host, worker->block);
		*worker = wider;
		team_give(shards->team, i, worker->own);
	}
	return true;
}

struct shards *shards_start(nnr_model *model, int threads, bool strict)
{
	struct shards *shards = host_alloc(&model->host, 1, sizeof *shards);
	if (!shards)
		return NULL;
	shards->model = model;
	shards->strict = strict;
	shards->n_worker = threads;
	shards->n_shard = strict ? STRICT_SHARDS : threads;
	pthread_mutex_init(&shards->lock, NULL);
	shards->team = team_start(&model->host, threads);
	if (shards->team && allocate_contexts(shards))
		return shards;
	shards_free(shards);
	return NULL;
}

void shards_free(struct shards *shards)
{
	if (!shards)
		return;
	const struct host *host = &shards->model->host;
	team_free(shards->team);
	pthread_mutex_destroy(&shards->lock);
	for (int i = 0; shards->worker && i < shards->n_worker; i++)
		host_free(host, shards->worker[i].block);
	for (int k = 0; shards->shard && k < shards->n_shard; k++)
		host_free(host, shards->shard[k].block);
	host_free(host, shards->shard);
	host_free(host, shards->worker);
	host_free(host, shards);
}
