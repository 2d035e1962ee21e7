/* emit_signature.c - names, results and parameters of the public functions. */
#include "emit_calls.h"

const char *call_name(enum call call)
{
	static const char *const names[CALL_COUNT] = {"init",	     "forward",	       "forward1", "loss",   "metrics",
						      "metrics2",    "metrics_finish", "backward", "update", "step",
						      "stream_step", "average",	       "team_step"};

	return names[call];
}

void add_parameter(struct text *out, const char *text) { text_printf(out, "%s%s", out->n ? ", " : "", text); }

static const char *pointer_parameter(struct emitter *e, struct scope *scope, struct text *out, const struct tensor *t,
				     const char *want, bool is_const)
{
	const char *name = new_name(e, scope, want);

	add_parameter(out, arena_printf(e->arena, "%s%s *%s", is_const ? "const " : "", elem_type(e, t->elem), name));
	return name;
}

static void add_struct(struct emitter *e, struct text *out, const char *type, const char *name, bool is_const)
{
	add_parameter(out, arena_printf(e->arena, "%s%s_%s *%s", is_const ? "const " : "", e->prefix, type, name));
}

/* Whether a call's function takes the state, and whether it may write to it. */
static bool takes_state(const struct emitter *e, enum call call)
{
	return (call != CALL_FORWARD && !is_one_row(call)) || e->p->call[call].reads_state;
}
static bool writes_state(const struct emitter *e, enum call call)
{
	if ((call >= CALL_LOSS && call <= CALL_METRICS_FINISH) || call == CALL_AVERAGE)
		return false;
	return call == CALL_INIT || call == CALL_UPDATE || is_step_call(call) || e->p->call[call].writes_state;
}
static bool writes_params(enum call call) { return call == CALL_INIT || call == CALL_UPDATE || is_step_call(call); }

struct signature make_signature(struct emitter *e, enum call call, struct scope *scope)
{
	static const char *const fixed[] = {"params",  "state", "grads",  "work",    "n",   "totals",
					    "metrics", "seed",	"stream", "average", "team"};
	struct signature sig = {0};
	struct text out = {.arena = e->arena};
	struct program *p = e->p;
	bool finish = call == CALL_METRICS_FINISH, average = call == CALL_AVERAGE;
	bool rows = call != CALL_INIT && call != CALL_UPDATE && !finish && !average;

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		use_name(e, scope, fixed[i]);
	add_struct(e, &out, "params", "params", !writes_params(call));
	if (takes_state(e, call))
		add_struct(e, &out, "state", "state", !writes_state(e, call));
	if (call == CALL_STREAM)
		add_struct(e, &out, "stream", "stream", false);
	if (call == CALL_INIT)
		add_parameter(&out, "uint64_t seed");
	if (call == CALL_UPDATE)
		add_struct(e, &out, "grads", "grads", true);
	if (rows)
		for (int i = 0; i < p->inputs.n; i++)
			list_add(e->arena, &sig.inputs,
				 pointer_parameter(e, scope, &out, p->inputs.item[i], p->inputs.item[i]->name, true));
	if (rows && call != CALL_FORWARD && !is_one_row(call))
		for (int i = 0; i < p->targets.n; i++)
			list_add(e->arena, &sig.targets,
				 pointer_parameter(e, scope, &out, p->targets.item[i], p->targets.item[i]->name, true));
	if (call == CALL_FORWARD || is_one_row(call))
		for (int i = 0; i < e->g->outputs.n; i++)
			list_add(e->arena, &sig.outputs,
				 pointer_parameter(e, scope, &out, e->g->outputs.item[i].value,
						   e->g->outputs.item[i].name, false));
	if (call == CALL_METRICS || call == CALL_METRICS2 || finish)
		add_struct(e, &out, "totals", "totals", finish);
	if (finish)
		add_parameter(&out, arena_printf(e->arena, "%s *metrics", e->real));
	if (call == CALL_BACKWARD)
		add_struct(e, &out, "grads", "grads", false);
	if (rows && !is_one_row(call))
		add_parameter(&out, "int n");
	if (average)
		add_struct(e, &out, "params", "average", false);
	if (rows || finish || average)
		add_struct(e, &out, is_one_row(call) ? "work1" : "work", "work", false);
	if (call == CALL_TEAM_STEP)
		add_parameter(&out, "const nn_team *team");
	if (call == CALL_TEAM_STEP)
		use_name(e, scope, "run");
	sig.result = call == CALL_LOSS || call == CALL_BACKWARD || is_step_call(call) ? e->real : "void";
	sig.parameters = out.at;
	return sig;
}
