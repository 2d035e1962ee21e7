/* expr.c - scalar expressions, each kept once.
 *
 * Every expression of a graph is in one hash table, keyed by its operator, its payload and its arguments' pointers, so
 * that equal expressions are the same pointer. The hash is made of ids (order of creation), never of addresses. Where
 * an operator commutes exactly the key ignores the order of the two arguments; the expression has the order in which
 * it was made first, so the text keeps the order of the source. ex_make (fold.c) simplifies before it comes here. */
#include "expr.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Open addressing, at most half full. */
struct expr_set {
	struct expr **entry;
	uint64_t *hash;
	size_t n, room; /* room is a power of two */
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
	return hash ^ hash >> 32;
}

static uint64_t number_bits(double value)
{
	uint64_t bits;

	if (isnan(value))
		return 0x7FF8000000000000u; /* all NaNs are one number */
	memcpy(&bits, &value, sizeof bits);
	return bits;
}

/* a op b is b op a, to the bit. */
static bool commutes(const struct expr *e)
{
	switch (e->op) {
	case EX_ADD:
	case EX_MUL:
	case EX_EQ:
	case EX_NE:
	case EX_AND:
	case EX_OR: return true;
	case EX_MIN:
	case EX_MAX: return e->elem == ELEM_INT; /* reals: the sign of a zero, a NaN, and whose gradient it is */
	default: return false;
	}
}

static uint64_t hash_expr(const struct expr *e)
{
	uint64_t hash = mix(e->op, (uint64_t)e->elem << 32 | (uint64_t)e->n << 1 | e->guarded);

	switch (e->op) {
	case EX_NUM: return mix(hash, number_bits(e->num));
	case EX_INT: return mix(hash, (uint64_t)e->integer);
	case EX_INDEX: return mix(hash, (uint64_t)e->slot);
	case EX_RUN: return mix(hash, e->run);
	case EX_DRAW:
		for (const char *c = e->site; *c; c++)
			hash = mix(hash, (unsigned char)*c);
		return mix(hash, e->draw);
	case EX_READ: hash = mix(hash, e->tensor->id); break;
	default: break;
	}
	if (commutes(e)) {
		uint32_t a = e->arg[0]->id, b = e->arg[1]->id;

		return mix(hash, (uint64_t)(a < b ? a : b) << 32 | (a < b ? b : a));
	}
	for (int i = 0; i < e->n; i++)
		hash = mix(hash, e->arg[i]->id);
	return hash;
}

static bool same_expr(const struct expr *a, const struct expr *b)
{
	if (a->op != b->op || a->elem != b->elem || a->n != b->n)
		return false;
	switch (a->op) {
	case EX_NUM: return number_bits(a->num) == number_bits(b->num);
	case EX_INT: return a->integer == b->integer;
	case EX_INDEX: return a->slot == b->slot;
	case EX_RUN: return a->run == b->run;
	case EX_DRAW: return a->draw == b->draw && strcmp(a->site, b->site) == 0;
	case EX_READ:
		if (a->tensor != b->tensor || a->guarded != b->guarded)
			return false;
		break;
	default: break;
	}
	if (commutes(a) && a->arg[0] == b->arg[1] && a->arg[1] == b->arg[0])
		return true;
	for (int i = 0; i < a->n; i++)
		if (a->arg[i] != b->arg[i])
			return false;
	return true;
}

static void grow_set(struct arena *arena, struct expr_set *set)
{
	struct expr_set old = *set;

	set->room = old.room ? 2 * old.room : 256;
	set->entry = arena_array(arena, set->room, sizeof *set->entry);
	set->hash = arena_array(arena, set->room, sizeof *set->hash);
	for (size_t i = 0; i < old.room; i++)
		if (old.entry[i]) {
			size_t at = old.hash[i] & (set->room - 1);

			while (set->entry[at])
				at = (at + 1) & (set->room - 1);
			set->entry[at] = old.entry[i];
			set->hash[at] = old.hash[i];
		}
}

struct expr *ex_intern(struct graph *g, const struct expr *key)
{
	struct arena *arena = &g->ctx->arena;
	uint64_t hash = hash_expr(key);
	struct expr_set *set;
	struct expr *e;
	size_t at;

	if (!g->exprs)
		g->exprs = arena_alloc(arena, sizeof *g->exprs);
	set = g->exprs;
	if (2 * set->n >= set->room)
		grow_set(arena, set);
	for (at = hash & (set->room - 1); set->entry[at]; at = (at + 1) & (set->room - 1))
		if (set->hash[at] == hash && same_expr(set->entry[at], key))
			return set->entry[at];

	e = arena_alloc(arena, sizeof *e);
	*e = *key;
	e->id = g->next_id++;
	e->slots = e->op == EX_INDEX ? (uint64_t)1 << e->slot : 0;
	e->ops = (uint64_t)1 << e->op;
	e->affine = e->op == EX_INDEX || (e->op == EX_INT && e->elem == ELEM_INT);
	if (e->n) {
		e->arg = arena_array(arena, (size_t)e->n, sizeof(struct expr *));
		for (int i = 0; i < e->n; i++) {
			e->arg[i] = key->arg[i];
			e->slots |= e->arg[i]->slots;
			e->ops |= e->arg[i]->ops;
		}
	}
	if (e->op == EX_DRAW)
		e->site = arena_copy(arena, key->site, strlen(key->site));
	set->entry[at] = e;
	set->hash[at] = hash;
	set->n++;
	return e;
}

struct expr *ex_plain(struct graph *g, enum ex op, enum elem elem, int n, struct expr *const *arg)
{
	struct expr key = {.op = op, .elem = elem, .n = n, .arg = (struct expr **)arg};

	return ex_intern(g, &key);
}

/* ---- leaves ---- */

struct expr *ex_num(struct graph *g, double value)
{
	return ex_intern(g, &(struct expr){.op = EX_NUM, .elem = ELEM_REAL, .num = value});
}

struct expr *ex_int(struct graph *g, int64_t value)
{
	return ex_intern(g, &(struct expr){.op = EX_INT, .elem = ELEM_INT, .integer = value});
}

struct expr *ex_bool(struct graph *g, bool value)
{
	return ex_intern(g, &(struct expr){.op = EX_INT, .elem = ELEM_BOOL, .integer = value});
}

struct expr *ex_index(struct graph *g, int slot)
{
	assert(slot >= 0 && slot < 64);
	return ex_intern(g, &(struct expr){.op = EX_INDEX, .elem = ELEM_INT, .slot = slot});
}

struct expr *ex_run(struct graph *g, enum run run)
{
	return ex_intern(g, &(struct expr){.op = EX_RUN, .elem = run == RUN_LOSS ? ELEM_REAL : ELEM_INT, .run = run});
}

struct expr *ex_draw(struct graph *g, enum draw draw, const char *site)
{
	return ex_intern(g, &(struct expr){.op = EX_DRAW, .elem = ELEM_REAL, .draw = draw, .site = site});
}

/* The element of a constant tensor. */
static struct expr *data_element(struct graph *g, const struct tensor *t, int64_t at)
{
	switch (t->elem) {
	case ELEM_REAL: return ex_num(g, t->data[at]);
	case ELEM_INT: return ex_int(g, (int64_t)t->data[at]);
	default: return ex_bool(g, t->data[at] != 0);
	}
}

/* The element of a read is that of its tensor, or wider where the value outside is (int else 0.5 is real). */
struct expr *ex_read(struct graph *g, struct tensor *t, struct expr *const *subs, struct expr *otherwise)
{
	struct arena *arena = &g->ctx->arena;
	struct expr *small[8], **arg = t->rank < 8 ? small : arena_array(arena, (size_t)t->rank + 1, sizeof *arg);
	struct expr key = {.op = EX_READ, .elem = t->elem, .tensor = t, .n = t->rank, .arg = arg};
	bool inside = true; /* all subscripts are literals and fit */
	int64_t at = 0;

	if (otherwise && otherwise->elem > t->elem)
		otherwise = ex_convert(g, otherwise, t->elem);
	if (otherwise)
		key.elem = otherwise->elem;
	for (int a = 0; a < t->rank; a++) {
		assert(subs[a]->elem != ELEM_REAL);
		arg[a] = ex_convert(g, subs[a], ELEM_INT);
		if (arg[a]->op != EX_INT) {
			inside = false;
		} else if (arg[a]->integer < 0 || arg[a]->integer >= t->axis[a].extent) {
			if (otherwise)
				return otherwise;
			inside = false;
		} else if (t->axis[a].rows && arg[a]->integer > 0) {
			inside = false; /* the run may have fewer rows */
		} else if (inside) {
			at = at * t->axis[a].extent + arg[a]->integer;
		}
	}
	if (inside && t->role == ROLE_DATA && t->data)
		return ex_convert(g, data_element(g, t, at), key.elem);
	if (otherwise && !inside) {
		key.guarded = true;
		arg[key.n++] = otherwise;
	} else {
		key.elem = t->elem;
	}
	return ex_intern(g, &key);
}

bool ex_is_num(const struct expr *e, double value)
{
	if (e->op == EX_NUM)
		return e->num == value;
	return e->op == EX_INT && (double)e->integer == value;
}

bool ex_is_read_of(const struct expr *e, const struct tensor *t, int rank_slots)
{
	if (e->op != EX_READ || e->tensor != t || e->guarded || t->rank != rank_slots)
		return false;
	for (int a = 0; a < rank_slots; a++)
		if (e->arg[a]->op != EX_INDEX || e->arg[a]->slot != a)
			return false;
	return true;
}

const char *ex_name(enum ex op)
{
	static const char *const names[EX_COUNT] = {
		[EX_NUM] = "number",  [EX_INT] = "integer", [EX_INDEX] = "index",   [EX_READ] = "read",
		[EX_RUN] = "run",     [EX_DRAW] = "draw",   [EX_ADD] = "+",	    [EX_SUB] = "-",
		[EX_MUL] = "*",	      [EX_DIV] = "/",	    [EX_FLOORDIV] = "//",   [EX_MOD] = "%",
		[EX_POW] = "^",	      [EX_NEG] = "-",	    [EX_MIN] = "min",	    [EX_MAX] = "max",
		[EX_LT] = "<",	      [EX_LE] = "<=",	    [EX_EQ] = "==",	    [EX_NE] = "!=",
		[EX_AND] = "and",     [EX_OR] = "or",	    [EX_NOT] = "not",	    [EX_SELECT] = "if",
		[EX_EXP] = "exp",     [EX_LOG] = "log",	    [EX_LOG1P] = "log1p",   [EX_EXPM1] = "expm1",
		[EX_SIN] = "sin",     [EX_COS] = "cos",	    [EX_TAN] = "tan",	    [EX_ASIN] = "asin",
		[EX_ACOS] = "acos",   [EX_ATAN] = "atan",   [EX_SINH] = "sinh",	    [EX_COSH] = "cosh",
		[EX_TANH] = "tanh",   [EX_ERF] = "erf",	    [EX_ERFINV] = "erfinv", [EX_SQRT] = "sqrt",
		[EX_ABS] = "abs",     [EX_SIGN] = "sign",   [EX_FLOOR] = "floor",   [EX_CEIL] = "ceil",
		[EX_ROUND] = "round", [EX_ISNAN] = "isnan", [EX_TO_INT] = "int",    [EX_TO_REAL] = "real",
		[EX_STOP] = "stop",
	};

	assert(op >= 0 && op < EX_COUNT);
	return names[op];
}
