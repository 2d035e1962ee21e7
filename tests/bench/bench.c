/* bench.c - time the programs of a plan: bench [-q] [-n SAMPLES] [-w WORKS] [-c CORE] [-g GOALS] PLAN ROWS ANSWERS
 * FOLDER OUT.
 * FOLDER has the data of the works. The table goes to standard output, OUT.json and OUT.svg are written. All programs
 * run on one core, each with one thread. The exit code is 1 if some answer is wrong.
 *
 * bench -r [-w WORKS] ... writes to ANSWERS what the plan's first program answers, which should compute in double. */
#define _GNU_SOURCE
#include "bench.h"
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void use_one_core(int core)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(core, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		fprintf(stderr, "bench: cannot stay on core %d\n", core);
	static const char *const threads[] = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS",
					      "MKL_NUM_THREADS"};
	for (size_t k = 0; k < sizeof threads / sizeof *threads; k++)
		setenv(threads[k], "1", 1);
	unsetenv("OPENBLAS_CORETYPE"); /* a slower kernel than the machine's own */
	unsetenv("OPENBLAS_L2_SIZE");
}

/* The bytes of a work's parameters. */
static size_t size_of_params(const char *folder, const char *work)
{
	char path[4096];
	long size = 0;
	snprintf(path, sizeof path, "%s/%s.w", folder, work);
	FILE *file = fopen(path, "rb");
	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	if (file)
		fclose(file);
	return size > 0 ? (size_t)size : 0;
}

static void write_file(const struct bench *b, const char *base, const char *suffix,
		       void (*write)(const struct bench *, FILE *))
{
	char path[4096];
	snprintf(path, sizeof path, "%s.%s", base, suffix);
	FILE *file = fopen(path, "w");
	if (file)
		write(b, file);
	if (!file || fclose(file)) {
		fprintf(stderr, "bench: %s cannot be written\n", path);
		exit(3);
	}
	printf("wrote %s\n", path);
}

static int record_answers(struct bench *b, const char *path)
{
	FILE *file = fopen(path, "w");
	if (!file || !b->programs)
		return 3;
	fprintf(file, "# Answers (subject.h) after 1, 2, 4, 8 ... steps, in double, by %s.\n", b->program[0].name);
	start_child(&b->program[0].child, b->program[0].words);
	for (int r = 0; r < b->rows; r++)
		record_row(b, &b->row[r], file);
	stop_child(&b->program[0].child);
	return fclose(file) ? 3 : 0;
}

static void measure_rows(struct bench *b)
{
	for (int k = 0; k < LIMITS; k++)
		if (b->limit[k].words[0])
			start_child(&b->limit[k].child, b->limit[k].words);
	for (int p = 0; p < b->programs; p++)
		start_child(&b->program[p].child, b->program[p].words);
	for (int r = 0; r < b->rows; r++) {
		b->row[r].param_bytes = size_of_params(b->folder, b->row[r].work);
		measure_row(b, &b->row[r]);
		print_row(b, &b->row[r]);
	}
	for (int p = 0; p < b->programs; p++)
		stop_child(&b->program[p].child);
	for (int k = 0; k < LIMITS; k++)
		stop_child(&b->limit[k].child);
}

static void measure_groups(struct bench *b)
{
	for (int k = 0; k < b->commands; k++) {
		const char *group = b->command[k].group;
		if (k && strcmp(b->command[k - 1].group, group) == 0)
			continue;
		measure_commands(b, group);
		print_group(b, group);
	}
}

static int count_wrong(const struct bench *b)
{
	int n = 0;
	for (int r = 0; r < b->rows; r++)
		for (int p = 0; p < b->programs; p++)
			n += b->row[r].cell[p].state == WRONG;
	return n;
}

int main(int argc, char **argv)
{
	static struct bench b = {.samples = 13, .sample = 20e-3, .patience = 6};
	const char *works = NULL, *goals = NULL;
	bool quick = false, record = false;
	int option, core = 0;
	while ((option = getopt(argc, argv, "qrn:w:c:g:")) != -1)
		switch (option) {
		case 'q':
			quick = true;
			b.samples = 5;
			b.sample = 5e-3;
			b.patience = 0.5;
			break;
		case 'r': record = true; break;
		case 'n': b.samples = atoi(optarg); break;
		case 'w': works = optarg; break;
		case 'g': goals = optarg; break;
		case 'c': core = atoi(optarg); break;
		default: return 2;
		}
	if (argc - optind != 5 || b.samples < 1 || b.samples > MOST_SAMPLES)
		return 2;
	char **argument = argv + optind;
	b.folder = argument[3];
	signal(SIGPIPE, SIG_IGN);
	read_plan(&b, argument[0]);
	read_rows(&b, argument[1], record ? NULL : argument[2], works, quick);
	use_one_core(core);
	if (record)
		return record_answers(&b, argument[2]);
	measure_rows(&b);
	measure_groups(&b);
	if (goals)
		print_goals(&b, goals);
	print_rest(&b);
	write_file(&b, argument[4], "json", write_json);
	write_file(&b, argument[4], "svg", write_picture);
	int wrong = count_wrong(&b);
	if (wrong)
		printf("%d answers are WRONG\n", wrong);
	return wrong != 0;
}
