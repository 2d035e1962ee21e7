/* child.c - start other programs: some are talked to line by line, some are only waited for. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"
#include "subject.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What programs say on standard error goes to the file `log`. */
static _Noreturn void execute(const char *const *words)
{
	int log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0666);
	dup2(log, 2);
	execvp(words[0], (char *const *)words);
	_exit(127);
}

void start_child(struct child *child, const char *const *words)
{
	int down[2], up[2];
	*child = (struct child){0};
	if (pipe(down))
		return;
	if (pipe(up)) {
		close(down[0]);
		close(down[1]);
		return;
	}
	child->pid = fork();
	if (child->pid == 0) {
		dup2(down[0], 0);
		dup2(up[1], 1);
		close(down[0]);
		close(down[1]);
		close(up[0]);
		close(up[1]);
		execute(words);
	}
	close(down[0]);
	close(up[1]);
	fcntl(down[1], F_SETFD,
	      FD_CLOEXEC); /* else the children started later would keep this one from seeing its end */
	fcntl(up[0], F_SETFD, FD_CLOEXEC);
	child->to = fdopen(down[1], "w");
	child->from = fdopen(up[0], "r");
}

bool ask_child(struct child *child, const char *question, char *answer, size_t size)
{
	if (!child->to || !child->from)
		return false;
	if (fputs(question, child->to) >= 0 && fputc('\n', child->to) != EOF && fflush(child->to) == 0 &&
	    fgets(answer, (int)size, child->from)) {
		answer[strcspn(answer, "\n")] = '\0';
		return true;
	}
	stop_child(child);
	return false;
}

void stop_child(struct child *child)
{
	if (child->to)
		fclose(child->to);
	if (child->from)
		fclose(child->from);
	if (child->pid > 0)
		waitpid(child->pid, NULL, 0);
	*child = (struct child){0};
}

double time_process(const char *const *words)
{
	int status;
	double from = seconds_now();
	pid_t pid = fork();
	if (pid == 0) {
		int nothing = open("/dev/null", O_WRONLY);
		dup2(nothing, 1);
		execute(words);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		return -1;
	return seconds_now() - from;
}
