/* chain.c - the chain rule and the simplifier against finite differences, through the interpreter.
 *
 * A net is a few equations made by hand that end in a loss. Its gradients, as differentiate_loss makes them, are
 * compared with five-point differences in long double, once as they come and once simplified; then the derivative of a
 * random combination of the gradients is, by the same pass run on its own output. */
#include "graph.h"
#include "interpret.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 13, ROWS = 3 }; /* no other extent is BATCH */

/* ---- making nets ---- */

struct net {
	struct context ctx;
	jmp_buf unwind;
	struct graph *g;
	struct expr *slot[8];
	char messages[1000];
};

static void keep_message(void *user, const nnc_message *m)
{
	struct net *net = user;

	strncat(net->messages, m->text, sizeof net->messages - strlen(net->messages) - 2);
	strcat(net->messages, "\n");
}

static void start(struct net *net)
{
	static const nnc_options defaults = {0};
	nnc_options *options;

	memset(net, 0, sizeof *net);
	arena_init(&net->ctx.arena, NULL, NULL);
	net->ctx.arena.unwind = &net->unwind;
	options = arena_alloc(&net->ctx.arena, sizeof *options);
	*options = defaults;
	options->report = keep_message;
	options->user = net;
	net->ctx.options = options;
	net->g = graph_new(&net->ctx, "net", NULL, BATCH);
	for (int s = 0; s < 8; s++)
		net->slot[s] = ex_index(net->g, s);
}

static void finish(struct net *net) { arena_free(&net->ctx.arena); }

/* Extents of a tensor; a batch is written BATCH and comes first. */
#define EXTENTS(...)                                                                                                   \
	(int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]) { __VA_ARGS__ }

static struct tensor *add_tensor(struct net *net, enum role role, enum elem elem, const char *name, int rank,
				 const int *extent)
{
	struct axis axis[8];
	bool batched = rank > 0 && extent[0] == BATCH;

	for (int d = 0; d < rank; d++)
		axis[d] = (struct axis){extent[d], batched && d == 0};
	return graph_tensor(net->g, role, name, elem, batched, rank, axis, (struct span){0});
}

/* A trained param, its initial value and its gradient. */
static struct tensor *add_param(struct net *net, const char *name, int rank, const int *extent)
{
	struct tensor *t = add_tensor(net, ROLE_PARAM, ELEM_REAL, name, rank, extent);
	struct tensor *grad = graph_tensor(net->g, ROLE_GRAD, arena_printf(&net->ctx.arena, "%s.grad", name), ELEM_REAL,
					   false, rank, t->axis, t->at);
	struct index index[8];

	grad->of = t;
	list_add(&net->ctx.arena, &net->g->grads, grad);
	for (int d = 0; d < rank; d++)
		index[d] = (struct index){arena_printf(&net->ctx.arena, "i%d", d), extent[d], false};
	list_add(&net->ctx.arena, &net->g->part[PART_INIT],
		 graph_equation(net->g, t, RED_NONE, rank, rank, index, ex_num(net->g, 0), t->at));
	return t;
}

static struct tensor *add_classes(struct net *net, const char *name, int classes, int rank, const int *extent)
{
	struct tensor *t = add_tensor(net, ROLE_INPUT, ELEM_INT, name, rank, extent);

	t->classes = classes;
	return t;
}

/* The tensor of a new equation whose first nfree indices are free; the indices that run over the batch have extent
 * BATCH. */
static struct tensor *add_equation(struct net *net, const char *name, enum reducer red, int nfree, struct expr *value,
				   int n, const int *extent)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "p", "q"};
	enum elem elem = red == RED_ARGMAX || red == RED_ARGMIN ? ELEM_INT : value->elem;
	struct tensor *t = add_tensor(net, ROLE_VALUE, elem, name, nfree, extent);
	struct index index[8];
	int batch = 0;

	for (int p = 0; p < n; p++) {
		index[p] = (struct index){names[p], extent[p], extent[p] == BATCH};
		if (index[p].rows && !batch++)
			index[p].name = "batch";
	}
	if (red == RED_ARGMAX || red == RED_ARGMIN)
		t->classes = extent[nfree];
	list_add(&net->ctx.arena, &net->g->part[PART_FORWARD],
		 graph_equation(net->g, t, red, nfree, n, index, value, (struct span){0}));
	return t;
}

/* A value for each sample that a param scales: x[batch, i] = x.input[batch, i] * x.scale[i] */
static struct tensor *add_value(struct net *net, const char *name, int rank, const int *extent)
{
	struct tensor *input, *scale;
	struct expr *at[8];

	input = add_tensor(net, ROLE_INPUT, ELEM_REAL, arena_printf(&net->ctx.arena, "%s.input", name), rank, extent);
	scale = add_param(net, arena_printf(&net->ctx.arena, "%s.scale", name), rank - 1, extent + 1);
	for (int d = 0; d < rank; d++)
		at[d] = ex_index(net->g, d);
	return add_equation(net, name, RED_NONE, rank,
			    ex2(net->g, EX_MUL, ex_read(net->g, input, at, NULL), ex_read(net->g, scale, at + 1, NULL)),
			    rank, extent);
}

/* y = eq(red, nfree, value, extents...) */
#define eq(name, red, nfree, value, ...) add_equation(net, name, red, nfree, value, EXTENTS(__VA_ARGS__))
#define param(name, ...) add_param(net, name, EXTENTS(__VA_ARGS__))
#define value(name, ...) add_value(net, name, EXTENTS(__VA_ARGS__))
#define classes(name, n, ...) add_classes(net, name, n, EXTENTS(__VA_ARGS__))
#define scalar(name) add_param(net, name, 0, NULL)
#define rd0(t) ex_read(net->g, t, NULL, NULL)
#define rd(t, ...) ex_read(net->g, t, (struct expr *[]){__VA_ARGS__}, NULL)
#define rd_else(t, e, ...) ex_read(net->g, t, (struct expr *[]){__VA_ARGS__}, e)
#define S(s) (net->slot[s])
#define I(n) ex_int(net->g, n)
#define N(x) ex_num(net->g, x)
#define add(a, b) ex2(net->g, EX_ADD, a, b)
#define sub(a, b) ex2(net->g, EX_SUB, a, b)
#define mul(a, b) ex2(net->g, EX_MUL, a, b)
#define divide(a, b) ex2(net->g, EX_DIV, a, b)
#define op1(op, a) ex1(net->g, op, a)
#define op2(op, a, b) ex2(net->g, op, a, b)

/* The loss: sum of y*sin(y) over all elements. */
static void add_loss(struct net *net, struct tensor *y)
{
	struct expr *at[8], *e;
	int extent[8];
	struct goal goal = {.name = "loss"};

	for (int d = 0; d < y->rank; d++) {
		at[d] = S(d);
		extent[d] = (int)y->axis[d].extent;
	}
	e = ex_read(net->g, y, at, NULL);
	goal.value = add_equation(net, "loss", RED_SUM, 0, mul(e, op1(EX_SIN, e)), y->rank, extent);
	for (int i = 0; i < net->g->grads.n; i++)
		list_add(&net->ctx.arena, &goal.params, net->g->grads.item[i]->of);
	net->g->loss = goal.value;
	list_add(&net->ctx.arena, &net->g->goals, goal);
}

/* ---- running them ---- */

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state += 0x9E3779B97F4A7C15u;
	uint64_t z = random_state;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

static int below(int n) { return (int)(next_random() % (uint64_t)n); }

static number random_number(void) { return (number)(next_random() >> 11) / 4503599627370496.0L - 1; }

static void fill_leaves(struct interpreter *in)
{
	for (int i = 0; i < in->g->tensors.n; i++) {
		const struct tensor *t = in->g->tensors.item[i];

		if (t->role != ROLE_INPUT && t->role != ROLE_PARAM)
			continue;
		for (int64_t k = 0; k < tensor_size(t); k++)
			tensor_values(in, t)[k] = strncmp(t->name, "zero", 4) == 0 ? 0
						  : t->elem == ELEM_REAL	   ? random_number()
										   : (number)below((int)t->classes);
	}
}

static number run_loss(struct interpreter *in, const equation_list *eqs, const struct tensor *loss)
{
	interpret(in, eqs);
	return tensor_values(in, loss)[0];
}

/* d loss / d *x by differences over five points. */
static number difference(struct interpreter *in, const equation_list *eqs, const struct tensor *loss, number *x)
{
	const number h = 5e-4L, old = *x;
	number at[4];

	for (int i = 0; i < 4; i++) {
		*x = old + h * (number[]){-2, -1, 1, 2}[i];
		at[i] = run_loss(in, eqs, loss);
	}
	*x = old;
	run_loss(in, eqs, loss);
	return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h);
}

/* The greatest difference between a gradient and finite differences, relative to its largest element. */
static number worst_error(struct interpreter *in, const equation_list *eqs, const struct tensor *loss,
			  const struct tensor *x, const struct tensor *grad)
{
	number worst = 0, largest = 1e-3L;
	int64_t n = tensor_size(x);

	for (int64_t i = 0; i < n; i++) {
		number d = difference(in, eqs, loss, &tensor_values(in, x)[i]);
		number error = fabsl(d - (grad ? tensor_values(in, grad)[i] : 0));

		largest = fmaxl(largest, fabsl(d));
		worst = isnan(error) ? INFINITY : fmaxl(worst, error);
	}
	return worst / largest;
}

static void check_gradients(struct net *net, struct interpreter *in, const char *what)
{
	struct graph *g = net->g;

	interpret(in, &g->part[PART_FORWARD]);
	interpret(in, &g->part[PART_BACKWARD]);
	ck_assert_msg(!in->fault, "%s: %s", what, in->fault);
	for (int i = 0; i < g->grads.n; i++) {
		const struct tensor *grad = g->grads.item[i];
		number worst = worst_error(in, &g->part[PART_FORWARD], g->loss, grad->of, grad);

		ck_assert_msg(worst < 1e-8L, "%s: %s is off by %.2Le", what, grad->name, worst);
	}
}

/* The derivative of a random combination of all gradients, by the chain rule run on its own output. */
static void check_second(struct net *net, struct interpreter *in, const char *what)
{
	struct graph *g = net->g;
	equation_list all = {0};
	struct tensor *wrt[8], *grad[8], *total = NULL;
	int n = g->grads.n;

	for (int p = PART_FORWARD; p <= PART_BACKWARD; p++)
		for (int i = 0; i < g->part[p].n; i++)
			list_add(&net->ctx.arena, &all, g->part[p].item[i]);
	for (int i = 0; i < n; i++) {
		struct tensor *d = g->grads.item[i], *weight, *part;
		int extent[8];
		struct expr *at[8];

		wrt[i] = d->of;
		for (int a = 0; a < d->rank; a++) {
			extent[a] = (int)d->axis[a].extent;
			at[a] = S(a);
		}
		weight = add_tensor(net, ROLE_INPUT, ELEM_REAL, "direction", d->rank, extent);
		for (int64_t k = 0; k < tensor_size(weight); k++)
			tensor_values(in, weight)[k] = random_number();
		part = add_equation(net, "product", RED_SUM, 0,
				    mul(ex_read(g, d, at, NULL), ex_read(g, weight, at, NULL)), d->rank, extent);
		list_add(&net->ctx.arena, &all, g->part[PART_FORWARD].item[--g->part[PART_FORWARD].n]);
		if (!total) {
			total = part;
			continue;
		}
		total = add_equation(net, "total", RED_NONE, 0, add(rd0(total), rd0(part)), 0, NULL);
		list_add(&net->ctx.arena, &all, g->part[PART_FORWARD].item[--g->part[PART_FORWARD].n]);
	}
	equation_list second = {0};

	differentiate(g, &all, total, wrt, n, ".second", &second, grad);
	interpret(in, &all);
	interpret(in, &second);
	ck_assert_msg(!in->fault, "%s: %s", what, in->fault);
	for (int i = 0; i < n; i++) {
		number worst = worst_error(in, &all, total, wrt[i], grad[i]);

		ck_assert_msg(worst < 1e-7L, "%s: the second derivative by %s is off by %.2Le", what, wrt[i]->name,
			      worst);
	}
}

typedef void make_net(struct net *net);

static const char *show(struct net *net)
{
	struct text text = {.arena = &net->ctx.arena};

	print_graph(net->g, &text);
	return text.at;
}

static void check_verified(struct net *net, const char *what)
{
	const char *broken = verify(net->g);

	if (broken)
		fprintf(stderr, "%s", show(net));
	ck_assert_msg(!broken, "%s: %s", what, broken);
}

static void check_net(const char *name, make_net *make)
{
	struct net net;
	struct interpreter in;

	start(&net);
	if (setjmp(net.unwind))
		ck_abort_msg("out of memory");
	make(&net);
	ck_assert_msg(differentiate_loss(net.g), "%s: %s", name, net.messages);
	if (getenv("CHAIN_SHOW"))
		printf("---- %s\n%s", name, show(&net));
	interpreter_init(&in, net.g, ROWS);
	fill_leaves(&in);
	check_verified(&net, name);
	check_gradients(&net, &in, name);
	check_second(&net, &in, name);
	simplify(net.g);
	if (getenv("CHAIN_SHOW"))
		printf("---- %s, simplified\n%s", name, show(&net));
	check_verified(&net, name);
	check_gradients(&net, &in, name);
	finish(&net);
}

/* ---- nets ---- */

static void dense(struct net *net)
{
	struct tensor *w = param("w", 5, 6), *c = param("c", 5), *x = value("x", BATCH, 6);
	struct tensor *z = eq("z", RED_SUM, 2, mul(rd(w, S(1), S(2)), rd(x, S(0), S(2))), BATCH, 5, 6);

	add_loss(net, eq("y", RED_NONE, 2, op1(EX_TANH, add(rd(z, S(0), S(1)), rd(c, S(1)))), BATCH, 5));
}

/* One convolution: y[batch, o, i] = sum[a, u] w[o, a, u] * x[batch, a, i*stride + u*dilation - pad else 0] */
static void convolve(struct net *net, int stride, int pad, int window, int dilation, int n)
{
	int out = (n + 2 * pad - dilation * (window - 1) - 1) / stride + 1;
	struct tensor *w = param("w", 2, 3, window), *x = value("x", BATCH, 3, n);
	struct expr *place = sub(add(mul(I(stride), S(2)), mul(I(dilation), S(4))), I(pad));
	struct expr *value = mul(rd(w, S(1), S(3), S(4)), rd_else(x, N(0), S(0), S(3), place));

	add_loss(net, eq("y", RED_SUM, 3, value, BATCH, 2, out, 3, window));
}

static void conv_same(struct net *net) { convolve(net, 1, 2, 5, 1, 6); }
static void conv_strided(struct net *net) { convolve(net, 2, 1, 3, 1, 7); }
static void conv_apart(struct net *net) { convolve(net, 3, 0, 2, 1, 8); }
static void conv_dilated(struct net *net) { convolve(net, 2, 2, 3, 2, 9); }
static void conv_patches(struct net *net) { convolve(net, 2, 0, 2, 1, 6); }

static void conv_2d(struct net *net)
{
	struct tensor *w = param("w", 3, 3), *x = param("x", 5, 5);
	struct expr *row = sub(add(mul(I(2), S(0)), S(2)), I(1)), *column = sub(add(S(1), S(3)), I(1));

	add_loss(net, eq("y", RED_SUM, 2, mul(rd(w, S(2), S(3)), rd_else(x, N(0), row, column)), 3, 5, 3, 3));
}

static void pool(struct net *net, enum reducer red, int stride, int window)
{
	int out = (7 - window) / stride + 1;
	struct tensor *x = value("x", BATCH, 7, 7);
	struct expr *row = add(mul(I(stride), S(1)), S(3)), *column = add(mul(I(stride), S(2)), S(4));

	add_loss(net, eq("y", red, 3, rd(x, S(0), row, column), BATCH, out, out, window, window));
}

static void pool_apart(struct net *net) { pool(net, RED_MAX, 2, 2); }
static void pool_each(struct net *net) { pool(net, RED_MIN, 1, 3); }
static void pool_overlapping(struct net *net) { pool(net, RED_MAX, 2, 3); }

static void pool_padded(struct net *net)
{
	struct tensor *x = value("x", BATCH, 7);

	add_loss(net, eq("y", RED_MAX, 2, rd_else(x, N(-INFINITY), S(0), sub(add(mul(I(2), S(1)), S(2)), I(1))), BATCH,
			 4, 3));
}

/* max[k] of a product: the winner decides for factors with and without k */
static void max_of_product(struct net *net)
{
	struct tensor *x = value("x", BATCH, 5), *w = param("w", 3, 5, 2), *s = param("s", 3);
	struct expr *value = mul(mul(rd(x, S(0), S(2)), rd(w, S(1), S(2), S(3))), rd(s, S(1)));

	add_loss(net, eq("y", RED_MAX, 2, value, BATCH, 3, 5, 2));
}

static void max_of_all(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3, 5);
	struct tensor *top = eq("top", RED_MAX, 1, rd(x, S(1), S(0), S(2)), 3, BATCH, 5);

	add_loss(net, eq("y", RED_NONE, 1, op1(EX_EXP, rd(top, S(0))), 3));
}

/* the winner of a gather */
static void max_of_gather(struct net *net)
{
	struct tensor *w = param("w", 5, 2), *ids = classes("ids", 5, BATCH, 3);

	add_loss(net, eq("y", RED_MAX, 2, rd(w, rd(ids, S(0), S(2)), S(1)), BATCH, 2, 3));
}

static void embedding(struct net *net)
{
	struct tensor *w = param("w", 5, 2), *s = param("s", 2), *ids = classes("ids", 5, BATCH, 6);

	add_loss(net, eq("y", RED_NONE, 3, mul(rd(w, rd(ids, S(0), S(1)), S(2)), rd(s, S(2))), BATCH, 6, 2));
}

/* a gather inside a contraction: the scatter adds what was summed apart */
static void embedding_dense(struct net *net)
{
	struct tensor *w = param("w", 5, 2), *v = param("v", 3, 2), *ids = classes("ids", 5, BATCH);

	add_loss(net, eq("y", RED_SUM, 2, mul(rd(w, rd(ids, S(0)), S(2)), rd(v, S(1), S(2))), BATCH, 3, 2));
}

/* a gather that may leave its tensor */
static void embedding_guarded(struct net *net)
{
	struct tensor *w = param("w", 5), *ids = classes("ids", 9, BATCH, 6), *c = scalar("c");

	add_loss(net, eq("y", RED_NONE, 2, rd_else(w, mul(rd0(c), N(3)), sub(rd(ids, S(0), S(1)), I(2))), BATCH, 6));
}

static void cross_entropy(struct net *net)
{
	struct tensor *x = value("x", BATCH, 5), *label = classes("label", 5, BATCH);
	struct tensor *top = eq("top", RED_MAX, 1, rd(x, S(0), S(1)), BATCH, 5);
	struct tensor *total = eq("total", RED_SUM, 1, op1(EX_EXP, sub(rd(x, S(0), S(1)), rd(top, S(0)))), BATCH, 5);
	struct expr *own = rd(x, S(0), rd(label, S(0)));

	add_loss(net, eq("nll", RED_NONE, 1, sub(add(op1(EX_LOG, rd(total, S(0))), rd(top, S(0))), own), BATCH));
}

static void softmax(struct net *net)
{
	struct tensor *x = value("x", BATCH, 5);
	struct tensor *top = eq("top", RED_MAX, 1, rd(x, S(0), S(1)), BATCH, 5);
	struct expr *shifted = sub(rd(x, S(0), S(1)), op1(EX_STOP, rd(top, S(0))));
	struct tensor *e = eq("e", RED_NONE, 2, op1(EX_EXP, shifted), BATCH, 5);
	struct tensor *total = eq("total", RED_SUM, 1, rd(e, S(0), S(1)), BATCH, 5);

	add_loss(net, eq("y", RED_NONE, 2, divide(rd(e, S(0), S(1)), rd(total, S(0))), BATCH, 5));
}

/* running a mean over the rows present, as batch normalisation does */
static void batch_norm(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3), *weight = param("weight", 3);
	struct expr *rows = ex_real(net->g, ex_run(net->g, RUN_ROWS));
	struct tensor *sum = eq("sum", RED_SUM, 1, rd(x, S(1), S(0)), 3, BATCH);
	struct tensor *mean = eq("mean", RED_NONE, 1, divide(rd(sum, S(0)), rows), 3);
	struct expr *centred = sub(rd(x, S(1), S(0)), rd(mean, S(0)));
	struct tensor *square = eq("square", RED_SUM, 1, op2(EX_POW, centred, N(2)), 3, BATCH);
	struct tensor *variance = eq("variance", RED_NONE, 1, divide(rd(square, S(0)), rows), 3);
	struct expr *deviation = op2(EX_POW, add(rd(variance, S(1)), N(1e-2)), N(-0.5));

	centred = sub(rd(x, S(0), S(1)), rd(mean, S(1)));
	add_loss(net, eq("y", RED_NONE, 2, mul(mul(centred, deviation), rd(weight, S(1))), BATCH, 3));
}

/* two factors of row 0 are 0, one of the others */
static void product_with_zeros(struct net *net)
{
	struct tensor *x = value("x", BATCH, 5), *w = param("w", 5), *zero = scalar("zero"), *zeros = param("zeros", 5);
	struct expr *first = op2(EX_AND, op2(EX_EQ, S(1), I(4)), op2(EX_EQ, S(0), I(0)));
	struct expr *value = op2(EX_MAX, mul(rd(x, S(0), S(1)), rd(w, S(1))), N(-0.2));

	value = ex_select(net->g, op2(EX_EQ, S(1), I(2)), rd0(zero), value);
	value = ex_select(net->g, first, mul(rd(zeros, S(1)), N(3)), value);
	add_loss(net, eq("y", RED_PROD, 1, value, BATCH, 5));
}

static void product_of_rows(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3);

	add_loss(net, eq("y", RED_PROD, 1, rd(x, S(1), S(0)), 3, BATCH));
}

static void diagonal(struct net *net)
{
	struct tensor *x = param("x", 5, 5);
	struct expr *sum = add(rd(x, I(2), S(0)), rd(x, S(0), sub(I(4), S(0))));

	add_loss(net, eq("y", RED_NONE, 1, mul(rd(x, S(0), S(0)), sum), 5));
}

static void autocorrelation(struct net *net)
{
	struct tensor *x = param("x", 6);

	add_loss(net, eq("y", RED_SUM, 1, mul(rd(x, S(1)), rd_else(x, N(0), add(S(1), S(0)))), 5, 6));
}

static void hankel(struct net *net)
{
	struct tensor *x = param("x", 6), *v = param("v", 2);

	add_loss(net, eq("y", RED_SUM, 1, mul(rd(x, add(S(0), S(1))), rd(v, S(1))), 5, 2));
}

static void skew(struct net *net)
{
	struct tensor *x = param("x", 5, 5), *v = param("v", 3);
	struct expr *read = rd(x, add(S(0), S(1)), add(sub(S(0), S(1)), I(2)));

	add_loss(net, eq("y", RED_SUM, 1, mul(read, rd(v, S(1))), 3, 3));
}

static void every_second(struct net *net)
{
	struct tensor *x = param("x", 14), *v = param("v", 3);
	struct tensor *y = eq("y", RED_NONE, 1, rd(x, mul(I(2), S(0))), 7);
	struct tensor *z = eq("z", RED_NONE, 1, rd(v, mul(I(2), S(0))), 2);

	add_loss(net, eq("outer", RED_NONE, 2, mul(rd(y, S(0)), rd(z, S(1))), 7, 2));
}

static void one_row(struct net *net)
{
	struct tensor *x = param("x", 20, 2), *w = param("w", 3, 2);

	add_loss(net, eq("y", RED_NONE, 1, mul(rd(x, I(17), S(0)), rd(w, I(1), S(0))), 2));
}

static void upsample(struct net *net)
{
	struct tensor *x = param("x", 3), *v = param("v", 5);
	struct tensor *y = eq("y", RED_NONE, 1, rd(x, op2(EX_FLOORDIV, S(0), I(2))), 6);
	struct tensor *z = eq("z", RED_NONE, 1, rd(v, op2(EX_FLOORDIV, S(0), I(3))), 14); /* 14 is no multiple of 3 */

	add_loss(net, eq("outer", RED_NONE, 2, mul(rd(y, S(0)), rd(z, S(1))), 6, 14));
}

/* y[c, i, j] = x[(c*2 + i % 2)*2 + j % 2, i // 2, j // 2] */
static void pixel_shuffle(struct net *net)
{
	struct tensor *x = param("x", 8, 3, 2);
	struct expr *in_row = op2(EX_MOD, S(1), I(2)), *in_column = op2(EX_MOD, S(2), I(2));
	struct expr *channel = add(mul(I(2), add(mul(I(2), S(0)), in_row)), in_column);

	add_loss(net, eq("y", RED_NONE, 3, rd(x, channel, op2(EX_FLOORDIV, S(1), I(2)), op2(EX_FLOORDIV, S(2), I(2))),
			 2, 6, 4));
}

/* groups of heads: three digits of one index */
static void digits(struct net *net)
{
	struct tensor *x = param("x", 2, 3, 2), *w = param("w", 12);
	struct expr *middle = op2(EX_MOD, op2(EX_FLOORDIV, S(0), I(2)), I(3));
	struct expr *read = rd(x, op2(EX_FLOORDIV, S(0), I(6)), middle, op2(EX_MOD, S(0), I(2)));

	add_loss(net, eq("y", RED_NONE, 1, mul(read, rd(w, S(0))), 12));
}

/* a subscript that no digits make affine */
static void unsolvable(struct net *net)
{
	struct tensor *x = param("x", 6), *v = param("v", 7);
	struct expr *place = op2(EX_FLOORDIV, mul(I(3), S(0)), I(4)), *apart = op1(EX_ABS, sub(S(0), I(3)));

	add_loss(net, eq("y", RED_NONE, 1, mul(rd(x, place), rd(v, op2(EX_MIN, apart, I(6)))), 7));
}

static void transposed_convolution(struct net *net)
{
	struct tensor *x = param("x", 5), *w = param("w", 3);
	struct expr *place = add(sub(S(0), mul(I(2), S(1))), I(1));

	add_loss(net, eq("y", RED_SUM, 1, mul(rd(x, S(1)), rd_else(w, N(0), place)), 8, 5));
}

static void else_is_a_tensor(struct net *net)
{
	struct tensor *x = param("x", 5), *c = scalar("c"), *v = param("v", 5);
	struct expr *outside = mul(rd0(c), rd_else(v, N(1), sub(S(0), I(3))));

	add_loss(net, eq("y", RED_NONE, 1, mul(rd_else(x, outside, sub(S(0), I(1))), rd(x, S(0))), 5));
}

/* two steps of a gated cell: shared weights, states that read states */
static void gated_cell(struct net *net)
{
	struct tensor *x = value("x", BATCH, 2, 2), *h = value("h0", BATCH, 3), *w[3], *u[3], *gate[3];

	for (int k = 0; k < 3; k++) {
		w[k] = param("w", 3, 2);
		u[k] = param("u", 3, 3);
	}
	for (int t = 0; t < 2; t++) {
		struct expr *r, *z, *n;

		for (int k = 0; k < 3; k++) {
			struct tensor *in =
				eq("in", RED_SUM, 2, mul(rd(w[k], S(1), S(2)), rd(x, S(0), I(t), S(2))), BATCH, 3, 2);
			struct tensor *back =
				eq("back", RED_SUM, 2, mul(rd(u[k], S(1), S(2)), rd(h, S(0), S(2))), BATCH, 3, 3);
			struct expr *from = rd(back, S(0), S(1)), *to = rd(in, S(0), S(1));

			to = add(to, k == 2 ? mul(rd(gate[0], S(0), S(1)), from) : from);
			to = k == 2 ? op1(EX_TANH, to) : divide(N(1), add(N(1), op1(EX_EXP, op1(EX_NEG, to))));
			gate[k] = eq("gate", RED_NONE, 2, to, BATCH, 3);
		}
		r = rd(h, S(0), S(1));
		z = rd(gate[1], S(0), S(1));
		n = rd(gate[2], S(0), S(1));
		h = eq("h", RED_NONE, 2, add(mul(sub(N(1), z), n), mul(z, r)), BATCH, 3);
	}
	add_loss(net, h);
}

/* every function of one number, inside its domain */
static void functions(struct net *net)
{
	static const enum ex all[] = {EX_EXP,	 EX_LOG,  EX_LOG1P, EX_EXPM1, EX_SIN,  EX_COS,	EX_TAN,
				      EX_ASIN,	 EX_ACOS, EX_ATAN,  EX_SINH,  EX_COSH, EX_TANH, EX_ERF,
				      EX_ERFINV, EX_SQRT, EX_ABS,   EX_SIGN,  EX_FLOOR};
	struct tensor *x = param("x", 5);
	struct expr *total = N(0);

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct expr *in = add(mul(N(0.1), rd(x, S(0))), N(0.3 + 0.01 * (double)i));
		struct tensor *alone = eq("alone", RED_NONE, 1, op1(all[i], in), 5);

		total = add(total, mul(op1(all[i], mul(in, in)), op1(EX_SIN, rd(alone, S(0)))));
	}
	add_loss(net, eq("y", RED_NONE, 1, total, 5));
}

static void operators(struct net *net)
{
	struct tensor *x = param("x", 5), *v = param("v", 5);
	struct expr *a = add(rd(x, S(0)), N(1.5)), *b = add(rd(v, S(0)), N(2)), *total;

	total = add(op2(EX_POW, a, b), add(op2(EX_POW, a, N(3)), op2(EX_POW, b, N(-1.5))));
	total = sub(total, add(op2(EX_MOD, a, b), mul(op2(EX_MIN, a, b), op2(EX_MAX, a, N(1.4)))));
	total = add(total, ex_select(net->g, op2(EX_LT, a, b), mul(a, b), op1(EX_LOG, a)));
	total = add(total, op2(EX_POW, N(2), divide(a, op1(EX_NEG, b))));
	add_loss(net, eq("y", RED_NONE, 1, add(total, mul(ex_real(net->g, S(0)), a)), 5));
}

/* select(c, sqrt(x), ..) where the other side has no derivative */
static void sides_not_taken(struct net *net)
{
	struct tensor *x = param("x", 7), *v = param("v", 7);
	struct expr *e = rd(x, S(0)), *safe = op2(EX_LT, N(0), e);
	struct expr *root = ex_select(net->g, safe, mul(op1(EX_SQRT, e), rd(v, S(0))), N(0));
	struct expr *log = ex_select(net->g, safe, N(0), op1(EX_LOG, op1(EX_NEG, e)));

	add_loss(net, eq("y", RED_NONE, 1, add(root, mul(divide(log, add(N(3), e)), rd(v, S(0)))), 7));
}

static void views(struct net *net)
{
	struct tensor *x = param("x", 5, 6), *w = param("w", 3, 10), *y, *v[2];

	y = eq("y", RED_NONE, 2, mul(rd(x, S(0), S(1)), rd(x, S(0), sub(I(5), S(1)))), 5, 6);
	for (int i = 0; i < 2; i++) {
		struct equation *view;

		v[i] = add_tensor(net, ROLE_VIEW, ELEM_REAL, "flat", 2, (int[]){3, 10});
		v[i]->of = i ? x : y;
		view = graph_equation(net->g, v[i], RED_NONE, 0, 0, NULL, NULL, (struct span){0});
		view->kind = EQ_VIEW;
		list_add(&net->ctx.arena, &net->g->part[PART_FORWARD], view);
	}
	add_loss(net,
		 eq("z", RED_SUM, 1, mul(mul(rd(v[0], S(0), S(1)), rd(v[1], S(0), S(1))), rd(w, S(0), S(1))), 3, 10));
}

static void dropout(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3), *w = param("w", 3);
	struct expr *keep = op2(EX_LT, ex_draw(net->g, DRAW_UNIFORM, "dropout"), N(0.7));
	struct expr *noise = ex_draw(net->g, DRAW_NORMAL, "noise");
	struct expr *value = mul(ex_select(net->g, keep, rd(x, S(0), S(1)), N(0)), rd(w, S(1)));

	add_loss(net, eq("y", RED_NONE, 2, add(value, mul(noise, mul(rd(w, S(1)), rd(w, S(1))))), BATCH, 3));
}

/* similarity of all pairs of samples */
static void pairs(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3), *s, *w = param("w", 3);
	struct axis axis[2] = {{BATCH, true}, {BATCH, true}};
	struct index index[3] = {{"batch", BATCH, true}, {"other", BATCH, true}, {"k", 3, false}};
	struct expr *value = mul(mul(rd(x, S(0), S(2)), rd(x, S(1), S(2))), rd(w, S(2)));

	s = graph_tensor(net->g, ROLE_VALUE, "s", ELEM_REAL, true, 2, axis, (struct span){0});
	list_add(&net->ctx.arena, &net->g->part[PART_FORWARD],
		 graph_equation(net->g, s, RED_SUM, 2, 3, index, value, s->at));
	add_loss(net, eq("y", RED_SUM, 1, op1(EX_TANH, rd(s, S(0), S(1))), BATCH, BATCH));
}

/* sums that do not use their index, and means */
static void unused_indices(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3), *c = scalar("c"), *v = param("v", 2);
	struct tensor *y = eq("y", RED_SUM, 1, mul(rd(x, S(0), I(1)), rd0(c)), BATCH, 3, 5);

	add_loss(net, eq("z", RED_SUM, 1, mul(rd(v, S(0)), rd(y, S(1))), 2, BATCH, 3));
}

static const struct {
	const char *name;
	make_net *make;
} nets[] = {
	{"dense", dense},
	{"convolution, same size", conv_same},
	{"convolution, stride 2", conv_strided},
	{"convolution, windows apart", conv_apart},
	{"convolution, stride 2, dilation 2", conv_dilated},
	{"convolution, patches", conv_patches},
	{"convolution, 2d", conv_2d},
	{"pool, windows apart", pool_apart},
	{"pool, stride 1", pool_each},
	{"pool, overlapping", pool_overlapping},
	{"pool, padded with -inf", pool_padded},
	{"max of a product", max_of_product},
	{"max over the batch", max_of_all},
	{"max of a gather", max_of_gather},
	{"embedding", embedding},
	{"embedding inside a contraction", embedding_dense},
	{"embedding, guarded", embedding_guarded},
	{"cross-entropy", cross_entropy},
	{"softmax", softmax},
	{"batch normalisation", batch_norm},
	{"product", product_with_zeros},
	{"product over the batch", product_of_rows},
	{"diagonal and constant row", diagonal},
	{"autocorrelation", autocorrelation},
	{"hankel", hankel},
	{"skew subscripts", skew},
	{"every second", every_second},
	{"one row", one_row},
	{"upsampling", upsample},
	{"pixel shuffle", pixel_shuffle},
	{"digits", digits},
	{"subscripts that cannot be solved", unsolvable},
	{"transposed convolution", transposed_convolution},
	{"else is a tensor", else_is_a_tensor},
	{"gated cell", gated_cell},
	{"functions", functions},
	{"operators", operators},
	{"sides not taken", sides_not_taken},
	{"views", views},
	{"draws", dropout},
	{"pairs of samples", pairs},
	{"unused indices", unused_indices},
};

START_TEST(test_net)
{
	random_state = 1000 + (uint64_t)_i;
	check_net(nets[_i].name, nets[_i].make);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chain");
	TCase *tc = tcase_create("gradients");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, test_net, 0, (int)(sizeof nets / sizeof *nets));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
