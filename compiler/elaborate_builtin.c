/* elaborate_builtin.c - functions that the language has: scalar functions, whole reductions, shapes, draws, grad. */
#include "elaborate.h"
#include "elaborate_building.h"

#include <string.h>

static const struct {
	const char *name;
	enum ex ex;
} scalar_functions[] = {
	{"exp", EX_EXP},     {"log", EX_LOG},	  {"log1p", EX_LOG1P}, {"expm1", EX_EXPM1},  {"sin", EX_SIN},
	{"cos", EX_COS},     {"tan", EX_TAN},	  {"asin", EX_ASIN},   {"acos", EX_ACOS},    {"atan", EX_ATAN},
	{"sinh", EX_SINH},   {"cosh", EX_COSH},	  {"tanh", EX_TANH},   {"erf", EX_ERF},	     {"erfinv", EX_ERFINV},
	{"sqrt", EX_SQRT},   {"abs", EX_ABS},	  {"sign", EX_SIGN},   {"floor", EX_FLOOR},  {"ceil", EX_CEIL},
	{"round", EX_ROUND}, {"isnan", EX_ISNAN}, {"int", EX_TO_INT},  {"real", EX_TO_REAL}, {"stop", EX_STOP},
};

static const char *const other_functions[] = {
	"sum",	 "mean",    "prod",   "min",	   "max",	   "clamp",	  "zeros",
	"shape", "size",    "rank",   "reshape",   "grad",	   "rows",	  "class",
	"batch", "uniform", "normal", "bernoulli", "draw_uniform", "draw_normal", "known",
};

/* Most names differ in their first letter. */
static bool is_same(const char *a, const char *b) { return *a == *b && !strcmp(a, b); }

static int scalar_function(const char *name)
{
	for (size_t i = 0; i < sizeof scalar_functions / sizeof scalar_functions[0]; i++)
		if (is_same(scalar_functions[i].name, name))
			return (int)i;
	return -1;
}

bool is_builtin(const char *name)
{
	for (size_t i = 0; i < sizeof other_functions / sizeof other_functions[0]; i++)
		if (is_same(other_functions[i], name))
			return true;
	return scalar_function(name) >= 0;
}

static bool takes(struct elaborator *E, const struct node *n, int nargs, int least, int most)
{
	for (int i = 0; i < n->n; i++)
		if (n->kid[i]->name && strcmp(n->name, "uniform") && strcmp(n->name, "normal")) {
			fail(E, n->kid[i]->at, "'%s' takes no named arguments", n->name);
			return false;
		}
	if (nargs >= least && nargs <= most)
		return true;
	if (least == most)
		fail(E, n->at, "'%s' takes %d argument%s, not %d", n->name, least, least == 1 ? "" : "s", nargs);
	else
		fail(E, n->at, "'%s' takes %d to %d arguments, not %d", n->name, least, most, nargs);
	return false;
}

/* ---- shapes ---- */

static int read_shape(struct elaborator *E, const struct node *n, const struct value *v, struct axis *axis)
{
	struct value one = *v;
	const struct value *item = v->kind == VAL_TUPLE ? v->item : &one;
	int count = v->kind == VAL_TUPLE ? v->n : 1, rank = 0;
	for (int i = 0; i < count; i++) {
		if (item[i].kind == VAL_STRING && !strcmp(item[i].string, "..") && E->scope->dots >= 0) {
			for (int a = 0; a < E->scope->dots; a++)
				axis[rank++] = E->scope->dots_axis[a];
			continue;
		}
		int64_t extent;
		if (!expect_int(E, n, item[i], "an extent", &extent))
			return -1;
		if (extent < 1 || rank == 8) {
			fail(E, n->at, rank == 8 ? "a tensor has at most 8 axes" : "an extent is at least 1, not %lld",
			     (long long)extent);
			return -1;
		}
		axis[rank++] = (struct axis){extent, false};
	}
	return rank;
}

static struct value zeros(struct elaborator *E, const struct node *n, const struct value *arg)
{
	struct axis axis[16];
	int rank = read_shape(E, n, arg, axis);
	if (rank < 0)
		return error_value();
	struct value v = {.kind = VAL_TENSOR, .expr = ex_num(E->g, 0), .rank = rank};
	v.axis = arena_array(&E->ctx->arena, (size_t)rank + 1, sizeof *axis);
	memcpy(v.axis, axis, (size_t)rank * sizeof *axis);
	return v;
}

static struct value shape(struct elaborator *E, const struct value *arg)
{
	struct value v = {.kind = VAL_TUPLE, .n = own_rank(arg)};
	v.item = arena_array(&E->ctx->arena, (size_t)v.n + 1, sizeof *v.item);
	for (int i = 0; i < v.n; i++)
		v.item[i] = int_value(own_axis(arg)[i].extent);
	return v;
}

static struct value reshape(struct elaborator *E, const struct node *n, struct value x, const struct value *to)
{
	struct axis axis[24];
	x = as_tensor(E, &x);
	if (x.kind != VAL_TENSOR || x.indexed) {
		fail(E, n->at, "reshape takes a whole tensor, not %s", x.indexed ? "an element" : kind_text(&x));
		return error_value();
	}
	int lead = lead_rank(x.lead), rank = read_shape(E, n, to, axis + lead);
	if (rank < 0)
		return error_value();
	int64_t before = 1, after = 1;
	for (int i = 0; i < own_rank(&x); i++)
		before *= own_axis(&x)[i].extent;
	for (int i = 0; i < rank; i++)
		after *= axis[lead + i].extent;
	struct value shaped = {.kind = VAL_TENSOR, .rank = rank, .axis = axis + lead};
	if (before != after) {
		fail(E, n->at, "shape %s has %lld elements, %s has %lld", value_shape(E, &x), (long long)before,
		     value_shape(E, &shaped), (long long)after);
		note_origin(E, n->at, &x);
		return error_value();
	}
	bool same = rank == own_rank(&x);
	for (int i = 0; same && i < rank; i++)
		same = axis[lead + i].extent == own_axis(&x)[i].extent;
	if (same)
		return x;
	const char *name = join_path(E, E->scope->path, E->scope->hint);
	struct tensor *of = materialize(E, x, name, n->at);
	if (!of)
		return error_value();
	memcpy(axis, x.axis, (size_t)lead * sizeof *axis);
	struct tensor *t =
		graph_tensor(E->g, ROLE_VIEW, arena_printf(&E->ctx->arena, "%s", E->scope->def ? E->scope->path : name),
			     of->elem, is_batched(&x), rank + lead, axis, n->at);
	t->of = of;
	take_type(t, of);
	t->layer = E->scope->path;
	struct equation *eq = arena_alloc(&E->ctx->arena, sizeof *eq);
	*eq = (struct equation){.kind = EQ_VIEW, .tensor = t, .at = user_place(E, n->at)};
	emit_equation(E, eq);
	struct value out = tensor_value(E, t);
	out.lead = x.lead;
	return out;
}

/* rows(x): x of all samples, as a tensor with one more axis in front. */
static struct value rows(struct elaborator *E, const struct node *n, struct value x)
{
	if (x.kind != VAL_TENSOR || x.lead != 1 || x.indexed) {
		fail(E, n->at, "rows(x) needs a tensor that differs from sample to sample");
		return error_value();
	}
	struct tensor *t = materialize(E, x, join_path(E, E->scope->path, E->scope->hint), n->at);
	if (!t)
		return error_value();
	struct value v = tensor_value(E, t);
	v.lead = 0; /* axis 0 runs over all rows of the call now */
	return v;
}

/* ---- randomness ---- */

struct value make_draw(struct elaborator *E, const struct node *n, enum draw draw)
{
	const char *path = *E->scope->path ? E->scope->path : E->scope->hint;
	const char *site = E->scope->draws ? arena_printf(&E->ctx->arena, "%s#%d", path, E->scope->draws + 1) : path;
	E->scope->draws++;
	if (E->eq)
		return pending_draw(E, n->at, draw, site);
	struct tensor *t =
		graph_tensor(E->g, ROLE_VALUE, join_path(E, path, draw == DRAW_NORMAL ? "normal" : "uniform"),
			     ELEM_REAL, false, 0, NULL, n->at);
	t->layer = E->scope->path;
	emit_equation(E, graph_equation(E->g, t, RED_NONE, 0, 0, NULL, ex_draw(E->g, draw, site), n->at));
	struct value v = tensor_value(E, t);
	v.drawn = true;
	return v;
}

static struct value draw(struct elaborator *E, const struct node *n, const struct value *args, int nargs)
{
	if (!strcmp(n->name, "bernoulli")) {
		if (!takes(E, n, nargs, 1, 1))
			return error_value();
		struct value u = make_draw(E, n, DRAW_UNIFORM);
		struct value below = lift(E, n->at, EX_LT, 2, (struct value[]){u, args[0]});
		return lift(E, n->at, EX_SELECT, 3, (struct value[]){below, real_value(1), real_value(0)});
	}
	bool normal = !strcmp(n->name, "normal");
	struct value a = real_value(0), b = real_value(1);
	for (int i = 0, k = 0; i < nargs; i++) {
		const char *name = n->kid[i]->name;
		if (name ? !strcmp(name, normal ? "mean" : "a") : k == 0)
			a = args[i];
		else if (name ? !strcmp(name, normal ? "std" : "b") : k == 1)
			b = args[i];
		else {
			fail(E, n->kid[i]->at,
			     normal ? "normal(mean=0, std=1) has no such argument"
				    : "uniform(a=0, b=1) has no such argument");
			return error_value();
		}
		k += !name;
	}
	struct value u = make_draw(E, n, normal ? DRAW_NORMAL : DRAW_UNIFORM);
	if (!nargs || u.kind == VAL_ERROR)
		return u;
	struct value width = normal			      ? b
			     : is_number(&a) && is_number(&b) ? real_value(number_of(&b) - number_of(&a))
							      : lift(E, n->at, EX_SUB, 2, (struct value[]){b, a});
	return lift(E, n->at, EX_ADD, 2, (struct value[]){a, lift(E, n->at, EX_MUL, 2, (struct value[]){width, u})});
}

/* ---- calls ---- */

static struct value extremum(struct elaborator *E, const struct node *n, const struct value *args, int nargs,
			     enum ex ex)
{
	if (nargs == 1)
		return whole_reduce(E, n->at, ex == EX_MAX ? RED_MAX : RED_MIN, args[0], false);
	struct value v = args[0];
	for (int i = 1; i < nargs; i++) {
		if (is_number(&v) && is_number(&args[i])) {
			bool first = ex == EX_MAX ? number_of(&v) >= number_of(&args[i])
						  : number_of(&v) <= number_of(&args[i]);
			v = first ? v : args[i];
		} else {
			v = lift(E, n->at, ex, 2, (struct value[]){v, args[i]});
		}
	}
	return v;
}

static struct value clamp(struct elaborator *E, const struct node *n, const struct value *args)
{
	struct node inner = *n;
	inner.name = "max";
	struct value low = extremum(E, &inner, args, 2, EX_MAX);
	struct value v = extremum(E, &inner, (struct value[]){low, args[2]}, 2, EX_MIN);
	return v;
}

static struct value reduce_all(struct elaborator *E, const struct node *n, struct value v)
{
	bool mean = !strcmp(n->name, "mean");
	if (is_number(&v))
		return v;
	if (v.kind != VAL_TENSOR || v.indexed) {
		if (v.indexed)
			return v;
		fail(E, n->at, "'%s' needs a tensor, not %s", n->name, kind_text(&v));
		return error_value();
	}
	if (mean)
		v = lift(E, n->at, EX_TO_REAL, 1, &v);
	return whole_reduce(E, n->at, !strcmp(n->name, "prod") ? RED_PROD : RED_SUM, v, mean);
}

static struct value about_shape(struct elaborator *E, const struct node *n, struct value v)
{
	if (v.kind == VAL_TUPLE && !strcmp(n->name, "size"))
		return int_value(v.n);
	v = as_tensor(E, &v);
	if (v.kind != VAL_TENSOR) {
		fail(E, n->at, "'%s' needs a tensor, not %s", n->name, kind_text(&v));
		return error_value();
	}
	if (!strcmp(n->name, "shape"))
		return shape(E, &v);
	if (!strcmp(n->name, "rank"))
		return int_value(own_rank(&v));
	int64_t size = 1;
	for (int i = 0; i < own_rank(&v); i++)
		size *= own_axis(&v)[i].extent;
	return int_value(size);
}

struct value eval_builtin(struct elaborator *E, const struct node *n, const struct value *args, int nargs)
{
	const char *f = n->name;
	for (int i = 0; i < nargs; i++)
		if (args[i].kind == VAL_ERROR && !(i == 1 && !strcmp(f, "grad")))
			return error_value();
	int s = scalar_function(f);
	if (s >= 0) {
		if (!takes(E, n, nargs, 1, 1))
			return error_value();
		if (args[0].kind != VAL_TENSOR)
			return known_function(E, n, scalar_functions[s].ex, args[0]);
		return lift(E, n->at, scalar_functions[s].ex, 1, args);
	}
	if (!strncmp(f, "draw_", 5)) { /* the text of a graph */
		if (takes(E, n, nargs, 1, 1) && E->eq && args[0].kind == VAL_STRING)
			return (struct value){
				.kind = VAL_TENSOR,
				.indexed = true,
				.expr = ex_draw(E->g, f[5] == 'n' ? DRAW_NORMAL : DRAW_UNIFORM, args[0].string)};
		fail(E, n->at, "%s(\"site\") stands in the text of a graph; elsewhere write %s()", f, f + 5);
		return error_value();
	}
	if (!strcmp(f, "uniform") || !strcmp(f, "normal") || !strcmp(f, "bernoulli"))
		return draw(E, n, args, nargs);
	if (!strcmp(f, "min") || !strcmp(f, "max"))
		return takes(E, n, nargs, 1, 64)
			       ? extremum(E, n, args, nargs, *f == 'm' && f[1] == 'a' ? EX_MAX : EX_MIN)
			       : error_value();
	if (!strcmp(f, "batch"))
		return takes(E, n, nargs, 1, 1000) ? batch_value(E, n, args, nargs) : error_value();
	bool two = !strcmp(f, "reshape") || !strcmp(f, "grad") || !strcmp(f, "class"), three = !strcmp(f, "clamp");
	if (!takes(E, n, nargs, two ? 2 : three ? 3 : 1, two ? 2 : three ? 3 : 1))
		return error_value();
	if (three)
		return clamp(E, n, args);
	if (!strcmp(f, "reshape"))
		return reshape(E, n, args[0], &args[1]);
	if (!strcmp(f, "grad"))
		return eval_gradient(E, n, args[0]);
	if (!strcmp(f, "class"))
		return class_value(E, n, args);
	if (!strcmp(f, "known"))
		return bool_value(is_known(&args[0]));
	if (!strcmp(f, "zeros"))
		return zeros(E, n, &args[0]);
	if (!strcmp(f, "rows"))
		return rows(E, n, args[0]);
	if (!strcmp(f, "shape") || !strcmp(f, "size") || !strcmp(f, "rank"))
		return about_shape(E, n, args[0]);
	return reduce_all(E, n, args[0]);
}
