"""The smallest GAN: uniform noise goes in, normally distributed numbers come out (TensorFlow 1.x).

    python gan_1d.py                        # the article's training run; results: outputs/latest
    python gan_1d.py --recipe recommended   # settings under which G does learn its target
    python gan_1d.py --help                 # all settings; what changes the algorithm is off

A generator G, a small tanh network, turns uniform noise z into numbers. A discriminator D, another
small network, estimates the probability that a number is real, drawn from N(mu, sigma). D learns to
tell real numbers from generated ones, and G to fool D. In the end, D(x) and D(G(z)) are both near
0.5. That does not show that G has learned the distribution; G's distance to it is measured too.

Read from "settings" on: "data", "networks", "objectives and optimizers" and "the graph" are the
article's script, part by part; `GAN.main_loop` is its loop, and "a training run" feeds it. Stop
there: the rest repeats, measures, draws and saves it. "The article" is a Chinese tutorial based
on Eric Jang's 1-D GAN tutorial of 2016; "the paper" is Goodfellow et al. 2014, arXiv 1406.2661.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import gc
import importlib.metadata
import json
import math
import numbers
import os
import re
import shlex
import shutil
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np


@contextlib.contextmanager
def quick_and_quiet() -> Iterator[None]:
    """Have the command import TensorFlow a second faster, without its remarks about the machine."""
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # a standard stream is closed: its number must not become that of another file
    stderr = os.dup(2)
    os.dup2(null, 2)
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
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
        if level is None:
            del os.environ["TF_CPP_MIN_LOG_LEVEL"]
        os.dup2(stderr, 2)


with quick_and_quiet() if __name__ == "__main__" else contextlib.nullcontext():
    from tensorflow import Tensor  # first: from this depth, Python 3.11 loads it 0.5 s faster
    from tensorflow.compat import v1 as tf


# --------------------------------------------------------------------------------------- settings
def setting(default: Any, text: str, choices=(), min: Any = None, max: Any = None) -> Any:
    """Make a field of `Settings`: help text, then the allowed names or the ends of the range."""
    kind = type(min if default is None else default)
    metadata = {"help": text, "limits": (kind, choices, min, max)}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that a run depends on: the article's values, and options. Raises ValueError if wrong."""

    epoch: int = setting(10_000, "iterations: D's steps, then one of G's", min=1, max=10**9)
    size: int = setting(200, "samples in a batch", min=1, max=5 * 10**6)
    hidden_size: int = setting(6, "units in each hidden layer", min=1, max=1024)
    hidden_size_g: int | None = setting(None, "those of G's layers, if different", min=1, max=1024)
    d_steps: int = setting(2, "discriminator steps in an iteration", min=1, max=1000)
    low: float = setting(-1.0, "lower end of the uniform noise", min=-1e30, max=1e30)
    high: float = setting(1.0, "upper end of the uniform noise", min=-1e30, max=1e30)
    noise: str = setting("uniform", "random or evenly spaced noise", ("uniform", "stratified"))
    mu: float = setting(-1.0, "mean of the real data", min=-1e30, max=1e30)
    sigma: float = setting(1.0, "standard deviation of the real data", min=1e-30, max=1e30)
    output_scale: float = setting(5.0, "bound of G's output, plus or minus", min=1e-30, max=1e31)
    init: str = setting("normal", "initial weights", ("normal", "glorot_uniform", "fan_in"))
    optimizer: str = setting("momentum", "of both networks", ("momentum", "sgd", "adam"))
    learning_rate: float = setting(0.01, "initial learning rate", min=1e-30, max=1e30)
    learning_rate_g: float | None = setting(None, "that of G, if different", min=1e-30, max=1e30)
    momentum: float = setting(0.6, "momentum, for --optimizer momentum", min=0, max=0.999999)
    beta1: float = setting(0.9, "Adam's decay rate of the mean gradient", min=0, max=0.999999)
    decay_rate: float = setting(0.95, "rates' factor, every epoch // 4 steps", min=1e-6, max=1)
    pretrain: int = setting(0, "iterations of D alone, before the others", min=0, max=10**9)
    r1_gamma: float = setting(0.0, "weight of the R1 penalty on D's slope", min=0, max=1e30)
    ema_decay: float = setting(0.0, "decay of G's average weights; 0: none", min=0, max=0.999999)
    seed: int = setting(0, "seed of all random draws", min=0, max=2**32 - 1)
    runs: int = setting(1, "seeds to train, from --seed up, and compare", min=1, max=10**6)
    log_every: int = setting(100, "iterations between printed lines", min=1, max=10**9)
    xla: bool = setting(True, "compile the training loop with XLA")
    animate: bool = setting(False, "also write training.gif and training.html")
    # From here on, what may change when an interrupted run is continued
    plots: bool = setting(True, "draw pictures")
    tensorboard: bool = setting(False, "also write TensorBoard events, as it trains")
    saved_model: bool = setting(False, "also write both networks as a TensorFlow SavedModel")
    print_pairs: bool = setting(False, "print what the article prints: each sample's D1 and D2")
    jobs: int = setting(0, "with --runs: seeds at once; 0: one per core", min=0, max=1024)
    checkpoint_every: int = setting(2_500, "iterations between checkpoints", min=1, max=10**9)
    output_dir: str = setting("outputs/latest", "for results: new, empty or an earlier run's")
    overwrite: bool = setting(False, "replace the unfinished run in --output-dir")

    def __post_init__(self) -> None:
        check_settings(self)


# ------------------------------------------------------------------------------------------- data
@dataclasses.dataclass
class GenDataLoader:
    """The generator's noise: uniform, or "stratified": evenly spaced, with jitter up to 0.01."""

    size: int = 200
    low: float = -1
    high: float = 1
    rng: np.random.Generator = dataclasses.field(default_factory=np.random.default_rng)
    noise: str = "uniform"

    def next_batch(self, *counts: int) -> np.ndarray:
        """Draw a batch, float32, (size, 1), or many of them, (*counts, size, 1)."""
        z = self.rng.random((*counts, self.size, 1), dtype=np.float32)
        if self.noise == "stratified":
            points = np.linspace(self.low, self.high, self.size, dtype=np.float32)
            return points[:, None] + z * np.float32(0.01)
        return z * np.float32(self.high - self.low) + np.float32(self.low)


@dataclasses.dataclass
class RealDataLoader:
    """The real data: independent draws from N(mu, sigma)."""

    size: int = 200
    mu: float = -1
    sigma: float = 1
    rng: np.random.Generator = dataclasses.field(default_factory=np.random.default_rng)

    def next_batch(self, *counts: int) -> np.ndarray:
        """Draw a batch, float32, (size, 1), or many of them, (*counts, size, 1)."""
        data = self.rng.standard_normal((*counts, self.size, 1), dtype=np.float32)
        return data * np.float32(self.sigma) + np.float32(self.mu)


def data_loaders(settings: Settings, size: int, rng: Any) -> tuple[RealDataLoader, GenDataLoader]:
    """Make the loaders of a run, for batches of `size`, which draw from `rng`."""
    real_data_load = RealDataLoader(size, settings.mu, settings.sigma, rng)
    gen_data_load = GenDataLoader(size, settings.low, settings.high, rng, settings.noise)
    return real_data_load, gen_data_load


# --------------------------------------------------------------------------------------- networks
def weight_variable(shape: list, name: str, init="normal", seed=None, number=0) -> tf.Variable:
    """Get or create the weights `name`, float32, (inputs, outputs), from a seed and a number.

    The article calls it but does not show it. "normal", with standard deviation 1, is from Jang's
    tutorial, "glorot_uniform" from Glorot and Bengio 2010, equation 16, "fan_in" from PyTorch's
    linear layers, biases included.
    """
    initializer = drawn(init, *shape, seed, number)
    return tf.get_variable(name, shape, tf.float32, initializer, use_resource=True)


def bias_variable(
    shape: list, name: str, init="normal", seed=None, number=0, inputs=1
) -> tf.Variable:
    """Get or create the biases `name`, float32, (1, outputs): zeros, or drawn with "fan_in"."""
    initializer = tf.zeros_initializer()
    if init == "fan_in":
        initializer = drawn(init, inputs, shape[1], seed, number)
    return tf.get_variable(name, shape, tf.float32, initializer, use_resource=True)


def drawn(init: str, inputs: int, outputs: int, seed: Any, number: int) -> Callable:
    """Return an initializer; without a seed, each one draws different values."""
    key = np.random.default_rng().integers(2**32, size=2) if seed is None else [seed, number]
    if init == "normal":
        return partial(tf.random.stateless_normal, seed=key)
    limits = {"glorot_uniform": math.sqrt(6 / (inputs + outputs)), "fan_in": 1 / math.sqrt(inputs)}
    limit = limits[init]
    return partial(tf.random.stateless_uniform, seed=key, minval=-limit, maxval=limit)


def dense(inputs: Tensor, weight: tf.Variable, bias: tf.Variable) -> Tensor:
    """Return a layer's values before activation, (outputs, batch), from inputs, (inputs, batch)."""
    # tf.matmul(inputs, weight) + bias in the article; transposed, XLA's loop is a third faster
    return tf.matmul(weight, inputs, transpose_a=True) + tf.transpose(bias)


def mlp(inputs: Tensor, sizes: list, init="normal", seed: Any = None, first=0) -> tuple:
    """Build two tanh layers and a linear one, sizes[0] to sizes[3]; return output and variables."""
    var_list = []  # the first one's number is `first`: those of G are 0 to 5, those of D 6 to 11
    for layer in (1, 2, 3):
        before, units = sizes[layer - 1], sizes[layer]
        number = first + len(var_list)
        weight = weight_variable([before, units], f"weight{layer}", init, seed, number)
        bias = bias_variable([1, units], f"bias{layer}", init, seed, number + 1, before)
        var_list += [weight, bias]
    weight1, bias1, weight2, bias2, weight3, bias3 = var_list
    frac1 = tf.tanh(dense(tf.transpose(inputs), weight1, bias1))
    frac2 = tf.tanh(dense(frac1, weight2, bias2))
    return tf.transpose(dense(frac2, weight3, bias3)), var_list


class Generator:
    """The article's G: noise, (batch, 1), to numbers, `frac`, (batch, 1): tanh, tanh, 5 tanh."""

    def __init__(self, inputs, input_size=1, hidden_size=6, output_size=1, output_scale=5, **how):
        with tf.variable_scope("generator", reuse=tf.AUTO_REUSE):
            sizes = [input_size, hidden_size, hidden_size, output_size]
            values, self.var_list = mlp(inputs, sizes, **how)
            self.frac = tf.multiply(tf.tanh(values, name="frac3"), output_scale)

    def get_param(self) -> tuple[Tensor, list[tf.Variable]]:
        """Return the output and the variables: weight1, bias1, ..., weight3, bias3."""
        return self.frac, self.var_list


class Discriminator:
    """The article's D: numbers, (batch, 1), to the probability, `frac`, that each one is real."""

    def __init__(self, inputs, input_size=1, hidden_size=6, **how):
        with tf.variable_scope("discriminator", reuse=tf.AUTO_REUSE):
            sizes = [input_size, hidden_size, hidden_size, 1]
            self.logit, self.var_list = mlp(inputs, sizes, first=6, **how)
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
    """Return loss_g = mean(log D2), which G maximises; why not log(1 - D2): paper, section 3."""
    log_D2 = -tf.nn.softplus(-discriminator2.logit)
    return tf.reduce_mean(log_D2, name="loss_g")


class Optimizer:
    """One network's optimizer; its learning rate falls with the number of its own steps."""

    def __init__(self, var_list: list[tf.Variable], learning_rate: float, settings: Settings):
        self.var_list = var_list
        self.learning_rate = learning_rate
        self.interval = max(1, settings.epoch // 4)  # 0 would make the rate NaN
        self.decay_rate = settings.decay_rate
        self.batch = tf.Variable(0, False, name="batch", dtype=tf.int64, use_resource=True)
        kinds = {
            "momentum": partial(tf.train.MomentumOptimizer, momentum=settings.momentum),
            "sgd": tf.train.GradientDescentOptimizer,
            "adam": partial(tf.train.AdamOptimizer, beta1=settings.beta1),
        }
        self.optimizer = kinds[settings.optimizer](self.rate)  # a function: each graph calls it

    def rate(self, steps_ago: int = 0) -> Tensor:
        """Return the learning rate of the next step, or of the one `steps_ago`: a staircase."""
        return tf.train.exponential_decay(
            self.learning_rate, self.batch - steps_ago, self.interval, self.decay_rate, True
        )

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
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.build_article()
            self.build_loop()
            self.init = tf.global_variables_initializer()
            self.saver = tf.train.Saver(max_to_keep=1, save_relative_paths=True)

    def generate(self, z: Tensor) -> Generator:
        """Build G(z); all calls share one set of variables."""
        units = self.settings.hidden_size_g or self.settings.hidden_size
        scale = self.settings.output_scale
        return Generator(z, hidden_size=units, output_scale=scale, **self.initial)

    def discriminate(self, x: Tensor) -> Discriminator:
        """Build D(x); all calls share one set of variables."""
        return Discriminator(x, hidden_size=self.settings.hidden_size, **self.initial)

    def build_article(self) -> None:
        """Build everything that comes before the training loop in the article."""
        settings = self.settings
        # Inputs
        self.x_node = tf.placeholder(tf.float32, (None, 1), "x_node")
        self.z_node = tf.placeholder(tf.float32, (None, 1), "z_node")
        self.seed_node = tf.placeholder_with_default(np.int64(settings.seed), (), "seed_node")
        self.initial = {"init": settings.init, "seed": self.seed_node}

        # Networks and objectives
        G, self.theta_g = self.generate(self.z_node).get_param()
        self.G = tf.identity(G, "G")
        discriminator1 = self.discriminate(self.x_node)
        discriminator2 = self.discriminate(self.G)
        D1, self.theta_d = discriminator1.get_param()
        D2, self.theta_d = discriminator2.get_param()
        self.D1 = tf.identity(D1, "D1")
        self.D2 = tf.identity(D2, "D2")
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

    def train_discriminator(self, x: Tensor, z: Tensor) -> tf.Operation:
        """Build D's step on x and z, by nets that share all variables: maximise loss_d, less R1."""
        discriminator1 = self.discriminate(x)
        discriminator2 = self.discriminate(self.generate(z).frac)
        cost_d = 1 - objective_d(discriminator1, discriminator2)  # the article's, to minimise
        if self.settings.r1_gamma:
            # Mescheder et al. 2018, arXiv 1801.04406, equation 9
            (slope,) = tf.gradients(discriminator1.logit, x)
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

    def look(self, x: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        """Return D1, D2, loss_d, loss_g, the rate of D's last step and that of G's next step."""
        discriminator1 = self.discriminate(x)
        discriminator2 = self.discriminate(self.generate(z).frac)
        losses = objective_d(discriminator1, discriminator2), objective_g(discriminator2)
        rates = self.optimizer_d.rate(steps_ago=1), self.optimizer_g.rate()
        return discriminator1.frac, discriminator2.frac, *losses, *rates

    def main_loop(self, x: Tensor, z: Tensor, start: Tensor, stop: Tensor) -> tuple[Tensor, ...]:
        """Train for the iterations start to stop - 1 of a block, as the article's loop does.

            for i in range(epoch):
                for j in range(2):
                    real_data = real_data_load.next_batch()
                    gen_data = gen_data_load.next_batch()
                    sess.run([train_op_d, loss_d], {x_node: real_data, z_node: gen_data})
                D1_, D2_ = sess.run([D1, D2], {x_node: real_data, z_node: gen_data})
                gen_data = gen_data_load.next_batch()
                sess.run([train_op_g, loss_g], {z_node: gen_data})

        Here the loop is itself an op; its steps run in the order written. XLA would recompile a
        loop for each new start and stop, so this one covers the block and skips the rest. x is
        (block, d_steps, size, 1), z (block, d_steps + 1, size, 1). Returns `look` at stop - 1.
        """
        nothing = tf.zeros_like(x[0, 0])
        seen = nothing, nothing, 0.0, 0.0, 0.0, 0.0  # AutoGraph wants a value from before the loop
        for i in tf.range(self.block_length):
            if tf.logical_and(start <= i, i < stop):
                # (1) Train D: maximise log D(x) + log(1 - D(G(z)))
                for j in tf.range(self.settings.d_steps):
                    self.train_discriminator(x[i, j], z[i, j])
                # (2) What the article prints, on the batches of D's last step
                if tf.equal(i, stop - 1):
                    seen = self.look(x[i, -1], z[i, -2])
                # (3) Train G: maximise log D(G(z)), on noise of its own
                self.train_generator(z[i, -1])
        return seen

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # AutoGraph's own, with Python 3.13
        main_loop = tf.autograph.to_graph(main_loop, recursive=False)  # makes ops of `for` and `if`

    def build_loop(self) -> None:
        """Build the op that runs many iterations in one call, compiled to machine code by XLA.

        A training step takes microseconds, a `Session.run` call a good part of a millisecond.
        """
        d_steps, size = self.settings.d_steps, self.settings.size
        # Feed the batches of 100 iterations at once, or of as many as 16 MB hold: at least of one
        most = 2**24 // (4 * size * (2 * d_steps + 1))
        block = self.block_length = max(1, min(100, most))
        self.x_block = tf.placeholder(tf.float32, (block, d_steps, size, 1), "x_block")
        self.z_block = tf.placeholder(tf.float32, (block, d_steps + 1, size, 1), "z_block")
        self.start = tf.placeholder(tf.int32, (), "start")
        self.stop = tf.placeholder(tf.int32, (), "stop")
        inputs = self.x_block, self.z_block, self.start, self.stop
        xla = self.settings.xla and tf.test.is_built_with_xla()
        function = tf.function(self.main_loop, autograph=False, jit_compile=xla)
        self.loop = function.get_concrete_function(*inputs)(*inputs)

    def session(self) -> tf.Session:
        """Open a session. A GPU, threads and graph optimization would cost more than they save."""
        set_library_flags()
        config = tf.ConfigProto(device_count={"GPU": 0})
        config.experimental.executor_type = "SINGLE_THREADED_EXECUTOR"
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        return tf.Session(graph=self.graph, config=config)


# --------------------------------------------------------------------------------- a training run
def draw_block(settings: Settings, block: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw x, (count, d_steps, size, 1), and z, (count, d_steps + 1, size, 1), from the seed."""
    rng = np.random.default_rng([settings.seed, block])
    real_data_load, gen_data_load = data_loaders(settings, settings.size, rng)
    x = real_data_load.next_batch(count, settings.d_steps)
    return x, gen_data_load.next_batch(count, settings.d_steps + 1)


@dataclasses.dataclass
class Run:
    """The training of one seed: its state is the variables, `iteration`, `history`, `frames`."""

    gan: GAN
    sess: tf.Session
    settings: Settings
    folder: Folder | None = None  # where checkpoints are saved, if anywhere
    iteration: int = 0  # the next one
    history: list[dict] = dataclasses.field(default_factory=list)  # the rows of metrics.csv
    frames: list[dict] = dataclasses.field(default_factory=list)  # what the film shows

    def __post_init__(self) -> None:
        self.sess.run(self.gan.init, {self.gan.seed_node: self.settings.seed})
        if self.folder is None or not self.folder.restore(self):
            pretrain(self)  # by default, as in the article, not at all

    def train(self, logs: list[Callable]) -> Result:
        """Draw, run the loop, log and save until `epoch`; evaluate. Raises FloatingPointError."""
        gan, settings = self.gan, self.settings
        in_hand = None
        while self.iteration < settings.epoch:
            i = self.iteration
            block, start = divmod(i, gan.block_length)
            if block != in_hand:
                x, z = draw_block(settings, block, gan.block_length)
                in_hand = block
            # A call ends at the first multiple of any of these, or with the last iteration
            due = gan.block_length, settings.log_every, settings.checkpoint_every
            end = min(settings.epoch, *((i // every + 1) * every for every in due))
            stop = start + end - i
            feed = {gan.x_block: x, gan.z_block: z, gan.start: start, gan.stop: stop}
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


# ----------------------------------------------------------------------------- one seed, and many
def set_library_flags() -> None:
    """Have XLA and oneDNN compute fast, and alike on all x86-64 processors that have AVX2.

    They read these settings once, when they first compute. What the user has set is kept.
    """
    # A loop that handles fewer bytes than this in an iteration, as the article's does, becomes one
    # function, which runs in one thread: several seeds then train side by side. Level 2 compiles in
    # half the time of XLA's usual level 3, to code that is as fast.
    flags = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=600000"
    flags += " --xla_backend_optimization_level=2"
    if tf.__version__ >= "2.19":  # a flag that XLA does not know yet would end the process
        flags += " --xla_cpu_max_isa=AVX2"
    if tf.__version__ >= "2.21":
        flags += " --xla_cpu_experimental_ynn_fusion_type="  # its kernels differ by processor
    os.environ.setdefault("XLA_FLAGS", flags)
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")


def train(settings: Settings | None = None, log: Callable | None = None) -> Result:
    """Train a GAN and evaluate it. Raises FloatingPointError if the training diverges.

    At each logged iteration, `log` is called with a row of the history and the batch's D1 and D2.
    With TensorFlow 2.21, both recipes give the same weights on every x86-64 processor with AVX2, if
    TensorFlow has computed nothing before in this process; the same samples too, if
    TF_ENABLE_ONEDNN_OPTS is 0 before TensorFlow is imported.
    """
    gan = GAN(settings)
    with gan.session() as sess:
        return Run(gan, sess, gan.settings).train([log] if log else [])


def train_many(settings: Settings, seeds: range) -> Iterator[Result | None]:
    """Train seeds in one graph, `jobs` at once; yield each one's result, or None if it diverges."""
    gan = GAN(settings)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    jobs = max(1, min(len(seeds), settings.jobs or cores))
    sessions = [gan.session() for _ in range(jobs)]  # XLA compiles the loop once for each of them
    free = sessions.copy()

    def train_one(seed: int) -> Result | None:
        sess = free.pop()
        one = dataclasses.replace(settings, seed=seed, runs=1, log_every=settings.epoch)
        try:
            return Run(gan, sess, one).train([])
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


def pretrain(run: Run) -> None:
    """Train D alone for `pretrain` iterations, by the article's single steps."""
    gan, settings = run.gan, run.settings
    rng = np.random.default_rng([settings.seed, 0, 2])  # the key of no block
    real_data_load, gen_data_load = data_loaders(settings, settings.size, rng)
    for _ in range(settings.pretrain * settings.d_steps):
        feed = {gan.x_node: real_data_load.next_batch(), gan.z_node: gen_data_load.next_batch()}
        run.sess.run(gan.train_op_d, feed)
    run.sess.run(gan.optimizer_d.batch.initializer)  # D's learning rate starts again


# ---------------------------------------------------------------------------------- what came out
SAMPLES = 10_000  # fresh numbers of each kind, real and generated, that D judges after training
GRID = 2_000  # quantiles of G's distribution from which its distance to the target is computed
QUANTILES = (5, 25, 50, 75, 95)  # those of G that are logged, in percent


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The outcome of a run. Its G is `GAN.sampled`, except in the history's d2_mean and loss_g."""

    settings: Settings
    final: dict[str, float]  # the metrics after the last iteration, by name
    history: list[dict]  # those of each logged iteration: the rows of metrics.csv
    frames: list[dict]  # what each picture of the film shows
    samples: np.ndarray  # G's numbers, float32, (SAMPLES, 1)
    real: np.ndarray  # a batch of real data, float32, (size, 1)
    grid: np.ndarray  # z, rising, and G(z), (2, GRID)
    curve: np.ndarray  # x, rising, and D(x), (2, points)
    weights: dict[str, np.ndarray]  # those of G and of D, by the variables' names


def distance_to_target(G: np.ndarray, settings: Settings) -> dict[str, float]:
    """Measure how far G's distribution is from the target's. Add new metrics of G here.

    `G`, of any shape, is G's output at evenly spaced quantiles of the noise. Sorted, because G need
    not be monotonic, these are the quantiles of G's distribution, without sampling noise.
    w1: the mean distance between these and the target's quantiles. ks: the largest gap between the
    two distribution functions. told_apart_by: the number of real samples at which this gap reaches
    a KS test's 5% threshold; with more, the test tells G from its target more often than not.
    tail_error: the larger of the quantiles' distances at 0.5% and 99.5%, in units of sigma.
    """
    target = statistics.NormalDist(settings.mu, settings.sigma)
    quantiles = np.sort(G.astype(float), axis=None)
    levels = (np.arange(G.size) + 0.5) / G.size
    gaps = np.abs(quantiles - [target.inv_cdf(level) for level in levels.tolist()])
    ks = np.abs([target.cdf(value) for value in quantiles.tolist()] - levels).max()
    metrics = {"w1": gaps.mean(), "ks": ks, "g_mean": quantiles.mean(), "g_std": quantiles.std()}
    metrics["tail_error"] = np.interp([0.005, 0.995], levels, gaps).max() / settings.sigma
    for percent in QUANTILES:
        metrics[f"g_q{percent:02d}"] = np.interp(percent / 100, levels, quantiles)
    metrics = {name: float(value) for name, value in metrics.items()}
    metrics["told_apart_by"] = math.ceil((1.358 / max(ks, 0.5 / G.size)) ** 2)
    return metrics


def in_parts(run: Run, tensor: Tensor, node: Tensor, values: np.ndarray) -> np.ndarray:
    """Evaluate 1,000 values at a time: with more, the last digit depends on the number of cores."""
    parts = [values[k : k + 1000] for k in range(0, len(values), 1000)]
    return np.concatenate([run.sess.run(tensor, {node: part}) for part in parts])


def map_noise(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return evenly spaced z from low to high, and G's outputs for them, (GRID, 1) each."""
    low, high = run.settings.low, run.settings.high
    z = low + (high - low) * ((np.arange(GRID)[:, None] + 0.5) / GRID)
    return z, in_parts(run, run.gan.sampled, run.gan.z_node, z)


def measure(run: Run, seen: tuple) -> dict[str, float]:
    """Return a row of the history from what `GAN.main_loop` saw, and from G as it is after that."""
    D1, D2, *others = seen
    row = {"iteration": run.iteration - 1, "d1_mean": float(D1.mean()), "d2_mean": float(D2.mean())}
    names = ("loss_d", "loss_g", "learning_rate_d", "learning_rate_g")
    row |= {name: float(value) for name, value in zip(names, others, strict=True)}
    _, G = map_noise(run)
    if not np.isfinite([*row.values(), G.sum()]).all():
        where = f"iteration {row['iteration']} with seed {run.settings.seed}"
        raise FloatingPointError(f"NaN or infinity at {where}: the training diverges")
    return row | distance_to_target(G, run.settings)


def evaluate(run: Run) -> Result:
    """Have D judge SAMPLES fresh numbers of each kind, and return the outcome of the run."""
    gan, settings = run.gan, run.settings
    rng = np.random.default_rng([settings.seed, 0, 1])  # the key of no block
    real_data_load, gen_data_load = data_loaders(settings, SAMPLES, rng)
    real_data = real_data_load.next_batch()
    samples = in_parts(run, gan.sampled, gan.z_node, gen_data_load.next_batch())
    grid = np.hstack(map_noise(run)).T
    final = distance_to_target(grid[1], settings)
    for name, judged in (("d1", real_data), ("d2", samples)):
        D = in_parts(run, gan.D1, gan.x_node, judged)
        final |= {f"{name}_{of}": float(getattr(D, of)()) for of in ("mean", "min", "max")}
    both = np.append(density(settings)[1], samples)
    x = np.linspace(both.min(), both.max(), 401)[:, None]
    curve = np.hstack([x, run.sess.run(gan.D1, {gan.x_node: x})]).T
    weights = run.sess.run(gan.theta_sampled + gan.theta_d)
    weights = {v.op.name: w for v, w in zip(gan.theta_g + gan.theta_d, weights, strict=True)}
    real = data_loaders(settings, settings.size, rng)[0].next_batch()
    return Result(settings, final, run.history, run.frames, samples, real, grid, curve, weights)


# ------------------------------------------------------------------------------- did G learn it?
RECOMMENDED = {  # while D stays near the best D for this G, its slope moves G to the target
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
}
RECIPES = {"article": {}, "recommended": RECOMMENDED}
# The targets that it is known to learn: `python tests/tables.py targets`
TARGETS = ("N(-1, 1)", "N(0, 1)", "N(-1, 0.5)", "N(3, 0.5)", "N(0, 2)", "N(-1, 2)")


def yardstick(settings: Settings) -> tuple[float, float]:
    """Return the KS that bounds 95% of real batches (Kolmogorov), and a typical W1 (measured)."""
    return 1.358 / math.sqrt(settings.size), 1.17 * settings.sigma / math.sqrt(settings.size)


def judge(final: dict[str, float], settings: Settings) -> tuple[bool, bool]:
    """Return whether D's means are near 0.5, and whether G is as near as a batch of real data."""
    near_half = all(abs(final[name] - 0.5) < 0.1 for name in ("d1_mean", "d2_mean"))
    return near_half, final["ks"] < yardstick(settings)[0]


def verdict(final: dict[str, float], settings: Settings) -> str:
    """Return the report: what came out, and what to try."""
    s = settings
    near_half, matches = judge(final, s)
    ks, w1 = yardstick(s)
    tells = "both within" if near_half else "not both within"
    nearness = "as near its target as" if matches else "further from its target than"
    text = f"""
After {s.epoch} iterations (D judges {SAMPLES} fresh samples of each kind):
  D1 = D(x)      mean {final["d1_mean"]:.3f}, from {final["d1_min"]:.3f} to {final["d1_max"]:.3f}
  D2 = D(G(z))   mean {final["d2_mean"]:.3f}, from {final["d2_min"]:.3f} to {final["d2_max"]:.3f}
  G(z)           mean {final["g_mean"]:.4g}, standard deviation {final["g_std"]:.4g}
  real data      mean {s.mu:.4g}, standard deviation {s.sigma:.4g}
The means of D(x) and D(G(z)) are {tells} 0.1 of 0.5.
G is {nearness} a batch of {s.size} real samples: KS {final["ks"]:.3f}, W1 {final["w1"]:.4g}.
(95 of 100 such batches have a KS below {ks:.3f}; a typical W1 is {w1:.3g}.)
A KS test needs about {final["told_apart_by"]:,} real samples to tell G from its target."""
    if near_half and not matches:
        text += "\nSo a D near 0.5 does not show that G has learned its target."
    followed = s == dataclasses.replace(s, **RECOMMENDED)
    if f"N({s.mu:g}, {s.sigma:g})" in TARGETS and not matches and not followed:
        text += "\nThis recipe learns it:\n  python gan_1d.py --recipe recommended"
        text += f" --mu {s.mu:g} --sigma {s.sigma:g}"
    return text


def summarise(rows: list[dict], settings: Settings) -> dict[str, float]:
    """Return the shares of runs that pass, and the medians and worst cases of their metrics."""
    good = [row for row in rows if row["ks"] is not None]  # those that did not diverge
    passed = np.sum([judge(row, settings) for row in good] or [(0, 0)], axis=0)
    near_half, matches = (passed / max(1, len(rows))).tolist()
    final = {"d_near_half": near_half, "g_matches": matches, "diverged": len(rows) - len(good)}
    off = [abs(row[name] - 0.5) for row in good for name in ("d1_mean", "d2_mean")]
    final["d_worst"] = max(off, default=math.nan)
    for name, worst in (("w1", max), ("ks", max), ("tail_error", max), ("told_apart_by", min)):
        values = [row[name] for row in good] or [math.nan]
        final |= {f"{name}_median": statistics.median(values), f"{name}_worst": worst(values)}
    return final


# --------------------------------------------------------------------------------------- pictures
DASHED = {"color": "black", "linewidth": 1, "linestyle": "--"}
PAGE = """<meta charset="utf-8"><style>
body {margin: 0} body .animation img {width: min(100vw, 183vh - 13em)}
body .anim-buttons button {width: auto; padding: 0 1em}
body .anim-buttons button:after {content: attr(title)}</style>
"""  # as wide as the window; words on the buttons, in place of a font from the network


def write_picture(path: Path, draw: Callable, *data: Any) -> None:
    """Write what `draw` draws on a figure, in matplotlib's own style, or the film it returns."""
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context("default"):
        figure = Figure(figsize=(10, 7.5), layout="constrained")
        film = draw(figure, *data)
        if path.suffix == ".png":
            figure.savefig(path)
        elif path.suffix == ".gif":
            film.save(path, "pillow", fps=8, dpi=80)
        else:
            figure.dpi = 200
            page = film.to_jshtml(fps=8, default_mode="once")
            page = re.sub("[0-9a-f]{32}", "film", page)  # in place of a random name
            path.write_text(PAGE + page[page.index("<script") :])


def density(settings: Settings) -> tuple[statistics.NormalDist, np.ndarray, list[float]]:
    """Return the target, 401 points within four sigma of its mean, and its density there."""
    target = statistics.NormalDist(settings.mu, settings.sigma)
    x = np.linspace(target.mean - 4 * target.stdev, target.mean + 4 * target.stdev, 401)
    return target, x, [target.pdf(value) for value in x.tolist()]


def draw_training(figure: Any, result: Result) -> None:
    """Draw D1 and D2, the losses, and G's distance and quantiles over the iterations."""
    target, _, _ = density(result.settings)
    iterations = [row["iteration"] for row in result.history]
    panels = figure.subplots(4, sharex=True)
    for panel, column, label in (
        (0, "d1_mean", "D1: real data"),
        (0, "d2_mean", "D2: generated"),
        (1, "loss_d", "loss_d, D's objective"),
        (1, "loss_g", "loss_g, G's objective"),
        (2, "w1", "W1 of G to the target"),
        *[(3, f"g_q{percent:02d}", f"{percent}% of G lie below") for percent in QUANTILES[::-1]],
    ):
        values = [row[column] for row in result.history]
        panels[panel].plot(iterations, values, marker=".", markersize=2, label=label)
    for percent in QUANTILES:
        panels[3].axhline(target.inv_cdf(percent / 100), **DASHED)
    panels[0].axhline(0.5, **DASHED, label="0.5: D can't tell")
    panels[2].axhline(yardstick(result.settings)[1], **DASHED, label="a batch of real data")
    panels[0].set(ylabel="mean D", ylim=(-0.05, 1.05), title="D's answers, both objectives, and G")
    panels[1].set(ylabel="objectives\n(maximised)")
    panels[2].set(ylabel="distance", ylim=(0, None))
    panels[3].set(ylabel="quantiles of G\n(target dashed)", xlabel="iteration")
    for axes in panels:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def draw_distribution(figure: Any, result: Result) -> None:
    """Draw G's numbers beside the target, D beside the best D for this G, and the map z to G(z)."""
    axes = figure.subplot_mosaic([["density", "map"], ["d", "map"]], width_ratios=(3, 2))
    target, x, p = density(result.settings)
    edges = result.curve[0, ::10]
    q, real = (np.histogram(of, edges, density=True)[0] for of in (result.samples, result.real))
    top = min(2.5 * max(p), 1.5 * max(*p, *q, *real))
    beyond = f", tallest bar {q.max():.2g}" if q.max() > top else ""
    axes["density"].stairs(q, edges, fill=True, alpha=0.5, label=f"G(z){beyond}")
    axes["density"].stairs(real, edges, color="C1", label=f"{len(result.real)} real samples")
    axes["density"].plot(x, p, "k", label=f"N({target.mean:g}, {target.stdev:g})")
    axes["density"].set(ylabel="density", ylim=(0, top), title="The numbers that G makes")
    p_of_bar = np.diff([target.cdf(edge) for edge in edges.tolist()]) / np.diff(edges)
    best = p_of_bar / np.maximum(p_of_bar + q, 1e-300)
    axes["d"].stairs(best, edges, color="gray", label="the best D for this G")
    axes["d"].plot(*result.curve, "C3", label="D(x)")
    axes["d"].axhline(0.5, **DASHED)
    axes["d"].set(xlabel="x", ylabel="probability of real", ylim=(0, 1.3), yticks=(0, 0.5, 1))
    ideal = target.quantiles(2 * GRID)[::2]  # at the levels of the GRID values of z
    axes["map"].plot(result.grid[0], ideal, **DASHED, label="ideal, or its mirror image")
    axes["map"].plot(*result.grid, label="G(z)")
    axes["map"].set(xlabel="z", title="How G maps the noise")
    for panel in axes.values():
        panel.legend()


def take_frame(run: Run) -> dict:
    """Return what a picture of the film shows: G's density, D, and how far G is."""
    settings = run.settings
    row = run.history[-1]
    reach = max(settings.output_scale, abs(settings.mu) + 4 * settings.sigma)
    edges = np.linspace(-1.01 * reach, 1.01 * reach, 81)
    D = run.sess.run(run.gan.D1, {run.gan.x_node: edges[:, None]})[:, 0]
    bars, _ = np.histogram(map_noise(run)[1], edges, density=True)
    title = "iteration {iteration:,}: mean D {d1_mean:.2f} on real, {d2_mean:.2f} on G\nA KS test "
    title += "needs {told_apart_by:,} real samples to tell G from its target"
    frame = {"title": title.format(**row), "iteration": row["iteration"], "edges": edges.tolist()}
    return frame | {"bars": bars.tolist(), "D": D.tolist()}


def draw_film(figure: Any, result: Result) -> Any:
    """Return the film of the training, of at most 64 frames, the last one among them."""
    from matplotlib.animation import FuncAnimation

    frames = result.frames[:: -math.ceil(len(result.frames) / 64)][::-1]
    edges = frames[0]["edges"]
    target, x, p = density(result.settings)
    figure.set(layout_engine="none", size_inches=(6.4, 3.5))
    axes = figure.subplots(gridspec_kw={"bottom": 0.26, "top": 0.87})
    right = axes.twinx()
    bars = axes.stairs(frames[0]["bars"], edges, fill=True, alpha=0.5, label="G(z)")
    axes.plot(x, p, "k", label=f"N({target.mean:g}, {target.stdev:g})")
    (curve,) = right.plot(edges, frames[0]["D"], "C3", label="D(x)")
    axes.set(xlabel="x", ylabel="density", ylim=(0, 2.5 * max(p)))
    right.axhline(0.5, **DASHED)
    right.set(ylabel="D(x)", ylim=(0, 1.25), yticks=(0, 0.5, 1))
    figure.legend(loc="lower center", ncols=3)

    def show(frame: dict) -> None:
        bars.set_data(frame["bars"])
        curve.set_ydata(frame["D"])
        axes.set_title(frame["title"], fontsize="medium")

    return FuncAnimation(figure, show, frames, init_func=list)  # which does nothing


# --------------------------------------------------------------------------------- a run's folder
class Folder:
    """The results of a run and, while it is unfinished, `checkpoints`, from which to continue.

    A run writes to a folder that is new, empty or made by this program, which marks it with
    gan_1d.json. There, FILES and FOLDERS are the program's own; the rest is left alone. Raises
    FileExistsError for other folders, one in use, or an unfinished run with other settings.
    """

    FILES = ("metrics.csv", "samples.npy", "runs.csv", "summary.json", "training.png")
    FILES += ("distribution.png", "training.gif", "training.html")
    FOLDERS = ("checkpoints", "events", "saved_model")

    def __init__(self, settings: Settings):
        self.path = Path(settings.output_dir)
        self.checkpoints = self.path / "checkpoints"
        self.progress = self.checkpoints / "progress.json"  # exists if there is a run to continue
        self.written = set()
        mark = self.path / "gan_1d.json"
        self.path.mkdir(parents=True, exist_ok=True)
        if os.listdir(self.path) and not mark.is_file():  # (1) refuse what is not ours
            raise FileExistsError(f"{self.path} is neither empty nor made by this program")
        for path in (mark, *(self.path / name for name in self.FOLDERS)):
            if path.is_symlink():
                raise FileExistsError(f"{path} is a link, which this program did not make")
        self.mark = open(mark, "a+")  # noqa: SIM115  # (2) lock it
        try:
            import fcntl

            fcntl.flock(self.mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileExistsError(f"{self.path} is in use by another run") from None
        except (ImportError, OSError):
            pass  # Windows; a file system without locks
        names = list(vars(settings))
        new = {name: getattr(settings, name) for name in names[: names.index("plots")]}
        if self.progress.exists() and not settings.overwrite:  # (3) continue, if it is this run
            self.mark.seek(0)
            old = json.load(self.mark)
            other = [flag(name) for name in new if old.get(name) != new[name]]
            if other:
                why = f"has an unfinished run with another {', '.join(other)} (see gan_1d.json)"
                raise FileExistsError(f"{self.path} {why}: continue it, or add --overwrite")
        else:  # (4) or begin
            self.discard()
            self.mark.truncate(0)
            self.mark.write(json.dumps(new, indent=1))
            self.mark.flush()
            self.checkpoints.mkdir()

    def remove(self, *names: str) -> None:
        """Remove files and folders of the program's own."""
        for name in names:
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the checkpoints; progress.json, which says that there is a run, goes first."""
        self.remove("checkpoints/progress.json", "checkpoints")

    def write(self, name: str, write_to: Callable, *data: Any) -> None:
        """Write a result to a path in `checkpoints`, then move it into place, whole."""
        part = self.checkpoints / f"part_{Path(name).name}"
        self.remove(part.relative_to(self.path))  # of a run that was killed
        write_to(part, *data)
        if part.is_dir():
            self.remove(name)
        os.replace(part, self.path / name)
        if "/" not in name:  # not progress.json
            self.written.add(name)

    def save(self, run: Run) -> None:
        """Save history and frames, then the variables, without which they do not count."""
        progress = {"history": run.history, "frames": run.frames}
        self.write("checkpoints/progress.json", Path.write_text, json.dumps(progress))
        prefix = str(self.checkpoints / "iteration")
        run.gan.saver.save(run.sess, prefix, run.iteration, write_meta_graph=False)

    def restore(self, run: Run) -> bool:
        """Set a run to the last checkpoint; return whether there is one."""
        prefix = tf.train.latest_checkpoint(self.checkpoints)
        if prefix is None:
            return False
        run.gan.saver.restore(run.sess, prefix)
        run.iteration = int(prefix.rpartition("-")[2])
        for name, rows in json.loads(self.progress.read_text()).items():
            # A run killed before it saved its variables has left rows of later iterations
            setattr(run, name, [row for row in rows if row["iteration"] < run.iteration])
        print(f"Continuing at iteration {run.iteration} of {run.settings.epoch}.", flush=True)
        return True

    def finish(self) -> None:
        """Remove the other results of an earlier run, and what would continue this one."""
        self.remove(*{*self.FILES, "events", "saved_model"}.difference(self.written))
        self.discard()


def write_csv(path: Path, rows: list[dict]) -> None:
    """Write rows, with their names in the first line."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


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
KINDS = {  # what a setting of each kind may be, and what to call that
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    bool: ((bool, np.bool_), "True or False"),
    str: ((str, os.PathLike), "text"),
}


def flag(name: str) -> str:
    """Return the flag of a setting."""
    return "--" + name.replace("_", "-")


def allowed(field: dataclasses.Field) -> str:
    """Return what a setting may be, in words."""
    kind, choices, low, high = field.metadata["limits"]
    if choices:
        return f"one of {', '.join(choices)}"
    return KINDS[kind][1] + (f" from {low} to {high}" if high else "")


def check_settings(s: Settings) -> None:
    """Make each setting a plain Python value; raise ValueError for what is not allowed."""
    for field in dataclasses.fields(s):
        value = getattr(s, field.name)
        if value is None and field.default is None:
            continue
        kind, choices, low, high = field.metadata["limits"]
        good = isinstance(value, KINDS[kind][0]) and (kind is bool or not isinstance(value, bool))
        if not good or (choices and value not in choices) or (high and not low <= value <= high):
            raise ValueError(f"{flag(field.name)} {value!r:.60}: must be {allowed(field)}")
        object.__setattr__(s, field.name, kind(value))
    only_one = s.animate or s.tensorboard or s.saved_model
    folder = Path(s.output_dir).as_posix()  # TensorFlow takes some characters for patterns
    for good, must in (
        (s.low < s.high, f"--low {s.low:g}: must be below --high, {s.high:g}"),
        (s.sigma >= 1e-6 * abs(s.mu), f"--sigma {s.sigma:g}: must be at least 1e-6 of |--mu|"),
        (s.seed + s.runs <= 2**32, f"--runs {s.runs}: must be at most 2**32 - --seed"),
        (s.plots or not s.animate, "--animate: must be used without --no-plots"),
        (s.runs == 1 or not only_one, "--animate, --tensorboard, --saved-model: not with --runs"),
        (not set("*?[\\") & set(folder), f"--output-dir {folder}: must be without *, ?, [ and \\"),
    ):
        if not good:
            raise ValueError(must)


def parse_settings(argv: list[str] | None = None) -> Settings:
    """Read `Settings` from the command line: each field is a flag."""
    parser = argparse.ArgumentParser("gan_1d.py", allow_abbrev=False)
    parser.error = lambda text: parser.exit(2, f"gan_1d.py: error: {' '.join(text.split())}\n")
    text = "the settings to start from; other flags override them (default: article). "
    text += "recommended is " + " ".join(f"{flag(k)} {v}" for k, v in RECOMMENDED.items())
    parser.add_argument("--recipe", choices=RECIPES, default="article", help=text)
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    for name, field in fields.items():
        kind, *_ = field.metadata["limits"]
        how = {"metavar": kind.__name__.upper()}
        if kind is bool:
            how = {"action": argparse.BooleanOptionalAction}
        default = flag(name.removesuffix("_g")) if field.default is None else field.default
        text = f"{field.metadata['help']}; {allowed(field)} (default: {default})"
        parser.add_argument(flag(name), dest=name, default=argparse.SUPPRESS, help=text, **how)
    given = vars(parser.parse_args(argv))
    recipe = RECIPES[given.pop("recipe")]
    for name, text in given.items():
        with contextlib.suppress(ValueError):  # what can't be converted is refused below
            given[name] = fields[name].metadata["limits"][0](text)
    try:
        return Settings(**recipe | given)
    except ValueError as error:
        parser.error(str(error))


def print_line(row: dict[str, float], D1_: np.ndarray, D2_: np.ndarray) -> None:
    """Print a logged iteration in one line."""
    line = "iteration {iteration:6d}  D1 {d1_mean:.3f}  D2 {d2_mean:.3f}"
    print((line + "  loss_d {loss_d:.3f}  loss_g {loss_g:.3f}").format(**row), flush=True)


def print_pairs(row: dict[str, float], D1_: np.ndarray, D2_: np.ndarray) -> None:
    """Print a logged iteration as the article does: for each sample the iteration, D1 and D2."""
    for d1, d2 in zip(D1_[:, 0], D2_[:, 0], strict=True):
        print(f"{row['iteration']}\nD1: {d1!s} ,D2: {d2!s}")


def log_event(writer: tf.summary.FileWriter, row: dict[str, float], *_: np.ndarray) -> None:
    """Write a logged iteration for TensorBoard."""
    values = [tf.Summary.Value(tag=k, simple_value=v) for k, v in row.items() if k != "iteration"]
    writer.add_summary(tf.Summary(value=values), row["iteration"])
    writer.flush()


def run_one(settings: Settings, folder: Folder) -> tuple[dict, list[tuple]]:
    """Train once, write the numbers, print the report; return the metrics, and what to draw."""
    gan = GAN(settings)
    with gan.session() as sess:
        run = Run(gan, sess, settings, folder)
        logs = [print_pairs if settings.print_pairs else print_line]
        if settings.tensorboard:
            folder.remove("events")  # those of an interrupted run are written again
            writer = tf.summary.FileWriter(str(folder.path / "events"), gan.graph)
            for row in run.history:
                log_event(writer, row)
            logs.append(partial(log_event, writer))
            folder.written.add("events")
        result = run.train(logs)
        if settings.saved_model:
            folder.write("saved_model", write_saved_model, run)
    folder.write("metrics.csv", write_csv, result.history)
    folder.write("samples.npy", np.save, result.samples)
    print(verdict(result.final, settings), flush=True)
    pictures = [("training.png", draw_training), ("distribution.png", draw_distribution)]
    if settings.animate:
        pictures += [("training.gif", draw_film), ("training.html", draw_film)]
    return result.final, [(name, draw, result) for name, draw in pictures if settings.plots]


RUN_COLUMNS = ("d1_mean", "d2_mean", "w1", "ks", "told_apart_by", "tail_error", "g_mean", "g_std")


def table_line(row: dict[str, float], settings: Settings) -> str:
    """Return a row of runs.csv as a line of the table that is printed."""
    if row["diverged"]:
        return f"{row['seed']:10d}  diverged"
    cells = [f"{row[name]:14.5g}" for name in RUN_COLUMNS]
    near_half, matches = ("yes" if good else "no" for good in judge(row, settings))
    return f"{row['seed']:10d}{''.join(cells)}  {near_half:10}  {matches}"


def table_end(rows: list[dict], settings: Settings) -> str:
    """Return the lines below that table."""
    return """\
W1: median {w1_median:.4g}, worst {w1_worst:.4g}. KS: median {ks_median:.4f}, worst {ks_worst:.4f}.
Told apart by: median {told_apart_by_median:,.0f}, fewest {told_apart_by_worst:,}.
Tail error: median {tail_error_median:.2f}. D near 0.5: {d_near_half:.0%}, all within {d_worst:.3f}.
G as near as a batch: {g_matches:.0%}. Diverged: {diverged}.""".format(**summarise(rows, settings))


def run_many(settings: Settings, folder: Folder) -> tuple[dict, list[tuple]]:
    """Train many seeds, print and write their table; return its summary, and nothing to draw."""
    rows = json.loads(folder.progress.read_text()) if folder.progress.exists() else []
    head = "".join(f"{name:>14}" for name in RUN_COLUMNS)
    print(f"      seed{head}  D near 0.5  G as near as a batch")
    for row in rows:  # of an interrupted run
        print(table_line(row, settings), flush=True)
    seeds = range(settings.seed + len(rows), settings.seed + settings.runs)
    with contextlib.closing(train_many(settings, seeds)) as results:
        for seed, result in zip(seeds, results, strict=True):
            final = result.final if result else {}
            columns = {name: final.get(name) for name in RUN_COLUMNS}
            rows.append({"seed": seed, **columns, "diverged": result is None})
            folder.write("checkpoints/progress.json", Path.write_text, json.dumps(rows))
            print(table_line(rows[-1], settings), flush=True)
    folder.write("runs.csv", write_csv, rows)
    print(table_end(rows, settings))
    return summarise(rows, settings), []


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    words = sys.argv[1:] if argv is None else argv
    began = time.perf_counter()
    problem, status = "", 0
    try:
        settings = parse_settings(words)
        tf.logging.set_verbosity(tf.logging.ERROR)  # no remarks on calls that are deprecated
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")
        folder = Folder(settings)
        with folder.mark:
            run = run_one if settings.runs == 1 else run_many
            final, pictures = run(settings, folder)
            versions = {"python": sys.version.split()[0], "tensorflow": tf.__version__}
            versions |= {name: importlib.metadata.version(name) for name in ("numpy", "matplotlib")}
            summary = {"command": shlex.join(["python", "gan_1d.py", *words])}
            summary |= {"versions": versions, "settings": vars(settings), "final": final}
            folder.write("summary.json", Path.write_text, json.dumps(summary, indent=2) + "\n")
            try:
                for name, draw, result in pictures:
                    folder.write(name, write_picture, draw, result)
            except Exception as error:  # the numbers are written
                problem, status = f"error: the pictures can't be drawn: {error!r}", 1
            folder.finish()
        seconds = time.perf_counter() - began  # TensorFlow was loaded before
        print(f"Written to {folder.path} in {seconds:.1f} s: {', '.join(sorted(folder.written))}")
    except KeyboardInterrupt:
        problem, status = "stopped; the same command, without --overwrite, continues", 130
    except (OSError, ArithmeticError, MemoryError, tf.errors.OpError) as error:
        problem = f"error: {str(error) or type(error).__name__}"
        status = 2 if isinstance(error, FileExistsError | NotADirectoryError) else 1
        if isinstance(error, FloatingPointError):
            folder.discard()  # a run that diverged is not an unfinished run
    if problem:
        print(f"gan_1d.py: {problem.splitlines()[0]}", file=sys.stderr)
    return status


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from libraries: users of a command can't act on them
        sys.exit(main())
