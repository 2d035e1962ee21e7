/* emit_pointers.c - the variables of a public function that point into the caller's memory. */
#include "emit_calls.h"

#include <string.h>

bool same_storage(const struct storage *a, const struct storage *b)
{
	return a->memory == b->memory && a->offset == b->offset &&
	       (a->rule == b->rule || strcmp(a->rule, b->rule) == 0);
}

/* A next value that stands where the old one was goes by the old one's name. */
static struct tensor *owner_of(struct public_call *c, struct tensor *root)
{
	if (root->role == ROLE_NEXT &&
	    same_storage(&layout_of(root)->storage[c->call], &layout_of(root->of)->storage[c->call]))
		return root->of;
	return root;
}

struct pointer *find_pointer(struct public_call *c, struct tensor *root)
{
	int number;

	root = owner_of(c, root);
	number = layout_of(root)->pointer; /* perhaps of another call */
	return number < c->pointers.n && c->pointers.item[number].root == root ? &c->pointers.item[number] : NULL;
}

void need_pointer(struct public_call *c, struct tensor *root, bool written)
{
	struct pointer *pointer = find_pointer(c, root);

	if (!pointer) {
		root = owner_of(c, root);
		list_add(c->e->arena, &c->pointers,
			 (struct pointer){.storage = layout_of(root)->storage[c->call], .root = root});
		layout_of(root)->pointer = c->pointers.n - 1;
		pointer = &c->pointers.item[c->pointers.n - 1];
	}
	pointer->written |= written;
}

const char *at_offset(struct public_call *c, const char *base, int64_t offset)
{
	return offset ? arena_printf(c->e->arena, "%s + %lld", base, (long long)offset) : base;
}

const char *field_text(struct public_call *c, const char *base, const struct tensor *t, int without)
{
	struct text out = {.arena = c->e->arena};
	int rank;

	t = t->role == ROLE_NEXT ? t->of : t;
	rank = t->rank - (t->batched ? without : 0);
	if (rank == 1)
		return arena_printf(c->e->arena, "%s->%s", base, layout_of(t)->c_name);
	text_printf(&out, "&%s->%s", base, layout_of(t)->c_name);
	for (int a = 0; a < rank; a++)
		text_add(&out, "[0]");
	return out.at;
}

const char *storage_text(struct public_call *c, const struct pointer *pointer)
{
	int64_t offset = pointer->storage.offset;

	switch (pointer->storage.memory) {
	case MEM_WORK: return at_offset(c, "work->real", offset);
	case MEM_WORK_INT: return at_offset(c, "work->whole", c->e->p->call[c->call].integers_at + offset);
	case MEM_PARAMS: return at_offset(c, "params->flat", offset);
	case MEM_GRADS: return at_offset(c, "grads->flat", offset);
	case MEM_AVERAGE: return at_offset(c, "average->flat", offset);
	case MEM_STATE: return field_text(c, "state", pointer->root, 0);
	case MEM_STREAM: return field_text(c, "stream", pointer->root, 1);
	case MEM_RULE:
		return at_offset(c,
				 arena_printf(c->e->arena, "state->%s.flat", rule_field(c->e, pointer->storage.rule)),
				 offset);
	case MEM_SCRATCH: return at_offset(c, "state->scratch", offset);
	case MEM_SCRATCH_INT: return at_offset(c, "state->scratch_whole", offset);
	case MEM_INPUT: return c->sig.inputs.item[offset];
	case MEM_TARGET: return c->sig.targets.item[offset];
	case MEM_OUTPUT: return c->sig.outputs.item[offset];
	case MEM_METRIC: return at_offset(c, "metrics", offset);
	case MEM_TOTAL: return field_text(c, "totals", pointer->root, 0);
	case MEM_OWN: return at_offset(c, arena_printf(c->e->arena, "(%s *)team->own", c->e->real), offset);
	case MEM_DATA: return layout_of(pointer->root)->c_name;
	default: return "NULL";
	}
}

static bool has_own_name(enum memory memory)
{
	return memory == MEM_INPUT || memory == MEM_TARGET || memory == MEM_OUTPUT || memory == MEM_DATA;
}

/* The array that another pointer has declared for the same memory, or NULL. */
static const char *local_array(struct public_call *c, const struct pointer *pointer)
{
	for (const struct pointer *other = c->pointers.item; other < pointer; other++)
		if (same_storage(&other->storage, &pointer->storage))
			return other->name;
	return NULL;
}

const char *pointer_shape(struct public_call *c, const struct tensor *t)
{
	const struct sweep *sweep = is_step_call(c->call) ? sweep_of(t) : NULL;
	int64_t rows = sweep ? sweep->room : layout_of(t)->strip_rows[c->call];
	struct tensor block = *t;

	if (c->e->options->freestanding)
		return "";
	if (rows) {
		block.axis = arena_array(c->e->arena, (size_t)t->rank, sizeof *block.axis);
		for (int a = 0; a < t->rank; a++)
			block.axis[a] = t->axis[a];
		block.axis[0] = (struct axis){.extent = rows};
	}
	return shape_text(c->e, &block, !is_one_row(c->call));
}

void declare_pointer(struct public_call *c, struct pointer *pointer)
{
	struct emitter *e = c->e;
	const struct tensor *t = pointer->root->role == ROLE_NEXT ? pointer->root->of : pointer->root;
	const char *shape = pointer_shape(c, t);
	const char *type = elem_type(e, t->elem);
	bool next = pointer->root->role == ROLE_NEXT;

	if (has_own_name(pointer->storage.memory)) {
		pointer->name = storage_text(c, pointer);
		return;
	}
	pointer->name = new_name(e, &c->scope, next ? arena_printf(e->arena, "new_%s", t->name) : t->name);
	if (pointer->storage.memory == MEM_LOCAL && local_array(c, pointer))
		write_line(e, "%s *%s = %s;", type, pointer->name, local_array(c, pointer));
	else if (pointer->storage.memory == MEM_LOCAL)
		write_line(e, "%s %s[%lld];", type, pointer->name, (long long)tensor_size(t));
	else
		write_line(e, "%s%s *%s = %s;%s%s%s", pointer->written ? "" : "const ", type, pointer->name,
			   storage_text(c, pointer), *shape ? " /* " : "", shape, *shape ? " */" : "");
}
