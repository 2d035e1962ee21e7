/* print.h - what the two halves of the printer share: print_expr.c (expressions), print.c (equations, the graph). */
#ifndef NNC_PRINT_H
#define NNC_PRINT_H

#include "graph.h"

/* A shared expression is written out wherever it is used, so the text may be far longer than the expression. For
 * people (print_expr, print_equation) it ends in dots after so many bytes. */
enum { PRINT_LIMIT = 4000 };

struct printer {
	struct graph *g;
	struct text *out;
	const char *name[64]; /* of the indices, by slot */
	bool in_scan;	      /* left sides show every extent, since earlier equations may read them */
	size_t limit;	      /* out->n from which on there are dots */
};

/* How tightly an operand must bind, as in the grammar: a looser one gets parentheses. */
enum level {
	LEVEL_EXPR, /* if .. then .. else */
	LEVEL_OR,
	LEVEL_AND,
	LEVEL_NOT,
	LEVEL_COMPARE,
	LEVEL_SUM,
	LEVEL_PRODUCT, /* also what follows a reducer */
	LEVEL_FACTOR,  /* -x */
	LEVEL_POWER,
	LEVEL_PRIMARY,
};

void write_expr(struct printer *p, const struct expr *e, enum level level);
/* The same where the reader turns an integer into a real: 2.0 may be written 2, and real(k) may be k. */
void write_expr_as(struct printer *p, const struct expr *e, enum level level, bool becomes_real);
/* A real that reads back as a real ("2.0"), or, where becomes_real, as short as may be ("2"). */
void write_real(struct text *out, double value, bool becomes_real);
void write_integer(struct text *out, int64_t value);
void write_string(struct text *out, const char *string);
/* A tensor's name; w' for the next value of w. */
void write_name(struct text *out, const struct tensor *t);

/* Without indentation and newline; of a scan its head. Sets p->name. */
void write_equation(struct printer *p, const struct equation *eq);

/* The names under which eq's indices are printed: their own, with a number added where it is the name of a tensor,
 * a reserved word or another index; "batch" for the sample's own index. */
void name_indices(struct graph *g, const struct equation *eq, const char **name);

#endif
