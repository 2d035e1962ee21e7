/* chain_random.c - nets of random equations: random shapes, subscripts, guards, reducers and functions, several uses of
 * one tensor, a gather now and then; their first and second derivatives, raw and simplified, against finite
 * differences. SEED=N gives other ones; NET=M then checks
 * and prints net M alone. */
#include "nets.h"
#include "suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NETS = 300, MAX_TENSORS = 8 };

struct maker {
	struct net *net;
	struct tensor *tensor[MAX_TENSORS]; /* what an equation may read */
	int n;
	struct tensor *ids;	      /* [BATCH, 5] of class[4] */
	int extent[8], nfree, nindex; /* the equation being made */
	bool batched;
};

/* A subscript for an axis of n elements: mostly one index, sometimes a window, a stride, a constant, // or %. Whether
 * it fits is left to chance; the caller guards the read. */
static struct expr *make_subscript(struct maker *m, int64_t n)
{
	struct net *net = m->net;
	int first = m->batched ? 1 : 0, p, q, fits = -1;

	if (m->nindex == first)
		return I(random_below(net, (int)n));
	p = first + random_below(net, m->nindex - first);
	q = first + random_below(net, m->nindex - first);
	for (int i = first; i < m->nindex; i++)
		if (m->extent[i] == n && (fits < 0 || random_below(net, 2)))
			fits = i;
	if (fits >= 0 && random_below(net, 3))
		return S(fits);
	switch (random_below(net, 9)) {
	case 0: return I(random_below(net, (int)n));
	case 1: return sub(S(p), I(random_below(net, 3) - 1));
	case 2: return sub(add(S(p), S(q)), I(random_below(net, 3)));
	case 3: return sub(add(mul(I(2), S(p)), S(q)), I(random_below(net, 2)));
	case 4: return sub(S(p), sub(mul(I(1 + random_below(net, 2)), S(q)), I(1)));
	case 5: return op2(EX_FLOORDIV, S(p), I(2));
	case 6: return op2(EX_MOD, S(p), I(2));
	case 7: return sub(I(n - 1), S(p));
	default: return m->batched ? rd(m->ids, S(0), op2(EX_MOD, S(p), I(5))) : op1(EX_ABS, sub(S(p), I(2)));
	}
}

/* A read of some tensor that lies inside or is guarded. A tensor of samples is read only where there are some. */
static struct expr *make_read(struct maker *m)
{
	struct net *net = m->net;
	struct tensor *t;
	struct expr *at[8], *otherwise = random_below(net, 3) ? N(0.25 * (random_below(net, 5) - 2)) : NULL;

	do
		t = m->tensor[random_below(net, m->n)];
	while (t->batched && !m->batched);
	for (int d = 0; d < t->rank; d++)
		at[d] = t->batched && d == 0 ? S(0) : make_subscript(m, t->axis[d].extent);
	if (!otherwise)
		otherwise = mul(N(0.5), rd0(m->tensor[0]));
	return ex_read(net->g, t, at, otherwise);
}

static struct expr *make_formula(struct maker *m, int depth)
{
	struct net *net = m->net;
	struct expr *a, *b;

	if (depth == 0 || !random_below(net, 4))
		return make_read(m);
	a = make_formula(m, depth - 1);
	if (random_below(net, 3) == 0)
		switch (random_below(net, 8)) {
		case 0: return op1(EX_TANH, a);
		case 1: return op1(EX_SIN, a);
		case 2: return op1(EX_EXP, mul(N(0.3), a));
		case 3: return op1(EX_SQRT, add(mul(a, a), N(0.5)));
		case 4: return op1(EX_ABS, a);
		case 5: return op2(EX_MAX, a, N(0));
		case 6: return divide(N(1), add(N(1), op1(EX_EXP, op1(EX_NEG, a))));
		default: return op2(EX_POW, a, N(2 + random_below(net, 2)));
		}
	b = make_formula(m, depth - 1);
	switch (random_below(net, 8)) {
	case 0:
	case 1: return add(a, b);
	case 2: return sub(a, b);
	case 3: return op2(random_below(net, 2) ? EX_MAX : EX_MIN, a, b);
	case 4: return ex_select(net->g, op2(EX_LT, a, N(0.1)), a, b);
	case 5: return divide(a, add(N(2), op1(EX_ABS, b)));
	default: return mul(a, b);
	}
}

static struct tensor *make_equation(struct maker *m)
{
	static const enum reducer reducers[] = {RED_SUM, RED_SUM, RED_SUM, RED_MAX, RED_MIN, RED_PROD};
	struct net *net = m->net;
	int bound;

	m->batched = random_below(net, 2);
	m->nfree = random_below(net, 3) + m->batched;
	bound = random_below(net, 3);
	m->nindex = m->nfree + bound;
	for (int p = 0; p < m->nindex; p++)
		m->extent[p] = m->batched && p == 0 ? BATCH : 1 + random_below(net, 5);
	return net_equation(net, "y", bound ? reducers[random_below(net, 6)] : RED_NONE, m->nfree,
			    make_formula(m, 1 + random_below(net, 3)), m->nindex, m->extent);
}

static void make_net(struct net *net)
{
	struct maker m = {.net = net};
	int equations = 1 + random_below(net, 4), extent[3];
	struct tensor *last = NULL;

	m.ids = classes("ids", 4, BATCH, 5);
	m.tensor[m.n++] = scalar("c");
	for (int i = 0; i < 2; i++) {
		for (int d = 0; d < 3; d++)
			extent[d] = 1 + random_below(net, 5);
		m.tensor[m.n++] = net_param(net, "w", random_below(net, 3), extent);
	}
	m.tensor[m.n++] = value("x", BATCH, 1 + random_below(net, 5));
	for (int i = 0; i < equations; i++) {
		last = make_equation(&m);
		m.tensor[m.n++] = last;
	}
	/* every param is reached */
	last = net_equation(net, "last", RED_NONE, 0, rd0(m.tensor[0]), 0, NULL);
	for (int i = 0; i < m.n; i++) {
		struct tensor *t = m.tensor[i];
		struct expr *e;

		for (int d = 0; d < t->rank; d++)
			extent[d] = (int)t->axis[d].extent;
		e = ex_read(net->g, t, net->slot, NULL);
		e = mul(N(1 / (double)tensor_size(t)), op1(EX_TANH, mul(N(0.2), e)));
		t = net_equation(net, "all", t->rank ? RED_SUM : RED_NONE, 0, e, t->rank, extent);
		last = net_equation(net, "last", RED_NONE, 0, add(rd0(last), rd0(t)), 0, NULL);
	}
	net_loss(net, last);
}

/* One net at one place; what is wrong is left in message. */
static bool check_place(uint64_t seed, uint64_t place, bool show, char *message, size_t size)
{
	struct net net;
	const char *wrong;

	net_start(&net, seed);
	if (setjmp(net.unwind))
		ck_abort_msg("out of memory");
	make_net(&net);
	net.random += place << 32;
	wrong = check_net(&net);
	if (wrong && show)
		printf("%s\n", show_net(&net));
	snprintf(message, size, "%s", wrong ? wrong : "");
	net_finish(&net);
	return !wrong;
}

/* A kink may lie between the points of a difference: a net is wrong only if it is so at several places. */
static bool check_seed(uint64_t seed, bool show, char *message, size_t size)
{
	for (uint64_t place = 0; place < 4; place++)
		if (check_place(seed, place, show && place == 3, message, size))
			return true;
	return false;
}

static uint64_t base;

START_TEST(test_random)
{
	uint64_t seed = base + (uint64_t)_i;
	char wrong[500];

	ck_assert_msg(check_seed(seed, getenv("NET") != NULL, wrong, sizeof wrong), "SEED=%llu NET=%d: %s",
		      (unsigned long long)(base / 1000), (int)(seed % 1000), wrong);
}
END_TEST

int main(void)
{
	const char *seed = getenv("SEED"), *net = getenv("NET");
	TCase *tc = tcase_create("random");

	base = (seed ? strtoull(seed, NULL, 10) : 1) * 1000;
	tcase_add_loop_test(tc, test_random, net ? atoi(net) : 0, net ? atoi(net) + 1 : NETS);
	return run_tests("chain_random", (TCase *[]){tc, NULL});
}
