/* emit_read.c - reads of tensors as C: the element of an array, a local variable, or where a guarded read may be
 * outside a choice between the element and what stands for it. */
#include "emit_parts.h"

#include <inttypes.h>
#include <string.h>

struct arg *find_arg(struct body *b, const struct tensor *t)
{
	const struct tensor *root = root_of(t);
	struct storage *storage = &layout_of(root)->storage[b->call];

	for (int i = 0; i < b->args.n; i++) {
		struct arg *arg = &b->args.item[i];

		if (arg->storage.memory == storage->memory && arg->storage.offset == storage->offset &&
		    (arg->storage.rule == storage->rule || strcmp(arg->storage.rule, storage->rule) == 0))
			return arg;
	}
	return NULL;
}

static const char *find_local(const struct body *b, const struct tensor *t, int64_t at)
{
	for (int i = b->locals.n - 1; i >= 0; i--)
		if (b->locals.item[i].tensor == t && (b->locals.item[i].at == at || b->locals.item[i].at < 0))
			return b->locals.item[i].name;
	return NULL;
}

/* "4 * b + 2" for the element, without what the pointer has moved already. */
static void print_flat(struct body *b, struct text *out, const struct tensor *t, struct expr *const *subs,
		       const struct arg *arg)
{
	const char *cast = tensor_size(t) > INT32_MAX ? "(ptrdiff_t)" : "";
	struct affine flat;
	bool first = true;

	if (flat_subscript(t, subs, &flat)) {
		flat = with_constants(b, &flat);
		flat.constant -= arg->shift;
		if (arg->bumped)
			for (int s = 0; s < slots_of(b); s++)
				if (b->slot_name[s] && b->slot_name[s] == b->rows_slot)
					flat.coef[s] = 0;
		print_terms(b, out, &flat, cast);
		return;
	}
	for (int a = 0; a < t->rank; a++) {
		int64_t stride = axis_stride(t, a);

		if (ex_is_num(subs[a], 0) || stride == 0 || (arg->bumped && a == 0))
			continue;
		if (!first)
			text_add(out, " + ");
		text_add(out, cast);
		if (stride != 1)
			text_printf(out, "%" PRId64 " * ", stride);
		print_c(b, out, subs[a], stride != 1 ? UNARY : SUM);
		first = false;
	}
	if (first)
		text_add(out, "0");
}

void print_element(struct body *b, struct text *out, const struct tensor *t, struct expr *const *subs)
{
	const struct arg *arg = find_arg(b, t);

	text_printf(out, "%s[", arg->name);
	if (arg->by_element)
		text_add(out, b->flat_index);
	else
		print_flat(b, out, t, subs, arg);
	text_add(out, "]");
}

/* The constant place of the element, or -1. */
static int64_t constant_place(struct body *b, const struct expr *read)
{
	struct affine flat;

	if (!flat_subscript(read->tensor, read->arg, &flat))
		return -1;
	flat = with_constants(b, &flat);
	for (int s = 0; s < 64; s++)
		if (flat.coef[s] && !is_step(b->eq, count_steps(b->group), s) &&
		    !(b->rows_slot && b->slot_name[s] == b->rows_slot))
			return -1;
	return flat.constant;
}

static const char *read_local(struct body *b, const struct expr *read)
{
	if (!b->locals.n || reads_other_step(read, b->eq, count_steps(b->group)))
		return NULL;
	return find_local(b, read->tensor, constant_place(b, read));
}

static bool is_known(const struct body *b, const struct affine *condition)
{
	for (int i = 0; b->known && i < b->known->n; i++)
		if (memcmp(&b->known->item[i], condition, sizeof *condition) == 0)
			return true;
	return false;
}

/* The tests that subscript `axis` of a guarded read is inside; nothing where it is known. Returns how many. */
static int print_guard(struct body *b, struct text *out, const struct expr *read, int axis, int before)
{
	const struct tensor *t = read->tensor;
	struct expr *sub = read->arg[axis];
	struct range r;
	struct affine low, high;
	bool affine = affine_of(sub, &low), below, above;

	if (!range_of(sub, b->eq->index, &r))
		r = (struct range){INT64_MIN, INT64_MAX};
	below = r.low < 0;
	above = r.high >= t->axis[axis].extent;
	if (affine) {
		high = (struct affine){.constant = t->axis[axis].extent - 1 - low.constant};
		for (int s = 0; s < 64; s++)
			high.coef[s] = -low.coef[s];
		below &= !is_known(b, &low);
		above &= !is_known(b, &high);
	}
	if (below) {
		text_add(out, before++ ? " && " : "");
		if (affine)
			print_condition(b, out, &low);
		else
			print_c(b, out, sub, SUM);
		text_add(out, affine ? "" : " >= 0");
	}
	if (above) {
		text_add(out, before++ ? " && " : "");
		if (affine)
			print_condition(b, out, &high);
		else
			print_c(b, out, sub, SUM);
		if (!affine)
			text_printf(out, " < %" PRId64, t->axis[axis].extent);
	}
	return before;
}

/* A guarded read that is outside for all values of the indices. */
static bool is_outside(const struct body *b, const struct expr *read)
{
	for (int a = 0; read->guarded && a < read->tensor->rank; a++) {
		struct range r;

		if (range_of(read->arg[a], b->eq->index, &r) && (r.high < 0 || r.low >= read->tensor->axis[a].extent))
			return true;
	}
	return false;
}

void print_read(struct body *b, struct text *out, const struct expr *read, int level)
{
	struct text guard = {.arena = out->arena};
	const char *local = read_local(b, read);
	int tests = 0;

	if (is_outside(b, read)) {
		print_c(b, out, read->arg[read->tensor->rank], level);
		return;
	}
	for (int a = 0; read->guarded && a < read->tensor->rank; a++)
		tests = print_guard(b, &guard, read, a, tests);
	if (tests == 0) {
		if (local)
			text_add(out, local);
		else
			print_element(b, out, read->tensor, read->arg);
		return;
	}
	text_printf(out, level > TERNARY ? "(%s ? " : "%s ? ", guard.at);
	if (local)
		text_add(out, local);
	else
		print_element(b, out, read->tensor, read->arg);
	text_add(out, " : ");
	print_c(b, out, read->arg[read->tensor->rank], TERNARY);
	text_add(out, level > TERNARY ? ")" : "");
}
