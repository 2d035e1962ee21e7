/* schedule.h - the steps in which a graph becomes the plan of plan.h, one file or two each. */
#ifndef NNC_SCHEDULE_H
#define NNC_SCHEDULE_H

#include "plan.h"

/* requires  a verified graph whose chain rule, if any, has run
 * keeps     the graph's parts and tensors (it uses tensor->pass; expressions may be added)
 * gives     groups and calls, every tensor's layout; place() fills in storage.
 * tiles: the routines that the code may call, or NULL: it stands alone. */
struct program *schedule(struct graph *g, const nnc_tiles *tiles);

enum {
	WRITE_OUT_LIMIT = 256, /* multiply-adds per row of a group that is written out */
	FUNCTION_LIMIT = 250   /* the same in one function where all is written out */
};

/* A tensor that is not the graph's, of a type and place like another one. */
struct tensor *make_tensor(struct program *p, const struct tensor *like, enum role role, const char *name, int rank,
			   const struct axis *axis);
/* Whose memory a tensor is, when what it is a view of has changed. */
void find_root(struct tensor *t);

/* stream.c: one step of part inference. */
struct stream *make_stream(struct program *p);

/* schedule_groups.c: the groups of a list of equations of a part, appended to *out. */
void group_equations(struct program *p, enum part part, const equation_list *list, group_list *out);
/* Take the loops that a group shares from its stages. */
void split_loops(struct group *group);
double group_cost(const struct group *group);

/* schedule_epilogue.c: maps of what tiles make join their groups. */
void add_epilogues(struct program *p, group_list *list);

/* schedule_shape.c: the shape of every group, and the local values. */
void finish_groups(struct program *p, group_list *list);

/* schedule_loops.c: the form of an equation and the order of its loops. */
struct stage *make_stage(struct graph *g, struct equation *eq, int n_steps);
/* Its term and conditions alone, which is what tiles are made of. */
struct stage *make_term(struct graph *g, struct equation *eq, int n_steps);
/* schedule_terms.c: the equation, or what stands for it where it is a sum of a few terms. */
struct equation *write_out_terms(struct graph *g, struct equation *eq);
/* The same with so many terms, all that it has. */
struct equation *with_terms(struct graph *g, const struct equation *eq, int64_t terms);
/* schedule_merge.c: the equation with bound indices that move like one as one. */
struct equation *merge_bound(struct graph *g, struct equation *eq);

/* schedule_pieces.c: where loops are cut. */
void find_pieces(struct program *p, struct group *group);
/* *out = a - b, where both are affine integers. */
bool affine_gap(const struct expr *a, const struct expr *b, struct affine *out);

/* schedule_steps.c: which tensors of the list's scans need memory for one step only (layout.once). */
void keep_one_step(struct program *p, equation_list *list);

/* schedule_layout.c: the list of a part with values in other layouts, where its sums of products gain by it. */
equation_list give_layouts(struct program *p, enum part part, const equation_list *list);
/* schedule_operands.c: multiply-adds of an equation, of all rows or of one. */
double work_of(const struct equation *eq, bool one_row);
/* schedule_operands.c: the list of a part with equations added that give sums of products operands which tiles can
 * read. */
equation_list give_operands(struct program *p, enum part part, const equation_list *list);

/* e, which is a factor of a term of a sum: conditions without which it is 0 go to the list, the rest is returned. */
struct expr *peel_conditions(struct graph *g, condition_list *list, const struct index *index, struct expr *e);

/* Whether so many multiply-adds are enough for tiles, and the options allow them. */
bool may_tile(const struct program *p, double work);
/* schedule_tile.c: the stage in tiles, or NULL where that has no form or no gain. open: slots of loops around it. */
struct tile *plan_tile(struct program *p, const struct stage *stage, enum part part, uint64_t open, bool one_row);
/* About what that would take, one step of scans, if it is less than `most`; else no less, INFINITY where there is none. */
double tile_cycles(struct program *p, const struct stage *stage, enum part part, uint64_t open, bool one_row,
		   double most, bool *dot);
/* The machines that the program is for. */
void find_machines(struct program *p, const nnc_tiles *tiles);

/* early_updates.c: the groups of a training step appended to *out, updates that follow their gradients (and with
 * early_updates all of them) as early as they can be, the others at the end. */
void order_step(struct program *p, group_list *out);

/* schedule_sweep.c: the groups of a gradient and of an update as a sweep, or NULL where that cannot be. moved: other
 * updates may run before. */
struct sweep *plan_sweep(struct program *p, struct group *make, struct group *use, bool moved);
/* Whether rows of what a group makes can be made by moving pointers: nothing else depends on the row's number. */
bool moves_by_pointers(const struct stage *stage, const struct group *make);
/* Rows that a tile makes together; 0: it has no loop over the rows alone. */
int64_t rows_at_once(const struct stage *stage, int target);
/* schedule_add.c: both as one sum that is added to the param, or NULL. */
struct group *plan_addition(struct program *p, const struct stage *sum, const struct group *use);

/* schedule_strips.c: samples go through the groups of calls in strips, where that keeps more in the cache. */
void plan_strips(struct program *p);
/* The slot of the samples in an equation, or -1: of none, or of more than one. */
int samples_of(const struct equation *eq);
/* Whether an expression depends on which sample it is by nothing but what it reads of that sample, and draws for it. */
bool reads_own_sample(const struct expr *e, int samples);

/* schedule_cut.c: along what threads can share a group; sets group.unit. */
enum cut_along cut_of(const struct program *p, struct group *group);
/* Multiply-adds of a group for a whole batch. */
double group_work(const struct group *group);
bool has_many_elements(const struct group *group);
/* schedule_team.c: the step shared by threads, where that pays. */
void plan_team(struct program *p);
/* Whether threads are to share steps, not the batch. */
bool is_for_team(const struct program *p);

#endif
