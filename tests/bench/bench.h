/* bench.h - the data of one run of the bench, in the order in which they come to be: the plan is read, programs are
 * started, rows are measured, and what came out is printed. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

enum { MOST_PROGRAMS = 32, MOST_ROWS = 64, MOST_SAMPLES = 31, MOST_COMMANDS = 64, MOST_FACTS = 32, MOST_WORDS = 24 };

/* A program that answers a line with a line (subject.h); no `to`: it could not be started, or has died. */
struct child {
	pid_t pid;
	FILE *to, *from;
};

enum limit { NATIVE, AVX2, LIMITS };

struct program {
	const char *name;
	enum limit limit; /* whose peak its share is of */
	const char *words[MOST_WORDS];
	struct child child;
};

struct spread {
	double least, quarter, median, three_quarters, most;
};

enum state { ABSENT, RIGHT, WRONG };

/* One program in one row. */
struct cell {
	enum state state;
	char why[200];	  /* ABSENT */
	int steps, times; /* of a sample */
	int n;
	double seconds[MOST_SAMPLES]; /* of one step */
	double answer, error;	      /* the answer farthest from the expected one, relative */
	struct spread spread;
};

struct row {
	char work[32];
	bool train, quick;
	int batch, steps;
	double flop;
	size_t param_bytes;
	double answer[16]; /* in double, after 1, 2, 4 ... steps */
	int answers;
	double peak[LIMITS]; /* FLOP/s: medians of what was measured between the samples */
	double pass;	     /* seconds that the parameters take through memory at least, for a batch of 1 */
	struct cell cell[MOST_PROGRAMS];
};

/* A whole process, from exec to exit. Those of one group are compared. */
struct command {
	const char *group, *name;
	const char *words[MOST_WORDS];
	int n;
	double seconds[MOST_SAMPLES];
	struct spread spread;
	bool failed;
};

/* What is known without a clock. */
struct fact {
	const char *name, *value, *unit;
};

struct bench {
	const char *folder;	 /* of the data */
	double sample, patience; /* seconds: of one sample, of all of a cell */
	int samples;
	struct program program[MOST_PROGRAMS], limit[LIMITS];
	struct row row[MOST_ROWS];
	struct command command[MOST_COMMANDS];
	struct fact fact[MOST_FACTS], missing[MOST_FACTS];
	int programs, rows, commands, facts, missings;
};

/* plan.c: the files that say what to measure. Exit with a message if they cannot be read. */
void read_plan(struct bench *b, const char *path);
void read_rows(struct bench *b, const char *path, const char *answers, const char *works, bool quick);
bool is_selected(const char *works, const char *work);

/* child.c */
void start_child(struct child *child, const char *const *words);
bool ask_child(struct child *child, const char *question, char *answer, size_t size);
void stop_child(struct child *child);
/* Run a process to its end: its seconds, or below 0 if it failed. */
double time_process(const char *const *words);

/* measure.c */
void measure_row(struct bench *b, struct row *row);
void measure_commands(struct bench *b, const char *group);
struct spread spread_of(const double *value, int n);
/* Write the answers of the only program after 1, 2, 4 ... steps. */
void record_row(struct bench *b, const struct row *row, FILE *file);

/* report.c, goals.c, json.c, picture.c */
double floor_seconds(const struct row *row);
bool has_floor(const struct row *row);		      /* else it is so small that the floor says nothing */
const char *show_time(double seconds, char text[16]); /* three digits and a unit */
void print_row(const struct bench *b, const struct row *row);
void print_group(const struct bench *b, const char *group);
void print_rest(const struct bench *b);
void print_goals(const struct bench *b, const char *path);
void write_json(const struct bench *b, FILE *file);
void write_picture(const struct bench *b, FILE *file);

#endif
