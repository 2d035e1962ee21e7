/* place.h - where tensors lie: the parts of place.c, which gives every tensor of a plan its storage in every call. */
#ifndef NNC_PLACE_H
#define NNC_PLACE_H

#include "plan.h"

/* place.c: storage of every tensor in every call, and the sizes of work. */
void place(struct program *p);
void place_fixed(struct program *p); /* place_fixed.c: of what does not depend on lifetimes */
/* overwrite.c: whether stage `at` of the group may store where `old` is. */
bool may_overwrite(const struct group *group, int at, const struct tensor *old);
/* lifetime.c: layout.dies of what the call makes and reads, results apart; the first and last group that are run again
 * and again with group `at`. */
void find_lifetimes(const struct call_plan *plan, enum call call);
int first_round(const struct call_plan *plan, int at);
int last_round(const struct call_plan *plan, int at);

/* place_team.c: memory of each thread; the first and last group of a phase; who touches what in the last phase that needs
 * it (layout.number), and whether that is nobody but who makes group `at`. */
void place_own(struct program *p);
int first_of_phase(const struct call_plan *plan, int at);
int last_of_phase(const struct call_plan *plan, int at);
void find_touching(const struct call_plan *plan);
bool is_touched_apart(const struct call_plan *plan, int at, const struct tensor *old);

/* pack.c: offsets of pieces that live from position `born` to `dies`, both included; returns the elements that they take
 * together. *alive: the largest set that lives at once, which is the least that they can take; *when: at which
 * position it does. */
struct piece {
	int64_t size, offset;
	int born, dies;
};
int64_t pack_pieces(struct arena *arena, struct piece *piece, int n, int64_t *alive, int *when);

#endif
