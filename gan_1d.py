"""The smallest GAN: uniform noise goes in, normally distributed numbers come out (TensorFlow 1.x).

    python gan_1d.py                        # the article's training run; results: outputs/latest
    python gan_1d.py --recipe recommended   # settings under which G does learn its target
    python gan_1d.py --help                 # all settings; what changes the algorithm is off

A generator G, a small tanh network, turns uniform noise z into numbers. A discriminator D, another
small network, estimates the probability that a number is real, drawn from N(mu, sigma). D learns to
tell real numbers from generated ones, and G to fool D; in the end, D(x) and D(G(z)) are both near
0.5. That does not show that G has learned the distribution: its distance to it is measured
separately.

How to read this file: the sections "data", "networks", "objectives and optimizers" and "the graph"
are the article's script, part by part, and `GAN.main_loop` is its loop; "a training run" feeds it.
Everything below that (what came out, pictures, files, the command line) can be skipped.
"The article" is a Chinese tutorial based on Eric Jang's 1-D GAN tutorial of 2016; "the paper" is
Goodfellow et al., Generative Adversarial Nets, 2014, arXiv 1406.2661.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import errno
import gc
import io
import json
import logging
import math
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

if __name__ != "__main__":  # the command imports TensorFlow at the end, with its messages hidden
    import tensorflow.compat.v1 as tf

Tensor = "tf.Tensor"  # as text, since the command imports TensorFlow later


# --------------------------------------------------------------------------------------- settings
def setting(default: Any, text: str, *allowed: Any) -> Any:
    """Make a field of `Settings`: help text, then the allowed names or the minimum and maximum."""
    return dataclasses.field(default=default, metadata={"help": text, "allowed": allowed})


INITS = ("normal", "truncated_normal", "glorot_uniform", "fan_in", "classic")


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that a run depends on; where the article gives a value, it is the default.

    Raises ValueError with the flag, the value and what is allowed; see `check_settings`.
    """

    epoch: int = setting(10_000, "iterations: D's steps, then one of G's", 1, 10**9)
    size: int = setting(200, "samples in a batch", 1, 5 * 10**6)
    hidden_size: int = setting(6, "units in each hidden layer", 1, 1024)
    hidden_size_g: int | None = setting(None, "those of G, if different", 1, 1024)
    d_steps: int = setting(2, "discriminator steps in an iteration", 1, 1000)
    low: float = setting(-1.0, "lower end of the uniform noise", -1e30, 1e30)
    high: float = setting(1.0, "upper end of the uniform noise", -1e30, 1e30)
    noise: str = setting("uniform", "independent or evenly spaced noise", "uniform", "stratified")
    mu: float = setting(-1.0, "mean of the real data", -1e30, 1e30)
    sigma: float = setting(1.0, "standard deviation of the real data", 1e-30, 1e30)
    output_scale: float = setting(5.0, "G's output lies within plus and minus this", 1e-30, 1e31)
    init: str = setting("normal", "initial weights; fan_in also draws the biases", *INITS)
    optimizer: str = setting("momentum", "optimizer of both networks", "momentum", "sgd", "adam")
    learning_rate: float = setting(0.01, "initial learning rate", 1e-30, 1e30)
    learning_rate_g: float | None = setting(None, "G's initial rate, if different", 1e-30, 1e30)
    momentum: float = setting(0.6, "momentum, for --optimizer momentum", 0, 0.999999)
    beta1: float = setting(0.9, "Adam's decay rate of the mean gradient", 0, 0.999999)
    decay_rate: float = setting(0.95, "learning rates' factor per epoch // 4 steps", 1e-6, 1)
    pretrain: int = setting(0, "iterations that train D alone, before the others", 0, 10**9)
    r1_gamma: float = setting(0.0, "weight of the R1 penalty on D's slope at real data", 0, 1e30)
    ema_decay: float = setting(0.0, "decay of an average of G's weights; 0: none", 0, 0.999999)
    seed: int = setting(0, "seed of all random draws", 0, 2**32 - 1)
    runs: int = setting(1, "number of seeds to train, from --seed up, and compare", 1, 10**6)
    jobs: int = setting(0, "with --runs: seeds trained at once; 0: one on each core", 0, 1024)
    log_every: int = setting(100, "iterations between printed lines", 1, 10**9)
    print_pairs: bool = setting(False, "print what the article prints: each sample's D1 and D2")
    xla: bool = setting(True, "compile the training loop with XLA")
    plots: bool = setting(True, "draw pictures")
    animate: bool = setting(False, "also write training.gif and training.html")
    tensorboard: bool = setting(False, "also write TensorBoard events, as it trains")
    saved_model: bool = setting(False, "also write both networks as a TensorFlow SavedModel")
    output_dir: str = setting("outputs/latest", "folder for the results; see below")
    checkpoint_every: int = setting(2_500, "iterations between checkpoints", 1, 10**9)
    overwrite: bool = setting(False, "replace the unfinished run in --output-dir")

    def __post_init__(self) -> None:
        check_settings(self)


# ------------------------------------------------------------------------------------------- data
class GenDataLoader:
    """The generator's noise: uniform draws, or "stratified", even spaces plus jitter up to 0.01."""

    def __init__(
        self, size: int = 200, low: float = -1, high: float = 1, rng: Any = None, noise="uniform"
    ):
        self.size = size
        self.low = low
        self.high = high
        self.rng = rng or np.random.default_rng()
        self.noise = noise

    def next_batch(self) -> np.ndarray:
        """Draw a batch, float32, (size, 1)."""
        return self.next_batches(1)[0]

    def next_batches(self, count: int) -> np.ndarray:
        """Draw what `count` calls of `next_batch` would give, float32, (count, size, 1)."""
        z = self.rng.random((count, self.size, 1), dtype=np.float32)
        if self.noise == "uniform":
            return z * np.float32(self.high - self.low) + np.float32(self.low)
        if self.noise == "stratified":
            points = np.linspace(self.low, self.high, self.size, dtype=np.float32)
            return points[:, None] + z * np.float32(0.01)
        raise ValueError(f"noise {self.noise!r}: must be uniform or stratified")

    def quantiles(self, points: int) -> np.ndarray:
        """Return evenly spaced quantiles of the noise, without jitter, float64, (points, 1)."""
        if self.noise not in ("uniform", "stratified"):
            raise ValueError(f"noise {self.noise!r}: its quantiles are not known")
        levels = (np.arange(points)[:, None] + 0.5) / points
        return self.low + (self.high - self.low) * levels


class RealDataLoader:
    """The real data: independent draws from N(mu, sigma)."""

    def __init__(self, size: int = 200, mu: float = -1, sigma: float = 1, rng: Any = None):
        self.size = size
        self.mu = mu
        self.sigma = sigma
        self.rng = rng or np.random.default_rng()

    def next_batch(self) -> np.ndarray:
        """Draw a batch, float32, (size, 1)."""
        return self.next_batches(1)[0]

    def next_batches(self, count: int) -> np.ndarray:
        """Draw what `count` calls of `next_batch` would give, float32, (count, size, 1)."""
        data = self.rng.standard_normal((count, self.size, 1), dtype=np.float32)
        return data * np.float32(self.sigma) + np.float32(self.mu)


def data_loaders(settings: Settings, size: int, rng: Any) -> tuple[RealDataLoader, GenDataLoader]:
    """Make the loaders of a run, for batches of `size`, which draw from `rng`."""
    real_data_load = RealDataLoader(size, settings.mu, settings.sigma, rng)
    gen_data_load = GenDataLoader(size, settings.low, settings.high, rng, settings.noise)
    return real_data_load, gen_data_load


# --------------------------------------------------------------------------------------- networks
def weight_variable(shape: list[int], name: str, init="normal", seed: Any = 0) -> tf.Variable:
    """Get or create the weights `name`, (inputs, outputs); the seed sets their initial values.

    The article does not show its own. "normal", with standard deviation 1, is from the tutorial it
    is based on; "classic" is from TensorFlow's tutorials; "glorot_uniform" is from Glorot and
    Bengio 2010, equation 16; "fan_in" is what PyTorch's linear layers use, biases included.
    """
    inputs, outputs = shape
    glorot = math.sqrt(6 / (inputs + outputs))
    fan_in = 1 / math.sqrt(inputs)
    draw = {
        "normal": tf.random.stateless_normal,
        "truncated_normal": tf.random.stateless_truncated_normal,
        "glorot_uniform": partial(tf.random.stateless_uniform, minval=-glorot, maxval=glorot),
        "fan_in": partial(tf.random.stateless_uniform, minval=-fan_in, maxval=fan_in),
        "classic": partial(tf.random.stateless_truncated_normal, stddev=0.1),
    }
    return random_variable(shape, name, draw[init], seed)


def bias_variable(
    shape: list[int], name: str, init="normal", seed: Any = 0, inputs: int = 1
) -> tf.Variable:
    """Get or create the biases `name`, (1, outputs): zeros, or 0.1 for "classic".

    With "fan_in" they are drawn like the weights of a layer with this many inputs.
    """
    if init == "fan_in":
        fan_in = 1 / math.sqrt(inputs)
        draw = partial(tf.random.stateless_uniform, minval=-fan_in, maxval=fan_in)
        return random_variable(shape, name, draw, seed)
    initializer = tf.constant_initializer(0.1 if init == "classic" else 0.0)
    return tf.get_variable(name, shape, tf.float32, initializer, use_resource=True)


def random_variable(shape: list[int], name: str, draw: Callable, seed: Any) -> tf.Variable:
    """Get or create a variable; `draw` gets the seed and a number made from its name."""
    key = zlib.crc32(f"{tf.get_variable_scope().name}/{name}".encode())

    def initializer(shape: list[int], dtype: tf.DType, **_: Any) -> Tensor:
        return draw(shape, seed=tf.stack([tf.cast(seed, tf.int64), key]), dtype=dtype)

    return tf.get_variable(name, shape, tf.float32, initializer, use_resource=True)


def dense(inputs: Tensor, shape: list[int], layer: int, init: str, seed: Any) -> tuple:
    """Build layer `layer`; return its values before the activation, and [weight, bias].

    A row of `inputs` and of the result holds one unit's values for the whole batch: the article's
    matmul(inputs, weight) + bias, transposed. XLA's loop is a third faster this way round.
    """
    weight = weight_variable(shape, f"weight{layer}", init, seed)
    bias = bias_variable([1, shape[1]], f"bias{layer}", init, seed, shape[0])
    return tf.matmul(weight, inputs, transpose_a=True) + tf.transpose(bias), [weight, bias]


def mlp(inputs: Tensor, sizes: list[int], init="normal", seed: Any = 0) -> tuple[Tensor, list]:
    """Build three dense layers, tanh after the first two: (batch, sizes[0]) to (batch, sizes[3]).

    Returns the values of the last one, and the variables.
    """
    frac1, first = dense(tf.transpose(inputs), sizes[0:2], 1, init, seed)
    frac2, second = dense(tf.tanh(frac1), sizes[1:3], 2, init, seed)
    frac3, third = dense(tf.tanh(frac2), sizes[2:4], 3, init, seed)
    return tf.transpose(frac3), first + second + third


class Generator:
    """G (the article): noise (batch, input_size) to numbers (batch, output_size).

    tanh, tanh, tanh times `output_scale`, 5 in the article. Its variables are in scope `generator`;
    `frac`, the article's name, is the output.
    """

    def __init__(
        self, inputs, input_size=1, hidden_size=6, output_size=1, output_scale=5, **start: Any
    ):
        with tf.variable_scope("generator", reuse=tf.AUTO_REUSE):
            sizes = [input_size, hidden_size, hidden_size, output_size]
            frac3, self.var_list = mlp(inputs, sizes, **start)
            self.frac = tf.multiply(tf.tanh(frac3, name="frac3"), output_scale)

    def get_param(self) -> tuple[Tensor, list[tf.Variable]]:
        """Return the output and the variables: weight1, bias1, ..., weight3, bias3."""
        return self.frac, self.var_list


class Discriminator:
    """D (the article): numbers (batch, input_size) to the probability (batch, 1) of being real.

    tanh, tanh, sigmoid. Its variables, in scope `discriminator`, serve all of its uses.
    """

    def __init__(self, inputs, input_size=1, hidden_size=6, **start: Any):
        with tf.variable_scope("discriminator", reuse=tf.AUTO_REUSE):
            sizes = [input_size, hidden_size, hidden_size, 1]
            self.logit, self.var_list = mlp(inputs, sizes, **start)
            self.frac = tf.sigmoid(self.logit, name="frac3")

    def get_param(self) -> tuple[Tensor, list[tf.Variable]]:
        """Return the output and the variables: weight1, bias1, ..., weight3, bias3."""
        return self.frac, self.var_list


# ---------------------------------------------------------------------- objectives and optimizers
# Computed from D, tf.log(D) is infinite once the sigmoid rounds to 0, and tf.log(1 - D) once it
# rounds to 1; training then turns to NaN. Computed from the logits, the same values stay finite:
# log D = -softplus(-logit), and log(1 - D) = -softplus(logit).
def objective_d(discriminator1: Discriminator, discriminator2: Discriminator) -> Tensor:
    """Return loss_d = mean(log D1 + log(1 - D2)), which D maximises (the paper, equation 1)."""
    log_D1 = -tf.nn.softplus(-discriminator1.logit)
    log_not_D2 = -tf.nn.softplus(discriminator2.logit)
    return tf.reduce_mean(log_D1 + log_not_D2, name="loss_d")


def objective_g(discriminator2: Discriminator) -> Tensor:
    """Return loss_g = mean(log D2), which G maximises.

    The paper, section 3: early in training its gradient is stronger than that of -log(1 - D2).
    """
    log_D2 = -tf.nn.softplus(-discriminator2.logit)
    return tf.reduce_mean(log_D2, name="loss_g")


def r1_penalty(discriminator1: Discriminator, x: Tensor, r1_gamma: float) -> Tensor:
    """Return r1_gamma / 2 * mean(squared slope of D's logit at the real data x).

    Mescheder et al., Which Training Methods for GANs do actually Converge?, 2018, equation 9.
    """
    (slope,) = tf.gradients(discriminator1.logit, x)
    return r1_gamma / 2 * tf.reduce_mean(tf.square(slope))


class Optimizer:
    """Takes one network's training steps, with a learning rate that decays as they add up.

    `minimize` may be called several times, in the graph and inside a `tf.function`; all its steps
    share one step counter, `batch`, and one momentum. The first call must be in the graph itself.
    """

    def __init__(self, var_list: list[tf.Variable], learning_rate: float, settings: Settings):
        self.var_list = var_list
        self.learning_rate = learning_rate
        self.epoch = settings.epoch
        self.decay_rate = settings.decay_rate
        self.batch = tf.Variable(0, False, name="batch", dtype=tf.int64, use_resource=True)
        kinds = {
            "momentum": partial(tf.train.MomentumOptimizer, momentum=settings.momentum),
            "sgd": tf.train.GradientDescentOptimizer,
            "adam": partial(tf.train.AdamOptimizer, beta1=settings.beta1),
        }
        self.optimizer = kinds[settings.optimizer](self.rate)

    def rate(self, steps_ago: int = 0) -> Tensor:
        """Return the learning rate of the next step, or of an earlier one: it falls in steps."""
        interval = max(1, self.epoch // 4)  # 0 would make the rate NaN
        return tf.train.exponential_decay(
            self.learning_rate, self.batch - steps_ago, interval, self.decay_rate, staircase=True
        )

    def minimize(self, loss: Tensor) -> tf.Operation:
        """Make the op that takes a step down the loss."""
        return self.optimizer.minimize(loss, global_step=self.batch, var_list=self.var_list)


def momentum_optimizer(loss: Tensor, var_list: list, epoch: int = 10_000) -> tf.Operation:
    """Make the op of a momentum step, with a counter of its own; the article's script calls it.

    Give `epoch` if you train for another number of iterations: the rate, at first 0.01, is
    multiplied by 0.95 after each epoch // 4 steps.
    """
    settings = Settings(epoch=epoch)
    return Optimizer(var_list, settings.learning_rate, settings).minimize(loss)


# -------------------------------------------------------------------------------------- the graph
BLOCK_ITERATIONS = 100  # iterations whose batches are drawn and fed together,
BLOCK_BYTES = 1 << 24  # or fewer, so that they take at most this many bytes
UNROLLED = 5  # without XLA, up to this many discriminator steps are faster unrolled

# XLA turns a loop that handles fewer bytes than this in an iteration, as the article's does, into a
# single function, which runs in one thread: several seeds then train side by side. With wider
# layers, a loop is above this limit, since one thread would make it slower. At optimization level
# 2, it is compiled in half the time that XLA's usual level 3 takes, to code that is as fast.
XLA_FLAGS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=600000 "
XLA_FLAGS += "--xla_backend_optimization_level=2"


class GAN:
    """The article's graph, and its training loop as a single op, built from the same steps.

    | name | shape | meaning |
    | --- | --- | --- |
    | x_node, z_node | (batch, 1) | real data and noise, float32 |
    | G, D1, D2 | (batch, 1) | G(z), D(x), D(G(z)); also the tensors' names |
    | loss_d, loss_g | () | what D and G maximise; also the tensors' names |
    | theta_g, theta_d | 6 variables each | weight1, bias1, ..., weight3, bias3 |
    | train_op_d, train_op_g | | take a step of D, a step of G |
    | init, seed_node | | set all variables to their initial values, which depend on the seed |
    | loop, pretraining | see `look` | run iterations start to stop - 1 of a block |
    | x_block | (block, d_steps, size, 1) | real data for a block of iterations |
    | z_block | (block, d_steps + 1, size, 1) | noise for them; the last batch is for G's step |
    | sampled, theta_sampled | as G, theta_g | G; with `ema_decay`, G with averaged weights |
    """

    def __init__(self, settings: Settings | None = None):
        self.settings = settings or Settings()
        self.graph = tf.Graph()
        with self.graph.as_default(), tf.xla.experimental.jit_scope(False):  # ignore TF_XLA_FLAGS
            self.build_article()
            self.build_loops()
            self.build_sampling()
            self.saver = tf.train.Saver(max_to_keep=None)

    def build_article(self) -> None:
        """Build everything that comes before the training loop in the article."""
        settings = self.settings

        # Inputs
        self.x_node = tf.placeholder(tf.float32, (None, 1), "x_node")
        self.z_node = tf.placeholder(tf.float32, (None, 1), "z_node")
        self.seed_node = tf.placeholder_with_default(np.int64(settings.seed), (), "seed_node")

        # Networks and objectives
        units = settings.hidden_size_g or settings.hidden_size
        start = {"init": settings.init, "seed": self.seed_node}
        scale = settings.output_scale
        self.generator = partial(Generator, hidden_size=units, output_scale=scale, **start)
        self.discriminator = partial(Discriminator, hidden_size=settings.hidden_size, **start)
        G, self.theta_g = self.generator(self.z_node).get_param()
        self.G = tf.identity(G, "G")
        discriminator1 = self.discriminator(self.x_node)
        discriminator2 = self.discriminator(self.G)
        D1, self.theta_d = discriminator1.get_param()
        D2, _ = discriminator2.get_param()
        self.D1 = tf.identity(D1, "D1")
        self.D2 = tf.identity(D2, "D2")
        self.loss_d = objective_d(discriminator1, discriminator2)
        self.loss_g = objective_g(discriminator2)

        # Optimizers
        rate_g = settings.learning_rate_g or settings.learning_rate
        self.optimizer_d = Optimizer(self.theta_d, settings.learning_rate, settings)
        self.optimizer_g = Optimizer(self.theta_g, rate_g, settings)
        self.average = tf.train.ExponentialMovingAverage(settings.ema_decay)
        with tf.name_scope("train_op_d"):
            self.train_op_d = self.train_discriminator(self.x_node, self.z_node)
        with tf.name_scope("train_op_g"):
            self.train_op_g = self.train_generator(self.z_node)

    def train_discriminator(self, x: Tensor, z: Tensor) -> tf.Operation:
        """Build D's step on real data x and noise z: maximise loss_d, less any R1 penalty."""
        discriminator1 = self.discriminator(x)
        discriminator2 = self.discriminator(self.generator(z).frac)
        cost_d = 1 - objective_d(discriminator1, discriminator2)  # the article's, to minimise
        if self.settings.r1_gamma:
            cost_d += r1_penalty(discriminator1, x, self.settings.r1_gamma)
        return self.optimizer_d.minimize(cost_d)

    def train_generator(self, z: Tensor) -> tf.Operation:
        """Build G's step on noise z: maximise loss_g; then update the average, if there is one."""
        discriminator2 = self.discriminator(self.generator(z).frac)
        step = self.optimizer_g.minimize(1 - objective_g(discriminator2))
        if not self.settings.ema_decay:
            return step
        with tf.control_dependencies([step]):
            return self.average.apply(self.theta_g)

    def main_loop(self, x: Tensor, z: Tensor, start: Tensor, stop: Tensor, train_g: bool) -> tuple:
        """Train for the iterations start to stop - 1 of a block: the article's loop.

        Python runs this only to build the graph: AutoGraph turns `for` and `if` into ops, and
        TensorFlow runs the steps in the order written. Returns `look` at the last iteration.
        """
        seen = tf.zeros_like(x[0, 0]), tf.zeros_like(x[0, 0]), 0.0, 0.0, 0.0, 0.0  # nothing yet
        for i in tf.range(self.block_length):
            # Not tf.range(start, stop): XLA would compile the loop anew for every pair of them
            if tf.logical_and(start <= i, i < stop):
                for j in self.d_steps():
                    self.train_discriminator(x[i, j], z[i, j])
                if tf.equal(i, stop - 1):
                    seen = self.look(x[i, -1], z[i, -2])  # the article prints D1 and D2 here
                if train_g:  # pre-training is the same loop without G's steps
                    self.train_generator(z[i, -1])
        return seen

    def d_steps(self) -> range | Tensor:
        """Return the numbers of an iteration's D steps; AutoGraph unrolls a Python range."""
        count = self.settings.d_steps
        return tf.range(count) if self.settings.xla or count > UNROLLED else range(count)

    def look(self, x: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        """Return D1, D2, loss_d, loss_g, the rate of D's last step and that of G's next step."""
        discriminator1 = self.discriminator(x)
        discriminator2 = self.discriminator(self.generator(z).frac)
        loss_d, loss_g = objective_d(discriminator1, discriminator2), objective_g(discriminator2)
        rates = self.optimizer_d.rate(steps_ago=1), self.optimizer_g.rate()
        return discriminator1.frac, discriminator2.frac, loss_d, loss_g, *rates

    def build_loops(self) -> None:
        """Build the ops that run many iterations in one call."""
        d_steps, size = self.settings.d_steps, self.settings.size
        most = BLOCK_BYTES // (4 * size * (2 * d_steps + 1))
        block = self.block_length = max(1, min(BLOCK_ITERATIONS, most))
        self.x_block = tf.placeholder(tf.float32, (block, d_steps, size, 1), "x_block")
        self.z_block = tf.placeholder(tf.float32, (block, d_steps + 1, size, 1), "z_block")
        self.start = tf.placeholder(tf.int32, (), "start")
        self.stop = tf.placeholder(tf.int32, (), "stop")
        self.loop = self.compiled(train_g=True)
        self.pretraining = self.loop  # the same, unless there is any
        if self.settings.pretrain:
            self.pretraining = self.compiled(train_g=False)
            self.restart_d = self.optimizer_d.batch.initializer

    def compiled(self, train_g: bool) -> tuple[Tensor, ...]:
        """Return the outputs of an op that runs the main loop.

        A training step takes microseconds, a `Session.run` call a good part of a millisecond: that
        is why the loop belongs in the graph. With `jit_compile`, XLA compiles it to machine code.
        """
        inputs = self.x_block, self.z_block, self.start, self.stop
        xla = self.settings.xla and tf.test.is_built_with_xla()
        if xla:
            os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)  # read once, when XLA first compiles
        loop = tf.autograph.to_graph(self.main_loop, recursive=False)  # its callees have no loops
        loop = partial(loop, self, train_g=train_g)
        function = tf.function(loop, autograph=False, jit_compile=xla)
        return function.get_concrete_function(*inputs)(*inputs)

    def build_sampling(self) -> None:
        """Build the G to sample from, and the op that sets all variables to initial values."""
        self.sampled, self.theta_sampled = self.G, self.theta_g
        self.init = tf.global_variables_initializer()
        if self.settings.ema_decay:
            with tf.variable_scope("", custom_getter=self.get_average):
                self.sampled, self.theta_sampled = self.generator(self.z_node).get_param()
            with tf.control_dependencies([self.init]):
                pairs = zip(self.theta_sampled, self.theta_g, strict=True)
                self.init = tf.group([mean.assign(value.read_value()) for mean, value in pairs])

    def get_average(self, getter: Callable, *args: Any, **kwargs: Any) -> tf.Variable:
        """Return a variable's average in its place."""
        return self.average.average(getter(*args, **kwargs))

    def session(self) -> tf.Session:
        """Open a session. A GPU, threads and graph optimization would cost more than they save."""
        config = tf.ConfigProto(device_count={"GPU": 0})
        config.experimental.executor_type = "SINGLE_THREADED_EXECUTOR"
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        return tf.Session(graph=self.graph, config=config)


# --------------------------------------------------------------------------------- a training run
def draw_block(settings: Settings, block: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the batches for block number `block`, of `count` iterations: see GAN's x_block, z_block.

    They depend on the settings and these two numbers alone, so a run can be continued anywhere.
    """
    rng = np.random.default_rng([settings.seed, block % 2**32])  # pre-training's are below 0
    real_data_load, gen_data_load = data_loaders(settings, settings.size, rng)
    x = real_data_load.next_batches(count * settings.d_steps)
    z = gen_data_load.next_batches(count * (settings.d_steps + 1))
    return x.reshape(count, -1, settings.size, 1), z.reshape(count, -1, settings.size, 1)


def train(
    settings: Settings | None = None, log: Callable | None = None, keeper: Stopper | None = None
) -> Result:
    """Train a GAN and evaluate it. On one machine, the same settings give the same numbers.

    That holds unless XLA_FLAGS is set, or XLA was used for something else before.

    At each logged iteration, `log` is called with a row of the history and the batch's D1 and D2,
    (size, 1). `keeper` can stop, save and continue the run; by default, nothing does. Raises
    FloatingPointError when a logged value is not finite, and whatever `keeper` raises.
    """
    with timed(seconds := {}, "graph"):
        gan = GAN(settings)
    with gan.session() as sess:
        return Run(gan, sess, gan.settings, seconds).train(log, keeper or Stopper([]))


class Run:
    """The training of one seed: its state is the variables, `iteration`, `history`, `frames`."""

    def __init__(self, gan: GAN, sess: tf.Session, settings: Settings, seconds: dict):
        self.gan = gan
        self.sess = sess
        self.settings = settings
        self.iteration = -settings.pretrain  # the next one; those of pre-training are below 0
        self.history = []  # the rows of metrics.csv
        self.frames = []  # the pictures of an animation
        self.seconds = seconds  # the time taken, by phase

    def train(self, log: Callable | None, keeper: Stopper) -> Result:
        """Compile the loop, train from the start or where `keeper` says, and evaluate."""
        gan = self.gan
        with timed(self.seconds, "compile"):
            x, z = draw_block(self.settings, 0, gan.block_length)
            no_iterations = {gan.x_block: x, gan.z_block: z, gan.start: 0, gan.stop: 0}
            self.sess.run(gan.init, {gan.seed_node: self.settings.seed})
            self.sess.run([gan.loop, gan.pretraining], no_iterations)
        with timed(self.seconds, "train"):
            keeper.begin(self)
            self.run_iterations(log, keeper)
        with timed(self.seconds, "evaluate"):
            return evaluate(self)

    def run_iterations(self, log: Callable | None, keeper: Stopper) -> None:
        """Draw batches, run the loop on them, log, save; and again, up to the last iteration."""
        gan, settings = self.gan, self.settings
        drawn = None
        while self.iteration < settings.epoch:
            i = self.iteration
            # Stop where the block ends or a line is due, at the next multiple of either
            ends = [i - i % every + every for every in (gan.block_length, settings.log_every)]
            stop = min([*ends, *(end for end in keeper.stops if end > i), settings.epoch])
            block, start = divmod(i, gan.block_length)
            if block != drawn:
                x, z = draw_block(settings, block, gan.block_length)
                drawn = block
            feed = {gan.x_block: x, gan.z_block: z, gan.start: start, gan.stop: start + stop - i}
            seen = self.sess.run(gan.loop if i >= 0 else gan.pretraining, feed)
            self.iteration = stop
            if stop == 0:
                self.sess.run(gan.restart_d)  # pre-training is over: D's learning rate starts again
            if stop > 0 and (stop % settings.log_every == 0 or stop == settings.epoch):
                self.history.append(measure(self, seen))
                if log is not None:
                    log(self.history[-1], *seen[:2])
            keeper.after_call(self)


# ---------------------------------------------------------------------------------- what came out
SAMPLES = 10_000  # fresh numbers of each kind, real and generated, that D judges after training
GRID = 2_000  # quantiles of G's distribution from which its distance to the target is computed
QUANTILES = (5, 25, 50, 75, 95)  # those of G that are logged, in percent


@dataclasses.dataclass(frozen=True, repr=False)
class Result:
    """The outcome of a run. Its G is `GAN.sampled`, which has averaged weights with `ema_decay`."""

    settings: Settings
    final: dict[str, float]  # the metrics after the last iteration, by name
    history: list[dict]  # those of each logged iteration: the rows of metrics.csv
    frames: list[dict]  # the pictures of an animation
    seconds: dict[str, float]  # the time taken, by phase
    samples: np.ndarray  # G's numbers, float32, (SAMPLES, 1)
    real: np.ndarray  # a batch of real data, float32, (size, 1)
    grid: np.ndarray  # z, rising, and G(z), (2, GRID)
    curve: np.ndarray  # x, rising, and D(x), (2, points)
    weights: dict[str, np.ndarray]  # those of G and of D, by the variables' names

    def __repr__(self) -> str:
        return f"Result(final={self.final})"


def distance_to_target(G: np.ndarray, settings: Settings) -> dict[str, float]:
    """Measure how far G's distribution is from the target's. Add new metrics of G here.

    `G`, (points, 1), is G's output at evenly spaced quantiles of the noise. Sorted, because G need
    not be monotonic, these are the quantiles of G's distribution, without sampling noise.

    w1: the mean distance between these and the target's quantiles. ks: the largest gap between the
    two distribution functions. told_apart_by: the number of real samples at which this gap reaches
    a KS test's 5% threshold; with more, the test tells G from its target more often than not.
    tail_error: the larger of the quantiles' distances at 0.5% and 99.5%, in units of sigma.
    """
    target = statistics.NormalDist(settings.mu, settings.sigma)
    quantiles = np.sort(G[:, 0].astype(float))
    levels = (np.arange(len(G)) + 0.5) / len(G)
    gaps = np.abs(quantiles - [target.inv_cdf(level) for level in levels.tolist()])
    ks = np.abs([target.cdf(value) for value in quantiles.tolist()] - levels).max()
    metrics = {"w1": gaps.mean(), "ks": ks, "g_mean": quantiles.mean(), "g_std": quantiles.std()}
    metrics["tail_error"] = np.interp([0.005, 0.995], levels, gaps).max() / settings.sigma
    for percent in QUANTILES:
        metrics[f"g_q{percent:02d}"] = np.interp(percent / 100, levels, quantiles)
    metrics = {name: float(value) for name, value in metrics.items()}
    metrics["told_apart_by"] = math.ceil((1.358 / max(ks, 0.5 / len(G))) ** 2)
    return metrics


def generate(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return evenly spaced quantiles of the noise, and G's outputs for them, (GRID, 1) each."""
    _, gen_data_load = data_loaders(run.settings, run.settings.size, None)
    z = gen_data_load.quantiles(GRID)
    return z, run.sess.run(run.gan.sampled, {run.gan.z_node: z})


def measure(run: Run, seen: tuple) -> dict[str, float]:
    """Return a row of the history from what `GAN.main_loop` saw, and from G as it is after that."""
    D1, D2, *others = seen
    row = {"iteration": run.iteration - 1, "d1_mean": float(D1.mean()), "d2_mean": float(D2.mean())}
    names = ("loss_d", "loss_g", "learning_rate_d", "learning_rate_g")
    row |= {name: float(value) for name, value in zip(names, others, strict=True)}
    _, G = generate(run)
    for name, value in {**row, "G": G.sum()}.items():
        if not math.isfinite(value):
            where = f"iteration {run.iteration - 1} with seed {run.settings.seed}"
            raise FloatingPointError(f"{name} is {value} at {where}: this training diverges")
    return row | distance_to_target(G, run.settings)


def evaluate(run: Run) -> Result:
    """Have D judge SAMPLES fresh numbers of each kind, and return the outcome of the run."""
    gan, settings = run.gan, run.settings
    rng = np.random.default_rng([settings.seed, 0, 1])  # the key of no block
    real_data_load, gen_data_load = data_loaders(settings, SAMPLES, rng)
    real_data = real_data_load.next_batch()
    samples = run.sess.run(gan.sampled, {gan.z_node: gen_data_load.next_batch()})
    z, G = generate(run)
    final = distance_to_target(G, settings)
    for name, judged in (("d1", real_data), ("d2", samples)):
        D = run.sess.run(gan.D1, {gan.x_node: judged})
        for statistic in ("mean", "min", "max"):
            final[f"{name}_{statistic}"] = float(getattr(D, statistic)())
    ends = [settings.mu - 4 * settings.sigma, settings.mu + 4 * settings.sigma]
    across = np.linspace(min(*ends, samples.min()), max(*ends, samples.max()), 401)[:, None]
    curve = np.hstack([across, run.sess.run(gan.D1, {gan.x_node: across})]).T
    weights = run.sess.run(gan.theta_sampled + gan.theta_d)
    weights = {v.op.name: w for v, w in zip(gan.theta_g + gan.theta_d, weights, strict=True)}
    so_far = run.history, run.frames, run.seconds
    batch = data_loaders(settings, settings.size, rng)[0].next_batch()
    arrays = samples, batch, np.hstack([z, G]).T, curve
    return Result(settings, final, *so_far, *arrays, weights)


@contextlib.contextmanager
def timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    """Add the time that the block takes to `seconds[phase]`."""
    began = time.perf_counter()
    yield
    seconds[phase] = seconds.get(phase, 0.0) + time.perf_counter() - began


def train_many(settings: Settings, seeds: range, keeper: Stopper | None = None) -> Iterator[Result]:
    """Train seeds in one graph, `jobs` of them at once, and yield their results in order."""
    gan = GAN(settings)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count())
    jobs = max(1, min(len(seeds), settings.jobs or len(cores)))
    pool = ThreadPoolExecutor(jobs)
    sessions = [gan.session() for _ in range(jobs)]
    free = sessions.copy()

    def train_one(seed: int) -> Result:
        sess = free.pop()
        one = dataclasses.replace(settings, seed=seed, runs=1, log_every=settings.epoch)
        try:
            return Run(gan, sess, one, {}).train(None, keeper or Stopper([]))
        finally:
            free.append(sess)

    try:
        yield from pool.map(train_one, seeds)
    finally:
        pool.shutdown(cancel_futures=True)
        for sess in sessions:
            sess.close()


# ------------------------------------------------------------------------------- did G learn it?
RECIPES = {
    "article": {},
    "recommended": {  # while D stays near the best D for this G, its slope moves G to the target
        "epoch": 12_000,
        "optimizer": "adam",
        "beta1": 0.0,  # without momentum in their steps, D and G oscillate less
        "d_steps": 6,  # keeps D near the best D for this G
        "learning_rate": 0.015,  # D learns faster than G: Heusel et al. 2017, two time scales
        "learning_rate_g": 0.0011,
        "decay_rate": 0.91,  # D takes 6 times as many steps, so its rate falls to about a tenth
        "r1_gamma": 0.1,  # keeps D from being steeper than the two distributions call for
        "ema_decay": 0.999,  # averages out the oscillation that is left
        "init": "fan_in",  # random biases spread the tanh units over x, the tails included
        "hidden_size": 16,
        "hidden_size_g": 24,  # with fewer units, both tails stay short in some runs
    },
}


def yardstick(settings: Settings) -> tuple[float, float]:
    """Return the KS that 95 of 100 batches of real data stay below, and the W1 typical of one."""
    return 1.358 / math.sqrt(settings.size), 1.17 * settings.sigma / math.sqrt(settings.size)


def judge(final: dict[str, float], settings: Settings) -> tuple[bool, bool]:
    """Return whether D's means are near 0.5, and whether G is as near as a batch of real data."""
    near_half = all(abs(final[name] - 0.5) < 0.1 for name in ("d1_mean", "d2_mean"))
    return near_half, final["ks"] < yardstick(settings)[0]


def reach_of(settings: Settings) -> float:
    """Return an output scale that covers all but 1 in 370 of the target's numbers, or more."""
    return abs(settings.mu) + 3 * settings.sigma


def out_of_reach(settings: Settings) -> list[str]:
    """Return a line if a part of the target lies outside G's output range, otherwise none."""
    mu, sigma, scale = settings.mu, settings.sigma, settings.output_scale
    if reach_of(settings) <= scale:
        return []
    line = f"N({mu:g}, {sigma:g}) reaches beyond ±{scale:g}, where G's output ends; "
    return [f"{line}--output-scale {math.ceil(reach_of(settings))} would reach it."]


def advice(settings: Settings) -> list[str]:
    """Return lines that say what to try, if anything better is known for this target."""
    recipe = RECIPES["recommended"]
    if abs(settings.mu) > 10 * settings.sigma:
        return ["No recipe here fits |mu| above 10 sigma. N(0, 1) is a target that can be learned."]
    if settings == dataclasses.replace(settings, **recipe) and not out_of_reach(settings):
        return []
    new = {"output_dir": os.path.normpath(settings.output_dir) + "-recommended"}
    new |= {name: getattr(settings, name) for name in ("mu", "sigma", "seed", "xla", "plots")}
    new |= {"output_scale": max(math.ceil(reach_of(settings)), Settings.output_scale)}
    new = {name: value for name, value in new.items() if value != getattr(Settings, name)}
    return ["Try the recommended recipe:", f"  {command(f'--recipe recommended {flags(new)}')}"]


def verdict(final: dict[str, float], settings: Settings) -> list[str]:
    """Say what came out, and what to try."""
    near_half, matches = judge(final, settings)
    ks, w1 = yardstick(settings)
    tells = "both within" if near_half else "not both within"
    nearness = "as near its target as" if matches else "further from its target than"
    batch = f"a batch of {settings.size} real samples"
    lines = [
        f"The means of D(x) and D(G(z)) are {tells} 0.1 of 0.5.",
        f"G is {nearness} {batch}: KS {final['ks']:.3f}, W1 {final['w1']:.3f}.",
        f"(95 of 100 such batches have a KS below {ks:.3f}; a typical W1 is {w1:.3f}.)",
        f"A KS test needs about {final['told_apart_by']:,} real samples to tell G from its target.",
    ]
    if near_half and not matches:
        lines.append("So a D near 0.5 does not show that G has learned its target.")
    return lines + out_of_reach(settings) + ([] if matches else advice(settings))


def summarise(rows: list[dict], settings: Settings) -> dict[str, float]:
    """Return medians and worst cases of many runs' final metrics, and the shares that pass."""
    near_half, matches = np.mean([judge(row, settings) for row in rows], axis=0).tolist()
    d_worst = max(abs(row[name] - 0.5) for row in rows for name in ("d1_mean", "d2_mean"))
    final = {"d_near_half": near_half, "d_worst": d_worst, "g_matches": matches}
    for name, worst in (("w1", max), ("ks", max), ("tail_error", max), ("told_apart_by", min)):
        values = [row[name] for row in rows]
        final |= {f"{name}_median": statistics.median(values), f"{name}_worst": worst(values)}
    return final


# --------------------------------------------------------------------------------------- pictures
DASHED = {"color": "black", "linewidth": 1, "linestyle": "--"}


@contextlib.contextmanager
def new_figure(width: float, height: float, **style: Any) -> Iterator[Any]:
    """Give an empty figure in matplotlib's own style, whatever the user's style and display are."""
    import matplotlib.figure
    import matplotlib.style

    with matplotlib.style.context(["default", style]):
        yield matplotlib.figure.Figure(figsize=(width, height))


def picture(draw: Callable, *data: Any) -> bytes:
    """Return the PNG of what `draw` draws on a figure."""
    png = io.BytesIO()
    with new_figure(10, 7.5, **{"figure.constrained_layout.use": True}) as figure:
        draw(figure, *data)
        figure.savefig(png)
    return png.getvalue()


def pictures(result: Result) -> dict[str, bytes]:
    """Return all pictures of a run, by name."""
    files = {"training.png": picture(draw_training, result)}
    files["distribution.png"] = picture(draw_distribution, result)
    return files | (animation(result) if result.settings.animate else {})


def draw_training(figure: Any, result: Result) -> None:
    """Draw D1 and D2, the losses, and G's distance and quantiles over the iterations."""
    settings = result.settings
    panels = figure.subplots(4, sharex=True)
    for panel, column, label in (
        (0, "d1_mean", "D1: real data"),
        (0, "d2_mean", "D2: generated"),
        (1, "loss_d", "loss_d, D's objective"),
        (1, "loss_g", "loss_g, G's objective"),
        (2, "w1", "W1 of G to the target"),
        *[(3, f"g_q{percent:02d}", f"{percent}% of G lie below") for percent in QUANTILES[::-1]],
    ):
        points = [(row["iteration"], row[column]) for row in result.history]
        panels[panel].plot(*zip(*points, strict=True), marker=".", markersize=2, label=label)
    for percent in QUANTILES:
        target = statistics.NormalDist(settings.mu, settings.sigma).inv_cdf(percent / 100)
        panels[3].axhline(target, **DASHED)
    panels[0].axhline(0.5, **DASHED, label="0.5: D can't tell")
    panels[2].axhline(yardstick(settings)[1], **DASHED, label="a batch of real data")
    panels[0].set(ylabel="mean D", ylim=(-0.05, 1.05), title="D's answers, both objectives, and G")
    panels[1].set(ylabel="objectives\n(maximised)")
    panels[2].set(ylabel="distance", ylim=(0, None))
    panels[3].set(ylabel="quantiles of G\n(target dashed)", xlabel="iteration")
    for axes in panels:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def draw_distribution(figure: Any, result: Result) -> None:
    """Draw G's numbers beside the target, D beside the best D for this G, and the map z to G(z)."""
    settings = result.settings
    axes = figure.subplot_mosaic([["density", "map"], ["d", "map"]], width_ratios=(3, 2))
    x, d_of_x = result.curve
    z, G = result.grid
    edges = x[::10]
    middles = x[5::10]
    target = statistics.NormalDist(settings.mu, settings.sigma)
    p = np.array([target.pdf(middle) for middle in middles])
    q, real = (np.histogram(of, edges, density=True)[0] for of in (result.samples, result.real))
    top = min(2.5 * p.max(), 1.5 * max(p.max(), q.max(), real.max()))
    beyond = f", tallest bar {q.max():.2g}" if q.max() > top else ""
    axes["density"].stairs(q, edges, fill=True, alpha=0.5, label=f"G(z){beyond}")
    axes["density"].stairs(real, edges, color="C1", label=f"{settings.size} real samples")
    axes["density"].plot(middles, p, "k", label=f"N({settings.mu:g}, {settings.sigma:g})")
    axes["density"].set(ylabel="density", ylim=(0, top), title="The numbers that G makes")
    axes["d"].plot(middles, p / np.maximum(p + q, 1e-300), "gray", label="the best D for this G")
    axes["d"].plot(x, d_of_x, "C3", label="D(x)")
    axes["d"].axhline(0.5, **DASHED)
    axes["d"].set(xlabel="x", ylabel="probability of real", ylim=(0, 1.3), yticks=(0, 0.5, 1))
    levels = (np.arange(len(z)) + 0.5) / len(z)
    ideal = [target.inv_cdf(level) for level in levels]
    axes["map"].plot(z, ideal, **DASHED, label="ideal, or its mirror image")
    axes["map"].plot(z, G, label="G(z)")
    axes["map"].set(xlabel="z", title="How G maps the noise")
    for panel in axes.values():
        panel.legend()


def draw_runs(figure: Any, rows: list[dict], settings: Settings) -> None:
    """Draw the KS and W1 of each run beside those of real data."""
    axes = figure.subplots()
    ks, w1 = yardstick(settings)
    axes.plot([row["w1"] for row in rows], [row["ks"] for row in rows], "o", label="G of a run")
    axes.axhline(ks, **DASHED, label="95 of 100 batches of real data lie below")
    axes.axvline(w1, color="black", linestyle=":", label="a typical batch of real data")
    axes.set(xlabel="W1", ylabel="KS", xlim=(0, None), ylim=(0, None), title=f"{len(rows)} runs")
    axes.legend()


def take_frame(run: Run) -> dict:
    """Return what a picture of the animation shows: G's density, D, and how far G is."""
    settings = run.settings
    reach = 4 * settings.sigma
    ends = [-settings.output_scale, settings.mu - reach, settings.mu + reach, settings.output_scale]
    edges = np.linspace(1.01 * min(ends), 1.01 * max(ends), 81)
    D = run.sess.run(run.gan.D1, {run.gan.x_node: edges[:, None]})[:, 0]
    _, G = generate(run)
    bars, _ = np.histogram(G, edges, density=True)
    real_data = statistics.NormalDist(settings.mu, settings.sigma).quantiles(GRID)
    D1 = run.sess.run(run.gan.D1, {run.gan.x_node: np.array(real_data)[:, None]})
    D2 = run.sess.run(run.gan.D1, {run.gan.x_node: G})
    title = f"iteration {run.iteration - 1:,}: mean D {D1.mean():.2f} on real, {D2.mean():.2f} on G"
    needed = distance_to_target(G, settings)["told_apart_by"]
    title += f"\nA KS test needs {needed:,} real samples to tell G from its target"
    return {"title": title, "edges": edges.tolist(), "bars": bars.tolist(), "D": D.tolist()}


GIF_LOOP = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"  # what makes a GIF play again and again
BUTTONS = r"""<meta charset="utf-8"><style>
.fa {font-style: normal} .fa-flip-horizontal {display: inline-block; transform: scaleX(-1)}
.fa-play:before {content: "\25B6"} .fa-pause:before {content: "\275A\275A"}
.fa-step-forward:before {content: "\203A"} .fa-step-backward:before {content: "\2039"}
.fa-fast-forward:before {content: "\BB"} .fa-fast-backward:before {content: "\AB"}
.fa-plus:before {content: "+"} .fa-minus:before {content: "\2212"}</style>
<script>onload = () => document.querySelector("[title=Play]").click()</script>
"""  # characters in place of a font from the network; the page plays once, when it is opened


def animation(result: Result) -> dict[str, bytes]:
    """Draw the training as a GIF that plays once, and as a web page with playback controls."""
    settings = result.settings
    edges = result.frames[0]["edges"]
    density = [statistics.NormalDist(settings.mu, settings.sigma).pdf(x) for x in edges]
    style = {"font.size": 13, "figure.dpi": 80}
    with new_figure(6.4, 4, **style) as figure, tempfile.TemporaryDirectory() as folder:
        from matplotlib.animation import FuncAnimation

        axes = figure.subplots()
        right = axes.twinx()
        figure.subplots_adjust(bottom=0.15, top=0.84)
        bars = axes.stairs(density[1:], edges, fill=True, alpha=0.5, label="G(z)")
        axes.plot(edges, density, "k", label=f"N({settings.mu:g}, {settings.sigma:g})")
        (curve,) = right.plot(edges, edges, "C3", label="D(x)")
        axes.set(xlabel="x", ylabel="density", ylim=(0, 2.5 * max(density)))
        right.axhline(0.5, **DASHED)
        right.set(ylabel="D(x)", ylim=(0, 1.25), yticks=(0, 0.5, 1))
        figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.86), ncols=3)

        def show(frame: dict) -> None:
            bars.set_data(frame["bars"])
            curve.set_ydata(frame["D"])
            axes.set_title(frame["title"], fontsize="medium")

        movie = FuncAnimation(figure, show, result.frames, init_func=list)
        movie.save(Path(folder, "training.gif"), "pillow", fps=8)
        gif = Path(folder, "training.gif").read_bytes()
        page = movie.to_jshtml(fps=8, default_mode="once")
    page = BUTTONS + page[page.index("<script") :]
    page = re.sub("[0-9a-f]{32}", "film", page)  # matplotlib chooses names at random
    gif = gif.replace(GIF_LOOP, b"")
    return {"training.gif": gif, "training.html": page.encode()}


# ------------------------------------------------------------------ an unfinished run, its folder
class RunFolder:
    """A folder in which a run touches only the files that this program wrote.

    The folder was new or empty at first, or it holds gan_1d.json, the list of the files that this
    program wrote there and the folders that it made (with a trailing slash). Whatever is not on the
    list, or is reached through a link, is never replaced or removed. Raises FileExistsError for any
    other folder and for files in the way, BlockingIOError while another process uses the folder.
    """

    LIST = "gan_1d.json"
    PART = "gan_1d.part"  # a file that is being written, before it is put in its place

    def __init__(self, path: str):
        if ".." in Path(path).parts:
            path = os.path.realpath(path)  # so that no folder is made on the way there
        self.path = Path(path)
        if os.path.lexists(path) and not self.path.is_dir():
            raise FileExistsError(errno.EEXIST, "is not a folder", path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.lock = self.take_lock()
        try:
            self.read_list()
        except (ValueError, RecursionError, TypeError, KeyError, OSError) as error:
            self.close()
            if isinstance(error, PermissionError):
                raise
            why = "is neither empty nor made by this program; choose another --output-dir"
            raise FileExistsError(errno.EEXIST, why, path) from None

    def take_lock(self) -> int | None:
        """Lock the folder until this process ends, where the system can."""
        try:
            import fcntl

            lock = os.open(self.path, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            why = "is in use by another run"
            raise BlockingIOError(errno.EAGAIN, why, str(self.path)) from None
        except (ImportError, OSError):  # Windows; a file system without locks
            return None
        return lock

    def close(self) -> None:
        """Let others use the folder."""
        if self.lock is not None:
            os.close(self.lock)

    def has(self, name: str) -> bool:
        """Return whether a listed file or folder is there, and reached through no link."""
        path = self.path / name
        there = path.is_dir() if name.endswith("/") else path.is_file()
        place = f"{self.path.resolve().as_posix()}/{name}".rstrip("/")
        return name in self.listed and there and path.resolve().as_posix() == place

    def read_list(self) -> None:
        """Read the list of files; begin one in an empty folder."""
        if not os.listdir(self.path):
            (self.path / self.LIST).touch()  # empty, it lists nothing
        names = json.loads(self.read(self.LIST) or '{"files": []}')["files"]
        self.listed = {self.LIST, self.PART, *names}
        self.listed = {self.LIST, self.PART, *filter(self.has, names)}

    def check(self, name: str) -> list[str]:
        """Return the name, after those of the folders above it.

        Raises FileExistsError if one of them stands for something that this program did not write.
        """
        names = [f"{folder}/" for folder in PurePosixPath(name).parents[-2::-1]] + [name]
        for place in names:
            if os.path.lexists(self.path / place) and not self.has(place):
                why = "is in the way: this program did not write it"
                raise FileExistsError(errno.EEXIST, why, str(self.path / place))
        return names

    def claim(self, name: str) -> Path:
        """List a file that is about to be written, make the folders above it, return its path."""
        names = self.check(name)
        if not self.listed.issuperset(names):
            self.listed.update(names)
            self.write_list()
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        return self.path / name

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        place = self.claim(name)
        part = self.claim(self.PART)
        try:
            part.unlink(missing_ok=True)  # it might be a hard link to something else
            part.write_bytes(data)
            os.replace(part, place)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(place)) from None

    def write_list(self) -> None:
        """Write the list of files."""
        what = "Files that gan_1d.py wrote here, and may replace or remove; it touches no others."
        content = {"what": what, "files": sorted(self.listed)}
        self.write(self.LIST, json.dumps(content, indent=1).encode())

    def read(self, name: str) -> bytes:
        """Return a regular file's content; opening a pipe, say, could block forever."""
        path = self.path / name
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "is not a plain file", str(path))
        return path.read_bytes()

    def remove(self, names: set[str]) -> None:
        """Remove listed files, and those listed folders that are empty then."""
        for name in sorted(filter(self.has, names), reverse=True):  # what is inside comes first
            if not name.endswith("/"):
                (self.path / name).unlink()
            elif not os.listdir(self.path / name):
                (self.path / name).rmdir()
        self.listed = {self.LIST, self.PART, *filter(self.has, self.listed)}
        self.write_list()


class Stopper:
    """Stops a run once a signal has come. `Run` calls `begin`, and `after_call` after each call."""

    stops = ()  # the iterations at which a call of the loop must end

    def __init__(self, signals: list[int]):
        self.signals = signals  # the numbers of those that have come

    def begin(self, run: Run) -> None:
        """Do nothing: the run begins at its start."""

    def after_call(self, run: Run) -> None:
        """Raise KeyboardInterrupt if a signal has come."""
        if self.signals:
            raise KeyboardInterrupt


class RunKeeper(Stopper):
    """Saves an unfinished run, continues it, and puts its results in place.

    checkpoints/state.json holds the settings, the iteration, the history, and the checksums of
    TensorFlow's checkpoint beside it and of itself: a damaged run is never continued. Raises
    OSError for that, and FileExistsError if an unfinished run has other settings.
    """

    STATE = "checkpoints/state.json"
    NAMES = ("summary.json", "metrics.csv", "samples.npy", "training.png", "distribution.png")
    NAMES += ("training.gif", "training.html", "runs.csv", "runs.png", "saved_model/", "events/")

    def __init__(self, folder: RunFolder, settings: Settings, signals: list[int]):
        super().__init__(signals)
        self.folder = folder
        self.settings = settings
        self.memory = f"ram://gan_1d-{id(self)}/"  # see `from_memory`
        self.state = self.events = None
        if settings.animate:  # at 64 iterations, more of them at first
            self.stops = [1 + (settings.epoch - 1) * k * k // 63**2 for k in range(64)]
        for name in (*self.NAMES, self.STATE, folder.PART):
            folder.check(name)
        if folder.has(self.STATE) and not settings.overwrite:
            self.state = self.read_state()
            for name, old in self.state["settings"].items():
                new = getattr(settings, name)
                if new != old and name not in ("output_dir", "overwrite"):
                    why = f"holds an unfinished run with {flags({name: old})}, not "
                    why += f"{flags({name: new})}: continue it"
                    why += " with its own command, or replace it with --overwrite"
                    raise FileExistsError(errno.EEXIST, why, settings.output_dir)

    def read_state(self) -> dict:
        """Return what was saved; raise OSError, which says what is wrong with it."""
        name = self.STATE
        try:
            state = json.loads(self.folder.read(name))
            if state.pop("checksum") != zlib.crc32(json.dumps(state).encode()):
                raise ValueError("its checksum is wrong")
            if state["settings"].keys() != vars(self.settings).keys():
                raise ValueError("another version of this program wrote it")
            for name, expected in state["files"].items():
                if zlib.crc32(self.folder.read(name)) != expected:
                    raise ValueError("its checksum is wrong")
        except FileNotFoundError:
            why = "is missing; --overwrite starts the run again"
            raise OSError(errno.ENOENT, why, str(self.folder.path / name)) from None
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
            why = f"was changed or damaged: {error!s:.99}; --overwrite starts the run again"
            raise OSError(errno.EINVAL, why, str(self.folder.path / name)) from None
        return state

    def begin(self, run: Run) -> None:
        """Save the start of a run, or set it to what was saved."""
        if self.state is None:
            return self.save(run)
        for name in ("iteration", "history", "frames"):
            setattr(run, name, self.state[name])
        for name in self.state["files"]:
            with tf.io.gfile.GFile(self.memory + name, "wb") as file:
                file.write(self.folder.read(name))
        run.gan.saver.restore(run.sess, self.prefix(run))
        from_memory(self.memory)  # removes them there

    def after_call(self, run: Run) -> None:
        """Save and draw what is due; raise KeyboardInterrupt if a signal has come."""
        if run.iteration in self.stops:
            run.frames.append(take_frame(run))
        if self.settings.tensorboard:
            self.write_events(run.gan.graph, run.history)
        every = self.settings.checkpoint_every
        if self.signals or run.iteration // every > self.state["iteration"] // every:
            self.save(run)
        super().after_call(run)

    def prefix(self, run: Run) -> str:
        """Return the path in memory of a checkpoint, without TensorFlow's suffixes."""
        return f"{self.memory}checkpoints/iteration_{run.iteration}"

    def save(self, run: Run) -> None:
        """Save the variables and the progress of the run."""
        prefix = self.prefix(run)
        run.gan.saver.save(run.sess, prefix, write_meta_graph=False, write_state=False)
        so_far = {name: getattr(run, name) for name in ("iteration", "history", "frames")}
        self.write_state(from_memory(self.memory), **so_far)

    def write_state(self, files: dict[str, bytes], **content: Any) -> None:
        """Write a checkpoint's files, then the state that names them; remove the previous ones."""
        for name, data in files.items():
            self.folder.write(name, data)
        sums = {name: zlib.crc32(data) for name, data in files.items()}
        self.state = {"settings": vars(self.settings), "files": sums, **content}
        sealed = self.state | {"checksum": zlib.crc32(json.dumps(self.state).encode())}
        self.folder.write(self.STATE, json.dumps(sealed).encode())
        self.folder.remove(self.unfinished() - {*files, self.STATE})

    def unfinished(self) -> set[str]:
        """Return the names of what is there only as long as the run is unfinished."""
        return {name for name in self.folder.listed if name.startswith("checkpoints/")}

    def write_events(self, graph: tf.Graph, history: list[dict]) -> None:
        """Write the rows that TensorBoard's file lacks; first, for a new file, the graph."""
        contents = []
        if self.events is None:
            self.event_name = f"events/events.out.tfevents.{time.time():.0f}.gan_1d"
            self.events = tf.io.TFRecordWriter(str(self.folder.claim(self.event_name)))
            self.rows = 0
            contents.append({"file_version": "brain.Event:2"})
            contents.append({"session_log": tf.SessionLog(status=tf.SessionLog.START)})
            contents.append({"graph_def": graph.as_graph_def(add_shapes=True).SerializeToString()})
        for row in history[self.rows :]:
            values = [tf.Summary.Value(tag=name, simple_value=row[name]) for name in row]
            contents.append({"step": row["iteration"], "summary": tf.Summary(value=values)})
        for content in contents:
            self.events.write(tf.Event(wall_time=time.time(), **content).SerializeToString())
        self.events.flush()
        self.rows = len(history)

    def finish(self, files: dict[str, bytes]) -> None:
        """Write the results; once all are written, put them in place of older ones."""
        for name, data in files.items():
            self.folder.write(f"checkpoints/{name}", data)
        for name in files:
            os.replace(self.folder.path / "checkpoints" / name, self.folder.claim(name))
        stay = {*files, self.folder.LIST}
        if self.events is not None:
            self.events.close()
            stay.add(self.event_name)
        self.folder.remove(self.folder.listed - self.unfinished() - stay)
        self.folder.remove({self.STATE})  # from here on the run is finished
        self.folder.remove(self.unfinished())


def from_memory(folder: str) -> dict[str, bytes]:
    """Return, by name, the files that TensorFlow wrote to a folder in memory, and remove them.

    On disk it writes to random names first, which a killed run would leave there.
    """
    files = {}
    for path, _, names in tf.io.gfile.walk(folder):
        for name in names:
            place = f"{path.rstrip('/')}/{name}"
            with tf.io.gfile.GFile(place, "rb") as file:
                files[place.removeprefix(folder)] = file.read()
    with contextlib.suppress(tf.errors.NotFoundError):  # not every writer makes folders there
        tf.io.gfile.rmtree(folder)
    return files


# ------------------------------------------------------------------------------ what a run leaves
def csv_file(rows: list[dict]) -> bytes:
    """Return rows as CSV, with their names in the first line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def saved_model(result: Result) -> dict[str, bytes]:
    """Return a SavedModel's files: `generate`, z to x, and `discriminate`, x to probability."""
    memory = f"ram://gan_1d-model-{id(result)}/"
    settings = result.settings
    units = settings.hidden_size_g or settings.hidden_size
    scale = settings.output_scale
    config = tf.ConfigProto(device_count={"GPU": 0})
    with tf.Graph().as_default(), tf.Session(config=config) as sess:
        z, x = (tf.placeholder(tf.float32, (None, 1), name) for name in "zx")
        G, theta_g = Generator(z, hidden_size=units, output_scale=scale).get_param()
        D, theta_d = Discriminator(x, hidden_size=settings.hidden_size).get_param()
        for variable in theta_g + theta_d:
            start = variable.initializer.inputs[1]
            sess.run(variable.initializer, {start: result.weights[variable.op.name]})
        signature = tf.saved_model.predict_signature_def
        named = {"generate": signature({"z": z}, {"x": G})}
        named["discriminate"] = signature({"x": x}, {"probability": D})
        builder = tf.saved_model.Builder(f"{memory}saved_model")
        builder.add_meta_graph_and_variables(sess, [tf.saved_model.SERVING], named)
        builder.save()
    return from_memory(memory)


def summary_file(settings: Settings, typed: str, seconds: dict, final: dict) -> bytes:
    """Return, as JSON, the command, settings, versions, times and final metrics of a run."""
    versions = {"python": sys.version.split()[0]}
    for name in ("tensorflow", "numpy", "matplotlib"):
        versions[name] = getattr(sys.modules.get(name), "__version__", "not loaded")
    content = {"command": typed, "settings": vars(settings), "versions": versions}
    content |= {"seconds": seconds, "final": final}
    return f"{json.dumps(content, indent=2)}\n".encode()


# ------------------------------------------------------------------------------- the command line
IMPORT_SECONDS = 0.0  # what it took to load TensorFlow, if this file did it
KINDS = {
    "int": (int, int, "a whole number from {:,} to {:,}"),
    "float": ((int, float), float, "a number from {:g} to {:g}"),
    "bool": (bool, bool, "True or False"),
    "str": ((str, os.PathLike), os.fsdecode, "a path"),
}


def flag(name: str) -> str:
    """Return the flag of a setting."""
    return "--" + name.replace("_", "-")


def kind_of(field: dataclasses.Field) -> str:
    """Return the name of the kind of value that a setting has."""
    return field.type.split()[0]


def allowed(field: dataclasses.Field) -> str:
    """Return what a setting may be, in words."""
    values = field.metadata["allowed"]
    if values and kind_of(field) == "str":
        return f"one of {', '.join(values)}"
    return KINDS[kind_of(field)][2].format(*values)


def checked(field: dataclasses.Field, value: Any) -> Any:
    """Return a setting's value as Python's own kind; raise ValueError if it is not allowed."""
    if value is None is field.default:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    kind = kind_of(field)
    values = field.metadata["allowed"]
    accepted, convert, _ = KINDS[kind]
    good = isinstance(value, accepted) and (kind == "bool" or not isinstance(value, bool))
    if good and values:
        good = value in values if kind == "str" else values[0] <= value <= values[1]
    if not good:
        raise ValueError(f"{flag(field.name)} {value!r:.60}: must be {allowed(field)}")
    return convert(value)


def check_settings(settings: Settings) -> None:
    """Raise ValueError for a setting that is not allowed, by itself or beside the others."""
    for field in dataclasses.fields(settings):
        object.__setattr__(settings, field.name, checked(field, getattr(settings, field.name)))
    s = settings
    units = max(s.hidden_size, s.hidden_size_g or 0, s.d_steps)
    printable = 0 < len(s.output_dir) <= 1000 and s.output_dir.isprintable()
    for name, good, must in (
        ("low", s.low < s.high, f"below --high, {s.high:g}"),
        ("sigma", s.sigma >= 1e-6 * abs(s.mu), "at least 1e-6 of |--mu|: float32 is no finer"),
        ("size", s.size * units <= 10**8, f"at most {10**8 // units}, given the units and steps"),
        ("runs", s.seed + s.runs <= 2**32, f"at most 2**32 - --seed, {2**32 - s.seed}"),
        ("animate", s.plots or not s.animate, "used without --no-plots"),
        ("animate", s.runs == 1 or not s.animate, "used without --runs"),
        ("tensorboard", s.runs == 1 or not s.tensorboard, "used without --runs"),
        ("saved_model", s.runs == 1 or not s.saved_model, "used without --runs"),
        ("output_dir", printable, "a path of 1 to 1,000 printable characters"),
        ("output_dir", "://" not in s.output_dir, "a folder on this machine"),
    ):
        if not good:
            value = getattr(s, name)
            given = flag(name) if value is True else f"{flag(name)} {value!r:.60}"
            raise ValueError(f"{given}: must be {must}")


def parse_settings(argv: list[str] | None = None) -> Settings:
    """Read `Settings` from the command line: each field is a flag."""
    what = (__doc__ or "").partition("\n\n")[0]
    rule = "A run writes to a folder that is new, empty or made by this program, and touches no "
    rule += "file there that it did not write. The same command continues an interrupted run."
    parser = argparse.ArgumentParser("gan_1d.py", description=what, epilog=rule, allow_abbrev=False)
    parser.error = lambda text: parser.exit(2, f"gan_1d.py: error: {' '.join(text.split())}\n")
    text = "the settings to start from; other flags override them (default: article). "
    text += f"recommended is {flags(RECIPES['recommended'])}"
    parser.add_argument("--recipe", choices=RECIPES, default="article", help=text)
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    for name, field in fields.items():
        how = {"metavar": kind_of(field).upper()}
        if field.type == "bool":
            how = {"action": argparse.BooleanOptionalAction}
        text = f"{field.metadata['help']}; {allowed(field)} (default: {field.default})"
        parser.add_argument(flag(name), dest=name, default=argparse.SUPPRESS, help=text, **how)
    given = vars(parser.parse_args(argv))
    recipe = RECIPES[given.pop("recipe")]
    for name, text in given.items():
        with contextlib.suppress(ValueError, TypeError):  # what can't be converted is refused below
            given[name] = KINDS[kind_of(fields[name])][1](text)
    try:
        return Settings(**recipe | given)
    except ValueError as error:
        parser.error(str(error))


def flags(settings: dict[str, Any]) -> str:
    """Return the flags that ask for these settings."""
    words = []
    for name, value in settings.items():
        if isinstance(value, bool):
            words.append(flag(name if value else f"no_{name}"))
        elif str(value).startswith("-"):
            words.append(f"{flag(name)}={value}")  # on its own, -1e-05 would be read as a flag
        else:
            words += [flag(name), str(value)]
    return shlex.join(words)


def command(arguments: str) -> str:
    """Return the command with these arguments, for the folder where the user is."""
    python, script = sys.executable, __file__
    with contextlib.suppress(OSError, ValueError):  # no such folder; another drive
        python = min(python, os.path.join(".", os.path.relpath(python)), key=len)
        script = min(script, os.path.relpath(script), key=len)
    if shutil.which("python") == sys.executable:
        python = "python"
    return f"{shlex.join([python, script])} {arguments}".strip()


def say(*lines: str) -> None:
    """Print lines. A standard output that can't take them must not cost a run its results."""
    try:
        print("\n".join(lines), flush=True)
    except (OSError, ValueError) as error:  # ValueError: it is closed
        complain(f"standard output: {getattr(error, 'strerror', error)}")
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def complain(line: str) -> None:
    """Print a line to standard error, if that takes it."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            print(f"gan_1d.py: {line}", file=sys.stderr, flush=True)


def print_line(row: dict[str, float], D1_: np.ndarray, D2_: np.ndarray) -> None:
    """Print a logged iteration in one line."""
    line = "iteration {iteration:6d}  D1 {d1_mean:.3f}  D2 {d2_mean:.3f}"
    say((line + "  loss_d {loss_d:.3f}  loss_g {loss_g:.3f}").format(**row))


def print_pairs(row: dict[str, float], D1_: np.ndarray, D2_: np.ndarray) -> None:
    """Print a logged iteration as the article does: for each sample its number, then a pair."""
    pairs = zip(D1_[:, 0], D2_[:, 0], strict=True)
    say(*(f"{row['iteration']}\nD1: {d1!s} ,D2: {d2!s}" for d1, d2 in pairs))


def put_in_place(
    keeper: RunKeeper, typed: str, seconds: dict, final: dict, files: dict, draw: Callable
) -> str:
    """Put a run's files and pictures in place; return why drawing failed, or an empty text."""
    problem = ""
    if keeper.settings.plots:
        try:
            with timed(seconds, "draw"):
                files |= draw()
        except Exception as error:  # the numbers are worth more than the pictures
            problem = f"the pictures can't be drawn: {error!r:.200}"
    files["summary.json"] = summary_file(keeper.settings, typed, seconds, final)
    keeper.finish(files)
    return problem


def run_one(settings: Settings, keeper: RunKeeper, typed: str) -> str:
    """Train once, write the results, print a report; return what went wrong, or an empty text."""
    if keeper.state is not None:
        i = keeper.state["iteration"]
        say(f"Continuing the run in {settings.output_dir} at iteration {i} of {settings.epoch}.")
    result = train(settings, print_pairs if settings.print_pairs else print_line, keeper)
    final = result.final
    seconds = {"import": IMPORT_SECONDS, **result.seconds}
    samples = io.BytesIO()
    np.save(samples, result.samples)
    files = {"metrics.csv": csv_file(result.history), "samples.npy": samples.getvalue()}
    if settings.saved_model:
        files |= saved_model(result)
    problem = put_in_place(keeper, typed, seconds, final, files, partial(pictures, result))
    taken = ", ".join(f"{phase} {value:.1f}" for phase, value in seconds.items())
    say(
        f"\nAfter {settings.epoch} iterations (D judges {SAMPLES} fresh samples of each kind):",
        "  D1 = D(x)      mean {d1_mean:.3f}, from {d1_min:.3f} to {d1_max:.3f}".format(**final),
        "  D2 = D(G(z))   mean {d2_mean:.3f}, from {d2_min:.3f} to {d2_max:.3f}".format(**final),
        "  G(z)           mean {g_mean:.3f}, standard deviation {g_std:.3f}".format(**final),
        f"  real data      mean {settings.mu:.3f}, standard deviation {settings.sigma:.3f}",
        *verdict(final, settings),
        f"Written to {settings.output_dir}: {', '.join(files)}",
        f"Time: {sum(seconds.values()):.1f} s ({taken})",
    )
    return problem


RUN_COLUMNS = ("d1_mean", "d2_mean", "w1", "ks", "told_apart_by", "tail_error", "g_mean", "g_std")
TABLE_HEAD = "seed  d1_mean  d2_mean       w1       ks  told_apart_by  tail_error   g_mean    g_std"
TABLE_HEAD += "  D near 0.5  G as near as a batch"


def table_line(row: dict[str, float], settings: Settings) -> str:
    """Return a row of runs.csv as a line of the table that is printed."""
    line = "{seed:4d} {d1_mean:8.3f} {d2_mean:8.3f} {w1:8.3f} {ks:8.4f} {told_apart_by:14,d}"
    line += " {tail_error:11.3f} {g_mean:8.3f} {g_std:8.3f}"
    near_half, matches = ("yes" if good else "no" for good in judge(row, settings))
    return f"{line.format(**row)}  {near_half:10}  {matches}"


def table_end(rows: list[dict], settings: Settings) -> str:
    """Return the line below that table."""
    line = "W1: median {w1_median:.3f}, worst {w1_worst:.3f}. KS: median {ks_median:.4f}, worst "
    line += "{ks_worst:.4f}. Told apart by: median {told_apart_by_median:,.0f}, fewest "
    line += "{told_apart_by_worst:,}. Tail error: median {tail_error_median:.2f}. D near 0.5: "
    line += "{d_near_half:.0%}, all within {d_worst:.3f}. G as near as a batch: {g_matches:.0%}."
    return line.format(**summarise(rows, settings))


def run_many(settings: Settings, keeper: RunKeeper, typed: str) -> str:
    """Train many seeds, print and write their table; return what went wrong, or an empty text."""
    seconds = {"import": IMPORT_SECONDS}
    rows = []
    if keeper.state is not None:
        rows = keeper.state["rows"]
        say(f"Continuing the runs in {settings.output_dir} after {len(rows)} of {settings.runs}.")
    keeper.write_state({}, rows=rows)  # before any signal stops a run: then it can be continued
    say(TABLE_HEAD, *(table_line(row, settings) for row in rows))
    seeds = range(settings.seed + len(rows), settings.seed + settings.runs)
    with timed(seconds, "train"):
        for result in train_many(settings, seeds, Stopper(keeper.signals)):
            final = {name: result.final[name] for name in RUN_COLUMNS}
            rows.append({"seed": result.settings.seed, **final})
            keeper.write_state({}, rows=rows)
            say(table_line(rows[-1], settings))
    final = summarise(rows, settings)
    files = {"runs.csv": csv_file(rows)}

    def draw() -> dict[str, bytes]:
        return {"runs.png": picture(draw_runs, rows, settings)}

    problem = put_in_place(keeper, typed, seconds, final, files, draw)
    say(table_end(rows, settings), f"Written to {settings.output_dir}: {', '.join(files)}")
    return problem


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    words = sys.argv[1:] if argv is None else argv
    settings = parse_settings(words)
    typed = command(shlex.join(word for word in words if word != "--overwrite"))
    signals = []
    before = {}

    def note(number: int, _: Any) -> None:  # a second one ends the process at once
        signals.append(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, note)
    tf.logging.set_verbosity(tf.logging.ERROR)  # no remarks on calls that are deprecated
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    stdout = sys.stdout
    status = 1
    try:
        with contextlib.closing(RunFolder(settings.output_dir)) as folder:
            keeper = RunKeeper(folder, settings, signals)
            for line in out_of_reach(settings):
                say(line)
            problem = (run_one if settings.runs == 1 else run_many)(settings, keeper, typed)
            status = 1 if problem or sys.stdout is not stdout else 0
    except KeyboardInterrupt:
        problem = f"stopped; to continue:\n  {typed}"
        status = 128 + signals[0]
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        if isinstance(error, (FileExistsError, BlockingIOError)):
            status = 2
    except tf.errors.OpError as error:
        lines = [line for line in error.message.splitlines() if line.strip() == line != ""]
        problem = f"{type(error).__name__}: {lines[-1] if lines else ''}"
    except (FloatingPointError, MemoryError) as error:
        problem = str(error) or "out of memory"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if problem:
        complain(f"error: {problem}")
    return status


@contextlib.contextmanager
def without_remarks() -> Iterator[None]:
    """Pass standard error through grep, which drops TensorFlow's remarks on the machine.

    Some of them ignore its log level. Fatal errors pass, so a process that dies still says why.
    Nothing is dropped if somebody has set that level, or where there is no grep.
    """
    while (null := os.open(os.devnull, os.O_RDWR)) < 3:
        pass  # the number of a closed standard stream must not go to another file
    os.close(null)
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    remarks = "^([IWE][0-9]{4} |WARNING: All log messages before)"
    stderr = os.dup(2)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, stderr)
        with contextlib.suppress(OSError):  # there is no grep, or it can't be started
            words = ["grep", "--line-buffered", "-avE", remarks]
            like = {"stdin": subprocess.PIPE, "stdout": stderr}
            like["start_new_session"] = True  # signals to this process's group spare it
            grep = stack.enter_context(subprocess.Popen(words, **like))
            os.dup2(grep.stdin.fileno(), 2)
            stack.callback(os.dup2, stderr, 2)
        yield


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Make importing TensorFlow quick and quiet; if it fails, raise SystemExit with the reason."""
    gc.disable()  # garbage collection during the import would take half a second
    sys.modules.setdefault("keras", None)  # TensorFlow would load it; a sixth quicker without
    try:
        load_matplotlib()
        yield
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise SystemExit(f"gan_1d.py: error: TensorFlow can't be loaded: {why}") from None
    finally:
        gc.enable()
        gc.freeze()  # later collections, and the one as Python ends, skip what was loaded
        for name in ("keras", "matplotlib"):
            if sys.modules.get(name, True) is None:
                del sys.modules[name]


def load_matplotlib() -> None:
    """Load matplotlib before TensorFlow does, which does not cope with a broken configuration."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    os.environ.pop("MPLBACKEND", None)  # files do not need it, and a wrong one is an error
    try:
        import matplotlib  # noqa: F401
    except (ImportError, ValueError):  # ValueError: a broken matplotlibrc
        sys.modules["matplotlib"] = None  # so that TensorFlow does not try it


if __name__ == "__main__":
    with without_remarks(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from libraries: users of a command can't act on them
        began = time.perf_counter()
        with loading():
            import tensorflow  # noqa: F401, quicker than as a part of the next line
            import tensorflow.compat.v1 as tf
        IMPORT_SECONDS = time.perf_counter() - began
        sys.exit(main())
