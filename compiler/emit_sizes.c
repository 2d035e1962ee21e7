/* emit_sizes.c - bytes of the generated structs, as a C compiler lays them out on a machine with natural alignment. */
#include "emit_parts.h"
#include "schedule.h"

struct room {
	int64_t size, align;
};

static void add_field(struct room *room, int64_t count, int64_t size)
{
	if (!count)
		return;
	room->size = (room->size + size - 1) / size * size + count * size;
	room->align = size > room->align ? size : room->align;
}

static int64_t whole(const struct room *room)
{
	return room->size ? (room->size + room->align - 1) / room->align * room->align : 1;
}

static int64_t elem_size(enum elem elem, int64_t real) { return elem == ELEM_REAL ? real : 4; }

static int64_t state_size(const struct program *p, int64_t real)
{
	struct room room = {.size = RUN_SIZE, .align = 8};

	add_field(&room, p->settings.n, real);
	for (int i = 0; i < p->states.n; i++)
		add_field(&room, tensor_size(p->states.item[i]), elem_size(p->states.item[i]->elem, real));
	for (int i = 0; i < p->rules.n; i++)
		add_field(&room, p->rules.item[i].size, real);
	add_field(&room, p->scratch, real);
	add_field(&room, p->scratch_int, 4);
	return whole(&room);
}

static int64_t work_size(int64_t reals, int64_t integers, int64_t real)
{
	struct room room = {.align = 1};

	add_field(&room, reals, real);
	add_field(&room, integers, 4);
	return whole(&room);
}

void measure_program(const struct program *p, struct struct_sizes *sizes)
{
	static const int64_t real_sizes[] = {[NNC_FLOAT] = 4, [NNC_DOUBLE] = 8, [NNC_QUAD] = 16};
	int64_t real = real_sizes[p->g->ctx->options->real];
	bool trains = p->call[CALL_BACKWARD].present || p->call[CALL_UPDATE].present;

	*sizes = (struct struct_sizes){.params = (p->n_param ? p->n_param : 1) * real, .state = state_size(p, real)};
	if (trains)
		sizes->grads = (p->n_trained ? p->n_trained : 1) * real;
	sizes->work = work_size(p->work, p->work_int, real);
	for (int c = 0; c < CALL_COUNT; c++) {
		int64_t alive = work_size(p->call[c].alive, p->call[c].alive_int, real);

		if (p->call[c].present && !is_one_row((enum call)c) && alive > sizes->alive)
			sizes->alive = alive;
	}
	if (has_work1(p))
		sizes->work1 = work_size(p->work1, p->work1_int, real);
	for (int i = 0; i < p->tables.n; i++)
		sizes->tables += tensor_size(p->tables.item[i]) * elem_size(p->tables.item[i]->elem, real);
}

void measure_structs(struct graph *g, struct struct_sizes *sizes) { measure_program(schedule(g, NULL), sizes); }
