/* chain_kinks.c - the conventions where a function has no derivative, by equality: every line of the table of kinks. */
#include "nets.h"

#include "chain.h"
#include "suite.h"

#include <math.h>
#include <string.h>

typedef struct expr *formula(struct net *net, struct expr *x, struct expr *y);

/* d formula / dx and dy at a point, raw and simplified. */
static void check_point(formula *f, double x, double y, double dx, double dy, int line)
{
	struct net net;
	struct interpreter in;
	struct tensor *p[2];

	net_start(&net, 0);
	if (setjmp(net.unwind))
		ck_abort_msg("out of memory");
	p[0] = net_param(&net, "x", 0, NULL);
	p[1] = net_param(&net, "y", 0, NULL);
	net_total(&net,
		  net_equation(&net, "f", RED_NONE, 0,
			       f(&net, ex_read(net.g, p[0], NULL, NULL), ex_read(net.g, p[1], NULL, NULL)), 0, NULL));
	ck_assert(differentiate_loss(net.g));
	interpreter_init(&in, net.g, ROWS);
	*tensor_values(&in, p[0]) = (number)x;
	*tensor_values(&in, p[1]) = (number)y;
	for (int simplified = 0; simplified < 2; simplified++) {
		double got[2];

		if (simplified)
			simplify(net.g);
		interpret(&in, &net.g->part[PART_FORWARD]);
		interpret(&in, &net.g->part[PART_BACKWARD]);
		for (int k = 0; k < 2; k++)
			got[k] = (double)*tensor_values(&in, net.g->grads.item[k]);
		ck_assert_msg(got[0] == dx && got[1] == dy, "line %d: (%g, %g), not (%g, %g)\n%s", line, got[0], got[1],
			      dx, dy, show_net(&net));
	}
	net_finish(&net);
}
#define at(f, x, y, dx, dy) check_point(f, x, y, dx, dy, __LINE__)

#define FORMULA(name, expression)                                                                                      \
	static struct expr *name(struct net *net, struct expr *x, struct expr *y)                                      \
	{                                                                                                              \
		(void)net;                                                                                             \
		(void)x;                                                                                               \
		(void)y;                                                                                               \
		return expression;                                                                                     \
	}

FORMULA(larger, op2(EX_MAX, x, y))
FORMULA(smaller, op2(EX_MIN, x, y))
FORMULA(relu, op2(EX_MAX, x, N(0)))
FORMULA(relu_turned, op2(EX_MAX, N(0), x))
FORMULA(relu_twice, add(op2(EX_MAX, x, N(0)), op2(EX_MAX, N(0), y)))
FORMULA(clamp, op2(EX_MIN, op2(EX_MAX, x, N(-1)), N(1)))
FORMULA(absolute, op1(EX_ABS, x))
FORMULA(steps, add(x, add(op1(EX_SIGN, x), add(op1(EX_FLOOR, x), add(op1(EX_CEIL, x), op1(EX_ROUND, x))))))
FORMULA(root, op1(EX_SQRT, x))
FORMULA(root_times, mul(op1(EX_SQRT, x), y))
FORMULA(power_half, mul(op2(EX_POW, x, N(0.5)), y))
FORMULA(power_third, mul(op2(EX_POW, x, N(0.25)), y))
FORMULA(power_inverse, mul(op2(EX_POW, x, N(-0.5)), y))
FORMULA(power_square, op2(EX_POW, x, N(2)))
FORMULA(power, op2(EX_POW, x, y))
FORMULA(chosen, ex_select(net->g, op2(EX_LT, x, N(0)), mul(x, y), op1(EX_LOG, y)))
FORMULA(safe_root, ex_select(net->g, op2(EX_LT, N(0), x), op1(EX_SQRT, x), N(0)))
FORMULA(safe_log, mul(y, ex_select(net->g, op2(EX_LT, N(0), x), op1(EX_LOG, x), N(0))))
FORMULA(stopped, mul(op1(EX_STOP, x), x))
FORMULA(logistic, divide(N(1), add(N(1), op1(EX_EXP, op1(EX_NEG, x)))))
FORMULA(soft_plus, op1(EX_LOG, add(N(1), op1(EX_EXP, x))))

START_TEST(test_kinks)
{
	at(larger, 2, 2, 1, 0);
	at(larger, 1, 2, 0, 1);
	at(smaller, 2, 2, 1, 0);
	at(smaller, 2, 1, 0, 1);
	at(relu, 0, 0, 0, 0);
	at(relu, 1, 0, 1, 0);
	at(relu_turned, 0, 0, 0, 0);
	at(relu_turned, 1, 0, 1, 0);
	at(relu_twice, 0, 0, 0, 0);
	at(clamp, 1, 0, 0, 0);
	at(clamp, -1, 0, 0, 0);
	at(clamp, 0.5, 0, 1, 0);
	at(absolute, 0, 0, 0, 0);
	at(absolute, -3, 0, -1, 0);
	at(steps, 0.5, 0, 1, 0);
	at(stopped, 3, 0, 3, 0);
}
END_TEST

START_TEST(test_singular)
{
	at(root, 0, 0, INFINITY, 0);
	at(root, 4, 0, 0.25, 0);
	at(root_times, 0, 0, 0, 0); /* what follows has derivative 0 */
	at(root_times, 0, 1, INFINITY, 0);
	at(power_half, 0, 0, 0, 0);
	at(power_half, 0, 1, INFINITY, 0);
	at(power_half, 4, 1, 0.25, 2);
	at(power_third, 0, 0, 0, 0);
	at(power_third, 0, 1, INFINITY, 0);
	at(power_inverse, 0, 0, 0, INFINITY);
	at(power_inverse, 4, 1, -1. / 16, 0.5);
	at(power_square, 0, 0, 0, 0);
	at(power, 0, 2, 0, 0);
	at(power, 0, 0, 0, 0);
	at(power, 2, 1, 1, 2 * log(2));
}
END_TEST

/* A side not taken must not come in as 0 * inf. */
START_TEST(test_sides)
{
	at(chosen, -1, -2, -2, -1);
	at(chosen, 0, 2, 0, 0.5);
	at(safe_root, 0, 0, 0, 0);
	at(safe_root, -1, 0, 0, 0);
	at(safe_log, 0, 3, 0, 0);
	at(safe_log, 1, 3, 3, 0);
}
END_TEST

/* exp overflows; its derivative does not. */
START_TEST(test_overflow)
{
	at(logistic, 0, 0, 0.25, 0);
	at(logistic, 20000, 0, 0, 0);
	at(logistic, -20000, 0, 0, 0);
	at(soft_plus, 0, 0, 0.5, 0);
	at(soft_plus, 20000, 0, 1, 0);
	at(soft_plus, -20000, 0, 0, 0);
}
END_TEST

/* reducers over x = {3, 1, 3}: the first winner; prod with one and two zeros */
static void check_reducer(enum reducer red, const double *x, const double *dx)
{
	struct net all, *net = &all;
	struct interpreter in;
	struct tensor *p;

	net_start(net, 0);
	if (setjmp(all.unwind))
		ck_abort_msg("out of memory");
	p = param("x", 3);
	net_total(net, net_equation(net, "f", red, 0, rd_else(p, N(2), sub(S(0), I(1))), 1, (int[]){4}));
	ck_assert(differentiate_loss(net->g));
	interpreter_init(&in, net->g, ROWS);
	for (int k = 0; k < 3; k++)
		tensor_values(&in, p)[k] = (number)x[k];
	interpret(&in, &net->g->part[PART_FORWARD]);
	interpret(&in, &net->g->part[PART_BACKWARD]);
	for (int k = 0; k < 3; k++)
		ck_assert_msg(tensor_values(&in, net->g->grads.item[0])[k] == (number)dx[k], "reducer %d, element %d",
			      red, k);
	net_finish(net);
}

START_TEST(test_reducers)
{
	check_reducer(RED_MAX, (double[]){3, 1, 3}, (double[]){1, 0, 0});
	check_reducer(RED_MAX, (double[]){1, 1, 2}, (double[]){0, 0, 0}); /* the value outside, 2, is the first */
	check_reducer(RED_MIN, (double[]){3, 1, 1}, (double[]){0, 1, 0});
	check_reducer(RED_MIN, (double[]){3, 2, 4}, (double[]){0, 0, 0});
	check_reducer(RED_PROD, (double[]){3, 0, 5}, (double[]){0, 30, 0});
	check_reducer(RED_PROD, (double[]){0, 0, 5}, (double[]){0, 0, 0});
}
END_TEST

START_TEST(test_table)
{
	int n;
	const struct kink *kinks = chain_kinks(&n);

	ck_assert_int_gt(n, 10);
	for (int i = 0; i < n; i++)
		ck_assert(strlen(kinks[i].at) > 0 && strlen(kinks[i].derivative) > 0);
}
END_TEST

/* f' is 0 at x = 1 for f = (sqrt(x) - 1)^2, but f'' is not: only where sqrt(x) is 0 does the convention speak. */
START_TEST(test_second_at_zero_adjoint)
{
	struct net all, *net = &all;
	struct interpreter in;
	struct tensor *x, *grad[1], *loss;
	equation_list first = {0}, second = {0};
	struct expr *e;

	net_start(net, 0);
	if (setjmp(all.unwind))
		ck_abort_msg("out of memory");
	x = scalar("x");
	e = sub(op1(EX_SQRT, rd0(x)), N(1));
	loss = net_equation(net, "f", RED_NONE, 0, mul(e, e), 0, NULL);
	for (int i = 0; i < net->g->part[PART_FORWARD].n; i++)
		list_add(&net->ctx.arena, &first, net->g->part[PART_FORWARD].item[i]);
	differentiate(net->g, &first, loss, &x, 1, ".d", &first, grad);
	differentiate(net->g, &first, grad[0], &x, 1, ".dd", &second, grad);
	interpreter_init(&in, net->g, ROWS);
	*tensor_values(&in, x) = 1;
	interpret(&in, &first);
	interpret(&in, &second);
	ck_assert(*tensor_values(&in, grad[0]) == 0.5L);
	net_finish(net);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("kinks");

	tcase_add_test(tc, test_kinks);
	tcase_add_test(tc, test_singular);
	tcase_add_test(tc, test_sides);
	tcase_add_test(tc, test_overflow);
	tcase_add_test(tc, test_reducers);
	tcase_add_test(tc, test_table);
	tcase_add_test(tc, test_second_at_zero_adjoint);
	return run_tests("chain_kinks", (TCase *[]){tc, NULL});
}
