/* shards.c - batches split among threads: for every model of the library whose rows go their own way, the gradients are
 * those of the whole batch, and a step that threads share gives the bits of one thread; in strict mode any number of
 * threads gives the same bits; where rows meet, nothing is split. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "shards.h"
#include "suite.h"
#include "team.h"

enum { BATCH = 11, MAX_TEXT = 4000 };

static void keep_text(void *user, const nnc_message *message)
{
	if (message->severity == NNC_WARNING)
		return;
	strncat(user, message->text, 500);
	strcat(user, "\n");
}

static nnr_model *open_model(const char *text, int batch, int threads, enum nnc_fp fp, char *messages)
{
	nnc_options options = {.real = NNC_DOUBLE,
			       .batch = batch,
			       .threads = threads,
			       .fp = fp,
			       .report = keep_text,
			       .user = messages};
	messages[0] = 0;
	return nnr_open_text("net.nn", text, strlen(text), &options, NULL);
}

/* Rows for every tensor of a kind: made once, for any number of handles. */
static void make_rows(const nnr_model *model, enum nn_kind kind, void **rows)
{
	for (int k = 0; k < nnr_count(model, kind); k++) {
		const nn_tensor *t = nnr_tensor(model, kind, k);
		rows[k] = calloc(t->count * BATCH + 1, sizeof(double));
		for (size_t i = 0; i < t->count * BATCH; i++) {
			unsigned hash = (unsigned)(i * 2654435761u + (unsigned)k * 40503u + (unsigned)kind) >> 7;
			if (t->elem == NN_INT32)
				((int32_t *)rows[k])[i] = (int32_t)(hash % (unsigned)(t->classes ? t->classes : 3));
			else
				((double *)rows[k])[i] = 0.05 + 0.9 * (double)(hash % 10007) / 10007;
		}
	}
}

static void free_rows(const nnr_model *model, enum nn_kind kind, void **rows)
{
	for (int k = 0; k < nnr_count(model, kind); k++)
		free(rows[k]);
}

struct pair {
	int batch;
	nnr_model *whole, *split;
	void *input[MAX_TENSORS], *target[MAX_TENSORS];
	char messages[2][MAX_TEXT];
};

/* batch: of at most BATCH rows. */
static bool open_small_pair(struct pair *p, const char *text, int batch, int threads, enum nnc_fp fp)
{
	p->batch = batch;
	p->whole = open_model(text, batch, 0, fp, p->messages[0]);
	p->split = open_model(text, batch, threads, fp, p->messages[1]);
	ck_assert_msg(p->whole && p->split, "%s\n%s", text, p->messages[1]);
	make_rows(p->whole, NN_INPUT, p->input);
	make_rows(p->whole, NN_TARGET, p->target);
	return p->split->shards != NULL;
}

static bool open_pair(struct pair *p, const char *text, int threads, enum nnc_fp fp)
{
	return open_small_pair(p, text, BATCH, threads, fp);
}

static void close_pair(struct pair *p)
{
	free_rows(p->whole, NN_INPUT, p->input);
	free_rows(p->whole, NN_TARGET, p->target);
	nnr_close(p->whole);
	nnr_close(p->split);
}

static double run(struct pair *p, nnr_model *model, int n)
{
	double loss;
	ck_assert_int_eq(nnr_backward(model, (const void *const *)p->input, (const void *const *)p->target, n, &loss),
			 NNR_OK);
	return loss;
}

static void compare(struct pair *p, const char *text, int n)
{
	size_t count = p->whole->nn->grads_size / sizeof(double);
	double a = run(p, p->whole, n), b = run(p, p->split, n), largest = 0;
	const double *x = nnr_gradients(p->whole), *y = nnr_gradients(p->split);
	ck_assert_msg(fabs(a - b) <= 1e-12 * (1 + fabs(a)), "%s\n%d rows: loss %.17g, split %.17g", text, n, a, b);
	for (size_t i = 0; i < count; i++)
		largest = fabs(x[i]) > largest ? fabs(x[i]) : largest;
	/* where all gradients are 0 but for rounding, it is the rounding of terms of the loss's size */
	double limit = 1e-11 * largest + 1e-15 * (1 + fabs(a));
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(fabs(x[i] - y[i]) <= limit, "%s\n%d rows: gradient %zu is %.17g, split %.17g", text, n, i,
			      x[i], y[i]);
}

struct job {
	const struct pair *p;
	int n;
	double loss[3]; /* of each thread */
};

static void do_part(void *user, const nn_team *member)
{
	struct job *job = user;
	nnr_model *m = job->p->split;
	m->nn->team_step(m->params, m->state, (const void *const *)job->p->input, (const void *const *)job->p->target,
			 &job->loss[member->part], job->n, m->work, member);
}

/* Steps of the two handles from where they start, one by three threads. */
static void compare_steps(struct pair *p, const char *text)
{
	const int rows[] = {p->batch, p->batch < 4 ? 3 : 4, p->batch < 4 ? 3 : p->batch - 1};
	const struct host *host = &p->split->host;
	struct team *team = team_start(host, 3);
	void *own[3];
	for (int i = 0; i < 3; i++)
		team_give(team, i, own[i] = host_alloc(host, p->split->nn->own_size + 1, 1));
	for (int k = 0; k < 3; k++) {
		struct job job = {p, rows[k], {0}};
		double alone;
		nnr_step(p->whole, (const void *const *)p->input, (const void *const *)p->target, rows[k], &alone);
		team_run(team, 3, do_part, &job);
		/* of bits: some losses are NaN */
		ck_assert_msg(memcmp(&alone, &job.loss[0], sizeof alone) == 0, "%s\nloss of %d rows: %.17g, %.17g",
			      text, rows[k], alone, job.loss[0]);
		ck_assert_msg(memcmp(p->whole->params, p->split->params, p->whole->nn->params_size) == 0,
			      "%s\nother bits by a step of %d rows", text, rows[k]);
		ck_assert_int_eq(nnr_run(p->split)->step, k + 1);
	}
	for (int i = 0; i < 3; i++)
		host_free(host, own[i]);
	team_free(team);
}

/* "NAME: statement; statement", as in the models of the library's check. */
static bool read_model(FILE *stream, char *text)
{
	char line[MAX_TEXT];
	while (fgets(line, sizeof line, stream)) {
		const char *from = strstr(line, ": ");
		if (line[0] == '#' || !from)
			continue;
		for (from += 2; *from; from++)
			*text++ = *from == ';' ? '\n' : *from;
		*text = 0;
		return true;
	}
	return false;
}

START_TEST(library)
{
	char command[9000], text[MAX_TEXT];
	const char *root = getenv("ROOT");
	int split = 0, shared = 0, all = 0;
	/* of the ten shapes of a model, three */
	snprintf(command, sizeof command,
		 "awk -f '%.4000s/tests/check/expand.awk' '%.4000s/tests/check/standard.models' | awk 'NR %% 4 == 1'",
		 root, root);
	FILE *stream = popen(command, "r");
	ck_assert_ptr_nonnull(stream);
	while (read_model(stream, text)) {
		char messages[MAX_TEXT];
		nnr_model *model = open_model(text, BATCH, 0, NNC_FP_FAST, messages);
		struct pair p;
		nnr_close(model);
		if (!model) { /* lines for what the library has not yet are never read there either */
			ck_assert_msg(strstr(messages, "unknown"), "%s\n%s", text, messages);
			continue;
		}
		all++;
		if (open_pair(&p, text, 3, NNC_FP_FAST) && ++split) {
			compare(&p, text, BATCH);
			compare(&p, text, BATCH - 1);
			compare(&p, text, 2);
		}
		close_pair(&p);
		if (!strstr(text, "train "))
			strcat(text, "\ntrain sgd(lr=0.01)\n");
		open_pair(&p, text, 3, NNC_FP_STRICT);
		if (p.split->nn->team_step && ++shared)
			compare_steps(&p, text);
		close_pair(&p);
	}
	ck_assert_int_eq(pclose(stream), 0);
	ck_assert_msg(shared > 60, "%d of %d models share steps", shared, all);
	ck_assert_msg(split > 60 && split > all * 3 / 4, "%d of %d models split", split, all);
}
END_TEST

static const char net[] = "input x[6]\ntarget k: class[4]\nsetting noise = 0.1\n"
			  "h = x -> dense(8) -> tanh -> dropout(0.4)\n"
			  "y = h -> layernorm -> dense(4)\noutput y\n"
			  "loss cross_entropy(y, k) + 1e-3 * sum[p in \"*.weight\"] sum(p^2) + noise * mean(h)^2\n"
			  "train adam(lr=0.02) batch=11 clip=1\n";

/* With draws for each row, a setting, and a term without rows; steps of the same bits for any number of threads. */
START_TEST(strict)
{
	static const int threads[] = {1, 2, 3, 8, 13};
	struct pair p[5];
	double noise = 0.7;
	for (int i = 0; i < 5; i++) {
		ck_assert(open_pair(&p[i], net, threads[i], NNC_FP_STRICT));
		ck_assert_str_eq(p[i].messages[1], "");
		compare(&p[i], net, BATCH);
		ck_assert_int_eq(nnr_set(p[i].whole, "noise", &noise, 1), NNR_OK);
		ck_assert_int_eq(nnr_set(p[i].split, "noise", &noise, 1), NNR_OK);
		compare(&p[i], net, BATCH - 2);
	}
	for (int step = 0; step < 20; step++)
		for (int i = 0; i < 5; i++) {
			double loss[2];
			nnr_status status =
				nnr_step(p[i].split, (const void *const *)p[i].input, (const void *const *)p[i].target,
					 1 + (step * 7 + 6) % BATCH, &loss[i > 0]);
			ck_assert_int_eq(status, NNR_OK);
			ck_assert(i == 0 || loss[0] == loss[1]);
			ck_assert_int_eq(nnr_run(p[i].split)->step, step + 1);
			ck_assert_int_eq(nnr_run(p[i].split)->first_row, 0);
			if (i > 0)
				ck_assert_int_eq(memcmp(nnr_params(p[0].split), nnr_params(p[i].split),
							p[0].split->nn->params_size),
						 0);
		}
	for (int i = 0; i < 5; i++)
		close_pair(&p[i]);
}
END_TEST

/* Large enough for threads to make rows of weights and elements of updates: by tiles, with gradients that must be
 * whole. */
static const struct {
	const char *train;
	enum nnc_fp fp;
	int batch;
} shares[] = {{"sgd(lr=0.1)", NNC_FP_FAST, BATCH},
	      {"sgd(lr=0.1, momentum=0.9) clip=1", NNC_FP_FAST, BATCH},
	      {"adam(lr=0.01)", NNC_FP_FAST, BATCH},
	      {"adam(lr=0.01) clip=1", NNC_FP_STRICT, BATCH},
	      {"adam(lr=0.01)", NNC_FP_STRICT, 3}};

START_TEST(share)
{
	char text[MAX_TEXT];
	struct pair p;
	snprintf(text, sizeof text,
		 "input x[300]\ntarget k: class[4]\nh = x -> dense(270) -> tanh -> dropout(0.4)\n"
		 "y = h -> dense(120) -> layernorm -> dense(4)\noutput y\nloss cross_entropy(y, k)\ntrain %s\n",
		 shares[_i].train);
	open_small_pair(&p, text, shares[_i].batch, 3, shares[_i].fp);
	ck_assert_ptr_nonnull(p.split->nn->team_step);
	compare_steps(&p, text);
	close_pair(&p);
}
END_TEST

/* Rows meet, in a step that cannot be shared: the value through which they do. */
static const struct {
	const char *body, *value;
} meetings[] = {
	{"y = x -> batchnorm -> dense(2)\nloss mse(y, t)", "batchnorm"},
	{"y = x -> dense(2)\nloss sum[batch] sum((y - t)^2)", "'dense.weight.grad'"},
	{"y = x -> dense(2)\nm = max[batch] y[0]\nloss mse(y, t) + m", "'m"},
	{"y = x -> dense(2)\nm = mean[batch] y[0]\nloss mse(y, t) + m^2", "'loss"},
	{"y = x -> dense(2)\nm[i] = mean[batch] y[i]\nloss mean[batch] sum[i] (y[i] - m[i])^2", "'"},
	{"state s = 0\ny = x -> dense(2)\ns' = s + 1\nloss mse(y, t) + s", "'"},
};

START_TEST(meet)
{
	char text[MAX_TEXT];
	struct pair p;
	snprintf(text, sizeof text,
		 "input w[3]\ntarget t[2]\nx = w -> turns\n%s\noutput y\ntrain sgd(lr=0.1)\n"
		 "def turns(z[n]) {\n  scan t < 2, h[n] = 0 { h'[i] = tanh(z[i] + h[i]) }\n  return h\n}\n",
		 meetings[_i].body);
	ck_assert_msg(!open_pair(&p, text, 2, NNC_FP_FAST), "%s\nis split", text);
	const char *note = strstr(p.messages[1], "trained by one thread: rows of a batch meet in ");
	ck_assert_msg(note && strstr(note, meetings[_i].value), "%s\n%s", text, p.messages[1]);
	compare(&p, text, BATCH);
	close_pair(&p);
}
END_TEST

/* The mean of a linear value may be anywhere in the loss. */
START_TEST(linear)
{
	static const char text[] = "input x[3]\ntarget t[2]\ny = x -> dense(2)\nm = mean[batch] sum(y^2)\n"
				   "loss 3 * m - (mean[batch] t[0] * y[0]) / 2\noutput y\ntrain sgd(lr=0.1)\n";
	struct pair p;
	ck_assert(open_pair(&p, text, 3, NNC_FP_FAST));
	compare(&p, text, BATCH);
	compare(&p, text, 4);
	close_pair(&p);
}
END_TEST

/* What makes threads worth their while is how often a step uses each param, be it for many rows or within few. */
static const struct {
	const char *inner; /* indices of the input */
	int batch;
	bool shared;
} uses[] = {{"", 64, true}, {"", 8, false}, {"32, ", 2, true}, {"2, ", 2, false}};

START_TEST(worth)
{
	char text[MAX_TEXT], messages[2000];
	snprintf(text, sizeof text,
		 "input x[%s400]\ntarget t[%s400]\ny = x -> dense(400) -> tanh -> dense(400)\n"
		 "loss mse(y, t)\noutput y\ntrain sgd(lr=0.1)\n",
		 uses[_i].inner, uses[_i].inner);
	nnr_model *model = open_model(text, uses[_i].batch, 2, NNC_FP_FAST, messages);
	ck_assert_ptr_nonnull(model);
	ck_assert_msg(model->nn->team_step, "%s\n%s", text, messages);
	ck_assert_int_eq(shards_functions(model->shards, uses[_i].batch) != CODE_STEP, uses[_i].shared);
	nnr_close(model);
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("all");
	tcase_add_test(all, library);
	tcase_add_test(all, strict);
	tcase_add_loop_test(all, meet, 0, (int)(sizeof meetings / sizeof meetings[0]));
	tcase_add_loop_test(all, share, 0, (int)(sizeof shares / sizeof shares[0]));
	tcase_add_test(all, linear);
	tcase_add_loop_test(all, worth, 0, (int)(sizeof uses / sizeof uses[0]));
	return run_tests("shards", (TCase *[]){all, NULL});
}
