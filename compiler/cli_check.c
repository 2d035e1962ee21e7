/* cli_check.c - the command that compares gradients with finite differences, as a table. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Rows as they come; their names decide the width, so they are printed in the end. */
struct table {
	struct line {
		char name[100];
		nnr_check_row row;
	} * line;
	int n, room;
	bool out_of_memory;
};

static void add_row(void *user, const nnr_check_row *row)
{
	struct table *table = user;
	if (table->n == table->room) {
		int room = table->room ? table->room * 2 : 16;
		struct line *line = realloc(table->line, (size_t)room * sizeof *line);
		if (!line) {
			table->out_of_memory = true;
			return;
		}
		table->line = line;
		table->room = room;
	}
	struct line *line = &table->line[table->n++];
	line->row = *row;
	snprintf(line->name, sizeof line->name, "%s%s%s", row->loss ? row->loss : "", row->loss ? ": " : "", row->name);
}

static void print_table(const struct table *table)
{
	int width = 6;
	for (int i = 0; i < table->n; i++)
		width = (int)strlen(table->line[i].name) > width ? (int)strlen(table->line[i].name) : width;
	printf("%-*s  %13s  %11s\n", width, "tensor", "checked", "worst error");
	for (int i = 0; i < table->n; i++) {
		const nnr_check_row *row = &table->line[i].row;
		char checked[64];
		snprintf(checked, sizeof checked, "%" PRId64 " of %" PRId64, row->checked, row->count);
		printf("%-*s  %13s  %11.1e", width, table->line[i].name, checked, row->worst);
		if (row->off)
			printf("  OFF: element %" PRId64 " has gradient %.9g, difference %.9g", row->worst_at,
			       row->derivative, row->difference);
		else
			printf("%s%s", row->input ? "  input" : "", row->zero ? "  every gradient is 0" : "");
		putchar('\n');
	}
}

int run_check(struct cli *cli, const char *text, size_t size)
{
	struct table table = {0};
	int off, code;
	nnc_model *model = compile_model(cli, text, size, &code); /* for its messages */
	nnc_free(model);
	if (!model)
		return code;
	cli->messages.no_warnings =
		true; /* from here they may be about the params that stand for changes of the inputs */
	nnr_status status = nnr_check(cli->input, text, size, &cli->options, cli->limit, add_row, &table, &off);
	if (status == NNR_OK)
		print_table(&table);
	else
		print_count(&cli->messages);
	if (table.out_of_memory)
		status = NNR_MEMORY;
	free(table.line);
	if (status == NNR_OK && off)
		fprintf(stderr,
			"nnc: error: %d gradient%s off by more than %g of the tensor's largest\n"
			"note: differences see through stop(), which gradients do not pass; and a formula with a corner exactly "
			"at one of the values, or that is not continuous there, has no derivative\n",
			off, off == 1 ? " is" : "s are", cli->limit);
	return status == NNR_OK && off ? EXIT_ERRORS : exit_code_of(status);
}
