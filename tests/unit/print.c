/* print.c - the text of a graph reads back as the same graph.
 *
 * The same text twice is not enough: a missing parenthesis would give one text for two graphs. So for random
 * expressions both graphs are run by the interpreter and must have the same values. */
#include "expr.h"
#include "interpret.h"
#include "suite.h"
#include "syntax.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { I = 3, J = 4, K = 2 };

static struct context ctx;
static jmp_buf unwind;
static char messages[4000];
static const struct span nowhere;
static const struct index indices[] = {{"i", I, false}, {"j", J, false}, {"k", K, false}};

static void keep_message(void *user, const nnc_message *m)
{
	size_t n = strlen(messages);

	(void)user;
	snprintf(messages + n, sizeof messages - n, "%d:%d: %s: %s\n", m->line, m->column, m->text,
		 m->source_line ? m->source_line : "");
}

static void start(void)
{
	static const nnc_options options = {.report = keep_message, .prefix = "net"};

	ctx = (struct context){.options = &options};
	messages[0] = 0;
	arena_init(&ctx.arena, NULL, NULL);
	ctx.arena.unwind = &unwind;
}

static void finish(void) { arena_free(&ctx.arena); }

static const char *print(struct graph *g)
{
	struct text text = {.arena = &ctx.arena};

	print_graph(g, &text);
	return text.at;
}

static struct graph *read_text(const char *text)
{
	const struct source *src = add_source(&ctx, "graph.nn", text, strlen(text), false);
	const struct node *tree = parse_source(&ctx, src);
	struct graph *g = tree ? elaborate(&ctx, tree, src) : NULL;

	ck_assert_msg(g && !ctx.errors, "%.800s", messages);
	ck_assert_msg(!verify(g), "%s", verify(g));
	return g;
}

/* Shows the first line that differs only. */
static void same_text(const char *a, const char *b)
{
	const char *x = a, *y = b;

	for (const char *p = a, *q = b; *p && *p == *q; p++, q++)
		if (*p == '\n')
			x = p + 1, y = q + 1;
	ck_assert_msg(strcmp(a, b) == 0, "\n%.*s\nread back:\n%.*s", (int)strcspn(x, "\n"), x, (int)strcspn(y, "\n"),
		      y);
}

/* ---- every construct ---- */

static void stays(const char *text) { same_text(print(read_text(text)), text); }

START_TEST(declarations)
{
	struct graph *g =
		read_text("input x[4], flag: bool\nparam w = 1, v[2] = 1\n"
			  "part init {\nw = 1.0\nv[i < 2] = 0.5 }\npart inference { y[batch] = x[batch, 0] }\n"
			  "output y = y\ntrain none() batch=7\n");

	same_text(print(g), "# graph of net\ninput x[4]\ninput flag: bool\nparam w\nparam v[2]\n"
			    "part init {\n\tw = 1.0\n\tv[i < 2] = 0.5\n}\n"
			    "part inference {\n\ty[batch] = x[batch, 0]\n}\noutput y = y\ntrain none() batch=7\n");
}
END_TEST

/* As above, but each on a line of its own, as it is printed. */
START_TEST(all_constructs)
{
	stays("# graph of net\n"
	      "input x[4]\n"
	      "input count: int\n"
	      "target label: class[3]\n"
	      "setting rate = 0.5\n"
	      "param w[3, 4]\n"
	      "param b[3]\n"
	      "frozen param scale\n"
	      "state h[batch, 3]\n"
	      "state n: int\n"
	      "state w.m[3, 4]\n"
	      "state mean_of_b ~ optimizer(\"m\", b)\n"
	      "const table[2, 2] = [[1, -0.5],\n\t[inf, 0]]\n"
	      "const pick[3]: class[4] = [3, 0, 1]\n"
	      "const mask[3]: bool = [yes, no, yes]\n"
	      "part init {\n"
	      "\tw[i < 3, j < 4] = draw_normal(\"w.init\") * rate\n"
	      "\tb[i < 3] = 0.0\n"
	      "\tscale = 1.0\n"
	      "\th[batch, i < 3] = 0.0\n"
	      "\tn = 0\n"
	      "\tw.m[i < 3, j < 4] = 0.0\n"
	      "\tmean_of_b = 0.0\n"
	      "}\n"
	      "part forward {\n"
	      "\ty[batch, i] = sum[j] w[i, j] * x[batch, j]\n"
	      "\tz[batch, i] = max(y[batch, i] + b[i], 0)\n"
	      "\tshifted[batch, i < 5] = z[batch, i - 1 else -inf]\n"
	      "\tflat[batch, q < 1, r < 3] = view(z)[batch, q, r]\n"
	      "\tbest[batch] = argmax[i] flat[batch, 0, i]\n"
	      "\tsame[batch] = best[batch]\n"
	      "\tcapped[batch] = class(min(best[batch], 1), 5)\n"
	      "\tchosen[batch] = x[batch, pick[best[batch]]] * table[capped[batch] // 4, 1] * mask[best[batch]]\n"
	      "\tfirst[batch] = class(min[i < 3] best[batch] // (i + 1), 4)\n"
	      "\tover[i] = max[batch] z[batch, i]\n"
	      "\tnear[batch, r < nrows] = abs(count[batch] - count[r])\n"
	      "\tcorner[batch, i, j] = (if i < j and not (i == 0 or j == 1) then x[batch, 2*i + j] else table[i, j])^2\n"
	      "\tevery[batch, i < 4] = -i // 2 * i % 3\n"
	      "\tscan t < 6 {\n"
	      "\t\tg[batch, t < 6, i < 3] = tanh(z[batch, i] + g[batch, t - 1, i else h[batch, i]])\n"
	      "\t\tscan s < 2 {\n"
	      "\t\t\tdeep[batch, t < 6, s < 2] = deep[batch, t, s - 1 else g[batch, t, 0]] * g[batch, t, 1]\n"
	      "\t\t}\n"
	      "\t}\n"
	      "\tscan t < 6, reverse = yes {\n"
	      "\t\tback[batch, t < 6] = g[batch, t, 2] + back[batch, t + 1 else 0]\n"
	      "\t}\n"
	      "\th'[batch, i] = tanh(h[batch, i] + z[batch, i])\n"
	      "\tn' = n + 1\n"
	      "\ttotal.sum = sum[batch, i] (y[batch, i] - h'[batch, i])^2 / (1 + nrows)\n"
	      "\ttotal = total.sum + step % 3 * rate - nrows / 2^over[0]\n"
	      "\tloss total\n"
	      "}\n"
	      "loss loss = total\n"
	      "train graph(\"sgd(lr=0.1)\") epochs=3 steps=7 batch=5 clip=1.5 seed=9\n");
}
END_TEST

/* ---- random expressions ---- */

static unsigned random_state;

static int pick(int n)
{
	random_state = random_state * 1103515245u + 12345u;
	return (int)(random_state >> 16) % n;
}

struct leaves {
	struct tensor *x, *s, *label, *flag;
};

static struct expr *leaf(struct graph *g, const struct leaves *l)
{
	struct expr *i = ex_index(g, 0), *j = ex_index(g, 1), *k = ex_index(g, 2);

	switch (pick(12)) {
	case 0: return ex_num(g, pick(9) - 4);
	case 1: return ex_num(g, (pick(9) - 4) / 8.0);
	case 2: return ex_int(g, pick(9) - 4);
	case 3: return i;
	case 4: return j;
	case 5: return ex_read(g, l->x, (struct expr *[]){i, j}, NULL);
	case 6:
		return ex_read(g, l->x, (struct expr *[]){ex2(g, EX_SUB, i, k), ex2(g, EX_ADD, j, k)},
			       ex_int(g, pick(3)));
	case 7: return ex_read(g, l->label, (struct expr *[]){k}, NULL);
	case 8: return ex_read(g, l->flag, (struct expr *[]){k}, NULL);
	case 9: return ex_read(g, l->s, NULL, NULL);
	case 10: return ex_bool(g, pick(2));
	default: return ex_num(g, pick(2) ? INFINITY : -0.0);
	}
}

static struct expr *random_expr(struct graph *g, const struct leaves *l, int depth)
{
	static const enum ex ops[] = {EX_ADD,	  EX_SUB,    EX_MUL,	EX_DIV,	     EX_ADD,   EX_SUB,	EX_MUL,
				      EX_DIV,	  EX_POW,    EX_MIN,	EX_MAX,	     EX_LT,    EX_LE,	EX_EQ,
				      EX_NE,	  EX_AND,    EX_OR,	EX_FLOORDIV, EX_MOD,   EX_NEG,	EX_NOT,
				      EX_ABS,	  EX_EXP,    EX_SIN,	EX_SQRT,     EX_FLOOR, EX_SIGN, EX_ISNAN,
				      EX_TO_REAL, EX_TO_INT, EX_SELECT, EX_NEG,	     EX_STOP};
	enum ex op = ops[pick(sizeof ops / sizeof *ops)];
	struct expr *a, *b;

	if (depth == 0 || pick(8) == 0)
		return leaf(g, l);
	a = random_expr(g, l, depth - 1);
	b = random_expr(g, l, depth - 1);
	if (op == EX_SELECT)
		return ex_select(g, random_expr(g, l, depth - 1), a, b);
	if (op == EX_TO_INT) /* of a real that has a value as an integer */
		return ex1(g, EX_TO_INT, ex1(g, EX_SIGN, a));
	if ((op == EX_FLOORDIV || op == EX_MOD) && a->elem != ELEM_REAL && b->elem != ELEM_REAL)
		return ex2(g, op, a, ex_int(g, 1 + pick(4)));
	return op >= EX_ADD && op <= EX_OR && op != EX_NEG ? ex2(g, op, a, b) : ex1(g, op, a);
}

static struct tensor *add_param(struct graph *g, const char *name, enum elem elem, int rank, const struct axis *axis)
{
	enum role role = elem == ELEM_REAL ? ROLE_PARAM : ROLE_FROZEN;
	struct tensor *t = graph_tensor(g, role, name, elem, false, rank, axis, nowhere);
	struct index index[] = {{"i", rank > 0 ? axis[0].extent : 0, false},
				{"j", rank > 1 ? axis[1].extent : 0, false}};
	struct expr *zero = elem == ELEM_REAL ? ex_num(g, 0) : elem == ELEM_INT ? ex_int(g, 0) : ex_bool(g, false);

	list_add(&ctx.arena, &g->part[PART_INIT], graph_equation(g, t, RED_NONE, rank, rank, index, zero, nowhere));
	return t;
}

/* A model whose outputs are random expressions of four params. */
static struct graph *random_graph(int outputs)
{
	struct graph *g = graph_new(&ctx, "net", NULL, 5);
	struct axis axis[] = {{I, false}, {J, false}, {K, false}};
	struct leaves l = {add_param(g, "x", ELEM_REAL, 2, axis), add_param(g, "s", ELEM_REAL, 0, NULL),
			   add_param(g, "label", ELEM_INT, 1, axis + 2), add_param(g, "flag", ELEM_BOOL, 1, axis + 2)};

	l.label->classes = 4;
	for (int n = 0; n < outputs; n++) {
		struct expr *e = random_expr(g, &l, 2 + n);
		enum reducer red = pick(3) ? RED_NONE : RED_SUM;
		int nfree = red == RED_NONE ? 3 : 1 + pick(2);
		struct tensor *t;

		if (red == RED_SUM && e->elem == ELEM_BOOL)
			e = ex1(g, EX_TO_INT, e);
		t = graph_tensor(g, ROLE_VALUE, "t", e->elem, false, nfree, axis, nowhere);
		list_add(&ctx.arena, &g->part[PART_INFERENCE],
			 graph_equation(g, t, red, nfree, 3, indices, e, nowhere));
		list_add(&ctx.arena, &g->outputs, (struct output){t->name, t});
	}
	return g;
}

static struct interpreter *run(struct graph *g)
{
	static const char *const names[] = {"x", "s", "label", "flag"};
	struct interpreter *in = arena_alloc(&ctx.arena, sizeof *in);

	interpreter_init(in, g, 5);
	for (int n = 0; n < 4; n++) {
		struct tensor *t = table_get(&g->names, names[n]);

		for (int64_t p = 0; p < tensor_size(t); p++)
			tensor_values(in, t)[p] = n == 3 ? p % 2 : n == 2 ? (p + 2) % 4 : (number)(p * 7 % 11) / 4 - 1;
	}
	interpret(in, &g->part[PART_INFERENCE]);
	return in;
}

static void same_values(struct graph *a, struct graph *b, const char *text)
{
	struct interpreter *x = run(a), *y = run(b);

	ck_assert_msg(!x->fault == !y->fault, "%s: %.1000s", text, x->fault ? x->fault : y->fault);
	ck_assert_int_eq(a->outputs.n, b->outputs.n);
	for (int n = 0; n < a->outputs.n && !x->fault; n++) {
		struct tensor *s = a->outputs.item[n].value, *t = b->outputs.item[n].value;

		ck_assert_int_eq(tensor_size(s), tensor_size(t));
		ck_assert_int_eq(s->elem, t->elem);
		for (int64_t p = 0; p < tensor_size(s); p++) {
			number u = tensor_values(x, s)[p], v = tensor_values(y, t)[p];

			ck_assert_msg(u == v || (isnan(u) && isnan(v)), "%s is %Lg, and %Lg read back, in\n%.1000s",
				      s->name, u, v, text);
		}
	}
}

START_TEST(random_expressions_read_back)
{
	struct graph *g, *back;
	const char *text;

	random_state = (unsigned)_i * 104729u + 5;
	g = random_graph(3);
	ck_assert_msg(!verify(g), "%s", verify(g));
	text = print(g);
	back = read_text(text);
	same_text(text, print(back));
	same_values(g, back, text);
}
END_TEST

/* ---- names and numbers ---- */

static const char *expr_text(struct graph *g, const struct expr *e)
{
	struct text text = {.arena = &ctx.arena};

	print_expr(g, e, indices, &text);
	return text.at;
}

START_TEST(literals)
{
	struct graph *g = graph_new(&ctx, "net", NULL, 5);
	struct expr *i = ex_index(g, 0), *x = ex_draw(g, DRAW_UNIFORM, "a\"b\\c\n");

	ck_assert_str_eq(expr_text(g, ex_num(g, 2)), "2.0");
	ck_assert_str_eq(expr_text(g, ex_num(g, -0.0)), "-0.0");
	ck_assert_str_eq(expr_text(g, ex_num(g, -INFINITY)), "-inf");
	ck_assert_str_eq(expr_text(g, ex_num(g, NAN)), "(inf - inf)");
	ck_assert_str_eq(expr_text(g, ex_int(g, INT64_MIN)), "(-9223372036854775807 - 1)");
	ck_assert_str_eq(expr_text(g, ex_bool(g, true)), "yes");
	ck_assert_str_eq(expr_text(g, x), "draw_uniform(\"a\\\"b\\\\c\\n\")");
	ck_assert_str_eq(expr_text(g, ex2(g, EX_POW, ex2(g, EX_MUL, ex_num(g, -2), x), ex_num(g, -1))),
			 "(-2 * draw_uniform(\"a\\\"b\\\\c\\n\"))^-1");
	ck_assert_str_eq(expr_text(g, ex2(g, EX_ADD, ex_real(g, i), ex_num(g, 2))), "i + 2.0");
	ck_assert_str_eq(expr_text(g, ex2(g, EX_DIV, i, ex_num(g, 2))), "i / 2");
}
END_TEST

START_TEST(indices_do_not_take_the_names_of_tensors)
{
	struct graph *g = graph_new(&ctx, "net", NULL, 5);
	struct axis axis[] = {{5, true}, {I, false}, {J, false}};
	struct index index[] = {{"n", 5, true}, {"i", I, false}, {"sum", J, false}, {"i", 5, true}};
	struct tensor *x = graph_tensor(g, ROLE_INPUT, "i", ELEM_REAL, true, 3, axis, nowhere);
	struct tensor *t = graph_tensor(g, ROLE_VALUE, "t", ELEM_REAL, true, 3, axis, nowhere);
	struct expr *subs[] = {ex_index(g, 3), ex_index(g, 1), ex_index(g, 2)};
	struct equation *eq = graph_equation(g, t, RED_SUM, 3, 4, index, ex_read(g, x, subs, NULL), nowhere);
	struct text text = {.arena = &ctx.arena};

	print_equation(g, eq, &text);
	ck_assert_str_eq(text.at, "t[batch, i2, sum2] = sum[i3 < nrows] i[i3, i2, sum2]");
}
END_TEST

START_TEST(dot)
{
	struct graph *g = random_graph(3);
	struct text text = {.arena = &ctx.arena};

	print_dot(g, &text);
	ck_assert_ptr_nonnull(strstr(text.at, "digraph net {\n"));
	ck_assert_ptr_nonnull(strstr(text.at, "subgraph cluster_inference {\n"));
	ck_assert_ptr_nonnull(strstr(text.at, "[label=\"x\\n[3, 4]\", shape=box, style=filled"));
	ck_assert_str_eq(text.at + text.n - 2, "}\n");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("print");

	tcase_add_checked_fixture(tests, start, finish);
	tcase_add_test(tests, declarations);
	tcase_add_test(tests, all_constructs);
	tcase_add_test(tests, literals);
	tcase_add_test(tests, indices_do_not_take_the_names_of_tensors);
	tcase_add_test(tests, dot);
	tcase_add_loop_test(tests, random_expressions_read_back, 0, 300);
	return run_tests("print", (TCase *[]){tests, NULL});
}
