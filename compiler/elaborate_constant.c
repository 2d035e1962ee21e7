/* elaborate_constant.c - constant tensors: [[1, 2], [3, 4]], the rows of a batch in examples, classes. */
#include "elaborate.h"

#include <string.h>

static bool fill_array(struct elaborator *E, const struct node *n, int depth, int64_t *extent, int *rank, double **at,
		       bool *integers)
{
	if (n->kind != NODE_ARRAY) {
		struct value v = eval(E, n);
		if (v.kind == VAL_ERROR)
			return false;
		if (!is_number(&v)) {
			fail(E, n->at, "the elements of a constant tensor are known numbers, not %s", kind_text(&v));
			return false;
		}
		if (depth != *rank) {
			fail(E, n->at, "the rows of this tensor are not equally deep");
			return false;
		}
		*integers &= v.kind == VAL_INT;
		*(*at)++ = number_of(&v);
		return true;
	}
	if (depth >= *rank || n->n != extent[depth]) {
		fail(E, n->at, "the rows of this tensor are not equally long: %lld and %d",
		     depth < *rank ? (long long)extent[depth] : 0LL, n->n);
		return false;
	}
	for (int i = 0; i < n->n; i++)
		if (!fill_array(E, n->kid[i], depth + 1, extent, rank, at, integers))
			return false;
	return true;
}

static struct value data_value(struct elaborator *E, double *data, bool integers, bool batched, int rank,
			       const struct axis *axis, struct span at)
{
	struct tensor *t = graph_tensor(E->g, ROLE_DATA, join_path(E, E->scope->path, E->scope->hint),
					integers ? ELEM_INT : ELEM_REAL, batched, rank, axis, at);
	t->data = data;
	t->layer = E->scope->path;
	int64_t n = 1, most = 0;
	for (int i = 0; i < rank; i++)
		n *= axis[i].extent;
	for (int64_t i = 0; integers && i < n; i++) {
		if (data[i] < 0)
			most = -1;
		else if (most >= 0 && (int64_t)data[i] > most)
			most = (int64_t)data[i];
	}
	t->classes = integers && most >= 0 ? most + 1 : 0;
	return tensor_value(E, t);
}

/* [[1, 2], [3, 4]]: whole numbers make a tensor of integers, anything else one of reals. */
struct value array_value(struct elaborator *E, const struct node *n)
{
	struct axis axis[8];
	int64_t extent[8], count = 1;
	int rank = 0;
	for (const struct node *k = n; k->kind == NODE_ARRAY; k = k->kid[0]) {
		if (rank == 8 || !k->n) {
			fail(E, n->at, rank == 8 ? "a tensor has at most 8 axes" : "an empty tensor");
			return error_value();
		}
		axis[rank] = (struct axis){k->n, false};
		extent[rank++] = k->n;
		count *= k->n;
	}
	double *data = arena_array(&E->ctx->arena, (size_t)count, sizeof *data), *at = data;
	bool integers = true;
	if (!fill_array(E, n, 0, extent, &rank, &at, &integers))
		return error_value();
	return data_value(E, data, integers, false, rank, axis, n->at);
}

/* batch(a, b, ..): one row each, for examples. */
struct value batch_value(struct elaborator *E, const struct node *n, const struct value *args, int nargs)
{
	struct axis axis[9] = {{nargs, true}};
	int rank = 0;
	int64_t count = 1;
	bool integers = true;
	for (int i = 0; i < nargs; i++) {
		const struct value *v = &args[i];
		bool data = v->kind == VAL_TENSOR && v->expr->op == EX_READ && v->expr->tensor->role == ROLE_DATA;
		if (!is_number(v) && !data && !(v->kind == VAL_TENSOR && v->expr->op == EX_INT)) {
			fail(E, n->at, "batch(a, b, ..) takes constants, one a row");
			return error_value();
		}
		if (i == 0 && data) {
			rank = v->rank;
			memcpy(axis + 1, v->axis, (size_t)rank * sizeof *axis);
			count = tensor_size(v->expr->tensor);
		}
		if ((data ? v->rank : 0) != rank || (data && tensor_size(v->expr->tensor) != count)) {
			fail(E, n->at, "the rows of a batch have one shape");
			return error_value();
		}
		integers &= data ? v->expr->tensor->elem == ELEM_INT : v->kind == VAL_INT || v->kind == VAL_TENSOR;
	}
	double *data = arena_array(&E->ctx->arena, (size_t)(count * nargs), sizeof *data);
	for (int i = 0; i < nargs; i++) {
		if (args[i].kind == VAL_TENSOR && args[i].expr->op == EX_READ)
			memcpy(data + i * count, args[i].expr->tensor->data, (size_t)count * sizeof *data);
		else
			data[i] = args[i].kind == VAL_TENSOR ? (double)args[i].expr->integer : number_of(&args[i]);
	}
	E->g->batch = nargs;
	struct value v = data_value(E, data, integers, true, rank + 1, axis, n->at);
	if (args[0].kind == VAL_TENSOR && args[0].classes)
		v.classes = v.expr->tensor->classes = args[0].classes;
	return v;
}

struct value class_value(struct elaborator *E, const struct node *n, const struct value *args)
{
	int64_t k, classes;
	if (!expect_int(E, n->kid[0], args[0], "a class", &k) ||
	    !expect_int(E, n->kid[1], args[1], "a number of classes", &classes))
		return error_value();
	if (k < 0 || k >= classes) {
		fail(E, n->at, "class %lld is not one of %lld (0 to %lld)", (long long)k, (long long)classes,
		     (long long)classes - 1);
		return error_value();
	}
	return (struct value){.kind = VAL_TENSOR, .expr = ex_int(E->g, k), .classes = classes};
}
