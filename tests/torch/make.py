#!/usr/bin/python3
"""Make the golden files of this folder: python3 make.py (PyTorch 1.13 or later, numpy). The tests need neither.

Every definition of ../../grammar/std that PyTorch has is here, with the options that it has; what it has not is written
out in numpy or torch operations from the formula's source. Those that draw are left out: the streams differ.
"""
import math
import os
import re

import torch
import torch.nn.functional as F
from torch import nn, optim

from golden import Group, ROWS, save

FOLDER = os.path.dirname(os.path.abspath(__file__))


def activations():
    g = Group("activation")

    def f(name, function, options=""):
        case = name + "".join(c if c.isalnum() else "_" for c in options)
        g.case(case, f"y = {name}(x{options})", ["x[2, 6]"], lambda x: function(x))

    f("relu", F.relu)
    g.case("relu6", "y = relu6(4 * x)", ["x[2, 6]"], lambda x: F.relu6(4 * x))
    f("leaky_relu", F.leaky_relu)
    f("leaky_relu", lambda x: F.leaky_relu(x, 0.3), ", slope=0.3")
    g.case("rrelu", "y = rrelu(x)", ["x[2, 6]"], lambda x: F.rrelu(x, training=False), trains=False)
    g.case("gumbel_softmax_hard", "y = gumbel_softmax(x, hard=yes)", ["x[2, 6]"],
           lambda x: F.one_hot(x.argmax(-1), 6), trains=False)
    g.case("gumbel_softmax", "y = gumbel_softmax(x, temperature=2)", ["x[2, 6]"], lambda x: F.softmax(x / 2, -1),
           trains=False)
    f("elu", F.elu)
    f("elu", lambda x: F.elu(x, 1.5), ", alpha=1.5")
    f("celu", lambda x: F.celu(x, 1.5), ", alpha=1.5")
    f("selu", F.selu)
    f("sigmoid", torch.sigmoid)
    f("log_sigmoid", F.logsigmoid)
    f("silu", F.silu)
    f("mish", F.mish)
    f("gelu", F.gelu)
    f("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"))
    f("softplus", F.softplus)
    f("softplus", lambda x: F.softplus(x, 2), ", beta=2")
    f("softsign", F.softsign)
    f("tanhshrink", F.tanhshrink)
    f("softshrink", F.softshrink)
    f("softshrink", lambda x: F.softshrink(x, 1), ", k=1")
    f("hardshrink", F.hardshrink)
    f("hardtanh", F.hardtanh)
    f("hardtanh", lambda x: F.hardtanh(x, -0.3, 0.7), ", low=-0.3, high=0.7")
    g.case("hardsigmoid", "y = hardsigmoid(2 * x)", ["x[2, 6]"], lambda x: F.hardsigmoid(2 * x))
    g.case("hardswish", "y = hardswish(2 * x)", ["x[2, 6]"], lambda x: F.hardswish(2 * x))
    f("threshold", lambda x: F.threshold(x, 0.1, 7), ", at=0.1, value=7")
    f("glu", F.glu)
    f("maxout", lambda x: x.reshape(ROWS, 2, 2, 3).amax(-1), ", 3")
    f("logsumexp", lambda x: torch.logsumexp(x, -1))
    f("softmax", lambda x: F.softmax(x, -1))
    f("softmax", lambda x: F.softmax(x / 3, -1), ", temperature=3")
    f("softmax2d", lambda x: F.softmax(x, 1))
    f("softmin", lambda x: F.softmin(x, -1))
    f("log_softmax", lambda x: F.log_softmax(x, -1))
    m = nn.PReLU()
    g.case("prelu", "y = x -> f: prelu", ["x[2, 6]"], m, m)
    m3 = nn.PReLU(3)
    g.case("prelu_channels", "y = x -> f: prelu(channels=3)", ["x[3, 4]"], m3, m3)
    g.save(FOLDER)


def linear():
    g = Group("linear")

    def f(name, text, inputs, module, call=None, **more):
        g.case(name, text, inputs, call or module, module, **more)

    f("dense", "y = x -> f: dense(4)", ["x[3]"], nn.Linear(3, 4))
    f("dense_rows", "y = x -> f: dense(5)", ["x[2, 3, 7]"], nn.Linear(7, 5))
    f("dense_no_bias", "y = x -> f: dense(1, bias=no)", ["x[1]"], nn.Linear(1, 1, bias=False))
    f("bilinear", "y = a -> f: bilinear(b, 4)", ["a[3]", "b[2]"], (m := nn.Bilinear(3, 2, 4)), lambda a, b: m(a, b))
    f("embedding", "y = k -> f: embedding(5, 3)", ["k[4]: class[5]"], (e := nn.Embedding(5, 3)), lambda k: e(k))
    f("embedding_padding", "y = k -> f: embedding(3, 2, padding=1)", ["k[6]: class[3]"],
      (p := nn.Embedding(3, 2, padding_idx=1)), lambda k: p(k))
    for mode in "mean", "sum", "max":
        bag = nn.EmbeddingBag(5, 3, mode=mode)
        f("embedding_bag_" + mode, f'y = k -> f: embedding_bag(5, 3, mode="{mode}")', ["k[4]: class[5]"], bag,
          lambda k: bag(k))
    some = nn.EmbeddingBag(4, 3, mode="sum", padding_idx=2)
    f("embedding_bag_scale", 'y = k -> f: embedding_bag(4, 3, mode="sum", scale=s, padding=2)', ["k[5]: class[4]", "s[5]"], some,
      lambda k, s: some(k, per_sample_weights=s))
    w = nn.utils.weight_norm(nn.Linear(3, 4))
    g.case("weight_norm", "param v[4, 3] = 0, g[4] = 1\ny = x -> f: dense(4, weight=weight_norm(v, g), bias=no)", ["x[3]"],
           lambda x: F.linear(x, torch._weight_norm(p2.v, p2.g.reshape(4, 1), 0)),
           (p2 := nn.ParameterDict({"v": nn.Parameter(torch.zeros(4, 3)), "g": nn.Parameter(torch.zeros(4))})), label="")
    g.save(FOLDER)


def convolutions():
    g = Group("conv")

    def f(name, text, shape, module):
        g.case(name, f"y = x -> f: {text}", [f"x{shape}"], module, module)

    f("conv1d", "conv1d(3, 3)", [2, 7], nn.Conv1d(2, 3, 3))
    f("conv1d_all", "conv1d(4, 3, stride=2, pad=2, dilation=2, groups=2)", [2, 7],
      nn.Conv1d(2, 4, 3, 2, 2, 2, 2))
    f("conv1d_same", 'conv1d(2, 5, pad="same", bias=no)', [1, 6], nn.Conv1d(1, 2, 5, padding="same", bias=False))
    f("conv1d_even", 'conv1d(2, 4, pad="same", dilation=3)', [1, 9], nn.Conv1d(1, 2, 4, padding="same", dilation=3))
    f("conv2d_even", 'conv2d(2, (2, 4), pad="same")', [1, 4, 3], nn.Conv2d(1, 2, (2, 4), padding="same"))
    f("conv2d", "conv2d(3, 3)", [2, 5, 4], nn.Conv2d(2, 3, 3))
    f("conv2d_all", "conv2d(2, (3, 2), stride=(2, 1), pad=(1, 0), dilation=(1, 2))", [3, 6, 5],
      nn.Conv2d(3, 2, (3, 2), (2, 1), (1, 0), (1, 2)))
    f("conv2d_groups", "conv2d(6, 2, groups=3, stride=3)", [3, 5, 5], nn.Conv2d(3, 6, 2, 3, groups=3))
    f("conv2d_one", "conv2d(2, 1)", [1, 1, 1], nn.Conv2d(1, 2, 1))
    f("conv2d_same", 'conv2d(2, 3, pad="same", dilation=2)', [1, 5, 4], nn.Conv2d(1, 2, 3, padding="same", dilation=2))
    d = nn.Conv2d(2, 4, 3, padding=1, groups=2)
    g.case("depthwise_conv2d", "y = x -> depthwise_conv2d(3, multiplier=2, pad=1)", ["x[2, 4, 3]"], d, d,
           label="depthwise_conv2d.conv2d.")
    f("conv3d", "conv3d(2, (2, 3, 1), stride=(1, 2, 1), pad=(1, 1, 0))", [2, 3, 4, 2],
      nn.Conv3d(2, 2, (2, 3, 1), (1, 2, 1), (1, 1, 0)))
    f("conv3d_groups", "conv3d(4, 2, groups=2, dilation=(2, 1, 1))", [2, 3, 3, 3],
      nn.Conv3d(2, 4, 2, groups=2, dilation=(2, 1, 1)))
    f("conv_transpose1d", "conv_transpose1d(3, 3, stride=2, pad=1, extra=1)", [2, 4], nn.ConvTranspose1d(2, 3, 3, 2, 1, 1))
    f("conv_transpose1d_all", "conv_transpose1d(4, 2, stride=3, dilation=2, groups=2)", [2, 3],
      nn.ConvTranspose1d(2, 4, 2, 3, dilation=2, groups=2))
    f("conv_transpose2d", "conv_transpose2d(2, 3, stride=2, pad=1, extra=(1, 0))", [3, 3, 2],
      nn.ConvTranspose2d(3, 2, 3, 2, 1, (1, 0)))
    f("conv_transpose2d_all", "conv_transpose2d(4, (2, 3), stride=(1, 2), dilation=(2, 1), pad=(0, 1), groups=2)", [2, 3, 4],
      nn.ConvTranspose2d(2, 4, (2, 3), (1, 2), (0, 1), dilation=(2, 1), groups=2))
    f("conv_transpose3d", "conv_transpose3d(4, 2, stride=(2, 1, 2), pad=(1, 0, 0), groups=2)", [2, 2, 2, 2],
      nn.ConvTranspose3d(2, 4, 2, (2, 1, 2), (1, 0, 0), groups=2))
    f("conv_transpose3d_all", "conv_transpose3d(2, 2, stride=(1, 2, 1), dilation=(2, 1, 3), pad=(1, 0, 2), extra=(1, 1, 0))",
      [2, 2, 2, 3], nn.ConvTranspose3d(2, 2, 2, (1, 2, 1), (1, 0, 2), (1, 1, 0), dilation=(2, 1, 3)))
    g.save(FOLDER)


def pooling():
    g = Group("pool")

    def f(name, text, shape, function):
        g.case(name, f"y = {text}", [f"x{shape}"], lambda x: function(x))

    f("maxpool1d", "maxpool1d(x, 3, stride=2, pad=1, ceil=yes)", [2, 8], lambda x: F.max_pool1d(x, 3, 2, 1, ceil_mode=True))
    f("maxpool1d_dilation", "maxpool1d(x, 2, dilation=3, stride=1)", [2, 7], lambda x: F.max_pool1d(x, 2, 1, 0, 3))
    f("maxpool2d", "maxpool2d(x, 2)", [2, 5, 4], lambda x: F.max_pool2d(x, 2))
    f("maxpool2d_all", "maxpool2d(x, (3, 2), stride=(2, 1), pad=(1, 0), dilation=(1, 2), ceil=yes)", [2, 6, 5],
      lambda x: F.max_pool2d(x, (3, 2), (2, 1), (1, 0), (1, 2), ceil_mode=True))
    f("maxpool3d", "maxpool3d(x, 2, stride=(1, 2, 1), pad=(0, 1, 0))", [1, 3, 4, 3],
      lambda x: F.max_pool3d(x, 2, (1, 2, 1), (0, 1, 0)))
    f("avgpool1d", "avgpool1d(x, 3, stride=2, pad=1, ceil=yes)", [2, 8],
      lambda x: F.avg_pool1d(x, 3, 2, 1, ceil_mode=True))
    f("avgpool2d", "avgpool2d(x, 2)", [2, 5, 4], lambda x: F.avg_pool2d(x, 2))
    for count in "no", "yes":
        f("avgpool2d_pad_" + count, f"avgpool2d(x, (3, 2), stride=(2, 1), pad=(1, 1), ceil=yes, count_pad={count})", [2, 6, 5],
          lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 1), ceil_mode=True, count_include_pad=count == "yes"))
    f("avgpool3d", "avgpool3d(x, (2, 3, 1), stride=1, pad=(1, 1, 0), count_pad=no)", [1, 3, 4, 3],
      lambda x: F.avg_pool3d(x, (2, 3, 1), 1, (1, 1, 0), count_include_pad=False))
    g.case("lppool1d", "y = lppool1d(x, 3, p=3, stride=2)", ["x[2, 7] in 0.1..2"], lambda x: F.lp_pool1d(x, 3, 3, 2))
    g.case("lppool2d", "y = lppool2d(x, (2, 3), p=2, stride=1)", ["x[2, 4, 4]"], lambda x: F.lp_pool2d(x, 2, (2, 3), 1))
    f("globalavgpool", "globalavgpool(x)", [3, 2, 5], lambda x: x.mean((2, 3)))
    f("globalmaxpool", "globalmaxpool(x)", [3, 2, 5], lambda x: x.amax((2, 3)))
    f("adaptive_avgpool1d", "adaptive_avgpool1d(x, 3)", [2, 7], lambda x: F.adaptive_avg_pool1d(x, 3))
    f("adaptive_avgpool2d", "adaptive_avgpool2d(x, (3, 2))", [2, 7, 6], lambda x: F.adaptive_avg_pool2d(x, (3, 2)))
    f("adaptive_avgpool2d_up", "adaptive_avgpool2d(x, (5, 4))", [2, 3, 2], lambda x: F.adaptive_avg_pool2d(x, (5, 4)))
    f("adaptive_maxpool1d", "adaptive_maxpool1d(x, 3)", [2, 8], lambda x: F.adaptive_max_pool1d(x, 3))
    f("adaptive_maxpool2d", "adaptive_maxpool2d(x, (2, 3))", [2, 5, 7], lambda x: F.adaptive_max_pool2d(x, (2, 3)))
    f("adaptive_avgpool3d", "adaptive_avgpool3d(x, (2, 3, 1))", [2, 3, 4, 3], lambda x: F.adaptive_avg_pool3d(x, (2, 3, 1)))
    f("adaptive_maxpool3d", "adaptive_maxpool3d(x, (2, 3, 1))", [2, 3, 4, 3], lambda x: F.adaptive_max_pool3d(x, (2, 3, 1)))

    def places(name, text, shape, function, window, text_window, **more):
        extent = tuple(shape[1:])
        g.case(name, f"y, k = {text}\nz = real(k)\nu = maxunpool{len(extent)}d(y, k, {text_window}, extent={extent if len(extent) > 1 else extent[0]})",
               [f"x{shape}"], lambda x: (lambda y, k: (y, k.to(x.dtype), getattr(F, f"max_unpool{len(extent)}d")(
                   y, k, window, output_size=extent, **more)))(*function(x)), outputs="y z u")

    places("maxunpool1d", "maxpool1d_with_indices(x, 2)", [2, 7], lambda x: F.max_pool1d(x, 2, return_indices=True), 2, "2")
    places("maxunpool2d", "maxpool2d_with_indices(x, (2, 3), pad=(1, 0))", [2, 5, 6],
           lambda x: F.max_pool2d(x, (2, 3), padding=(1, 0), return_indices=True), (2, 3), "(2, 3)", padding=(1, 0))
    places("maxunpool3d", "maxpool3d_with_indices(x, (1, 2, 2))", [1, 3, 4, 5],
           lambda x: F.max_pool3d(x, (1, 2, 2), return_indices=True), (1, 2, 2), "(1, 2, 2)")
    g.case("maxpool2d_dilation_indices", "y, k = maxpool2d_with_indices(x, 2, stride=(1, 2), dilation=(2, 1), pad=1)\nz = real(k)",
           ["x[2, 5, 4]"], lambda x: (lambda y, k: (y, k.to(x.dtype)))(
               *F.max_pool2d(x, 2, (1, 2), 1, (2, 1), return_indices=True)), outputs="y z")
    u = "u[2, 2] in 0..1"
    g.case("fractional_maxpool2d", "y = fractional_maxpool2d(x, (2, 3), (4, 3), samples=u)", ["x[2, 9, 8]", u],
           lambda x, u: F.fractional_max_pool2d(x, (2, 3), (4, 3), _random_samples=u), grads="x")
    g.case("fractional_maxpool3d", "y = fractional_maxpool3d(x, (2, 1, 2), (3, 4, 2), samples=u)", ["x[2, 5, 6, 4]", "u[2, 3] in 0..1"],
           lambda x, u: F.fractional_max_pool3d(x, (2, 1, 2), (3, 4, 2), _random_samples=u), grads="x")
    g.save(FOLDER)


def shapes():
    g = Group("shape")

    def f(name, text, shape, function):
        g.case(name, f"y = {text}", [f"x{shape}"], lambda x: function(x))

    f("flatten", "flatten(x)", [2, 3], lambda x: x.flatten(1))
    f("transpose", "transpose(x)", [2, 3, 2], lambda x: x.transpose(-1, -2))
    g.case("concat", "y = concat(a, b, a)", ["a[2, 3]", "b[1, 3]"], lambda a, b: torch.cat((a, b, a), 1))
    g.case("concat_last", "y = concat_last(a, b)", ["a[3, 2]", "b[3, 1]"], lambda a, b: torch.cat((a, b), -1))
    g.case("stack", "y = stack(a, b)", ["a[2, 2]", "b[2, 2]"], lambda a, b: torch.stack((a, b), 1))
    g.case("stack_three", "y = stack(a, b, a)", ["a[2, 2]", "b[2, 2]"], lambda a, b: torch.stack((a, b, a), 1))
    g.case("split", "y, z = split(x, 2)", ["x[5, 2]"], lambda x: tuple(x.split((2, 3), 1)), outputs="y z")
    f("chunks", "chunks(x, 3)", [6, 2], lambda x: torch.stack(x.chunk(3, 1), 1))
    f("reverse", "reverse(x)", [4, 2], lambda x: x.flip(1))
    g.case("one_hot", "y = one_hot(k) * x", ["k[2]: class[3]", "x[2, 3]"], lambda k, x: F.one_hot(k, 3) * x)
    g.case("take", "y = take(x, k)", ["x[2, 5]", "k[2, 3]: class[5]"], lambda x, k: x.gather(-1, k))
    g.case("select", "y = select(x, k)", ["x[4, 2]", "k[3]: class[4]"],
           lambda x, k: torch.stack([a.index_select(0, i) for a, i in zip(x, k)]))
    f("roll", "roll(x, 2)", [5, 2], lambda x: x.roll(2, 1))
    f("tile", "tile(x, 3)", [2, 2], lambda x: x.tile(1, 3, 1))
    f("cumsum", "cumsum(x)", [2, 5], lambda x: x.cumsum(-1))
    # image.nn
    f("pad1d", "pad1d(x, (2, 1), value=3)", [2, 3], lambda x: F.pad(x, (2, 1), value=3))
    for mode in "reflect", "replicate", "circular":
        f("pad1d_" + mode, f'pad1d(x, (2, 1), mode="{mode}")', [2, 3], lambda x: F.pad(x, (2, 1), mode=mode))
        f("pad2d_" + mode, f'pad2d(x, ((1, 2), (3, 0)), mode="{mode}")', [2, 4, 5],
          lambda x: F.pad(x, (3, 0, 1, 2), mode=mode))
        f("pad3d_" + mode, f'pad3d(x, (1, (0, 1), 1), mode="{mode}")', [1, 2, 3, 2],
          lambda x: F.pad(x, (1, 1, 0, 1, 1, 1), mode=mode))
    f("pad2d", "pad2d(x, (1, 2), value=-1)", [2, 2, 3], lambda x: F.pad(x, (2, 2, 1, 1), value=-1))
    f("pad3d", "pad3d(x, (1, 0, 2))", [1, 2, 1, 2], lambda x: F.pad(x, (2, 2, 0, 0, 1, 1)))
    f("crop2d", "crop2d(x, (1, 0), (2, 3))", [2, 4, 4], lambda x: x[:, :, 1:3, 0:3])
    f("upsample_nearest1d", "upsample_nearest1d(x, 3)", [2, 3], lambda x: F.interpolate(x, scale_factor=3))
    f("upsample_nearest", "upsample_nearest(x, (2, 3))", [1, 2, 3], lambda x: F.interpolate(x, scale_factor=(2, 3)))
    f("upsample_nearest3d", "upsample_nearest3d(x, 2)", [1, 2, 1, 2], lambda x: F.interpolate(x, scale_factor=2))
    for corners in "no", "yes":
        align = {"align_corners": corners == "yes"}
        f("upsample_linear_" + corners, f"upsample_linear(x, 3, corners={corners})", [2, 4],
          lambda x: F.interpolate(x, scale_factor=3, mode="linear", **align))
        f("upsample_bilinear_" + corners, f"upsample_bilinear(x, 2, corners={corners})", [2, 3, 4],
          lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", **align))
        f("upsample_trilinear_" + corners, f"upsample_trilinear(x, 2, corners={corners})", [1, 2, 3, 2],
          lambda x: F.interpolate(x, scale_factor=2, mode="trilinear", **align))
    f("upsample_cubic", "upsample_cubic(x, 3)", [2, 4],
      lambda x: F.interpolate(x[:, :, None], scale_factor=(1, 3), mode="bicubic")[:, :, 0])
    f("upsample_bicubic", "upsample_bicubic(x, 2)", [1, 3, 4], lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"))
    f("upsample_cubic_corners", "upsample_cubic(x, 2, corners=yes)", [2, 4],
      lambda x: F.interpolate(x[:, :, None].expand(-1, -1, 2, -1), (2, 8), mode="bicubic", align_corners=True)[:, :, 0])
    f("upsample_bilinear_two", "upsample_bilinear(x, (1, 3))", [2, 3, 4],
      lambda x: F.interpolate(x, scale_factor=(1, 3), mode="bilinear"))
    f("resize_nearest1d", "resize_nearest1d(x, 5)", [2, 8], lambda x: F.interpolate(x, 5))
    f("resize_nearest", "resize_nearest(x, (5, 2))", [2, 3, 4], lambda x: F.interpolate(x, (5, 2)))
    f("resize_nearest3d", "resize_nearest3d(x, (1, 5, 2))", [2, 2, 3, 4], lambda x: F.interpolate(x, (1, 5, 2)))
    for corners in "no", "yes":
        align = {"align_corners": corners == "yes"}
        f("resize_linear_" + corners, f"resize_linear(x, 3, corners={corners})", [2, 7],
          lambda x: F.interpolate(x, 3, mode="linear", **align))
        f("resize_bilinear_" + corners, f"resize_bilinear(x, (5, 3), corners={corners})", [2, 3, 7],
          lambda x: F.interpolate(x, (5, 3), mode="bilinear", **align))
        f("resize_trilinear_" + corners, f"resize_trilinear(x, (1, 5, 2), corners={corners})", [1, 2, 3, 4],
          lambda x: F.interpolate(x, (1, 5, 2), mode="trilinear", **align))
        f("resize_bicubic_" + corners, f"resize_bicubic(x, (5, 3), corners={corners})", [1, 3, 5],
          lambda x: F.interpolate(x, (5, 3), mode="bicubic", **align))
        g.case("affine_grid_" + corners, f"y = affine_grid(m, (3, 4), corners={corners})", ["m[2, 3]"],
               lambda m: F.affine_grid(m, [ROWS, 1, 3, 4], **align))
        for border, theirs in ("zeros", "zeros"), ("edge", "border"):
            for mode in "bilinear", "nearest":
                g.case(f"grid_sample_{corners}_{border}_{mode}",
                       f'y = grid_sample(x, p, mode="{mode}", border="{border}", corners={corners})',
                       ["x[2, 4, 5]", "p[3, 2, 2] in -1.4..1.4"], lambda x, p: F.grid_sample(x, p, mode, theirs, **align))
    f("pixel_shuffle", "pixel_shuffle(x, 2)", [8, 2, 3], lambda x: F.pixel_shuffle(x, 2))
    f("pixel_unshuffle", "pixel_unshuffle(x, 2)", [2, 4, 6], lambda x: F.pixel_unshuffle(x, 2))
    f("channel_shuffle", "channel_shuffle(x, 3)", [6, 2],
      lambda x: x.reshape(ROWS, 3, 2, 2).transpose(1, 2).reshape(ROWS, 6, 2))
    f("unfold2d", "unfold2d(x, (2, 3), stride=(1, 2), pad=(0, 1), dilation=(2, 1))", [2, 4, 5],
      lambda x: F.unfold(x, (2, 3), (2, 1), (0, 1), (1, 2)))
    f("fold2d", "fold2d(x, (4, 5), (2, 3), stride=(1, 2), pad=(0, 1), dilation=(2, 1))", [12, 6],
      lambda x: F.fold(x, (4, 5), (2, 3), (2, 1), (0, 1), (1, 2)))
    g.save(FOLDER)


def norms():
    g = Group("norm")

    def f(name, text, shape, module, **more):
        g.case(name, f"y = x -> f: {text}", [f"x{shape}"], module, module, **more)

    running = ("running_mean", "running_var")
    f("batchnorm", "batchnorm", [4], nn.BatchNorm1d(4), states=running)
    f("batchnorm_places", "batchnorm(momentum=0.3, eps=0.01)", [3, 5], nn.BatchNorm1d(3, 0.01, 0.3), states=running)
    f("batchnorm_2d", "batchnorm", [2, 3, 2], nn.BatchNorm2d(2), states=running)
    f("batchnorm_3d", "batchnorm(weight=no, bias=no)", [2, 1, 3, 2], nn.BatchNorm3d(2, affine=False), states=running)
    f("batchnorm_track", "batchnorm(track=no)", [2, 3], nn.BatchNorm1d(2, track_running_stats=False))
    f("batchnorm_mean", "batchnorm(momentum=none)", [3, 2], nn.BatchNorm1d(3, momentum=None), states=running)
    f("instancenorm_track", "instancenorm(track=yes, momentum=0.3)", [3, 5],
      nn.InstanceNorm1d(3, momentum=0.3, track_running_stats=True), states=running)
    f("instancenorm_all", "instancenorm(affine=yes, track=yes)", [2, 2, 3],
      nn.InstanceNorm2d(2, affine=True, track_running_stats=True), states=running)
    f("layernorm", "layernorm", [5], nn.LayerNorm(5))
    f("layernorm_rows", "layernorm(eps=0.01)", [2, 3, 4], nn.LayerNorm(4, 0.01))
    f("layernorm_all", "layernorm_all", [2, 3, 4], nn.LayerNorm((2, 3, 4)))
    f("groupnorm", "groupnorm(2)", [4, 3], nn.GroupNorm(2, 4))
    f("groupnorm_2d", "groupnorm(3, eps=0.1)", [6, 2, 2], nn.GroupNorm(3, 6, 0.1))
    f("instancenorm", "instancenorm", [3, 5], nn.InstanceNorm1d(3))
    f("instancenorm_affine", "instancenorm(affine=yes)", [2, 3, 4], nn.InstanceNorm2d(2, affine=True))

    class RMSNorm(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(n))

        def forward(self, x):
            return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight

    f("rmsnorm", "rmsnorm", [2, 5], RMSNorm(5))
    for name, text, function in (
            ("local_response_norm", "local_response_norm(x, 3, alpha=0.5, beta=0.6, k=2)",
             lambda x: F.local_response_norm(x, 3, 0.5, 0.6, 2)),
            ("local_response_norm_even", "local_response_norm(x, 2, alpha=1)", lambda x: F.local_response_norm(x, 2, 1.0)),
            ("normalize", "normalize(x)", lambda x: F.normalize(x, dim=-1)),
            ("normalize_p", "normalize(x, p=3)", lambda x: F.normalize(x, 3.0, -1)),
            ("dropout", "dropout(x)", F.dropout), ("spatial_dropout", "spatial_dropout(x)", F.dropout2d),
            ("alpha_dropout", "alpha_dropout(x)", F.alpha_dropout), ("gaussian_noise", "gaussian_noise(x, 1)", None)):
        drawn = "drop" in name or function is None  # in training
        g.case(name, "y = " + text, ["x[5, 3]"],
               lambda x: x if function is None else function(x, training=False) if drawn else function(x), trains=not drawn)
    g.save(FOLDER)


def recurrences():
    g = Group("recurrent")

    def f(name, text, shape, module, outputs, call):
        g.case(name, f"{', '.join(outputs.split())} = x -> f: {text}", [f"x{shape}"], call, module, outputs=outputs)

    m = nn.RNN(3, 4, batch_first=True)
    f("rnn", "rnn(4)", [5, 3], m, "y h", lambda x: (m(x)[0], m(x)[1][0]))
    r = nn.RNN(1, 1, nonlinearity="relu", batch_first=True)
    f("rnn_relu", 'rnn(1, activation="relu")', [3, 1], r, "y h", lambda x: (r(x)[0], r(x)[1][0]))
    l = nn.LSTM(3, 2, batch_first=True)
    f("lstm", "lstm(2)", [4, 3], l, "y h c", lambda x: (l(x)[0], l(x)[1][0][0], l(x)[1][1][0]))
    p = nn.LSTM(2, 3, batch_first=True, proj_size=2)
    f("lstm_projection", "lstm(3, projection=2)", [4, 2], p, "y h c", lambda x: (p(x)[0], p(x)[1][0][0], p(x)[1][1][0]))
    s = nn.LSTM(2, 3, batch_first=True)
    g.case("lstm_start", "y, h, c = x -> f: lstm(3, start=a, start_c=b)", ["x[3, 2]", "a[3]", "b[3]"],
           lambda x, a, b: (s(x, (a[None], b[None]))[0], s(x, (a[None], b[None]))[1][0][0], s(x, (a[None], b[None]))[1][1][0]),
           s, outputs="y h c")
    u = nn.GRU(3, 4, batch_first=True)
    f("gru", "gru(4)", [5, 3], u, "y h", lambda x: (u(x)[0], u(x)[1][0]))
    v = nn.GRU(2, 3, batch_first=True)

    def lengths(x, k):
        packed = nn.utils.rnn.pack_padded_sequence(x, k, batch_first=True, enforce_sorted=False)
        return v(packed)[1][0]

    g.case("gru_length", "y, h = x -> f: gru(3, length=k)\nz = h", ["x[4, 2]", "k: class[5] in 1"], lengths, v, outputs="z")
    w = nn.LSTM(2, 3, batch_first=True)

    def lengths_lstm(x, k):
        packed = nn.utils.rnn.pack_padded_sequence(x, k, batch_first=True, enforce_sorted=False)
        return w(packed)[1][0][0], w(packed)[1][1][0]

    g.case("lstm_length", "y, h, c = x -> f: lstm(3, length=k)", ["x[4, 2]", "k: class[5] in 1"], lengths_lstm, w, outputs="h c")
    for name, module in ("rnn", nn.RNN), ("gru", nn.GRU):
        b = module(2, 3, batch_first=True, bidirectional=True)
        f("bidirectional_" + name, f"{name}(3, bidirectional=yes)", [4, 2], b, "y h", lambda x: (b(x)[0], b(x)[1].transpose(0, 1)))
        d = module(2, 3, 2, batch_first=True, bias=False)
        f("layers_" + name, f"{name}(3, 2, bias=no)", [4, 2], d, "y h", lambda x: (d(x)[0], d(x)[1].transpose(0, 1)))
    t = nn.LSTM(2, 3, batch_first=True, bidirectional=True)
    f("bidirectional_lstm", "lstm(3, bidirectional=yes)", [4, 2], t, "y h c",
      lambda x: (t(x)[0], t(x)[1][0].transpose(0, 1), t(x)[1][1].transpose(0, 1)))
    k = nn.LSTM(2, 3, 3, batch_first=True, bidirectional=True, proj_size=2)
    g.case("lstm_layers", "y, h, c = x -> f: lstm(3, layers=3, bidirectional=yes, projection=2, start=a, start_c=b)",
           ["x[4, 2]", "a[6, 2]", "b[6, 3]"],
           lambda x, a, b: (lambda y, s: (y, s[0].transpose(0, 1), s[1].transpose(0, 1)))(
               *k(x, (a.transpose(0, 1).contiguous(), b.transpose(0, 1).contiguous()))), k, outputs="y h c")
    o = nn.GRU(2, 3, 2, batch_first=True, bidirectional=True)

    def lengths_both(x, k):
        packed = nn.utils.rnn.pack_padded_sequence(x, k, batch_first=True, enforce_sorted=False)
        y, h = o(packed)
        return nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=4)[0], h.transpose(0, 1)

    g.case("gru_lengths", "s, h = x -> f: gru(3, layers=2, bidirectional=yes, length=k)\ny[t, i] = if t < k then s[t, i] else 0",
           ["x[4, 2]", "k: class[5] in 1"], lengths_both, o, outputs="y h")

    class Peephole(nn.Module):  # PyTorch has none
        def __init__(self, n, units):
            super().__init__()
            for k, shape in dict(weight_ih_l0=(4 * units, n), weight_hh_l0=(4 * units, units), bias_ih_l0=(4 * units,),
                                 bias_hh_l0=(4 * units,), weight_ci_l0=(units,), weight_cf_l0=(units,), weight_co_l0=(units,)).items():
                self.register_parameter(k, nn.Parameter(torch.zeros(shape)))
            self.units = units

        def forward(self, x):
            h = c = torch.zeros(len(x), self.units)
            for t in range(x.shape[1]):
                z = F.linear(x[:, t], self.weight_ih_l0, self.bias_ih_l0) + F.linear(h, self.weight_hh_l0, self.bias_hh_l0)
                i, f, n, o = z.chunk(4, -1)
                i, f = torch.sigmoid(i + self.weight_ci_l0 * c), torch.sigmoid(f + self.weight_cf_l0 * c)
                c = f * c + i * torch.tanh(n)
                h = torch.sigmoid(o + self.weight_co_l0 * c) * torch.tanh(c)
            return h, c

    for activation in "tanh", "relu":
        k = nn.RNNCell(3, 2, nonlinearity=activation)
        g.case("rnn_cell_" + activation, f'y = x -> f: rnn_cell(h, activation="{activation}")', ["x[3]", "h[2]"], k, k)
    j = nn.LSTMCell(2, 3)
    g.case("lstm_cell", "y, z = x -> f: lstm_cell(h, c)", ["x[2]", "h[3]", "c[3]"], lambda x, h, c: j(x, (h, c)), j, outputs="y z")
    i = nn.GRUCell(3, 2)
    g.case("gru_cell", "y = x -> f: gru_cell(h)", ["x[3]", "h[2]"], i, i)
    q = Peephole(2, 3)
    g.case("lstm_peephole", "y, h, c = x -> f: lstm(3, peephole=yes)", ["x[4, 2]"], q, q, outputs="h c")
    g.save(FOLDER)


def attentions():
    g = Group("attention")
    q, k, v = "q[2, 3, 4]", "k[2, 5, 4]", "v[2, 5, 2]"

    def scores(q, k, v, mask):
        s = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        return F.softmax(s.masked_fill(~mask, -math.inf), -1) @ v

    g.case("mix", "y = mix(q, k, v)", [q, k, v], lambda q, k, v: scores(q, k, v, torch.ones(3, 5, dtype=bool)))
    g.case("mix_causal", "y = mix(q, k, v, causal=yes)", [q, "k[2, 3, 4]", "v[2, 3, 2]"],
           lambda q, k, v: scores(q, k, v, torch.ones(3, 3, dtype=bool).tril()))
    g.case("mix_mask", "y = mix(q, k, v, mask=[1, 0, 1, 1, 0])", [q, k, v],
           lambda q, k, v: scores(q, k, v, torch.tensor([1, 0, 1, 1, 0], dtype=bool)))
    a = nn.MultiheadAttention(6, 2, batch_first=True)
    g.case("attention", "y = x -> f: attention(2)", ["x[4, 6]"], lambda x: a(x, x, x)[0], a)
    b = nn.MultiheadAttention(6, 3, batch_first=True)
    future = torch.ones(4, 4, dtype=bool).triu(1)
    g.case("attention_causal", "y = x -> f: attention(3, causal=yes)", ["x[4, 6]"],
           lambda x: b(x, x, x, attn_mask=future)[0], b)
    c = nn.MultiheadAttention(4, 1, batch_first=True)
    g.case("attention_context", "y = x -> f: attention(1, context=z)", ["x[2, 4]", "z[3, 4]"], lambda x, z: c(x, z, z)[0], c)
    d = nn.MultiheadAttention(4, 2, batch_first=True, kdim=3, vdim=3)
    g.case("attention_width", "y = x -> f: attention(2, context=z)", ["x[2, 4]", "z[3, 3]"], lambda x, z: d(x, z, z)[0], d)
    e = nn.MultiheadAttention(4, 2, batch_first=True)
    g.case("attention_lengths", "mask[j < 5] = if j < k then 1 else 0\ny = x -> f: attention(2, mask=mask)",
           ["x[5, 4]", "k: class[6] in 1"],
           lambda x, k: e(x, x, x, key_padding_mask=torch.arange(5)[None] >= k[:, None])[0], e)
    w = nn.MultiheadAttention(4, 2, batch_first=True, kdim=3, vdim=5, bias=False)
    g.case("attention_weights", "y, w = x -> f: attention(2, context=k, content=v, bias=no)", ["x[2, 4]", "k[3, 3]", "v[3, 5]"],
           lambda x, k, v: w(x, k, v), w, outputs="y w")
    o = nn.MultiheadAttention(4, 2, batch_first=True)
    g.case("attention_add", "y = x -> f: attention(2, add=a)", ["x[3, 4]", "a[3, 3]"],
           lambda x, a: o(x, x, x, attn_mask=a.repeat_interleave(2, 0))[0], o)
    v = nn.MultiheadAttention(4, 2, batch_first=True, bias=False)
    g.case("attention_no_bias", "y = x -> f: attention(2, bias=no)", ["x[3, 4]"], lambda x: v(x, x, x)[0], v)
    for first in "no", "yes":
        for activation in "relu", "gelu":
            m = nn.TransformerEncoderLayer(4, 2, 6, 0, activation, batch_first=True, norm_first=first == "yes")
            g.case(f"transformer_encoder_layer_{first}_{activation}",
                   f'y = x -> f: transformer_encoder_layer(2, hidden=6, p=0, norm_first={first}, activation="{activation}")',
                   ["x[3, 4]"], m, m)
        n = nn.TransformerDecoderLayer(4, 2, 5, 0, batch_first=True, norm_first=first == "yes")
        later = torch.ones(3, 3, dtype=bool).triu(1)
        g.case("transformer_decoder_layer_" + first,
               f"y = x -> f: transformer_decoder_layer(z, 2, hidden=5, p=0, norm_first={first})", ["x[3, 4]", "z[2, 4]"],
               lambda x, z: n(x, z, tgt_mask=later), n)

    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, 0, batch_first=True), 2, nn.LayerNorm(4))
    g.case("transformer_encoder", "mask[j < 3] = if j < k then 1 else 0\ny = x -> f: transformer_encoder(2, 2, hidden=6, p=0, mask=mask, norm=yes)",
           ["x[3, 4]", "k: class[4] in 1"],
           lambda x, k: stack(x, src_key_padding_mask=torch.arange(3)[None] >= k[:, None]), stack)
    down = nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 5, 0, batch_first=True), 2)
    g.case("transformer_decoder", "mask[j < 3] = if j < k then 1 else 0\ny = x -> f: transformer_decoder(z, 2, 2, hidden=5, p=0, memory_mask=mask)",
           ["x[3, 4]", "z[3, 4]", "k: class[4] in 1"],
           lambda x, z, k: down(x, z, torch.ones(3, 3, dtype=bool).triu(1),
                                memory_key_padding_mask=torch.arange(3)[None] >= k[:, None]), down)
    whole = nn.Transformer(4, 2, 2, 1, 5, 0, batch_first=True)
    g.case("transformer", "y = x -> f: transformer(z, heads=2, encoders=2, decoders=1, hidden=5, p=0)", ["x[3, 4]", "z[2, 4]"],
           lambda x, z: whole(x, z, tgt_mask=torch.ones(2, 2, dtype=bool).triu(1)), whole)

    class Block(nn.Module):  # GPT-2's, of PyTorch's parts
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(4), nn.LayerNorm(4)
            self.attn = nn.MultiheadAttention(4, 2, batch_first=True)
            self.fc1, self.fc2 = nn.Linear(4, 6), nn.Linear(6, 4)

        def forward(self, x):
            a = self.ln_1(x)
            x = x + self.attn(a, a, a, attn_mask=torch.ones(3, 3, dtype=bool).triu(1))[0]
            return x + self.fc2(F.gelu(self.fc1(self.ln_2(x))))

    t = Block()
    g.case("transformer_block", "y = x -> f: transformer_block(2, causal=yes, hidden=6)", ["x[3, 4]"], t, t)
    angle = torch.arange(3.0)[:, None] * 10000 ** (-2 * torch.arange(2.0) / 4)
    turn = torch.polar(torch.ones(3, 2), angle)

    def rope(x, pairs):  # a pair is a complex number, and turning it a product
        z = torch.complex(x[..., 0::2], x[..., 1::2]) if pairs else torch.complex(x[..., :2], x[..., 2:])
        z = z * turn
        return torch.stack((z.real, z.imag), -1).flatten(-2) if pairs else torch.cat((z.real, z.imag), -1)

    g.case("rope", "y = rope(x)", ["x[2, 3, 4]"], lambda x: rope(x, False))
    g.case("rope_neighbours", "y = rope(x, neighbours=yes)", ["x[2, 3, 4]"], lambda x: rope(x, True))
    both = torch.stack((angle.sin(), angle.cos()), -1).flatten(-2)
    g.case("sinusoidal_positions", "y = sinusoidal_positions(x)", ["x[3, 4]"], lambda x: x + both)
    p = nn.Embedding(5, 4)
    g.case("learned_positions", "y = x -> f: learned_positions(most=5)", ["x[3, 4]"], lambda x: x + p(torch.arange(3)), p)
    g.save(FOLDER)


def losses():
    g = Group("loss")
    x, y = "x[2, 4]", "y[2, 4]"
    names = {"mean": "", "sum": "_sum"}
    for reduction, end in names.items():
        option = "" if reduction == "mean" else f', reduction="{reduction}"'
        r = {"reduction": reduction}

        def two(name, function, options="", case="", inputs=(x, y), grads="x y"):
            g.loss((case or name) + end, f"{name}(x, y{options}{option})", list(inputs), function, grads)

        two("mse", lambda x, y: F.mse_loss(x, y, **r))
        two("l1", lambda x, y: F.l1_loss(x, y, **r))
        two("huber", lambda x, y: F.huber_loss(x, y, delta=0.7, **r), ", delta=0.7")
        two("smooth_l1", lambda x, y: F.smooth_l1_loss(x, y, beta=0.7, **r), ", beta=0.7")
        two("log_cosh", lambda x, y: getattr(torch, reduction)(torch.log(torch.cosh(x - y))))
        two("quantile", lambda x, y: getattr(torch, reduction)(torch.where(y > x, 0.9 * (y - x), 0.1 * (x - y))), ", 0.9")
        p, t = "x[2, 4] in 0..1", "y[2, 4] in 0..1"
        two("bce", lambda x, y: F.binary_cross_entropy(x, y, **r), inputs=(p, t), grads="x")
        w = torch.tensor([1.0, 2, 0.5, 3])
        two("bce", lambda x, y: F.binary_cross_entropy(x, y, w, **r), ", weight=[1, 2, 0.5, 3]", "bce_weight", (p, t), "x")
        two("bce_with_logits", lambda x, y: F.binary_cross_entropy_with_logits(x, y, **r), inputs=(x, t))
        two("bce_with_logits", lambda x, y: F.binary_cross_entropy_with_logits(x, y, w, pos_weight=2 * w, **r),
            ", weight=[1, 2, 0.5, 3], positive=[2, 4, 1, 6]", "bce_with_logits_weight", (x, t), "x")
        k = "y[2]: class[4]"
        for case, options, more in (
                ("", "", {}), ("_smoothing", ", smoothing=0.1", {"label_smoothing": 0.1}),
                ("_weight", ", weight=[1, 2, 0.5, 3]", {"weight": w}), ("_ignore", ", ignore=2", {"ignore_index": 2}),
                ("_all", ", smoothing=0.2, weight=[1, 2, 0.5, 3], ignore=1",
                 {"label_smoothing": 0.2, "weight": w, "ignore_index": 1})):
            two("cross_entropy", lambda x, y: F.cross_entropy(x.flatten(0, 1), y.flatten(), **more, **r), options,
                "cross_entropy" + case, (x, k), "x")
        two("cross_entropy", lambda x, y: F.cross_entropy(x.flatten(0, 1), y.flatten(), w, ignore_index=4, label_smoothing=0.1, **r),
            ", smoothing=0.1, weight=[1, 2, 0.5, 3], ignore=4", "cross_entropy_beyond", (x, "y[2]: class[5]"), "x")
        two("nll", lambda x, y: F.nll_loss(x.flatten(0, 1), y.flatten(), ignore_index=4, **r), ", ignore=4", "nll_beyond",
            (x, "y[2]: class[5]"), "x")
        for case, options, more in (("", "", {}), ("_weight", ", weight=[1, 2, 0.5, 3], ignore=1",
                                                   {"weight": w, "ignore_index": 1})):
            two("nll", lambda x, y: F.nll_loss(x.flatten(0, 1), y.flatten(), **more, **r), options, "nll" + case, (x, k), "x")
        two("soft_cross_entropy", lambda x, y: F.cross_entropy(x.flatten(0, 1), y.flatten(0, 1), **r), inputs=(x, t))
        two("soft_cross_entropy", lambda x, y: F.cross_entropy(x.flatten(0, 1), y.flatten(0, 1), w, label_smoothing=0.1, **r),
            ", smoothing=0.1, weight=[1, 2, 0.5, 3]", "soft_cross_entropy_all", (x, t), "x")
        batch = {"reduction": "batchmean" if reduction == "mean" else "sum"}
        two("kl", lambda x, y: F.kl_div(x, y, **batch), inputs=("x[4]", "y[4] in 0..1"))
        two("kl", lambda x, y: F.kl_div(x, y, log_target=True, **batch), ", log_target=yes", "kl_log", ("x[4]", "y[4]"))
        sign = "where[2, 4]: class[2]"
        for name, function, arguments in (
                ("hinge", lambda x, s: getattr(torch, reduction)(F.relu(1 - x * s)), ""),
                ("soft_margin", lambda x, s: F.soft_margin_loss(x, s, **r), ""),
                ("hinge_embedding", lambda x, s: F.hinge_embedding_loss(x, s, 1.5, **r), ", margin=1.5")):
            g.loss(name + end, f"{name}(x, 2 * where - 1{arguments}{option})", [x, sign],
                   lambda x, where: function(x, 2.0 * where - 1), "x")
        g.loss("margin_ranking" + end, f"margin_ranking(x, y, 2 * where - 1, margin=0.3{option})", [x, y, sign],
               lambda x, y, where: F.margin_ranking_loss(x, y, 2.0 * where - 1, 0.3, **r))
        label = "y: class[4]"
        two("multi_margin", lambda x, y: F.multi_margin_loss(x, y, margin=0.8, **r), ", margin=0.8", "", ("x[4]", label), "x")
        two("multi_margin", lambda x, y: F.multi_margin_loss(x, y, p=2, weight=w, **r), ", p=2, weight=[1, 2, 0.5, 3]",
            "multi_margin_all", ("x[4]", label), "x")

        def there(y):  # the classes that are there, and -1 behind them
            return torch.tensor([[i for i in range(4) if row[i]] + [-1] * int(4 - row.sum()) for row in y])

        two("multilabel_margin", lambda x, y: F.multilabel_margin_loss(x, there(y), **r), "", "",
            ("x[4]", "y[4]: class[2]"), "x")
        two("multilabel_soft_margin", lambda x, y: F.multilabel_soft_margin_loss(x, 1.0 * y, weight=w, **r),
            ", weight=[1, 2, 0.5, 3]", "", ("x[4]", "y[4]: class[2]"), "x")
        count = "y[2, 4]: class[6]"
        two("poisson_nll", lambda x, y: F.poisson_nll_loss(x, 1.0 * y, **r), "", "", (x, count), "x")
        two("poisson_nll", lambda x, y: F.poisson_nll_loss(x, 1.0 * y, log_input=False, full=True, **r),
            ", log_rate=no, full=yes", "poisson_nll_all", ("x[2, 4] in 0..2", count), "x")
        for full in "no", "yes":
            g.loss(f"gaussian_nll_{full}{end}", f"gaussian_nll(x, y, v, full={full}{option})", [x, y, "v[2, 4] in 0.1..2"],
                   lambda x, y, v: F.gaussian_nll_loss(x, y, v, full=full == "yes", **r))

        def focal(x, y):  # torchvision's
            p = torch.sigmoid(x)
            e = F.binary_cross_entropy_with_logits(x, y, reduction="none") * (1 - (p * y + (1 - p) * (1 - y))) ** 2
            return getattr(torch, reduction)((0.25 * y + 0.75 * (1 - y)) * e)

        two("focal", lambda x, y: focal(x, 1.0 * y), "", "", (x, "y[2, 4]: class[2]"), "x")

        def focal_classes(x, y):
            lp = F.log_softmax(x, -1).gather(-1, y[..., None])
            return getattr(torch, reduction)(-(1 - lp.exp()) ** 1.5 * lp)

        v = "a[5]", "b[5]", "c[5]"
        g.loss("triplet_reduced" + end, f"triplet(a, b, c, margin=3{option})", list(v),
               lambda a, b, c: F.triplet_margin_loss(a, b, c, 3, **r))
        g.loss("cosine_embedding_reduced" + end, f"cosine_embedding(a, b, 2 * k - 1, margin=0.1{option})",
               [v[0], v[1], "k: class[2]"], lambda a, b, k: F.cosine_embedding_loss(a, b, 2 * k - 1, 0.1, **r))
        g.loss("ctc_reduced" + end, f"ctc(x, l, label_length=m{option})",
               ["x[6, 4]", "l[3]: class[4] in 1", "m: class[4] in 1"],
               lambda x, l, m: F.ctc_loss(F.log_softmax(x, -1).transpose(0, 1), l, torch.full((ROWS,), 6), m, **r))
        g.loss("masked" + end, f"masked((x - y)^2, k{option})", [x, y, "k[2, 4]: class[2]"],
               lambda x, y, k: getattr(torch, reduction)(((x - y) ** 2)[k == 1]))
        two("focal_cross_entropy", focal_classes, ", gamma=1.5", "", (x, k), "x")

    def per_sample(f):
        return lambda *v: torch.stack([f(*row) for row in zip(*v)]).mean()

    p, t = "x[2, 4] in 0..1", "y[2, 4] in 0..1"
    g.loss("dice", "dice(x, y)", [p, t], per_sample(lambda p, y: 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)))
    g.loss("tversky", "tversky(x, y)", [p, t], per_sample(
        lambda p, y: 1 - ((p * y).sum() + 1) / ((p * y).sum() + 0.3 * (p * (1 - y)).sum() + 0.7 * ((1 - p) * y).sum() + 1)))
    g.loss("jaccard", "jaccard(x, y, smooth=0.5)", [p, t], per_sample(
        lambda p, y: 1 - ((p * y).sum() + 0.5) / (p.sum() + y.sum() - (p * y).sum() + 0.5)))
    g.loss("normal_kl", "normal_kl(x, y)", ["x[4]", "y[4]"], per_sample(
        lambda m, s: torch.distributions.kl_divergence(torch.distributions.Normal(m, (s / 2).exp()),
                                                       torch.distributions.Normal(0, 1)).sum()))
    for head in False, True:
        q = nn.AdaptiveLogSoftmaxWithLoss(8, 9, [2, 5], div_value=2, head_bias=head)
        g.case(f"adaptive_log_softmax_{head}", f"y = x -> f: adaptive_log_softmax(9, (2, 5), div=2, head_bias={'yes' if head else 'no'})",
               ["x[8]"], q.log_prob, q)
    for norm in 1, 2, 3:
        g.case(f"pdist_{norm}", f"y = pdist(x, p={norm})", ["x[5, 3]"], lambda x: torch.stack([F.pdist(a, norm) for a in x]))
    a, b, c = "a[5]", "b[5]", "c[5]"
    g.case("cosine_similarity", "y = cosine_similarity(a, b)", ["a[2, 3]", "b[2, 3]"],
           lambda a, b: F.cosine_similarity(a, b, -1))
    for norm in 1, 2, 3:
        g.case(f"pairwise_distance_{norm}", f"y = pairwise_distance(a, b, p={norm})", ["a[2, 3]", "b[2, 3]"],
               lambda a, b: F.pairwise_distance(a, b, norm))
        g.loss(f"triplet_{norm}", f"triplet(a, b, c, norm={norm}, margin=4, swap={'yes' if norm == 3 else 'no'})", [a, b, c],
               lambda a, b, c: F.triplet_margin_loss(a, b, c, 4, norm, swap=norm == 3))
    g.loss("cosine_embedding", "cosine_embedding(a, b, 2 * k - 1, margin=0.1)", [a, b, "k: class[2]"],
           lambda a, b, k: F.cosine_embedding_loss(a, b, 2 * k - 1, 0.1))
    g.loss("contrastive", "contrastive(a, b, k, margin=6)", [a, b, "k: class[2]"], per_sample(
        lambda a, b, k: k * (a - b).norm() ** 2 + (1 - k) * F.relu(6 - (a - b).norm()) ** 2))
    g.loss("info_nce", "info_nce(a, b, temperature=0.5)", [a, b],
           lambda a, b: F.cross_entropy(F.normalize(a) @ F.normalize(b).T / 0.5, torch.arange(ROWS)))
    g.loss("masked_mean", "masked_mean(x, k)", ["x[5]", "k: class[6] in 1"],
           per_sample(lambda x, k: x[:k].mean()))

    def ctc(x, l, n, m, blank=0, **more):
        return F.ctc_loss(F.log_softmax(x, -1).transpose(0, 1), l, n, m, blank, **more)

    full = torch.full((ROWS,), 6), torch.full((ROWS,), 3)
    g.loss("ctc", "ctc(x, l)", ["x[6, 4]", "l[3]: class[4] in 1"], lambda x, l: ctc(x, l, *full))
    g.loss("ctc_blank", "ctc(x, l, blank=3)", ["x[6, 4]", "l[3]: class[3]"], lambda x, l: ctc(x, l, *full, 3))
    g.loss("ctc_lengths", "ctc(x, l, input_length=n, label_length=m, zero_infinity=yes)",
           ["x[6, 4]", "l[3]: class[4] in 1", "n: class[7] in 4", "m: class[4] in 1"],
           lambda x, l, n, m: ctc(x, l, n, m, zero_infinity=True))
    g.save(FOLDER)


class Part(nn.Module):
    """A network given by its modules and what it does with them."""

    def __init__(self, forward, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.function = forward

    def forward(self, *x):
        return self.function(self, *x)


def networks():
    g = Group("networks")
    g.network("lenet", """c1 = x -> conv1: conv2d(2, 3, pad=1) -> bn1: batchnorm -> relu -> maxpool2d(2)
c2 = c1 -> conv2: conv2d(3, 3) -> bn2: batchnorm -> relu -> avgpool2d(2)
output y = c2 -> flatten -> fc1: dense(4) -> tanh -> fc2: dense(3)
""", ["x[1, 10, 8]"], Part(
        lambda n, x: n.fc2(torch.tanh(n.fc1(F.avg_pool2d(F.relu(n.bn2(n.conv2(
            F.max_pool2d(F.relu(n.bn1(n.conv1(x))), 2)))), 2).flatten(1)))),
        conv1=nn.Conv2d(1, 2, 3, padding=1), bn1=nn.BatchNorm2d(2), conv2=nn.Conv2d(2, 3, 3), bn2=nn.BatchNorm2d(3),
        fc1=nn.Linear(3, 4), fc2=nn.Linear(4, 3)))
    g.network("characters", """e = k -> embedding: embedding(6, 3)
s, h, c = e -> lstm: lstm(4)
r, l = s -> gru: gru(2, bidirectional=yes)
output y = r -> norm: layernorm -> head: dense(6)
""", ["k[5]: class[6]"], Part(
        lambda n, k: n.head(n.norm(n.gru(n.lstm(n.embedding(k))[0])[0])),
        embedding=nn.Embedding(6, 3), lstm=nn.LSTM(3, 4, batch_first=True),
        gru=nn.GRU(4, 2, batch_first=True, bidirectional=True), norm=nn.LayerNorm(4), head=nn.Linear(4, 6)))
    g.network("listener", """c = x -> features: conv1d(4, 3, pad="same", bias=no) -> norm: batchnorm(momentum=none) -> relu
s, h, m = c.T -> memory: lstm(3, layers=2, bidirectional=yes)
a = s -> look: attention(2, context=z) -> form: bilinear(s, 3)
output y = a -> flatten -> "head.0": dense(4) -> "head.1": prelu -> "head.2": dense(2, bias=no)
""", ["x[2, 5]", "z[3, 4]"], Part(
        lambda n, x, z: n.head(n.form(n.look(s := n.memory(F.relu(n.norm(n.features(x))).transpose(1, 2))[0], z, z)[0], s)
                               .flatten(1)),
        features=nn.Conv1d(2, 4, 3, padding="same", bias=False), norm=nn.BatchNorm1d(4, momentum=None),
        memory=nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True),
        look=nn.MultiheadAttention(6, 2, batch_first=True, kdim=4, vdim=4), form=nn.Bilinear(6, 6, 3),
        head=nn.Sequential(nn.Linear(15, 4), nn.PReLU(), nn.Linear(4, 2, bias=False))))
    g.network("transformer", """layer block = transformer_encoder_layer(2, hidden=6, p=0)
m = x -> block
z = z -> inner: dense(4)
output y = z -> cross: transformer_decoder_layer(m, 2, hidden=5, p=0, causal=no) -> out: dense(2)
""", ["x[3, 4]", "z[2, 3]"], Part(
        lambda n, x, z: n.out(n.cross(n.inner(z), n.block(x))),
        block=nn.TransformerEncoderLayer(4, 2, 6, batch_first=True),
        cross=nn.TransformerDecoderLayer(4, 2, 5, batch_first=True), inner=nn.Linear(3, 4), out=nn.Linear(4, 2)))
    g.network("upward", """a = x -> up: conv_transpose2d(4, 2, stride=2) -> norm: groupnorm(2) -> slope: prelu(channels=4)
output y = a -> sides: conv2d(4, 3, pad=1, groups=4) -> inorm: instancenorm(affine=yes) -> out: conv2d(1, 1, bias=no)
""", ["x[2, 2, 3]"], Part(
        lambda n, x: n.out(n.inorm(n.sides(n.slope(n.norm(n.up(x)))))),
        up=nn.ConvTranspose2d(2, 4, 2, 2), norm=nn.GroupNorm(2, 4), slope=nn.PReLU(4),
        sides=nn.Conv2d(4, 4, 3, padding=1, groups=4), inorm=nn.InstanceNorm2d(4, affine=True),
        out=nn.Conv2d(4, 1, 1, bias=False)))
    g.save(FOLDER)


class Written(optim.Optimizer):
    """An optimiser that PyTorch has not, given by what it does to one param: step(w, g, state, t)."""

    def __init__(self, params, rule):
        super().__init__(params, {})
        self.rule = rule

    @torch.no_grad()
    def step(self):
        for w in self.param_groups[0]["params"]:
            state = self.state[w]
            state["t"] = state.get("t", 0) + 1
            w.copy_(self.rule(w, w.grad, state, state["t"]))


def lion(w, g, s, t):
    m = s.get("m", torch.zeros_like(w))
    s["m"] = 0.99 * m + 0.01 * g
    return w * (1 - 0.01 * 0.1) - 0.01 * torch.sign(0.9 * m + 0.1 * g)


def nadam(w, g, s, t):  # PyTorch's of 1.13 multiplies the running product of mu twice by mu; 2.0 has it right
    g = g + 0.1 * w
    mu, after = (0.9 * (1 - 0.5 * 0.96 ** (k * 4e-3)) for k in (t, t + 1))
    s["p"] = s.get("p", 1) * mu
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g ** 2
    root = (s["v"] / (1 - 0.999 ** t)).sqrt() + 1e-8
    return w - 0.05 * ((1 - mu) / (1 - s["p"]) * g + after / (1 - s["p"] * after) * s["m"]) / root


def lamb(w, g, s, t):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g ** 2
    u = s["m"] / (1 - 0.9 ** t) / ((s["v"] / (1 - 0.999 ** t)).sqrt() + 1e-6) + 0.01 * w
    return w - 0.05 * w.norm() / u.norm() * u


def optimizers():
    g = Group("optimizer")
    for name, rule, make in (
            ("sgd", "sgd(lr=0.1)", lambda p: optim.SGD(p, 0.1)),
            ("sgd_momentum", "sgd(lr=0.1, momentum=0.9, dampening=0.3)", lambda p: optim.SGD(p, 0.1, 0.9, 0.3)),
            ("sgd_nesterov", "sgd(lr=0.1, momentum=0.8, decay=0.1, nesterov=yes)",
             lambda p: optim.SGD(p, 0.1, 0.8, 0, 0.1, True)),
            ("adam", "adam(lr=0.05)", lambda p: optim.Adam(p, 0.05)),
            ("adam_amsgrad", "adam(lr=0.05, beta1=0.8, beta2=0.95, decay=0.1, amsgrad=yes)",
             lambda p: optim.Adam(p, 0.05, (0.8, 0.95), weight_decay=0.1, amsgrad=True)),
            ("adamw", "adamw(lr=0.05, decay=0.2)", lambda p: optim.AdamW(p, 0.05, weight_decay=0.2)),
            ("adamw_amsgrad", "adamw(lr=0.05, beta2=0.9, amsgrad=yes)",
             lambda p: optim.AdamW(p, 0.05, (0.9, 0.9), amsgrad=True)),
            ("adamax", "adamax(lr=0.05, decay=0.1)", lambda p: optim.Adamax(p, 0.05, weight_decay=0.1)),
            ("nadam", "nadam(lr=0.05, decay=0.1)", lambda p: Written(p, nadam)),
            ("radam", "radam(lr=0.05, decay=0.1)", lambda p: optim.RAdam(p, 0.05, weight_decay=0.1)),
            ("radam_early", "radam(lr=0.05, beta2=0.9)", lambda p: optim.RAdam(p, 0.05, (0.9, 0.9))),
            ("rmsprop", "rmsprop(lr=0.02, decay=0.1)", lambda p: optim.RMSprop(p, 0.02, weight_decay=0.1)),
            ("rmsprop_all", "rmsprop(lr=0.02, alpha=0.9, momentum=0.5, centered=yes)",
             lambda p: optim.RMSprop(p, 0.02, 0.9, momentum=0.5, centered=True)),
            ("adagrad", "adagrad(lr=0.1, lr_decay=0.1, decay=0.1, start=0.5)",
             lambda p: optim.Adagrad(p, 0.1, 0.1, 0.1, 0.5)),
            ("adadelta", "adadelta(lr=2, rho=0.8, decay=0.1)", lambda p: optim.Adadelta(p, 2, 0.8, weight_decay=0.1)),
            ("rprop", "rprop(lr=0.02, down=0.4, up=1.3, most=0.1)",
             lambda p: optim.Rprop(p, 0.02, (0.4, 1.3), (1e-6, 0.1))),
            ("averaged_sgd", "averaged_sgd(lr=0.1, lambda=0.05, power=0.5, decay=0.1)",
             lambda p: optim.ASGD(p, 0.1, 0.05, 0.5, weight_decay=0.1)),
            ("lion", "lion(lr=0.01, decay=0.1)", lambda p: Written(p, lion)),
            ("lamb", "lamb(lr=0.05)", lambda p: Written(p, lamb))):
        g.train(name, rule, make)
    S = optim.lr_scheduler
    for name, rate, every, make in (
            ("step_decay", "step_decay(0.2, every=3, gamma=0.5)", 2, lambda o: S.StepLR(o, 3, 0.5)),
            ("multi_step", "multi_step(0.2, [2, 3, 7], gamma=0.5)", 2, lambda o: S.MultiStepLR(o, [2, 3, 7], 0.5)),
            ("constant_rate", "constant_rate(0.2, factor=0.25, total=3)", 2, lambda o: S.ConstantLR(o, 0.25, 3)),
            ("linear", "linear(0.2, start=0.2, end=0.7, total=6)", 2, lambda o: S.LinearLR(o, 0.2, 0.7, 6)),
            ("exponential", "exponential(0.2, 0.8)", 2, lambda o: S.ExponentialLR(o, 0.8)),
            ("cosine", "cosine(0.2, total=20, least=0.01)", None, lambda o: S.CosineAnnealingLR(o, 20, 0.01)),
            ("cosine_restarts", "cosine_restarts(0.2, 6, least=0.01)", None,
             lambda o: S.CosineAnnealingWarmRestarts(o, 6, 1, 0.01)),
            ("cosine_restarts_grow", "cosine_restarts(0.2, 3, grow=2)", None,
             lambda o: S.CosineAnnealingWarmRestarts(o, 3, 2)),
            ("polynomial", "polynomial(0.2, 15, power=2)", None, lambda o: S.PolynomialLR(o, 15, 2)),
            ("one_cycle", "one_cycle(0.2, total=20)", None, lambda o: S.OneCycleLR(o, 0.2, 20, cycle_momentum=False)),
            ("one_cycle_lines", "one_cycle(0.2, total=20, rise=0.4, start=10, end=100, lines=yes)", None,
             lambda o: S.OneCycleLR(o, 0.2, 20, pct_start=0.4, anneal_strategy="linear", cycle_momentum=False,
                                    div_factor=10, final_div_factor=100)),
            ("cyclic", "cyclic(0.2, base=0.02, up=4, down=3)", None,
             lambda o: S.CyclicLR(o, 0.02, 0.2, 4, 3, cycle_momentum=False)),
            ("cyclic_triangular2", "cyclic(0.2, base=0.02, up=4, factor=0.5)", None,
             lambda o: S.CyclicLR(o, 0.02, 0.2, 4, mode="triangular2", cycle_momentum=False)),
            ("one_cycle_three", "one_cycle(0.2, total=20, rise=0.3, start=10, end=50, phases=3)", None,
             lambda o: S.OneCycleLR(o, 0.2, 20, cycle_momentum=False, three_phase=True, div_factor=10, final_div_factor=50)),
            ("cyclic_exp_range", "cyclic(0.2, base=0.02, up=4, gamma=0.9)", None,
             lambda o: S.CyclicLR(o, 0.02, 0.2, 4, mode="exp_range", gamma=0.9, cycle_momentum=False)),
            ("two_schedules", "(if epoch < 4 then linear(0.2, start=0.5, total=4) else 0.2 * 0.8^(epoch - 4))", 2,
             lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.5, 1, 4), S.ExponentialLR(o, 0.8)], [4])),
            ("warmup", "warmup(0.2, 7)", None, lambda o: S.LambdaLR(o, lambda t: min((t + 1) / 7, 1))),
            ("inverse_root", "inverse_root(0.2, 7)", None,
             lambda o: S.LambdaLR(o, lambda t: 7 ** 0.5 * min((t + 1) ** -0.5, (t + 1) * 7 ** -1.5)))):
        g.train(name, f"sgd(lr={rate})", lambda p: optim.SGD(p, 0.2), 20, every, make)
    losses = [3, 2, 2.1, 1.99, 2, 2, 1.5, 1.499, 1.6, 1.7]
    for name, options, more in (
            ("plateau", "factor=0.5, patience=1", {"factor": 0.5, "patience": 1}),
            ("plateau_all", "factor=0.3, patience=0, threshold=0.1, cooldown=2, least=0.02",
             {"factor": 0.3, "patience": 0, "threshold": 0.1, "cooldown": 2, "min_lr": 0.02})):
        g.train(name, f"sgd(lr=reduce_on_plateau(0.2, {options}))", lambda p: optim.SGD(p, 0.2), 20, 2,
                lambda o: S.ReduceLROnPlateau(o, **more), losses)
    g.train("clip", "sgd(lr=0.1) clip=0.2", lambda p: Clipped(p, 0.1), 20)
    g.save(FOLDER)


# What is no formula, or has no meaning here: containers, devices, lazy shapes; nn.md says why of the last three.
LEFT_OUT = ("""Container DataParallel Identity Module ModuleDict ModuleList Parameter ParameterDict ParameterList RNNBase RNNCellBase
    SyncBatchNorm Sequential UninitializedBuffer UninitializedParameter NLLLoss2d Optimizer Counter
    EPOCH_DEPRECATION_WARNING Tensor SparseAdam LBFGS""").split()


def missing():
    """The names of PyTorch's modules, rules, schedules and initialisers that no documentation of the library has."""
    library = os.path.join(FOLDER, "../../grammar/std")
    text = " ".join(open(os.path.join(library, f)).read() for f in os.listdir(library))
    names = [n for m in (nn, optim, optim.lr_scheduler) for n in dir(m) if n[0].isupper() and not n.startswith("Lazy")]
    names += [n for n in dir(nn.init) if n.endswith("_") and n[0] != "_"]
    return sorted(set(names) - set(re.findall(r"\w+", text)) - set(LEFT_OUT))


class Clipped(optim.SGD):
    def step(self):
        nn.utils.clip_grad_norm_(self.param_groups[0]["params"], 0.2)
        super().step()


if __name__ == "__main__":
    torch.manual_seed(1)
    for make in (activations, linear, convolutions, pooling, shapes, norms, recurrences, attentions, losses, optimizers,
                 networks):
        make()
    assert not missing(), missing()
