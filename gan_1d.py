"""The smallest GAN: uniform noise goes in, normally distributed numbers come out (TensorFlow 1.x).

    python gan_1d.py                        # the article's training run; results: outputs/latest
    python gan_1d.py --recipe recommended   # settings under which G does learn its target
    python gan_1d.py --help                 # all settings; those that change the algorithm are off

A generator G, a small tanh network, turns random noise z into numbers. A discriminator D, another
small network, estimates the probability that a number is real: drawn from N(mu, sigma), or from a
file of your own. D learns to tell real numbers from generated ones, and G to fool D. In the end,
D(x) and D(G(z)) are both near 0.5. That does not show that G has learned the distribution, so G's
distance to it is measured too.

Read from "settings" to the end of `Run.train`: the article's script, part by part. The rest
repeats, measures, draws and saves it. "The article" is a Chinese tutorial based on Eric Jang's 1-D
GAN tutorial of 2016; "the paper" is Goodfellow et al. 2014, arXiv 1406.2661.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("gan_1d.py: error: Python 3.10 or newer is needed, this is " + sys.version.split()[0])

import argparse
import contextlib
import dataclasses
import gc
import importlib.metadata
import json
import math
import os
import re
import shlex
import shutil
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np  # and, below the training run, TensorFlow's v1 API, as tf
from numpy import ndarray as Array


# --------------------------------------------------------------------------------------- settings
def setting(group: str, default: Any, text: str, choices=(), min=-1e30, max=1e30) -> Any:
    """Make a field of `Settings`: its help, and the allowed names or the ends of the range."""
    kind = type(min if default is None else default)
    metadata = {"group": group, "help": text, "kind": kind, "allowed": (choices, min, max)}
    return dataclasses.field(default=default, metadata=metadata)


GROUPS = ("training", "data", "networks", "output")
training, sources, networks, output = (partial(setting, group) for group in GROUPS)


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that a run depends on: the article's values, and options. Raises ValueError if wrong."""

    epoch: int = training(10_000, "iterations of the training loop", min=1)
    size: int = training(200, "samples in a batch", min=1, max=5 * 10**6)
    d_steps: int = training(2, "steps of D in an iteration, before one of G", min=1, max=1000)
    optimizer: str = training("momentum", "optimizer of D and G", ("momentum", "sgd", "adam"))
    learning_rate: float = training(0.01, "initial learning rate of D and G", min=1e-30)
    learning_rate_g: float | None = training(None, "initial learning rate of G", min=1e-30)
    momentum: float = training(0.6, "momentum, with --optimizer momentum", min=0, max=0.999999)
    beta1: float = training(0.9, "Adam's decay rate of the mean gradient", min=0, max=0.999999)
    decay_rate: float = training(0.95, "rate factor, every epoch // 4 steps", min=1e-6, max=1)
    pretrain: int = training(0, "iterations of D alone, before training both", min=0)
    r1_gamma: float = training(0.0, "weight of R1, a penalty on D's slope", min=0)
    ema_decay: float = training(0.0, "decay of G's average weights; 0: none", min=0, max=0.999999)
    seed: int = training(0, "seed of all random draws", min=0, max=2**32 - 1)
    runs: int = training(1, "seeds to train, from --seed up, and compare", min=1, max=10**6)
    xla: bool = training(True, "compile the training loop with XLA")
    mu: float = sources(-1.0, "mean of the real data")
    sigma: float = sources(1.0, "standard deviation of the real data", min=1e-30)
    data: str = sources("", "file of real data: .npy, or text, a number a line")
    standardize: bool = sources(False, "scale the data to mean 0, deviation 1 inside G and D")
    low: float = sources(-1.0, "lower end of the noise; normal: mean - deviation")
    high: float = sources(1.0, "upper end of the noise; normal: mean + deviation")
    noise: str = sources("uniform", "kind of noise", ("uniform", "stratified", "normal"))
    hidden_size: int = networks(6, "units in each hidden layer", min=1, max=1024)
    hidden_size_g: int | None = networks(None, "units in each hidden layer of G", min=1, max=1024)
    output_scale: float = networks(5.0, "G's output lies between minus this and this", min=1e-30)
    init: str = networks("normal", "initial weights", ("normal", "glorot_uniform", "fan_in"))
    log_every: int = output(100, "iterations for a printed line, a row, a frame", min=1)
    plots: bool = output(True, "draw pictures")
    animate: bool = output(False, "also write training.gif and training.html")
    tensorboard: bool = output(False, "also write TensorBoard events, as it trains")
    saved_model: bool = output(False, "also write both networks as a TensorFlow SavedModel")
    print_pairs: bool = output(False, "print what the article prints: each sample's D1 and D2")
    jobs: int = output(0, "seeds of --runs to train at once; 0: one per core", min=0, max=1024)
    checkpoint_every: int = output(2_500, "iterations between checkpoints", min=1)
    output_dir: str = output("outputs/latest", "folder for results: new, empty or an earlier run's")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            of, value = field.metadata, getattr(self, field.name)
            choices, low, high = of["allowed"]
            in_range = of["kind"] is str or value == field.default or low <= value <= high
            if not (value in choices if choices else in_range):
                must = f"one of {', '.join(choices)}" if choices else f"from {low} to {high}"
                raise ValueError(f"{flag(field.name)} {value}: must be {must}")
        if self.data:
            read_numbers(self.data)
        one = self.animate or self.tensorboard or self.saved_model
        out = Path(os.path.expanduser(self.output_dir))
        inside = self.data and out.resolve() in Path(self.data).resolve().parents
        for good, must in (
            (self.low < self.high, f"--low {self.low}: must be below --high, {self.high}"),
            (self.sigma >= 1e-6 * abs(self.mu), f"--sigma {self.sigma}: must be above 1e-6 |--mu|"),
            (not inside, f"--data {self.data}: must not lie in --output-dir"),
            (self.seed + self.runs <= 2**32, f"--runs {self.runs}: must be at most 2**32 - --seed"),
            (self.plots or not self.animate, "--animate: must be used without --no-plots"),
            (self.runs == 1 or not one, "--runs: not with --animate, --tensorboard, --saved-model"),
            (not set("*?[\\") & set(out.as_posix()), f"--output-dir {out}: can't have *, ?, [, \\"),
        ):
            if not good:
                raise ValueError(must)


RECOMMENDED = {  # while D stays near the best D for the current G, D's slope moves G to the target
    "standardize": True,  # any target then looks like N(0, 1)
    "low": -0.3,  # G starts nearly linear: with wider noise, a tail stays short in some runs
    "high": 0.3,
    "epoch": 15_000,
    "size": 400,
    "optimizer": "adam",
    "beta1": 0.0,  # without momentum in their steps, D and G oscillate less
    "d_steps": 6,  # keeps D near the best D for this G
    "learning_rate": 0.015,  # D learns faster than G: Heusel et al. 2017, two time scales
    "learning_rate_g": 0.00065,
    "r1_gamma": 0.07,  # keeps D from being steeper than the two distributions call for
    "ema_decay": 0.999,  # averages out the oscillation that is left
    "init": "fan_in",  # random biases spread the tanh units over x, the tails included
    "hidden_size": 16,
    "hidden_size_g": 32,  # with fewer units, both tails stay short in some runs
}
RECIPES = {"article": {}, "recommended": RECOMMENDED}


# ------------------------------------------------------------------------------------------- data
# All else takes the real data and the noise from these: for others, change `next_batch`.
@dataclasses.dataclass
class GenDataLoader:
    """The generator's noise: uniform, normal, or "stratified": evenly spaced, plus up to 0.01."""

    size: int = 200
    low: float = -1
    high: float = 1
    rng: np.random.Generator = dataclasses.field(default_factory=np.random.default_rng)
    noise: str = "uniform"

    def next_batch(self, *counts: int) -> Array:
        """Draw a batch, float32, (size, 1), or many of them, (*counts, size, 1)."""
        shape = (*counts, self.size, 1)
        if self.noise == "normal":
            z = self.rng.standard_normal(shape, dtype=np.float32)
            return z * ((self.high - self.low) / 2) + (self.low + self.high) / 2
        z = self.rng.random(shape, dtype=np.float32)
        if self.noise == "stratified":
            points = np.linspace(self.low, self.high, self.size, dtype=np.float32)
            return points[:, None] + z * 0.01
        return z * (self.high - self.low) + self.low


@dataclasses.dataclass
class RealDataLoader:
    """The real data: independent draws from N(mu, sigma), or from the numbers in `data`."""

    size: int = 200
    mu: float = -1
    sigma: float = 1
    rng: np.random.Generator = dataclasses.field(default_factory=np.random.default_rng)
    data: Array | None = None

    def next_batch(self, *counts: int) -> Array:
        """Draw a batch, float32, (size, 1), or many of them, (*counts, size, 1)."""
        shape = (*counts, self.size, 1)
        if self.data is not None:
            return self.rng.choice(self.data, shape)  # with replacement
        data = self.rng.standard_normal(shape, dtype=np.float32)
        return data * self.sigma + self.mu


# --------------------------------------------------------------------------------------- networks
def weight_variable(shape: list, name: str, initializer: Callable | None = None) -> tf.Variable:
    """Get or create weights, float32, (inputs, outputs); the default, N(0, 1), is Jang's."""
    initializer = initializer or tf.random_normal_initializer()
    return tf.get_variable(name, shape, tf.float32, initializer, use_resource=True)


def bias_variable(shape: list, name: str, initializer: Callable | None = None) -> tf.Variable:
    """Get or create the biases `name`, float32, (1, outputs), by default 0."""
    initializer = initializer or tf.zeros_initializer()
    return tf.get_variable(name, shape, tf.float32, initializer, use_resource=True)


def initializers(init: str, seed: Any, number: int, inputs: int, outputs: int) -> tuple:
    """Return the initializers of a layer's weights and biases, by seed and number; None: default.

    "glorot_uniform": Glorot and Bengio 2010, equation 16; "fan_in": PyTorch's linear layers.
    """
    if init == "normal":
        return partial(tf.random.stateless_normal, seed=[seed, number]), None
    limit = 1 / math.sqrt(inputs) if init == "fan_in" else math.sqrt(6 / (inputs + outputs))
    uniform = partial(tf.random.stateless_uniform, minval=-limit, maxval=limit)
    bias = partial(uniform, seed=[seed, number + 1]) if init == "fan_in" else None
    return partial(uniform, seed=[seed, number]), bias


def dense(inputs: Tensor, weight: tf.Variable, bias: tf.Variable) -> Tensor:
    """Return a layer's values before activation, (outputs, batch), from inputs, (inputs, batch)."""
    # The article: tf.matmul(inputs, weight) + bias; transposed, XLA's loop is about twice as fast
    return tf.matmul(weight, inputs, transpose_a=True) + tf.transpose(bias)


def mlp(inputs: Tensor, sizes: list, init="normal", seed: Any = None, first=0) -> tuple:
    """Build tanh, tanh and linear layers, (batch, sizes[0]) to sizes[3]; return variables too."""
    seed = np.random.default_rng().integers(2**32) if seed is None else seed
    var_list = []  # their numbers: G's are 0 to 5, D's, from first=6, 6 to 11
    for layer in (1, 2, 3):
        shape = sizes[layer - 1 : layer + 1]
        weight, bias = initializers(init, seed, first + len(var_list), *shape)
        var_list.append(weight_variable(shape, f"weight{layer}", weight))
        var_list.append(bias_variable([1, shape[1]], f"bias{layer}", bias))
    weight1, bias1, weight2, bias2, weight3, bias3 = var_list
    frac1 = tf.tanh(dense(tf.transpose(inputs), weight1, bias1))
    frac2 = tf.tanh(dense(frac1, weight2, bias2))
    return tf.transpose(dense(frac2, weight3, bias3)), var_list


class Network:
    """What G and D have in common."""

    def get_param(self) -> tuple:
        """Return the output and the variables: weight1, bias1, ..., weight3, bias3."""
        return self.frac, self.var_list


class Generator(Network):
    """The article's G: noise, (batch, 1), to `frac`, (batch, 1): tanh, tanh, scale tanh + mean."""

    def __init__(self, inputs, input_size=1, hidden_size=6, output_size=1, scale=5, mean=0, **how):
        with tf.variable_scope("generator", reuse=tf.AUTO_REUSE):
            sizes = [input_size, hidden_size, hidden_size, output_size]
            values, self.var_list = mlp(inputs, sizes, **how)
            self.frac = tf.multiply(tf.tanh(values, name="frac3"), scale)
            if mean:  # if the data are standardized
                self.frac += mean


class Discriminator(Network):
    """The article's D, tanh, tanh, sigmoid: numbers, (batch, 1), to `frac`, that each is real."""

    def __init__(self, inputs, input_size=1, hidden_size=6, **how):
        self.inputs = inputs
        with tf.variable_scope("discriminator", reuse=tf.AUTO_REUSE):
            sizes = [input_size, hidden_size, hidden_size, 1]
            self.logit, self.var_list = mlp(inputs, sizes, first=6, **how)
            self.frac = tf.sigmoid(self.logit, name="frac3")


# ---------------------------------------------------------------------- objectives and optimizers
# tf.log(D) is infinite once the sigmoid rounds to 0, and tf.log(1 - D) once it rounds to 1. By the
# logits, the same values stay finite: log D = -softplus(-logit), log(1 - D) = -softplus(logit).
def objective_d(discriminator1: Discriminator, discriminator2: Discriminator) -> Tensor:
    """Return loss_d = mean(log D1 + log(1 - D2)), which D maximises (the paper, equation 1)."""
    log_D1 = -tf.nn.softplus(-discriminator1.logit)
    log_not_D2 = -tf.nn.softplus(discriminator2.logit)
    return tf.reduce_mean(log_D1 + log_not_D2, name="loss_d")


def objective_g(discriminator2: Discriminator) -> Tensor:
    """Return loss_g = mean(log D2), which G maximises; why not log(1 - D2): paper, section 3."""
    log_D2 = -tf.nn.softplus(-discriminator2.logit)
    return tf.reduce_mean(log_D2, name="loss_g")


class Optimizer:
    """One network's optimizer; its learning rate falls with the number of its own steps."""

    def __init__(self, var_list: list[tf.Variable], learning_rate: float, settings: Settings):
        self.var_list = var_list
        self.batch = tf.Variable(0, trainable=False, name="batch", use_resource=True)
        interval = max(1, settings.epoch // 4)  # 0 would make the rate NaN
        decay = learning_rate, self.batch, interval, settings.decay_rate
        # The next step's rate, as a function: the graph and the loop each build it for themselves
        self.rate = partial(tf.train.exponential_decay, *decay, staircase=True)
        kinds = {
            "momentum": partial(tf.train.MomentumOptimizer, momentum=settings.momentum),
            "sgd": tf.train.GradientDescentOptimizer,
            "adam": partial(tf.train.AdamOptimizer, beta1=settings.beta1),
        }
        self.optimizer = kinds[settings.optimizer](self.rate)

    def minimize(self, loss: Tensor) -> tf.Operation:
        """Make an op that takes a step down the loss; all such ops share counter and momentum."""
        return self.optimizer.minimize(loss, global_step=self.batch, var_list=self.var_list)


def momentum_optimizer(loss: Tensor, var_list: list, epoch: int = 10_000) -> tf.Operation:
    """Make the op of the article's step; its rate falls by 5% after every epoch // 4 steps."""
    settings = Settings(epoch=epoch)
    return Optimizer(var_list, settings.learning_rate, settings).minimize(loss)


# -------------------------------------------------------------------------------------- the graph
class GAN:
    """The article's graph, and its training loop as a single op, built from the same steps.

    | name | shape | meaning |
    | --- | --- | --- |
    | x_node, z_node | (batch, 1) | real data and noise, float32 |
    | G, D1, D2 | (batch, 1) | G(z), D(x), D(G(z)); also the tensors' names |
    | loss_d, loss_g | () | what D and G maximise; also the tensors' names |
    | theta_g, theta_d | 6 variables each | weight1, bias1, ..., weight3, bias3 |
    | train_op_d, train_op_g | | take a step of D, a step of G |
    | sampled, theta_sampled | as G, theta_g | G; with `ema_decay`, G with averaged weights |
    | init, seed_node | | set all variables to their initial values; the seed to draw them |
    """

    def __init__(self, settings: Settings | None = None):
        self.settings = settings or Settings()
        self.numbers = read_numbers(self.settings.data) if self.settings.data else None
        self.real, self.batches, self.noise = draw_many(self)  # by which G is measured
        moments = (self.real.mean(), self.real.std()) if self.settings.standardize else (0, 1)
        self.mean, self.deviation = map(float, moments)
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.build_article()
            self.build_loop()
            self.init = tf.global_variables_initializer()
            self.saver = tf.train.Saver(max_to_keep=1, save_relative_paths=True)

    def data_loaders(self, size: int, rng: Any) -> tuple[RealDataLoader, GenDataLoader]:
        """Make loaders for batches of `size`, which draw from `rng`."""
        s = self.settings
        real_data_load = RealDataLoader(size, s.mu, s.sigma, rng, self.numbers)
        return real_data_load, GenDataLoader(size, s.low, s.high, rng, s.noise)

    def generate(self, z: Tensor) -> Generator:
        """Build G(z), in the units of the real data."""
        units = self.settings.hidden_size_g or self.settings.hidden_size
        scale = self.settings.output_scale * self.deviation
        return Generator(z, hidden_size=units, scale=scale, mean=self.mean, **self.initial)

    def discriminate(self, x: Tensor) -> Discriminator:
        """Build D(x), where D sees x in standard units with `standardize`."""
        if self.settings.standardize:
            x = (x - self.mean) / self.deviation
        return Discriminator(x, hidden_size=self.settings.hidden_size, **self.initial)

    def networks(self, x: Tensor, z: Tensor) -> tuple[Generator, Discriminator, Discriminator]:
        """Build G(z), D(x) and D(G(z)); all calls share one set of variables."""
        generator = self.generate(z)
        return generator, self.discriminate(x), self.discriminate(generator.frac)

    def build_article(self) -> None:
        """Build everything that comes before the training loop in the article."""
        settings = self.settings
        self.x_node = tf.placeholder(tf.float32, (None, 1), "x_node")
        self.z_node = tf.placeholder(tf.float32, (None, 1), "z_node")
        self.seed_node = tf.placeholder_with_default(np.int64(settings.seed), (), "seed_node")
        self.initial = {"init": settings.init, "seed": self.seed_node}

        # Networks and objectives
        generator, discriminator1, discriminator2 = self.networks(self.x_node, self.z_node)
        G, self.theta_g = generator.get_param()
        D1, self.theta_d = discriminator1.get_param()
        self.G = tf.identity(G, "G")
        self.D1 = tf.identity(D1, "D1")
        self.D2 = tf.identity(discriminator2.frac, "D2")
        self.loss_d = objective_d(discriminator1, discriminator2)
        self.loss_g = objective_g(discriminator2)

        # The G to sample from: with `ema_decay`, one that starts as G and averages its weights
        self.sampled, self.theta_sampled = self.G, self.theta_g
        if settings.ema_decay:
            with tf.variable_scope("average"):
                self.sampled, self.theta_sampled = self.generate(self.z_node).get_param()

        # Optimizers
        rate_g = settings.learning_rate_g or settings.learning_rate
        with tf.name_scope("train_op_d"):
            self.optimizer_d = Optimizer(self.theta_d, settings.learning_rate, settings)
            self.train_op_d = self.train_discriminator(self.x_node, self.z_node)
        with tf.name_scope("train_op_g"):
            self.optimizer_g = Optimizer(self.theta_g, rate_g, settings)
            self.train_op_g = self.train_generator(self.z_node)
        self.rates = self.optimizer_d.rate(), self.optimizer_g.rate()

    def train_discriminator(self, x: Tensor, z: Tensor) -> tf.Operation:
        """Build a step of D, on the placeholders or the loop's batches: maximise loss_d - R1."""
        _, discriminator1, discriminator2 = self.networks(x, z)
        cost_d = 1 - objective_d(discriminator1, discriminator2)  # the article's, to minimise
        if self.settings.r1_gamma:
            # Mescheder et al. 2018, arXiv 1801.04406, equation 9; x as D sees it
            (slope,) = tf.gradients(discriminator1.logit, discriminator1.inputs)
            cost_d += self.settings.r1_gamma / 2 * tf.reduce_mean(tf.square(slope))
        return self.optimizer_d.minimize(cost_d)

    def train_generator(self, z: Tensor) -> tf.Operation:
        """Build G's step on noise z: maximise loss_g; then update the average, if there is one."""
        discriminator2 = self.discriminate(self.generate(z).frac)
        step = self.optimizer_g.minimize(1 - objective_g(discriminator2))
        if not self.settings.ema_decay:
            return step
        share = 1 - np.float32(self.settings.ema_decay)
        with tf.control_dependencies([step]):
            pairs = zip(self.theta_sampled, self.theta_g, strict=True)
            return tf.group([mean.assign_sub((mean - weight) * share) for mean, weight in pairs])

    def main_loop(self, x: Tensor, z: Tensor, start: Tensor, stop: Tensor) -> tuple:
        """Train for the iterations start to stop - 1 of a block: the article's loop, as one op.

        x is (block, d_steps, size, 1), z (block, d_steps + 1, size, 1). The steps run in the order
        written. Returns what the article prints, D1 and D2, and the objectives, at stop - 1.
        """
        d_steps = self.settings.d_steps
        nothing = tf.zeros_like(x[0, 0])
        seen = nothing, nothing, 0.0, 0.0  # AutoGraph wants a value from before the loop
        i = start
        while i < stop:  # XLA would recompile `for i in tf.range(start, stop)` for each pair
            # (1) Train D: maximise log D(x) + log(1 - D(G(z)))
            for j in tf.range(d_steps):
                self.train_discriminator(x[i, j], z[i, j])
            # (2) Look at D1 and D2, on the batches of D's last step
            if tf.equal(i, stop - 1):
                _, on_x, on_G = self.networks(x[i, d_steps - 1], z[i, d_steps - 1])
                seen = on_x.frac, on_G.frac, objective_d(on_x, on_G), objective_g(on_G)
            # (3) Train G: maximise log D(G(z)), on noise of its own
            self.train_generator(z[i, d_steps])
            i += 1
        return seen

    def build_loop(self) -> None:
        """Build the op of many iterations, by XLA: each takes less time than a `Session.run`."""
        d_steps, size = self.settings.d_steps, self.settings.size
        # Feed the batches of 100 iterations at once, or as many as fit 16 MB, but at least one
        most = 2**24 // (4 * size * (2 * d_steps + 1))
        block = self.block_length = max(1, min(100, most))
        x = tf.placeholder(tf.float32, (block, d_steps, size, 1))
        z = tf.placeholder(tf.float32, (block, d_steps + 1, size, 1))
        self.loop_inputs = x, z, tf.placeholder(tf.int32, ()), tf.placeholder(tf.int32, ())
        loop = tf.autograph.to_graph(GAN.main_loop, recursive=False)  # makes ops of `while`, `if`
        xla = self.settings.xla and tf.test.is_built_with_xla()
        function = tf.function(partial(loop, self), autograph=False, jit_compile=xla)
        self.loop = function.get_concrete_function(*self.loop_inputs)(*self.loop_inputs)

    def session(self) -> tf.Session:
        """Open an initialised session. GPU, threads, Grappler would cost more than they save."""
        set_library_flags()
        config = tf.ConfigProto(device_count={"GPU": 0})
        config.experimental.executor_type = "SINGLE_THREADED_EXECUTOR"
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        sess = tf.Session(graph=self.graph, config=config)
        sess.run(self.init)
        return sess


# --------------------------------------------------------------------------------- a training run
BATCHES, JUDGED, PRETRAINING, DISTRIBUTION = range(4)  # random streams: [seed, block, stream]


@dataclasses.dataclass
class Run:
    """The training of one seed: its state is the variables, `iteration`, `history`, `frames`."""

    gan: GAN
    sess: tf.Session
    settings: Settings
    folder: Folder | None = None  # where checkpoints are saved, if anywhere
    iteration: int = 0  # the next one
    history: list = dataclasses.field(default_factory=list)  # the rows of metrics.csv
    frames: list = dataclasses.field(default_factory=list)  # what the film shows

    def start(self) -> None:
        """Set all variables to the last checkpoint's values or, without one, the initial ones."""
        self.sess.run(self.gan.init, {self.gan.seed_node: self.settings.seed})
        if self.folder is None or not self.folder.restore(self):
            pretrain(self)  # by default, as in the article, not at all

    def draw_block(self, block: int) -> tuple:
        """Draw x, (block, d_steps, size, 1), and z, (block, d_steps + 1, size, 1)."""
        gan, d_steps = self.gan, self.settings.d_steps
        rng = np.random.default_rng([self.settings.seed, block, BATCHES])
        real_data_load, gen_data_load = gan.data_loaders(self.settings.size, rng)
        x = real_data_load.next_batch(gan.block_length, d_steps)
        return x, gen_data_load.next_batch(gan.block_length, d_steps + 1)

    def train(self, logs: list) -> Result:
        """Train up to `epoch`, then evaluate. Raises FloatingPointError if it diverges."""
        gan, settings = self.gan, self.settings
        in_hand = None
        while self.iteration < settings.epoch:
            i = self.iteration
            block, start = divmod(i, gan.block_length)
            if block != in_hand:
                x, z = self.draw_block(block)
                in_hand = block
            # A call ends at the first multiple of any of these, or with the last iteration
            due = gan.block_length, settings.log_every, settings.checkpoint_every
            end = min(settings.epoch, *((i // every + 1) * every for every in due))
            feed = dict(zip(gan.loop_inputs, (x, z, start, start + end - i), strict=True))
            seen = self.sess.run(gan.loop, feed)
            self.iteration = end
            if end % settings.log_every == 0 or end == settings.epoch:
                self.history.append(measure(self, seen))
                if settings.animate:
                    self.frames.append(take_frame(self))
                for log in logs:
                    log(self.history[-1], *seen[:2])
            if self.folder and end % settings.checkpoint_every == 0:
                self.folder.save(self)
        return evaluate(self)


def pretrain(run: Run) -> None:
    """Train D alone for `pretrain` iterations, by the article's single steps."""
    gan, settings = run.gan, run.settings
    if run.folder and settings.pretrain:
        print(f"Training D alone for {settings.pretrain} iterations.")
    rng = np.random.default_rng([settings.seed, 0, PRETRAINING])
    real_data_load, gen_data_load = gan.data_loaders(settings.size, rng)
    for _ in range(settings.pretrain * settings.d_steps):
        feed = {gan.x_node: real_data_load.next_batch(), gan.z_node: gen_data_load.next_batch()}
        run.sess.run(gan.train_op_d, feed)
    run.sess.run(gan.optimizer_d.batch.initializer)  # D's learning rate starts again


# ----------------------------------------------------------------- TensorFlow, fast and imported
@cache
def set_library_flags() -> None:
    """Set flags that make XLA and oneDNN fast, and alike on all x86-64 processors with AVX2."""
    # A small loop, as the article's, then runs in one thread; level 2 compiles in half the time
    flags = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=600000"
    flags += " --xla_backend_optimization_level=2"
    version = tuple(map(int, tf.__version__.split(".")[:2]))
    if version >= (2, 19):  # a flag that XLA does not know yet would end the process
        flags += " --xla_cpu_max_isa=AVX2"
    if version >= (2, 21):
        flags += " --xla_cpu_experimental_ynn_fusion_type="  # its kernels differ by processor
    os.environ["XLA_FLAGS"] = f"{flags} {os.environ.get('XLA_FLAGS', '')}"  # the last one counts
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")


@contextlib.contextmanager
def quick_and_quiet() -> Iterator[None]:
    """Import TensorFlow for the command a second faster, without its remarks on the machine."""
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # a standard stream is closed: its number must not become that of another file
    stderr = os.dup(2)
    os.dup2(null, 2)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # see `train`
    sys.modules.setdefault("keras", None)  # so that TensorFlow does not load it
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except KeyboardInterrupt:
        os.write(stderr, b"gan_1d.py: stopped\n")
        sys.exit(130)
    finally:
        gc.enable()
        gc.freeze()  # later collections skip what was loaded: half a second
        if sys.modules["keras"] is None:
            del sys.modules["keras"]
        os.dup2(stderr, 2)


ENVIRONMENT = dict(os.environ)  # restored in the end: after %run, a notebook goes on with it
with quick_and_quiet() if __name__ == "__main__" else contextlib.nullcontext():
    from tensorflow import Tensor  # first: loads faster than by compat.v1, on Python 3.11
    from tensorflow.compat import v1 as tf


# ----------------------------------------------------------------------------- one seed, and many
def train(settings: Settings | None = None, log: Callable | None = None) -> Result:
    """Train a GAN and evaluate it. Raises FloatingPointError if the training diverges.

    `log` is called with each row of the history, and each sample's D1 and D2. TensorFlow 2.21 gives
    the same weights on every x86-64 processor with AVX2, if it has computed nothing before in this
    process; the same samples, if TF_ENABLE_ONEDNN_OPTS is 0 before it is imported.
    """
    gan = GAN(settings)
    with gan.session() as sess:
        run = Run(gan, sess, gan.settings)
        run.start()
        return run.train([log] if log else [])


def train_many(settings: Settings, seeds: range) -> Iterator[Result | None]:
    """Train seeds in one graph, `jobs` at once; yield each one's result, or None if it diverges."""
    gan = GAN(settings)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    jobs = max(1, min(len(seeds), settings.jobs or cores))
    sessions = [gan.session() for _ in range(jobs)]  # XLA compiles the loop once for each of them
    free = sessions.copy()

    def train_one(seed: int) -> Any:
        sess = free.pop()
        one = dataclasses.replace(settings, seed=seed, runs=1, log_every=settings.epoch)
        try:
            run = Run(gan, sess, one)
            run.start()
            return run.train([])
        except FloatingPointError:
            return None
        finally:
            free.append(sess)

    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(train_one, seeds)
    finally:
        for sess in sessions:
            sess.close()  # a seed that is still being trained ends at its next call of the loop
        pool.shutdown(cancel_futures=True)


# ------------------------------------------------------------------------- what the loaders draw
MANY = 1_000_000  # draws that stand for a loader's distribution, exact to a KS of about 0.001
GRID = 2_000  # quantiles of the noise, from which G's distribution is computed
QUANTILES = (5, 25, 50, 75, 95)  # those of G that are logged, in percent


def read_numbers(path: str) -> Array:
    """Read a file of real data, float32, (count,). Raises ValueError if it can't be learned."""
    read = np.load if path.endswith(".npy") else partial(np.loadtxt, encoding="utf-8-sig")
    try:
        numbers = np.atleast_1d(read(Path(path).resolve(strict=True))).astype(np.float32)
        if numbers.size == 0 or numbers.size != len(numbers):
            raise ValueError("must have numbers, one a line")
        if not np.ptp(numbers) > 1e-6 * np.abs(numbers).max():
            raise ValueError("must be finite, and differ by over 1e-6 of the largest")
    except Exception as error:  # each kind of file has faults of its own
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"--data {path}: {reason}") from None
    return numbers.ravel()


def quantiles(numbers: Array, count: int) -> Array:
    """Return `count` evenly spaced quantiles of sorted numbers."""
    return numbers[((np.arange(count) + 0.5) / count * numbers.size).astype(int)]


def draw_many(gan: GAN) -> tuple:
    """Return MANY real data, sorted, 100 batches of them, and quantiles of noise, (GRID, 1)."""
    loaders = gan.data_loaders(gan.settings.size, np.random.default_rng([0, 0, DISTRIBUTION]))
    real, noise = (of.next_batch(math.ceil(MANY / of.size)).astype(float) for of in loaders)
    noise = quantiles(np.sort(noise, axis=None), GRID)
    return np.sort(real, axis=None), real[:100], noise[:, None]


def distance_to_target(G: Array, real: Array) -> dict:
    """Measure how far G's distribution is from the target's. Add new metrics of G here.

    `G`, of any shape, is G's output at evenly spaced quantiles of the noise: sorted, the quantiles
    of G's distribution. `real` is many real data, sorted. w1: the mean distance between G's and the
    target's quantiles; tail_error: the larger one at 0.5% and 99.5%, in standard deviations. ks:
    the largest gap between the two distribution functions; told_apart_by: the number of real
    samples with which a KS test at 5% finds this gap, more often than not.
    """
    values, target = np.sort(G.astype(float), axis=None), quantiles(real, G.size)
    levels = (np.arange(G.size) + 0.5) / G.size
    gaps = np.abs(values - target)
    ks = np.abs(np.searchsorted(real, values) / real.size - levels).max()
    metrics = {"w1": gaps.mean(), "ks": ks, "g_mean": values.mean(), "g_std": values.std()}
    metrics["tail_error"] = np.interp([0.005, 0.995], levels, gaps).max() / (target.std() or 1)
    for percent in QUANTILES:
        metrics[f"g_q{percent:02d}"] = np.interp(percent / 100, levels, values)
    metrics = {name: float(value) for name, value in metrics.items()}
    return metrics | {"told_apart_by": math.ceil((1.358 / max(ks, 0.5 / G.size)) ** 2)}


# ---------------------------------------------------------------------------------- what came out
SAMPLES = 10_000  # fresh numbers of each kind, real and generated, that D judges after training


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The outcome of a run. Its G is `GAN.sampled`, except in the history's d2_mean and loss_g."""

    settings: Settings
    final: dict  # the metrics after the last iteration, by name
    history: list  # those of each logged iteration: the rows of metrics.csv
    frames: list  # what the film shows of each of them
    samples: Array  # G's numbers, float32, (SAMPLES, 1)
    real: Array  # the real data's distribution: MANY draws, sorted
    batch: Array  # a batch of real data, float32, (size, 1)
    grid: Array  # z, rising, and G(z), (2, GRID)
    curve: Array  # x, rising, and D(x), (2, 81)
    weights: dict[str, Array]  # those of G and of D, by the variables' names


def in_parts(run: Run, tensor: Tensor, node: Tensor, values: Array) -> Array:
    """Evaluate 1,000 values at a time: with more, the last digit depends on the number of cores."""
    parts = np.split(values, range(1000, len(values), 1000))
    return np.concatenate([run.sess.run(tensor, {node: part}) for part in parts])


def map_noise(run: Run) -> Array:
    """Return G's outputs for evenly spaced quantiles of the noise, (GRID, 1)."""
    return in_parts(run, run.gan.sampled, run.gan.z_node, run.gan.noise)


def curve_of_D(run: Run) -> Array:
    """Return x, rising, from left of nearly all real data to right of them, and D(x), (2, 81)."""
    low, high = quantiles(run.gan.real, 100)[[0, -1]]
    x = np.linspace(1.5 * low - 0.5 * high, 1.5 * high - 0.5 * low + (low == high), 81)
    return np.stack([x, run.sess.run(run.gan.D1, {run.gan.x_node: x[:, None]})[:, 0]])


def measure(run: Run, seen: tuple) -> dict:
    """Return a history row: `seen`, from before G's step; from after it, the next rates, and G."""
    D1, D2, *losses = seen
    values = D1.mean(), D2.mean(), *losses, *run.sess.run(run.gan.rates)
    names = ("d1_mean", "d2_mean", "loss_d", "loss_g", "learning_rate_d", "learning_rate_g")
    row = {"iteration": run.iteration - 1} | dict(zip(names, map(float, values), strict=True))
    G = map_noise(run)
    if not np.isfinite([*row.values(), G.sum()]).all():
        where = f"iteration {row['iteration']} with seed {run.settings.seed}"
        raise FloatingPointError(f"NaN or infinity at {where}: the training diverges")
    return row | distance_to_target(G, run.gan.real)


def evaluate(run: Run) -> Result:
    """Measure the variables as they are; D judges SAMPLES fresh numbers of each kind."""
    gan, real = run.gan, run.gan.real
    rng = np.random.default_rng([run.settings.seed, 0, JUDGED])
    real_data_load, gen_data_load = gan.data_loaders(SAMPLES, rng)
    real_data = real_data_load.next_batch()
    samples = in_parts(run, gan.sampled, gan.z_node, gen_data_load.next_batch())
    G = map_noise(run)
    final = distance_to_target(G, real) | {"real_mean": real.mean(), "real_std": real.std()}
    for name, judged in {"d1": real_data, "d2": samples}.items():
        D = in_parts(run, gan.D1, gan.x_node, judged)
        final |= {f"{name}_mean": D.mean(), f"{name}_min": D.min(), f"{name}_max": D.max()}
    gaps = np.sort(gan.batches[:, :, 0]) - quantiles(real, run.settings.size)
    final["batch_w1"] = np.median(np.abs(gaps).mean(1))
    reach = run.settings.output_scale * gan.deviation
    final["out_of_reach"] = np.mean(np.abs(real - gan.mean) > reach)
    final = {name: np.asarray(value).item() for name, value in final.items()}
    names = [variable.op.name for variable in gan.theta_g + gan.theta_d]
    weights = dict(zip(names, run.sess.run(gan.theta_sampled + gan.theta_d), strict=True))
    drawn = samples, real, gan.batches[0], np.hstack([gan.noise, G]).T, curve_of_D(run)
    return Result(run.settings, final, run.history, run.frames, *drawn, weights)


# ------------------------------------------------------------------------------- did G learn it?
def yardstick(size: int) -> float:
    """Return the KS that bounds 95% of batches of `size` real data (Stephens 1970; 0.975 for 1)."""
    return min(0.975, 1.358 / (math.sqrt(size) + 0.12 + 0.11 / math.sqrt(size)))


def judge(final: dict, settings: Settings) -> tuple[bool, bool]:
    """Return whether D's means are near 0.5, and whether G is as near as a batch of real data."""
    near_half = all(abs(final[name] - 0.5) < 0.1 for name in ("d1_mean", "d2_mean"))
    return near_half, final["ks"] < yardstick(settings.size)


def verdict(final: dict, settings: Settings) -> str:
    """Return the report: what came out, and what to try."""
    s = settings
    near_half, matches = judge(final, s)
    tells = "both within" if near_half else "not both within"
    nearness = "as near its target as" if matches else "further from its target than"
    digits = math.floor(math.log10(200 / final["real_std"]))  # as many as MANY draws tell
    mean, deviation = (round(final[name], digits) + 0.0 for name in ("real_mean", "real_std"))
    ks = yardstick(s.size)
    text = f"""
After {s.epoch} iterations (D judges {SAMPLES} fresh samples of each kind):
  D1 = D(x)      mean {final["d1_mean"]:.3f}, from {final["d1_min"]:.3f} to {final["d1_max"]:.3f}
  D2 = D(G(z))   mean {final["d2_mean"]:.3f}, from {final["d2_min"]:.3f} to {final["d2_max"]:.3f}
  G(z)           mean {final["g_mean"]:.5g}, standard deviation {final["g_std"]:.4g}
  {Path(s.data).name or "real data":<14} mean {mean:g}, standard deviation {deviation:g}
The means of D(x) and D(G(z)) are {tells} 0.1 of 0.5.
G is {nearness} a batch of {s.size} real samples: KS {final["ks"]:.3f}, W1 {final["w1"]:.4g}.
(95 of 100 such batches have a KS below {ks:.3f}; a typical W1 is {final["batch_w1"]:.3g}.)
A KS test needs about {final["told_apart_by"]:,} real samples to tell G from its target."""
    if near_half and not matches:
        text += "\nSo a D near 0.5 does not show that G has learned its target."
    if final["out_of_reach"] > 0.01:
        text += f"\nG's bounds exclude {final['out_of_reach']:.0%} of the real data."
    if not matches and any(getattr(s, name) != value for name, value in RECOMMENDED.items()):
        changed = [
            name for name in ("mu", "sigma", "data") if getattr(s, name) != getattr(Settings, name)
        ]
        flags = ["--recipe", "recommended", *(f"--{name}={getattr(s, name)}" for name in changed)]
        text += f"\nThis recipe usually comes nearer:\n  python gan_1d.py {shlex.join(flags)}"
    return text


def summarise(rows: list, settings: Settings) -> dict:
    """Return the shares of runs that pass, and the medians and worst cases of their metrics."""
    good = [row for row in rows if not row["diverged"]]
    passed = [judge(row, settings) for row in good]
    final = {"d_near_half": sum(near for near, _ in passed) / len(rows)}
    final["g_matches"] = sum(matches for _, matches in passed) / len(rows)
    final["diverged"] = len(rows) - len(good)
    if good:
        final["d_worst"] = max(abs(row[of] - 0.5) for row in good for of in ("d1_mean", "d2_mean"))
        for name, worst in (("w1", max), ("ks", max), ("tail_error", max), ("told_apart_by", min)):
            values = [row[name] for row in good]
            final |= {f"{name}_median": float(np.median(values)), f"{name}_worst": worst(values)}
    return final


# --------------------------------------------------------------------------------------- pictures
DASHED = {"color": "gray", "linewidth": 1, "linestyle": "--"}
PAGE = """<!DOCTYPE html><meta charset="utf-8"><title>gan_1d: the training</title><style>
body {margin: 0} body .animation img {width: min(100vw, 183vh - 13em)}
body .anim-buttons button {width: auto} body .anim-buttons button:after {content: attr(title)}
</style><script>onkeydown = event => {
  const space = animfilm.direction ? "pause_animation" : "play_animation"
  const keys = {" ": space, ArrowLeft: "previous_frame", ArrowRight: "next_frame"}
  if (event.key in keys) { animfilm[keys[event.key]](); event.preventDefault() }
}</script>
"""  # as wide as the window; words on the buttons, in place of a font from the network


def write_picture(path: Path, draw: Callable, result: Result) -> None:
    """Write what `draw` draws on a figure, in matplotlib's own style, or the film it returns."""
    backend = os.environ.pop("MPLBACKEND", "") if "matplotlib" not in sys.modules else ""
    import matplotlib.style
    from matplotlib.figure import Figure

    if backend:
        with contextlib.suppress(ValueError):  # not installed here: matplotlib's default
            matplotlib.rcParams["backend"] = backend
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(10, 7.5), layout="constrained")
        film = draw(figure, result)
        if path.suffix == ".png":
            figure.savefig(path)
        elif path.suffix == ".gif":
            film.save(path, "pillow", fps=8, dpi=80)
        else:
            figure.dpi = 200
            page = re.sub("[0-9a-f]{32}", "film", film.to_jshtml(fps=8, default_mode="once"))
            path.write_text(PAGE + page[page.index("<script") :])  # "film": not a random name


def draw_training(figure: Any, result: Result) -> None:
    """Draw D1 and D2, the losses, and G's distance and quantiles over the iterations."""
    panels = figure.subplots(4, sharex=True)
    lines = [(0, "d1_mean", "D1: real data"), (0, "d2_mean", "D2: generated")]
    lines += [(1, "loss_d", "loss_d, D's objective"), (1, "loss_g", "loss_g, G's objective")]
    lines += [(2, "w1", "W1 of G to the target")]
    lines += [(3, f"g_q{percent:02d}", f"{percent}% of G lie below") for percent in QUANTILES[::-1]]
    for panel, column, label in lines:
        values = [[row[name] for row in result.history] for name in ("iteration", column)]
        panels[panel].plot(*values, marker=".", markersize=2, label=label)
    panels[0].axhline(0.5, **DASHED, label="0.5: D can't tell")
    panels[2].axhline(result.final["batch_w1"], **DASHED, label="a batch of real data")
    for percent in QUANTILES:
        panels[3].axhline(result.real[percent * result.real.size // 100], **DASHED)
    panels[0].set(ylabel="mean D", ylim=(-0.05, 1.05), title="D's answers, both objectives, and G")
    panels[1].set(ylabel="objectives\n(maximised)")
    panels[2].set(ylabel="distance", ylim=(0, None))
    panels[3].set(ylabel="quantiles of G\n(target dashed)", xlabel="iteration")
    for axes in panels:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def density(numbers: Array, edges: Array) -> Array:
    """Return the density of numbers between edges; those beyond are counted at the ends."""
    counts, _ = np.histogram(numbers.clip(edges[0], edges[-1]), edges)
    return counts / numbers.size / np.diff(edges)


def draw_density(axes: Any, result: Result, bars: Array) -> Any:
    """Draw bars of G's density, and the real data's as a line, in the colour of text."""
    edges = result.curve[0]
    p = density(result.real, edges)
    stairs = axes.stairs(bars, edges, fill=True, alpha=0.5, label="G(z)")
    name = f"real data {Path(result.settings.data).name}".strip().replace("$", r"\$")
    axes.plot((edges[1:] + edges[:-1]) / 2, p, axes.title.get_color(), label=name)
    axes.set(xlabel="x", ylabel="density", ylim=(0, 2.5 * p.max()))
    return stairs


def draw_distribution(figure: Any, result: Result) -> None:
    """Draw G's numbers beside the target, D beside the best D for this G, and the map z to G(z)."""
    axes = figure.subplot_mosaic("AC;BC", width_ratios=(3, 2))
    upper, lower, right = (axes[panel] for panel in "ABC")
    edges = result.curve[0]
    p, q = density(result.real, edges), density(result.samples, edges)
    draw_density(upper, result, q)
    batch = density(result.batch, edges[::2])
    upper.stairs(batch, edges[::2], color="C1", label=f"{result.batch.size} real samples")
    upper.set_title("The numbers that G makes")
    best = p / np.where(p + q, p + q, np.nan)  # nothing is drawn where there are no numbers
    lower.stairs(best, edges, baseline=None, color="gray", label="the best D for this G")
    lower.plot(*result.curve, "C3", label="D(x)")
    lower.axhline(0.5, **DASHED)
    lower.set(xlabel="x", ylabel="probability of real", ylim=(0, 1.3), yticks=(0, 0.5, 1))
    z, G = result.grid
    right.plot(z, quantiles(result.real, GRID), **DASHED, label="ideal, or its mirror image")
    right.plot(z, G, label="G(z)")
    right.set(xlabel="z", title="How G maps the noise")
    for panel in (upper, lower, right):
        panel.legend()


def take_frame(run: Run) -> dict:
    """Return what a picture of the film shows: G's density, D, and how far G is."""
    x, D = curve_of_D(run)
    title = "iteration {iteration:,}: mean D {d1_mean:.2f} on real, {d2_mean:.2f} on G\nA KS test "
    title += "needs {told_apart_by:,} real samples to tell G from its target"
    frame = {"iteration": run.iteration - 1, "title": title.format(**run.history[-1])}
    return frame | {"bars": density(map_noise(run), x).tolist(), "D": D.tolist()}


def draw_film(figure: Any, result: Result) -> Any:
    """Return the film of the training, of at most 64 frames, the last one among them."""
    from matplotlib.animation import FuncAnimation

    if not result.frames:
        raise ValueError("draw_film needs the result of a run with animate=True")
    frames = result.frames[:: -math.ceil(len(result.frames) / 64)][::-1]
    figure.set(layout_engine="none", size_inches=(6.4, 3.5))
    axes = figure.subplots(gridspec_kw={"bottom": 0.26, "top": 0.87})
    bars = draw_density(axes, result, frames[0]["bars"])
    right = axes.twinx()
    (curve,) = right.plot(*result.curve, "C3", label="D(x)")
    right.axhline(0.5, **DASHED | {"color": "C3"})
    right.set(ylabel="D(x)", ylim=(0, 1.05), yticks=(0, 0.5, 1))  # 0.5 lies above the bell
    figure.legend(loc="lower center", ncols=3)

    def show(frame: dict) -> None:
        bars.set_data(frame["bars"])
        curve.set_ydata(frame["D"])
        axes.set_title(frame["title"], fontsize="medium")

    return FuncAnimation(figure, show, frames, init_func=list)  # which does nothing


# --------------------------------------------------------------------------------- a run's folder
class Folder:
    """The results of a run and, while it is unfinished, `checkpoints`, from which to continue.

    A new or empty folder is marked with gan_1d.json; in it, NAMES are the program's own. A run goes
    on if program, data, TensorFlow and settings, but for FREE, are the same. May be refused.
    """

    NAMES = ("metrics.csv", "samples.npy", "runs.csv", "summary.json", "training.png", "events")
    NAMES += ("distribution.png", "training.gif", "training.html", "saved_model", "checkpoints")
    FREE = ("plots", "tensorboard", "saved_model", "print_pairs", "jobs", "checkpoint_every")
    FREE += ("output_dir",)

    def __init__(self, settings: Settings):
        self.path = Path(os.path.expanduser(settings.output_dir))
        self.checkpoints = self.path / "checkpoints"
        self.progress = self.checkpoints / "progress.json"  # exists if there is a run to continue
        self.written = set()
        mark = self.path / "gan_1d.json"
        self.path.mkdir(parents=True, exist_ok=True)
        if os.listdir(self.path) and (mark.is_symlink() or not mark.is_file()):
            raise FileExistsError(f"{self.path} is neither empty nor made by this program")
        self.mark = open(mark, "a+")  # noqa: SIM115
        try:
            import fcntl

            fcntl.flock(self.mark, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until it is closed
        except BlockingIOError:
            raise FileExistsError(f"{self.path} is in use by another run") from None
        except (ImportError, OSError):
            pass  # Windows; a file system without locks
        self.remove(*(name for name in self.NAMES if (self.path / name).is_symlink()))
        run = {name: value for name, value in vars(settings).items() if name not in self.FREE}
        files = [__file__, settings.data] if settings.data else [__file__]
        run["checksums"] = [zlib.crc32(Path(file).read_bytes()) for file in files]
        run = json.dumps(run | {"tensorflow": tf.__version__}, indent=1)
        self.mark.seek(0)
        if self.mark.read() != run:
            if self.progress.exists():
                print(f"Another run, which was stopped in {self.path}, is replaced.")
            self.remove("checkpoints/progress.json", *self.NAMES)  # the first says: continue
            self.mark.truncate(0)
            self.mark.write(run)
            self.mark.flush()
        self.checkpoints.mkdir(exist_ok=True)

    def remove(self, *names: str) -> None:
        """Remove files, folders and links of the program's own."""
        for name in names:
            shutil.rmtree(self.path / name, ignore_errors=True)  # if it is a folder
            (self.path / name).unlink(missing_ok=True)

    def write(self, name: str, write_to: Callable, *data: Any) -> None:
        """Write a result to a path in `checkpoints`, then move it into place, whole."""
        part = self.checkpoints / f"part_{Path(name).name}"
        try:
            self.remove(part.relative_to(self.path))  # of a run that was killed
            write_to(part, *data)
            if part.is_dir():
                self.remove(name)
            os.replace(part, self.path / name)
        except OSError as error:
            raise OSError(f"{self.path / name}: {error.strerror or error}") from error
        self.written |= {name} - {"checkpoints/progress.json"}

    def save(self, run: Run) -> None:
        """Save history and frames, then the variables, without which they do not count."""
        progress = {"history": run.history, "frames": run.frames}
        self.write("checkpoints/progress.json", Path.write_text, json.dumps(progress))
        prefix = str(self.checkpoints / "iteration")
        run.gan.saver.save(run.sess, prefix, run.iteration, write_meta_graph=False)

    def restore(self, run: Run) -> bool:
        """Set a run to the last checkpoint; return whether there is one."""
        prefix = tf.train.latest_checkpoint(self.checkpoints)
        if prefix is None or not self.progress.exists():
            return False
        run.gan.saver.restore(run.sess, prefix)
        run.iteration = int(prefix.rpartition("-")[2])
        for name, rows in json.loads(self.progress.read_text()).items():
            # A run killed before it saved its variables has left rows of later iterations
            setattr(run, name, [row for row in rows if row["iteration"] < run.iteration])
        print(f"Continuing at iteration {run.iteration} of {run.settings.epoch}.")
        return True


def write_csv(path: Path, rows: list) -> None:
    """Write rows, with their names in the first line."""
    lines = [rows[0], *(row.values() for row in rows)]
    path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines), newline="\n")


def write_saved_model(path: Path, run: Run) -> None:
    """Write a SavedModel: `generate`, z to x, and `discriminate`, x to probability."""
    gan = run.gan
    signature = tf.saved_model.predict_signature_def
    named = {"generate": signature({"z": gan.z_node}, {"x": gan.sampled})}
    named["discriminate"] = signature({"x": gan.x_node}, {"probability": gan.D1})
    builder = tf.saved_model.Builder(str(path))
    builder.add_meta_graph_and_variables(run.sess, [tf.saved_model.SERVING], named)
    builder.save()


# ------------------------------------------------------------------------------- the command line
def flag(name: str) -> str:
    """Return the flag of a setting."""
    return "--" + name.replace("_", "-")


def parse_settings(argv: list | None = None) -> Settings:
    """Read `Settings` from the command line: each field is a flag."""
    parser = argparse.ArgumentParser("gan_1d.py", allow_abbrev=False)
    parser.error = lambda text: parser.exit(2, f"gan_1d.py: error: {' '.join(text.split())}\n")
    recommended = " ".join(f"{flag(k)} {v}" for k, v in RECOMMENDED.items()).replace(" True", "")
    text = f"sets the flags' defaults; recommended: {recommended} (default: article)"
    parser.add_argument("--recipe", choices=RECIPES, default="article", help=text)
    groups = {name: parser.add_argument_group(name) for name in GROUPS}
    for field in dataclasses.fields(Settings):
        of, how = field.metadata, {"action": argparse.BooleanOptionalAction}
        if of["kind"] is not bool:
            how = {"type": of["kind"], "choices": of["allowed"][0] or None}
        default = flag(field.name.removesuffix("_g")) if field.default is None else field.default
        how["help"] = f"{of['help']} (default: {'none' if default == '' else default})"
        groups[of["group"]].add_argument(flag(field.name), default=argparse.SUPPRESS, **how)
    given = vars(parser.parse_args(argv))
    try:
        return Settings(**RECIPES[given.pop("recipe")] | given)
    except ValueError as error:
        parser.error(str(error))


def print_line(row: dict, D1_: Array, D2_: Array) -> None:
    """Print a logged iteration in one line."""
    line = "iteration {iteration:6d}  D1 {d1_mean:.3f}  D2 {d2_mean:.3f}"
    print((line + "  loss_d {loss_d:.3f}  loss_g {loss_g:.3f}").format(**row), flush=True)


def print_pairs(row: dict, D1_: Array, D2_: Array) -> None:
    """Print a logged iteration as the article does: for each sample the iteration, D1 and D2."""
    for d1, d2 in zip(D1_[:, 0], D2_[:, 0], strict=True):
        print(f"{row['iteration']}\nD1: {d1!s} ,D2: {d2!s}")


def log_event(writer: tf.summary.FileWriter, row: dict, *_: Array) -> None:
    """Write a logged iteration for TensorBoard."""
    values = [tf.Summary.Value(tag=k, simple_value=v) for k, v in row.items() if k != "iteration"]
    writer.add_summary(tf.Summary(value=values), row["iteration"])
    writer.flush()


def write_summary(folder: Folder, settings: Settings, words: list[str], final: dict) -> None:
    """Write the command, the versions, the settings and the final metrics."""
    versions = {"python": sys.version.split()[0], "tensorflow": tf.__version__}
    versions |= {name: importlib.metadata.version(name) for name in ("numpy", "matplotlib")}
    summary = {"command": shlex.join(["python", "gan_1d.py", *words]), "versions": versions}
    summary |= {"settings": vars(settings), "final": final}
    folder.write("summary.json", Path.write_text, json.dumps(summary, indent=2) + "\n")


def run_one(folder: Folder, settings: Settings, words: list[str]) -> None:
    """Train once; write the numbers, print the report, draw the pictures."""
    gan = GAN(settings)
    with gan.session() as sess:
        run = Run(gan, sess, settings, folder)
        run.start()
        logs = [print_pairs if settings.print_pairs else print_line]
        if settings.tensorboard:
            folder.remove("events")  # those of an interrupted run are written again
            writer = tf.summary.FileWriter(str(folder.path / "events"), gan.graph)
            logs.append(partial(log_event, writer))
            for row in run.history:
                logs[-1](row)
            folder.written.add("events")
        result = run.train(logs)
        if settings.saved_model:
            folder.write("saved_model", write_saved_model, run)
    folder.write("metrics.csv", write_csv, result.history)
    folder.write("samples.npy", np.save, result.samples)
    write_summary(folder, settings, words, result.final)
    print(verdict(result.final, settings))
    pictures = {"training.png": draw_training, "distribution.png": draw_distribution}
    if settings.animate:
        pictures |= {"training.gif": draw_film, "training.html": draw_film}
    for name, draw in pictures.items() if settings.plots else ():
        folder.write(name, write_picture, draw, result)


RUN_COLUMNS = ("d1_mean", "d2_mean", "w1", "ks", "told_apart_by", "tail_error", "g_mean", "g_std")


def table_line(row: dict) -> str:
    """Return a row of runs.csv as a line of the table that is printed."""
    cells = [f"{row[name]:14.5g}" for name in RUN_COLUMNS if not row["diverged"]]
    return f"{row['seed']:10d}{''.join(cells) or '  diverged'}"


def run_many(folder: Folder, settings: Settings, words: list[str]) -> None:
    """Train many seeds; print and write their table and its summary."""
    rows = json.loads(folder.progress.read_text()) if folder.progress.exists() else []
    print("      seed" + "".join(f"{name:>14}" for name in RUN_COLUMNS))
    for row in rows:  # of an interrupted run
        print(table_line(row))
    seeds = range(settings.seed + len(rows), settings.seed + settings.runs)
    with contextlib.closing(train_many(settings, seeds)) as results:
        for seed, result in zip(seeds, results, strict=True):
            final = result.final if result else {}
            columns = {name: final.get(name, "") for name in RUN_COLUMNS}
            rows.append({"seed": seed, **columns, "diverged": result is None})
            folder.write("checkpoints/progress.json", Path.write_text, json.dumps(rows))
            print(table_line(rows[-1]), flush=True)
    folder.write("runs.csv", write_csv, rows)
    final = summarise(rows, settings)
    write_summary(folder, settings, words, final)
    for name, value in final.items():
        print(f"{name:>24}{value:14.5g}")


def main(argv: list | None = None) -> int:
    """Run the command line; return the exit status."""
    words = sys.argv[1:] if argv is None else argv
    began = time.perf_counter()
    settings = parse_settings(words)
    tf.logging.set_verbosity(tf.logging.ERROR)  # no remarks on calls that are deprecated
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        folder = Folder(settings)
        with folder.mark:
            run = run_one if settings.runs == 1 else run_many
            run(folder, settings, words)
            folder.remove("checkpoints/progress.json", *set(folder.NAMES) - folder.written)
        seconds = time.perf_counter() - began  # TensorFlow was loaded before
        print(f"Written to {folder.path} in {seconds:.1f} s: {', '.join(sorted(folder.written))}")
        return 0
    except KeyboardInterrupt:
        problem, status = "stopped; the same command goes on from the last checkpoint, if any", 130
    except (OSError, FloatingPointError, MemoryError, tf.errors.OpError) as error:
        lines = [line for line in str(error).splitlines() if line.strip() and line[-1] != ":"]
        problem = f"error: {lines[0] if lines else type(error).__name__}"
        status = 2 if isinstance(error, FileExistsError | NotADirectoryError) else 1
        if isinstance(error, FloatingPointError):
            folder.remove("checkpoints")  # a run that diverged is not one to continue
    print(f"gan_1d.py: {problem}", file=sys.stderr)
    return status


if __name__ == "__main__":
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from libraries: users of a command can't act on them
            sys.exit(main())
    finally:
        os.environ.clear()
        os.environ.update(ENVIRONMENT)
