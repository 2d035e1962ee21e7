/* map_homes.c - what a map in machine code uses, and where that has its home: a register, or a place of the frame. */
#include "map_maker.h"

/* ---- what a program uses ---- */

static void add_integer(struct map_maker *m, const int32_t *word)
{
	struct map_mover *mover = &m->mover[NN_MAP_REGISTER + m->n_integer];
	if (m->n_integer == MOST_INTEGERS) {
		m->failed = true;
		return;
	}
	m->n_integer++;
	mover->used = true;
	mover->word = word;
	mover->home = m->n_slot++;
}

/* A uniform that is first seen as an operand is one of the call's numbers. */
static void see(struct map_maker *m, int slot, bool result)
{
	m->failed |= slot < 0 || slot >= NN_MAP_SLOTS;
	if (m->failed)
		return;
	if (slot < NN_MAP_REGISTER)
		m->mover[slot].used = true;
	else if (slot >= NN_MAP_UNIFORM && !m->seen[slot])
		m->number[slot] = !result;
	m->seen[slot] = true;
}

/* How many slots stand behind an instruction's first word. */
static int slots_of(const int32_t *w)
{
	switch (w[0] & 255) {
	case NN_MAP_INDEX: return 1;
	case NN_MAP_LOAD:
	case NN_MAP_STORE:
	case NN_MAP_SPLAT:
	case NN_MAP_INT_QUOTIENT:
	case NN_MAP_INT_REMAINDER: return 2;
	case NN_MAP_LOAD_INSIDE: return 4;
	default: return (w[0] >> 8) - 1;
	}
}

static void look_at_instruction(struct map_maker *m, const int32_t *w, const struct map_words *strip)
{
	const int op = w[0] & 255, n = slots_of(w);
	const bool in_out = op >= NN_MAP_REDUCE_SUM && op <= NN_MAP_TOTAL_MAX;
	for (int i = 2; i <= n; i++)
		see(m, w[i], false);
	see(m, w[1], op != NN_MAP_STORE && !in_out);
	m->calls |= op == NN_MAP_POW || (op >= NN_MAP_EXP && op < NN_MAP_SQRT);
	if (op == NN_MAP_INDEX)
		add_integer(m, w + 2);
	if (op != NN_MAP_LOAD_INSIDE || !strip)
		return;
	w += 5 + strip->levels - strip->strip;
	for (int c = 0; c < *w; c++)
		add_integer(m, w + 1 + c * (1 + m->n_index));
}

void look_at(struct map_maker *m, const int32_t *w, const int32_t *end, int depth, const struct map_words *strip)
{
	m->most_depth = depth > m->most_depth ? depth : m->most_depth;
	for (; w < end && !m->failed; w = next_instruction(w)) {
		struct map_words s;
		if ((w[0] & 255) != NN_MAP_SPACE) {
			look_at_instruction(m, w, strip);
			continue;
		}
		s = words_of(w, m->n_index);
		for (int l = 0; l < s.levels; l++)
			m->has_rows |= s.extent[l] < 0;
		m->n_index += s.levels;
		look_at(m, s.body, s.end, depth + s.levels, s.strip < s.levels ? &s : strip);
		m->n_index -= s.levels;
	}
}

/* ---- homes ---- */

void give_registers(struct map_maker *m)
{
	static const int8_t others[] = {RSI, RDI, R8, R9, R10};
	int8_t list[SAVED + sizeof others];
	int n = 0, taken = 0;
	for (size_t i = 0; i < sizeof others && !m->calls; i++)
		list[n++] = others[i];
	for (int i = 0; i < SAVED; i++)
		list[n++] = kept_register(i);
	for (int i = 0; i < NN_MAP_REGISTER; i++) {
		struct map_mover *mover = &m->mover[i];
		if (!mover->used)
			continue;
		mover->in_register = taken < n;
		mover->home = taken < n ? list[taken++] : m->n_slot++;
	}
	for (int d = (m->most_depth < MOST_DEPTH ? m->most_depth : MOST_DEPTH) - 1, i = 0; d >= 0; d--, i++)
		if (i < 2 && !m->calls)
			m->counter[d] = x86_register(i ? RDX : RCX);
		else
			m->counter[d] = taken < n ? x86_register(list[taken++]) : frame_slot(m->n_slot++);
}

int give_vectors(struct map_maker *m)
{
	const int n = m->x.avx512 ? 32 : 16;
	int next = FIRST_HOME, at = (m->n_slot * 8 + VECTOR_BYTES - 1) / VECTOR_BYTES * VECTOR_BYTES;
	m->buffer = x86_memory(RSP, at);
	at += VECTOR_BYTES;
	for (int i = NN_MAP_REGISTER; i < NN_MAP_SLOTS; i++) {
		const bool uniform = i >= NN_MAP_UNIFORM;
		if (!m->seen[i])
			continue;
		if (next < n && !(uniform && m->calls))
			m->home[i] = x86_register(next++);
		else
			m->home[i] = x86_memory(RSP, at);
		if (m->calls && !uniform && !m->home[i].memory)
			m->saved[i] = x86_memory(RSP, at);
		at += VECTOR_BYTES;
	}
	return at;
}
