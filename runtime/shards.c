/* shards.c - the gradient of a batch, made in parts by several threads.
 *
 * The rows of a batch are cut into shards, in order. Each shard goes through backward with params that all share and a
 * context of the thread that has taken it, and leaves its gradients in memory of its own. Then the shards' gradients
 * are averaged, weighted with their rows and added in their order, each thread for some of the elements. So what comes
 * out depends on the number of shards, and not on which thread did what when. In strict mode that number is fixed;
 * otherwise each thread has one, which is the least work.
 *
 * Only for models whose descriptor says that this is the gradient of the whole batch (nn_model.coupling). */
#define _GNU_SOURCE
#include "shards.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { STRICT_SHARDS = 8 };

struct worker {
	struct shards *shards;
	pthread_t thread; /* not of worker 0, which is the caller */
	void *block, *work;
	void *state; /* a copy of what backward reads of the model's: the run and the settings */
};

struct shard {
	void *block, *grads;
	double loss; /* of its rows; weight: their part of all */
	double weight;
};

enum job { BACKWARD, AVERAGE };

struct shards {
	nnr_model *model;
	int n_worker, n_started, n_shard;
	struct worker *worker;
	struct shard *shard;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t begun, finished;
	enum job job;
	int next, n_task, left; /* tasks of the job: to be taken next, in all, not yet done */
	bool stop;
	const void *const *input, *const *target; /* of the job; read without the lock while it lasts */
	int n, used;				  /* rows, shards that have some */
};

/* ---- tasks ---- */

static int rows_of_shard(const struct shards *shards) { return (shards->n + shards->n_shard - 1) / shards->n_shard; }

static void do_backward(struct worker *worker, int k)
{
	const struct shards *shards = worker->shards;
	const nnr_model *model = shards->model;
	const nn_model *nn = model->nn;
	const void *input[MAX_TENSORS], *target[MAX_TENSORS];
	double loss[1]; /* room for a real of either size */
	int first = k * rows_of_shard(shards), rows = shards->n - first;
	if (rows > rows_of_shard(shards))
		rows = rows_of_shard(shards);
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

/* Some elements of the gradients, so few at a time that they stay in a cache. */
static void do_average(const struct shards *shards, int task)
{
	enum { BLOCK = 4096 };
	const nn_model *nn = shards->model->nn;
	size_t count = nn->grads_size / nn->real_size, n = (size_t)shards->n_task;
	size_t first = count * (size_t)task / n, end = count * ((size_t)task + 1) / n;
	for (; first < end; first += BLOCK) {
		size_t last = end - first < BLOCK ? end : first + BLOCK;
		if (nn->real_size == sizeof(float))
			average_float(shards, first, last);
		else
			average_double(shards, first, last);
	}
}

/* ---- threads ---- */

/* Do tasks of the job at hand until none is left to take. The lock is held before and after. */
static void do_tasks(struct worker *worker)
{
	struct shards *shards = worker->shards;
	while (shards->next < shards->n_task) {
		int task = shards->next++;
		enum job job = shards->job;
		pthread_mutex_unlock(&shards->lock);
		if (job == BACKWARD)
			do_backward(worker, task);
		else
			do_average(shards, task);
		pthread_mutex_lock(&shards->lock);
		if (--shards->left == 0)
			pthread_cond_signal(&shards->finished);
	}
}

static void *run_worker(void *argument)
{
	struct worker *worker = argument;
	struct shards *shards = worker->shards;
	pthread_mutex_lock(&shards->lock);
	while (!shards->stop) {
		do_tasks(worker);
		if (!shards->stop)
			pthread_cond_wait(&shards->begun, &shards->lock);
	}
	pthread_mutex_unlock(&shards->lock);
	return NULL;
}

static void run_job(struct shards *shards, enum job job, int n_task)
{
	pthread_mutex_lock(&shards->lock);
	shards->job = job;
	shards->next = 0;
	shards->n_task = shards->left = n_task;
	pthread_cond_broadcast(&shards->begun);
	do_tasks(&shards->worker[0]);
	while (shards->left)
		pthread_cond_wait(&shards->finished, &shards->lock);
	pthread_mutex_unlock(&shards->lock);
}

double shards_backward(struct shards *shards, const void *const *input, const void *const *target, int n)
{
	double loss = 0;
	shards->input = input;
	shards->target = target;
	shards->n = n;
	shards->used = (n + rows_of_shard(shards) - 1) / rows_of_shard(shards);
	run_job(shards, BACKWARD, shards->used);
	run_job(shards, AVERAGE, shards->n_worker);
	for (int k = 0; k < shards->used; k++)
		loss += shards->shard[k].weight * shards->shard[k].loss;
	return loss;
}

/* ---- setting up ---- */

static bool allocate_contexts(struct shards *shards)
{
	const nnr_model *model = shards->model;
	const struct host *host = &model->host;
	shards->worker = host_alloc(host, (size_t)shards->n_worker, sizeof *shards->worker);
	shards->shard = shards->worker ? host_alloc(host, (size_t)shards->n_shard, sizeof *shards->shard) : NULL;
	if (!shards->shard)
		return false;
	for (int i = 0; i < shards->n_worker; i++) {
		struct worker *worker = &shards->worker[i];
		const struct piece piece[] = {{&worker->work, model->code->work_size},
					      {&worker->state, model->nn->state_size}};
		worker->shards = shards;
		if (!(worker->block = allocate_pieces(host, piece, 2)))
			return false;
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

bool shards_fit(struct shards *shards, size_t work_size)
{
	const struct host *host = &shards->model->host;
	for (int i = 0; i < shards->n_worker; i++) {
		struct worker *worker = &shards->worker[i], wider = *worker;
		const struct piece piece[] = {{&wider.work, work_size}, {&wider.state, shards->model->nn->state_size}};
		if (!(wider.block = allocate_pieces(host, piece, 2)))
			return false;
		host_free(host, worker->block);
		*worker = wider;
	}
	return true;
}

/* Signals are for the threads of the host. */
static bool start_workers(struct shards *shards)
{
	sigset_t all, before;
	int error = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (shards->n_started = 1; shards->n_started < shards->n_worker && !error; shards->n_started += !error) {
		struct worker *worker = &shards->worker[shards->n_started];
		error = pthread_create(&worker->thread, NULL, run_worker, worker);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		host_fail(&shards->model->host, NNR_MEMORY, NULL, "cannot start a thread: %s", strerror(error));
	return !error;
}

struct shards *shards_start(nnr_model *model, int threads, bool strict)
{
	struct shards *shards = host_alloc(&model->host, 1, sizeof *shards);
	if (!shards)
		return NULL;
	shards->model = model;
	shards->n_worker = threads;
	shards->n_shard = strict ? STRICT_SHARDS : threads;
	pthread_mutex_init(&shards->lock, NULL);
	pthread_cond_init(&shards->begun, NULL);
	pthread_cond_init(&shards->finished, NULL);
	if (allocate_contexts(shards) && start_workers(shards))
		return shards;
	shards_free(shards);
	return NULL;
}

void shards_free(struct shards *shards)
{
	if (!shards)
		return;
	const struct host *host = &shards->model->host;
	pthread_mutex_lock(&shards->lock);
	shards->stop = true;
	pthread_cond_broadcast(&shards->begun);
	pthread_mutex_unlock(&shards->lock);
	for (int i = 1; i < shards->n_started; i++)
		pthread_join(shards->worker[i].thread, NULL);
	pthread_cond_destroy(&shards->finished);
	pthread_cond_destroy(&shards->begun);
	pthread_mutex_destroy(&shards->lock);
	for (int i = 0; shards->worker && i < shards->n_worker; i++)
		host_free(host, shards->worker[i].block);
	for (int k = 0; shards->shard && k < shards->n_shard; k++)
		host_free(host, shards->shard[k].block);
	host_free(host, shards->shard);
	host_free(host, shards->worker);
	host_free(host, shards);
}
