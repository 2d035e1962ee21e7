/* emit_affine.c - integers that are sums of indices as C: "784 * b + i", and conditions on them. */
#include "emit_parts.h"

#include <inttypes.h>
#include <string.h>

int slots_of(const struct body *b) { return b->eq ? b->eq->n : 64; }

struct affine with_constants(const struct body *b, const struct affine *a)
{
	struct affine out = *a;

	for (int s = 0, n = slots_of(b); s < n; s++)
		if (out.coef[s] && !b->slot_name[s]) {
			out.constant += out.coef[s] * b->slot_value[s];
			out.coef[s] = 0;
		}
	return out;
}

static void print_term(struct text *out, int64_t coef, const char *name, bool first, const char *cast)
{
	uint64_t size = coef < 0 ? 0 - (uint64_t)coef : (uint64_t)coef;
	bool compound = strchr(name, ' ') != NULL;

	if (first)
		text_add(out, coef < 0 ? "-" : "");
	else
		text_add(out, coef < 0 ? " - " : " + ");
	text_add(out, cast);
	if (size != 1)
		text_printf(out, "%" PRIu64 " * ", size);
	text_printf(out, compound && (size != 1 || coef < 0) ? "(%s)" : "%s", name);
}

void print_terms(struct body *b, struct text *out, const struct affine *a, const char *cast)
{
	int lead = -1, n = slots_of(b);
	bool first = true;

	for (int s = n - 1; s >= 0; s--)
		if (a->coef[s] > 0)
			lead = s;
	if (lead >= 0) {
		print_term(out, a->coef[lead], b->slot_name[lead], true, cast);
		first = false;
	} else if (a->constant > 0) {
		text_printf(out, "%" PRId64, a->constant);
		first = false;
	}
	for (int s = 0; s < n; s++)
		if (a->coef[s] && s != lead) {
			print_term(out, a->coef[s], b->slot_name[s], first, cast);
			first = false;
		}
	if (first)
		text_printf(out, "%" PRId64, a->constant);
	else if (a->constant && (lead >= 0 || a->constant < 0))
		text_printf(out, a->constant < 0 ? " - %" PRIu64 : " + %" PRIu64,
			    a->constant < 0 ? 0 - (uint64_t)a->constant : (uint64_t)a->constant);
}

void print_affine(struct body *b, struct text *out, const struct affine *a, int level)
{
	struct affine v = with_constants(b, a);
	struct text text = {.arena = out->arena};
	int own;

	print_terms(b, &text, &v, "");
	own = strstr(text.at, " + ") || strstr(text.at, " - ") ? SUM : strchr(text.at, ' ') ? PRODUCT : POSTFIX;
	if (own == POSTFIX && text.at[0] == '-')
		own = UNARY;
	text_printf(out, own < level ? "(%s)" : "%s", text.at);
}

/* a >= 0, the constant on the right: "i >= 1", "i + u <= 29". */
void print_condition(struct body *b, struct text *out, const struct affine *a)
{
	struct affine v = with_constants(b, a);
	int64_t constant = v.constant;
	bool negative = true;

	for (int s = 0; s < 64; s++)
		negative &= v.coef[s] <= 0;
	v.constant = 0;
	for (int s = 0; s < 64; s++)
		v.coef[s] = negative ? -v.coef[s] : v.coef[s];
	print_terms(b, out, &v, "");
	text_printf(out, negative ? " <= %" PRId64 : " >= %" PRId64, negative ? constant : -constant);
}
