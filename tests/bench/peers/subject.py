"""The side of a timed program in the talk that ../subject.h describes, and the data files that all of them read."""

import array
import sys
import time


class Data:
    """One work's initial values by name, inputs and targets, as array.array with their shapes."""

    def __init__(self, folder, work):
        self.params = {}
        values = read(folder, work, "w", "f")
        at = 0
        with open(f"{folder}/{work}.layout") as layout:
            for line in layout:
                name, *shape = line.split()
                shape = [int(n) for n in shape]
                count = 1
                for n in shape:
                    count *= n
                self.params[name] = (values[at : at + count], shape)
                at += count
        self.x = read(folder, work, "x", "i" if work == "W7" else "f")
        self.y = read(folder, work, "y", "f" if work == "W1" else "i") if not work.endswith("step") else None


INPUT = {
    "W1": [2], "W2": [784], "W3": [784], "W4": [1, 28, 28], "W5": [3, 32, 32], "W6_lstm": [50, 16],
    "W6_gru": [50, 16], "W6_lstm_step": [16], "W6_gru_step": [16], "W7": [64],
}
TARGET = {"W1": [1], "W7": [64]}


def read(folder, work, suffix, kind):
    with open(f"{folder}/{work}.{suffix}", "rb") as file:
        return array.array(kind, file.read())


def rows(values, shape, batch):
    """The first rows of a flat array."""
    count = batch
    for n in shape:
        count *= n
    return values[:count]


def train_rate(work):
    """The rate that the .nn file gives."""
    with open(f"{sys.path[0]}/../{work}.nn") as file:
        return float(file.read().split("sgd(lr=")[1].split(")")[0])


def weigh_outputs(out):
    return sum((1 + k % 5) * (v - 1) ** 2 for k, v in enumerate(out)) / len(out)


def serve(prepare):
    """prepare(work, train, batch) returns (reset, run, answer), or a string that says why not."""
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "task":
            parts = prepare(rest[0], rest[1] == "train", int(rest[2]))
            print("no " + parts if isinstance(parts, str) else "ready", flush=True)
        else:
            steps, times = int(rest[0]), int(rest[1])
            reset, run, answer = parts
            reset()
            run(1)
            seconds = 0
            for _ in range(times):
                reset()
                start = time.perf_counter()
                run(steps)
                seconds += time.perf_counter() - start
            print(f"{seconds / times:.9g} {answer():.17g}", flush=True)


def main(prepare):
    """Serve; or, with `first` as the last argument, do one step of W2 and end, to see how long it takes to start."""
    if sys.argv[-1] == "first":
        reset, run, _ = prepare("W2", True, 32)
        reset()
        run(1)
    else:
        serve(prepare)
