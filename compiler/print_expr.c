/* print_expr.c - expressions as text, in the language of the models.
 *
 * What is written reads back as the same expression: through ex_make, which folds and orders what is read exactly as it
 * did when the expression was made. So parentheses stand only where the grammar needs them, and an integer-valued real
 * is written without its point where an operator would convert the integer anyway (x^2, 1 - y, n / 2). */
#include "print.h"

#include <math.h>
#include <string.h>

/* ---- literals and names ---- */

void write_real(struct text *out, double value, bool becomes_real)
{
	size_t start = out->n;

	if (isnan(value)) {
		text_add(out, "(inf - inf)");
		return;
	}
	text_add_real(out, value);
	if (isinf(value) || strpbrk(out->at + start, ".e"))
		return;
	if (!becomes_real || (value == 0 && signbit(value)))
		text_add(out, ".0");
}

/* The least integer has no literal. */
void write_integer(struct text *out, int64_t value)
{
	if (value == INT64_MIN)
		text_printf(out, "(%lld - 1)", (long long)(value + 1));
	else
		text_printf(out, "%lld", (long long)value);
}

void write_string(struct text *out, const char *string)
{
	text_add(out, "\"");
	for (; *string; string++)
		if (*string == '\n')
			text_add(out, "\\n");
		else if (*string == '"' || *string == '\\')
			text_printf(out, "\\%c", *string);
		else
			text_add_bytes(out, string, 1);
	text_add(out, "\"");
}

void write_name(struct text *out, const struct tensor *t)
{
	text_add(out, t->role == ROLE_NEXT ? t->of->name : t->name);
	if (t->role == ROLE_NEXT)
		text_add(out, "'");
}

static const char *run_name(enum run run)
{
	switch (run) {
	case RUN_STEP: return "step";
	case RUN_EPOCH: return "epoch";
	case RUN_STEPS: return "steps";
	case RUN_STEPS_PER_EPOCH: return "steps_per_epoch";
	case RUN_LOSS: return "last_loss";
	case RUN_DATA: return "ndata";
	default: return "nrows";
	}
}

/* ---- operators ---- */

/* -(a * b) may be written -a * b, which reads back as the same since ex_make draws a product's sign out of it. Not
 * past // and %, whose sign stays inside, nor where the product begins with an integer that is made real. */
static bool sign_leads(const struct expr *product)
{
	if (product->op != EX_MUL && product->op != EX_DIV)
		return false;
	while (product->op == EX_MUL || product->op == EX_DIV)
		product = product->arg[0];
	return product->op != EX_FLOORDIV && product->op != EX_MOD && product->op != EX_TO_REAL;
}

static enum level level_of(const struct expr *e)
{
	switch (e->op) {
	case EX_NUM: return signbit(e->num) ? LEVEL_FACTOR : LEVEL_PRIMARY;
	case EX_INT: return e->integer < 0 && e->elem == ELEM_INT ? LEVEL_FACTOR : LEVEL_PRIMARY;
	case EX_SELECT: return LEVEL_EXPR;
	case EX_OR: return LEVEL_OR;
	case EX_AND: return LEVEL_AND;
	case EX_NOT: return LEVEL_NOT;
	case EX_LT:
	case EX_LE:
	case EX_EQ:
	case EX_NE: return LEVEL_COMPARE;
	case EX_ADD:
	case EX_SUB: return LEVEL_SUM;
	case EX_MUL:
	case EX_DIV:
	case EX_FLOORDIV:
	case EX_MOD: return LEVEL_PRODUCT;
	case EX_NEG: return sign_leads(e->arg[0]) ? LEVEL_PRODUCT : LEVEL_FACTOR;
	case EX_POW: return LEVEL_POWER;
	default: return LEVEL_PRIMARY;
	}
}

/* Could be written as an integer where something else makes it a real. */
static bool could_be_integer(const struct expr *e)
{
	return e->op == EX_TO_REAL || (e->op == EX_NUM && e->num == floor(e->num) && fabs(e->num) < 1e15);
}

/* Which of two operands of one type may be written as an integer: the other one must then show that it is real.
 * Conversions are left out rather than points. */
static void choose_integer(const struct expr *a, const struct expr *b, bool *first, bool *second)
{
	bool real = a->elem == ELEM_REAL;

	*first = real && could_be_integer(a) && !(a->op == EX_NUM && b->op == EX_TO_REAL);
	*second = real && !*first && could_be_integer(b);
}

static void write_operands(struct printer *p, const struct expr *a, const struct expr *b, const char *between)
{
	bool first, second;

	choose_integer(a, b, &first, &second);
	write_expr_as(p, a, LEVEL_EXPR, first);
	text_add(p->out, between);
	write_expr_as(p, b, LEVEL_EXPR, second);
}

static bool is_chain(const struct expr *e)
{
	enum level level = level_of(e);

	return e->op != EX_NEG &&
	       (level == LEVEL_SUM || level == LEVEL_PRODUCT || level == LEVEL_AND || level == LEVEL_OR);
}

/* a + b - c ...: down the left side with a loop, for such chains may be long. */
static void write_chain(struct printer *p, const struct expr *e)
{
	LIST(const struct expr *) spine = {0};
	bool first, second;

	for (;; e = e->arg[0]) {
		list_add(&p->g->ctx->arena, &spine, e);
		if (!is_chain(e->arg[0]) || level_of(e->arg[0]) < level_of(e))
			break;
	}
	for (int i = spine.n - 1; i >= 0; i--) {
		e = spine.item[i];
		choose_integer(e->arg[0], e->arg[1], &first, &second);
		if (e->op == EX_DIV)
			first = second = true;
		if (i == spine.n - 1)
			write_expr_as(p, e->arg[0], level_of(e), first);
		text_printf(p->out, e->op == EX_MUL && e->affine ? "%s" : " %s ", ex_name(e->op));
		write_expr_as(p, e->arg[1], level_of(e) + 1, second);
	}
}

static void write_read(struct printer *p, const struct expr *e)
{
	int rank = e->tensor->rank;

	write_name(p->out, e->tensor);
	for (int a = 0; a < rank; a++) {
		text_add(p->out, a ? ", " : "[");
		write_expr(p, e->arg[a], LEVEL_EXPR);
	}
	if (e->guarded) {
		text_add(p->out, " else ");
		write_expr_as(p, e->arg[rank], LEVEL_EXPR, e->tensor->elem == ELEM_REAL);
	}
	if (rank)
		text_add(p->out, "]");
}

static void write_select(struct printer *p, const struct expr *e)
{
	bool first, second;

	choose_integer(e->arg[1], e->arg[2], &first, &second);
	text_add(p->out, "if ");
	write_expr(p, e->arg[0], LEVEL_OR);
	text_add(p->out, " then ");
	write_expr_as(p, e->arg[1], LEVEL_OR, first);
	text_add(p->out, " else ");
	write_expr_as(p, e->arg[2], LEVEL_EXPR, second);
}

static void write_comparison(struct printer *p, const struct expr *e)
{
	bool first, second;

	choose_integer(e->arg[0], e->arg[1], &first, &second);
	write_expr_as(p, e->arg[0], LEVEL_SUM, first);
	text_printf(p->out, " %s ", ex_name(e->op));
	write_expr_as(p, e->arg[1], LEVEL_SUM, second);
}

static void write_call(struct printer *p, const struct expr *e)
{
	/* abs keeps integers, real needs one, and isnan, int and stop take either: only the rest converts */
	bool converts = e->op >= EX_EXP && e->op <= EX_ISNAN && e->op != EX_ABS;

	text_printf(p->out, "%s(", ex_name(e->op));
	if (e->n == 2)
		write_operands(p, e->arg[0], e->arg[1], ", ");
	else
		write_expr_as(p, e->arg[0], LEVEL_EXPR, converts);
	text_add(p->out, ")");
}

static void write_inner(struct printer *p, const struct expr *e, bool becomes_real)
{
	switch (e->op) {
	case EX_NUM: write_real(p->out, e->num, becomes_real); break;
	case EX_INT:
		if (e->elem == ELEM_BOOL)
			text_add(p->out, e->integer ? "yes" : "no");
		else
			write_integer(p->out, e->integer);
		break;
	case EX_INDEX: text_add(p->out, p->name[e->slot]); break;
	case EX_READ: write_read(p, e); break;
	case EX_RUN: text_add(p->out, run_name(e->run)); break;
	case EX_DRAW:
		text_add(p->out, e->draw == DRAW_UNIFORM ? "draw_uniform(" : "draw_normal(");
		write_string(p->out, e->site);
		text_add(p->out, ")");
		break;
	case EX_ADD:
	case EX_SUB:
	case EX_MUL:
	case EX_DIV:
	case EX_FLOORDIV:
	case EX_MOD:
	case EX_AND:
	case EX_OR: write_chain(p, e); break;
	case EX_POW:
		write_expr_as(p, e->arg[0], LEVEL_PRIMARY, true);
		text_add(p->out, "^");
		write_expr_as(p, e->arg[1], LEVEL_FACTOR, true);
		break;
	case EX_NEG:
		text_add(p->out, "-");
		write_expr(p, e->arg[0], level_of(e));
		break;
	case EX_NOT:
		text_add(p->out, "not ");
		write_expr(p, e->arg[0], LEVEL_NOT);
		break;
	case EX_LT:
	case EX_LE:
	case EX_EQ:
	case EX_NE: write_comparison(p, e); break;
	case EX_SELECT: write_select(p, e); break;
	default: write_call(p, e); break;
	}
}

void write_expr_as(struct printer *p, const struct expr *e, enum level level, bool becomes_real)
{
	bool parentheses;

	if (p->out->n > p->limit) {
		text_add(p->out, "...");
		return;
	}
	if (becomes_real && e->op == EX_TO_REAL)
		e = e->arg[0];
	parentheses = level_of(e) < level;
	if (parentheses)
		text_add(p->out, "(");
	write_inner(p, e, becomes_real);
	if (parentheses)
		text_add(p->out, ")");
}

void write_expr(struct printer *p, const struct expr *e, enum level level) { write_expr_as(p, e, level, false); }

void print_expr(struct graph *g, const struct expr *e, const struct index *index, struct text *out)
{
	struct printer p = {.g = g, .out = out, .limit = out->n + PRINT_LIMIT};

	for (int s = 0; s < 64; s++)
		if (e->slots >> s & 1)
			p.name[s] = index[s].name;
	write_expr(&p, e, LEVEL_EXPR);
}
