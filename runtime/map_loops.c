/* map_loops.c - the loops of a map in machine code, and which of their levels has the vectors.
 *
 * All levels of a space are loops but that of the vectors, which is innermost and ends with a masked one: what lies
 * side by side in memory says which it is. What moves is moved at the end of each round; a loop that is short is
 * written out, and then moving costs nothing. */
#include "map_maker.h"

enum { MOST_WRITTEN_OUT = 8 /* rounds of a loop */, SHORT_BODY = 64 /* words */ };

/* ---- movers ---- */

/* How far one moves in a round of a level: bytes of an address, or what is added to an integer. */
static int64_t mover_step(const struct map_maker *m, const struct map_words *s, int level, int mover)
{
	const int32_t *word = m->mover[mover].word, *move = s->moves;
	if (mover >= NN_MAP_REGISTER)
		return word >= s->body && word < s->end ? word[1 + s->base + level] : 0;
	for (int i = 0; i < s->moved; i++, move += 1 + s->levels)
		if (*move == mover)
			return (int64_t)move[1 + level] * m->real;
	return 0;
}

static struct x86_place mover_home(const struct map_mover *mover)
{
	return mover->in_register ? x86_register(mover->home) : frame_slot(mover->home);
}

/* On by some rounds of a level, without an instruction. */
static void shift(struct map_maker *m, const struct map_words *s, int level, int64_t rounds)
{
	for (int i = 0; i < MOVERS; i++)
		if (m->mover[i].used)
			m->mover[i].offset += rounds * mover_step(m, s, level, i);
}

static void note_offsets(const struct map_maker *m, int64_t offset[MOVERS])
{
	for (int i = 0; i < MOVERS; i++)
		offset[i] = m->mover[i].offset;
}

/* At the end of a round: on by as much, with the offsets that were noted when it began. */
static void move_on(struct map_maker *m, const struct map_words *s, int level, int64_t rounds,
		    const int64_t offset[MOVERS])
{
	for (int i = 0; i < MOVERS; i++) {
		struct map_mover *mover = &m->mover[i];
		if (!mover->used)
			continue;
		x86_add_to(&m->x, mover_home(mover), mover->offset - offset[i] + rounds * mover_step(m, s, level, i));
		mover->offset = offset[i];
	}
}

/* Back by as many rounds as RAX says. */
static void move_back(struct map_maker *m, const struct map_words *s, int level)
{
	for (int i = 0; i < MOVERS; i++) {
		const int64_t step = m->mover[i].used ? mover_step(m, s, level, i) : 0;
		if (step == 0)
			continue;
		x86_multiply(&m->x, R11, RAX, step);
		x86_subtract_from(&m->x, mover_home(&m->mover[i]), R11);
	}
}

/* ---- loops ---- */

/* RAX = how often a level of as many rounds as the call says is gone through. */
static void get_rounds(struct map_maker *m, int32_t extent)
{
	x86_get(&m->x, true, RAX, frame_slot(SLOT_N));
	x86_multiply(&m->x, RAX, RAX, -(int64_t)extent);
}

static struct x86_place open_counter(struct map_maker *m)
{
	const int depth = m->depth++;
	m->failed |= depth >= MOST_DEPTH;
	return m->counter[depth < MOST_DEPTH ? depth : 0];
}

/* rounds: 0: as RAX says */
static size_t start_loop(struct map_maker *m, struct x86_place counter, int64_t rounds)
{
	m->failed |= rounds > INT32_MAX;
	if (rounds && counter.memory)
		x86_set_wide(&m->x, counter, (int32_t)rounds);
	else if (rounds)
		x86_set(&m->x, counter.number, (int32_t)rounds);
	else if (counter.memory)
		x86_put(&m->x, true, counter, RAX);
	else
		x86_copy(&m->x, counter.number, RAX);
	return m->x.n;
}

/* The body for the vector that is at hand. */
static void make_vector(struct map_maker *m, const struct map_words *s, bool partial, int count)
{
	m->partial = partial;
	m->count = count;
	set_lanes(m);
	make_code(m, s->body, s->end);
	m->partial = false;
}

static void make_known_vectors(struct map_maker *m, const struct map_words *s, int level)
{
	const int32_t extent = s->extent[level], whole = extent / m->width, rest = extent % m->width;
	int64_t offset[MOVERS];
	if (whole == 1) {
		make_vector(m, s, false, 0);
		shift(m, s, level, m->width);
	} else if (whole > 1) {
		const struct x86_place counter = open_counter(m);
		const size_t start = start_loop(m, counter, whole);
		note_offsets(m, offset);
		make_vector(m, s, false, 0);
		move_on(m, s, level, m->width, offset);
		x86_count_place(&m->x, counter, start);
		m->depth--;
	}
	if (rest)
		make_vector(m, s, true, rest);
	shift(m, s, level, -(int64_t)whole * m->width);
}

static void make_vectors(struct map_maker *m, const struct map_words *s, int level)
{
	const int32_t extent = s->extent[level];
	int64_t offset[MOVERS];
	struct x86_place counter;
	size_t none, start, no_rest;
	if (extent > 0) {
		make_known_vectors(m, s, level);
		return;
	}
	note_offsets(m, offset);
	get_rounds(m, extent);
	x86_divide(&m->x, RAX, __builtin_ctz((unsigned)m->width));
	none = x86_jump(&m->x, X86_IF_ZERO);
	counter = open_counter(m);
	start = start_loop(m, counter, 0);
	make_vector(m, s, false, 0);
	move_on(m, s, level, m->width, offset);
	x86_count_place(&m->x, counter, start);
	m->depth--;
	x86_land(&m->x, none);
	get_rounds(m, extent);
	x86_and(&m->x, RAX, m->width - 1);
	no_rest = x86_jump(&m->x, X86_IF_ZERO);
	x86_put(&m->x, false, frame_slot(SLOT_REST), RAX);
	make_vector(m, s, true, 0);
	move_on(m, s, level, 0, offset);
	x86_land(&m->x, no_rest);
	get_rounds(m, extent);
	x86_and(&m->x, RAX, -m->width);
	move_back(m, s, level);
}

/* Few rounds of little. */
static bool is_written_out(const struct map_words *s)
{
	int64_t rounds = 1;
	for (int l = 0; l < s->levels; l++)
		rounds *= s->extent[l] > 0 ? s->extent[l] : MOST_WRITTEN_OUT + 1;
	for (const int32_t *w = s->body; w < s->end; w = next_instruction(w))
		if ((w[0] & 255) == NN_MAP_SPACE)
			return false;
	return s->strip == s->levels && rounds <= MOST_WRITTEN_OUT && s->end - s->body < SHORT_BODY;
}

/* The levels from this one on but that of the vectors, which is innermost; -1: there is none. */
static void make_levels(struct map_maker *m, const struct map_words *s, int level, int vectors)
{
	const int32_t extent = level < s->levels ? s->extent[level] : 1;
	int64_t offset[MOVERS];
	struct x86_place counter;
	size_t start;
	if (level == s->levels) {
		if (vectors >= 0)
			make_vectors(m, s, vectors);
		else
			make_code(m, s->body, s->end);
		return;
	}
	if (level == vectors || extent == 1) {
		make_levels(m, s, level + 1, vectors);
		return;
	}
	if (is_written_out(s)) {
		for (int i = 0; i < extent; i++) {
			make_levels(m, s, level + 1, vectors);
			shift(m, s, level, 1);
		}
		shift(m, s, level, -extent);
		return;
	}
	counter = open_counter(m);
	if (extent < 0)
		get_rounds(m, extent);
	start = start_loop(m, counter, extent < 0 ? 0 : extent);
	note_offsets(m, offset);
	make_levels(m, s, level + 1, vectors);
	move_on(m, s, level, 1, offset);
	x86_count_place(&m->x, counter, start);
	m->depth--;
	if (extent > 0) {
		shift(m, s, level, -extent);
	} else {
		get_rounds(m, extent);
		move_back(m, s, level);
	}
}

/* ---- which level has the vectors ---- */

enum { USUAL_ROWS = 32, IMPOSSIBLE = 1 << 20 };

static double extent_of(const struct map_words *s, int level)
{
	return s->extent[level] < 0 ? (double)-s->extent[level] * USUAL_ROWS : s->extent[level];
}

/* Cycles of a vector's access, by its step. */
static double access_cost(const struct map_maker *m, const struct map_words *s, int memory, int level, bool stores)
{
	const int64_t step = mover_step(m, s, level, memory) / m->real;
	const bool shuffled = step == 2 && m->x.avx512 && m->real == 4;
	if (step == 0 || step == 1)
		return 1;
	if (shuffled)
		return 3;
	if (stores && !m->x.avx512 && s->extent[level] < 0)
		return IMPOSSIBLE;
	return (stores ? 1.5 : 1) * m->width;
}

static double code_cost(const struct map_maker *m, const struct map_words *s, const int32_t *w, const int32_t *end,
			int level)
{
	double cost = 0;
	for (; w < end; w = next_instruction(w)) {
		const int op = w[0] & 255;
		if (op == NN_MAP_SPACE) {
			const struct map_words inner = words_of(w, 0);
			double rounds = 1;
			for (int l = 0; l < inner.levels; l++)
				rounds *= extent_of(&inner, l);
			cost += rounds * code_cost(m, s, inner.body, inner.end, level);
			continue;
		}
		cost += 1;
		if (op == NN_MAP_STORE)
			cost += access_cost(m, s, w[2], level, true);
		else if (op == NN_MAP_LOAD || op == NN_MAP_LOAD_INSIDE)
			cost += access_cost(m, s, w[2], level, false);
		else if (op > NN_MAP_GATHER)
			for (int i = 1; i < (w[0] >> 8); i++)
				if (w[i] >= 0 && w[i] < NN_MAP_REGISTER)
					cost += access_cost(m, s, w[i], level, i == 1);
	}
	return cost;
}

static int level_of_vectors(const struct map_maker *m, const struct map_words *s)
{
	int best = -1;
	double least = 0;
	for (int l = s->levels - 1; l >= s->strip; l--) {
		const double extent = extent_of(s, l), vectors = (double)(int64_t)((extent + m->width - 1) / m->width);
		const double cost = code_cost(m, s, s->body, s->end, l) * vectors / extent;
		if (best < 0 || cost < 0.9 * least) {
			best = l;
			least = cost;
		}
	}
	return best;
}

/* ---- spaces ---- */

static void make_space(struct map_maker *m, const int32_t *w)
{
	const struct map_words s = words_of(w, m->n_index);
	const bool strips = s.strip < s.levels;
	const int vectors = strips ? level_of_vectors(m, &s) : -1;
	for (int l = 0; l < s.levels; l++)
		m->failed |= s.extent[l] == 0;
	m->failed |= strips && m->strip;
	if (m->failed)
		return;
	m->n_index += s.levels;
	if (strips) {
		m->strip = &s;
		m->level = vectors;
	}
	make_levels(m, &s, 0, vectors);
	if (strips)
		m->strip = NULL;
	m->n_index -= s.levels;
}

/* Outside of strips there are uniforms only. */
static bool is_possible(const struct map_maker *m, const int32_t *w)
{
	const int op = w[0] & 255;
	return m->strip ||
	       (w[1] >= NN_MAP_UNIFORM && op != NN_MAP_LOAD && op != NN_MAP_LOAD_INSIDE && op != NN_MAP_GATHER);
}

void make_code(struct map_maker *m, const int32_t *w, const int32_t *end)
{
	for (; w < end && !m->failed; w = next_instruction(w)) {
		if ((w[0] & 255) == NN_MAP_SPACE)
			make_space(m, w);
		else if (is_possible(m, w))
			make_instruction(m, w);
		else
			m->failed = true;
	}
}
