/* describe.c - a model in process is described as the C compiler lays out its structs: the descriptor that the compiler
 * hands over is that of the generated C. */
#include <string.h>

#include "handle.h"
#include "suite.h"

static const char *const texts[] = {
	/* settings, states of each kind, metrics in one pass */
	"input x[2]\ntarget t[1]\nsetting rate = 0.5\nsetting other = 2\nstate mean_x[3] = 0, calls: int = 0\n"
	"state memory[batch, 2] = 0\nfrozen param scale[5] = 1\nparam w = 1\nmemory' = memory + x\n"
	"if training { mean_x'[i] = 0.5 * mean_x[i] + mean[batch] x[0]; calls' = calls + 1 }\n"
	"y = sum(x - mean_x[0]) + sum(memory) + sum(scale)\noutput y, level = w * y\nmetric mean(abs(y))\n"
	"loss (w * y - t[0])^2\ntrain sgd(lr=rate, momentum=0.9) batch=3 epochs=7\n",
	/* rules with several states, metrics in two passes, rows that meet */
	"input x[3]\ntarget hit, k: class[3]\ny = x -> dense(5) -> batchnorm -> dropout(0.3) -> dense(1)\n"
	"metric r2(y[0], hit), auc(sigmoid(y[0]), hit, bins=64), confusion(x, k)\nmetric high = max[data] (max[i] x[i])\n"
	"loss mse(y[0], hit)\ntrain adamw(lr=0.01) batch=4 seed=9 shuffle=no steps=12\n",
	/* a stream; integers; nothing to train */
	"input x[6, 2], c: class[4]\nscan t < 6, h[3] = 1, m = 0 { h'[i < 3] = 0.5 * h[2 - i] + x[t, 0]\n m' = 0.5 * m + sum(h)\n"
	" seen = m' }\nlater[t < 6] = x[t - 2, 0 else -1]\noutput seen, h, later, c\n",
};

static const char *named(const char *name) { return name ? name : "(none)"; }

static void compare_tensors(const nn_tensor *a, const nn_tensor *b)
{
	ck_assert_str_eq(a->name, b->name);
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_int_eq(a->elem, b->elem);
	ck_assert_int_eq(a->classes, b->classes);
	ck_assert_int_eq(a->batched, b->batched);
	ck_assert_int_eq(a->rank, b->rank);
	ck_assert_mem_eq(a->dim, b->dim, sizeof a->dim);
	ck_assert_uint_eq(a->count, b->count);
	ck_assert_msg(a->offset == b->offset, "%s at %zu, %zu", a->name, a->offset, b->offset);
	ck_assert_int_eq(a->step_axis, b->step_axis);
}

static void compare_models(const nn_model *a, const nn_model *b)
{
	ck_assert_uint_eq(a->abi, b->abi);
	ck_assert_uint_eq(a->real_size, b->real_size);
	ck_assert_uint_eq(a->batch, b->batch);
	ck_assert_uint_eq(a->params_size, b->params_size);
	ck_assert_uint_eq(a->grads_size, b->grads_size);
	ck_assert_uint_eq(a->state_size, b->state_size);
	ck_assert_uint_eq(a->totals_size, b->totals_size);
	ck_assert_uint_eq(a->stream_size, b->stream_size);
	ck_assert_str_eq(a->name, b->name);
	ck_assert_str_eq(a->source, b->source);
	ck_assert_uint_eq(a->fingerprint, b->fingerprint);
	ck_assert_int_eq(a->epochs, b->epochs);
	ck_assert_int_eq(a->steps, b->steps);
	ck_assert_uint_eq(a->seed, b->seed);
	ck_assert_int_eq(a->ordered, b->ordered);
	ck_assert_int_eq(a->moves, b->moves);
	ck_assert_str_eq(named(a->coupling), named(b->coupling));
	ck_assert(!a->forward == !b->forward && !a->loss == !b->loss && !a->metrics == !b->metrics);
	ck_assert(!a->metrics2 == !b->metrics2 && !a->metrics_finish == !b->metrics_finish && !a->step == !b->step);
	ck_assert(!a->backward == !b->backward && !a->update == !b->update && !a->average == !b->average);
	ck_assert(!a->stream_step == !b->stream_step);
	ck_assert_uint_eq(a->n_tensor, b->n_tensor);
	for (uint32_t i = 0; i < a->n_tensor; i++)
		compare_tensors(&a->tensor[i], &b->tensor[i]);
}

static void keep_text(void *user, const nnc_message *message)
{
	if (message->severity == NNC_ERROR)
		strncat(user, message->text, 500);
}

START_TEST(said_as_laid_out)
{
	char messages[9000] = "";
	const char *text = texts[_i / 2];
	nnc_options options = {
		.cache = "none", .real = _i % 2 ? NNC_DOUBLE : NNC_FLOAT, .report = keep_text, .user = messages};
	nnr_model *said, *laid_out;
	said = nnr_open_text("net.nn", text, strlen(text), &options, NULL);
	options.jit = NNC_JIT_CC;
	laid_out = nnr_open_text("net.nn", text, strlen(text), &options, NULL);
	ck_assert_msg(said && laid_out, "%s\n%s", messages, text);
	compare_models(nnr_descriptor(said), nnr_descriptor(laid_out));
	nnr_close(said);
	nnr_close(laid_out);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("describe");
	tcase_add_loop_test(t, said_as_laid_out, 0, 2 * sizeof texts / sizeof texts[0]);
	return run_tests("describe", (TCase *[]){t, NULL});
}
