/* nets.h - small graphs made by hand, and their derivatives checked against finite differences. */
#ifndef NNC_NETS_H
#define NNC_NETS_H

#include "graph.h"
#include "interpret.h"

enum { BATCH = 13, ROWS = 3 }; /* extent and rows of the batch; no other extent is BATCH */

struct net {
	struct context ctx;
	jmp_buf unwind;
	struct graph *g;
	struct expr *slot[8];
	char messages[1000];
	uint64_t random; /* state of the generator */
};

/* Arena, graph and an empty forward part. The caller sets net->unwind. */
void net_start(struct net *net, uint64_t seed);
void net_finish(struct net *net);

/* A tensor of any role; an extent of BATCH, which is the first, is the sample axis. */
struct tensor *net_tensor(struct net *net, enum role role, enum elem elem, const char *name, int rank,
			  const int *extent);
/* A trained param, its initial value and its gradient. */
struct tensor *net_param(struct net *net, const char *name, int rank, const int *extent);
/* An input of classes. */
struct tensor *net_classes(struct net *net, const char *name, int classes, int rank, const int *extent);
/* A new equation of part forward, whose first nfree indices are free; its tensor. */
struct tensor *net_equation(struct net *net, const char *name, enum reducer red, int nfree, struct expr *value, int n,
			    const int *extent);
/* The same for a tensor that is there already, without bound indices. */
void net_define(struct net *net, struct tensor *t, struct expr *value);
/* A value for each sample that a param scales: x[batch, i] = x.input[batch, i] * x.scale[i] */
struct tensor *net_value(struct net *net, const char *name, int rank, const int *extent);
/* Make the equations of part forward from number `from` on a scan, or at a greater depth a scan inside of one. */
void net_scan(struct net *net, int from, const char *index, int trips, int depth, bool reverse);
/* The loss: sum of y*sin(y) over all elements. Its goal is all params. */
void net_loss(struct net *net, struct tensor *y);
/* The sum of y, as the loss. */
void net_total(struct net *net, struct tensor *y);

uint64_t random_bits(struct net *net);
int random_below(struct net *net, int n); /* 0 to n-1 */
number random_number(struct net *net);	  /* -1 to 1 */
/* Random params and inputs; those whose name begins with "zero" are 0. */
void fill_leaves(struct net *net, struct interpreter *in);

/* NULL, or what is wrong: the chain rule fails, the graph is broken, a gradient differs from finite differences, as it
 * comes or simplified, or the derivative of a random combination of the gradients does, made by the chain rule on its
 * own output. The net has a loss and no backward part. */
const char *check_net(struct net *net);
const char *show_net(struct net *net);

#define EXTENTS(...)                                                                                                   \
	(int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]) { __VA_ARGS__ }
#define eq(name, red, nfree, value, ...) net_equation(net, name, red, nfree, value, EXTENTS(__VA_ARGS__))
#define param(name, ...) net_param(net, name, EXTENTS(__VA_ARGS__))
#define value(name, ...) net_value(net, name, EXTENTS(__VA_ARGS__))
#define classes(name, n, ...) net_classes(net, name, n, EXTENTS(__VA_ARGS__))
#define scalar(name) net_param(net, name, 0, NULL)
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

#endif
