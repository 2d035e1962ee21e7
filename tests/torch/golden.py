"""Golden files: models of nnc with the numbers that PyTorch finds for them. make.py has the cases, ../check/torch.c reads them.

A file NAME.safetensors holds many cases. Its metadata has the text of each model; the tensors of case C are named

    C/in/x        rows of an input (the batch is the first axis)
    C/set/w       the value of a param or state before anything is run
    C/out/y       what the model puts out, as for new data
    C/loss/       the loss of training
    C/grad/w      its gradient by a param; by an input x it is that of x.offset
    C/state/s     a state after that
    C/step/w      the values of a param after each of so many training steps
    C/load/C      the network's weights are in net_C.safetensors
    C/every/      the steps of an epoch, where rates depend on it
    C/losses/     the loss at the end of each epoch, where rates depend on that

Reals are computed in float64 and kept as float32; what goes in is exact in both.
"""
import json
import re
import struct

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
ROWS = 3


def save(path, tensors, metadata=None):
    """Write a safetensors file."""
    head, at, blocks = {}, 0, []
    if metadata:
        head["__metadata__"] = metadata
    for name, value in tensors.items():
        value = np.asarray(value, order="C")
        kind = {"f": "F32", "i": "I32"}[value.dtype.kind] if value.dtype != np.int64 else "I64"
        data = value.astype({"F32": "<f4", "I32": "<i4", "I64": "<i8"}[kind]).tobytes()
        head[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        blocks.append(data)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


class Group:
    """The cases of one golden file."""

    def __init__(self, name):
        self.name, self.tensors, self.models, self.networks = name, {}, {}, {}
        self.random = np.random.RandomState(sum(map(ord, name)))

    def reals(self, shape, low=-2, high=2):
        """Random numbers that float32 and float64 share, none of them 0, no two of them near to each other by chance."""
        grid = self.random.randint(int(low * 128), int(high * 128), size=shape)
        return torch.tensor((2 * grid + 1) / 256.0)

    def rows(self, spec):
        """Random rows for "x[3, 4]", "x[3] in 0..1" or "k[2]: class[5] in 1" (from 1 on): name, declaration, values."""
        name, shape, kind, bounds = re.fullmatch(r"(\w+)(?:\[([\d, ]*)\])?(: class\[\d+\])?(?: in (.*))?", spec).groups()
        dims = [ROWS] + [int(d) for d in (shape or "").split(",") if d.strip()]
        declared = spec.partition(" in ")[0]
        if kind:
            classes = int(re.search(r"\d+", kind)[0])
            return name, declared, torch.tensor(self.random.randint(int(bounds or 0), classes, size=dims))
        low, high = map(float, bounds.split("..")) if bounds else (-2, 2)
        return name, declared, self.reals(dims, low, high)

    def put(self, case, kind, name, value):
        value = np.array(value.detach() if torch.is_tensor(value) else value)  # a copy
        self.tensors[f"{case}/{kind}/{name}"] = value.astype(np.int32) if value.dtype.kind == "i" else value

    def module_values(self, case, module, label):
        """Random values for the params and buffers of a module, under the names that PyTorch saves them by."""
        with torch.no_grad():
            for name, value in module.state_dict().items():
                if value.dtype == torch.int64:
                    continue
                low, high = (0.5, 1.5) if name.endswith("running_var") else (-1, 1)
                value.copy_(self.reals(tuple(value.shape), low, high))
                self.put(case, "set", label + name, value)

    def case(self, name, text, inputs, function, module=None, label="f.", outputs="y", grads=None, loss=None, states=(),
             trains=True):
        """A model whose outputs are functions of its inputs. Its loss is the sum of their sines, or given by `loss`.
        Without `trains` only the outputs are compared, as training draws."""
        assert name not in self.models, name
        outputs = outputs.split()
        lines, given = [], {}
        for spec in inputs:
            key, declared, value = self.rows(spec)
            lines.append("input " + declared)
            given[key] = value
            self.put(name, "in", key, value)
        lines.append(text)
        if loss is None:
            lines += ["output " + ", ".join(outputs), "loss " + " + ".join(f"sum(sin({y}))" for y in outputs)]
        if not (module and list(module.parameters())):  # a loss needs a param
            lines[-1] += " + shift"
            lines.insert(0, "param shift = 0")
            self.put(name, "set", "shift", 0.0)
        self.models[name] = "\n".join(lines) + "\n"
        if module is not None:
            self.module_values(name, module, label)
            module.eval()
        result = function(*given.values())
        if loss is None:
            result = result if isinstance(result, tuple) else (result,)
            for y, value in zip(outputs, result):
                self.put(name, "out", y, value)
        if not trains:
            return
        if module is not None:
            module.train()
        wanted = [k for k, v in given.items() if v.is_floating_point() and (grads is None or k in grads.split())]
        for k in wanted:
            given[k].requires_grad_(True)
        result = function(*given.values())
        if loss is None:
            result = result if isinstance(result, tuple) else (result,)
            value = sum(torch.sin(y).sum() for y in result) / ROWS
        else:
            value = result
        self.put(name, "loss", "", value)
        leaves = {k + ".offset": given[k] for k in wanted}
        if module is not None:
            leaves.update({label + k: v for k, v in module.named_parameters()})
        derivatives = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
        for (k, leaf), d in zip(leaves.items(), derivatives):
            self.put(name, "grad", k, torch.zeros_like(leaf) if d is None else d)
        for k in states:
            self.put(name, "state", label + k, dict(module.named_buffers())[k])

    def loss(self, name, text, inputs, function, grads=None):
        self.case(name, "loss " + text, inputs, function, grads=grads, loss=True)

    def train(self, name, rule, make, steps=20, every=None, schedule=None, losses=None):
        """Steps of an optimiser on a small network; `make` gets its params, `schedule` the optimiser."""
        x, y = self.reals((4, 3)), self.reals((4, 2))
        self.put(name, "in", "x", x)
        self.put(name, "in", "y", y)
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
        net[0].label, net[2].label = "a.", "b."
        params = {net[i].label + k: v for i in (0, 2) for k, v in net[i].named_parameters()}
        with torch.no_grad():
            for k, v in params.items():
                v.copy_(self.reals(tuple(v.shape), -1, 1))
                self.put(name, "set", k, v)
        self.models[name] = ("input x[3]\ntarget y[2]\nloss mse(x -> a: dense(4) -> tanh -> b: dense(2), y)\n"
                             f"train {rule} batch=4 seed=1\n")
        if every:
            self.put(name, "every", "", np.array([every], dtype=np.int32))
        if losses:
            self.put(name, "losses", "", np.array(losses))
        rule = make(params.values())
        schedule = schedule(rule) if schedule else None
        path = {k: [] for k in params}
        for t in range(steps):
            rule.zero_grad()
            ((net(x) - y) ** 2).mean().backward()
            rule.step()
            if schedule and (not every or (t + 1) % every == 0):
                schedule.step(*([losses[t // every]] if losses else []))
            for k, v in params.items():
                path[k].append(v.detach().numpy().copy())
        for k, values in path.items():
            self.put(name, "step", k, np.stack(values))

    def network(self, name, text, inputs, module, call=None):
        """A network whose state_dict is a file of its own, net_NAME.safetensors, as safetensors.torch.save_file writes it."""
        given = {}
        for spec in inputs:
            key, declared, value = self.rows(spec)
            text = f"input {declared}\n" + text
            given[key] = value
            self.put(name, "in", key, value)
        self.models[name] = text
        with torch.no_grad():
            for key, value in module.state_dict().items():
                if value.dtype != torch.int64:
                    value.copy_(self.reals(tuple(value.shape), *((0.5, 1.5) if key.endswith("running_var") else (-1, 1))))
        module.eval()
        self.put(name, "out", "y", (call or module)(*given.values()))
        self.put(name, "load", name, 1)
        self.networks[name] = {k: v.numpy() for k, v in module.state_dict().items()}

    def save(self, folder):
        for name, state in self.networks.items():
            save(f"{folder}/net_{name}.safetensors", state, {"format": "pt"})
        metadata = dict(self.models, **{"made by": "PyTorch " + torch.__version__})
        save(f"{folder}/{self.name}.safetensors", self.tensors, metadata)
