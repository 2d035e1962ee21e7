"""ONNX Runtime: onnx_subject.py FOLDER. Forward passes only; the models are written here, field by field."""

import sys

import numpy
import onnxruntime

import subject


# ---- the parts of ONNX's protocol buffers that a model of constants and plain operators needs ----


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n)


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def attribute(name, value):
    if isinstance(value, list):
        return text(1, name) + b"".join(number(8, n) for n in value) + number(20, 7)
    return text(1, name) + number(3, value) + number(20, 2)


def node(kind, inputs, output, **attributes):
    body = b"".join(text(1, name) for name in inputs) + text(2, output) + text(4, kind)
    return text(1, body + b"".join(text(5, attribute(k, v)) for k, v in attributes.items()))


def constant(name, values, shape):
    return text(5, b"".join(number(1, n) for n in shape) + number(2, 1) + text(8, name) + text(9, values.tobytes()))


def value(field, name, shape):
    dims = b"".join(text(1, number(1, n)) for n in shape)
    return text(field, text(1, name) + text(2, text(1, number(1, 1) + text(2, dims))))


class Graph:
    """A chain of operators: each takes what the one before it gave."""

    def __init__(self, data):
        self.body, self.last, self.count = b"", "x", 0
        for name, (values, shape) in data.params.items():
            self.body += constant(name, values, shape)

    def add(self, kind, *params, **attributes):
        self.count += 1
        output = f"t{self.count}"
        self.body += node(kind, [self.last, *params], output, **attributes)
        self.last = output
        return self

    def dense(self, name, then=None):
        self.add("Gemm", name + ".weight", name + ".bias", transB=1)
        return self.add(then) if then else self

    def conv(self, name, window, pad):
        self.add("Conv", name + ".weight", name + ".bias", kernel_shape=[window] * 2, pads=[pad] * 4)
        return self.add("Relu")

    def pool(self):
        return self.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])

    def model(self, shape, outputs):
        graph = self.body + text(2, "g") + value(11, "x", shape) + value(12, self.last, [shape[0], outputs])
        return number(1, 8) + text(7, graph) + text(8, number(2, 13))


def build(work, data):
    g = Graph(data)
    if work == "W1":
        return g.dense("fc1", "Tanh").dense("fc2", "Sigmoid")
    if work == "W2":
        return g.dense("fc1", "Relu").dense("fc2")
    if work == "W3":
        return g.dense("fc1", "Relu").dense("fc2", "Relu").dense("fc3")
    if work == "W4":
        g.conv("conv1", 5, 2).pool().conv("conv2", 5, 0).pool().add("Flatten")
        return g.dense("fc1", "Relu").dense("fc2", "Relu").dense("fc3")
    if work == "W5":
        g.conv("conv1", 3, 1).conv("conv2", 3, 1).pool().conv("conv3", 3, 1).conv("conv4", 3, 1).pool().add("Flatten")
        return g.dense("fc1", "Relu").dense("fc2")
    return None


def prepare(work, train, batch):
    if train:
        return "it does not train"
    data = subject.Data(sys.argv[1], work)
    graph = build(work, data)
    if not graph:
        return "not written for it"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    shape = [batch] + subject.INPUT[work]
    x = numpy.frombuffer(subject.rows(data.x, shape[1:], batch), numpy.float32).reshape(shape)
    model = graph.model(shape, 1 if work == "W1" else 10)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()  # the quickest way in: no copy of the input
    binding.bind_cpu_input("x", x)
    binding.bind_output(graph.last)

    def run(steps):
        for _ in range(steps):
            session.run_with_iobinding(binding)

    return lambda: None, run, lambda: subject.weigh_outputs(binding.copy_outputs_to_cpu()[0].reshape(-1).tolist())


subject.main(prepare)
