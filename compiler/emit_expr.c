/* emit_expr.c - scalar expressions as C.
 *
 * Printing follows C's precedence, so that there are no parentheses without need. What is used more than once, or would
 * be computed again in every round of a loop that does not change it, becomes a variable first (write_temps); only
 * what is evaluated anyway, or cannot fail, so that the side of a choice that is not taken stays untouched. */
#include "emit_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- operators ---- */

static void print_binary(struct body *b, struct text *out, const struct expr *e, const char *sign, int own, int level)
{
	/* && within || in parentheses, comparisons of comparisons too: compilers ask for them */
	bool shield = own == OR || own == EQUALITY || own == RELATION;

	if (own < level)
		text_add(out, "(");
	print_c(b, out, e->arg[0], shield ? SUM : own);
	text_printf(out, " %s ", sign);
	print_c(b, out, e->arg[1], shield ? SUM : own + 1);
	if (own < level)
		text_add(out, ")");
}

static void print_call(struct body *b, struct text *out, const char *name, const struct expr *e)
{
	text_printf(out, "%s(", name);
	for (int i = 0; i < e->n; i++) {
		text_add(out, i ? ", " : "");
		print_c(b, out, e->arg[i], TERNARY);
	}
	text_add(out, ")");
}

static void print_libm(struct body *b, struct text *out, const char *name, const struct expr *e)
{
	const char *fast = fast_math_name(b->e, name);

	print_call(b, out, fast ? fast : math_name(b->e, name, e->n), e);
}

/* open x sign y ? p : q close, where x, y, p, q are arguments by number. */
static void print_choice(struct body *b, struct text *out, const struct expr *e, const char *sign, int x, int y, int p,
			 int q, int level)
{
	text_add(out, level > TERNARY ? "(" : "");
	print_c(b, out, e->arg[x], SUM);
	text_printf(out, " %s ", sign);
	print_c(b, out, e->arg[y], SUM);
	text_add(out, " ? ");
	print_c(b, out, e->arg[p], OR);
	text_add(out, " : ");
	print_c(b, out, e->arg[q], TERNARY);
	text_add(out, level > TERNARY ? ")" : "");
}

/* A power as repeated products or roots, where the exponent is a literal for which that is right. */
static bool print_known_power(struct body *b, struct text *out, const struct expr *e, int level)
{
	const struct expr *base = e->arg[0];
	double exponent = e->arg[1]->op == EX_NUM ? e->arg[1]->num : 0;
	int times = (int)fabs(exponent);
	const char *one = real_literal(b->e, 1);
	int own = exponent == 0.5 ? POSTFIX : PRODUCT;

	if (exponent != 0.5 && exponent != -0.5 && exponent != -1 && fabs(exponent) != 2 && exponent != 3)
		return false;
	text_add(out, own < level ? "(" : "");
	if (fabs(exponent) == 0.5) {
		if (exponent < 0)
			text_printf(out, "%s / ", one);
		text_printf(out, "%s(", math_name(b->e, "sqrt", 1));
		print_c(b, out, base, TERNARY);
		text_add(out, ")");
	} else {
		if (exponent < 0)
			text_printf(out, times > 1 ? "%s / (" : "%s / ", one);
		for (int i = 0; i < times; i++) {
			text_add(out, i ? " * " : "");
			print_c(b, out, base, UNARY);
		}
		text_add(out, exponent < 0 && times > 1 ? ")" : "");
	}
	text_add(out, own < level ? ")" : "");
	return true;
}

static void print_power(struct body *b, struct text *out, const struct expr *e, int level)
{
	if (print_known_power(b, out, e, level))
		return;
	if (ex_is_num(e->arg[0], 2)) {
		text_printf(out, "%s(", math_name(b->e, "exp2", 1));
		print_c(b, out, e->arg[1], TERNARY);
		text_add(out, ")");
		return;
	}
	print_libm(b, out, "pow", e);
}

/* Floor division and its remainder. */
static void print_division(struct body *b, struct text *out, const struct expr *e, int level)
{
	struct range r;
	bool mod = e->op == EX_MOD;

	if (e->arg[1]->op == EX_INT && e->arg[1]->integer > 0 && range_of(e->arg[0], b->eq->index, &r) && r.low >= 0)
		print_binary(b, out, e, mod ? "%" : "/", PRODUCT, level);
	else
		print_call(b, out, help(b->e, mod ? HELP_MODULO : HELP_DIVIDE), e);
}

static int first_of_element(const struct equation *eq) { return eq->nfree && eq->index[0].rows ? 1 : 0; }

const char *draw_row(struct body *b, const struct equation *eq)
{
	if (!first_of_element(eq))
		return "0";
	if (b->slot_name[0])
		return arena_printf(b->e->arena, "run->first_row + %s", b->slot_name[0]);
	return arena_printf(b->e->arena, "run->first_row + %" PRId64, b->slot_value[0]);
}

struct affine draw_element(const struct equation *eq)
{
	struct affine element = {0};
	int64_t stride = 1;

	for (int s = eq->nfree - 1; s >= first_of_element(eq); s--) {
		element.coef[s] = stride;
		stride *= eq->index[s].extent;
	}
	return element;
}

static void print_draw(struct body *b, struct text *out, const struct expr *e)
{
	struct affine element;

	b->takes_run = true;
	if (print_drawn(b, out, e))
		return;
	text_printf(out, "%s(run, %s, %s, ", help(b->e, e->draw == DRAW_NORMAL ? HELP_NORMAL : HELP_UNIFORM),
		    b->site_names.item[find_site(&b->sites, e->site)], draw_row(b, b->eq));
	if (b->flat_index) {
		text_printf(out, "%s)", b->flat_index);
		return;
	}
	element = draw_element(b->eq);
	print_affine(b, out, &element, TERNARY);
	text_add(out, ")");
}

static void print_run(struct body *b, struct text *out, enum run run)
{
	static const char *const fields[] = {[RUN_STEP] = "step",
					     [RUN_EPOCH] = "epoch",
					     [RUN_STEPS] = "steps",
					     [RUN_STEPS_PER_EPOCH] = "steps_per_epoch"};

	if (run == RUN_ROWS) {
		bool part = b->group->cut == CUT_SAMPLES; /* a team has each thread make some samples of them */

		b->takes_n |= !b->one_row && !part;
		b->takes_batch |= !b->one_row && part;
		text_add(out, b->one_row ? "1" : part ? "nrows" : "n");
		return;
	}
	if (run == RUN_DATA) {
		b->takes_data = true;
		text_add(out, "ndata");
		return;
	}
	b->takes_run = true;
	if (run == RUN_LOSS)
		text_printf(out, b->e->real_kind == NNC_DOUBLE ? "run->loss" : "(%s)run->loss", b->e->real);
	else
		text_printf(out, "run->%s", fields[run]);
}

static void print_negative(struct body *b, struct text *out, const struct expr *e, int level)
{
	text_add(out, level > UNARY ? "(" : "");
	text_add(out, "-");
	print_c(b, out, e->arg[0], POSTFIX);
	text_add(out, level > UNARY ? ")" : "");
}

static void print_cast(struct body *b, struct text *out, const struct expr *e, const char *type, int level)
{
	text_printf(out, level > UNARY ? "((%s)" : "(%s)", type);
	print_c(b, out, e->arg[0], UNARY);
	text_add(out, level > UNARY ? ")" : "");
}

/* a < 0 ? -a : a, of integers. */
static void print_int_abs(struct body *b, struct text *out, const struct expr *e, int level)
{
	text_add(out, level > TERNARY ? "(" : "");
	print_c(b, out, e->arg[0], SUM);
	text_add(out, " < 0 ? -");
	print_c(b, out, e->arg[0], POSTFIX);
	text_add(out, " : ");
	print_c(b, out, e->arg[0], TERNARY);
	text_add(out, level > TERNARY ? ")" : "");
}

static void print_sign(struct body *b, struct text *out, const struct expr *e, int level)
{
	const char *zero = real_literal(b->e, 0), *one = real_literal(b->e, 1), *x = expr_text(b, e->arg[0]);

	if (strchr(x, ' '))
		x = arena_printf(b->e->arena, "(%s)", x);
	text_printf(out, level > TERNARY ? "(%s > %s ? %s : %s < %s ? -%s : %s)" : "%s > %s ? %s : %s < %s ? -%s : %s",
		    x, zero, one, x, zero, one, x);
}

static void print_integer(struct text *out, const struct expr *e, int level)
{
	text_printf(out, e->integer < 0 && level > UNARY ? "(%" PRId64 ")" : "%" PRId64, e->integer);
}

static const char *find_temp(const struct body *b, const struct expr *e)
{
	for (int i = b->temps.n - 1; i >= 0; i--)
		if (b->temps.item[i].expr == e)
			return b->temps.item[i].name;
	return NULL;
}

static void print_index(struct body *b, struct text *out, int slot, int level)
{
	struct affine a = {0};

	a.coef[slot] = 1;
	print_affine(b, out, &a, level);
}

static void print_number(struct body *b, struct text *out, double value, int level)
{
	const char *literal = real_literal(b->e, value);

	text_printf(out, literal[0] == '-' && level > UNARY ? "(%s)" : "%s", literal);
}

void print_c(struct body *b, struct text *out, const struct expr *e, int level)
{
	const char *temp = e->n ? find_temp(b, e) : NULL;
	struct affine a;

	if (temp) {
		text_add(out, temp);
		return;
	}
	if (e->affine && e->n && affine_of(e, &a)) {
		print_affine(b, out, &a, level);
		return;
	}
	switch (e->op) {
	case EX_NUM: print_number(b, out, e->num, level); break;
	case EX_INT: print_integer(out, e, level); break;
	case EX_INDEX: print_index(b, out, e->slot, level); break;
	case EX_READ: print_read(b, out, e, level); break;
	case EX_RUN: print_run(b, out, e->run); break;
	case EX_DRAW: print_draw(b, out, e); break;
	case EX_ADD: print_binary(b, out, e, "+", SUM, level); break;
	case EX_SUB: print_binary(b, out, e, "-", SUM, level); break;
	case EX_MUL: print_binary(b, out, e, "*", PRODUCT, level); break;
	case EX_DIV: print_binary(b, out, e, "/", PRODUCT, level); break;
	case EX_FLOORDIV:
	case EX_MOD: print_division(b, out, e, level); break;
	case EX_POW: print_power(b, out, e, level); break;
	case EX_NEG: print_negative(b, out, e, level); break;
	case EX_MIN:
		if (e->elem == ELEM_REAL)
			print_choice(b, out, e, "<", 1, 0, 1, 0, level);
		else
			print_call(b, out, help(b->e, HELP_SMALLER), e);
		break;
	case EX_MAX: /* of equals the first; a NaN that stands first stays */
		if (e->elem == ELEM_REAL)
			print_choice(b, out, e, "<", 0, 1, 1, 0, level);
		else
			print_call(b, out, help(b->e, HELP_LARGER), e);
		break;
	case EX_LT: print_binary(b, out, e, "<", RELATION, level); break;
	case EX_LE: print_binary(b, out, e, "<=", RELATION, level); break;
	case EX_EQ: print_binary(b, out, e, "==", EQUALITY, level); break;
	case EX_NE: print_binary(b, out, e, "!=", EQUALITY, level); break;
	case EX_AND: print_binary(b, out, e, "&&", AND, level); break;
	case EX_OR: print_binary(b, out, e, "||", OR, level); break;
	case EX_NOT:
		text_add(out, "!");
		print_c(b, out, e->arg[0], UNARY);
		break;
	case EX_SELECT:
		text_add(out, level > TERNARY ? "(" : "");
		print_c(b, out, e->arg[0], OR);
		text_add(out, " ? ");
		print_c(b, out, e->arg[1], OR);
		text_add(out, " : ");
		print_c(b, out, e->arg[2], TERNARY);
		text_add(out, level > TERNARY ? ")" : "");
		break;
	case EX_ERFINV: print_call(b, out, help(b->e, HELP_ERFINV), e); break;
	case EX_ABS:
		if (e->elem == ELEM_REAL)
			print_libm(b, out, "fabs", e);
		else
			print_int_abs(b, out, e, level);
		break;
	case EX_SIGN: print_sign(b, out, e, level); break;
	case EX_ROUND: print_libm(b, out, "rint", e); break; /* ties to even */
	case EX_ISNAN:
		text_add(out, level > EQUALITY ? "(" : "");
		print_c(b, out, e->arg[0], SUM);
		text_add(out, " != ");
		print_c(b, out, e->arg[0], SUM);
		text_add(out, level > EQUALITY ? ")" : "");
		break;
	case EX_TO_INT:
		if (e->arg[0]->elem == ELEM_REAL)
			print_cast(b, out, e, "int32_t", level);
		else
			print_c(b, out, e->arg[0], level);
		break;
	case EX_TO_REAL: print_cast(b, out, e, b->e->real, level); break;
	case EX_STOP: print_c(b, out, e->arg[0], level); break;
	default: print_libm(b, out, ex_name(e->op), e); break;
	}
}

const char *expr_text(struct body *b, const struct expr *expr)
{
	struct text out = {.arena = b->e->arena};

	print_c(b, &out, expr, ANYWHERE);
	return out.at;
}
