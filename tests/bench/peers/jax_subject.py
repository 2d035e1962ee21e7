"""JAX: jax_subject.py FOLDER. Every step is one compiled function; parameters carry the names of the .nn files."""

import os
import sys

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy
from jax import lax

import subject


def dense(p, name, x):
    return x @ p[name + ".weight"].T + p[name + ".bias"]


def conv(p, name, x, pad):
    y = lax.conv_general_dilated(x, p[name + ".weight"], (1, 1), [(pad, pad)] * 2)
    return jax.nn.relu(y + p[name + ".bias"][:, None, None])


def pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def flat(x):
    return x.reshape(x.shape[0], -1)


def layers(p, x, *names):
    for name in names[:-1]:
        x = jax.nn.relu(dense(p, name, x))
    return dense(p, names[-1], x)


def w1(p, x):
    return jax.nn.sigmoid(dense(p, "fc2", jnp.tanh(dense(p, "fc1", x))))


def w4(p, x):
    x = pool(conv(p, "conv2", pool(conv(p, "conv1", x, 2)), 0))
    return layers(p, flat(x), "fc1", "fc2", "fc3")


def w5(p, x):
    x = pool(conv(p, "conv2", conv(p, "conv1", x, 1), 1))
    x = pool(conv(p, "conv4", conv(p, "conv3", x, 1), 1))
    return layers(p, flat(x), "fc1", "fc2")


def gates(p, x, h):
    return (
        x @ p["rnn.weight_ih_l0"].T + p["rnn.bias_ih_l0"],
        h @ p["rnn.weight_hh_l0"].T + p["rnn.bias_hh_l0"],
    )


def lstm_step(p, state, x):
    h, c = state
    a, b = gates(p, x, h)
    i, f, g, o = jnp.split(a + b, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_step(p, state, x):
    (h,) = state
    (ar, au, an), (br, bu, bn) = (jnp.split(y, 3, -1) for y in gates(p, x, h))
    u = jax.nn.sigmoid(au + bu)
    return ((1 - u) * jnp.tanh(an + jax.nn.sigmoid(ar + br) * bn) + u * h,)


def start(step, rows):
    return (jnp.zeros((rows, 64)),) * (2 if step is lstm_step else 1)


def recurrent(step):
    def model(p, x):
        state, _ = lax.scan(lambda s, xt: (step(p, s, xt), None), start(step, x.shape[0]), x.transpose(1, 0, 2))
        return dense(p, "fc", state[0])

    return model


def norm(p, name, x):
    x = x - x.mean(-1, keepdims=True)
    return x * lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p[name + ".weight"] + p[name + ".bias"]


def attention(p, name, x, heads=4):
    b, t, d = x.shape
    y = x @ p[name + ".in_proj_weight"].T + p[name + ".in_proj_bias"]
    q, k, v = (z.reshape(b, t, heads, d // heads).transpose(0, 2, 1, 3) for z in jnp.split(y, 3, -1))
    score = q @ k.transpose(0, 1, 3, 2) * (d // heads) ** -0.5
    score = jnp.where(jnp.tril(jnp.ones((t, t), bool)), score, -jnp.inf)
    y = (jax.nn.softmax(score) @ v).transpose(0, 2, 1, 3).reshape(b, t, d)
    return dense(p, name + ".out_proj", y)


def w7(p, words):
    x = p["wte.weight"][words] + p["wpe"]
    for k in range(4):
        h = f"h.{k}."
        x = x + attention(p, h + "attn", norm(p, h + "ln_1", x))
        x = x + dense(p, h + "fc2", jax.nn.gelu(dense(p, h + "fc1", norm(p, h + "ln_2", x)), approximate=False))
    return norm(p, "ln_f", x) @ p["wte.weight"].T


MODELS = {
    "W1": w1, "W2": lambda p, x: layers(p, x, "fc1", "fc2"), "W3": lambda p, x: layers(p, x, "fc1", "fc2", "fc3"),
    "W4": w4, "W5": w5, "W6_lstm": recurrent(lstm_step), "W6_gru": recurrent(gru_step), "W7": w7,
}
STEPS = {"W6_lstm_step": lstm_step, "W6_gru_step": gru_step}


def loss_of(work, p, x, y):
    out = MODELS[work](p, x)
    if work == "W1":
        return ((out - y) ** 2).mean()
    return -jnp.take_along_axis(jax.nn.log_softmax(out), y[..., None], -1).mean()


def tensor(values, shape):
    return jnp.asarray(numpy.frombuffer(values, numpy.float32 if values.typecode == "f" else numpy.int32).reshape(shape))


def prepare_training(work, data, x, y):
    rate = subject.train_rate(work)

    @jax.jit
    def step(p):
        loss, grad = jax.value_and_grad(lambda q: loss_of(work, q, x, y))(p)
        return loss, jax.tree_util.tree_map(lambda w, g: w - rate * g, p, grad)

    initial = {name: tensor(*t) for name, t in data.params.items()}
    now = [None, None]

    def reset():
        now[1] = initial

    def run(steps):
        p = now[1]
        for _ in range(steps):
            loss, p = step(p)
        jax.block_until_ready(p)
        now[:] = [loss, p]

    return reset, run, lambda: float(now[0])


def prepare_forward(work, data, x):
    p = {name: tensor(*t) for name, t in data.params.items()}
    stepping = work in STEPS
    model = jax.jit(lambda s: STEPS[work](p, s, x)) if stepping else jax.jit(lambda x: MODELS[work](p, x))
    first = start(STEPS[work], x.shape[0]) if stepping else None
    now = [None]

    def reset():
        now[0] = first

    def run(steps):
        out = now[0]
        for _ in range(steps):
            out = model(out if stepping else x)
        now[0] = jax.block_until_ready(out)

    return reset, run, lambda: subject.weigh_outputs((now[0][0] if stepping else now[0]).reshape(-1).tolist())


def prepare(work, train, batch):
    data = subject.Data(sys.argv[1], work)
    shape = subject.INPUT[work]
    x = tensor(subject.rows(data.x, shape, batch), [batch] + shape)
    if not train:
        return prepare_forward(work, data, x)
    shape = subject.TARGET.get(work, [])
    return prepare_training(work, data, x, tensor(subject.rows(data.y, shape, batch), [batch] + shape))


subject.main(prepare)
