/* place_fixed.c - the places that do not depend on lifetimes: params, states, gradients, totals, inputs, targets. */
#include "place.h"

void place_fixed(struct program *p)
{
	int64_t offset = 0;

	for (int c = 0; c < CALL_COUNT; c++) {
		offset = 0;
		for (int i = 0; i < p->params.n; i++) {
			layout_of(p->params.item[i])->storage[c] =
				(struct storage){.memory = MEM_PARAMS, .offset = offset};
			offset += tensor_size(p->params.item[i]);
		}
		for (int i = 0; i < p->g->grads.n; i++) {
			struct tensor *t = p->g->grads.item[i];

			layout_of(t)->storage[c] =
				(struct storage){.memory = MEM_GRADS, .offset = layout_of(t->of)->storage[c].offset};
		}
		for (int i = 0; i < p->settings.n; i++)
			layout_of(p->settings.item[i])->storage[c] = (struct storage){.memory = MEM_STATE, .offset = i};
		for (int i = 0; i < p->states.n; i++)
			layout_of(p->states.item[i])->storage[c] =
				(struct storage){.memory = MEM_STATE, .offset = p->settings.n + i};
		for (int r = 0; r < p->rules.n; r++) {
			offset = 0;
			for (int i = 0; i < p->rules.item[r].states.n; i++) {
				struct tensor *t = p->rules.item[r].states.item[i];

				layout_of(t)->storage[c] = (struct storage){MEM_RULE, offset, p->rules.item[r].name};
				offset += tensor_size(t);
			}
		}
		for (int i = 0; i < p->inputs.n; i++)
			layout_of(p->inputs.item[i])->storage[c] = (struct storage){.memory = MEM_INPUT, .offset = i};
		for (int i = 0; c == CALL_STREAM && i < p->stream->inputs.n; i++)
			layout_of(p->stream->inputs.item[i])->storage[c] =
				(struct storage){.memory = MEM_INPUT, .offset = i};
		for (int i = 0; i < p->stream->kept.n; i++)
			layout_of(p->stream->kept.item[i])->storage[c] =
				(struct storage){.memory = MEM_STREAM, .offset = i};
		for (int i = 0; i < p->targets.n; i++)
			layout_of(p->targets.item[i])->storage[c] = (struct storage){.memory = MEM_TARGET, .offset = i};
		for (int i = 0; i < p->tables.n; i++)
			layout_of(p->tables.item[i])->storage[c] = (struct storage){.memory = MEM_DATA, .offset = i};
	}
	for (int i = 0; i < p->totals.n; i++)
		for (int c = 0; c < CALL_COUNT && !is_converted(p, &p->totals.item[i]); c++)
			layout_of(p->totals.item[i].tensor)->storage[c] =
				(struct storage){.memory = MEM_TOTAL, .offset = i};
}
