/* map_code.c - machine code for maps, made when a model is opened.
 *
 * What the interpreter does strip by strip, one instruction after the other, is done here vector by vector, all
 * instructions at once: the loops of the program become loops, one level of each strip that of its vectors, and values
 * stay in registers. So a row of five elements costs one masked vector, and no value is written that nothing reads.
 * Which level it is, what lies side by side in memory says; where a program has something that is not known here, it is
 * interpreted. */
#include "map_code.h"

#include "code_memory.h"
#include "map_maker.h"

#if defined(__x86_64__) && !defined(_WIN32)

/* void function(program, n, n_number, number, n_memory, memory) */
static void make_function(struct map_maker *m, const int32_t *program)
{
	struct x86 *x = &m->x;
	size_t none = 0;
	x86_open_frame(x, give_vectors(m));
	for (int i = 0; i < SAVED; i++)
		x86_put(x, false, frame_slot(SLOT_SAVED + i), kept_register(i));
	x86_put(x, false, frame_slot(SLOT_N), RSI);
	for (int i = NN_MAP_UNIFORM; i < NN_MAP_SLOTS; i++) {
		if (!m->number[i])
			continue;
		x86_broadcast(x, m->bytes, TEMPORARY, x86_memory(RCX, (int64_t)(i - NN_MAP_UNIFORM) * m->real));
		keep_result(m, i, TEMPORARY);
	}
	x86_copy(x, RAX, R9);
	for (int i = 0; i < MOVERS; i++) {
		const struct map_mover *mover = &m->mover[i];
		if (mover->used && i >= NN_MAP_REGISTER)
			x86_set_wide(x, frame_slot(mover->home), *mover->word);
		else if (mover->used) {
			x86_get(x, false, mover->in_register ? mover->home : R11, x86_memory(RAX, 8 * i));
			if (!mover->in_register)
				x86_put(x, false, frame_slot(mover->home), R11);
		}
	}
	if (m->has_rows) {
		x86_get(x, true, RAX, frame_slot(SLOT_N));
		x86_or(x, RAX, x86_register(RAX));
		none = x86_jump(x, X86_IF_ZERO);
	}
	make_code(m, program + 2, next_instruction(program + 2));
	if (m->has_rows)
		x86_land(x, none);
	for (int i = 0; i < SAVED; i++)
		x86_get(x, false, kept_register(i), frame_slot(SLOT_SAVED + i));
	x86_return(x);
}

/* The function of a program. false: it is to be interpreted. */
static bool write_function(const struct tile_set *set, const int32_t *program, struct x86 *x, int *n_constant)
{
	struct map_maker m = {.x = *x, .set = set, .width = set->width, .bytes = x->avx512 ? 64 : 32, .n_slot = SLOTS};
	m.real = m.bytes / m.width;
	m.n_constant = n_constant;
	look_at(&m, program + 2, next_instruction(program + 2), 0, NULL);
	if (m.failed)
		return false;
	give_registers(&m);
	make_function(&m, program);
	if (m.failed || m.x.failed)
		return false;
	x->n = m.x.n;
	return true;
}

struct map_code make_map_code(const struct tile_set *set, const int32_t *words, const int32_t *start, int n,
			      tile_function **run)
{
	enum { MOST = 64 << 10 /* bytes of a function; one that takes more is interpreted */ };
	struct code_memory code;
	struct x86 x = {.n = MOST_CONSTANTS * VECTOR_BYTES, .avx512 = set->registers == 32};
	int n_constant = 0;
	for (int i = 0; i < n; i++)
		run[i] = set->map;
	if (!set->makes_code || n == 0)
		return (struct map_code){NULL, 0};
	code = open_code(x.n + (size_t)MOST * (size_t)n);
	if (!code.at)
		return (struct map_code){NULL, 0};
	x.at = code.at;
	x.doubles = set->width == (x.avx512 ? 8 : 4);
	for (int i = 0; i < n; i++) {
		union {
			uint8_t *object;
			tile_function *function;
		} first = {.object = x.at + x.n};
		x.room = x.n + MOST;
		if (!write_function(set, words + start[i], &x, &n_constant))
			continue;
		run[i] = first.function;
	}
	if (close_code(&code, x.n))
		return (struct map_code){code.at, code.size};
	for (int i = 0; i < n; i++)
		run[i] = set->map;
	return (struct map_code){NULL, 0};
}

void free_map_code(struct map_code code) { free_code((struct code_memory){code.at, code.size}); }

#else

struct map_code make_map_code(const struct tile_set *set, const int32_t *words, const int32_t *start, int n,
			      tile_function **run)
{
	(void)words;
	(void)start;
	for (int i = 0; i < n; i++)
		run[i] = set->map;
	return (struct map_code){NULL, 0};
}

void free_map_code(struct map_code code) { (void)code; }

#endif
