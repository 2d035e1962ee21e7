"""PyTorch: torch_subject.py FOLDER eager|jit|nhwc|double. The models carry the names of the .nn files' parameters."""

import sys
import warnings

import torch
import torch.nn.functional as F
from torch import nn

import subject

KIND = sys.argv[2]
REAL = torch.float64 if KIND == "double" else torch.float32
torch.set_num_threads(1)
torch.set_flush_denormal(True)
torch.set_default_dtype(REAL)
warnings.filterwarnings("ignore")


class W1(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, x):
        return torch.sigmoid(self.fc2(torch.tanh(self.fc1(x))))


class W2(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(784, 128), nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


class W3(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, 512), nn.Linear(512, 512), nn.Linear(512, 10)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class W4(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))))


class W5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.conv3, self.conv4 = nn.Conv2d(32, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(4096, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        x = F.max_pool2d(F.relu(self.conv4(F.relu(self.conv3(x)))), 2)
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))


class W6(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.rnn, self.fc = layer(16, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


class Step(nn.Module):
    """One step, with its states given and returned."""

    def __init__(self, cell):
        super().__init__()
        self.rnn = cell(16, 64)

    def forward(self, x, *state):
        return self.rnn(x, state if len(state) > 1 else state[0])


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.in_proj_weight, self.in_proj_bias = nn.Parameter(torch.zeros(3 * d, d)), nn.Parameter(torch.zeros(3 * d))
        self.out_proj = nn.Linear(d, d)
        self.register_buffer("mask", torch.triu(torch.ones(64, 64, dtype=torch.bool), 1), persistent=False)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = [
            y.view(b, t, self.heads, d // self.heads).transpose(1, 2)
            for y in F.linear(x, self.in_proj_weight, self.in_proj_bias).split(d, 2)
        ]
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            score = (q @ k.transpose(-2, -1)) * (d // self.heads) ** -0.5
            y = score.masked_fill(self.mask, float("-inf")).softmax(-1) @ v
        return self.out_proj(y.transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.ln_1, self.attn, self.ln_2 = nn.LayerNorm(d), Attention(d, heads), nn.LayerNorm(d)
        self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.fc2(F.gelu(self.fc1(self.ln_2(x))))


class W7(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(256, 128), nn.Parameter(torch.zeros(64, 128))
        self.h, self.ln_f = nn.ModuleList([Block(128, 4) for _ in range(4)]), nn.LayerNorm(128)

    def forward(self, words):
        x = self.wte(words) + self.wpe
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.t()


MODELS = {
    "W1": W1, "W2": W2, "W3": W3, "W4": W4, "W5": W5, "W6_lstm": lambda: W6(nn.LSTM), "W6_gru": lambda: W6(nn.GRU),
    "W6_lstm_step": lambda: Step(nn.LSTMCell), "W6_gru_step": lambda: Step(nn.GRUCell), "W7": W7,
}


def tensor(values, shape):
    """Of a float or int array; without numpy, whose versions may not agree."""
    kind = torch.float32 if values.typecode == "f" else torch.int32
    t = torch.frombuffer(values, dtype=kind).reshape(shape)
    return t.to(REAL) if values.typecode == "f" else t.long()


def load(data, work):
    model = MODELS[work]()
    # a cell's params have no number of a layer
    names = {name.removesuffix("_l0") if work.endswith("_step") else name: t for name, t in data.params.items()}
    model.load_state_dict({name: tensor(*t) for name, t in names.items()})
    return model.to(memory_format=torch.channels_last) if KIND == "nhwc" else model


def loss_of(work, out, y):
    if work == "W1":
        return F.mse_loss(out, y)
    return F.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1))


def prepare_training(work, data, x, y):
    model = load(data, work).train()
    initial = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=subject.train_rate(work))
    called = torch.jit.trace(model, x) if KIND == "jit" else model
    last = [None]

    def reset():
        with torch.no_grad():
            for p, v in zip(model.parameters(), initial):
                p.copy_(v)

    def run(steps):
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(work, called(x), y)
            loss.backward()
            optimizer.step()
        last[0] = loss

    return reset, run, lambda: last[0].item()


def prepare_forward(work, data, x):
    model = load(data, work).eval()
    stepping = work.endswith("_step")
    start = [torch.zeros(len(x), 64)] * (2 if "lstm" in work else 1) if stepping else []
    called = model
    if KIND == "jit":
        with torch.no_grad():
            called = torch.jit.freeze(torch.jit.trace(model, (x, *start)))
            if not stepping:
                called = torch.jit.optimize_for_inference(called)
    last = [None]

    def reset():
        last[0] = tuple(start)

    def run(steps):
        with torch.inference_mode():
            if not stepping:
                for _ in range(steps):
                    last[0] = called(x)
            else:
                state = last[0]
                for _ in range(steps):
                    state = called(x, *state)
                    state = state if isinstance(state, tuple) else (state,)
                last[0] = state

    def answer():
        out = last[0][0] if stepping else last[0]
        return subject.weigh_outputs(out.reshape(-1).tolist())

    return reset, run, answer


def prepare(work, train, batch):
    if KIND == "nhwc" and (work not in ("W4", "W5") or not train):
        return "channels last is for training convolutions"
    data = subject.Data(sys.argv[1], work)
    shape = subject.INPUT[work]
    x = tensor(subject.rows(data.x, shape, batch), [batch] + shape)
    if KIND == "nhwc":
        x = x.to(memory_format=torch.channels_last)
    if not train:
        return prepare_forward(work, data, x)
    shape = subject.TARGET.get(work, [])
    return prepare_training(work, data, x, tensor(subject.rows(data.y, shape, batch), [batch] + shape))


subject.main(prepare)
