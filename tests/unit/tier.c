/* tier.c - code by libtcc and code by a C compiler for one handle: changing over in the middle of a run, code that does
 * not fit, and a compiler that is still at work when the handle is closed. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "handle.h"
#include "suite.h"

static const char text[] = "input x[3]\n"
			   "target t[2]\n"
			   "y = x -> dense(5) -> tanh -> dropout(0.3) -> batchnorm -> dense(2)\n"
			   "output y\n"
			   "loss mse(y, t)\n"
			   "train adam(lr=0.01) batch=4 seed=7\n";

static void keep_text(void *user, const nnc_message *message)
{
	strncat(user, message->text, 500);
	strcat(user, "\n");
}

static nnr_model *open_with(enum nnc_jit jit, char *messages)
{
	nnc_options options = {.jit = jit, .cache = "none", .fp = NNC_FP_STRICT, .report = keep_text, .user = messages};
	messages[0] = 0;
	return nnr_open_text("net.nn", text, strlen(text), &options, NULL);
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void rest(void) { nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); }

static void use_compiler(const char *script)
{
	FILE *stream = fopen("compiler", "w");
	char path[4096];
	ck_assert(stream && getcwd(path, sizeof path - 20));
	fprintf(stream, "#!/bin/sh\n%s\n", script);
	fclose(stream);
	chmod("compiler", 0700);
	setenv("CC", strcat(path, "/compiler"), 1);
}

static void do_step(nnr_model *model, int k, double *loss)
{
	float x[12], t[8];
	const void *in[] = {x}, *target[] = {t};
	for (int i = 0; i < 12; i++)
		x[i] = (float)((k * 12 + i) * 37 % 19) / 19;
	for (int i = 0; i < 8; i++)
		t[i] = (float)((k * 8 + i) * 11 % 7) / 7;
	ck_assert_int_eq(nnr_step(model, in, target, 1 + k % 4, loss), NNR_OK);
}

/* Every step has the same bits, before and after: loss, params, moments, running means, draws. */
START_TEST(change)
{
	char messages[2][2000];
	int32_t since = -1;
	use_compiler("exec gcc \"$@\"");
	nnr_model *a = open_with(NNC_JIT_TCC, messages[0]), *b = open_with(NNC_JIT_AUTO, messages[1]);
	ck_assert(a && b);
	ck_assert_int_eq(nnr_made_by(b, NULL), NNR_TCC);
	const nn_model *nn = nnr_descriptor(b);
	void *params = nnr_params(b), *state = nnr_state(b);
	double limit = seconds() + 50, loss[2];
	int after = 0;
	for (int k = 0; after < 20; k++) {
		do_step(a, k, &loss[0]);
		do_step(b, k, &loss[1]);
		ck_assert(loss[0] == loss[1]);
		ck_assert_int_eq(memcmp(nnr_params(a), nnr_params(b), nn->params_size), 0);
		ck_assert_int_eq(memcmp(nnr_state(a), nnr_state(b), nn->state_size), 0);
		if (nnr_made_by(b, &since) == NNR_CC)
			after++;
		else
			rest();
		ck_assert_msg(seconds() < limit, "the C compiler's code never came: %s", messages[1]);
	}
	ck_assert_int_gt(since, 0);
	ck_assert_int_eq(since + 20, nnr_run(b)->step);
	ck_assert(nnr_descriptor(b) == nn && nnr_params(b) == params && nnr_state(b) == state);
	ck_assert_str_eq(messages[1], "");
	nnr_close(a);
	nnr_close(b);
}
END_TEST

/* Code of another model under the same name is not taken. */
START_TEST(misfit)
{
	char messages[2000];
	double limit = seconds() + 50, loss;
	use_compiler(
		"for a; do case $a in *.c) sed -i 's/\\b0x[0-9a-f]*u, 0, 0, 7u,/0x1u, 0, 0, 7u,/' \"$a\";; esac; done\n"
		"exec gcc \"$@\" -O0");
	nnr_model *model = open_with(NNC_JIT_AUTO, messages);
	ck_assert_ptr_nonnull(model);
	for (int k = 0; !messages[0] && seconds() < limit; k++, rest())
		do_step(model, k, &loss);
	ck_assert_msg(strstr(messages, "another way"), "%s", messages);
	ck_assert_int_eq(nnr_made_by(model, NULL), NNR_TCC);
	do_step(model, 0, &loss);
	nnr_close(model);
}
END_TEST

START_TEST(close_early)
{
	char messages[2000];
	struct stat about;
	use_compiler("touch started; sleep 1000");
	nnr_model *model = open_with(NNC_JIT_AUTO, messages);
	ck_assert_ptr_nonnull(model);
	double limit = seconds() + 50;
	while (stat("started", &about) < 0 && seconds() < limit)
		rest();
	double start = seconds();
	nnr_close(model);
	ck_assert(seconds() - start < 10);
	ck_assert_str_eq(messages, "");
}
END_TEST

/* The host wants to hear nothing of its children. */
START_TEST(no_children)
{
	char messages[2000];
	use_compiler("exec gcc \"$@\" -O0");
	signal(SIGCHLD, SIG_IGN);
	nnr_model *model = open_with(NNC_JIT_CC, messages);
	signal(SIGCHLD, SIG_DFL);
	ck_assert_msg(model && nnr_made_by(model, NULL) == NNR_CC, "%s", messages);
	nnr_close(model);
}
END_TEST

int main(void)
{
	TCase *all = tcase_create("all");
	tcase_add_test(all, change);
	tcase_add_test(all, misfit);
	tcase_add_test(all, close_early);
	tcase_add_test(all, no_children);
	return run_tests("tier", (TCase *[]){all, NULL});
}
