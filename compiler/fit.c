/* fit.c - a model in a budget of memory: --ram.
 *
 * There is a fixed list of plans, from the fastest to the smallest:
 *   1. the one without a budget,
 *   2. updates that do not wait for all gradients (early_updates.c),
 *   3. that, and values computed again in the backward pass (keep.c, recompute.c): first few, then more,
 *   4. that, and no copies of factors in the form that tiles take.
 * The first that fits is taken. Each is scheduled and placed in full, so what is said is what sizeof will say. As the
 * list does not depend on the budget, the nearest that an error tells is met when it is asked for.
 *
 * What counts is what training needs in RAM: params, state and work. Without training params may be constants, and it
 * is state and work. The gradients' struct is for programs that call backward and update apart, which may do without.
 */
#include "emit.h"
#include "recompute.h"
#include "schedule.h"

#include <inttypes.h>
#include <string.h>

struct fitting {
	struct graph *g;
	bool *again;
	equation_list backward; /* as the chain rule gave it */
	int n_tensors;
	struct struct_sizes sizes, least_sizes;
	int64_t least;	     /* bytes; 0: nothing has been tried */
	const char *leading; /* of the plan that needs the least: what takes most of work */
};

static int64_t ram_of(const struct graph *g, const struct struct_sizes *sizes)
{
	return sizes->state + sizes->work + (g->ctx->options->inference_only ? 0 : sizes->params);
}

/* ---- a plan ---- */

/* Part backward with what f->again says, from the beginning. */
static void rebuild(struct fitting *f)
{
	struct graph *g = f->g;

	for (int i = f->n_tensors; i < g->tensors.n; i++) /* copies that the last plan had */
		table_set(&g->names, g->tensors.item[i]->name, NULL);
	g->tensors.n = f->n_tensors;
	compute_again(g, &f->backward, f->again);
}

/* The largest values of the call that needs the most. */
static const char *name_leading(const struct program *p)
{
	struct text out = {.arena = &p->g->ctx->arena};
	const struct call_plan *most = NULL;

	for (int c = 0; c < CALL_COUNT; c++)
		if (p->call[c].present && !is_one_row((enum call)c) && (!most || p->call[c].work > most->work))
			most = &p->call[c];
	for (size_t i = 0; most && i < sizeof most->largest / sizeof *most->largest && most->largest[i]; i++)
		text_printf(&out, "%s%s", i ? ", " : "", most->largest[i]->name);
	return out.at;
}

/* Whether the plan that the graph is in now fits. */
static bool fits(struct fitting *f)
{
	struct graph *g = f->g;
	struct program *p = schedule(g, NULL);
	int64_t ram;

	measure_program(p, &f->sizes);
	ram = ram_of(g, &f->sizes);
	if (!f->least || ram < f->least) {
		f->least = ram;
		f->least_sizes = f->sizes;
		f->leading = name_leading(p);
	}
	return ram <= g->ctx->options->ram;
}

/* Plans with ever less alive, each nine tenths of the one before. */
static bool try_recomputing(struct fitting *f)
{
	enum { MOST_PLANS = 40, HOPELESS = 3 };
	struct program *p = schedule(f->g, NULL);
	struct keeping *keeping;
	int64_t most;
	int failed = 0;

	if (!p->call[CALL_BACKWARD].present)
		return false;
	keeping = weigh_values(p);
	most = most_alive(keeping);
	for (int k = 0; k < MOST_PLANS && failed < HOPELESS; k++) {
		int64_t before = f->sizes.work;

		most -= most / 10 + 1;
		if (!choose_values(keeping, most, f->again))
			failed++;
		rebuild(f);
		if (fits(f))
			return true;
		if (f->sizes.work < before)
			failed = 0;
	}
	return false;
}

static void forget_choice(struct fitting *f)
{
	memset(f->again, 0, (size_t)f->n_tensors * sizeof *f->again);
	rebuild(f);
}

static bool find_plan(struct fitting *f)
{
	struct graph *g = f->g;
	int64_t before;

	if (fits(f))
		return true;
	g->early_updates = true;
	if (fits(f))
		return true;
	before = f->sizes.work;
	if (try_recomputing(f))
		return true;
	forget_choice(f);
	g->no_operands = true;
	return fits(f) || (f->sizes.work < before && try_recomputing(f));
}

/* ---- what is said ---- */

static const char *name_again(struct fitting *f)
{
	enum { SHOWN = 8 };
	struct text out = {.arena = &f->g->ctx->arena};
	int n = 0;

	for (int i = f->n_tensors; i < f->g->tensors.n; i++) {
		const char *name = f->g->tensors.item[i]->name;

		if (f->g->tensors.item[i]->role == ROLE_VALUE && n++ < SHOWN)
			text_printf(&out, "%s%.*s", out.n ? ", " : "", (int)(strlen(name) - strlen(".again")), name);
	}
	if (n > SHOWN)
		text_printf(&out, " and %d more", n - SHOWN);
	return out.at;
}

static void describe(struct fitting *f)
{
	const struct graph *g = f->g;
	struct text out = {.arena = &g->ctx->arena};
	const char *names = name_again(f);

	if (g->early_updates)
		text_add(&out, "each update comes as soon as its gradient is there");
	if (names)
		text_printf(&out, "; computed again in the backward pass: %s", names);
	if (g->no_operands)
		text_printf(&out, "; no copies for tiles");
	f->g->fitted = out.at;
}

static void refuse(const struct fitting *f)
{
	const struct graph *g = f->g;
	const struct struct_sizes *s = &f->least_sizes;
	struct text out = {.arena = &g->ctx->arena};

	if (!g->ctx->options->inference_only)
		text_printf(&out, "params %" PRId64 ", ", s->params);
	text_printf(&out, "state %" PRId64 ", work %" PRId64 " with a batch of %" PRId64, s->state, s->work, g->batch);
	if (f->leading)
		text_printf(&out, ", where %s lead", f->leading);
	report_error(g->ctx, (struct span){0}, "--ram=%" PRId64 ": the nearest is %" PRId64 " bytes: %s",
		     g->ctx->options->ram, f->least, out.at);
}

void fit_memory(struct graph *g)
{
	struct arena *arena = &g->ctx->arena;
	struct fitting f = {.g = g, .backward = g->part[PART_BACKWARD], .n_tensors = g->tensors.n};

	if (!g->ctx->options->ram)
		return;
	f.again = arena_array(arena, (size_t)f.n_tensors + 1, sizeof *f.again);
	if (find_plan(&f))
		describe(&f);
	else
		refuse(&f);
}
