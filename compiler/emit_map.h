/* emit_map.h - a program of vector instructions (runtime/map.h) in the making.
 *
 * emit_map.c goes through a group's equations, emit_map_space.c says in which loops, emit_map_value.c and emit_map_sum.c
 * which instructions; emit_program.c keeps them, finds registers for them and writes the words. */
#ifndef NNC_EMIT_MAP_H
#define NNC_EMIT_MAP_H

#include "emit_parts.h"

#include "../runtime/map.h"

/* What an instruction uses or makes. Numbers are known before the program runs. */
struct map_value {
	enum { MAP_NUMBER, MAP_MEMORY, MAP_UNIFORM, MAP_REGISTER } kind;
	int slot;  /* NUMBER, MEMORY: which one; of the others the slot, once it is found */
	int depth; /* of the space it was made in */
	int last;  /* the last instruction that uses it */
	bool free; /* its slot is another value's by now */
};

/* An array that the program reads or writes, from the element on that all loops begin with. */
struct map_memory {
	const struct expr *read;   /* NULL: it is written, or it is a number */
	struct expr *number;	   /* an integer, known before the program runs */
	const struct equation *eq; /* that reads it, or whose tensor it is */
	const char *local;	   /* written to a local variable of this name, if not NULL */
	struct affine flat;	   /* steps by slot */
	int64_t first[MAX_SLOTS];  /* written: the first index of pieces of loops */
};

/* Loops; adjoining ones that are one to all operands have become one. */
struct map_level {
	int slot; /* the innermost of those that it stands for */
	int64_t extent;
	bool rows;    /* times the rows of the call, `extent` counts them as the whole batch */
	int64_t each; /* extent for one row */
};
struct map_space {
	struct map_level level[8];
	int n, strip;
	int first, end; /* instructions within */
	struct map_space *outer;
};

struct map_instruction {
	enum nn_map_op op;
	int result, n, operand[4]; /* values; -1: no result */
	LIST(int32_t) words;	   /* behind the slots */
	struct map_space *space;   /* SPACE */
};

enum { FEW_ARRAYS = 8 };

struct map_memo {
	const struct expr *expr;
	int value;
};

struct map {
	struct body *b;
	struct arena *arena;
	LIST(struct map_value) values;
	LIST(struct map_instruction) code;
	LIST(struct map_memory) memory;
	struct map_memory first_memory[FEW_ARRAYS]; /* few programs have more */
	LIST(struct map_number {
		struct expr *expr;
		const struct equation *eq; /* in which it stands */
		bool test;		   /* 1 where it holds */
	})
	numbers;
	LIST(struct map_memo) memo;
	LIST(struct map_made {
		const struct tensor *tensor;
		int value;
	})
	made;			 /* by the nest at hand, or uniforms by those before */
	struct map_space *space; /* innermost one that is open */
	struct map_space *strip; /* that the strip is of, or NULL */
	uint64_t loops;		 /* slots that the program runs through, of the stage at hand */
	int conditional;	 /* sides of choices around what is being made */
	bool failed;		 /* there is no such instruction, or too many */
	bool flat;		 /* one loop, over `count` elements */
	struct map_piece {
		bool cut;
		int64_t from;
		const struct cut *digits; /* or NULL: its loop is one over q and one over r */
	} piece[MAX_SLOTS];	 /* of the loops that are being gone through */
	bool in_pieces;
	int first, end;		 /* the stages */
	int from;		 /* slots before this one are loops of text */
	expr_list used;		 /* every operand, as often as it is one */
	bool needs_local;	 /* stages behind the program may read local variables */
	const char **local;	 /* by stage: the variable that it has been stored in, or NULL */
};

/* ---- emit_map.c ---- */

/* The stages [at, end), which stand in the loops over slots [from, to). inner: within other loops of the program. */
void make_nest(struct map *m, int at, int end, int from, int to, bool inner);

/* ---- emit_map_pieces.c ---- */

/* Where the loop over an index is better cut, or NULL. */
const struct cut *find_map_cut(struct map *m, int at, int end, int from, int to);
/* One piece after the other, each with the term that is left of it, in an index that begins with 0. */
void make_pieces(struct map *m, int at, int from, int to, const struct cut *cut);

/* ---- emit_map_space.c ---- */

/* What a stage computes for each round of its loops. */
struct expr *map_value_of(const struct stage *stage);
bool is_place(enum reducer red);
/* Steps of what a stage makes. */
struct affine target_steps(const struct map *m, const struct equation *eq);
/* The flat number of the bound indices. */
struct affine bound_place(const struct equation *eq);
struct map_space *new_space(struct map *m); /* without loops */
/* The loops over the bound indices of a stage. */
struct map_space *bound_space(struct map *m, const struct stage *stage);
/* The loops over slots [from, to) of the stages [at, end). */
struct map_space *free_space(struct map *m, int at, int end, int from, int to);
double space_size(const struct map_space *space);

/* ---- emit_map_sum.c ---- */

/* A sum, an extreme or its place. along: strips run along the bound indices, and become one number. */
int make_reduction(struct map *m, const struct stage *stage, bool along);

/* ---- emit_map_value.c ---- */

/* The value of an expression, for the strip that is open; -1, and the map has failed, where it has none. */
int make_value(struct map *m, struct expr *e);
int fail_map(struct map *m);
/* Depends on no loop of the program, and on nothing that it makes. */
bool is_map_number(struct map *m, struct expr *e);
/* A product of reals that nothing else needs. */
bool is_product(struct map *m, struct expr *e);
/* The elements of a memory slot in a strip: all the same, one after the other, or neither. */
enum pattern { SAME, ROW, ANY };
enum pattern pattern_of(const struct map *m, int memory);
/* Its steps in the strip, as words of the last instruction. */
void add_steps(struct map *m, int memory);

/* ---- emit_map_integer.c ---- */

/* The same, of an integer, or of what is computed of integers. */
int make_integer(struct map *m, struct expr *e);
/* An integer that is known before. */
int make_integer_number(struct map *m, struct expr *e);
int make_index(struct map *m, const struct affine *a);
/* A read whose subscripts are no affine ones. */
int make_gather(struct map *m, struct expr *e);
/* The constant of what is affine in the loops around, and a factor for each of them, as words. */
void add_factors(struct map *m, const struct affine *a);

/* ---- emit_program.c ---- */

/* An instruction; its result, a uniform where all operands are that and nothing says otherwise. */
int add_instruction(struct map *m, enum nn_map_op op, int n, const int *operand);
/* The same into a value that there is. */
void add_result(struct map *m, enum nn_map_op op, int result, int n, const int *operand);
/* The same, into a register. */
int add_to_register(struct map *m, enum nn_map_op op, int n, const int *operand);
void add_word(struct map *m, int64_t word);
int new_value(struct map *m, int kind, int slot);
bool is_uniform(const struct map *m, int value);
int number_value(struct map *m, struct expr *expr, bool test);
int memory_value(struct map *m, struct map_memory memory);
/* Loops around what follows; strips: they become strips. */
void open_space(struct map *m, struct map_space *space, bool strips);
void close_space(struct map *m);
/* Steps of a memory slot in a level. */
int64_t memory_step(const struct map *m, int memory, const struct map_level *level);
/* Find slots for all values; false: there are not enough. */
bool assign_slots(struct map *m);
/* The text that runs it. */
void write_program(struct map *m);

#endif
