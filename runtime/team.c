/* team.c - threads that do one thing together, again and again.
 *
 * A step takes a millisecond, and within it threads meet; to wake a thread that sleeps takes tens of microseconds, on a
 * virtual machine more. So a thread that waits looks at a number a few hundred times, some 0.1 ms in all, letting
 * others have the processor in between, before it goes to sleep. It looks without the lock, which those need who are
 * still to come; everything else is read and written with the lock held. That is tried rather than waited for: who
 * waits for a lock in Linux sleeps too. */
#define _GNU_SOURCE
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

enum {
	LOOKS = 250, /* before a thread sleeps */
	EAGER = 50,  /* of them without giving the processor away */
	PAUSES = 4
};

struct member {
	nn_team team;
	struct team *all;
	pthread_t thread; /* not of the first, which is the caller */
};

struct team {
	struct host host;
	struct member *member;
	int n, n_started;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t moved; /* a number that someone waits for, asleep */
	int asleep;
	atomic_uint jobs, meetings, done; /* how many there have been; written with the lock held */
	int parts, met, finished;	  /* of the job; threads that have come to its next meeting, or to its end */
	bool stop;
	void (*work)(void *user, const nn_team *member);
	void *user;
};

/* ---- waiting ---- */

static void pause_a_little(int look)
{
#if defined __x86_64__ || defined __i386__
	for (int i = 0; i < PAUSES; i++)
		__builtin_ia32_pause();
#endif
	if (look >= EAGER)
		sched_yield();
}

static void lock(struct team *team)
{
	for (int look = 0; look < LOOKS; look++) {
		if (pthread_mutex_trylock(&team->lock) == 0)
			return;
		pause_a_little(look);
	}
	pthread_mutex_lock(&team->lock);
}

static void unlock(struct team *team) { pthread_mutex_unlock(&team->lock); }

/* Until the number is another one. The lock is held before and after, but not by who looks: those who are to come have
 * it for themselves. */
static void wait_for(struct team *team, const atomic_uint *number, unsigned old)
{
	unlock(team);
	for (int look = 0; look < LOOKS && atomic_load_explicit(number, memory_order_relaxed) == old; look++)
		pause_a_little(look);
	lock(team);
	while (*number == old) {
		team->asleep++;
		pthread_cond_wait(&team->moved, &team->lock);
		team->asleep--;
	}
}

static void move_on(struct team *team, atomic_uint *number)
{
	++*number;
	if (team->asleep)
		pthread_cond_broadcast(&team->moved);
}

static void meet(const nn_team *member)
{
	struct team *team = ((const struct member *)member)->all; /* whose first field it is */
	lock(team);
	if (++team->met == team->parts) {
		team->met = 0;
		move_on(team, &team->meetings);
	} else {
		wait_for(team, &team->meetings, team->meetings);
	}
	unlock(team);
}

/* ---- working ---- */

/* The lock is held before and after. */
static void do_part(struct team *team, struct member *member)
{
	member->team.parts = team->parts;
	unlock(team);
	team->work(team->user, &member->team);
	lock(team);
	if (++team->finished == team->parts)
		move_on(team, &team->done);
}

static void *run_member(void *argument)
{
	struct member *member = argument;
	struct team *team = member->all;
	unsigned seen = 0;
	lock(team);
	for (;;) {
		if (team->jobs == seen)
			wait_for(team, &team->jobs, seen);
		if (team->stop)
			break;
		seen = team->jobs;
		if (member->team.part < team->parts)
			do_part(team, member);
	}
	unlock(team);
	return NULL;
}

void team_run(struct team *team, int parts, void (*work)(void *user, const nn_team *member), void *user)
{
	lock(team);
	unsigned done = team->done;
	team->work = work;
	team->user = user;
	team->parts = parts;
	team->finished = 0;
	move_on(team, &team->jobs);
	do_part(team, &team->member[0]);
	if (team->done == done)
		wait_for(team, &team->done, done);
	unlock(team);
}

void team_give(struct team *team, int part, void *own) { team->member[part].team.own = own; }

/* ---- setting up ---- */

/* Signals are for the threads of the host. */
static bool start_members(struct team *team)
{
	sigset_t all, before;
	int error = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (team->n_started = 1; team->n_started < team->n && !error; team->n_started += !error) {
		struct member *member = &team->member[team->n_started];
		error = pthread_create(&member->thread, NULL, run_member, member);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		host_fail(&team->host, NNR_MEMORY, NULL, "cannot start a thread: %s", strerror(error));
	return !error;
}

struct team *team_start(const struct host *host, int n)
{
	struct team *team = host_alloc(host, 1, sizeof *team);
	if (!team)
		return NULL;
	team->host = *host;
	team->n = n;
	pthread_mutex_init(&team->lock, NULL);
	pthread_cond_init(&team->moved, NULL);
	team->member = host_alloc(host, (size_t)n, sizeof *team->member);
	for (int i = 0; team->member && i < n; i++)
		team->member[i] = (struct member){.team = {.part = i, .meet = meet}, .all = team};
	if (team->member && start_members(team))
		return team;
	team_free(team);
	return NULL;
}

void team_free(struct team *team)
{
	if (!team)
		return;
	const struct host host = team->host;
	lock(team);
	team->stop = true;
	move_on(team, &team->jobs);
	unlock(team);
	for (int i = 1; i < team->n_started; i++)
		pthread_join(team->member[i].thread, NULL);
	pthread_cond_destroy(&team->moved);
	pthread_mutex_destroy(&team->lock);
	host_free(&host, team->member);
	host_free(&host, team);
}
