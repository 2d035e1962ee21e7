/* main.c - the command line: options, the model's text, one of the commands. */
#include <stdlib.h>

#include "cli.h"
#include "files.h"

static int run_command(struct cli *cli)
{
	static int (*const command[COMMANDS])(struct cli * cli, const char *text, size_t size) = {
		[COMPILE] = run_compile, [TRAIN] = run_train,	  [EVAL] = run_eval,	 [PREDICT] = run_predict,
		[CHECK] = run_check,	 [SUMMARY] = run_summary, [EXAMPLES] = run_test,
	};
	struct host host;
	struct bytes text;
	if (!cli->input)
		return run_test(cli, NULL, 0);
	host_init(&host, &cli->options);
	nnr_status status = read_file(&host, cli->input, false, &text);
	if (status != NNR_OK)
		return exit_code_of(status);
	int code = command[cli->command](cli, text.at, text.size);
	host_free(&host, text.at);
	return code;
}

/* What was printed has to have arrived. */
static int check_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "nnc: error: cannot write to standard output\n");
	return EXIT_IO;
}

int main(int argc, char **argv)
{
	struct cli cli = {.limit = 1e-5};
	bool out_of_memory = false;
	size_t room = (size_t)argc + 1;
	cli.define = calloc(room, sizeof *cli.define);
	cli.include = calloc(room, sizeof *cli.include);
	cli.messages.group = calloc(room, sizeof *cli.messages.group);
	cli.options.define = cli.define;
	cli.options.include_path = cli.include;
	cli.options.out_of_memory = &out_of_memory;
	cli.options.report = print_message;
	cli.options.user = &cli.messages;
	start_messages(&cli.messages);
	int code = EXIT_IO;
	if (cli.define && cli.include && cli.messages.group)
		code = parse_options(argc, argv, &cli);
	else
		fprintf(stderr, "nnc: error: out of memory\n");
	if (code < 0)
		code = run_command(&cli);
	if (code == EXIT_ERRORS && out_of_memory)
		code = exit_code_of(NNR_MEMORY);
	free(cli.define);
	free(cli.include);
	free(cli.messages.group);
	return check_output(code);
}
