/* syntax.h - the tree that the parser builds: a faithful picture of the text, nothing resolved.
 *
 * One node type for everything. `kid` holds the children in the order given beside each kind; a child
 * in brackets may be NULL. `name` is set where the kind says so. Pipes are already calls:
 * `x -> l: f(a)` is CALL f with label l, piped, kids ARG(x) ARG(a); `x -> f` likewise. */
#ifndef NNC_SYNTAX_H
#define NNC_SYNTAX_H

#include "diagnose.h"

enum node_kind {
	/* expressions */
	NODE_NAME,      /* name: path with dots, "wte.weight" */
	NODE_PRIMED,    /* name without the prime */
	NODE_NUMBER,    /* is_integer: integer, else real; name: as written */
	NODE_STRING,    /* name: the bytes, escapes resolved */
	NODE_DOTS,      /* .. */
	NODE_TUPLE,     /* kids; the first may be DOTS */
	NODE_ARRAY,     /* kids */
	NODE_CALL,      /* name; label or NULL; piped; kids ARG */
	NODE_ARG,       /* name or NULL; kid value */
	NODE_IF,        /* condition, then, else */
	NODE_BINARY,    /* op; left, right */
	NODE_UNARY,     /* op OP_NEG or OP_NOT; operand */
	NODE_REDUCE,    /* name: "sum" ...; ITEMS, term */
	NODE_SUBSCRIPT, /* base, ITEMS, [else] */
	NODE_MEMBER,    /* name; base */
	NODE_ITEMS,     /* kids: expression, DOTS, SLICE, MATCH; `i < n` is BINARY OP_LT */
	NODE_SLICE,     /* [from], [to], [step] */
	NODE_MATCH,     /* name in STRING: name; kid STRING */
	/* statements */
	NODE_BLOCK,     /* kids: statements; also a whole file */
	NODE_DECLARE,   /* name: "input" "target" "setting" "const" "param" "frozen" "state"; kids VAR */
	NODE_VAR,       /* name; label (that of saved files) or NULL; [dims ITEMS], [TYPE], [= expression], [~ CALL or NAME]. dims without kids: "[]" */
	NODE_TYPE,      /* name: "class" "int" "real" "bool"; [ITEMS] */
	NODE_OUTPUT,    /* kids ARG (named or not) */
	NODE_METRIC,    /* kids ARG */
	NODE_LAYER,     /* name; expression */
	NODE_LOSS,      /* name or NULL; maximize; expression, [ITEMS of STRING: only] */
	NODE_TRAIN,     /* CALL, ITEMS of ARG (options), [ITEMS of STRING: only] */
	NODE_INCLUDE,   /* name: the path as written */
	NODE_ASSERT,    /* name: the message; condition */
	NODE_DEFINE,    /* name; what: "def" "optimizer" "init"; ITEMS of formals (VAR or DOTS), BLOCK; doc, examples.
	                   `def f(x) = e` has a BLOCK of one RETURN */
	NODE_ASSIGN,    /* ITEMS of LHS, expression */
	NODE_LHS,       /* name; primed; [ITEMS] */
	NODE_SCATTER,   /* name; ITEMS, expression: T[items] += e, graph text only */
	NODE_RETURN,    /* kids expressions */
	NODE_REPEAT,    /* name of the counter or NULL; count, BLOCK */
	NODE_SCAN,      /* name of the index; count, ITEMS of CARRY, BLOCK */
	NODE_CARRY,     /* name; [dims ITEMS], initial value */
	NODE_IFBLOCK,   /* condition, BLOCK, [BLOCK or IFBLOCK] */
	NODE_PART,      /* name; BLOCK */
	/* documentation of a definition */
	NODE_EXAMPLE,   /* left, [right]; with right NULL name is the text the error must contain */
};

/* Operators of BINARY and UNARY; the graph's scalar operators are in graph.h. */
enum node_op {
	OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_FLOORDIV, OP_MOD, OP_MATMUL, OP_POW,
	OP_LT, OP_GT, OP_LE, OP_GE, OP_EQ, OP_NE, OP_AND, OP_OR, OP_NEG, OP_NOT
};

struct node {
	enum node_kind kind;
	enum node_op op;
	bool is_integer, piped, primed, maximize;
	bool has_grad;          /* it is a call of grad, or has one in it */
	struct span at;         /* the whole construct */
	struct span name_at;    /* the name alone, where there is one; of BINARY and UNARY the operator */
	const char *name, *label, *what;
	const char *doc;        /* DEFINE: its ## lines joined by \n, or NULL */
	int64_t integer;
	double real;
	int depth;              /* levels of nodes, this one counted; ARG, ITEMS, BLOCK and further links of a pipe are none */
	int n;                  /* number of kids */
	struct node **kid;
	LIST(struct node *) example; /* DEFINE: NODE_EXAMPLE each */
};

/* The tree of a source (a BLOCK); NULL after errors were reported. Never leaves half a tree with a NULL
 * child that the table above does not allow. A tree deeper than 1,000 is an error; only a pipe may have more
 * links (`x -> f -> g` is CALL g piped, ARG, CALL f piped, ARG, x): walk down those with a loop. */
struct node *parse_source(struct context *ctx, const struct source *src);

/* A definition of the standard library ("def", "init" or "optimizer"), parsed only when needed: a DEFINE with its name,
 * what, and in `at` its text up to the next one's documentation, but no kids; NULL: there is none. library: the sources
 * that are in use so far, builtin_source_count of them. complete_definition parses it in place; a whole one it leaves
 * alone. False after errors were reported. */
struct node *outline_definition(struct context *ctx, struct source **library, const char *what, const char *name);
bool complete_definition(struct context *ctx, struct node *node);

/* The operator as written, "+" ...; for messages and printing. */
const char *operator_text(enum node_op op);

/* The tree as text, for tests: (KIND ...) with kids in order, "-" for a kid that is NULL, one statement a line. */
void dump_tree(const struct node *node, struct text *text);

#endif
