/* map.h - programs of vector instructions that code compiled in process runs instead of loops of its own.
 *
 * A program says what is done with each element of an index space. On x86-64 it becomes machine code (map_code.c), a
 * vector of elements after the other. Elsewhere it is gone through in strips, pieces of a few hundred elements, for each
 * of which one instruction after the other is done on all (map_kernels.c). The instructions know nothing but
 * numbers: which equations there are and in which loops is the compiler's business (compiler/emit_map.c).
 *
 * A program is a list of 32-bit words: how many registers and uniforms it uses, then a SPACE. The first word of an
 * instruction is its operation and, shifted by 8, how many words it has (a SPACE: those of its head; the body follows).
 * Then come the slot of its result and those of its operands. */
#ifndef NN_MAP_ABI
#define NN_MAP_ABI 1

#include <stdint.h>

/* Slots. Memory slots point into arrays and move as spaces say; one that is an operand itself has the elements of the
 * strip one after the other. A register holds a strip. A uniform holds one value; the first ones are the numbers that
 * the call is given. Comparisons give masks: all bits of an element. Integers are as wide as reals, so that loads,
 * stores and choices need not know which they move; only where both have 32 bits may integers lie in memory. */
enum {
	NN_MAP_MEMORY = 0,
	NN_MAP_REGISTER = 24,
	NN_MAP_UNIFORM = 40,
	NN_MAP_SLOTS = 72,
	NN_MAP_INDICES = 16,	   /* loops around an instruction, at most */
	NN_MAP_STRIP_BYTES = 2048, /* of a register */
};

/* Functions of one argument, by libm's names or, for floats, compiler/math_template.h's; 1: it has vectors. */
#define NN_MAP_FUNCTIONS(X)                                                                                            \
	X(EXP, exp, 1)                                                                                                 \
	X(LOG, log, 1)                                                                                                 \
	X(TANH, tanh, 1)                                                                                               \
	X(ERF, erf, 1)                                                                                                 \
	X(LOG1P, log1p, 0)                                                                                             \
	X(EXPM1, expm1, 0)                                                                                             \
	X(EXP2, exp2, 0)                                                                                               \
	X(SIN, sin, 0)                                                                                                 \
	X(COS, cos, 0)                                                                                                 \
	X(TAN, tan, 0)                                                                                                 \
	X(ASIN, asin, 0)                                                                                               \
	X(ACOS, acos, 0)                                                                                               \
	X(ATAN, atan, 0)                                                                                               \
	X(SINH, sinh, 0)                                                                                               \
	X(COSH, cosh, 0)                                                                                               \
	X(SQRT, sqrt, 1)                                                                                               \
	X(ABS, fabs, 1)                                                                                                \
	X(FLOOR, floor, 1)                                                                                             \
	X(CEIL, ceil, 1)                                                                                               \
	X(ROUND, rint, 1)

enum nn_map_op {
	/* levels, strip, words of the body, extents (-k: k times the call's n), how many memory slots move, and of
	 * each: slot, its steps. Loops, outermost first. The levels from `strip` on become strips: as much of that
	 * level as fits a register, and all of those inside it. strip == levels: one round of loops, in the strip that
	 * is around. */
	NN_MAP_SPACE,
	/* register, memory, its steps in the levels of the strip */
	NN_MAP_LOAD,
	/* register, memory, fill, test, steps, then how many conditions; of each a constant and a factor for every loop
	 * around, outermost first. Where one of them is negative, and everywhere if the uniform `test` is 0, the
	 * element is that of the fill (any slot), and memory is not touched. */
	NN_MAP_LOAD_INSIDE,
	NN_MAP_STORE, /* a register's or uniform's slot, memory, steps */
	NN_MAP_SPLAT, /* uniform, memory: its first element */
	NN_MAP_INDEX, /* result, a constant, a factor for every loop around, outermost first: the integer that is */
	NN_MAP_GATHER, /* register, memory, integers: the elements at these */
	NN_MAP_MOVE,  /* result, a */
	NN_MAP_NEG,
	NN_MAP_SIGN,
	NN_MAP_NOT,
	NN_MAP_ADD, /* result, a, b */
	NN_MAP_SUB,
	NN_MAP_MUL,
	NN_MAP_DIV,
	NN_MAP_MIN, /* of equals, and of what is no number, the first */
	NN_MAP_MAX,
	NN_MAP_POW,
	NN_MAP_LT,
	NN_MAP_LE,
	NN_MAP_EQ,
	NN_MAP_NE,
	NN_MAP_AND,
	NN_MAP_OR,
	NN_MAP_INT_ADD, /* of integers */
	NN_MAP_INT_SUB,
	NN_MAP_INT_MUL,
	NN_MAP_INT_QUOTIENT, /* result, a, a word: a divided by it, rounded down; it is > 0 */
	NN_MAP_INT_REMAINDER,
	NN_MAP_INT_LT,
	NN_MAP_INT_LE,
	NN_MAP_INT_EQ,
	NN_MAP_INT_NE,
	NN_MAP_INT_TO_REAL, /* result, a */
	NN_MAP_MUL_ADD,	  /* result, a, b, c: a b + c */
	NN_MAP_MUL_SUB,	  /* a b - c */
	NN_MAP_SUB_MUL,	  /* c - a b */
	NN_MAP_SELECT,	  /* a ? b : c */
	NN_MAP_SELECT_LT, /* result, a, b, c, d: a < b ? c : d */
	NN_MAP_SELECT_LE,
	NN_MAP_REDUCE_SUM, /* uniform, a: its lanes take in a strip */
	NN_MAP_REDUCE_MIN,
	NN_MAP_REDUCE_MAX,
	NN_MAP_TOTAL_SUM, /* uniform: every lane becomes the sum of all */
	NN_MAP_TOTAL_MIN,
	NN_MAP_TOTAL_MAX,
#define X(NAME, name, vectors) NN_MAP_##NAME,
	NN_MAP_FUNCTIONS(X)
#undef X
		NN_MAP_OPS
};

/* What runs a program, any or this one:
 * void run(const int32_t *program, int n, int n_number, const real *number, int n_memory, real *const *memory);
 *
 * All elements of a space are independent but for what reductions take in, so they may be gone through in any order;
 * that in which a sum takes them in depends on what runs it.
 *
 * In strict mode there is none: multiply and add are one instruction, and sums run in the order of the lanes. */
#endif
