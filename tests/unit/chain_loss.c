/* chain_loss.c - the backward part as a whole: several goals, params that a loss does not reach, losses without a
 * derivative, names; and what the simplifier makes of equations. */
#include "nets.h"
#include "suite.h"

#include <string.h>

static struct net all, *const net = &all;

static void setup(void) { net_start(net, 1); }
static void teardown(void) { net_finish(net); }

static struct goal *add_goal(const char *name, struct tensor *loss)
{
	list_add(&net->ctx.arena, &net->g->goals, (struct goal){.name = name, .value = loss});
	return &net->g->goals.item[net->g->goals.n - 1];
}

static struct tensor *scalar_equation(const char *name, struct expr *value)
{
	return net_equation(net, name, RED_NONE, 0, value, 0, NULL);
}

static const struct equation *equation_of(enum part part, const char *name)
{
	for (int i = 0; i < net->g->part[part].n; i++)
		if (strcmp(net->g->part[part].item[i]->tensor->name, name) == 0)
			return net->g->part[part].item[i];
	return NULL;
}

/* The equation of a tensor in a part, as text. */
static void expect(enum part part, const char *name, const char *text)
{
	const struct equation *found = equation_of(part, name);
	struct text out = {.arena = &net->ctx.arena};

	ck_assert_msg(found, "%s has no equation\n%s", name, show_net(net));
	print_equation(net->g, found, &out);
	ck_assert_str_eq(out.at, text);
}

/* Two losses, each for params of its own and one for both. */
START_TEST(test_goals)
{
	struct tensor *v = scalar("v"), *w = scalar("w"), *u = scalar("u"), *first, *second;
	struct interpreter in;
	struct goal *goal;

	if (setjmp(all.unwind))
		ck_abort_msg("out of memory");
	first = scalar_equation("first", mul(mul(rd0(v), rd0(w)), rd0(u)));
	second = scalar_equation("second", mul(mul(rd0(v), rd0(v)), rd0(w)));
	goal = add_goal("one", first);
	list_add(&net->ctx.arena, &goal->params, v);
	list_add(&net->ctx.arena, &goal->params, w);
	goal = add_goal("two", second);
	list_add(&net->ctx.arena, &goal->params, v);
	net->g->loss = scalar_equation("loss", add(rd0(first), rd0(second)));
	ck_assert(differentiate_loss(net->g));
	ck_assert_ptr_null(verify(net->g));
	ck_assert_str_eq(net->messages, "the loss does not depend on param 'u': its gradient is 0\n");
	ck_assert_ptr_nonnull(equation_of(PART_BACKWARD, "v.grad.one"));
	ck_assert_ptr_nonnull(equation_of(PART_BACKWARD, "v.grad.two"));
	for (int simplified = 0; simplified < 2; simplified++) {
		if (simplified)
			simplify(net->g);
		interpreter_init(&in, net->g, ROWS);
		*tensor_values(&in, v) = 2;
		*tensor_values(&in, w) = 3;
		*tensor_values(&in, u) = 5;
		interpret(&in, &net->g->part[PART_FORWARD]);
		interpret(&in, &net->g->part[PART_BACKWARD]);
		ck_assert(*tensor_values(&in, net->g->grads.item[0]) == 15 + 12);
		ck_assert(*tensor_values(&in, net->g->grads.item[1]) == 10);
		ck_assert(*tensor_values(&in, net->g->grads.item[2]) == 0);
	}
}
END_TEST

/* Losses that no gradient comes from, and what is said. */
static void check_refused(struct tensor *loss, const char *message)
{
	struct goal *goal;

	net->g->loss = loss;
	goal = add_goal("loss", loss);
	for (int i = 0; i < net->g->grads.n; i++)
		list_add(&net->ctx.arena, &goal->params, net->g->grads.item[i]->of);
	ck_assert(!differentiate_loss(net->g));
	ck_assert_msg(strncmp(net->messages, message, strlen(message)) == 0, "%s", net->messages);
}

START_TEST(test_argmax)
{
	struct tensor *w = param("w", 3), *k;

	if (setjmp(all.unwind))
		ck_abort_msg("out of memory");
	k = net_equation(net, "k", RED_ARGMAX, 0, rd(w, S(0)), 1, (int[]){3});
	check_refused(scalar_equation("loss", mul(N(2), ex_real(net->g, rd0(k)))),
		      "the loss has no derivative: it depends on the params only through argmax\n");
}
END_TEST

START_TEST(test_comparison)
{
	struct tensor *w = scalar("w"), *step;

	if (setjmp(all.unwind))
		ck_abort_msg("out of memory");
	step = scalar_equation("step", ex_select(net->g, op2(EX_LT, rd0(w), N(0)), N(1), N(2)));
	check_refused(scalar_equation("loss", mul(rd0(step), rd0(step))),
		      "the loss has no derivative: it depends on the params only through a comparison\n");
}
END_TEST

START_TEST(test_no_dependence)
{
	if (setjmp(all.unwind))
		ck_abort_msg("out of memory");
	scalar("w");
	check_refused(scalar_equation("loss", N(2)), "the loss does not depend on any trained param\n");
}
END_TEST

START_TEST(test_nothing_to_train)
{
	if (setjmp(all.unwind))
		ck_abort_msg("out of memory");
	check_refused(scalar_equation("loss", N(2)), "the loss has nothing to train: no param is trained\n");
}
END_TEST

/* ---- the simplifier ---- */

START_TEST(test_simplify)
{
	struct tensor *x = value("x", BATCH, 4), *w = param("w", 3, 4), *z, *a, *b, *copy, *turned;

	if (setjmp(all.unwind))
		ck_abort_msg("out of memory");
	z = eq("z", RED_SUM, 2, mul(rd(w, S(1), S(2)), rd(x, S(0), S(2))), BATCH, 3, 4);
	a = eq("one", RED_NONE, 2, op1(EX_EXP, rd(z, S(0), S(1))), BATCH, 3);
	b = eq("same", RED_NONE, 2, op1(EX_EXP, rd(z, S(0), S(1))), BATCH, 3);
	eq("dead", RED_NONE, 2, rd(b, S(0), S(1)), BATCH, 3);
	copy = eq("copy", RED_NONE, 2, rd(b, S(0), S(1)), BATCH, 3);
	turned = eq("turned", RED_NONE, 2, rd(copy, S(0), sub(I(2), S(1))), BATCH, 3);
	b = eq("once", RED_NONE, 2, add(rd(turned, S(0), S(1)), N(1)), BATCH, 3);
	net_total(net, eq("y", RED_NONE, 2, mul(op1(EX_TANH, rd(b, S(0), S(1))), rd(a, S(0), S(1))), BATCH, 3));
	ck_assert(differentiate_loss(net->g));
	simplify(net->g);
	ck_assert_ptr_null(verify(net->g));
	expect(PART_FORWARD, "one", "one[batch, b] = exp(z[batch, b])");
	ck_assert_ptr_null(equation_of(PART_FORWARD, "same"));
	ck_assert_ptr_null(equation_of(PART_FORWARD, "dead"));
	ck_assert_ptr_null(equation_of(PART_FORWARD, "copy"));
	ck_assert_ptr_null(equation_of(PART_FORWARD, "turned"));
	ck_assert_ptr_null(equation_of(PART_FORWARD, "y"));
	ck_assert_ptr_null(equation_of(PART_BACKWARD, "loss.grad"));
	expect(PART_BACKWARD, "w.grad", "w.grad[b, c] = sum[batch] z.grad[batch, b] * x[batch, c]");
}
END_TEST

/* A relu's mask comes from its output, so its argument needs not be kept. */
START_TEST(test_mask)
{
	struct tensor *x = value("x", BATCH, 4), *w = param("w", 3, 4), *b = param("bias", 3), *z, *y;

	if (setjmp(all.unwind))
		ck_abort_msg("out of memory");
	z = eq("z", RED_SUM, 2, mul(rd(w, S(1), S(2)), rd(x, S(0), S(2))), BATCH, 3, 4);
	y = eq("y", RED_NONE, 2, add(rd(z, S(0), S(1)), rd(b, S(1))), BATCH, 3);
	y = eq("relu", RED_NONE, 2, op2(EX_MAX, rd(y, S(0), S(1)), N(0)), BATCH, 3);
	net_loss(net, y);
	ck_assert(differentiate_loss(net->g));
	simplify(net->g);
	expect(PART_FORWARD, "relu", "relu[batch, b] = max(z[batch, b] + bias[b], 0)");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("loss");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_goals);
	tcase_add_test(tc, test_argmax);
	tcase_add_test(tc, test_comparison);
	tcase_add_test(tc, test_no_dependence);
	tcase_add_test(tc, test_nothing_to_train);
	tcase_add_test(tc, test_simplify);
	tcase_add_test(tc, test_mask);
	return run_tests("chain_loss", (TCase *[]){tc, NULL});
}
