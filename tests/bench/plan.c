/* plan.c - read what is to be measured: the plan, whose lines have fields between tabs (run.sh writes it), the rows and
 * their answers, whose fields stand between blanks. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"
#include <stdlib.h>
#include <string.h>

static _Noreturn void give_up(const char *path, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", path, why);
	exit(2);
}

static FILE *open_plan(const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file)
		give_up(path, "cannot be read");
	return file;
}

static enum limit limit_of(const char *name) { return strcmp(name, "avx2") == 0 ? AVX2 : NATIVE; }

/* Words of one line, which they point into; the line is kept for good. */
static int split_line(const char *line, const char **word)
{
	char *copy = strdup(line);
	int n = 0;
	for (char *w = copy ? strtok(copy, "\t\n") : NULL; w && n < MOST_WORDS - 1; w = strtok(NULL, "\t\n"))
		word[n++] = w;
	word[n] = NULL;
	return n;
}

static void read_plan_line(struct bench *b, const char *path, const char *line)
{
	const char *word[MOST_WORDS] = {0};
	int n = split_line(line, word);
	if (n == 0)
		return;
	if (strcmp(word[0], "limits") == 0 && n >= 3) {
		memcpy(b->limit[limit_of(word[1])].words, word + 2, sizeof word - 2 * sizeof *word);
	} else if (strcmp(word[0], "program") == 0 && n >= 4 && b->programs < MOST_PROGRAMS) {
		struct program *p = &b->program[b->programs++];
		p->name = word[1];
		p->limit = limit_of(word[2]);
		memcpy(p->words, word + 3, sizeof word - 3 * sizeof *word);
	} else if (strcmp(word[0], "process") == 0 && n >= 4 && b->commands < MOST_COMMANDS) {
		struct command *c = &b->command[b->commands++];
		c->group = word[1];
		c->name = word[2];
		memcpy(c->words, word + 3, sizeof word - 3 * sizeof *word);
	} else if (strcmp(word[0], "fact") == 0 && n == 4 && b->facts < MOST_FACTS) {
		b->fact[b->facts++] = (struct fact){word[1], word[2], word[3]};
	} else if (strcmp(word[0], "missing") == 0 && n == 3 && b->missings < MOST_FACTS) {
		b->missing[b->missings++] = (struct fact){word[1], word[2], ""};
	} else {
		give_up(path, line);
	}
}

void read_plan(struct bench *b, const char *path)
{
	FILE *file = open_plan(path);
	char line[8192];
	while (fgets(line, sizeof line, file))
		read_plan_line(b, path, line);
	fclose(file);
}

/* Is the work one of a list with commas? "W6" selects W6_lstm as well; NULL and "" all. */
bool is_selected(const char *works, const char *work)
{
	if (!works || !*works)
		return true;
	for (const char *w = works; *w; w += strspn(w, ", ")) {
		size_t length = strcspn(w, ", ");
		if (length && strncmp(work, w, length) == 0 && (work[length] == '\0' || work[length] == '_'))
			return true;
		w += length;
	}
	return false;
}

static void read_answers(struct bench *b, const char *path)
{
	FILE *file = open_plan(path);
	char line[2048], work[32], what[16];
	int batch, at, next;
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "%31s %15s %d%n", work, what, &batch, &at) != 3 || work[0] == '#')
			continue;
		for (int r = 0; r < b->rows; r++) {
			struct row *row = &b->row[r];
			if (strcmp(row->work, work) != 0 || row->batch != batch || row->train != (*what == 't'))
				continue;
			for (const char *from = line + at; row->answers < 16; from += next)
				if (sscanf(from, "%lf%n", &row->answer[row->answers], &next) == 1)
					row->answers++;
				else
					break;
		}
	}
	fclose(file);
}

void read_rows(struct bench *b, const char *path, const char *answers, const char *works, bool quick)
{
	FILE *file = open_plan(path);
	char line[256];
	while (fgets(line, sizeof line, file)) {
		struct row row = {0};
		char what[16], mark[16] = "";
		if (line[0] == '#' || sscanf(line, "%31s %15s %d %d %lf %15s", row.work, what, &row.batch, &row.steps,
					     &row.flop, mark) < 5)
			continue;
		row.train = strcmp(what, "train") == 0;
		row.quick = strcmp(mark, "quick") == 0;
		if (b->rows < MOST_ROWS && (row.quick || !quick) && is_selected(works, row.work))
			b->row[b->rows++] = row;
	}
	fclose(file);
	if (answers)
		read_answers(b, answers);
}
