"""The smallest GAN: uniform noise goes in, normally distributed numbers come out (TensorFlow 1.x graphs).

    python gan_1d.py          # the article's training run; results in outputs/latest
    python gan_1d.py --help   # every setting; what goes beyond the article is off by default

A generator G, a small tanh network, turns uniform noise z into numbers. A discriminator D of the same kind says how
likely it holds a number to be real, drawn from N(mu, sigma). D learns to tell the two apart and G to deceive it; in the
end D(x) and D(G(z)) are near 0.5. Whether G has learned the distribution is measured apart. "The paper" is Goodfellow
et al., Generative Adversarial Nets, 2014, arXiv 1406.2661; "the article" a Chinese tutorial after Eric Jang's of 2016.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import itertools
import json
import math
import os
import shlex
import shutil
import signal
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

SAMPLES = 10_000  # generated values that a run leaves, and fresh ones of both kinds that it judges D by
BULK_ITERATIONS = 100  # iterations whose batches are drawn and fed together,
BULK_BYTES = 1 << 24  # or fewer, to stay within so many bytes
XLA_PAYS = 10**7  # iterations times (size + 2,000), from which on compiling takes less time than it saves
GRID = 2_000  # quantiles of G's distribution that its distance to the target is taken from
LOGGED = ("d1_mean", "d2_mean", "loss_d", "loss_g", "learning_rate_d", "learning_rate_g", "w1", "ks", "g_mean", "g_std")


class _TensorFlow:
    """Stands for `tensorflow.compat.v1` until that is first used: --help need not wait for that."""

    def __getattr__(self, name: str) -> Any:
        global tf
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no remarks on the machine; failures raise exceptions
        with blamed("TensorFlow can't be loaded"):
            import tensorflow.compat.v1 as tf
        return getattr(tf, name)


tf: Any = _TensorFlow()


# -------------------------------------------------------------------------------------------------------- settings
def setting(default: Any, text: str, allowed: str = "True or False", test: Callable = lambda value: True) -> Any:
    """Make a field of `Settings`: its default, its help text, and what is allowed, in words and as a test."""
    return dataclasses.field(default=default, metadata={"help": text, "allowed": allowed, "test": test})


def whole(default: int, least: int, most: int, text: str) -> Any:
    """Make a field for a whole number."""
    return setting(default, text, f"a whole number from {least} to {most}", lambda value: least <= value <= most)


FINITE = "a number from -1e30 to 1e30", lambda value: abs(value) <= 1e30
POSITIVE = "a number from 1e-30 to 1e30", lambda value: 1e-30 <= value <= 1e30
BELOW_1 = "a number from 0 to below 1", lambda value: 0 <= value < 1
UP_TO_1 = "a number above 0, at most 1", lambda value: 0 < value <= 1
FROM_0 = "a number from 0 to 1e30", lambda value: 0 <= value <= 1e30
PATH = "a path of 1 to 1,000 printable characters", lambda value: 0 < len(value) <= 1000 and value.isprintable()


def choice(text: str, *names: str) -> Any:
    """Make a field for one of the names, the first by default."""
    return setting(names[0], text, "one of " + ", ".join(names), lambda value: value in names)


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that a run depends on; the defaults are the article's. A value that is not allowed raises ValueError."""

    epoch: int = whole(10_000, 1, 10**9, "iterations; each one trains D --d-steps times, then G once")
    size: int = whole(200, 1, 5 * 10**6, "samples in a batch")
    hidden_size: int = whole(6, 1, 1024, "units in each hidden layer of both networks")
    d_steps: int = whole(2, 1, 1000, "discriminator steps in an iteration")
    low: float = setting(-1.0, "lower end of the uniform noise", *FINITE)
    high: float = setting(1.0, "upper end of the uniform noise", *FINITE)
    mu: float = setting(-1.0, "mean of the real data", *FINITE)
    sigma: float = setting(1.0, "standard deviation of the real data", *POSITIVE)
    learning_rate: float = setting(0.01, "learning rate to begin with", *POSITIVE)
    momentum: float = setting(0.6, "momentum", *BELOW_1)
    decay_rate: float = setting(0.95, "factor on a learning rate after every epoch // 4 of its steps", *UP_TO_1)
    optimizer: str = choice("how both networks step down", "momentum", "sgd", "adam")
    noise: str = choice("independent draws, or evenly spaced ones with a little jitter", "uniform", "stratified")
    init: str = choice("how weights start", "normal", "truncated_normal", "glorot_uniform", "classic")
    pretrain: int = whole(0, 0, 10**9, "iterations that train D alone, before the game")
    r1_gamma: float = setting(0.0, "weight of the R1 penalty on D's gradient at real data; 0: none", *FROM_0)
    ema_decay: float = setting(0.0, "decay of the average of G's weights that samples come from; 0: none", *BELOW_1)
    runs: int = whole(1, 1, 10**6, "train this many seeds, from --seed on, and compare them")
    seed: int = whole(0, 0, 2**32 - 1, "seed of all random draws")
    log_every: int = whole(100, 1, 10**9, "iterations from one printed line to the next")
    print_pairs: bool = setting(False, "print the article's stream instead: D1 and D2 of each sample")
    xla: bool = setting(True, "do not compile the training loop with XLA")
    plots: bool = setting(True, "draw no pictures")
    animate: bool = setting(False, "also write training.gif")
    tensorboard: bool = setting(False, "also write TensorBoard events, as it trains")
    saved_model: bool = setting(False, "also write both networks as a TensorFlow SavedModel")
    output_dir: str = setting("outputs/latest", "folder for the results", *PATH)
    checkpoint_every: int = whole(2_500, 1, 10**9, "iterations from one checkpoint to the next")
    resume: bool = setting(False, "go on with the unfinished run in --output-dir, if there is one")
    overwrite: bool = setting(False, "replace the unfinished run in --output-dir")

    def __post_init__(self) -> None:
        def require(met: bool, name: str, allowed: str) -> None:
            if not met:
                raise ValueError(f"--{name.replace('_', '-')} {getattr(self, name)!r:.60}: must be {allowed}")

        kinds = {"int": int, "float": (int, float), "bool": bool, "str": str}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            right = isinstance(value, kinds[field.type]) and isinstance(value, bool) == (field.type == "bool")
            require(right and field.metadata["test"](value), field.name, field.metadata["allowed"])
        require(self.low < self.high, "low", f"below --high, {self.high}")
        require(self.sigma >= 1e-6 * abs(self.mu), "sigma", "at least 1e-6 of --mu, or float32 can't hold such data")
        for other in ("hidden_size", "d_steps"):
            require(self.size * getattr(self, other) <= 10**8, "size", f"at most 1e8 / --{other.replace('_', '-')}")
        for name, least in (("epoch", 1), ("pretrain", 0)):
            require(getattr(self, name) * self.d_steps < 2**31, name, f"from {least} to below 2**31 / --d-steps")
        require(self.seed + self.runs <= 2**32, "runs", f"at most 2**32 - --seed, {2**32 - self.seed}")
        require(not set(self.output_dir) & set("[]\\"), "output_dir", "without [ ] \\, which TensorFlow misreads")
        require(not self.animate or self.plots, "animate", "without --no-plots")
        for name in ("animate", "tensorboard", "saved_model"):
            require(not getattr(self, name) or self.runs == 1, name, "without --runs")
        require(not self.resume or not self.overwrite, "resume", "without --overwrite")

    def command(self) -> str:
        """Return the command that runs these settings."""
        words = ["python", "gan_1d.py"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                flag = "--" + ("no_" * (field.default is True) + field.name).replace("_", "-")
                words.append(flag if isinstance(value, bool) else f"{flag}={value}")
        return shlex.join(words)


# ------------------------------------------------------------------------------------------------------------ data
class GenDataLoader:
    """The generator's noise: uniform draws, or stratified: even points and 0.01 of jitter (both the article's)."""

    def __init__(self, size: int = 200, low: float = -1, high: float = 1, rng=None, noise: str = "uniform"):
        self.size, self.low, self.high, self.noise, self.rng = size, low, high, noise, rng or np.random.default_rng()

    def next_batch(self) -> np.ndarray:
        """Draw a batch, float32, (size, 1)."""
        return self.next_batches(1)[0]

    def next_batches(self, count: int) -> np.ndarray:
        """Draw what `count` calls of `next_batch` would give, (count, size, 1)."""
        z = self.rng.random((count, self.size, 1), dtype=np.float32)
        if self.noise == "stratified":
            return np.linspace(self.low, self.high, self.size, dtype=np.float32)[:, None] + z * np.float32(0.01)
        return z * np.float32(self.high - self.low) + np.float32(self.low)


class RealDataLoader:
    """The real data: independent draws from N(mu, sigma) (the article, less its sort, which did nothing)."""

    def __init__(self, size: int = 200, mu: float = -1, sigma: float = 1, rng=None):
        self.size, self.mu, self.sigma, self.rng = size, mu, sigma, rng or np.random.default_rng()

    def next_batch(self) -> np.ndarray:
        """Draw a batch, float32, (size, 1)."""
        return self.next_batches(1)[0]

    def next_batches(self, count: int) -> np.ndarray:
        """Draw what `count` calls of `next_batch` would give, (count, size, 1)."""
        data = self.rng.standard_normal((count, self.size, 1), dtype=np.float32)
        return data * np.float32(self.sigma) + np.float32(self.mu)


# -------------------------------------------------------------------------------------------------------- networks
def weight_variable(shape: list[int], name: str, init: str = "normal", seed: int | tf.Tensor = 0) -> tf.Variable:
    """Get or make the weights `name`, (inputs, outputs): random draws, given by `seed` and the variable's full name.

    The article does not show its own. "normal", standard deviation 1, is from the tutorial it descends from; "classic",
    truncated and 0.1, from TensorFlow's; "glorot_uniform" from Glorot and Bengio 2010, equation 16.
    """
    key, limit = zlib.crc32(f"{tf.get_variable_scope().name}/{name}".encode()), math.sqrt(6 / sum(shape))
    draw = {
        "normal": tf.random.stateless_normal,
        "truncated_normal": tf.random.stateless_truncated_normal,
        "glorot_uniform": partial(tf.random.stateless_uniform, minval=-limit, maxval=limit),
        "classic": partial(tf.random.stateless_truncated_normal, stddev=0.1),
    }[init]
    start = lambda shape, dtype: draw(shape, tf.stack([tf.cast(seed, tf.int64), key]), dtype=dtype)  # noqa: E731
    return tf.get_variable(name, shape, tf.float32, start, use_resource=True)


def bias_variable(shape: list[int], name: str, init: str = "normal") -> tf.Variable:
    """Get or make the biases `name`, (1, outputs): zeros, or 0.1 where `init` is "classic"."""
    start = 0.1 if init == "classic" else 0.0
    return tf.get_variable(name, shape, tf.float32, tf.constant_initializer(start), use_resource=True)


def mlp(inputs: tf.Tensor, sizes: list[int], init: str, seed: int | tf.Tensor) -> tuple[tf.Tensor, list[tf.Variable]]:
    """Three dense layers, tanh after the first two: (batch, sizes[0]) to (batch, sizes[3]), and their variables."""
    # The article's matmul(inputs, weight) + bias, transposed: XLA's loop is a third faster on rows of a whole batch.
    units, var_list = tf.transpose(inputs), []
    for layer, shape in enumerate(itertools.pairwise(sizes), start=1):
        weight = weight_variable(shape, f"weight{layer}", init, seed)
        bias = bias_variable([1, shape[1]], f"bias{layer}", init)
        units = tf.matmul(weight, units, transpose_a=True) + tf.transpose(bias)
        units = tf.tanh(units) if layer < 3 else units
        var_list += [weight, bias]
    return tf.transpose(units), var_list


class Generator:
    """G: noise (batch, input_size) to numbers (batch, output_size) within (-5, 5): tanh, tanh, 5 tanh (the article)."""

    def __init__(self, inputs: tf.Tensor, input_size=1, hidden_size=6, output_size=1, init="normal", seed=0):
        with tf.variable_scope("generator", reuse=tf.AUTO_REUSE):
            frac3, self.var_list = mlp(inputs, [input_size, hidden_size, hidden_size, output_size], init, seed)
        self.frac = tf.multiply(tf.tanh(frac3), 5)

    def get_param(self) -> tuple[tf.Tensor, list[tf.Variable]]:
        """Return the output and the variables: weight1, bias1, weight2, bias2, weight3, bias3."""
        return self.frac, self.var_list


class Discriminator:
    """D: numbers (batch, input_size) to the probability (batch, 1) of being real: tanh, tanh, sigmoid (the article)."""

    def __init__(self, inputs: tf.Tensor, input_size=1, hidden_size=6, init="normal", seed=0):
        with tf.variable_scope("discriminator", reuse=tf.AUTO_REUSE):
            self.logit, self.var_list = mlp(inputs, [input_size, hidden_size, hidden_size, 1], init, seed)
        self.frac = tf.sigmoid(self.logit)

    def get_param(self) -> tuple[tf.Tensor, list[tf.Variable]]:
        """Return the output and the variables: weight1, bias1, weight2, bias2, weight3, bias3."""
        return self.frac, self.var_list


# ---------------------------------------------------------------------------------------- objectives and optimizer
def build_networks(x: tf.Tensor, z: tf.Tensor, settings: Settings, seed: int | tf.Tensor = 0) -> SimpleNamespace:
    """Build both networks on a batch of real data x and noise z, each (batch, 1).

    Returns G, D1 = D(x) and D2 = D(G(z)), each (batch, 1); the scalars loss_d and loss_g, which the networks maximise,
    and cost_d and cost_g, which the optimizer minimises; the variables theta_g and theta_d.
    """
    like = {"hidden_size": settings.hidden_size, "init": settings.init, "seed": seed}
    G, theta_g = Generator(z, **like).get_param()
    discriminator1, discriminator2 = Discriminator(x, **like), Discriminator(G, **like)
    (D1, theta_d), (D2, _) = discriminator1.get_param(), discriminator2.get_param()
    # tf.log(D) turns infinite, and training NaN, where the sigmoid rounds to 0 or 1. The logits give the same values:
    log_D1, log_D2 = -tf.nn.softplus(-discriminator1.logit), -tf.nn.softplus(-discriminator2.logit)
    log_not_D2 = -tf.nn.softplus(discriminator2.logit)  # log(1 - D2)
    loss_d = tf.reduce_mean(log_D1 + log_not_D2)  # the paper's V(D, G), equation 1
    loss_g = tf.reduce_mean(log_D2)  # the paper's section 3: a stronger gradient early on than log(1 - D2)
    cost_d, cost_g = 1 - loss_d, 1 - loss_g  # what the article has its optimizer minimise
    if settings.r1_gamma:  # Mescheder et al., Which Training Methods for GANs do actually Converge?, 2018, equation 9
        (slope,) = tf.gradients(discriminator1.logit, x)
        cost_d += settings.r1_gamma / 2 * tf.reduce_mean(tf.square(slope))
    losses = {"loss_d": loss_d, "loss_g": loss_g, "cost_d": cost_d, "cost_g": cost_g}
    return SimpleNamespace(G=G, D1=D1, D2=D2, **losses, theta_g=theta_g, theta_d=theta_d)


def learning_rate(step: tf.Tensor, settings: Settings) -> tf.Tensor:
    """Return the learning rate of a network's step number `step`: a falling staircase (the article)."""
    interval = max(1, settings.epoch // 4)  # 0 would make the rate NaN
    return tf.train.exponential_decay(settings.learning_rate, step, interval, settings.decay_rate, staircase=True)


def step_counter(var_list: list[tf.Variable]) -> tf.Variable:
    """Get or make the counter of the steps that these variables have taken (the article's `batch`)."""
    with tf.variable_scope(var_list[0].op.name.rpartition("/")[0] + "_optimizer", reuse=tf.AUTO_REUSE):
        return tf.get_variable("batch", (), tf.int32, tf.zeros_initializer(), trainable=False, use_resource=True)


def kept(name: str, make: Callable[[], Any]) -> Any:
    """Return the graph's object of this name, made at the first call: what AUTO_REUSE is to variables."""
    objects = tf.get_collection_ref(name)
    if not objects:
        objects.append(make())
    return objects[0]


def momentum_optimizer(loss: tf.Tensor, var_list: list[tf.Variable], settings: Settings | None = None) -> tf.Operation:
    """Make the op for a step of momentum descent on `loss` over `var_list`, at a rate that decays (the article).

    A second call for the same variables goes on with the first one's counter and momentum, also in a `tf.function`.
    """
    settings, batch = settings or Settings(), step_counter(var_list)
    rate = lambda: learning_rate(batch, settings)  # noqa: E731 (a function, called in each graph that takes steps)
    make = {"sgd": tf.train.GradientDescentOptimizer, "adam": tf.train.AdamOptimizer}
    make["momentum"] = partial(tf.train.MomentumOptimizer, momentum=settings.momentum)
    optimizer = kept(f"{batch.op.name}/optimizer", lambda: make[settings.optimizer](rate))
    return optimizer.minimize(loss, global_step=batch, var_list=var_list)


def generator_step(net: SimpleNamespace, settings: Settings) -> tf.Operation:
    """Make the op that trains G on the batch of `net`, and keeps the average of its weights where one is asked for."""
    step = momentum_optimizer(net.cost_g, net.theta_g, settings)
    if settings.ema_decay:
        with tf.control_dependencies([step]):
            average = kept("generator/average", lambda: tf.train.ExponentialMovingAverage(settings.ema_decay))
            return average.apply(net.theta_g)
    return step


def distance_to_target(values: tf.Tensor, settings: Settings) -> tuple[tf.Tensor, ...]:
    """Return W1, KS, mean and standard deviation of G's distribution, beside the target's: scalars, float64.

    `values`, (points, 1), is G on the midpoints of even cells of z. Sorted (G may fold z) they are G's quantiles, free
    of sampling noise, as z is uniform. W1: the mean distance between both quantiles. KS: the largest gap between both
    distribution functions.
    """
    mu, sigma = settings.mu, settings.sigma
    quantiles = tf.sort(tf.cast(values[:, 0], tf.float64))
    points = tf.cast(tf.size(quantiles), tf.float64)
    levels = (tf.range(points) + 0.5) / points
    w1 = tf.reduce_mean(tf.abs(quantiles - (mu + sigma * tf.math.ndtri(levels))))
    ks = tf.reduce_max(tf.abs(tf.math.erfc((mu - quantiles) / (sigma * math.sqrt(2))) / 2 - levels))
    return w1, ks, tf.reduce_mean(quantiles), tf.math.reduce_std(quantiles)


# ---------------------------------------------------------------------------------------------- the training graph
def build_graph(settings: Settings | None = None) -> SimpleNamespace:
    """Build the article's graph and, from the same functions, a loop that runs many iterations in one `Session.run`.

    Returns a namespace: the `graph` (its own), the placeholders `x_node` and `z_node`, float32, (batch, 1), all that
    `build_networks` gives, `train_op_d` and `train_op_g` (a step each), `init` (all variables to their start, that of
    `seed_node`), `loop` with its inputs `x_bulk, z_bulk, start, stop` (see `train_iterations`), `sampled` (G, or the G
    of averaged weights), its `theta_sampled`, its `distance`, and a `saver` of all, also of the text `progress`.
    """
    settings = settings or Settings()
    size, d_steps = settings.size, settings.d_steps

    def train_iterations(x: tf.Tensor, z: tf.Tensor, start: tf.Tensor, stop: tf.Tensor, game: bool = True) -> tuple:
        """Run iterations start to stop - 1 of a bulk, and return what the last of them reports.

        x is (iterations, d_steps, size, 1): a batch for each discriminator step. z has one more, for the generator's.
        """

        def d_step(i: tf.Tensor, j: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            net = build_networks(x[i, j], z[i, j], settings)
            momentum_optimizer(net.cost_d, net.theta_d, settings)  # runs in its turn: tf.function sees to the order
            return i, j + 1

        def report(i: tf.Tensor) -> tuple[tf.Tensor, ...]:
            net = build_networks(x[i, d_steps - 1], z[i, d_steps - 1], settings)
            rate_d = learning_rate(step_counter(net.theta_d) - 1, settings)  # of the discriminator step just taken
            return net.D1, net.D2, net.loss_d, net.loss_g, rate_d, learning_rate(step_counter(net.theta_g), settings)

        def iteration(i: tf.Tensor, *seen: tf.Tensor) -> tuple[tf.Tensor, ...]:
            loop = settings.xla or d_steps > 5  # otherwise written out: uncompiled, an inner loop costs half a step
            tf.while_loop(lambda i, j: j < d_steps, d_step, (i, 0)) if loop else [d_step(i, j) for j in range(d_steps)]
            seen = tf.cond(tf.equal(i, stop - 1), lambda: report(i), lambda: seen)  # where the article prints
            if game:  # there is no real data in G's objective: anything does for x
                generator_step(build_networks(z[i, d_steps], z[i, d_steps], settings), settings)
            return i + 1, *seen

        nothing = (tf.zeros((size, 1)), tf.zeros((size, 1)), *[tf.zeros(())] * 4)
        return tf.while_loop(lambda i, *seen: i < stop, iteration, (start, *nothing))[1:]

    with tf.Graph().as_default() as graph:
        # Inputs
        x_node = tf.placeholder(tf.float32, (None, 1), "x_node")
        z_node = tf.placeholder(tf.float32, (None, 1), "z_node")
        seed_node = tf.placeholder_with_default(np.int64(settings.seed), (), "seed_node")

        # Networks, objectives and optimizers: the article's graph
        m = build_networks(x_node, z_node, settings, seed_node)
        m.train_op_d = momentum_optimizer(m.cost_d, m.theta_d, settings)
        m.train_op_g = generator_step(m, settings)

        # The loop. A step takes microseconds and a Session.run a large part of a millisecond, so the loop belongs in
        # the graph; jit_compile has XLA make machine code of it. The bulk's size does not depend on what is logged.
        bulk = max(1, min(BULK_ITERATIONS, BULK_BYTES // (4 * size * (2 * d_steps + 1))))
        m.x_bulk = tf.placeholder(tf.float32, (bulk, d_steps, size, 1), "x_bulk")
        m.z_bulk = tf.placeholder(tf.float32, (bulk, d_steps + 1, size, 1), "z_bulk")
        m.start, m.stop = tf.placeholder(tf.int32, (), "start"), tf.placeholder(tf.int32, (), "stop")
        many = tf.function(train_iterations, autograph=False, jit_compile=settings.xla)
        m.loop = many(m.x_bulk, m.z_bulk, m.start, m.stop)
        if settings.pretrain:
            m.pretrain_loop = many(m.x_bulk, m.z_bulk, m.start, m.stop, game=False)
            m.restart_d = step_counter(m.theta_d).initializer  # the game has the article's rates

        # What is sampled from, how far it is from the target, and the start of it all
        progress_node = tf.placeholder_with_default("", (), "progress_node")
        m.progress = tf.get_variable("progress", initializer=progress_node, trainable=False, use_resource=True)
        m.sampled, m.theta_sampled, m.init = m.G, m.theta_g, tf.global_variables_initializer()
        if settings.ema_decay:  # G once more, with each variable's average in its place
            average = tf.get_collection("generator/average")[0].average
            with tf.variable_scope("", custom_getter=lambda getter, **kwargs: average(getter(**kwargs))):
                m.sampled, m.theta_sampled = Generator(z_node, hidden_size=settings.hidden_size).get_param()
            with tf.control_dependencies([m.init]):
                m.init = tf.group([average(variable).assign(variable.read_value()) for variable in m.theta_g])
        m.distance = distance_to_target(m.sampled, settings)
        m.saver = tf.train.Saver(max_to_keep=2, save_relative_paths=True)
    m.graph, m.x_node, m.z_node, m.seed_node, m.progress_node = graph, x_node, z_node, seed_node, progress_node
    return m


# ----------------------------------------------------------------------------------------------------------- a run
@dataclasses.dataclass(frozen=True)
class Result:
    """What `train` returns. G is what samples come from: of averaged weights where the settings ask for it."""

    settings: Settings
    final: dict[str, float]  # the metrics after the last iteration, by name
    history: list[dict[str, float]]  # those of each logged iteration; the rows of metrics.csv
    samples: np.ndarray  # numbers from the trained generator, float32, (SAMPLES, 1)
    weights: dict[str, np.ndarray]  # by the variables' names: those of D and of the G that samples come from
    mapping: np.ndarray  # z and G(z) on an even grid of z, (2, GRID)
    curve: np.ndarray  # x and D(x) across the range of the data, (2, points)
    frames: list[tuple]  # for the animation: a row of the history, G(z) on the grid, D(x) around the target
    seconds: dict[str, float]  # the time taken, by phase


# What may change when a run is resumed: it does not alter the training.
FREE = "log_every print_pairs plots tensorboard saved_model output_dir checkpoint_every resume overwrite"


class Ended(Exception):
    """The end of a run that is not done: the exit status, and why in one line."""


class Checkpoints:
    """What a run's future depends on, saved in `--output-dir`/checkpoints, which is there while the run is unfinished.

    `tf.train.Saver` keeps all variables in one step. One of them is a text, the rest of the state as JSON: settings,
    iteration, the state of the random generators, the history, and the results of the seeds that are done (`done`).
    A number in `signals` stops the run. Raises `Ended` or OSError where the settings don't fit the output directory.
    """

    def __init__(self, settings: Settings, signals: list[int]):
        self.settings, self.signals, self.state, self.done, self.finished = settings, signals, None, [], False
        folder, was = Path(settings.output_dir), settings
        self.folder, summary = folder / "checkpoints", folder / "summary.json"
        if self.folder.exists() and settings.overwrite:
            shutil.rmtree(self.folder)
        if self.folder.exists() and not settings.resume:
            raise Ended(2, f"--output-dir {folder}: holds an unfinished run; --resume or --overwrite it")
        if settings.resume and (self.folder / "checkpoint").exists():
            with blamed(f"{self.folder} can't be read"):
                self.state = json.loads(tf.train.load_variable(str(self.folder), "progress"))
                self.path, self.done = tf.train.latest_checkpoint(self.folder), self.state["done"]
                was = Settings(**self.state["settings"])
        elif settings.resume and summary.exists() and not self.folder.exists():
            with blamed(f"{summary} can't be read"):
                was, self.finished = Settings(**json.loads(summary.read_text())["settings"]), True
        for field in dataclasses.fields(Settings):
            old, new = getattr(was, field.name), getattr(settings, field.name)
            if old != new and field.name not in FREE.split():
                raise Ended(2, f"--{field.name.replace('_', '-')} {new}: must be {old}, as in the run that is there")
        if not self.finished:
            self.folder.mkdir(parents=True, exist_ok=settings.resume)  # the mark of an unfinished run
            tempfile.TemporaryFile(dir=self.folder).close()  # if that can't be, better now than after training

    def save(self, m: SimpleNamespace, sess: tf.Session, state: dict) -> None:
        """Save the variables and the state. The one before stays until this one is complete."""
        with blamed(f"{self.folder} can't be written"), m.graph.as_default():
            state = state | {"settings": vars(self.settings), "done": self.done}
            sess.run(m.progress.initializer, {m.progress_node: json.dumps(state)})
            name = f"run{len(self.done)}_{state['iteration']}"  # none is written over while it is the last
            m.saver.save(sess, str(self.folder / name), write_meta_graph=False)


def train(settings: Settings | None = None, log: Callable[..., None] = lambda row, D1_, D2_: None) -> Result:
    """Train a GAN in a graph and session of its own. The same settings give the same numbers, whatever ran before.

    `log` is called at each logged iteration with its row of the history and the batch's D1 and D2, each (size, 1).
    Raises `Ended` at the first logged iteration with a value that is not finite.
    """
    with contextlib.closing(train_runs(settings or Settings(), log)) as runs:
        return next(runs)


def train_runs(
    settings: Settings, log: Callable[..., None] = lambda row, D1_, D2_: None, checkpoints: Checkpoints | None = None
) -> Iterator[Result]:
    """Train seeds `seed` to `seed + runs - 1` in one graph, built and compiled once; each gives what `train` gives."""
    seconds = {}
    xla = settings.xla and (settings.epoch + settings.pretrain) * (settings.size + 2_000) >= XLA_PAYS
    with timed(seconds, "import"):
        if not tf.test.is_built_with_xla() and xla:
            print("This TensorFlow comes without XLA: the loop runs uncompiled.", flush=True)
            xla = False
    with timed(seconds, "graph"):
        m = build_graph(dataclasses.replace(settings, xla=xla))
        # At this size a GPU, threads and a pass that improves the graph take longer than they save.
        config = tf.ConfigProto(device_count={"GPU": 0})
        config.experimental.executor_type = "SINGLE_THREADED_EXECUTOR"
        config.graph_options.rewrite_options.disable_meta_optimizer = True
    with contextlib.closing(tf.Session(graph=m.graph, config=config)) as sess:
        with timed(seconds, "compile"), quiet():
            empty = {node: np.zeros(node.shape, np.float32) for node in (m.x_bulk, m.z_bulk)}
            sess.run(m.init)
            for loop in (m.pretrain_loop, m.loop) if settings.pretrain else (m.loop,):
                sess.run(loop, empty | {m.start: 0, m.stop: 0})
        done = len(checkpoints.done) if checkpoints else 0
        for seed in range(settings.seed + done, settings.seed + settings.runs):
            yield train_one(m, sess, dataclasses.replace(settings, seed=seed, runs=1), log, seconds, checkpoints)


def train_one(
    m: SimpleNamespace, sess: tf.Session, settings: Settings, log: Callable, seconds: dict, checkpoints=None
) -> Result:
    """Train from the start or a checkpoint, in a graph and session that are there already; see `train`."""
    history, frames = [], []
    rngs = [np.random.default_rng(seed) for seed in np.random.SeedSequence(settings.seed).spawn(3)]
    real_rng, noise_rng, final_rng = rngs
    real_data_load = RealDataLoader(settings.size, settings.mu, settings.sigma, real_rng)
    gen_data_load = GenDataLoader(settings.size, settings.low, settings.high, noise_rng, settings.noise)
    bulk, d_steps = m.x_bulk.shape[:2]
    grid = settings.low + (settings.high - settings.low) * (np.arange(GRID)[:, None] + 0.5) / GRID
    across = np.linspace(settings.mu - 4 * settings.sigma, settings.mu + 4 * settings.sigma, 401)[:, None]
    a_frame = settings.log_every * math.ceil(settings.epoch / settings.log_every / 100)

    def run_iterations(loop: tf.Tensor, i: int, begin: int, stop: int) -> None:
        """Run iterations i to stop - 1, in bulks from `begin` on; i may lie within one. Pre-training counts below 0."""
        for first in range(i - (i - begin) % bulk, stop, bulk):
            drawn = [rng.bit_generator.state for rng in rngs]
            real_data = real_data_load.next_batches(bulk * d_steps).reshape(m.x_bulk.shape)
            gen_data = gen_data_load.next_batches(bulk * (d_steps + 1)).reshape(m.z_bulk.shape)
            end = min(first + bulk, stop)
            while i < end:  # on to the next multiple of --log-every or --checkpoint-every, or to the bulk's end
                until = min(end, *(i - i % every + every for every in (settings.log_every, settings.checkpoint_every)))
                feed = {m.x_bulk: real_data, m.z_bulk: gen_data, m.start: i - first, m.stop: until - first}
                seen, i = sess.run(loop, feed), until
                if i > 0 and (i % settings.log_every == 0 or i == settings.epoch):
                    reported(i, *seen)
                if i == end:
                    drawn = [rng.bit_generator.state for rng in rngs]
                keep(i, drawn, np.isfinite(seen[2:]).all())

    def reported(i: int, D1_: np.ndarray, D2_: np.ndarray, *scalars: np.float32) -> None:
        values = D1_.mean(), D2_.mean(), *scalars, *sess.run(m.distance, {m.z_node: grid})
        row = {"iteration": i - 1} | dict(zip(LOGGED, map(float, values), strict=True))
        for name, value in row.items():
            if not math.isfinite(value):
                raise Ended(1, f"{name} is {value} at iteration {i - 1}: this training diverges")
        history.append(row)
        log(row, D1_, D2_)
        write_event(row)
        if settings.animate and (i % a_frame == 0 or i == settings.epoch):
            shown = sess.run([m.sampled, m.D1], {m.z_node: grid, m.x_node: across})
            frames.append((row, *(values.tolist() for values in shown)))

    def keep(i: int, drawn: list[dict], finite: bool) -> None:
        if checkpoints and finite and (checkpoints.signals or i % settings.checkpoint_every == 0):
            checkpoints.save(m, sess, {"iteration": i, "rng": drawn, "history": history, "frames": frames})
        if checkpoints and checkpoints.signals:
            on = dataclasses.replace(checkpoints.settings, resume=True, overwrite=False).command()
            where = f"before iteration {i}, seed {settings.seed}"
            raise Ended(128 + checkpoints.signals[0], f"stopped {where}; to go on:\n  {on}")
        if checkpoints and i % settings.log_every and i < settings.epoch and sys.stderr.isatty():  # between lines
            print(f"seed {settings.seed}, iteration {i} of {settings.epoch}  ", end="\r", file=sys.stderr, flush=True)

    with timed(seconds, "train"):
        i = -settings.pretrain
        if checkpoints and checkpoints.state:
            with blamed(f"{checkpoints.path} can't be read"), m.graph.as_default():
                m.saver.restore(sess, checkpoints.path)
            state, checkpoints.state = checkpoints.state, None  # used up
            i, history, frames = state["iteration"], state["history"], state["frames"]
            for rng, rng_state in zip(rngs, state["rng"], strict=True):
                rng.bit_generator.state = rng_state
        else:
            sess.run(m.init, {m.seed_node: settings.seed})
        nowhere = contextlib.nullcontext(lambda row: None)
        with events(m.graph, settings, history) if checkpoints and settings.tensorboard else nowhere as write_event:
            if i < 0:
                run_iterations(m.pretrain_loop, i, -settings.pretrain, 0)
            if settings.pretrain and i <= 0:
                sess.run(m.restart_d)
            run_iterations(m.loop, max(i, 0), 0, settings.epoch)
    with timed(seconds, "evaluate"):
        x = RealDataLoader(SAMPLES, settings.mu, settings.sigma, final_rng).next_batch()
        z = GenDataLoader(SAMPLES, settings.low, settings.high, final_rng).next_batch()
        samples, D1_ = sess.run([m.sampled, m.D1], {m.x_node: x, m.z_node: z})
        D2_ = sess.run(m.D1, {m.x_node: samples})
        final = {name: history[-1][name] for name in LOGGED[-4:]}
        for name, D in (("d1", D1_), ("d2", D2_)):
            final |= {f"{name}_{stat}": float(getattr(D, stat)()) for stat in ("mean", "min", "max")}
        across = np.linspace(min(across.min(), samples.min()), max(across.max(), samples.max()), 401)[:, None]
        on_grid, d_of_x = sess.run([m.sampled, m.D1], {m.z_node: grid, m.x_node: across})
        names = (variable.op.name for variable in m.theta_g + m.theta_d)
        weights = dict(zip(names, sess.run(m.theta_sampled + m.theta_d), strict=True))
    mapping, curve = np.hstack([grid, on_grid]).T, np.hstack([across, d_of_x]).T
    return Result(settings, final, history, samples, weights, mapping, curve, frames, seconds)


@contextlib.contextmanager
def timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    """Add the time that the block takes to `seconds[phase]`."""
    began = time.perf_counter()
    yield
    seconds[phase] = seconds.get(phase, 0.0) + time.perf_counter() - began


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what the block, C++ code included, writes to standard error; what fails raises an exception."""
    terminal = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


@contextlib.contextmanager
def blamed(what: str) -> Iterator[None]:
    """Have errors of the block, which come in many kinds, named in one line."""
    try:
        with quiet():
            yield
    except Exception as error:
        raise Ended(1, f"{what}: {cause(error)}") from error


def cause(error: Exception) -> str:
    """Return the line that says why: TensorFlow's last one, less where in the graph that was."""
    lines = [line for line in getattr(error, "message", str(error)).splitlines() if line and not line[0].isspace()]
    return f"{(lines or [type(error).__name__])[-1]:.200}"


# ------------------------------------------------------------------------------------------------- the measure of G
MEND = {"r1_gamma": 3.0, "ema_decay": 0.999, "init": "glorot_uniform", "optimizer": "sgd", "learning_rate": 0.1}
MEND |= {"noise": "stratified", "low": -2.0, "high": 2.0, "hidden_size": 12, "epoch": 20_000}


def yardstick(settings: Settings) -> tuple[float, float]:
    """Return the KS that 95 of 100 batches of real data stay below, and the W1 typical of one: both fall with size."""
    return 1.358 / math.sqrt(settings.size), 1.17 * settings.sigma / math.sqrt(settings.size)


def judge(final: dict[str, float], settings: Settings) -> tuple[bool, bool]:
    """Return whether D can't tell real from generated, and whether G's distribution is as near as a real batch's."""
    near_half = all(abs(final[name] - 0.5) < 0.1 for name in ("d1_mean", "d2_mean"))
    return near_half, final["ks"] < yardstick(settings)[0]


def verdict(result: Result) -> str:
    """Say in words what came out, and how to mend it."""
    settings, final = dataclasses.replace(result.settings, resume=False, overwrite=False), result.final
    cannot_tell, matches = judge(final, settings)
    (ks, w1), kind = yardstick(settings), ", of averaged weights," * (settings.ema_decay > 0)
    lines = (
        "D can't tell real from generated: both near 0.5." if cannot_tell else "D is not near 0.5 on both of them.",
        f"G{kind} {'matches' if matches else 'does not match'} its target: KS {final['ks']:.3f}, W1 {final['w1']:.3f}",
        f"(Of 100 batches of {settings.size} real samples, 95 have a KS below {ks:.3f}; a typical W1 is {w1:.3f}.)",
    )
    mended = dataclasses.replace(settings, **MEND)
    if not matches and mended != settings:
        so = "So D at 0.5 does not show that G has learned." * cannot_tell
        lines += (so, "To mend it, try:", f"  {mended.command()}")
    return "\n".join(filter(None, lines))


# ---------------------------------------------------------------------------------------------- pictures and files
def draw_training(figure: Any, result: Result) -> None:
    """Draw D1, D2, the losses and G's distance to the target over the iterations."""
    typical, panels = yardstick(result.settings)[1], figure.subplots(3, sharex=True)
    panels[0].axhline(0.5, color="black", linewidth=1, linestyle="--", label="0.5: D can't tell")
    panels[2].axhline(typical, color="black", linewidth=1, linestyle="--", label="a real batch's")
    for panel, column, label in (
        (0, "d1_mean", "D1: real data"), (0, "d2_mean", "D2: generated"),
        (1, "loss_d", "loss_d: mean(log D1\n+ log(1 - D2))"), (1, "loss_g", "loss_g: mean(log D2)"),
        (2, "w1", "W1 of G to the target"),
    ):  # fmt: skip
        iterations = [row["iteration"] for row in result.history]
        panels[panel].plot(iterations, [row[column] for row in result.history], marker=".", markersize=2, label=label)
        panels[panel].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    panels[0].set(ylabel="mean D", ylim=(0, 1), title="What D says, what each is after, how far G is")
    panels[1].set(ylabel="maximised")
    panels[2].set(xlabel="iteration", ylabel="distance", ylim=(0, None))


def draw_density(axes: Any, x: np.ndarray, generated: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Draw the histogram of generated values beside the target; return the density of both at the x, (points,)."""
    target = statistics.NormalDist(settings.mu, settings.sigma)
    density, edges = np.array([target.pdf(value) for value in x]), x[::5]
    weights = np.full(len(generated), 1 / (len(generated) * (edges[1] - edges[0])))
    bars = axes.hist(generated, edges, weights=weights, histtype="stepfilled", alpha=0.5, label="G(z)")[0]
    axes.plot(x, density, color="black", label=f"target N({settings.mu:g}, {settings.sigma:g})")
    cut = f" (bars to {bars.max():.3g} cut)" * bool(bars.max() > 4 * density.max())
    axes.set(xlabel="x", ylabel=f"density{cut}", ylim=(0, min(max(bars.max(), density.max()) * 1.1, 4 * density.max())))
    axes.legend(fontsize="small")
    return density, bars[np.clip(np.searchsorted(edges, x, "right") - 1, 0, len(bars) - 1)]


def draw_distribution(figure: Any, result: Result) -> None:
    """Draw G's histogram, D(x) beside the optimal discriminator, and the map from z to G(z)."""
    axes = figure.subplot_mosaic([["density", "map"], ["d", "map"]], width_ratios=(3, 2))
    (x, d_of_x), (z, on_grid), settings = result.curve, result.mapping, result.settings
    p, q = draw_density(axes["density"], x, result.samples[:, 0], settings)
    axes["density"].set_title("What G makes" + " (of averaged weights)" * (settings.ema_decay > 0))
    axes["d"].plot(x, p / np.maximum(p + q, 1e-300), color="tab:gray", label="optimal D for this G: p / (p + q)")
    axes["d"].plot(x, d_of_x, color="tab:red", label="D(x)")
    axes["d"].axhline(0.5, color="black", linewidth=1, linestyle="--")
    axes["d"].set(xlabel="x", ylabel="probability of real", ylim=(0, 1.3), yticks=(0, 0.5, 1))
    axes["d"].legend(fontsize="small", ncols=2, loc="upper center")
    rising = [statistics.NormalDist(settings.mu, settings.sigma).inv_cdf((k + 0.5) / GRID) for k in range(GRID)]
    axes["map"].plot(z, rising[:: 1 if on_grid[0] < on_grid[-1] else -1], "k--", label="monotone map to the target")
    axes["map"].plot(z, on_grid, label="G(z)")
    axes["map"].set(xlabel="z", ylabel="G(z)", title="From noise to number")
    axes["map"].legend(fontsize="small")


def draw_runs(figure: Any, result: tuple[Settings, list[dict]]) -> None:
    """Draw the KS and W1 of each run beside those of real data."""
    settings, rows = result
    axes, (ks, w1) = figure.subplots(), yardstick(settings)
    axes.plot([row["w1"] for row in rows], [row["ks"] for row in rows], "o", label="G of a run")
    axes.axhline(ks, color="black", linestyle="--", label="95 of 100 batches of real data lie below")
    axes.axvline(w1, color="black", linestyle=":", label="a typical batch of real data")
    axes.set(xlabel="W1", ylabel="KS", xlim=(0, None), ylim=(0, None), title=f"{len(rows)} runs")
    axes.legend()


def animate(figure: Any, path: Path, result: Result) -> None:
    """Write the training as a GIF: the histogram, the target and D(x) at up to 100 logged iterations."""
    from matplotlib.animation import PillowWriter

    x = result.settings.mu + np.linspace(-4, 4, 401) * result.settings.sigma
    with (writer := PillowWriter(fps=10)).saving(figure, path, dpi=60):
        for row, generated, d_of_x in result.frames:
            figure.clear()
            axes = figure.subplots()
            draw_density(axes, x, np.ravel(generated), result.settings)
            axes.set(title=f"iteration {row['iteration']}, W1 {row['w1']:.2f}", ylim=(0, 1 / result.settings.sigma))
            right = axes.twinx()
            right.plot(x, d_of_x, color="tab:red")
            right.set(ylim=(0, 1), ylabel="D(x), red")
            writer.grab_frame()


def table(rows: list[dict], path: Path) -> None:
    """Write the rows as CSV."""
    lines = [rows[0], *(row.values() for row in rows)]
    path.write_bytes("".join(",".join(map(str, line)) + "\n" for line in lines).encode())


def picture(draw: Callable[[Any, Any], None], result: Any, path: Path) -> None:
    """Draw the result on a matplotlib figure and write that."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout=None if draw is animate else "constrained")  # slow at each frame
    animate(figure, path, result) if draw is animate else (draw(figure, result), figure.savefig(path))


@contextlib.contextmanager
def events(graph: tf.Graph, settings: Settings, history: list[dict]) -> Iterator[Callable[[dict], None]]:
    """Give a function that adds a row of metrics to TensorBoard's events, after the graph and those of the history."""
    folder = os.path.join(settings.output_dir, "events")
    with graph.as_default(), quiet():
        writer = tf.summary.FileWriter(folder, graph)
    with contextlib.closing(writer):
        writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), 0)  # here TensorBoard drops an older run's

        def write_event(row: dict) -> None:
            values = [tf.Summary.Value(tag=name, simple_value=row[name]) for name in LOGGED]
            with blamed(f"{folder} can't be written"):
                writer.add_summary(tf.Summary(value=values), row["iteration"])
                writer.flush()

        for row in history:
            write_event(row)
        yield write_event


def save_model(result: Result, path: Path) -> None:
    """Write the networks as a SavedModel: `generate`, z to x, and `discriminate`, x to probability, each (batch, 1)."""
    with tf.Graph().as_default(), tf.Session() as sess:
        z, x = (tf.placeholder(tf.float32, (None, 1), name) for name in "zx")
        G, theta_g = Generator(z, hidden_size=result.settings.hidden_size).get_param()
        D, theta_d = Discriminator(x, hidden_size=result.settings.hidden_size).get_param()
        for variable in theta_g + theta_d:
            sess.run(variable.initializer, {variable.initializer.inputs[1]: result.weights[variable.op.name]})
        signature, builder = tf.saved_model.predict_signature_def, tf.saved_model.Builder(str(path))
        named = {"generate": signature({"z": z}, {"x": G}), "discriminate": signature({"x": x}, {"probability": D})}
        builder.add_meta_graph_and_variables(sess, [tf.saved_model.SERVING], named)
        builder.save()


# What a run may leave beside checkpoints and events. An older run's don't stay beside a new run's.
PLACES = "metrics.csv samples.npy training.png distribution.png training.gif saved_model runs.csv runs.png summary.json"


def save_results(settings: Settings, seconds: dict, final: dict, files: dict[str, Callable[[Path], Any]]) -> None:
    """Have all files written in a folder beside; once they are complete they take the place of an older run's."""
    folder, mark = Path(settings.output_dir), Path(settings.output_dir, "checkpoints")
    beside = Path(tempfile.mkdtemp(dir=mark))

    def summary(path: Path) -> None:  # written last, when the pictures have loaded matplotlib
        modules = {"tensorflow": tf, "numpy": np, "matplotlib": sys.modules.get("matplotlib")}
        versions = {name: getattr(module, "__version__", "not loaded") for name, module in modules.items()}
        versions["python"] = sys.version.split()[0]
        content = {"settings": vars(settings), "versions": versions, "seconds": seconds, "final": final}
        path.write_text(json.dumps(content, indent=2) + "\n")

    for name, write in (files := files | {"summary.json": summary}).items():
        phase = "draw" if name.endswith(("png", "gif")) else "save"
        with timed(seconds, phase), blamed(f"{folder / name} can't be written"):
            write(beside / name)
    written = sorted(folder.glob("events/events.out.tfevents.*"), key=os.path.getmtime)
    for older in written[: -1 if settings.tensorboard else None]:
        older.unlink()
    for place in map(folder.joinpath, PLACES.split()):
        if place.is_dir():
            place.rename(beside / f"older_{place.name}")
        os.replace(beside / place.name, place) if place.name in files else place.unlink(missing_ok=True)
    (mark / "checkpoint").unlink(missing_ok=True)  # first, as nothing goes on from a part of them
    shutil.rmtree(mark)
    print(f"Written to {folder}: {', '.join(files)}" + ", events" * settings.tensorboard, flush=True)


# ------------------------------------------------------------------------------------------------ the command line
def parse_settings(argv: list[str] | None = None) -> Settings:
    """Read `Settings` from the command line: each field is a flag, with --no- where it is on by default."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0], allow_abbrev=False)
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: error: {' '.join(message.split())}\n")  # one line
    for field in dataclasses.fields(Settings):
        text = field.metadata["help"]
        flag = "--" + ("no_" * (field.default is True) + field.name).replace("_", "-")
        if field.type == "bool":
            parser.add_argument(flag, dest=field.name, action=f"store_{not field.default}".lower(), help=text)
        else:
            text += f"; {field.metadata['allowed']} (default: %(default)s)"
            parser.add_argument(flag, default=field.default, metavar=field.type.upper(), help=text)
    values = vars(parser.parse_args(argv))
    try:
        for field in dataclasses.fields(Settings):
            with contextlib.suppress(ValueError):  # left as text, it is refused below
                values[field.name] = {"int": int, "float": float}.get(field.type, lambda same: same)(values[field.name])
        return Settings(**values)
    except ValueError as error:
        parser.error(str(error))


def print_line(row: dict[str, float], D1_: np.ndarray, D2_: np.ndarray) -> None:
    """Print a logged iteration in one line."""
    line = "iteration {iteration:6d}  D1 {d1_mean:.3f}  D2 {d2_mean:.3f}  loss_d {loss_d:.3f}  loss_g {loss_g:.3f}"
    print(line.format(**row), flush=True)


def print_pairs(row: dict[str, float], D1_: np.ndarray, D2_: np.ndarray) -> None:
    """Print a logged iteration as the article does: its number, then a pair, for each sample of the batch."""
    pairs = zip(D1_[:, 0], D2_[:, 0], strict=True)
    print("\n".join(f"{row['iteration']}\nD1: {d1} ,D2: {d2}" for d1, d2 in pairs), flush=True)


def run_one(settings: Settings, checkpoints: Checkpoints) -> None:
    """Train once, print a report and write the results."""
    log = print_pairs if settings.print_pairs else print_line
    with contextlib.closing(train_runs(settings, log, checkpoints)) as runs:
        result = next(runs)
    final, seconds = result.final, result.seconds
    print(f"\nAfter {settings.epoch} iterations, D on {SAMPLES} fresh samples, G exactly:")
    print("  D1 = D(x)      mean {d1_mean:.3f}, from {d1_min:.3f} to {d1_max:.3f}".format(**final))
    print("  D2 = D(G(z))   mean {d2_mean:.3f}, from {d2_min:.3f} to {d2_max:.3f}".format(**final))
    print("  G(z)           mean {g_mean:.3f}, standard deviation {g_std:.3f}".format(**final))
    print(f"  real data      mean {settings.mu:.3f}, standard deviation {settings.sigma:.3f}")
    print(verdict(result), flush=True)
    files = {"metrics.csv": partial(table, result.history), "samples.npy": lambda path: np.save(path, result.samples)}
    draws = (draw_training, draw_distribution) if settings.plots else ()
    files |= {f"{draw.__name__[5:]}.png": partial(picture, draw, result) for draw in draws}
    files |= {"training.gif": partial(picture, animate, result)} if settings.animate else {}
    files |= {"saved_model": partial(save_model, result)} if settings.saved_model else {}
    save_results(settings, seconds, final, files)
    phases = ", ".join(f"{phase} {time_taken:.1f}" for phase, time_taken in seconds.items())
    print(f"Time: {sum(seconds.values()):.1f} s ({phases})", flush=True)


def run_many(settings: Settings, checkpoints: Checkpoints) -> None:
    """Train many seeds, print a table of them, and write the results."""
    columns = ("d1_mean", "d2_mean", "w1", "ks", "g_mean", "g_std")

    def line(row: dict[str, float]) -> None:
        marks = ", ".join("yes" if passed else "no" for passed in judge(row, settings))
        print(f"{row['seed']:4d}", *(f"{row[name]:8.3f}" for name in columns), marks, sep="  ", flush=True)

    print("seed", *(f"{name:>8}" for name in columns), "D near 0.5, G matches", sep="  ", flush=True)
    rows, seconds = checkpoints.done, {}  # those of an interrupted run, when it is resumed
    for row in rows:
        line(row)
    for result in train_runs(dataclasses.replace(settings, log_every=settings.epoch), checkpoints=checkpoints):
        rows.append({"seed": result.settings.seed} | {name: result.final[name] for name in columns})
        line(rows[-1])
        seconds = result.seconds
    final = summarise(rows, settings)
    text = "W1: median {w1_median:.3f}, worst {w1_worst:.3f}. KS: median {ks_median:.3f}, worst {ks_worst:.3f}. "
    print((text + "D near 0.5: {d_near_half:.0%}. G matches: {g_matches:.0%}.").format(**final), flush=True)
    pictures = {"runs.png": partial(picture, draw_runs, (settings, rows))} if settings.plots else {}
    save_results(settings, seconds, final, {"runs.csv": partial(table, rows)} | pictures)


def summarise(finals: list[dict], settings: Settings) -> dict[str, float]:
    """Return the median and the worst W1 and KS of many runs' final metrics, and the shares that pass (see `judge`)."""
    w1, ks = ([final[name] for final in finals] for name in ("w1", "ks"))
    near_half, matches = np.mean([judge(final, settings) for final in finals], axis=0).tolist()
    medians = {"w1_median": statistics.median(w1), "ks_median": statistics.median(ks)}
    return medians | {"w1_worst": max(w1), "ks_worst": max(ks), "d_near_half": near_half, "g_matches": matches}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    settings, received = parse_settings(argv), []

    def stop(number: int, frame: Any) -> None:  # at the next whole call; a second signal ends it at once
        received.append(number)
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        checkpoints = Checkpoints(settings, received)
        if checkpoints.finished:
            print(f"Nothing to do: the run in {settings.output_dir} is finished.", flush=True)
            return 0
        run_one(settings, checkpoints) if settings.runs == 1 else run_many(settings, checkpoints)
        return 0
    except Ended as error:
        status, message = error.args
    except OSError as error:
        status, message = 1, f"{error.filename2 or error.filename or 'standard output'}: {error.strerror or error}"
    except tf.errors.OpError as error:
        status, message = 1, cause(error)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    print(f"gan_1d.py: error: {message}" if status < 128 else f"\n{message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115 (quiet() needs one)
    gc.set_threshold(10**6)  # going through the objects that TensorFlow makes as it loads takes half a second
    os._exit(main())  # all is written: TensorFlow's own way out takes a third of a second more
