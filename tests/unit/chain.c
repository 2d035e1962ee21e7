/* chain.c - the chain rule and the simplifier on nets of every kind: first and second derivatives against finite
 * differences, before and after simplification (nets.c). */
#include "nets.h"
#include "suite.h"

#include <math.h>

static void dense(struct net *net)
{
	struct tensor *w = param("w", 5, 6), *c = param("c", 5), *x = value("x", BATCH, 6);
	struct tensor *z = eq("z", RED_SUM, 2, mul(rd(w, S(1), S(2)), rd(x, S(0), S(2))), BATCH, 5, 6);

	net_loss(net, eq("y", RED_NONE, 2, op1(EX_TANH, add(rd(z, S(0), S(1)), rd(c, S(1)))), BATCH, 5));
}

/* One convolution: y[batch, o, i] = sum[a, u] w[o, a, u] * x[batch, a, i*stride + u*dilation - pad else 0] */
static void convolve(struct net *net, int stride, int pad, int window, int dilation, int n)
{
	int out = (n + 2 * pad - dilation * (window - 1) - 1) / stride + 1;
	struct tensor *w = param("w", 2, 3, window), *x = value("x", BATCH, 3, n);
	struct expr *place = sub(add(mul(I(stride), S(2)), mul(I(dilation), S(4))), I(pad));
	struct expr *value = mul(rd(w, S(1), S(3), S(4)), rd_else(x, N(0), S(0), S(3), place));

	net_loss(net, eq("y", RED_SUM, 3, value, BATCH, 2, out, 3, window));
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

	net_loss(net, eq("y", RED_SUM, 2, mul(rd(w, S(2), S(3)), rd_else(x, N(0), row, column)), 3, 5, 3, 3));
}

static void pool(struct net *net, enum reducer red, int stride, int window)
{
	int out = (7 - window) / stride + 1;
	struct tensor *x = value("x", BATCH, 7, 7);
	struct expr *row = add(mul(I(stride), S(1)), S(3)), *column = add(mul(I(stride), S(2)), S(4));

	net_loss(net, eq("y", red, 3, rd(x, S(0), row, column), BATCH, out, out, window, window));
}

static void pool_apart(struct net *net) { pool(net, RED_MAX, 2, 2); }
static void pool_each(struct net *net) { pool(net, RED_MIN, 1, 3); }
static void pool_overlapping(struct net *net) { pool(net, RED_MAX, 2, 3); }

static void pool_padded(struct net *net)
{
	struct tensor *x = value("x", BATCH, 7);

	net_loss(net, eq("y", RED_MAX, 2, rd_else(x, N(-INFINITY), S(0), sub(add(mul(I(2), S(1)), S(2)), I(1))), BATCH,
			 4, 3));
}

/* max[k] of a product: the winner decides for factors with and without k */
static void max_of_product(struct net *net)
{
	struct tensor *x = value("x", BATCH, 5), *w = param("w", 3, 5, 2), *s = param("s", 3);
	struct expr *value = mul(mul(rd(x, S(0), S(2)), rd(w, S(1), S(2), S(3))), rd(s, S(1)));

	net_loss(net, eq("y", RED_MAX, 2, value, BATCH, 3, 5, 2));
}

static void max_of_all(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3, 5);
	struct tensor *top = eq("top", RED_MAX, 1, rd(x, S(1), S(0), S(2)), 3, BATCH, 5);

	net_loss(net, eq("y", RED_NONE, 1, op1(EX_EXP, rd(top, S(0))), 3));
}

/* the winner of a gather */
static void max_of_gather(struct net *net)
{
	struct tensor *w = param("w", 5, 2), *ids = classes("ids", 5, BATCH, 3);

	net_loss(net, eq("y", RED_MAX, 2, rd(w, rd(ids, S(0), S(2)), S(1)), BATCH, 2, 3));
}

static void embedding(struct net *net)
{
	struct tensor *w = param("w", 5, 2), *s = param("s", 2), *ids = classes("ids", 5, BATCH, 6);

	net_loss(net, eq("y", RED_NONE, 3, mul(rd(w, rd(ids, S(0), S(1)), S(2)), rd(s, S(2))), BATCH, 6, 2));
}

/* a gather inside a contraction: the scatter adds what was summed apart */
static void embedding_dense(struct net *net)
{
	struct tensor *w = param("w", 5, 2), *v = param("v", 3, 2), *ids = classes("ids", 5, BATCH);

	net_loss(net, eq("y", RED_SUM, 2, mul(rd(w, rd(ids, S(0)), S(2)), rd(v, S(1), S(2))), BATCH, 3, 2));
}

/* a gather that may leave its tensor */
static void embedding_guarded(struct net *net)
{
	struct tensor *w = param("w", 5), *ids = classes("ids", 9, BATCH, 6), *c = scalar("c");

	net_loss(net, eq("y", RED_NONE, 2, rd_else(w, mul(rd0(c), N(3)), sub(rd(ids, S(0), S(1)), I(2))), BATCH, 6));
}

static void cross_entropy(struct net *net)
{
	struct tensor *x = value("x", BATCH, 5), *label = classes("label", 5, BATCH);
	struct tensor *top = eq("top", RED_MAX, 1, rd(x, S(0), S(1)), BATCH, 5);
	struct tensor *total = eq("total", RED_SUM, 1, op1(EX_EXP, sub(rd(x, S(0), S(1)), rd(top, S(0)))), BATCH, 5);
	struct expr *own = rd(x, S(0), rd(label, S(0)));

	net_loss(net, eq("nll", RED_NONE, 1, sub(add(op1(EX_LOG, rd(total, S(0))), rd(top, S(0))), own), BATCH));
}

static void softmax(struct net *net)
{
	struct tensor *x = value("x", BATCH, 5);
	struct tensor *top = eq("top", RED_MAX, 1, rd(x, S(0), S(1)), BATCH, 5);
	struct expr *shifted = sub(rd(x, S(0), S(1)), op1(EX_STOP, rd(top, S(0))));
	struct tensor *e = eq("e", RED_NONE, 2, op1(EX_EXP, shifted), BATCH, 5);
	struct tensor *total = eq("total", RED_SUM, 1, rd(e, S(0), S(1)), BATCH, 5);

	net_loss(net, eq("y", RED_NONE, 2, divide(rd(e, S(0), S(1)), rd(total, S(0))), BATCH, 5));
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
	net_loss(net, eq("y", RED_NONE, 2, mul(mul(centred, deviation), rd(weight, S(1))), BATCH, 3));
}

/* two factors of row 0 are 0, one of the others */
static void product_with_zeros(struct net *net)
{
	struct tensor *x = value("x", BATCH, 5), *w = param("w", 5), *zero = scalar("zero"), *zeros = param("zeros", 5);
	struct expr *first = op2(EX_AND, op2(EX_EQ, S(1), I(4)), op2(EX_EQ, S(0), I(0)));
	struct expr *value = op2(EX_MAX, mul(rd(x, S(0), S(1)), rd(w, S(1))), N(-0.2));

	value = ex_select(net->g, op2(EX_EQ, S(1), I(2)), rd0(zero), value);
	value = ex_select(net->g, first, mul(rd(zeros, S(1)), N(3)), value);
	net_loss(net, eq("y", RED_PROD, 1, value, BATCH, 5));
}

static void product_of_rows(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3);

	net_loss(net, eq("y", RED_PROD, 1, rd(x, S(1), S(0)), 3, BATCH));
}

static void diagonal(struct net *net)
{
	struct tensor *x = param("x", 5, 5);
	struct expr *sum = add(rd(x, I(2), S(0)), rd(x, S(0), sub(I(4), S(0))));

	net_loss(net, eq("y", RED_NONE, 1, mul(rd(x, S(0), S(0)), sum), 5));
}

static void autocorrelation(struct net *net)
{
	struct tensor *x = param("x", 6);

	net_loss(net, eq("y", RED_SUM, 1, mul(rd(x, S(1)), rd_else(x, N(0), add(S(1), S(0)))), 5, 6));
}

static void hankel(struct net *net)
{
	struct tensor *x = param("x", 6), *v = param("v", 2);

	net_loss(net, eq("y", RED_SUM, 1, mul(rd(x, add(S(0), S(1))), rd(v, S(1))), 5, 2));
}

static void skew(struct net *net)
{
	struct tensor *x = param("x", 5, 5), *v = param("v", 3);
	struct expr *read = rd(x, add(S(0), S(1)), add(sub(S(0), S(1)), I(2)));

	net_loss(net, eq("y", RED_SUM, 1, mul(read, rd(v, S(1))), 3, 3));
}

static void every_second(struct net *net)
{
	struct tensor *x = param("x", 14), *v = param("v", 3);
	struct tensor *y = eq("y", RED_NONE, 1, rd(x, mul(I(2), S(0))), 7);
	struct tensor *z = eq("z", RED_NONE, 1, rd(v, mul(I(2), S(0))), 2);

	net_loss(net, eq("outer", RED_NONE, 2, mul(rd(y, S(0)), rd(z, S(1))), 7, 2));
}

static void one_row(struct net *net)
{
	struct tensor *x = param("x", 20, 2), *w = param("w", 3, 2);

	net_loss(net, eq("y", RED_NONE, 1, mul(rd(x, I(17), S(0)), rd(w, I(1), S(0))), 2));
}

static void upsample(struct net *net)
{
	struct tensor *x = param("x", 3), *v = param("v", 5);
	struct tensor *y = eq("y", RED_NONE, 1, rd(x, op2(EX_FLOORDIV, S(0), I(2))), 6);
	struct tensor *z = eq("z", RED_NONE, 1, rd(v, op2(EX_FLOORDIV, S(0), I(3))), 14); /* 14 is no multiple of 3 */

	net_loss(net, eq("outer", RED_NONE, 2, mul(rd(y, S(0)), rd(z, S(1))), 6, 14));
}

/* y[c, i, j] = x[(c*2 + i % 2)*2 + j % 2, i // 2, j // 2] */
static void pixel_shuffle(struct net *net)
{
	struct tensor *x = param("x", 8, 3, 2);
	struct expr *in_row = op2(EX_MOD, S(1), I(2)), *in_column = op2(EX_MOD, S(2), I(2));
	struct expr *channel = add(mul(I(2), add(mul(I(2), S(0)), in_row)), in_column);

	net_loss(net, eq("y", RED_NONE, 3, rd(x, channel, op2(EX_FLOORDIV, S(1), I(2)), op2(EX_FLOORDIV, S(2), I(2))),
			 2, 6, 4));
}

/* groups of heads: three digits of one index */
static void digits(struct net *net)
{
	struct tensor *x = param("x", 2, 3, 2), *w = param("w", 12);
	struct expr *middle = op2(EX_MOD, op2(EX_FLOORDIV, S(0), I(2)), I(3));
	struct expr *read = rd(x, op2(EX_FLOORDIV, S(0), I(6)), middle, op2(EX_MOD, S(0), I(2)));

	net_loss(net, eq("y", RED_NONE, 1, mul(read, rd(w, S(0))), 12));
}

/* a subscript that no digits make affine */
static void unsolvable(struct net *net)
{
	struct tensor *x = param("x", 6), *v = param("v", 7);
	struct expr *place = op2(EX_FLOORDIV, mul(I(3), S(0)), I(4)), *apart = op1(EX_ABS, sub(S(0), I(3)));

	net_loss(net, eq("y", RED_NONE, 1, mul(rd(x, place), rd(v, op2(EX_MIN, apart, I(6)))), 7));
}

static void transposed_convolution(struct net *net)
{
	struct tensor *x = param("x", 5), *w = param("w", 3);
	struct expr *place = add(sub(S(0), mul(I(2), S(1))), I(1));

	net_loss(net, eq("y", RED_SUM, 1, mul(rd(x, S(1)), rd_else(w, N(0), place)), 8, 5));
}

static void else_is_a_tensor(struct net *net)
{
	struct tensor *x = param("x", 5), *c = scalar("c"), *v = param("v", 5);
	struct expr *outside = mul(rd0(c), rd_else(v, N(1), sub(S(0), I(3))));

	net_loss(net, eq("y", RED_NONE, 1, mul(rd_else(x, outside, sub(S(0), I(1))), rd(x, S(0))), 5));
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
	net_loss(net, h);
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
	net_loss(net, eq("y", RED_NONE, 1, total, 5));
}

static void operators(struct net *net)
{
	struct tensor *x = param("x", 5), *v = param("v", 5);
	struct expr *a = add(rd(x, S(0)), N(1.5)), *b = add(rd(v, S(0)), N(2)), *total;

	total = add(op2(EX_POW, a, b), add(op2(EX_POW, a, N(3)), op2(EX_POW, b, N(-1.5))));
	total = sub(total, add(op2(EX_MOD, a, b), mul(op2(EX_MIN, a, b), op2(EX_MAX, a, N(1.4)))));
	total = add(total, ex_select(net->g, op2(EX_LT, a, b), mul(a, b), op1(EX_LOG, a)));
	total = add(total, op2(EX_POW, N(2), divide(a, op1(EX_NEG, b))));
	net_loss(net, eq("y", RED_NONE, 1, add(total, mul(ex_real(net->g, S(0)), a)), 5));
}

/* select(c, sqrt(x), ..) where the other side has no derivative */
static void sides_not_taken(struct net *net)
{
	struct tensor *x = param("x", 7), *v = param("v", 7);
	struct expr *e = rd(x, S(0)), *safe = op2(EX_LT, N(0), e);
	struct expr *root = ex_select(net->g, safe, mul(op1(EX_SQRT, e), rd(v, S(0))), N(0));
	struct expr *log = ex_select(net->g, safe, N(0), op1(EX_LOG, op1(EX_NEG, e)));

	net_loss(net, eq("y", RED_NONE, 1, add(root, mul(divide(log, add(N(3), e)), rd(v, S(0)))), 7));
}

static void views(struct net *net)
{
	struct tensor *x = param("x", 5, 6), *w = param("w", 3, 10), *y, *v[2];

	y = eq("y", RED_NONE, 2, mul(rd(x, S(0), S(1)), rd(x, S(0), sub(I(5), S(1)))), 5, 6);
	for (int i = 0; i < 2; i++) {
		struct equation *view;

		v[i] = net_tensor(net, ROLE_VIEW, ELEM_REAL, "flat", 2, (int[]){3, 10});
		v[i]->of = i ? x : y;
		view = graph_equation(net->g, v[i], RED_NONE, 0, 0, NULL, NULL, (struct span){0});
		view->kind = EQ_VIEW;
		list_add(&net->ctx.arena, &net->g->part[PART_FORWARD], view);
	}
	net_loss(net,
		 eq("z", RED_SUM, 1, mul(mul(rd(v[0], S(0), S(1)), rd(v[1], S(0), S(1))), rd(w, S(0), S(1))), 3, 10));
}

static void dropout(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3), *w = param("w", 3);
	struct expr *keep = op2(EX_LT, ex_draw(net->g, DRAW_UNIFORM, "dropout"), N(0.7));
	struct expr *noise = ex_draw(net->g, DRAW_NORMAL, "noise");
	struct expr *value = mul(ex_select(net->g, keep, rd(x, S(0), S(1)), N(0)), rd(w, S(1)));

	net_loss(net, eq("y", RED_NONE, 2, add(value, mul(noise, mul(rd(w, S(1)), rd(w, S(1))))), BATCH, 3));
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
	net_loss(net, eq("y", RED_SUM, 1, op1(EX_TANH, rd(s, S(0), S(1))), BATCH, BATCH));
}

/* sums that do not use their index, and means */
static void unused_indices(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3), *c = scalar("c"), *v = param("v", 2);
	struct tensor *y = eq("y", RED_SUM, 1, mul(rd(x, S(0), I(1)), rd0(c)), BATCH, 3, 5);

	net_loss(net, eq("z", RED_SUM, 1, mul(rd(v, S(0)), rd(y, S(1))), 2, BATCH, 3));
}

/* ---- recurrence; the step is the index behind the batch ---- */

static int equations(struct net *net) { return net->g->part[PART_FORWARD].n; }

/* h[t] = tanh(w x[t] + u h[t-1]), h[-1] = h0; the loss reads all steps and the last */
static void recurrence(struct net *net)
{
	struct tensor *x = value("x", BATCH, 5, 2), *h0 = value("h0", BATCH, 3), *w = param("w", 3, 2);
	struct tensor *u = param("u", 3, 3), *z, *r, *h, *last;
	int from;

	z = eq("z", RED_SUM, 3, mul(rd(w, S(2), S(3)), rd(x, S(0), S(1), S(3))), BATCH, 5, 3, 2);
	from = equations(net);
	h = net_tensor(net, ROLE_VALUE, ELEM_REAL, "h", 3, (int[]){BATCH, 5, 3});
	r = eq("r", RED_SUM, 3, mul(rd(u, S(2), S(3)), rd_else(h, rd(h0, S(0), S(3)), S(0), sub(S(1), I(1)), S(3))),
	       BATCH, 5, 3, 3);
	net_define(net, h, op1(EX_TANH, add(rd(z, S(0), S(1), S(2)), rd(r, S(0), S(1), S(2)))));
	net_scan(net, from, "b", 5, 0, false);
	last = eq("last", RED_NONE, 2, op1(EX_EXP, rd(h, S(0), I(4), S(1))), BATCH, 3);
	net_loss(net, eq("y", RED_NONE, 3, mul(rd(h, S(0), S(1), S(2)), rd(last, S(0), S(2))), BATCH, 5, 3));
}

/* From the last step to the first, over params only: no batch. A state two steps back, a product and a maximum. */
static void recurrence_reversed(struct net *net)
{
	struct tensor *w = param("w", 6, 3), *c = scalar("c"), *s, *m;
	int from = equations(net);
	struct expr *later, *far;

	s = net_tensor(net, ROLE_VALUE, ELEM_REAL, "s", 2, (int[]){6, 3});
	later = rd_else(s, rd0(c), add(S(0), I(1)), S(1));
	far = rd_else(s, N(0.5), add(S(0), I(2)), sub(I(2), S(1)));
	m = eq("m", RED_MAX, 1, mul(rd_else(s, N(0.2), add(S(0), I(1)), S(1)), rd(w, S(0), S(1))), 6, 3);
	net_define(net, s, add(mul(mul(N(0.5), later), rd(w, S(0), S(1))), sub(mul(far, N(0.3)), rd(m, S(0)))));
	net_scan(net, from, "a", 6, 0, true);
	net_loss(net, s);
}

/* Paths through a lattice, as in connectionist temporal classification: gathers inside and outside of the state. */
static void recurrence_of_paths(struct net *net)
{
	struct tensor *x = value("x", BATCH, 4, 3), *symbol = classes("symbol", 3, BATCH, 5), *length, *a, *p;
	int from = equations(net);
	struct expr *step, *gathered;

	length = classes("length", 4, BATCH);
	a = net_tensor(net, ROLE_VALUE, ELEM_REAL, "a", 3, (int[]){BATCH, 4, 5});
	step = rd_else(a, ex_select(net->g, op2(EX_LT, sub(S(2), S(3)), I(2)), N(0.1), N(-1)), S(0), sub(S(1), I(1)),
		       sub(S(2), S(3)));
	p = eq("p", RED_SUM, 3, op1(EX_EXP, step), BATCH, 4, 5, 3);
	gathered = rd_else(a, N(0.25), S(0), sub(S(1), I(1)), rd(symbol, S(0), S(2)));
	net_define(net, a,
		   add(add(op1(EX_LOG, rd(p, S(0), S(1), S(2))), rd(x, S(0), S(1), rd(symbol, S(0), S(2)))),
		       mul(N(0.2), gathered)));
	net_scan(net, from, "b", 4, 0, false);
	net_loss(net, eq("y", RED_NONE, 1, rd(a, S(0), rd(length, S(0)), I(3)), BATCH));
}

/* A scan in a scan: h[t] from the last of s, s[t, k] from h[t-1] and s[t, k-1] */
static void recurrence_nested(struct net *net)
{
	struct tensor *x = value("x", BATCH, 3, 4), *w = param("w", 2), *s, *h, *q;
	int outer = equations(net), inner;
	struct expr *before, *value;

	h = net_tensor(net, ROLE_VALUE, ELEM_REAL, "h", 3, (int[]){BATCH, 3, 2});
	s = net_tensor(net, ROLE_VALUE, ELEM_REAL, "s", 4, (int[]){BATCH, 3, 4, 2});
	q = eq("q", RED_NONE, 3, mul(rd_else(h, N(0.3), S(0), sub(S(1), I(1)), sub(I(1), S(2))), rd(w, S(2))), BATCH, 3,
	       2);
	inner = equations(net);
	before = rd_else(s, rd(q, S(0), S(1), S(3)), S(0), S(1), sub(S(2), I(1)), S(3));
	value = add(mul(before, rd(w, S(3))), rd(x, S(0), S(1), S(2)));
	net_define(net, s, op1(EX_SIN, value));
	net_scan(net, inner, "c", 4, 1, false);
	net_define(net, h, add(rd(q, S(0), S(1), S(2)), rd(s, S(0), S(1), I(3), S(2))));
	net_scan(net, outer, "b", 3, 0, false);
	net_loss(net, h);
}

/* What is read in the scan through a view of the state. */
static void recurrence_of_views(struct net *net)
{
	struct tensor *x = param("x", 4, 6), *h, *v;
	struct equation *view;
	int from = equations(net);

	h = net_tensor(net, ROLE_VALUE, ELEM_REAL, "h", 2, (int[]){4, 6});
	v = net_tensor(net, ROLE_VIEW, ELEM_REAL, "v", 3, (int[]){4, 2, 3});
	v->of = h;
	net_define(net, h,
		   mul(rd(x, S(0), S(1)),
		       rd_else(v, N(0.7), sub(S(0), I(1)), op2(EX_MOD, S(1), I(2)), op2(EX_FLOORDIV, S(1), I(2)))));
	view = graph_equation(net->g, v, RED_NONE, 0, 0, NULL, NULL, v->at);
	view->kind = EQ_VIEW;
	list_add(&net->ctx.arena, &net->g->part[PART_FORWARD], view);
	net_scan(net, from, "a", 4, 0, false);
	net_loss(net, h);
}

static const struct {
	const char *name;
	void (*make)(struct net *net);
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
	{"recurrence", recurrence},
	{"recurrence, reversed", recurrence_reversed},
	{"recurrence, paths", recurrence_of_paths},
	{"recurrence, nested", recurrence_nested},
	{"recurrence, views", recurrence_of_views},
};

START_TEST(test_net)
{
	struct net net;
	const char *wrong;

	net_start(&net, 1000 + (uint64_t)_i);
	if (setjmp(net.unwind))
		ck_abort_msg("out of memory");
	nets[_i].make(&net);
	wrong = check_net(&net);
	ck_assert_msg(!wrong, "%s: %s", nets[_i].name, wrong);
	net_finish(&net);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("gradients");

	tcase_add_loop_test(tc, test_net, 0, (int)(sizeof nets / sizeof *nets));
	return run_tests("chain", (TCase *[]){tc, NULL});
}
