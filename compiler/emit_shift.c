/* emit_shift.c - where the part of a tensor begins that a function reads: the pointer that is passed points there.
 *
 * Queries, keys and values are products with three parts of one joint weight. Their functions differ by a constant in a
 * subscript, and by nothing once that has moved into the call: `in_proj_weight + 16384`. So they share one. */
#include "emit_parts.h"

#include <string.h>

/* What is added to a subscript. Canonical sums have their constant last. */
static int64_t added_constant(const struct expr *subscript)
{
	const struct expr *last = subscript->op == EX_ADD ? subscript->arg[1] : subscript;

	return last->op == EX_INT && last->integer > 0 ? last->integer : 0;
}

/* In elements; of a read that may be outside, the tests tell what it is. */
static int64_t shift_of_read(const struct expr *read)
{
	int64_t shift = 0;
	struct affine flat;

	for (int a = 0; a < read->tensor->rank; a++) {
		int64_t constant = added_constant(read->arg[a]), stride = constant ? axis_stride(read->tensor, a) : 0;

		if (constant && !stride)
			return 0;
		shift += constant * stride;
	}
	return shift && !read->guarded && flat_subscript(read->tensor, read->arg, &flat) ? shift : 0;
}

/* Of all reads of an argument alike, or 0. */
static int64_t shift_of_arg(struct body *b, const struct arg *arg)
{
	int64_t shift = -1;

	for (int i = 0; i < b->group->stages.n && !arg->written; i++) {
		expr_list reads = b->group->stages.item[i]->reads;

		for (int k = 0; k < reads.n && shift; k++)
			if (find_arg(b, reads.item[k]->tensor) == arg) {
				int64_t here = shift_of_read(reads.item[k]);

				shift = shift < 0 || shift == here ? here : 0;
			}
	}
	return shift > 0 ? shift : 0;
}

void shift_args(struct body *b)
{
	for (int i = 0; i < b->args.n && !b->group->flat && !b->group->steps; i++)
		b->args.item[i].shift = shift_of_arg(b, &b->args.item[i]);
}

const struct expr *unshifted(struct body *b, const struct expr *subscript)
{
	if (!added_constant(subscript))
		return subscript;
	return subscript->op == EX_ADD ? subscript->arg[0] : ex_int(b->e->g, 0);
}

const char *shifted_shape(struct body *b, const struct arg *arg)
{
	struct tensor part = *arg->root;
	int64_t stride = part.rank ? axis_stride(&part, 0) : 0;

	if (arg->shift && stride && !part.axis[0].rows) {
		part.axis = arena_array(b->e->arena, (size_t)part.rank, sizeof *part.axis);
		memcpy(part.axis, arg->root->axis, (size_t)part.rank * sizeof *part.axis);
		part.axis[0].extent -= arg->shift / stride;
	}
	return shape_text(b->e, &part, !b->one_row);
}
