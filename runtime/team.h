/* team.h - threads that do one thing together, again and again. */
#ifndef NNR_TEAM_H
#define NNR_TEAM_H

#include "handle.h"

/* n threads, of which the caller is one. NULL: out of memory, or no threads to be had; reported. */
struct team *team_start(const struct host *host, int n);
/* Each of the first `parts` threads calls work with its part, and in it meet as often as the others; the caller is part
 * 0. Back when all are done. */
void team_run(struct team *team, int parts, void (*work)(void *user, const nn_team *member), void *user);
/* What member->own is for a part. */
void team_give(struct team *team, int part, void *own);
/* NULL is allowed. */
void team_free(struct team *team);

#endif
