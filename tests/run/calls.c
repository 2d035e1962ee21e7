/* The contract of the generated functions (runtime/README.md), call by call. */
#include "calls.h"
#include <stdio.h>
#include <string.h>

enum { N = CALLS_BATCH };
static int wrong;
static float x[N][CALLS_X];
static int32_t word[N], kind[N];

static void must(int holds, const char *what)
{
	if (!holds)
		printf("not so: %s\n", what);
	wrong += !holds;
}

static int is_near(float a, float b)
{
	float d = a - b;
	return d < 1e-5f && d > -1e-5f;
}

/* Numbers without a pattern, and a first weight that every call must leave alone. */
static void fill(void)
{
	unsigned random = 1;
	for (int row = 0; row < N; row++) {
		for (int i = 0; i < CALLS_X; i++) {
			random = random * 1103515245u + 12345u;
			x[row][i] = (float)(random >> 16 & 0xff) / 128 - 1;
		}
		word[row] = (int32_t)(random >> 20 & 0xff) % 5;
		kind[row] = row % 4;
	}
}

static void check_init(void)
{
	calls_params a, b;
	calls_state s, t;
	memset(&a, 1, sizeof a), memset(&b, 2, sizeof b);
	memset(&s, 1, sizeof s), memset(&t, 2, sizeof t);
	calls_init(&a, &s, 5);
	calls_init(&b, &t, 5);
	must(!memcmp(&a, &b, sizeof a), "init sets all params, from the seed alone");
	must(s.run.seed == 5 && s.run.step == 0 && s.run.epoch == 0, "init sets the run");
	calls_init(&b, &t, 6);
	must(memcmp(&a, &b, sizeof a) != 0, "another seed, other weights");
	must(a.t.hidden_bias[3] == 0 && b.t.hidden_bias[3] == 0, "biases start at 0");
	must(&a.flat[CALLS_NPARAM] == (float *)(&a + 1), "flat is all of the params");
}

static void check_forward(const calls_params *params, const calls_state *state)
{
	static calls_work work;
	static calls_work1 work1;
	const calls_params before = *params;
	const calls_state state_before = *state;
	float p[N][CALLS_P], p1[CALLS_P], pn[N][CALLS_P];
	int32_t best[N], best1, bestn[N];

	calls_forward(params, state, x[0], word, p[0], best, N, &work);
	for (int n = 1; n <= N; n++) {
		memset(pn, 0, sizeof pn);
		bestn[n % N] = -7;
		calls_forward(params, state, x[0], word, pn[0], bestn, n, &work);
		must(!memcmp(pn, p, (size_t)n * sizeof p[0]) && !memcmp(bestn, best, (size_t)n * sizeof *best),
		     "a row's output does not depend on how many there are");
		must(n == N || (pn[n][0] == 0 && bestn[n] == -7), "only n rows are written");
	}
	for (int row = 0; row < N; row++) {
		float sum = 0;
		int most = 0;
		calls_forward1(params, state, x[row], &word[row], p1, &best1, &work1);
		for (int k = 0; k < CALLS_P; k++) {
			must(is_near(p1[k], p[row][k]), "forward1 is forward of one row");
			sum += p[row][k];
			most = p[row][k] > p[row][most] ? k : most;
		}
		must(best1 == best[row] && most == best[row] && is_near(sum, 1), "p is a softmax, best its argmax");
	}
	must(!memcmp(&before, params, sizeof before) && !memcmp(&state_before, state, sizeof *state),
	     "forward changes nothing");
}

static void check_means(const calls_params *params, const calls_state *state)
{
	static calls_work work;
	float all[CALLS_NMETRIC], one[CALLS_NMETRIC], sum[CALLS_NMETRIC] = {0}, loss = 0, cost = 0;
	calls_totals of_all = {0};
	enum { n = 5 };

	for (int row = 0; row < n; row++) {
		calls_totals of_one = {0};
		calls_metrics(params, state, x[row], &word[row], &kind[row], &of_one, 1, &work);
		calls_metrics_finish(params, state, &of_one, one, &work);
		loss += calls_loss(params, state, x[row], &word[row], &kind[row], 1, &work);
		for (int k = 0; k < CALLS_NMETRIC; k++)
			sum[k] += one[k];
	}
	calls_metrics(params, state, x[0], word, kind, &of_all, n, &work);
	calls_metrics_finish(params, state, &of_all, all, &work);
	for (int k = 0; k < CALLS_NMETRIC; k++)
		must(is_near(all[k], sum[k] / n), "metrics are means over the rows");
	cost = calls_loss(params, state, x[0], word, kind, n, &work);
	must(is_near(cost, loss / n), "the loss is the mean over the rows, the penalty counted once");
}

static void check_training(const calls_params *start, const calls_state *first)
{
	static calls_work work;
	calls_params a = *start, b = *start;
	calls_state s = *first, t = *first;
	calls_grads grads, again;

	for (int n = N; n > 0; n -= 3) {
		float loss = calls_step(&a, &s, x[0], word, kind, n, &work), other;
		memset(&grads, 1, sizeof grads);
		memset(&again, 2, sizeof again);
		calls_state keep = t;
		calls_backward(&b, &t, x[0], word, kind, &again, n, &work);
		t = keep;
		other = calls_backward(&b, &t, x[0], word, kind, &grads, n, &work);
		must(t.run.step == s.run.step - 1, "backward counts no step");
		must(!memcmp(&grads, &again, sizeof grads), "backward sets all gradients");
		calls_update(&b, &t, &grads);
		must(is_near(loss, other), "step returns the loss of backward");
		for (int i = 0; i < CALLS_NPARAM; i++)
			must(is_near(a.flat[i], b.flat[i]), "step is backward and update");
		must(s.run.step == t.run.step, "update counts the step");
	}
	must(memcmp(&a, start, sizeof a) != 0, "training moves the params");
	/* of words that are not there the gradient is 0 */
	calls_backward(&b, &t, x[0], (int32_t[]){2}, kind, &grads, 1, &work);
	float penalty = 2e-2f * b.t.table_weight[4][0];
	must(is_near(grads.t.table_weight[4][0], penalty),
	     "a row of the table that is not read has the penalty's gradient");
}

/* The same through the descriptor, as a host that knows nothing of the model calls it. */
static void check_descriptor(const calls_params *params, const calls_state *state)
{
	const nn_model *m = &calls_model;
	static calls_work work;
	calls_state s = *state;
	float p[N][CALLS_P], q[N][CALLS_P], loss;
	int32_t best[N], other[N];
	const void *in[] = {x, word}, *target[] = {kind};
	void *out[] = {q, other};

	must(m->abi == NN_MODEL_ABI && m->batch == N && m->real_size == 4, "the descriptor's head");
	must(m->params_size == sizeof *params && m->state_size == sizeof s && m->work_size == sizeof work &&
		     m->grads_size == sizeof(calls_grads) && m->work1_size == sizeof(calls_work1),
	     "sizes");
	calls_forward(params, state, x[0], word, p[0], best, N, &work);
	m->forward(params, &s, in, out, N, &work);
	must(!memcmp(p, q, sizeof p) && !memcmp(best, other, sizeof best), "the descriptor's forward");
	m->loss(params, &s, in, target, &loss, 3, &work);
	must(loss == calls_loss(params, state, x[0], word, kind, 3, &work), "the descriptor's loss");
	for (uint32_t i = 0; i < m->n_tensor; i++)
		printf("%s kind %d rank %d count %zu\n", m->tensor[i].name, (int)m->tensor[i].kind,
		       (int)m->tensor[i].rank, m->tensor[i].count);
}

int main(void)
{
	static calls_params params;
	static calls_state state;
	static calls_work work;
	fill();
	check_init();
	calls_init(&params, &state, 1);
	for (int i = 0; i < 20; i++)
		calls_step(&params, &state, x[0], word, kind, N, &work);
	check_forward(&params, &state);
	check_means(&params, &state);
	check_training(&params, &state);
	check_descriptor(&params, &state);
	return wrong;
}
