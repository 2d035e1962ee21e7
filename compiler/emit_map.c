/* emit_map.c - a group as a program of vector instructions (runtime/map.h), for code that is compiled in process.
 *
 * libtcc makes scalar code that goes to memory for every variable, some fifteen times as slow as an optimising
 * compiler's. So the loops of a group are handed over as a table: an expression becomes instructions on strips, pieces
 * of a few hundred elements of the index space. Where the strips lie is all there is to choose. Along the free indices,
 * a bound index is a loop in which a strip accumulates; along the bound ones, a strip is summed up to one number. What
 * does not depend on the program's loops is computed by the C around it and handed over as a number.
 *
 * What has no instruction (scatters, draws, quotients of integers) stays text, and so does a group that is too small
 * for a call to pay. Loops outside of such a thing may be text around the call. */
#include "emit_map.h"

#include <math.h>
#include <stdlib.h>

enum { STRIP_ELEMENTS = 512 };

/* ---- stores ---- */

/* Let the instruction that made the value put it into memory at once, if it may: nothing behind it reads that. */
static bool store_at_once(struct map *m, int value, int memory)
{
	const struct tensor *target = m->memory.item[m->values.item[memory].slot].eq->tensor;
	int at = -1;

	if (m->values.item[value].kind != MAP_REGISTER)
		return false;
	for (int i = m->space->first; i < m->code.n; i++) {
		if (m->code.item[i].op == NN_MAP_SPACE)
			at = m->code.n;
		if (m->code.item[i].result == value)
			at = at < 0 ? i : m->code.n;
	}
	if (at < 0 || at == m->code.n)
		return false;
	for (int i = at + 1; i < m->code.n; i++)
		for (int k = 0; k < m->code.item[i].n; k++) {
			if (m->code.item[i].op == NN_MAP_STORE && m->code.item[i].operand[k] == value)
				return false; /* which wants a register */
			const struct map_value *v = &m->values.item[m->code.item[i].operand[k]];
			const struct map_memory *read = v->kind == MAP_MEMORY ? &m->memory.item[v->slot] : NULL;

			if (read && !read->number &&
			    (!read->read || find_arg(m->b, read->read->tensor) == find_arg(m->b, target)))
				return false;
		}
	for (int i = at; i < m->code.n; i++) {
		struct map_instruction *ins = &m->code.item[i];

		ins->result = ins->result == value ? memory : ins->result;
		for (int k = 0; k < ins->n; k++)
			ins->operand[k] = ins->operand[k] == value ? memory : ins->operand[k];
	}
	return true;
}

/* again: the value is stored once more behind. */
static void store(struct map *m, const struct stage *stage, int value, const char *local, bool again)
{
	struct map_memory memory = {.eq = stage->eq, .local = local};
	int at;

	memory.flat = target_steps(m, stage->eq);
	for (int s = 0; s < stage->eq->nfree; s++)
		memory.first[s] = m->piece[s].from;
	at = memory_value(m, memory);
	if (m->strip && pattern_of(m, at) == ROW) {
		if (again || !store_at_once(m, value, at))
			add_result(m, NN_MAP_MOVE, at, 1, &value);
		return;
	}
	if (m->strip && is_uniform(m, value))
		value = add_to_register(m, NN_MAP_MOVE, 1, &value);
	add_result(m, NN_MAP_STORE, -1, 2, (int[]){value, at});
	if (m->strip)
		add_steps(m, at);
}

/* ---- nests ---- */

/* What is computed of reals, or read, in a round. */
static int count_operations(const struct stage *stage)
{
	int n = 0;

	for (int i = 0; i < stage->exprs.n; i++)
		n += stage->exprs.item[i]->elem != ELEM_INT && stage->exprs.item[i]->n > 0;
	return n;
}

/* Whether strips should run along the bound indices: where the reads lie one after the other, and there are more. */
static bool run_along(struct map *m, int at, int end, const struct map_space *space)
{
	double along = 0, across = 0, elements = space_size(space), strip = 1;
	bool sums = false, places = false;

	for (int l = space->n - 1; l >= 0 && strip < STRIP_ELEMENTS; l--)
		strip *= (double)space->level[l].extent;
	strip = strip > STRIP_ELEMENTS ? STRIP_ELEMENTS : strip;
	for (int i = at; i < end; i++) {
		const struct stage *stage = m->b->group->stages.item[i];
		const struct map_space *bound = bound_space(m, stage);
		double n = space_size(bound), work = elements * n, ops = count_operations(stage) + (bound->n > 0);

		across += work * (0.1 * ops + 5 * ops / strip);
		along += bound->n ? elements * (n * 0.1 * ops + 5 * ops * ceil(n / STRIP_ELEMENTS) + 40)
				  : elements * 5 * ops;
		sums |= bound->n > 0;
		places |= is_place(stage->eq->red);
		for (int k = 0; k < stage->reads.n; k++) {
			struct affine flat;

			if (!flat_subscript(stage->reads.item[k]->tensor, stage->reads.item[k]->arg, &flat))
				continue;
			if (space->n && llabs(flat.coef[space->level[space->n - 1].slot]) > 1)
				across += work * 0.6;
			if (bound->n && llabs(flat.coef[bound->level[bound->n - 1].slot]) > 1)
				along += work * 0.6;
		}
	}
	return !space->n || (sums && !places && along < across);
}

/* Of a sum that goes on: with what the strips of samples before have left. */
static int add_left(struct map *m, const struct equation *eq, int value)
{
	struct expr *subs[MAX_SLOTS];
	int left;

	for (int s = 0; s < eq->nfree; s++)
		subs[s] = ex_index(m->b->e->g, s);
	left = m->failed ? -1 : make_value(m, ex_read(m->b->e->g, eq->tensor, subs, NULL));
	return m->failed ? -1 : add_instruction(m, NN_MAP_ADD, 2, (int[]){value, left});
}

static int make_stage_value(struct map *m, const struct stage *stage, bool along)
{
	const struct equation *eq = stage->eq;
	int value;

	start_stage(m->b, eq, m->from);
	m->loops = 0;
	for (int s = m->from; s < eq->n; s++)
		if (m->flat || !runs_once(m->b, eq, s))
			m->loops |= (uint64_t)1 << s;
	if (stage->form == FORM_SCATTER || (eq->tensor->elem != ELEM_REAL && m->b->e->real_kind != NNC_FLOAT))
		return fail_map(m);
	value = stage->form == FORM_MAP ? make_value(m, map_value_of(stage)) : make_reduction(m, stage, along);
	return m->b->goes_on ? add_left(m, eq, value) : value;
}

void make_nest(struct map *m, int at, int end, int from, int to, bool inner)
{
	struct map_space *space = free_space(m, at, end, from, to);
	const struct cut *cut = find_map_cut(m, at, end, from, to);
	bool along = run_along(m, at, end, space), opened = space->n || !inner;
	int memo = m->memo.n, made = m->made.n, *value = arena_array(m->arena, (size_t)(end - at), sizeof *value);

	if (cut) {
		if (!inner)
			open_space(m, new_space(m), false);
		make_pieces(m, at, from, to, cut);
		if (!inner)
			close_space(m);
		return;
	}
	if (opened)
		open_space(m, space, !along);
	for (int i = at; i < end && !m->failed; i++) {
		struct stage *stage = m->b->group->stages.item[i];

		value[i - at] = make_stage_value(m, stage, along);
		list_add(m->arena, &m->made, (struct map_made){stage->eq->tensor, value[i - at]});
	}
	for (int i = at; i < end && !m->failed; i++) {
		struct stage *stage = m->b->group->stages.item[i];
		bool again = false;

		for (int k = i + 1; k < end; k++)
			again |= value[k - at] == value[i - at];
		if (!stage->local)
			store(m, stage, value[i - at], NULL, again);
		else if (m->from == to && m->needs_local) /* other code reads it */
			store(m, stage, value[i - at], m->local[i - at] = value_name(m->b, stage), again);
	}
	if (!opened)
		return;
	close_space(m);
	m->memo.n = memo;
	m->made.n = made;
}

/* The first slot behind the free ones that stages of the nest have loops for. */
static int free_slots(const struct body *b, int at) { return b->group->stages.item[at]->eq->nfree; }

static double map_size(const struct map *m, int at, int end, int from)
{
	double most = 0;

	for (int i = at; i < end; i++) {
		const struct equation *eq = m->b->group->stages.item[i]->eq;
		double size = 1;

		for (int s = from; s < eq->n; s++)
			size *= runs_once(m->b, eq, s) ? 1 : (double)eq->index[s].extent;
		most = size > most ? size : most;
	}
	return most;
}

/* Where the nest of a stage begins. */
static int nest_of(const struct group *group, int i)
{
	int at = 0;

	while (nest_end(group, at) <= i)
		at = nest_end(group, at);
	return at;
}

static bool reads_tensor(const struct stage *stage, const struct tensor *t)
{
	for (int i = 0; i < stage->reads.n; i++)
		if (stage->reads.item[i]->tensor == t)
			return true;
	return false;
}

/* Whether the loops that the nests share may be those of each of them, so that strips are longer: no nest needs a value
 * that another one has made and that is in no memory, and a round of the loops is short. */
static bool may_part(const struct map *m, int at, int end, int depth)
{
	for (int i = at; i < end; i++) {
		const struct stage *stage = m->b->group->stages.item[i];

		if (stage->form == FORM_SCATTER)
			return false;
		for (int k = at; k < end; k++)
			if (m->b->group->stages.item[k]->local && nest_of(m->b->group, k) != nest_of(m->b->group, i) &&
			    reads_tensor(stage, m->b->group->stages.item[k]->eq->tensor))
				return false;
	}
	return map_size(m, at, end, depth) < STRIP_ELEMENTS;
}

static bool make_map(struct map *m, struct body *b, int at, int end, int from)
{
	int depth = b->group->depth;
	struct expr *e;

	*m = (struct map){.b = b, .arena = b->e->arena, .first = at, .end = end, .from = from};
	m->memory.item = m->first_memory;
	m->memory.room = FEW_ARRAYS;
	m->flat = b->group->flat;
	m->needs_local = end < b->group->stages.n;
	m->local = arena_array(m->arena, (size_t)(end - at), sizeof *m->local);
	if (map_size(m, at, end, from) < LEAST_OF_MAP)
		return false;
	for (int i = at; i < end; i++)
		for (int k = 0; k < b->group->stages.item[i]->exprs.n; k++) {
			e = b->group->stages.item[i]->exprs.item[k];
			for (int a = 0; a < e->n && e->op != EX_READ; a++)
				list_add(m->arena, &m->used, e->arg[a]);
		}
	for (int i = at; i < end; i++)
		list_add(m->arena, &m->used, map_value_of(b->group->stages.item[i]));
	if (nest_end(b->group, at) == end) {
		make_nest(m, at, end, from, free_slots(b, at), false);
	} else {
		bool part = may_part(m, at, end, depth);
		int shared = part ? from : depth;

		open_space(m, free_space(m, at, end, from, shared), false);
		for (int i = at; i < end && !m->failed; i = nest_end(b->group, i))
			make_nest(m, i, nest_end(b->group, i), shared, free_slots(b, i), true);
		close_space(m);
	}
	return !m->failed && assign_slots(m);
}

bool write_map(struct body *b, int at, int end, int open)
{
	const struct equation *first = b->group->stages.item[at]->eq;
	bool nest = nest_end(b->group, at) == end;
	int most = nest ? free_slots(b, at) : b->group->depth, blocks = 0;
	struct map m;
	struct mark before = mark(b);

	if (!b->e->options->tiles || !b->e->options->tiles->maps ||
	    (nest && b->group->stages.item[at]->form == FORM_SCATTER))
		return false;
	if (b->group->flat)
		most = open;
	for (int from = open; from <= most; from++) {
		if (!make_map(&m, b, at, end, from))
			continue;
		start_stage(b, first, open);
		for (int s = open; s < from; s++) {
			hoist_terms(b, at, end);
			blocks += open_loop(b, first, s);
		}
		write_program(&m);
		close_loops(b, blocks);
		if (blocks)
			forget(b, before, true);
		for (int i = at; i < end; i++)
			if (m.local[i - at])
				list_add(m.arena, &b->locals,
					 (struct local){b->group->stages.item[i]->eq->tensor, -1, m.local[i - at]});
		return true;
	}
	start_stage(b, first, open);
	return false;
}
