/* kann.c - training W6 by KANN, whose sources run.sh finds: kann FOLDER. The network is of the nodes that KANN's own
 * layers are made of; a GRU that resets what the state's product gives (as PyTorch does) and not the state is none of
 * them. The files have two biases where KANN has one, their sum, which so learns twice as fast. */
#include "kann.h"
#include "../subject.h"
#include <stdlib.h>
#include <string.h>

enum { STEPS = 50, INPUTS = 16, UNITS = 64, CLASSES = 10, ROWS = 32, MOST_PARAMS = 16 };

struct param {
	kad_node_t *node;
	const float *first, *second; /* what it begins with: their sum; NULL: no second one */
};

struct network {
	struct task task;
	int gates; /* 4: LSTM, input forget cell output; 3: GRU, reset update new */
	kann_t *net, *unrolled;
	struct param param[MOST_PARAMS];
	int params;
	float loss;
	float x[STEPS][ROWS][INPUTS], truth[ROWS][CLASSES];
};

static kad_node_t *add_param(struct network *n, kad_node_t *node, const float *first, const float *second)
{
	node->x = calloc((size_t)kad_len(node), sizeof(float));
	n->param[n->params++] = (struct param){node, first, second};
	return node;
}

static kad_node_t *matrix(struct network *n, int rows, int columns, const float *first)
{
	return add_param(n, kad_var(NULL, NULL, 2, rows, columns), first, NULL);
}

static kad_node_t *vector(struct network *n, int length, const float *first, const float *second)
{
	return add_param(n, kad_var(NULL, NULL, 1, length), first, second);
}

static kad_node_t *start_state(void)
{
	kad_node_t *h = kad_const(NULL, 2, 1, UNITS);
	h->x = calloc(UNITS, sizeof(float));
	return h;
}

static const float *input_weights(const struct network *n, int gate)
{
	return (const float *)n->task.params + gate * UNITS * INPUTS;
}

static const float *state_weights(const struct network *n, int gate)
{
	return input_weights(n, n->gates) + gate * UNITS * UNITS;
}

static const float *input_bias(const struct network *n, int gate) { return state_weights(n, n->gates) + gate * UNITS; }

static const float *state_bias(const struct network *n, int gate) { return input_bias(n, n->gates) + gate * UNITS; }

/* What the inputs, the state and the biases give for a gate. */
static kad_node_t *gate_sum(struct network *n, int gate, kad_node_t *x, kad_node_t *h)
{
	kad_node_t *of_x = kad_cmul(x, matrix(n, UNITS, INPUTS, input_weights(n, gate)));
	kad_node_t *of_h = kad_cmul(h, matrix(n, UNITS, UNITS, state_weights(n, gate)));
	return kad_add(kad_add(of_x, of_h), vector(n, UNITS, input_bias(n, gate), state_bias(n, gate)));
}

static kad_node_t *lstm(struct network *n, kad_node_t *x)
{
	kad_node_t *h = start_state(), *c = start_state(), *next_c, *next_h;
	kad_node_t *in = kad_sigm(gate_sum(n, 0, x, h)), *forget = kad_sigm(gate_sum(n, 1, x, h));
	kad_node_t *cell = kad_tanh(gate_sum(n, 2, x, h)), *out = kad_sigm(gate_sum(n, 3, x, h));
	next_c = kad_add(kad_mul(forget, c), kad_mul(cell, in));
	next_c->pre = c;
	next_h = kad_mul(kad_tanh(next_c), out);
	next_h->pre = h;
	return next_h;
}

static kad_node_t *gru(struct network *n, kad_node_t *x)
{
	kad_node_t *h = start_state(), *of_x, *of_h, *fresh, *next;
	kad_node_t *reset = kad_sigm(gate_sum(n, 0, x, h)), *update = kad_sigm(gate_sum(n, 1, x, h));
	of_x = kad_cmul(x, matrix(n, UNITS, INPUTS, input_weights(n, 2)));
	of_h = kad_cmul(h, matrix(n, UNITS, UNITS, state_weights(n, 2)));
	of_x = kad_add(of_x, vector(n, UNITS, input_bias(n, 2), NULL));
	of_h = kad_add(of_h, vector(n, UNITS, state_bias(n, 2), NULL));
	fresh = kad_tanh(kad_add(of_x, kad_mul(reset, of_h)));
	next = kad_add(kad_mul(kad_1minus(update), fresh), kad_mul(update, h));
	next->pre = h;
	return next;
}

/* The last state is classified. */
static kad_node_t *cost_of(struct network *n, kad_node_t *h)
{
	const float *weights = state_bias(n, n->gates);
	kad_node_t *last = kad_select(1, &h, -1), *truth = kad_feed(2, 1, CLASSES), *logits;
	truth->ext_flag |= KANN_F_TRUTH;
	logits = kad_add(kad_cmul(last, matrix(n, CLASSES, UNITS, weights)),
			 vector(n, CLASSES, weights + CLASSES * UNITS, NULL));
	return kad_ce_multi(kad_softmax(logits), truth);
}

static void build(struct network *n)
{
	kad_node_t *x = kad_feed(2, 1, INPUTS);
	float *at[STEPS], *truth = n->truth[0];
	x->ext_flag |= KANN_F_IN;
	n->net = kann_new(cost_of(n, n->gates == 4 ? lstm(n, x) : gru(n, x)), 0);
	n->unrolled = kann_unroll(n->net, (int)STEPS);
	kann_set_batch_size(n->unrolled, ROWS);
	for (int t = 0; t < STEPS; t++)
		at[t] = n->x[t][0];
	kann_feed_bind(n->unrolled, KANN_F_IN, 0, at);
	kann_feed_bind(n->unrolled, KANN_F_TRUTH, 0, &truth);
}

static const char *prepare(void *self, const struct task *task)
{
	struct network *n = self;
	const float *x = task->x;
	const int *label = task->y;
	if ((strcmp(task->work, "W6_lstm") != 0 && strcmp(task->work, "W6_gru") != 0) || !task->train ||
	    task->batch != ROWS)
		return "written for training W6";
	if (n->net) {
		kann_delete_unrolled(n->unrolled);
		kann_delete(n->net);
	}
	*n = (struct network){.task = *task, .gates = strcmp(task->work, "W6_lstm") == 0 ? 4 : 3};
	for (int r = 0; r < ROWS; r++) {
		for (int t = 0; t < STEPS; t++)
			memcpy(n->x[t][r], x + (r * STEPS + t) * INPUTS, sizeof n->x[t][r]);
		n->truth[r][label[r]] = 1;
	}
	build(n);
	return NULL;
}

static void reset(void *self)
{
	struct network *n = self;
	for (int i = 0; i < n->params; i++) {
		const struct param *p = &n->param[i];
		for (int k = 0; k < kad_len(p->node); k++)
			p->node->x[k] = p->first[k] + (p->second ? p->second[k] : 0);
	}
}

static void run(void *self, int steps)
{
	struct network *n = self;
	for (int i = 0; i < steps; i++) {
		n->loss = kann_cost(n->unrolled, 0, 1);
		for (int p = 0; p < n->params; p++) {
			const kad_node_t *node = n->param[p].node;
			const float rate = n->param[p].second ? 0.2f : 0.1f; /* the rate in W6_lstm.nn and W6_gru.nn */
			kad_saxpy(kad_len(node), -rate, node->g, node->x);
		}
	}
}

static double answer(void *self) { return (double)((struct network *)self)->loss; }

int main(int argc, char **argv)
{
	struct network *n = calloc(1, sizeof *n);
	const struct subject subject = {n, prepare, reset, run, answer};
	return n && argc == 2 ? serve_subject(&subject, argv[1]) : EXIT_FAILURE;
}
