/* nets.c - a net is a few equations that end in a loss. Its gradients, as differentiate_loss makes them, are compared
 * with five-point differences in long double. */
#include "nets.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- making ---- */

static void keep_message(void *user, const nnc_message *m)
{
	struct net *net = user;
	size_t used = strlen(net->messages);

	snprintf(net->messages + used, sizeof net->messages - used, "%s\n", m->text);
}

void net_start(struct net *net, uint64_t seed)
{
	nnc_options *options;

	memset(net, 0, sizeof *net);
	net->random = seed;
	arena_init(&net->ctx.arena, NULL, NULL);
	net->ctx.arena.unwind = &net->unwind;
	options = arena_alloc(&net->ctx.arena, sizeof *options);
	options->report = keep_message;
	options->user = net;
	net->ctx.options = options;
	net->g = graph_new(&net->ctx, "net", NULL, BATCH);
	for (int s = 0; s < 8; s++)
		net->slot[s] = ex_index(net->g, s);
}

void net_finish(struct net *net) { arena_free(&net->ctx.arena); }

struct tensor *net_tensor(struct net *net, enum role role, enum elem elem, const char *name, int rank,
			  const int *extent)
{
	struct axis axis[8] = {0};
	bool batched = rank > 0 && extent[0] == BATCH;

	for (int d = 0; d < rank; d++)
		axis[d] = (struct axis){extent[d], batched && d == 0};
	return graph_tensor(net->g, role, name, elem, batched, rank, axis, (struct span){0});
}

struct tensor *net_param(struct net *net, const char *name, int rank, const int *extent)
{
	struct arena *arena = &net->ctx.arena;
	struct tensor *t = net_tensor(net, ROLE_PARAM, ELEM_REAL, name, rank, extent);
	struct tensor *grad = graph_tensor(net->g, ROLE_GRAD, arena_printf(arena, "%s.grad", t->name), ELEM_REAL, false,
					   rank, t->axis, t->at);
	struct index index[8];

	grad->of = t;
	list_add(arena, &net->g->grads, grad);
	for (int d = 0; d < rank; d++)
		index[d] = (struct index){arena_printf(arena, "i%d", d), extent[d], false};
	list_add(arena, &net->g->part[PART_INIT],
		 graph_equation(net->g, t, RED_NONE, rank, rank, index, ex_num(net->g, 0), t->at));
	return t;
}

struct tensor *net_classes(struct net *net, const char *name, int classes, int rank, const int *extent)
{
	struct tensor *t = net_tensor(net, ROLE_INPUT, ELEM_INT, name, rank, extent);

	t->classes = classes;
	return t;
}

/* The equation of t, appended to part forward. */
static void define_tensor(struct net *net, struct tensor *t, enum reducer red, struct expr *value, int n,
			  const int *extent)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "p", "q"};
	struct index index[8];
	int batch = 0;

	for (int p = 0; p < n; p++) {
		index[p] = (struct index){names[p], extent[p], extent[p] == BATCH};
		if (index[p].rows && !batch++)
			index[p].name = "batch";
	}
	list_add(&net->ctx.arena, &net->g->part[PART_FORWARD],
		 graph_equation(net->g, t, red, t->rank, n, index, value, (struct span){0}));
}

void net_define(struct net *net, struct tensor *t, struct expr *value)
{
	int extent[8];

	for (int d = 0; d < t->rank; d++)
		extent[d] = (int)t->axis[d].extent;
	define_tensor(net, t, RED_NONE, value, t->rank, extent);
}

struct tensor *net_equation(struct net *net, const char *name, enum reducer red, int nfree, struct expr *value, int n,
			    const int *extent)
{
	enum elem elem = red == RED_ARGMAX || red == RED_ARGMIN ? ELEM_INT : value->elem;
	struct tensor *t = net_tensor(net, ROLE_VALUE, elem, name, nfree, extent);

	if (red == RED_ARGMAX || red == RED_ARGMIN)
		t->classes = extent[nfree];
	define_tensor(net, t, red, value, n, extent);
	return t;
}

static struct expr *read_slots(struct net *net, struct tensor *t)
{
	struct expr *at[8];

	for (int d = 0; d < t->rank; d++)
		at[d] = S(d);
	return ex_read(net->g, t, at, NULL);
}

struct tensor *net_value(struct net *net, const char *name, int rank, const int *extent)
{
	struct arena *arena = &net->ctx.arena;
	struct tensor *input =
		net_tensor(net, ROLE_INPUT, ELEM_REAL, arena_printf(arena, "%s.input", name), rank, extent);
	struct tensor *scale = net_param(net, arena_printf(arena, "%s.scale", name), rank - 1, extent + 1);
	struct expr *factor = ex_read(net->g, scale, net->slot + 1, NULL);

	return net_equation(net, name, RED_NONE, rank, mul(read_slots(net, input), factor), rank, extent);
}

void net_scan(struct net *net, int from, const char *index, int trips, int depth, bool reverse)
{
	struct arena *arena = &net->ctx.arena;
	equation_list *part = &net->g->part[PART_FORWARD];
	struct equation *item = arena_alloc(arena, sizeof *item);
	struct scan *scan = arena_alloc(arena, sizeof *scan);

	*scan = (struct scan){.index = index, .trips = trips, .depth = depth, .reverse = reverse, .n = part->n - from};
	scan->body = arena_array(arena, (size_t)scan->n, sizeof *scan->body);
	for (int i = 0; i < scan->n; i++)
		scan->body[i] = part->item[from + i];
	item->kind = EQ_SCAN;
	item->scan = scan;
	part->n = from;
	list_add(arena, part, item);
}

/* loss = sum of value over the elements of y */
static void end_in(struct net *net, struct tensor *y, struct expr *value)
{
	int extent[8];
	struct goal goal = {.name = "loss"};

	for (int d = 0; d < y->rank; d++)
		extent[d] = (int)y->axis[d].extent;
	goal.value = net_equation(net, "loss", y->rank ? RED_SUM : RED_NONE, 0, value, y->rank, extent);
	for (int i = 0; i < net->g->grads.n; i++)
		list_add(&net->ctx.arena, &goal.params, net->g->grads.item[i]->of);
	net->g->loss = goal.value;
	list_add(&net->ctx.arena, &net->g->goals, goal);
}

void net_loss(struct net *net, struct tensor *y)
{
	struct expr *e = read_slots(net, y);

	end_in(net, y, mul(e, op1(EX_SIN, e)));
}

void net_total(struct net *net, struct tensor *y) { end_in(net, y, read_slots(net, y)); }

/* ---- random numbers (splitmix64) ---- */

uint64_t random_bits(struct net *net)
{
	uint64_t z = net->random += 0x9E3779B97F4A7C15u;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

int random_below(struct net *net, int n) { return (int)(random_bits(net) % (uint64_t)n); }

number random_number(struct net *net) { return (number)(random_bits(net) >> 11) / 4503599627370496.0L - 1; }

void fill_leaves(struct net *net, struct interpreter *in)
{
	for (int i = 0; i < in->g->tensors.n; i++) {
		const struct tensor *t = in->g->tensors.item[i];
		bool zero = strncmp(t->name, "zero", 4) == 0;

		if (t->role != ROLE_INPUT && t->role != ROLE_PARAM)
			continue;
		for (int64_t k = 0; k < tensor_size(t); k++)
			tensor_values(in, t)[k] = t->elem == ELEM_INT ? (number)random_below(net, (int)t->classes)
						  : zero	      ? 0
								      : random_number(net);
	}
}

/* ---- finite differences ---- */

static number run_loss(struct interpreter *in, const equation_list *eqs, const struct tensor *loss)
{
	interpret(in, eqs);
	return tensor_values(in, loss)[0];
}

/* d loss / d *x by differences over five points, h apart. */
static number difference(struct interpreter *in, const equation_list *eqs, const struct tensor *loss, number *x,
			 number h)
{
	const number old = *x;
	number at[4];

	for (int i = 0; i < 4; i++) {
		*x = old + h * (number[]){-2, -1, 1, 2}[i];
		at[i] = run_loss(in, eqs, loss);
	}
	*x = old;
	run_loss(in, eqs, loss);
	return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h);
}

/* The greatest difference between a gradient and finite differences h apart, relative to its largest element. */
static number worst_error_at(struct interpreter *in, const equation_list *eqs, const struct tensor *loss,
			     const struct tensor *x, const struct tensor *grad, number h)
{
	number worst = 0, largest = 1e-3L;
	int64_t n = tensor_size(x);

	for (int64_t i = 0; i < n; i++) {
		number d = difference(in, eqs, loss, &tensor_values(in, x)[i], h);
		number error = fabsl(d - (grad ? tensor_values(in, grad)[i] : 0));

		largest = fmaxl(largest, fabsl(d));
		worst = isnan(error) ? INFINITY : fmaxl(worst, error);
	}
	return worst / largest;
}

/* The same for the h that fits best: a function such as sin(x^9) may turn within 1e-4, but a wrong gradient is wrong at
 * every h. */
static number worst_error(struct interpreter *in, const equation_list *eqs, const struct tensor *loss,
			  const struct tensor *x, const struct tensor *grad)
{
	number best = INFINITY;

	for (number h = 1e-4L; h > 1e-9L && !(best < 1e-8L); h /= 32)
		best = fminl(best, worst_error_at(in, eqs, loss, x, grad, h));
	return best;
}

static const char *check_gradients(struct net *net, struct interpreter *in)
{
	struct graph *g = net->g;

	interpret(in, &g->part[PART_FORWARD]);
	interpret(in, &g->part[PART_BACKWARD]);
	if (in->fault)
		return in->fault;
	for (int i = 0; i < g->grads.n; i++) {
		const struct tensor *grad = g->grads.item[i];
		number worst = worst_error(in, &g->part[PART_FORWARD], g->loss, grad->of, grad);

		if (!(worst < 1e-8L))
			return arena_printf(&net->ctx.arena, "%s is off by %.2Le", grad->name, worst);
	}
	return NULL;
}

/* ---- second derivatives ---- */

/* Append sum of t * a random direction; the new equation's tensor. */
static struct tensor *project(struct net *net, struct interpreter *in, struct tensor *t, equation_list *out)
{
	equation_list *forward = &net->g->part[PART_FORWARD];
	struct tensor *direction, *product;
	int extent[8];

	for (int d = 0; d < t->rank; d++)
		extent[d] = (int)t->axis[d].extent;
	direction = net_tensor(net, ROLE_INPUT, ELEM_REAL, "direction", t->rank, extent);
	for (int64_t k = 0; k < tensor_size(direction); k++)
		tensor_values(in, direction)[k] = random_number(net);
	product = net_equation(net, "product", t->rank ? RED_SUM : RED_NONE, 0,
			       mul(read_slots(net, t), read_slots(net, direction)), t->rank, extent);
	list_add(&net->ctx.arena, out, forward->item[--forward->n]);
	return product;
}

static const char *check_second(struct net *net, struct interpreter *in)
{
	struct graph *g = net->g;
	struct arena *arena = &net->ctx.arena;
	equation_list all = {0}, second = {0}, *forward = &g->part[PART_FORWARD];
	struct tensor *wrt[16], *grad[16], *total;
	struct expr *sum = N(0);
	int n = g->grads.n;

	for (int p = PART_FORWARD; p <= PART_BACKWARD; p++)
		for (int i = 0; i < g->part[p].n; i++)
			list_add(arena, &all, g->part[p].item[i]);
	for (int i = 0; i < n; i++) {
		wrt[i] = g->grads.item[i]->of;
		sum = add(sum, rd0(project(net, in, g->grads.item[i], &all)));
	}
	total = net_equation(net, "combination", RED_NONE, 0, sum, 0, NULL);
	list_add(arena, &all, forward->item[--forward->n]);
	differentiate(g, &all, total, wrt, n, ".second", &second, grad);
	interpret(in, &all);
	interpret(in, &second);
	for (int i = 0; i < n && !in->fault; i++) {
		number worst = worst_error(in, &all, total, wrt[i], grad[i]);

		if (!(worst < 1e-7L))
			return arena_printf(arena, "the second derivative by %s is off by %.2Le", wrt[i]->name, worst);
	}
	return in->fault;
}

/* ---- all of it ---- */

const char *show_net(struct net *net)
{
	struct text text = {.arena = &net->ctx.arena};

	print_graph(net->g, &text);
	return text.at;
}

const char *check_net(struct net *net)
{
	struct interpreter in;
	const char *wrong;

	if (!differentiate_loss(net->g))
		return net->messages;
	interpreter_init(&in, net->g, ROWS);
	fill_leaves(net, &in);
	if ((wrong = verify(net->g)) || (wrong = check_gradients(net, &in)) || (wrong = check_second(net, &in)))
		return wrong;
	simplify(net->g);
	wrong = verify(net->g);
	if (!wrong)
		wrong = check_gradients(net, &in);
	return wrong ? arena_printf(&net->ctx.arena, "simplified: %s", wrong) : NULL;
}
