/* emit_program.c - the instructions of a map: slots for their values, and the words.
 *
 * Values are made in the order in which they are used, so registers are found in one walk: one is free again behind the
 * last use of what it holds. What was made before a loop and is used within it is held until the loop ends. */
#include "emit_map.h"

#include <string.h>

/* ---- making ---- */

int new_value(struct map *m, int kind, int slot)
{
	int depth = 0;

	for (const struct map_space *s = m->space; s; s = s->outer)
		depth++;
	list_add(m->arena, &m->values, (struct map_value){.kind = kind, .slot = slot, .depth = depth, .last = -1});
	return m->values.n - 1;
}

bool is_uniform(const struct map *m, int value)
{
	return m->values.item[value].kind == MAP_NUMBER || m->values.item[value].kind == MAP_UNIFORM;
}

void add_result(struct map *m, enum nn_map_op op, int result, int n, const int *operand)
{
	struct map_instruction ins = {.op = op, .result = result, .n = n};

	for (int i = 0; i < n; i++)
		ins.operand[i] = operand[i];
	list_add(m->arena, &m->code, ins);
}

int add_instruction(struct map *m, enum nn_map_op op, int n, const int *operand)
{
	bool uniform = true;
	int result;

	for (int i = 0; i < n; i++) {
		if (operand[i] < 0)
			return -1;
		uniform &= is_uniform(m, operand[i]);
	}
	result = new_value(m, uniform || op == NN_MAP_SPLAT ? MAP_UNIFORM : MAP_REGISTER, -1);
	add_result(m, op, result, n, operand);
	return result;
}

int add_to_register(struct map *m, enum nn_map_op op, int n, const int *operand)
{
	int result = new_value(m, MAP_REGISTER, -1);

	add_result(m, op, result, n, operand);
	return result;
}

void add_word(struct map *m, int64_t word)
{
	m->failed |= word > INT32_MAX || word < INT32_MIN;
	list_add(m->arena, &m->code.item[m->code.n - 1].words, (int32_t)word);
}

int number_value(struct map *m, struct expr *expr, bool test)
{
	for (int i = 0; i < m->values.n; i++)
		if (m->values.item[i].kind == MAP_NUMBER && m->numbers.item[m->values.item[i].slot].expr == expr)
			return i;
	list_add(m->arena, &m->numbers, (struct map_number){expr, m->b->eq, test});
	return new_value(m, MAP_NUMBER, m->numbers.n - 1);
}

int memory_value(struct map *m, struct map_memory memory)
{
	for (int i = 0; i < m->values.n && (memory.read || memory.number); i++) {
		const struct map_value *v = &m->values.item[i];

		if (v->kind == MAP_MEMORY && m->memory.item[v->slot].read == memory.read &&
		    m->memory.item[v->slot].number == memory.number)
			return i;
	}
	list_add(m->arena, &m->memory, memory);
	return new_value(m, MAP_MEMORY, m->memory.n - 1);
}

/* ---- loops ---- */

enum { LEAST_STRIP = 128 /* elements; shorter loops become strips together with those around them */ };

void open_space(struct map *m, struct map_space *space, bool strips)
{
	int64_t inner = 1;

	space->strip = space->n;
	if (strips && space->n) {
		space->strip = space->n - 1;
		while (space->strip > 0 && inner * space->level[space->strip].extent < LEAST_STRIP)
			inner *= space->level[space->strip--].extent;
		m->strip = space;
	}
	add_result(m, NN_MAP_SPACE, -1, 0, NULL);
	m->code.item[m->code.n - 1].space = space;
	space->outer = m->space;
	space->first = m->code.n;
	m->space = space;
}

void close_space(struct map *m)
{
	struct map_space *space = m->space;

	space->end = m->code.n;
	m->space = space->outer;
	if (m->strip != space)
		return;
	m->strip = NULL;
	for (struct map_space *s = space->outer; s && !m->strip; s = s->outer)
		m->strip = s->strip < s->n ? s : NULL;
}

int64_t memory_step(const struct map *m, int memory, const struct map_level *level)
{
	return m->memory.item[memory].flat.coef[level->slot];
}

/* ---- slots ---- */

static void note_use(struct map *m, int value, int at)
{
	struct map_value *v = &m->values.item[value];

	if (v->last < at)
		v->last = at;
	for (int i = 0; i < m->code.n; i++) { /* made before a loop: until its end */
		const struct map_space *s = m->code.item[i].space;
		int depth = 1;

		if (!s || at < s->first || at >= s->end)
			continue;
		for (const struct map_space *o = s->outer; o; o = o->outer)
			depth++;
		if (v->depth < depth && v->last < s->end)
			v->last = s->end;
	}
}

static int take(bool *used, int from, int to)
{
	for (int i = from; i < to; i++)
		if (!used[i]) {
			used[i] = true;
			return i;
		}
	return -1;
}

bool assign_slots(struct map *m)
{
	bool used[NN_MAP_SLOTS] = {false};

	if (m->memory.n > NN_MAP_REGISTER || m->numbers.n > NN_MAP_SLOTS - NN_MAP_UNIFORM)
		return false;
	for (int i = 0; i < m->numbers.n; i++)
		used[NN_MAP_UNIFORM + i] = true;
	for (int i = 0; i < m->values.n; i++) {
		struct map_value *v = &m->values.item[i];

		v->slot += v->kind == MAP_NUMBER ? NN_MAP_UNIFORM : 0;
	}
	for (int i = 0; i < m->code.n; i++) {
		for (int k = 0; k < m->code.item[i].n; k++)
			note_use(m, m->code.item[i].operand[k], i);
		if (m->code.item[i].result >= 0)
			note_use(m, m->code.item[i].result, i);
	}
	for (int i = 0; i < m->code.n; i++) {
		struct map_value *v;
		bool uniform;

		for (int k = 0; k < m->values.n; k++) {
			v = &m->values.item[k];
			if (v->kind < MAP_UNIFORM || v->slot < 0 || v->free || v->last > i)
				continue;
			used[v->slot] = false;
			v->free = true;
		}
		if (m->code.item[i].result < 0)
			continue;
		v = &m->values.item[m->code.item[i].result];
		uniform = v->kind == MAP_UNIFORM;
		if (v->slot >= 0)
			continue;
		v->slot = uniform ? take(used, NN_MAP_UNIFORM, NN_MAP_SLOTS)
				  : take(used, NN_MAP_REGISTER, NN_MAP_UNIFORM);
		if (v->slot < 0)
			return false;
	}
	return true;
}

/* ---- writing ---- */

static int slot_of(const struct map *m, int value) { return m->values.item[value].slot; }

static bool uses_memory(const struct map *m, const struct map_space *space, int memory)
{
	for (int i = space->first; i < space->end; i++) {
		const struct map_instruction *ins = &m->code.item[i];

		for (int k = -1; k < ins->n; k++) {
			int v = k < 0 ? ins->result : ins->operand[k];

			if (v >= 0 && m->values.item[v].kind == MAP_MEMORY && slot_of(m, v) == memory)
				return true;
		}
	}
	return false;
}

static void add_word_to(const struct map *m, word_list *out, int64_t word) { list_add(m->arena, out, (int32_t)word); }

static void add_words_to(const struct map *m, word_list *out, const word_list *words)
{
	for (int i = 0; i < words->n; i++)
		list_add(m->arena, out, words->item[i]);
}

/* The head of a space, with the words of its body. */
static void add_head(const struct map *m, const struct map_space *space, int body, word_list *out)
{
	word_list moves = {0};
	int moved = 0;

	for (int k = 0; k < m->memory.n; k++) {
		bool moves_it = false;

		for (int l = 0; l < space->n; l++)
			moves_it |= memory_step(m, k, &space->level[l]) != 0;
		if (!moves_it || !uses_memory(m, space, k))
			continue;
		moved++;
		add_word_to(m, &moves, k);
		for (int l = 0; l < space->n; l++)
			add_word_to(m, &moves, memory_step(m, k, &space->level[l]));
	}
	add_word_to(m, out, NN_MAP_SPACE | (5 + space->n + moves.n) << 8);
	add_word_to(m, out, space->n);
	add_word_to(m, out, space->strip);
	add_word_to(m, out, body);
	for (int l = 0; l < space->n; l++)
		add_word_to(m, out, space->level[l].rows ? -space->level[l].each : space->level[l].extent);
	add_word_to(m, out, moved);
	add_words_to(m, out, &moves);
}

/* Instructions [first, end). */
static void add_code(const struct map *m, int first, int end, word_list *out)
{
	for (int i = first; i < end; i++) {
		const struct map_instruction *ins = &m->code.item[i];

		if (ins->op == NN_MAP_SPACE) {
			word_list body = {0};

			add_code(m, ins->space->first, ins->space->end, &body);
			add_head(m, ins->space, body.n, out);
			add_words_to(m, out, &body);
			i = ins->space->end - 1;
			continue;
		}
		add_word_to(m, out, (int)ins->op | (1 + (ins->result >= 0) + ins->n + ins->words.n) << 8);
		if (ins->result >= 0)
			add_word_to(m, out, slot_of(m, ins->result));
		for (int k = 0; k < ins->n; k++)
			add_word_to(m, out, slot_of(m, ins->operand[k]));
		for (int k = 0; k < ins->words.n; k++)
			add_word_to(m, out, ins->words.item[k]);
	}
}

/* Where the array begins: the element for which all of the program's loops are 0. Integers are passed as if they were
 * reals. */
static const char *start_of(struct map *m, const struct map_memory *memory)
{
	struct body *b = m->b;
	struct text out = {.arena = m->arena};
	const struct tensor *t = memory->read ? memory->read->tensor : memory->eq->tensor;
	const char *cast = "";
	struct expr *subs[MAX_SLOTS];

	if (t->elem != ELEM_REAL)
		cast = arena_printf(m->arena, "(const %s *)", b->e->real);
	if (memory->local)
		return arena_printf(m->arena, "%s&%s", cast, memory->local);
	if (find_arg(b, t)->by_element)
		return arena_printf(m->arena, "%s%s", cast, find_arg(b, t)->name);
	start_stage(b, memory->eq, m->from);
	for (int s = 0; s < memory->eq->nfree && !memory->read; s++)
		subs[s] = ex2(b->e->g, EX_ADD, ex_index(b->e->g, s), ex_int(b->e->g, memory->first[s]));
	print_element(b, &out, t, memory->read ? memory->read->arg : subs);
	if (out.n > strlen("[0]") && strcmp(out.at + out.n - strlen("[0]"), "[0]") == 0)
		return arena_printf(m->arena, "%s%.*s", cast, (int)(out.n - strlen("[0]")), out.at);
	return arena_printf(m->arena, "%s&%s", cast, out.at);
}

/* An integer as memory. */
static const char *integer_number(struct map *m, const struct map_memory *memory)
{
	struct body *b = m->b;
	const char *name = new_name(b->e, &b->scope, "number");

	start_stage(b, memory->eq, m->from);
	write_line(b->e, "const int32_t %s = %s;", name, expr_text(b, memory->number));
	return arena_printf(m->arena, "(const %s *)&%s", b->e->real, name);
}

static int highest(const struct map *m, int from, int to)
{
	int n = 0;

	for (int i = 0; i < m->values.n; i++) {
		int slot = m->values.item[i].slot;

		if (m->values.item[i].kind != MAP_MEMORY && slot >= from && slot < to && slot - from >= n)
			n = slot - from + 1;
	}
	return n;
}

void write_program(struct map *m)
{
	struct emitter *e = m->b->e;
	struct text numbers = {.arena = m->arena}, memory = {.arena = m->arena};
	word_list program = {0};
	const char *number = "NULL", *count = "0", *at, *words;
	bool rows = m->flat;

	for (int i = 0; i < m->code.n; i++)
		for (int l = 0; m->code.item[i].space && l < m->code.item[i].space->n; l++)
			rows |= m->code.item[i].space->level[l].rows;
	if (rows && m->flat)
		count = "count";
	else if (rows) {
		m->b->takes_n = true;
		count = "n";
	}
	add_word_to(m, &program, highest(m, NN_MAP_REGISTER, NN_MAP_UNIFORM));
	add_word_to(m, &program, highest(m, NN_MAP_UNIFORM, NN_MAP_SLOTS));
	add_code(m, 0, m->code.n, &program);
	e->uses_maps = true;
	for (int i = m->first; i < m->end; i++)
		if (m->local[i - m->first])
			write_line(e, "%s %s;",
				   m->b->group->stages.item[i]->eq->tensor->elem == ELEM_REAL ? e->real : "int32_t",
				   m->local[i - m->first]);
	for (int i = 0; i < m->numbers.n; i++) {
		const char *text;

		start_stage(m->b, m->numbers.item[i].eq, m->from);
		text = expr_text(m->b, m->numbers.item[i].expr);
		text_printf(&numbers, i ? ", %s" : "%s", text);
		if (m->numbers.item[i].test)
			text_printf(&numbers, " ? %s : %s", real_literal(e, 1), real_literal(e, 0));
	}
	if (m->numbers.n) {
		number = new_name(e, &m->b->scope, "number");
		write_line(e, "const %s %s[%d] = {%s};", e->real, number, m->numbers.n, numbers.at);
	}
	for (int i = 0; i < m->memory.n; i++)
		text_printf(&memory, i ? ", %s" : "%s",
			    m->memory.item[i].number ? integer_number(m, &m->memory.item[i])
						     : start_of(m, &m->memory.item[i]));
	at = new_name(e, &m->b->scope, "at");
	/* with its size: libtcc goes twice through what it has to count */
	write_line(e, "const %s *const %s[%d] = {%s};", e->real, at, m->memory.n, memory.at);
	list_add(m->arena, &e->maps, e->words.n);
	words = words_text(e, program.item, program.n);
	write_line(e, "nn_maps[%d](%s, %s, %d, %s, %d, %s);", e->maps.n - 1, words, count, m->numbers.n, number,
		   m->memory.n, at);
}

void write_map_routine(struct emitter *e)
{
	if (!e->uses_maps)
		return;
	write_blank(e);
	write_line(e, "extern void (*const nn_maps[])(const int *program, int n, int n_number, const %s *number,",
		   e->real);
	write_line(e, "\tint n_memory, const %s *const *memory);", e->real);
}
