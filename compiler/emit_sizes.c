/* emit_sizes.c - bytes of the generated structs, as a C compiler lays them out on a machine with natural alignment. */
#include "emit_parts.h"
#include "schedule.h"

struct room {
	int64_t size, align;
};

/* Its offset. */
static int64_t add_field(struct room *room, int64_t count, int64_t size)
{
	int64_t at = (room->size + size - 1) / size * size;

	if (!count)
		return at;
	room->size = at + count * size;
	room->align = size > room->align ? size : room->align;
	return at;
}

static int64_t whole(const struct room *room)
{
	return room->size ? (room->size + room->align - 1) / room->align * room->align : 1;
}

struct state_places locate_state(const struct program *p, int64_t real, struct arena *arena)
{
	struct room room = {.size = RUN_SIZE, .align = 8};
	struct state_places at = {.setting = arena_array(arena, (size_t)p->settings.n, sizeof *at.setting),
				  .state = arena_array(arena, (size_t)p->states.n, sizeof *at.state),
				  .rule = arena_array(arena, (size_t)p->rules.n, sizeof *at.rule)};

	for (int i = 0; i < p->settings.n; i++)
		at.setting[i] = add_field(&room, 1, real);
	for (int i = 0; i < p->states.n; i++)
		at.state[i] =
			add_field(&room, tensor_size(p->states.item[i]), elem_size(p->states.item[i]->elem, real));
	for (int i = 0; i < p->rules.n; i++)
		at.rule[i] = add_field(&room, p->rules.item[i].size, real);
	add_field(&room, p->scratch, real);
	add_field(&room, p->scratch_int, INTEGER_SIZE);
	at.size = whole(&room);
	return at;
}

static int64_t totals_size(const struct program *p, int64_t real)
{
	struct room room = {.align = 1};

	add_field(&room, p->call[CALL_METRICS2].present ? 2 : 1, 4);
	for (int i = 0; i < p->totals.n; i++) {
		const struct tensor *t = p->totals.item[i].tensor;

		add_field(&room, tensor_size(t), elem_size(t->elem, real < 8 ? 8 : real));
	}
	return whole(&room);
}

static int64_t stream_size(const struct program *p, int64_t real)
{
	struct room room = {.align = 1};

	for (int i = 0; i < p->stream->kept.n; i++) {
		const struct tensor *t = p->stream->kept.item[i];

		add_field(&room, tensor_sample_size(t), elem_size(t->elem, real));
	}
	return whole(&room);
}

static int64_t work_size(const struct space *space, int64_t real)
{
	struct room room = {.align = 1}, other = {.align = 1};

	add_field(&room, space->reals, real);
	add_field(space->overlaid ? &other : &room, space->integers, INTEGER_SIZE);
	if (other.size > room.size)
		room.size = other.size;
	return whole(&room);
}

void measure_program(const struct program *p, struct struct_sizes *sizes)
{
	int64_t real = real_size(p->g);
	bool trains = p->call[CALL_BACKWARD].present || p->call[CALL_UPDATE].present;

	*sizes = (struct struct_sizes){.params = (p->n_param ? p->n_param : 1) * real,
				       .state = locate_state(p, real, &p->g->ctx->arena).size};
	if (trains)
		sizes->grads = (p->n_trained ? p->n_trained : 1) * real;
	sizes->work = work_size(&p->work, real);
	for (int c = 0; c < CALL_COUNT; c++) {
		struct space living = {.reals = p->call[c].alive, .integers = p->call[c].alive_int};
		int64_t alive = work_size(&living, real);

		if (p->call[c].present && !is_one_row((enum call)c) && alive > sizes->alive)
			sizes->alive = alive;
	}
	if (p->g->metrics.n)
		sizes->totals = totals_size(p, real);
	if (p->stream->present)
		sizes->stream = stream_size(p, real);
	if (has_work1(p))
		sizes->work1 = work_size(&p->work1, real);
	for (int i = 0; i < p->tables.n; i++)
		sizes->tables += tensor_size(p->tables.item[i]) * elem_size(p->tables.item[i]->elem, real);
}

void measure_structs(struct graph *g, struct struct_sizes *sizes) { measure_program(schedule(g, NULL), sizes); }
