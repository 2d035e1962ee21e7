/* graph.c - the structures of the graph: names, expressions kept once and simplified, affine forms, ranges, rewriting.
 *
 * What simplification must not do is change a value. So random expressions are made step by step, their values at every
 * point kept beside them in plain arithmetic, and the expression that came out is run by the interpreter. */
#include "expr.h"
#include "interpret.h"
#include "suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { I = 4, J = 6, K = 3, POINTS = I * J * K };

static struct context ctx;
static jmp_buf unwind;
static struct graph *g;
static struct expr *i, *j, *k;
static const struct index indices[] = {{"i", I, false}, {"j", J, false}, {"k", K, false}};
static const struct span nowhere;

static void start(void)
{
	static const nnc_options options;

	ctx = (struct context){.options = &options};
	arena_init(&ctx.arena, NULL, NULL);
	ctx.arena.unwind = &unwind;
	g = graph_new(&ctx, "net", NULL, 8);
	i = ex_index(g, 0), j = ex_index(g, 1), k = ex_index(g, 2);
}

static void finish(void) { arena_free(&ctx.arena); }

static struct tensor *tensor(const char *name, enum elem elem, int rank, const int64_t *extent)
{
	struct axis axis[8] = {{0}};

	for (int a = 0; a < rank; a++)
		axis[a].extent = extent[a];
	return graph_tensor(g, ROLE_PARAM, name, elem, false, rank, axis, nowhere);
}

#define TENSOR(name, elem, ...)                                                                                        \
	tensor(name, elem, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define READ(t, ...) ex_read(g, t, (struct expr *[]){__VA_ARGS__}, NULL)

static struct expr *integer(int64_t n) { return ex_int(g, n); }
static struct expr *real(double x) { return ex_num(g, x); }
static struct expr *add(struct expr *a, struct expr *b) { return ex2(g, EX_ADD, a, b); }
static struct expr *sub(struct expr *a, struct expr *b) { return ex2(g, EX_SUB, a, b); }
static struct expr *mul(struct expr *a, struct expr *b) { return ex2(g, EX_MUL, a, b); }
static struct expr *neg(struct expr *a) { return ex1(g, EX_NEG, a); }

static const char *text_of(const struct expr *e)
{
	struct text text = {.arena = &ctx.arena};

	print_expr(g, e, indices, &text);
	return text.at;
}

/* ---- names ---- */

START_TEST(names_are_made_unique)
{
	char expected[30] = "y";

	for (int n = 1; n < 2000; n++) {
		ck_assert_str_eq(TENSOR("y", ELEM_REAL, 2)->name, expected);
		snprintf(expected, sizeof expected, "y%d", n + 1);
	}
	ck_assert_str_eq(TENSOR("sum", ELEM_REAL, 2)->name, "sum2"); /* reserved */
	ck_assert_str_eq(TENSOR("sum.y", ELEM_REAL, 2)->name, "sum.y");
}
END_TEST

START_TEST(renaming_frees_the_name)
{
	struct tensor *a = TENSOR("a", ELEM_REAL, 2), *b = TENSOR("b", ELEM_REAL, 2);

	graph_rename(g, a, "b");
	ck_assert_str_eq(a->name, "b2");
	graph_rename(g, b, "a");
	ck_assert_str_eq(b->name, "a");
	graph_rename(g, b, "a");
	ck_assert_str_eq(b->name, "a");
	ck_assert_ptr_eq(table_get(&g->names, "a"), b);
	ck_assert_ptr_null(table_get(&g->names, "b"));
}
END_TEST

START_TEST(sizes)
{
	struct axis axis[] = {{8, true}, {3, false}, {5, false}}, large[] = {{INT64_MAX / 2, false}, {3, false}};

	ck_assert_int_eq(tensor_size(graph_tensor(g, ROLE_INPUT, "x", ELEM_REAL, true, 3, axis, nowhere)), 120);
	ck_assert_int_eq(tensor_sample_size(graph_tensor(g, ROLE_INPUT, "x", ELEM_REAL, true, 3, axis, nowhere)), 15);
	ck_assert_int_eq(tensor_size(graph_tensor(g, ROLE_VALUE, "s", ELEM_REAL, false, 0, NULL, nowhere)), 1);
	ck_assert_int_eq(tensor_size(graph_tensor(g, ROLE_VALUE, "l", ELEM_REAL, false, 2, large, nowhere)), INT64_MAX);
}
END_TEST

/* ---- one expression, one pointer ---- */

START_TEST(equal_expressions_are_one)
{
	struct tensor *w = TENSOR("w", ELEM_REAL, I, J), *v = TENSOR("v", ELEM_REAL, I, J);

	ck_assert_ptr_eq(READ(w, i, j), READ(w, i, j));
	ck_assert_ptr_ne(READ(w, i, j), READ(w, j, i));
	ck_assert_ptr_ne(READ(w, i, j), READ(v, i, j));
	ck_assert_ptr_ne(READ(w, i, j), ex_read(g, w, (struct expr *[]){i, j}, real(0)));
	ck_assert_ptr_eq(ex_draw(g, DRAW_NORMAL, "a"), ex_draw(g, DRAW_NORMAL, arena_copy(&ctx.arena, "a", 1)));
	ck_assert_ptr_ne(ex_draw(g, DRAW_NORMAL, "a"), ex_draw(g, DRAW_UNIFORM, "a"));
	ck_assert_ptr_ne(ex_draw(g, DRAW_NORMAL, "a"), ex_draw(g, DRAW_NORMAL, "b"));
	ck_assert_ptr_ne(ex_run(g, RUN_STEP), ex_run(g, RUN_STEPS));
	ck_assert_ptr_ne(real(0.0), real(-0.0));
	ck_assert_ptr_eq(real(NAN), real(-NAN));
	ck_assert_ptr_ne(real(1), integer(1));
	ck_assert_ptr_ne(integer(1), ex_bool(g, true));
	ck_assert(ex_is_read_of(READ(w, i, j), w, 2));
	ck_assert(!ex_is_read_of(READ(w, i, k), w, 2));
}
END_TEST

START_TEST(order_is_ignored_where_it_does_not_matter)
{
	struct expr *a = READ(TENSOR("a", ELEM_REAL, I), i), *b = READ(TENSOR("b", ELEM_REAL, I), i);

	ck_assert_ptr_eq(mul(b, a), mul(a, b));
	ck_assert_str_eq(text_of(mul(a, b)), "b[i] * a[i]"); /* as it was made first */
	ck_assert_ptr_eq(ex2(g, EX_EQ, a, b), ex2(g, EX_EQ, b, a));
	ck_assert_ptr_ne(ex2(g, EX_MAX, a, b), ex2(g, EX_MAX, b, a)); /* of equals the first */
	ck_assert_ptr_ne(sub(a, b), sub(b, a));
}
END_TEST

START_TEST(slots_are_kept)
{
	struct tensor *w = TENSOR("w", ELEM_REAL, I, J);

	ck_assert_uint_eq(READ(w, i, integer(0))->slots, 1);
	ck_assert_uint_eq(READ(w, i, add(j, k))->slots, 7);
	ck_assert_uint_eq(mul(READ(w, i, j), real(2))->slots, 3);
	ck_assert_uint_eq(ex_index(g, 63)->slots, (uint64_t)1 << 63);
}
END_TEST

/* ---- simplification ---- */

START_TEST(affine_forms_are_canonical)
{
	ck_assert_ptr_eq(sub(add(i, integer(1)), integer(1)), i);
	ck_assert_ptr_eq(add(mul(integer(2), i), i), mul(i, integer(3)));
	ck_assert_ptr_eq(sub(add(i, j), add(j, i)), integer(0));
	ck_assert_ptr_eq(neg(sub(i, j)), sub(j, i));
	ck_assert_str_eq(text_of(add(sub(j, integer(1)), mul(i, integer(2)))), "2*i + j - 1");
	ck_assert_str_eq(text_of(sub(integer(9), i)), "9 - i");
	ck_assert_str_eq(text_of(sub(j, mul(integer(2), i))), "j - 2*i");
	ck_assert_str_eq(text_of(sub(neg(i), integer(3))), "-i - 3");
	ck_assert_str_eq(text_of(mul(integer(-2), i)), "-2*i");
	ck_assert_str_eq(text_of(neg(add(i, add(j, integer(2))))), "-i - j - 2");
	ck_assert_ptr_eq(ex2(g, EX_FLOORDIV, add(mul(integer(4), i), integer(8)), integer(4)), add(i, integer(2)));
	ck_assert_str_eq(text_of(ex2(g, EX_FLOORDIV, add(mul(integer(4), i), add(j, integer(9))), integer(4))),
			 "i + 2 + (j + 1) // 4");
	ck_assert_str_eq(text_of(ex2(g, EX_MOD, sub(add(mul(integer(4), i), j), integer(1)), integer(4))),
			 "(j + 3) % 4");
	ck_assert_ptr_eq(ex2(g, EX_MOD, mul(integer(6), i), integer(3)), integer(0));
}
END_TEST

START_TEST(affine_overflow_is_left_alone)
{
	struct affine a;
	struct expr *large = mul(integer(INT64_MAX), i), *e = add(large, large);

	ck_assert(affine_of(large, &a) && a.coef[0] == INT64_MAX);
	ck_assert(!affine_of(e, &a));
	ck_assert_int_eq(add(integer(INT64_MAX), integer(1))->op, EX_ADD);
	ck_assert_int_eq(neg(integer(INT64_MIN))->op, EX_NEG);
	ck_assert_int_eq(ex2(g, EX_FLOORDIV, integer(INT64_MIN), integer(-1))->op, EX_FLOORDIV);
	ck_assert_int_eq(ex2(g, EX_MOD, integer(1), integer(0))->op, EX_MOD);
	ck_assert_ptr_eq(affine_expr(g, &(struct affine){.constant = INT64_MIN}), integer(INT64_MIN));
	ck_assert(affine_of(affine_expr(g, &(struct affine){.constant = INT64_MIN, .coef = {INT64_MIN, 1}}), &a));
	ck_assert(a.constant == INT64_MIN && a.coef[0] == INT64_MIN && a.coef[1] == 1);
}
END_TEST

START_TEST(neutral_elements_vanish)
{
	struct expr *x = READ(TENSOR("x", ELEM_REAL, I), i), *c = ex2(g, EX_LT, x, real(1));

	ck_assert_ptr_eq(add(x, integer(0)), x);
	ck_assert_ptr_eq(add(real(0), x), x);
	ck_assert_ptr_eq(sub(x, real(0)), x);
	ck_assert_ptr_eq(mul(x, integer(1)), x);
	ck_assert_ptr_eq(mul(integer(0), x), real(0));
	ck_assert_ptr_eq(ex2(g, EX_DIV, x, integer(1)), x);
	ck_assert_ptr_eq(ex2(g, EX_DIV, real(0), x), real(0));
	ck_assert_ptr_eq(ex2(g, EX_POW, x, integer(1)), x);
	ck_assert_str_eq(text_of(ex2(g, EX_POW, x, integer(2))), "x[i]^2");
	ck_assert_ptr_eq(neg(neg(x)), x);
	ck_assert_ptr_eq(ex_select(g, ex_bool(g, true), x, real(3)), x);
	ck_assert_ptr_eq(ex_select(g, c, x, x), x);
	ck_assert_ptr_eq(ex_select(g, c, ex_bool(g, true), ex_bool(g, false)), c);
	ck_assert_ptr_eq(ex_select(g, ex1(g, EX_NOT, c), x, real(0)), ex_select(g, c, real(0), x));
	ck_assert_ptr_eq(ex2(g, EX_AND, c, ex_bool(g, true)), c);
	ck_assert_ptr_eq(ex2(g, EX_OR, c, ex_bool(g, true)), ex_bool(g, true));
	ck_assert_ptr_eq(ex2(g, EX_LT, i, add(i, integer(1))), ex_bool(g, true));
	ck_assert_ptr_eq(ex1(g, EX_TO_INT, ex1(g, EX_TO_REAL, i)), i);
	ck_assert_ptr_eq(ex2(g, EX_MAX, x, real(-INFINITY)), x);
	ck_assert_int_eq(sub(x, x)->op, EX_SUB); /* not 0 where x is infinite */
	ck_assert_int_eq(ex2(g, EX_EQ, x, x)->op, EX_EQ);
}
END_TEST

START_TEST(signs_come_out)
{
	struct expr *x = READ(TENSOR("x", ELEM_REAL, I), i), *y = READ(TENSOR("y", ELEM_REAL, I), i);

	ck_assert_str_eq(text_of(mul(neg(x), y)), "-x[i] * y[i]");
	ck_assert_str_eq(text_of(add(x, neg(y))), "x[i] - y[i]");
	ck_assert_str_eq(text_of(sub(x, neg(y))), "x[i] + y[i]");
	ck_assert_str_eq(text_of(neg(mul(mul(real(2), x), y))), "-2 * x[i] * y[i]");
	ck_assert_str_eq(text_of(sub(x, mul(real(-0.5), y))), "x[i] + 0.5 * y[i]");
	ck_assert_ptr_eq(mul(x, integer(-1)), neg(x));
}
END_TEST

START_TEST(types_are_settled)
{
	struct expr *x = READ(TENSOR("x", ELEM_REAL, I), i), *n = READ(TENSOR("n", ELEM_INT, I), i);
	struct expr *b = ex2(g, EX_LT, n, integer(3));

	ck_assert_int_eq(add(n, integer(1))->elem, ELEM_INT);
	ck_assert_int_eq(add(n, x)->elem, ELEM_REAL);
	ck_assert_int_eq(add(b, b)->elem, ELEM_INT);
	ck_assert_int_eq(ex2(g, EX_DIV, n, integer(2))->elem, ELEM_REAL);
	ck_assert_int_eq(ex1(g, EX_EXP, n)->elem, ELEM_REAL);
	ck_assert_int_eq(ex1(g, EX_ABS, n)->elem, ELEM_INT);
	ck_assert_int_eq(ex1(g, EX_ISNAN, x)->elem, ELEM_BOOL);
	ck_assert_int_eq(ex_select(g, b, n, x)->elem, ELEM_REAL);
	ck_assert_ptr_eq(add(x, integer(2)), add(x, real(2)));
	ck_assert_str_eq(text_of(ex2(g, EX_FLOORDIV, x, real(2))), "floor(x[i] / 2)");
	ck_assert_str_eq(text_of(ex2(g, EX_MOD, x, integer(2))), "x[i] - 2 * floor(x[i] / 2)");
}
END_TEST

START_TEST(reads_with_known_subscripts)
{
	struct tensor *w = TENSOR("w", ELEM_REAL, 3), *n = TENSOR("n", ELEM_INT, 3), *table;
	struct axis axis[] = {{2, false}, {2, false}};

	table = graph_tensor(g, ROLE_DATA, "table", ELEM_REAL, false, 2, axis, nowhere);
	table->data = (double[]){1, 2, 3, 4};
	ck_assert_ptr_eq(ex_read(g, w, (struct expr *[]){integer(3)}, integer(7)), real(7));
	ck_assert_ptr_eq(ex_read(g, w, (struct expr *[]){integer(2)}, integer(7)), READ(w, integer(2)));
	ck_assert_ptr_eq(READ(table, integer(1), integer(0)), real(3));
	ck_assert_int_eq(ex_read(g, n, (struct expr *[]){i}, real(0.5))->elem, ELEM_REAL);
	ck_assert_int_eq(ex_read(g, n, (struct expr *[]){i}, ex_bool(g, false))->elem, ELEM_INT);
}
END_TEST

/* ---- ranges ---- */

static void range_is(struct expr *e, int64_t low, int64_t high)
{
	struct range r;

	ck_assert_msg(range_of(e, indices, &r), "%s has no range", text_of(e));
	ck_assert_msg(r.low == low && r.high == high, "%s: %d to %d", text_of(e), (int)r.low, (int)r.high);
}

START_TEST(ranges)
{
	struct range r;
	struct tensor *label = TENSOR("label", ELEM_INT, I), *n = TENSOR("n", ELEM_INT, I), *table;
	struct axis axis[] = {{3, false}};
	struct expr *any = READ(n, i);

	label->classes = 10;
	table = graph_tensor(g, ROLE_DATA, "table", ELEM_INT, false, 1, axis, nowhere);
	table->data = (double[]){4, -2, 7};
	range_is(sub(add(mul(integer(2), i), j), integer(1)), -1, 2 * (I - 1) + J - 2);
	range_is(READ(label, i), 0, 9);
	range_is(READ(table, k), -2, 7);
	range_is(ex_read(g, label, (struct expr *[]){sub(i, integer(1))}, integer(-5)), -5, 9);
	range_is(mul(sub(i, integer(2)), READ(label, i)), -18, 9);
	range_is(ex2(g, EX_FLOORDIV, sub(i, integer(3)), integer(2)), -2, 0);
	range_is(ex2(g, EX_MOD, any, integer(5)), 0, 4);
	range_is(ex2(g, EX_MOD, any, integer(-5)), -4, 0);
	range_is(ex2(g, EX_MAX, ex2(g, EX_MIN, any, integer(9)), integer(0)), 0, 9); /* clamp */
	range_is(ex1(g, EX_ABS, sub(i, integer(3))), 0, 3);
	range_is(ex_select(g, ex2(g, EX_LT, any, integer(2)), i, integer(-7)), -7, I - 1);
	range_is(ex1(g, EX_TO_INT, ex2(g, EX_LT, any, integer(2))), 0, 1);
	ck_assert(!range_of(any, indices, &r));
	ck_assert(!range_of(mul(integer(INT64_MAX), mul(READ(label, i), i)), indices, &r));
	ck_assert(!range_of(ex_run(g, RUN_STEP), indices, &r));
}
END_TEST

/* ---- rewriting ---- */

START_TEST(substitution)
{
	struct tensor *w = TENSOR("w", ELEM_REAL, I, J);
	struct expr *e = mul(READ(w, i, add(j, k)), ex1(g, EX_EXP, READ(w, k, j)));
	struct expr *swap[] = {j, i}, *shift[] = {NULL, sub(k, integer(1)), NULL};

	ck_assert_str_eq(text_of(ex_substitute(g, e, swap, 2)), "w[j, i + k] * exp(w[k, i])");
	ck_assert_ptr_eq(ex_substitute(g, ex_substitute(g, e, swap, 2), swap, 2), e);
	ck_assert_str_eq(text_of(ex_substitute(g, e, shift, 3)), "w[i, 2*k - 1] * exp(w[k, k - 1])");
	ck_assert_ptr_eq(ex_substitute(g, e, NULL, 0), e);
}
END_TEST

START_TEST(deep_and_shared_expressions)
{
	struct tensor *w = TENSOR("w", ELEM_REAL, I, J);
	struct expr *chain = READ(w, i, j), *shared = chain, *swap[] = {j, i}, *to;

	for (int n = 0; n < 100000; n++)
		chain = add(chain, mul(real(n + 2), READ(w, i, j)));
	to = ex_substitute(g, chain, swap, 2);
	ck_assert_ptr_eq(ex_substitute(g, to, swap, 2), chain);
	ck_assert_ptr_ne(to, chain);
	for (int n = 0; n < 1000; n++) /* 2^1000 reads */
		shared = mul(shared, shared);
	to = ex_substitute(g, shared, swap, 2);
	ck_assert_ptr_eq(ex_substitute(g, to, swap, 2), shared);
	ck_assert_uint_lt(strlen(text_of(shared)), 100000); /* ends in dots */
	ck_assert_uint_gt(strlen(text_of(chain)), 1000);
}
END_TEST

static struct expr *twice(void *user, struct expr *read) { return read->tensor == user ? mul(real(2), read) : NULL; }

START_TEST(reads_are_mapped)
{
	struct tensor *w = TENSOR("w", ELEM_REAL, I), *n = TENSOR("n", ELEM_INT, I);
	struct expr *e = add(READ(w, READ(n, i)), READ(w, j));

	n->classes = I;
	ck_assert_str_eq(text_of(ex_map_reads(g, e, twice, w)), "2 * w[n[i]] + 2 * w[j]");
	ck_assert_ptr_eq(ex_map_reads(g, e, twice, NULL), e);
}
END_TEST

/* ---- random expressions keep their values ---- */

struct sample {
	struct expr *e;
	double at[POINTS];
};

static unsigned random_state;

static int pick(int n)
{
	random_state = random_state * 1103515245u + 12345u;
	return (int)(random_state >> 16) % n;
}

static double rounded_down(double a, double b) { return floor(a / b); }

/* What an operator means, in plain arithmetic. */
static double meaning(enum ex op, double a, double b)
{
	switch (op) {
	case EX_ADD: return a + b;
	case EX_SUB: return a - b;
	case EX_MUL: return a * b;
	case EX_FLOORDIV: return rounded_down(a, b);
	case EX_MOD: return a - b * rounded_down(a, b);
	case EX_MIN: return b < a ? b : a;
	case EX_MAX: return b > a ? b : a;
	case EX_LT: return a < b;
	case EX_LE: return a <= b;
	case EX_EQ: return a == b;
	case EX_NE: return a != b;
	case EX_AND: return a && b;
	case EX_OR: return a || b;
	case EX_NEG: return -a;
	case EX_ABS: return fabs(a);
	case EX_NOT: return !a;
	default: return a; /* conversions of whole numbers */
	}
}

static bool fits(const struct sample *s)
{
	for (int p = 0; p < POINTS; p++)
		if (fabs(s->at[p]) > 1e6)
			return false;
	return true;
}

/* One more expression from those there are; its numbers are whole, so that arithmetic is exact. */
static struct sample grow(const struct sample *pool, int n)
{
	static const enum ex ops[] = {EX_ADD, EX_SUB, EX_MUL, EX_ADD,	   EX_SUB, EX_MUL,     EX_MIN,
				      EX_MAX, EX_LT,  EX_LE,  EX_EQ,	   EX_NE,  EX_AND,     EX_OR,
				      EX_NEG, EX_ABS, EX_NOT, EX_FLOORDIV, EX_MOD, EX_TO_REAL, EX_SELECT};
	const struct sample *a = &pool[pick(n)], *b = &pool[pick(n)], *c = &pool[pick(n)];
	enum ex op = ops[pick(sizeof ops / sizeof *ops)];
	int divisor = 1 + pick(4);
	struct sample out;

	if (op == EX_SELECT) {
		out.e = ex_select(g, c->e, a->e, b->e);
		for (int p = 0; p < POINTS; p++)
			out.at[p] = c->at[p] != 0 ? a->at[p] : b->at[p];
		return out;
	}
	if (op == EX_FLOORDIV || op == EX_MOD) {
		out.e = ex2(g, op, a->e, integer(divisor));
		for (int p = 0; p < POINTS; p++)
			out.at[p] = meaning(op, a->at[p], divisor);
		return out;
	}
	if (op == EX_NEG || op == EX_ABS || op == EX_NOT || op == EX_TO_REAL)
		out.e = ex1(g, op, a->e);
	else
		out.e = ex2(g, op, a->e, b->e);
	for (int p = 0; p < POINTS; p++)
		out.at[p] = meaning(op, a->at[p], b->at[p]);
	return fits(&out) ? out : *a;
}

static void check_sample(struct interpreter *in, const struct sample *s)
{
	struct axis axis[] = {{I, false}, {J, false}, {K, false}};
	struct tensor *t = graph_tensor(g, ROLE_VALUE, "t", s->e->elem, false, 3, axis, nowhere);
	struct equation *eq = graph_equation(g, t, RED_NONE, 3, 3, indices, s->e, nowhere);
	equation_list list = {0};
	struct range r;
	bool ranged = s->e->elem == ELEM_INT && range_of(s->e, indices, &r);

	list_add(&ctx.arena, &list, eq);
	interpret(in, &list);
	ck_assert_msg(!in->fault, "%s: %s", text_of(s->e), in->fault);
	for (int p = 0; p < POINTS; p++) {
		ck_assert_msg((double)tensor_values(in, t)[p] == s->at[p], "%s at %d, %d, %d is %g, not %g",
			      text_of(s->e), p / K / J, p / K % J, p % K, (double)tensor_values(in, t)[p], s->at[p]);
		ck_assert_msg(!ranged || (s->at[p] >= (double)r.low && s->at[p] <= (double)r.high),
			      "%s is out of range", text_of(s->e));
	}
}

/* The leaves that random expressions start from. */
static int make_leaves(struct interpreter *in, struct sample *pool)
{
	struct tensor *x = TENSOR("x", ELEM_REAL, I, J), *label = TENSOR("label", ELEM_INT, K);
	int n = 0;

	label->classes = 5;
	for (int v = -3; v <= 3; v++) {
		pool[n].e = v % 2 ? integer(v) : real(v);
		for (int p = 0; p < POINTS; p++)
			pool[n].at[p] = v;
		n++;
	}
	for (int s = 0; s < 3; s++) {
		pool[n].e = ex_index(g, s);
		for (int p = 0; p < POINTS; p++)
			pool[n].at[p] = s == 0 ? p / K / J : s == 1 ? p / K % J : p % K;
		n++;
	}
	for (int p = 0; p < I * J; p++)
		tensor_values(in, x)[p] = p % 7 - 3;
	for (int p = 0; p < K; p++)
		tensor_values(in, label)[p] = (p * 3 + 1) % 5;
	pool[n].e = READ(x, i, j);
	pool[n + 1].e = READ(label, k);
	for (int p = 0; p < POINTS; p++) {
		pool[n].at[p] = p / K % 7 - 3;
		pool[n + 1].at[p] = (p % K * 3 + 1) % 5;
	}
	return n + 2;
}

START_TEST(random_expressions_keep_their_values)
{
	enum { SIZE = 120 };
	struct sample *pool = arena_array(&ctx.arena, SIZE, sizeof *pool);
	struct interpreter in;
	int n;

	random_state = (unsigned)_i * 7919u + 1;
	interpreter_init(&in, g, 1);
	for (n = make_leaves(&in, pool); n < SIZE; n++) {
		pool[n] = grow(pool, n);
		check_sample(&in, &pool[n]);
	}
	for (int s = 0; s < n; s++) { /* i and k exchanged and back */
		struct expr *swap[] = {k, NULL, i};

		ck_assert_ptr_eq(ex_substitute(g, ex_substitute(g, pool[s].e, swap, 3), (struct expr *[]){k, j, i}, 3),
				 ex_substitute(g, pool[s].e, (struct expr *[]){i, j, k}, 3));
	}
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("graph");

	tcase_add_checked_fixture(tests, start, finish);
	tcase_add_test(tests, names_are_made_unique);
	tcase_add_test(tests, renaming_frees_the_name);
	tcase_add_test(tests, sizes);
	tcase_add_test(tests, equal_expressions_are_one);
	tcase_add_test(tests, order_is_ignored_where_it_does_not_matter);
	tcase_add_test(tests, slots_are_kept);
	tcase_add_test(tests, affine_forms_are_canonical);
	tcase_add_test(tests, affine_overflow_is_left_alone);
	tcase_add_test(tests, neutral_elements_vanish);
	tcase_add_test(tests, signs_come_out);
	tcase_add_test(tests, types_are_settled);
	tcase_add_test(tests, reads_with_known_subscripts);
	tcase_add_test(tests, ranges);
	tcase_add_test(tests, substitution);
	tcase_add_test(tests, deep_and_shared_expressions);
	tcase_add_test(tests, reads_are_mapped);
	tcase_add_loop_test(tests, random_expressions_keep_their_values, 0, 60);
	return run_tests("graph", (TCase *[]){tests, NULL});
}
