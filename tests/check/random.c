/* random.c - write models of random small equations: random shapes, reads, reducers, gathers.
 *
 *   random SEED COUNT DIRECTORY      writes r0.nn, r1.nn, ... there
 *
 * A model is a few inputs and params, a few equations over random indices, and a loss that adds all of them up. An
 * equation's right side is a random expression; a read's subscripts are random integer expressions whose range is
 * tracked, so that a read gets an `else` just where it can leave its tensor. Functions are smooth at random points,
 * or have kinks and jumps there with probability 0: the literals are dyadic, so that integer-like values are exact. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;
static int pick(int n) /* 0 .. n-1 */
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (int)(z % (uint64_t)n);
}
static bool chance(int percent) { return pick(100) < percent; }

/* Something that equations may read. */
struct value {
	char name[8];
	int rank, extent[3];
	int classes; /* 0: real */
	bool batched, used;
};
struct index {
	char name[8];
	int extent;
};

static struct {
	FILE *out;
	struct value value[32];
	int n;
	struct index index[16]; /* in scope */
	int n_index, n_named;	/* n_named: ever, in this equation */
	bool batched;		/* the expression so far reads a value of the sample */
	bool in_batch;		/* inside a reducer over batch */
	int space;		/* size of the index space */
} g;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
#include <stdarg.h>
static void say(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(g.out, format, args);
	va_end(args);
}

static void literal(void) { say("%d.%s", pick(3), (const char *[]){"25", "5", "75", "125", "375"}[pick(5)]); }

/* An integer expression over the indices in scope: its text, and its range. */
struct subscript {
	char text[96];
	int low, high;
};

static const struct index *some_index(void) { return &g.index[pick(g.n_index)]; }

static struct subscript make_subscript(int extent)
{
	struct subscript s;
	if (!g.n_index || chance(6)) {
		s.low = s.high = pick(extent);
		snprintf(s.text, sizeof s.text, "%d", s.low);
		return s;
	}
	const struct index *i = some_index(), *j = some_index();
	for (int tries = 0; tries < 4 && i->extent != extent; tries++)
		i = some_index();
	int top = i->extent - 1, c = pick(3), k = 2 + pick(2);
	switch (pick(12)) {
	case 0:
		s = (struct subscript){.low = -c, .high = top - c};
		snprintf(s.text, sizeof s.text, "%s - %d", i->name, c);
		return s;
	case 1:
		s = (struct subscript){.low = c, .high = top + c};
		snprintf(s.text, sizeof s.text, "%s + %d", i->name, c);
		return s;
	case 2:
		s = (struct subscript){.low = -c, .high = k * top - c};
		snprintf(s.text, sizeof s.text, "%d*%s - %d", k, i->name, c);
		return s;
	case 3:
		s = (struct subscript){.low = 0, .high = top / k};
		snprintf(s.text, sizeof s.text, "%s // %d", i->name, k);
		return s;
	case 4:
		s = (struct subscript){.low = 0, .high = k - 1 < top ? k - 1 : top};
		snprintf(s.text, sizeof s.text, "%s %% %d", i->name, k);
		return s;
	case 5:
		s = (struct subscript){.low = c - top, .high = c};
		snprintf(s.text, sizeof s.text, "%d - %s", c, i->name);
		return s;
	case 6:
		s = (struct subscript){.low = 0, .high = top < extent - 1 ? top : extent - 1};
		snprintf(s.text, sizeof s.text, "min(%s, %d)", i->name, extent - 1);
		return s;
	case 7:
		s = (struct subscript){.low = 0, .high = c > top - c ? c : top - c};
		snprintf(s.text, sizeof s.text, "abs(%s - %d)", i->name, c);
		return s;
	case 8:
		if (i != j) {
			s = (struct subscript){.low = -c, .high = top + j->extent - 1 - c};
			snprintf(s.text, sizeof s.text, "%s + %s - %d", i->name, j->name, c);
			return s;
		}
		break;
	case 9:
		s = (struct subscript){.low = 0, .high = extent - 1};
		snprintf(s.text, sizeof s.text, "(%s*%d + %d) %% %d", i->name, k, c, extent);
		return s;
	}
	s = (struct subscript){.low = 0, .high = top};
	snprintf(s.text, sizeof s.text, "%s", i->name);
	return s;
}

/* A subscript that is an element of a tensor of classes, if there is one that fits; its own subscripts are guarded by
 * remainders. */
static bool gather(int extent)
{
	for (int v = 0; v < g.n; v++) {
		struct value *c = &g.value[v];
		if (!c->classes || c->classes > extent || !chance(40))
			continue;
		c->used = true;
		g.batched |= c->batched;
		say("%s", c->name);
		for (int a = 0; a < c->rank; a++) {
			say(a ? ", " : "[");
			if (g.n_index)
				say("%s %% %d", some_index()->name, c->extent[a]);
			else
				say("%d", pick(c->extent[a]));
		}
		say(c->rank ? "]" : "");
		return true;
	}
	return false;
}

static void read_value(struct value *v)
{
	bool outside = false;
	v->used = true;
	g.batched |= v->batched;
	say("%s", v->name);
	for (int a = 0; a < v->rank; a++) {
		say(a ? ", " : "[");
		if (chance(30) && gather(v->extent[a]))
			continue;
		struct subscript s = make_subscript(v->extent[a]);
		outside |= s.low < 0 || s.high >= v->extent[a];
		say("%s", s.text);
	}
	if (outside) {
		say(" else ");
		chance(60) ? say("0") : literal();
	}
	say(v->rank ? "]" : "");
}

static void read_any(void)
{
	struct value *v;
	do
		v = &g.value[pick(g.n)];
	while (v->classes);
	read_value(v);
}

static void expression(int depth);

static void add_index(int most)
{
	struct index *i = &g.index[g.n_index++];
	snprintf(i->name, sizeof i->name, "%c", "ijklmuvabc"[g.n_named++ % 10]);
	i->extent = 1 + pick(most);
}

/* (R[items] term); over the batch as well at times. */
static void reduction(int depth)
{
	static const char *const names[] = {"sum", "sum", "mean", "max", "min", "prod"};
	const char *name = names[pick(6)];
	int was = g.n_index, space = g.space;
	bool batch = !g.in_batch && chance(15) && strcmp(name, "prod") && strcmp(name, "mean");
	say("(%s[%s", name, batch ? "batch, " : "");
	for (int k = 1 + (pick(3) == 0); k > 0 && g.n_named < 9; k--) {
		add_index(4);
		g.space *= g.index[g.n_index - 1].extent;
		say("%s%s < %d", g.n_index > was + 1 ? ", " : "", g.index[g.n_index - 1].name,
		    g.index[g.n_index - 1].extent);
	}
	say("] (");
	bool before = g.batched, in_batch = g.in_batch;
	g.in_batch |= batch;
	if (batch) { /* it must read the sample */
		read_value(&g.value[0]);
		say(" + ");
	}
	expression(depth - 1);
	g.in_batch = in_batch;
	if (batch)
		g.batched = before;
	say("))");
	g.n_index = was;
	g.space = space;
}

static void function(int depth)
{
	static const char *const form[][2] = {
		{"sin(", ")"},
		{"cos(", ")"},
		{"tanh(", ")"},
		{"exp(sin(", "))"},
		{"(", ")^2"},
		{"tanh(", ")^3"},
		{"sqrt(1 + (", ")^2)"},
		{"log(1.5 + sin(", "))"},
		{"log1p(cos(", ")^2)"},
		{"expm1(tanh(", "))"},
		{"atan(", ")"},
		{"erf(", ")"},
		{"asin(0.75 * sin(", "))"},
		{"acos(0.75 * sin(", "))"},
		{"abs(", ")"},
		{"max(", ", 0.125)"},
		{"min(", ", 0.375)"},
		{"clamp(", ", -0.5, 0.75)"},
		{"sinh(tanh(", "))"},
		{"cosh(sin(", "))"},
		{"tan(sin(", "))"},
		{"erfinv(0.5 * sin(", "))"},
		{"(1 + (", ")^2)^0.75"},
		{"relu(", ")"},
		{"sigmoid(", ")"},
		{"softplus(", ")"},
		{"2^tanh(", ")"},
	};
	int k = pick((int)(sizeof form / sizeof *form));
	say("%s", form[k][0]);
	expression(depth - 1);
	say("%s", form[k][1]);
}

static void condition(int depth)
{
	int kind = pick(g.n_index ? 4 : 2);
	if (kind == 3) {
		say("%s %s %d", some_index()->name, (const char *[]){"<", ">=", "==", "!="}[pick(4)], pick(3));
	} else if (kind == 2) {
		say("%s <= %s", some_index()->name, some_index()->name);
	} else {
		expression(depth - 1);
		say(kind ? " > 0.0625 * " : " < 0.3125 + ");
		read_any();
	}
}

static void expression(int depth)
{
	if (depth <= 0) {
		if (chance(85))
			read_any();
		else if (g.n_index && chance(50))
			say("0.25 * %s", some_index()->name);
		else
			literal();
		return;
	}
	int kind = pick(100);
	if (kind < 22) {
		expression(depth - 1);
		say(chance(60) ? " + " : " - ");
		say("(");
		expression(depth - 1);
		say(")");
	} else if (kind < 44) {
		say("(");
		expression(depth - 1);
		say(") * (");
		expression(depth - 1);
		say(")");
	} else if (kind < 50) {
		say("(");
		expression(depth - 1);
		say(") / (1.25 + (");
		expression(depth - 1);
		say(")^2)");
	} else if (kind < 70) {
		function(depth);
	} else if (kind < 78) {
		say("(if ");
		condition(depth);
		say(" then ");
		expression(depth - 1);
		say(" else ");
		expression(depth - 1);
		say(")");
	} else if (kind < 83) {
		say(chance(50) ? "max(" : "min(");
		expression(depth - 1);
		say(", ");
		expression(depth - 1);
		say(")");
	} else if (g.space < 200 && g.n_named < 8) {
		reduction(depth);
	} else {
		expression(depth - 1);
	}
}

static struct value *add_value(const char *prefix, bool batched, int classes)
{
	struct value *v = &g.value[g.n];
	*v = (struct value){.batched = batched, .classes = classes};
	snprintf(v->name, sizeof v->name, "%s%d", prefix, g.n);
	return v;
}

static void random_shape(struct value *v, int most)
{
	v->rank = pick(10) < 2 ? 0 : 1 + pick(most);
	for (int a = 0; a < v->rank; a++)
		v->extent[a] = 1 + pick(v->rank == 3 ? 3 : 5);
}

static void shape(const struct value *v)
{
	for (int a = 0; a < v->rank; a++)
		say("%s%d", a ? ", " : "[", v->extent[a]);
	say(v->rank ? "]" : "");
}

/* y[i < 3, j < 2] = expression, or argmax of one. */
static void equation(int params)
{
	struct value *v = add_value("y", false, 0);
	random_shape(v, 3);
	g.n_index = g.n_named = 0;
	g.space = 1;
	g.batched = false;
	say("%s", v->name);
	for (int a = 0; a < v->rank; a++) {
		add_index(1);
		g.index[a].extent = v->extent[a];
		g.space *= v->extent[a];
		say("%s%s < %d", a ? ", " : "[", g.index[a].name, v->extent[a]);
	}
	say(v->rank ? "] = " : " = ");
	if (chance(12)) {
		add_index(4);
		struct index *k = &g.index[g.n_index - 1];
		v->classes = k->extent;
		say("argmax[%s < %d] (", k->name, k->extent);
		expression(2);
		say(" + 0.125 * %s)", k->name);
	} else {
		/* a param in each equation, so that the loss reaches it */
		struct value *p = &g.value[0];
		int wanted = pick(params);
		for (int k = 0; k < g.n; k++)
			if (g.value[k].name[0] == 'p' && wanted-- == 0)
				p = &g.value[k];
		read_value(p);
		/* mostly of the size of 1: or numbers grow from equation to equation until no float is exact enough */
		say(chance(50) ? " * " : " + ");
		say(chance(70) ? "tanh(" : "(");
		expression(3);
		say(")");
	}
	say("\n");
	v->batched = g.batched;
	g.n++;
}

/* A value made from whole tensors of the library and the language's own operators. */
static void whole(void)
{
	int from = pick(g.n);
	struct value *v = &g.value[from];
	if (v->classes || v->rank == 0)
		return;
	struct value *y = add_value("y", v->batched, 0);
	memcpy(y->extent, v->extent, sizeof y->extent);
	y->rank = v->rank;
	switch (pick(6)) {
	case 0: say("%s = softmax(%s)\n", y->name, v->name); break;
	case 1: say("%s = %s * sigmoid(%s) + 0.5\n", y->name, v->name, v->name); break;
	case 2:
		if (v->rank < 2)
			return;
		say("%s = %s.T\n", y->name, v->name);
		y->extent[v->rank - 1] = v->extent[v->rank - 2];
		y->extent[v->rank - 2] = v->extent[v->rank - 1];
		break;
	case 3:
		say("%s = reshape(%s, size(%s))\n", y->name, v->name, v->name);
		y->rank = 1;
		for (int a = 1; a < v->rank; a++)
			y->extent[0] *= v->extent[a];
		break;
	case 4:
		say("%s = %s[%d:]\n", y->name, v->name, v->extent[0] / 2);
		y->extent[0] -= v->extent[0] / 2;
		break;
	case 5:
		say("%s = concat(%s, %s)\n", y->name, v->name, v->name);
		y->extent[0] *= 2;
		break;
	}
	v->used = true;
	g.n++;
}

static void model(void)
{
	g.n = 0;
	int inputs = 1 + pick(2), params = 1 + pick(3);
	for (int k = 0; k < inputs; k++, g.n++) {
		struct value *v = add_value("x", true, 0);
		random_shape(v, 3);
		say("input %s", v->name);
		shape(v);
		say("\n");
	}
	if (chance(60)) {
		struct value *v = add_value("c", true, 2 + pick(3));
		random_shape(v, 2);
		say("input %s", v->name);
		shape(v);
		say(": class[%d]\n", v->classes);
		g.n++;
	}
	for (int k = 0; k < params; k++, g.n++) {
		struct value *v = add_value("p", false, 0);
		random_shape(v, 3);
		say("param %s", v->name);
		shape(v);
		say(" = normal()\n");
	}
	int first = g.n;
	for (int k = 1 + pick(4); k > 0; k--) {
		equation(params);
		if (chance(25))
			whole();
	}
	say("loss ");
	bool any = false;
	for (int k = first; k < g.n; k++) {
		struct value *v = &g.value[k];
		if (v->classes || (v->used && chance(70)))
			continue;
		say("%s%s", any ? " + " : "", chance(50) ? "mean(sin(" : "sum(tanh(");
		say("%s))", v->name);
		any = true;
	}
	/* a param that nothing else reaches still has a gradient */
	say("%smean(", any ? " + " : "");
	for (int k = 0; k < g.n; k++)
		if (g.value[k].name[0] == 'p') {
			say("%s^2)\n", g.value[k].name);
			break;
		}
	say("output out = %s\n", g.value[0].name);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	uint64_t seed = strtoull(argv[1], NULL, 10);
	for (int i = 0; i < atoi(argv[2]); i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/r%d.nn", argv[3], i);
		g.out = fopen(path, "w");
		if (!g.out)
			return 3;
		state = seed * 1000003 + (uint64_t)i;
		model();
		if (fclose(g.out))
			return 3;
	}
	return 0;
}
