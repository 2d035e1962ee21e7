/* torch.c - compare models with golden numbers: outputs, losses, gradients, states, the way of a training run.
 *
 *   torch FILE.safetensors...     exit 0 if all cases agree; see tests/torch/golden.py for what the files hold
 *
 * Each model is compiled in process with double. A number may be off by 1e-5 of the largest of its tensor, and most are
 * not off by 1e-6. A case with the state of a whole network, load/FILE, reads it by name, and writes the same again. */
#include "handle.h"
#include "safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double tolerance = 1e-5;

struct suite {
	struct host host;
	struct safetensors file;
	const char *folder, *name; /* of the golden file, and of the case */
	nnr_model *model;
	int cases, wrong;
	bool failed; /* this case */
	double worst;
	char worst_in[200];
};

static void print_message(void *user, const nnc_message *m)
{
	struct suite *s = user;
	if (m->severity == NNC_ERROR)
		printf("%s: %s\n", s->name ? s->name : "", m->text);
}

static void complain(struct suite *s, const char *what, const char *name)
{
	if (!s->failed)
		printf("%s: %s %s\n", s->name, what, name);
	s->failed = true;
}

/* The name behind CASE/KIND/, or NULL if it is not one of these. */
static const char *part_of(const struct suite *s, const struct stored *t, const char *kind)
{
	size_t n = strlen(s->name), k = strlen(kind);
	if (strncmp(t->name, s->name, n) != 0 || t->name[n] != '/' || strncmp(t->name + n + 1, kind, k) != 0 ||
	    t->name[n + 1 + k] != '/')
		return NULL;
	return t->name + n + 2 + k;
}

static const struct stored *find(const struct suite *s, const char *kind, const char *name)
{
	char key[400];
	snprintf(key, sizeof key, "%s/%s/%s", s->name, kind, name);
	return find_stored(&s->file, key);
}

/* n numbers against the golden ones from element `first` on. */
static void compare(struct suite *s, const char *what, const char *name, const double *got, size_t n,
		    const struct stored *want, size_t first)
{
	double largest = 1e-3;
	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fabs(stored_element(want, first + i)));
	for (size_t i = 0; i < n; i++) {
		double w = stored_element(want, first + i), off = fabs(got[i] - w) / largest;
		if (!(off <= tolerance) && !s->failed)
			printf("%s: %s %s[%zu] is %.9g, not %.9g\n", s->name, what, name, i, got[i], w);
		s->failed |= !(off <= tolerance);
		if (off > s->worst) {
			s->worst = off;
			snprintf(s->worst_in, sizeof s->worst_in, "%s", s->name);
		}
	}
}

/* Rows of the inputs (and targets) in the model's order and types; their number. */
static int read_rows(struct suite *s, enum nn_kind kind, void **rows)
{
	int count = nnr_count(s->model, kind), n = 0;
	for (int k = 0; k < count; k++) {
		const nn_tensor *t = nnr_tensor(s->model, kind, k);
		const struct stored *from = find(s, "in", t->name);
		if (!from || !t->count || from->count % t->count) {
			complain(s, "no fitting rows for", t->name);
			return 0;
		}
		n = (int)(from->count / t->count);
		rows[k] = calloc(from->count, sizeof(double));
		for (uint64_t i = 0; i < from->count; i++)
			if (t->elem == NN_REAL)
				((double *)rows[k])[i] = stored_element(from, i);
			else
				((int32_t *)rows[k])[i] = (int32_t)stored_element(from, i);
	}
	return n;
}

static double *elements(const struct stored *t)
{
	double *v = calloc(t->count + 1, sizeof *v);
	for (uint64_t i = 0; v && i < t->count; i++)
		v[i] = stored_element(t, i);
	return v;
}

/* Every param must have a golden value; it is set. */
static void set_params(struct suite *s)
{
	const nn_model *nn = nnr_descriptor(s->model);
	for (size_t i = 0; i < s->file.n; i++) {
		const char *name = part_of(s, &s->file.tensor[i], "set");
		if (!name)
			continue;
		double *v = elements(&s->file.tensor[i]);
		if (nnr_set(s->model, name, v, s->file.tensor[i].count) != NNR_OK)
			complain(s, "cannot set", name);
		free(v);
	}
	for (uint32_t i = 0; i < nn->n_tensor; i++)
		if (nn->tensor[i].kind == NN_PARAM && !strstr(nn->tensor[i].name, ".offset") &&
		    !find(s, "set", nn->tensor[i].name))
			complain(s, "PyTorch has no param", nn->tensor[i].name);
}

static bool open_case(struct suite *s, int check_loss, int rows)
{
	const char *text = stored_metadata(&s->file, s->name);
	nnc_options options = {
		.report = print_message, .user = s, .real = NNC_DOUBLE, .check_loss = check_loss, .batch = rows};
	s->model = nnr_open_text("case.nn", text, strlen(text), &options, NULL);
	if (!s->model)
		complain(s, "does not compile:\n", text);
	return s->model;
}

static void compare_outputs(struct suite *s, void **input, int n)
{
	void *out[16] = {0};
	int count = nnr_count(s->model, NN_OUTPUT);
	if (!count || count > 16)
		return;
	for (int k = 0; k < count; k++)
		out[k] = calloc((size_t)n * nnr_tensor(s->model, NN_OUTPUT, k)->count, sizeof(double));
	if (nnr_predict(s->model, (const void *const *)input, out, n) != NNR_OK)
		complain(s, "cannot be run", "");
	for (int k = 0; k < count && !s->failed; k++) {
		const nn_tensor *t = nnr_tensor(s->model, NN_OUTPUT, k);
		const struct stored *want = find(s, "out", t->name);
		size_t size = t->count * (size_t)(t->batched ? n : 1);
		if (want && want->count == size)
			compare(s, "output", t->name, out[k], size, want, 0);
		else if (find(s, "loss", "") == NULL || find(s, "out", t->name))
			complain(s, "PyTorch's shape differs of output", t->name);
	}
	for (int k = 0; k < count; k++)
		free(out[k]);
}

static void compare_gradients(struct suite *s, void **input, int n)
{
	const struct stored *want = find(s, "loss", "");
	double loss;
	if (!want)
		return;
	if (nnr_backward(s->model, (const void *const *)input, NULL, n, &loss) != NNR_OK) {
		complain(s, "has no gradients", "");
		return;
	}
	compare(s, "loss", "", &loss, 1, want, 0);
	for (size_t i = 0; i < s->file.n; i++) {
		const struct stored *t = &s->file.tensor[i];
		const char *grad = part_of(s, t, "grad"), *state = part_of(s, t, "state");
		double *got = calloc(t->count + 1, sizeof *got);
		if (grad && nnr_get_gradient(s->model, grad, got, t->count) != NNR_OK)
			complain(s, "no gradient of", grad);
		else if (state && nnr_get(s->model, state, got, t->count) != NNR_OK)
			complain(s, "no state", state);
		else if (grad || state)
			compare(s, grad ? "gradient" : "state", grad ? grad : state, got, t->count, t, 0);
		free(got);
	}
}

/* The params after each step. */
static void compare_steps(struct suite *s, void **input, void **target, int n)
{
	const struct stored *every = find(s, "every", ""), *losses = find(s, "losses", "");
	for (size_t i = 0;; i++) {
		bool more = false;
		size_t epoch = every ? i / (size_t)stored_element(every, 0) : 0;
		nnr_run(s->model)->epoch = (int32_t)epoch;
		if (losses && epoch > 0 && epoch <= losses->count)
			nnr_run(s->model)->loss = stored_element(losses, epoch - 1);
		for (size_t k = 0; k < s->file.n; k++) {
			const struct stored *t = &s->file.tensor[k];
			const char *name = part_of(s, t, "step");
			size_t steps = name ? (size_t)json_integer_value(json_array_get(t->shape, 0)) : 0;
			if (i >= steps)
				continue;
			if (!more && nnr_step(s->model, (const void *const *)input, (const void *const *)target, n,
					      NULL) != NNR_OK)
				complain(s, "cannot be trained", "");
			more = true;
			size_t size = t->count / steps;
			double *got = calloc(size, sizeof *got);
			if (nnr_get(s->model, name, got, size) != NNR_OK)
				complain(s, "no param", name);
			else
				compare(s, "after steps", name, got, size, t, i * size);
			free(got);
		}
		if (!more || s->failed)
			return;
	}
}

/* A file that PyTorch saved: read by name, it gives what was set; saved here, it has the same tensors by the same
 * names. */
static void load_state(struct suite *s, const char *name)
{
	char path[600];
	struct safetensors theirs = {0}, ours = {0};
	snprintf(path, sizeof path, "%s/net_%s.safetensors", s->folder, name);
	if (nnr_load(s->model, path) != NNR_OK || nnr_save(s->model, "ours.safetensors") != NNR_OK ||
	    open_safetensors(&s->host, path, &theirs) != NNR_OK ||
	    open_safetensors(&s->host, "ours.safetensors", &ours) != NNR_OK)
		complain(s, "cannot load or save", path);
	for (size_t i = 0; !s->failed && i < theirs.n; i++) {
		const struct stored *a = &theirs.tensor[i], *b = find_stored(&ours, a->name);
		if (strstr(a->name, "num_batches_tracked"))
			continue;
		if (!b || !json_equal(a->shape, b->shape))
			complain(s, "saved without, or in another shape,", a->name);
		for (uint64_t k = 0; !s->failed && k < a->count; k++)
			if (stored_element(a, k) != stored_element(b, k))
				complain(s, "saved with other numbers:", a->name);
	}
	close_safetensors(&theirs);
	close_safetensors(&ours);
}

static void run_case(struct suite *s)
{
	void *input[16] = {0}, *target[16] = {0};
	bool train = strstr(stored_metadata(&s->file, s->name), "\ntrain ");
	const struct stored *load = find(s, "load", s->name);
	s->failed = false;
	if (open_case(s, train || load ? 0 : 1, train ? 4 : 3)) {
		if (load)
			load_state(s, s->name);
		else
			set_params(s);
		int n = read_rows(s, NN_INPUT, input);
		read_rows(s, NN_TARGET, target);
		if (!s->failed && train)
			compare_steps(s, input, target, n);
		if (!s->failed && !train)
			compare_outputs(s, input, n);
		if (!s->failed && !train && !load)
			compare_gradients(s, input, n);
	}
	nnr_close(s->model);
	s->model = NULL;
	for (int k = 0; k < 16; k++)
		free(input[k]), free(target[k]);
	s->cases++;
	s->wrong += s->failed;
}

int main(int argc, char **argv)
{
	struct suite s = {0};
	nnc_options options = {.report = print_message, .user = &s};
	host_init(&s.host, &options);
	s.folder = argc > 1 ? argv[1] : ".";
	for (int i = 2; i < argc; i++) {
		char path[600], kept[200];
		snprintf(path, sizeof path, "%s/%s", s.folder, argv[i]);
		if (open_safetensors(&s.host, path, &s.file) != NNR_OK)
			return 1;
		for (size_t k = 0; k < s.file.n; k++) { /* the tensors of a case are together */
			const char *slash = strchr(s.file.tensor[k].name, '/');
			if (!slash || (s.name && !strncmp(kept, s.file.tensor[k].name, strlen(kept)) &&
				       s.file.tensor[k].name[strlen(kept)] == '/'))
				continue;
			snprintf(kept, sizeof kept, "%.*s", (int)(slash - s.file.tensor[k].name),
				 s.file.tensor[k].name);
			s.name = kept;
			run_case(&s);
		}
		s.name = NULL;
		close_safetensors(&s.file);
	}
	printf("%d cases, %d wrong; worst %.1e (%s)\n", s.cases, s.wrong, s.worst, s.worst_in);
	return s.wrong || !s.cases;
}
