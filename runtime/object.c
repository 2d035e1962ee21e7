/* object.c - C text to code in this process by the machine's own C compiler, in the background.
 *
 * A thread of its own does one thing after the other: ask the compiler for its version, look into the cache, compile,
 * load. The thread that owns the model only looks at `state`, between two steps. The compiler is run as a program,
 * without a shell, in a process group of its own, so that an interrupt meant for the host does not end it and the host
 * can end it with all its parts. Nothing here allocates or reports from the second thread: the host's callbacks belong
 * to the first. */
#define _GNU_SOURCE
#include "object.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "object_cache.h"

extern char **environ;

enum { MAX_WORDS = 32, MAX_COMMAND = 1000, MAX_COMPLAINT = 600 };

struct object {
	pthread_t thread;
	atomic_int state; /* enum object_state; what the thread wrote before it is seen by who reads it */
	pthread_mutex_t lock;
	pthread_cond_t done; /* state has changed */
	pid_t child;	     /* under lock; 0: none */
	bool stopped;	     /* under lock */
	bool strict, cached;
	const char *text, *symbol;
	size_t size;
	char command[MAX_COMMAND]; /* of the compiler, split into words: each ends with a 0 */
	char *word[MAX_WORDS];	   /* NULL-terminated, with room for options */
	int n_word;
	struct object_cache cache;
	char work[PATH_MAX]; /* the folder to work in */
	void *library;
	const nn_model *nn;
	char complaint[MAX_COMPLAINT];
};

static void complain(struct object *object, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct object *object, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(object->complaint, sizeof object->complaint, format, args);
	va_end(args);
}

/* ---- running the compiler ---- */

static void name_file(const struct object *object, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - 30, object->work, name);
}

/* Wait for the child without reaping it: until this thread says that it is gone, its number is not given away. */
static int await_child(struct object *object)
{
	int status = -1;
	siginfo_t about;
	while (waitid(P_PID, (id_t)object->child, &about, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&object->lock);
	while (waitpid(object->child, &status, 0) < 0)
		if (errno != EINTR) { /* the host ignores SIGCHLD: what was written tells how it went */
			status = 0;
			break;
		}
	object->child = 0;
	pthread_mutex_unlock(&object->lock);
	return status;
}

static int spawn(struct object *object, char *const *word, const char *output, pid_t *child)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, usual;
	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGINT);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGCHLD);
	int error = posix_spawn_file_actions_init(&files);
	if (error)
		return error;
	if ((error = posix_spawnattr_init(&attributes))) {
		posix_spawn_file_actions_destroy(&files);
		return error;
	}
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &usual);
	pthread_mutex_lock(&object->lock);
	error = object->stopped ? ECANCELED : posix_spawnp(child, word[0], &files, &attributes, word, environ);
	object->child = error ? 0 : *child;
	pthread_mutex_unlock(&object->lock);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

/* Run the compiler with options, its output in a file. 0, or what errno says, or -1: it ran and failed. */
static int run_compiler(struct object *object, const char *const *option, const char *output)
{
	char *word[2 * MAX_WORDS];
	pid_t child;
	int n = 0;
	for (; n < object->n_word; n++)
		word[n] = object->word[n];
	for (; *option; option++)
		word[n++] = (char *)(uintptr_t)*option; /* posix_spawn does not write to it */
	word[n] = NULL;
	int error = spawn(object, word, output, &child);
	return error ? error : await_child(object) == 0 ? 0 : -1;
}

/* ---- what the object depends on ---- */

static void add_file_to_key(struct object_key *key, const char *path)
{
	char block[4096];
	size_t n;
	FILE *stream = fopen(path, "re");
	while (stream && (n = fread(block, 1, sizeof block, stream)) > 0)
		add_to_key(key, block, n);
	if (stream)
		fclose(stream);
}

/* The machine that "native" means: the model and features of its first processor. */
static void add_machine_to_key(struct object_key *key)
{
	static const char *const lines[] = {"model", "cpu family", "flags", "Features", "CPU", "isa"};
	char line[8192];
	FILE *stream = fopen("/proc/cpuinfo", "re");
	while (stream && fgets(line, sizeof line, stream) && line[0] != '\n')
		for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
			if (strncmp(line, lines[i], strlen(lines[i])) == 0)
				add_to_key(key, line, strlen(line));
	if (stream)
		fclose(stream);
}

/* Flags that let the compiler use this machine and keep the meaning of the text: neither is -ffast-math, and it must
 * not be given when linking either, as it would change the arithmetic of the whole program. The plain ones are for
 * compilers that know no other. */
static const char *const native_flags[] = {"-std=c99", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math",
					   "-w",       NULL};
static const char *const plain_flags[] = {"-O2", "-w", NULL};

static void make_key(struct object *object, const char *version, struct object_key *key)
{
	*key = (struct object_key){{0, 0}};
	add_file_to_key(key, version);
	add_machine_to_key(key);
	for (int i = 0; i < object->n_word; i++)
		add_to_key(key, object->word[i], strlen(object->word[i]));
	for (int i = 0; native_flags[i]; i++)
		add_to_key(key, native_flags[i], strlen(native_flags[i]));
	add_to_key(key, &object->strict, sizeof object->strict);
	add_to_key(key, object->text, object->size);
}

/* ---- making and loading ---- */

static bool is_full(const char *folder)
{
	enum { LEAST = 1 << 20 /* bytes */ };
	struct statvfs about;
	return statvfs(folder, &about) == 0 && (double)about.f_bavail * (double)about.f_frsize < LEAST;
}

/* The line of the compiler's output that says most. */
static void complain_of_compiler(struct object *object, const char *log)
{
	char line[300] = "", first[300] = "";
	FILE *stream = fopen(log, "re");
	while (stream && fgets(line, sizeof line, stream)) {
		line[strcspn(line, "\n")] = 0;
		if (!first[0] || strstr(line, "error")) {
			snprintf(first, sizeof first, "%s", line);
			if (strstr(line, "error"))
				break;
		}
	}
	if (stream)
		fclose(stream);
	if (!first[0] && is_full(object->work)) /* nor was there room for what it said */
		complain(object, "the C compiler '%s' failed: no space is left in %.300s", object->word[0],
			 object->work);
	else
		complain(object, "the C compiler '%s' failed%s%s", object->word[0], first[0] ? ": " : "", first);
}

static bool write_source(struct object *object, const char *path)
{
	FILE *stream = fopen(path, "wxe");
	bool whole = stream && fwrite(object->text, 1, object->size, stream) == object->size;
	if (stream && fclose(stream) != 0)
		whole = false;
	if (!whole)
		complain(object, "cannot write %.300s: %s", path, strerror(errno));
	return whole;
}

/* Compile to path, for this very machine if the compiler knows how. */
static bool compile(struct object *object, const char *path)
{
	char source[PATH_MAX], log[PATH_MAX];
	struct stat about;
	name_file(object, "model.c", source);
	name_file(object, "log", log);
	if (!write_source(object, source))
		return false;
	for (int plain = 0; plain < 2; plain++) {
		const char *option[MAX_WORDS];
		int n = 0;
		for (const char *const *flag = plain ? plain_flags : native_flags; *flag; flag++)
			option[n++] = *flag;
		if (!plain)
			option[n++] = object->strict ? "-ffp-contract=off" : "-ffp-contract=fast";
		option[n++] = "-fPIC";
		option[n++] = "-shared";
		option[n++] = "-o";
		option[n++] = path;
		option[n++] = source;
		option[n++] = "-lm";
		option[n] = NULL;
		if (run_compiler(object, option, log) == 0 && stat(path, &about) == 0 && about.st_size > 0)
			return true;
	}
	complain_of_compiler(object, log);
	return false;
}

static bool load(struct object *object, const char *path)
{
	object->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	object->nn = object->library ? dlsym(object->library, object->symbol) : NULL;
	if (!object->nn)
		complain(object, "cannot load compiled code: %s", dlerror());
	return object->nn != NULL;
}

static enum object_state make_object(struct object *object)
{
	static const char *const ask_version[] = {"--version", NULL};
	char version[PATH_MAX], made[PATH_MAX], kept[PATH_MAX];
	struct object_key key;
	name_file(object, "version", version);
	name_file(object, "model.so", made);
	int error = run_compiler(object, ask_version, version);
	if (error == ENOENT || error == EACCES || error == ENOTDIR) {
		complain(object, "there is no C compiler '%s'", object->word[0]);
		return OBJECT_ABSENT;
	}
	if (error > 0) {
		complain(object, "cannot run the C compiler '%s': %s", object->word[0], strerror(error));
		return OBJECT_FAILED;
	}
	make_key(object, version, &key);
	object->cached = find_object(&object->cache, &key, kept);
	if (object->cached && load(object, kept))
		return OBJECT_READY;
	object->cached = false;
	if (!compile(object, made))
		return OBJECT_FAILED;
	bool keeps = keep_object(&object->cache, &key, made, kept);
	return load(object, keeps ? kept : made) ? OBJECT_READY : OBJECT_FAILED;
}

static void *run_thread(void *argument)
{
	struct object *object = argument;
	enum object_state state = OBJECT_FAILED;
	if (make_work_folder(&object->cache, object->work)) {
		state = make_object(object);
		remove_work_folder(object->work);
	} else
		complain(object, "cannot make a folder to compile in: %s", strerror(errno));
	pthread_mutex_lock(&object->lock);
	atomic_store(&object->state, state);
	pthread_cond_signal(&object->done);
	pthread_mutex_unlock(&object->lock);
	return NULL;
}

/* ---- the other thread's side ---- */

/* $CC may have options, as in CC="gcc -m32". */
static void split_command(struct object *object)
{
	const char *command = getenv("CC");
	char *rest;
	if (!command || !command[strspn(command, " \t")])
		command = "cc";
	snprintf(object->command, sizeof object->command, "%s", command);
	for (char *word = strtok_r(object->command, " \t", &rest); word && object->n_word < MAX_WORDS / 2;
	     word = strtok_r(NULL, " \t", &rest))
		object->word[object->n_word++] = word;
}

/* Signals are for the threads of the host. */
static int start_thread(struct object *object)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&object->thread, NULL, run_thread, object);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

struct object *object_start(const struct host *host, const char *text, const char *symbol, bool strict,
			    const char *cache)
{
	const char *why;
	size_t size = strlen(text), named = strlen(symbol) + 1;
	struct object *object = host_alloc(host, 1, sizeof *object + size + named);
	if (!object)
		return NULL;
	char *copy = memcpy((char *)(object + 1), text, size);
	object->text = copy;
	object->size = size;
	object->symbol = memcpy(copy + size, symbol, named);
	object->strict = strict;
	split_command(object);
	if (!open_cache(&object->cache, cache, &why) && cache)
		host_report(host, NNC_WARNING, (struct place){.file = cache},
			    "compiled code is not kept in this folder: %s", why);
	atomic_init(&object->state, OBJECT_MAKING);
	pthread_mutex_init(&object->lock, NULL);
	pthread_cond_init(&object->done, NULL);
	int error = start_thread(object);
	if (!error)
		return object;
	host_fail(host, NNR_MEMORY, NULL, "cannot start a thread: %s", strerror(error));
	pthread_cond_destroy(&object->done);
	pthread_mutex_destroy(&object->lock);
	host_free(host, object);
	return NULL;
}

enum object_state object_state(struct object *object) { return (enum object_state)atomic_load(&object->state); }

enum object_state object_wait(struct object *object)
{
	pthread_mutex_lock(&object->lock);
	while (object_state(object) == OBJECT_MAKING)
		pthread_cond_wait(&object->done, &object->lock);
	pthread_mutex_unlock(&object->lock);
	return object_state(object);
}

const nn_model *object_descriptor(const struct object *object) { return object->nn; }
bool object_was_cached(const struct object *object) { return object->cached; }
const char *object_complaint(const struct object *object) { return object->complaint; }

void object_free(const struct host *host, struct object *object)
{
	if (!object)
		return;
	pthread_mutex_lock(&object->lock);
	object->stopped = true;
	if (object->child > 0)
		kill(-object->child, SIGKILL);
	pthread_mutex_unlock(&object->lock);
	pthread_join(object->thread, NULL);
	pthread_cond_destroy(&object->done);
	pthread_mutex_destroy(&object->lock);
	if (object->library)
		dlclose(object->library);
	host_free(host, object);
}
