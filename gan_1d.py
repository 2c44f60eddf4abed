"""The smallest GAN: uniform noise goes in, normally distributed numbers come out (TensorFlow 1.x graphs).

    python gan_1d.py          # the article's training run; results in outputs/latest
    python gan_1d.py --help   # every setting

A generator G, a small tanh network, turns uniform noise z into numbers. A discriminator D of the same size says how
likely it holds a number to be real, that is drawn from N(mu, sigma). D learns to tell the two apart and G to deceive
it; in the end D(x) and D(G(z)) are near 0.5. The file reads in the order the data flows. Its sources: "the paper" is
Goodfellow et al., Generative Adversarial Nets, 2014, arXiv 1406.2661; "the article" is a Chinese tutorial that
descends from Eric Jang's 1-D one of 2016 (README.md says more).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import faulthandler
import importlib.metadata
import itertools
import json
import math
import os
import platform
import reprlib
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES = 10_000  # generated values that a run leaves, and fresh ones of both kinds that it judges D by
BULK_ITERATIONS = 100  # iterations whose batches are drawn and fed together,
BULK_BYTES = 1 << 24  # or fewer, to stay within so many bytes
LOGGED = ("d1_mean", "d2_mean", "loss_d", "loss_g", "learning_rate_d", "learning_rate_g")


class _TensorFlow:
    """Stands for `tensorflow.compat.v1` until that is first used: --help need not wait the seconds that it loads."""

    def __getattr__(self, name: str) -> Any:
        global tf
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no remarks on the machine; failures raise exceptions
        with quiet():
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
POSITIVE = "a number above 0, at most 1e30", lambda value: 0 < value <= 1e30
BELOW_1 = "a number from 0 to below 1", lambda value: 0 <= value < 1
UP_TO_1 = "a number above 0, at most 1", lambda value: 0 < value <= 1
A_PATH = "a path", lambda value: value and "\0" not in value


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that a run depends on; the defaults are the article's. A value that is not allowed raises ValueError."""

    epoch: int = whole(10_000, 1, 10**9, "iterations; each one trains D --d-steps times, then G once")
    size: int = whole(200, 1, 10**7, "samples in a batch")
    hidden_size: int = whole(6, 1, 1024, "units in each hidden layer of both networks")
    d_steps: int = whole(2, 1, 1000, "discriminator steps in an iteration")
    low: float = setting(-1.0, "lower end of the uniform noise", *FINITE)
    high: float = setting(1.0, "upper end of the uniform noise", *FINITE)
    mu: float = setting(-1.0, "mean of the real data", *FINITE)
    sigma: float = setting(1.0, "standard deviation of the real data", *POSITIVE)
    learning_rate: float = setting(0.01, "learning rate to begin with", *POSITIVE)
    momentum: float = setting(0.6, "momentum", *BELOW_1)
    decay_rate: float = setting(0.95, "factor on a learning rate after every epoch // 4 of its steps", *UP_TO_1)
    seed: int = whole(0, 0, 2**32 - 1, "seed of all random draws")
    log_every: int = whole(100, 1, 10**9, "iterations from one printed line to the next")
    print_pairs: bool = setting(False, "print the article's stream instead: D1 and D2 of each sample")
    xla: bool = setting(True, "do not compile the training loop with XLA")
    plots: bool = setting(True, "draw no pictures")
    output_dir: str = setting("outputs/latest", "folder for the results", *A_PATH)

    def __post_init__(self) -> None:
        def require(met: bool, name: str, allowed: str) -> None:
            if not met:
                flag, value = "--" + name.replace("_", "-"), reprlib.repr(getattr(self, name))
                raise ValueError(f"{flag} {value}: must be {allowed}")

        kinds = {"int": int, "float": (int, float), "bool": bool, "str": str}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            right = isinstance(value, kinds[field.type]) and isinstance(value, bool) == (field.type == "bool")
            require(right and field.metadata["test"](value), field.name, field.metadata["allowed"])
        require(self.low < self.high, "low", f"below --high, {self.high}")
        require(
            self.size * self.hidden_size <= 10**8, "size", f"at most 1e8 / --hidden-size, {10**8 // self.hidden_size}"
        )
        require(self.epoch * self.d_steps < 2**31, "epoch", f"below 2**31 / --d-steps, {2**31 // self.d_steps}")


# ------------------------------------------------------------------------------------------------------------ data
class GenDataLoader:
    """The generator's noise: draws between `low` and `high`, by default from an unseeded `rng` (the article)."""

    def __init__(self, size: int = 200, low: float = -1, high: float = 1, rng: np.random.Generator | None = None):
        self.size, self.low, self.high = size, low, high
        self.rng = rng or np.random.default_rng()

    def next_batch(self) -> np.ndarray:
        """Draw a batch, float32, (size, 1)."""
        return self.next_batches(1)[0]

    def next_batches(self, count: int) -> np.ndarray:
        """Draw what `count` calls of `next_batch` would give, (count, size, 1)."""
        z = self.rng.random((count, self.size, 1), dtype=np.float32)
        return z * np.float32(self.high - self.low) + np.float32(self.low)


class RealDataLoader:
    """The real data: independent draws from the normal distribution N(mu, sigma) (the article).

    The article's `data.sort()` is left out: it sorts along the axis of length 1, which does nothing.
    """

    def __init__(self, size: int = 200, mu: float = -1, sigma: float = 1, rng: np.random.Generator | None = None):
        self.size, self.mu, self.sigma = size, mu, sigma
        self.rng = rng or np.random.default_rng()

    def next_batch(self) -> np.ndarray:
        """Draw a batch, float32, (size, 1)."""
        return self.next_batches(1)[0]

    def next_batches(self, count: int) -> np.ndarray:
        """Draw what `count` calls of `next_batch` would give, (count, size, 1)."""
        data = self.rng.standard_normal((count, self.size, 1), dtype=np.float32)
        return data * np.float32(self.sigma) + np.float32(self.mu)


# -------------------------------------------------------------------------------------------------------- networks
def weight_variable(shape: list[int], name: str, seed: int | tf.Tensor = 0) -> tf.Variable:
    """Get or make the weights `name`, (inputs, outputs): normal draws of standard deviation 1, given by seed and name.

    The article does not show its own; this is that of the tutorial it descends from.
    """
    key = zlib.crc32(f"{tf.get_variable_scope().name}/{name}".encode())
    seeds = tf.stack([tf.cast(seed, tf.int64), key])
    normal = lambda shape, dtype: tf.random.stateless_normal(shape, seeds, dtype=dtype)  # noqa: E731
    return tf.get_variable(name, shape, tf.float32, normal, use_resource=True)


def bias_variable(shape: list[int], name: str) -> tf.Variable:
    """Get or make the biases `name`, (1, outputs): zeros."""
    return tf.get_variable(name, shape, tf.float32, tf.zeros_initializer(), use_resource=True)


def mlp(inputs: tf.Tensor, sizes: list[int], seed: int | tf.Tensor) -> tuple[tf.Tensor, list[tf.Variable]]:
    """Three dense layers, tanh after the first two: (batch, sizes[0]) to (batch, sizes[3]), and their variables."""
    # The article's matmul(inputs, weight) + bias, transposed: XLA's loop is a third faster on rows of a whole batch.
    units, var_list = tf.transpose(inputs), []
    for layer, shape in enumerate(itertools.pairwise(sizes), start=1):
        weight, bias = weight_variable(shape, f"weight{layer}", seed), bias_variable([1, shape[1]], f"bias{layer}")
        units = tf.matmul(weight, units, transpose_a=True) + tf.transpose(bias)
        if layer < 3:
            units = tf.tanh(units)
        var_list += [weight, bias]
    return tf.transpose(units), var_list


class Generator:
    """G: noise (batch, input_size) to numbers (batch, output_size) within (-5, 5): tanh, tanh, 5 tanh (the article)."""

    def __init__(self, inputs: tf.Tensor, input_size=1, hidden_size=6, output_size=1, seed: int | tf.Tensor = 0):
        with tf.variable_scope("generator", reuse=tf.AUTO_REUSE):
            frac3, self.var_list = mlp(inputs, [input_size, hidden_size, hidden_size, output_size], seed)
        self.frac = tf.multiply(tf.tanh(frac3), 5)

    def get_param(self) -> tuple[tf.Tensor, list[tf.Variable]]:
        """Return the output and the variables: weight1, bias1, weight2, bias2, weight3, bias3."""
        return self.frac, self.var_list


class Discriminator:
    """D: numbers (batch, input_size) to the probability (batch, 1) of being real: tanh, tanh, sigmoid (the article).

    Every use in a graph shares one set of variables. `logit` is the last layer before its sigmoid.
    """

    def __init__(self, inputs: tf.Tensor, input_size=1, hidden_size=6, seed: int | tf.Tensor = 0):
        with tf.variable_scope("discriminator", reuse=tf.AUTO_REUSE):
            self.logit, self.var_list = mlp(inputs, [input_size, hidden_size, hidden_size, 1], seed)
        self.frac = tf.sigmoid(self.logit)

    def get_param(self) -> tuple[tf.Tensor, list[tf.Variable]]:
        """Return the output and the variables: weight1, bias1, weight2, bias2, weight3, bias3."""
        return self.frac, self.var_list


# ---------------------------------------------------------------------------------------- objectives and optimizer
def build_networks(x: tf.Tensor, z: tf.Tensor, settings: Settings, seed: int | tf.Tensor = 0) -> SimpleNamespace:
    """Build both networks on a batch of real data x and noise z, each (batch, 1), and what each network maximises.

    Returns:
        G, D1 = D(x) and D2 = D(G(z)), each (batch, 1); the scalars loss_d and loss_g; the variables theta_g, theta_d.
    """
    G, theta_g = Generator(z, hidden_size=settings.hidden_size, seed=seed).get_param()
    discriminator1 = Discriminator(x, hidden_size=settings.hidden_size, seed=seed)
    discriminator2 = Discriminator(G, hidden_size=settings.hidden_size, seed=seed)
    D1, theta_d = discriminator1.get_param()
    D2, theta_d = discriminator2.get_param()
    # tf.log(D) turns infinite, and training NaN, where the sigmoid rounds to 0 or 1. The logits give the same values:
    log_D1, log_D2 = -tf.nn.softplus(-discriminator1.logit), -tf.nn.softplus(-discriminator2.logit)
    log_not_D2 = -tf.nn.softplus(discriminator2.logit)  # log(1 - D2)
    loss_d = tf.reduce_mean(log_D1 + log_not_D2)  # the paper's V(D, G), equation 1
    loss_g = tf.reduce_mean(log_D2)  # the paper's section 3: a stronger gradient early on than log(1 - D2)
    return SimpleNamespace(G=G, D1=D1, D2=D2, loss_d=loss_d, loss_g=loss_g, theta_g=theta_g, theta_d=theta_d)


def learning_rate(step: tf.Tensor, settings: Settings) -> tf.Tensor:
    """Return the learning rate of a network's step number `step`: a falling staircase (the article)."""
    interval = max(1, settings.epoch // 4)  # 0 would make the rate NaN
    return tf.train.exponential_decay(settings.learning_rate, step, interval, settings.decay_rate, staircase=True)


def step_counter(var_list: list[tf.Variable]) -> tf.Variable:
    """Get or make the counter of the steps that these variables have taken (the article's `batch`)."""
    with tf.variable_scope(var_list[0].op.name.rpartition("/")[0] + "_optimizer", reuse=tf.AUTO_REUSE):
        return tf.get_variable("batch", (), tf.int32, tf.zeros_initializer(), trainable=False, use_resource=True)


def momentum_optimizer(loss: tf.Tensor, var_list: list[tf.Variable], settings: Settings | None = None) -> tf.Operation:
    """Make the op for a step of momentum descent on `loss` over `var_list`, at a rate that decays (the article).

    A second call for the same variables, also inside a `tf.function`, goes on with the first one's step counter and
    momentum, as AUTO_REUSE does for weights.
    """
    settings, batch = settings or Settings(), step_counter(var_list)
    made = tf.get_collection_ref(f"{batch.op.name}/optimizer")
    if not made:  # the rate as a function, which is called in each graph that takes steps
        made.append(tf.train.MomentumOptimizer(lambda: learning_rate(batch, settings), settings.momentum))
    return made[0].minimize(loss, global_step=batch, var_list=var_list)


# ---------------------------------------------------------------------------------------------- the training graph
def build_graph(settings: Settings | None = None) -> SimpleNamespace:
    """Build the article's graph and, from the same functions, a loop that runs many iterations in one `Session.run`.

    Returns a namespace of the `graph` (its own), `x_node` and `z_node` (placeholders for real data and noise, float32,
    (batch, 1)), all that `build_networks` gives, `train_op_d` and `train_op_g` (one step of a network), `init` (sets
    every variable to its start; `seed_node` may be fed another seed than the settings'), and the op `loop` with its
    inputs `x_bulk, z_bulk, start, stop` (see `train_iterations`).
    """
    settings = settings or Settings()
    size, d_steps = settings.size, settings.d_steps

    def train_d(x: tf.Tensor, z: tf.Tensor) -> tf.Operation:
        net = build_networks(x, z, settings)
        return momentum_optimizer(1 - net.loss_d, net.theta_d, settings)

    def train_g(z: tf.Tensor) -> tf.Operation:
        net = build_networks(z, z, settings)  # no real data in G's objective
        return momentum_optimizer(1 - net.loss_g, net.theta_g, settings)

    def report(x: tf.Tensor, z: tf.Tensor) -> tuple[tf.Tensor, ...]:
        net = build_networks(x, z, settings)
        rate_d = learning_rate(step_counter(net.theta_d) - 1, settings)  # of the discriminator step just taken
        rate_g = learning_rate(step_counter(net.theta_g), settings)  # of the generator step about to be taken
        return net.D1, net.D2, net.loss_d, net.loss_g, rate_d, rate_g

    def train_iterations(x: tf.Tensor, z: tf.Tensor, start: tf.Tensor, stop: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Run iterations start to stop - 1 of a bulk, and return what the last of them reports.

        x is (iterations, d_steps, size, 1): a batch for each discriminator step. z has one more, for the generator's.
        """

        def d_step(i: tf.Tensor, j: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            train_d(x[i, j], z[i, j])
            return i, j + 1

        def iteration(i: tf.Tensor, *seen: tf.Tensor) -> tuple[tf.Tensor, ...]:
            tf.while_loop(lambda i, j: j < d_steps, d_step, (i, 0))
            last = x[i, d_steps - 1], z[i, d_steps - 1]  # the article prints at this place
            seen = tf.cond(tf.equal(i, stop - 1), lambda: report(*last), lambda: seen)
            train_g(z[i, d_steps])
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
        m.train_op_d = momentum_optimizer(1 - m.loss_d, m.theta_d, settings)
        m.train_op_g = momentum_optimizer(1 - m.loss_g, m.theta_g, settings)

        # The loop. A step takes microseconds and a Session.run a large part of a millisecond, so the loop belongs in
        # the graph; jit_compile has XLA make machine code of it. The bulk's size does not depend on what is logged.
        bulk = max(1, min(BULK_ITERATIONS, BULK_BYTES // (4 * size * (2 * d_steps + 1))))
        m.x_bulk = tf.placeholder(tf.float32, (bulk, d_steps, size, 1), "x_bulk")
        m.z_bulk = tf.placeholder(tf.float32, (bulk, d_steps + 1, size, 1), "z_bulk")
        m.start, m.stop = tf.placeholder(tf.int32, (), "start"), tf.placeholder(tf.int32, (), "stop")
        many = tf.function(train_iterations, autograph=False, jit_compile=settings.xla)
        m.loop = many(m.x_bulk, m.z_bulk, m.start, m.stop)
        m.init = tf.global_variables_initializer()
    m.graph, m.x_node, m.z_node, m.seed_node = graph, x_node, z_node, seed_node
    return m


# ----------------------------------------------------------------------------------------------------------- a run
@dataclasses.dataclass(frozen=True)
class Result:
    """What `train` returns."""

    settings: Settings
    final: dict[str, float]  # the metrics after the last iteration, by name
    history: list[dict[str, float]]  # those of each logged iteration; the rows of metrics.csv
    samples: np.ndarray  # numbers from the trained generator, float32, (SAMPLES, 1)
    curve: np.ndarray  # x and D(x) across the range of the real data, (2, points)
    seconds: dict[str, float]  # the time taken, by phase


def train(settings: Settings | None = None, log: Callable[..., None] = lambda row, D1_, D2_: None) -> Result:
    """Train a GAN in a graph and session of its own. The same settings give the same numbers, whatever ran before.

    Args:
        settings: the run's settings; by default the article's.
        log: called at each logged iteration with its row of the history and the batch's D1 and D2, each (size, 1).
    """
    settings, seconds, history = settings or Settings(), {}, []
    with timed(seconds, "import"):
        _ = tf.Session
    with timed(seconds, "graph"):
        m = build_graph(settings)
        # A GPU gains nothing at this size, and the ops are too short to be worth handing from thread to thread.
        config = tf.ConfigProto(device_count={"GPU": 0})
        config.experimental.executor_type = "SINGLE_THREADED_EXECUTOR"
        sess = tf.Session(graph=m.graph, config=config)
        sess.run(m.init)
    with sess:
        real_rng, noise_rng, final_rng = map(np.random.default_rng, np.random.SeedSequence(settings.seed).spawn(3))
        real_data_load = RealDataLoader(settings.size, settings.mu, settings.sigma, real_rng)
        gen_data_load = GenDataLoader(settings.size, settings.low, settings.high, noise_rng)
        bulk, d_steps = m.x_bulk.shape[:2]
        with timed(seconds, "compile"), quiet():
            empty = {node: np.zeros(node.shape, np.float32) for node in (m.x_bulk, m.z_bulk)}
            sess.run(m.loop, empty | {m.start: 0, m.stop: 0})
        with timed(seconds, "train"):
            for first in range(0, settings.epoch, bulk):
                real_data = real_data_load.next_batches(bulk * d_steps).reshape(m.x_bulk.shape)
                gen_data = gen_data_load.next_batches(bulk * (d_steps + 1)).reshape(m.z_bulk.shape)
                i, end = first, min(first + bulk, settings.epoch)
                while i < end:
                    stop = min(i - i % settings.log_every + settings.log_every, end)
                    feed = {m.x_bulk: real_data, m.z_bulk: gen_data, m.start: i - first, m.stop: stop - first}
                    D1_, D2_, *scalars = sess.run(m.loop, feed)
                    if stop % settings.log_every == 0 or stop == settings.epoch:
                        values = map(float, (D1_.mean(), D2_.mean(), *scalars))
                        history.append({"iteration": stop - 1} | dict(zip(LOGGED, values, strict=True)))
                        log(history[-1], D1_, D2_)
                    i = stop
        with timed(seconds, "evaluate"):
            x = RealDataLoader(SAMPLES, settings.mu, settings.sigma, final_rng).next_batch()
            z = GenDataLoader(SAMPLES, settings.low, settings.high, final_rng).next_batch()
            samples, D1_, D2_ = sess.run([m.G, m.D1, m.D2], {m.x_node: x, m.z_node: z})
            left, right = settings.mu - 4 * settings.sigma, settings.mu + 4 * settings.sigma
            across = np.linspace(min(left, samples.min()), max(right, samples.max()), 401)
            curve = np.stack([across, sess.run(m.D1, {m.x_node: across[:, None]})[:, 0]])
        outputs = {"d1": D1_, "d2": D2_, "g": samples}.items()
        stats = ("mean", "std", "min", "max")
        final = {f"{name}_{stat}": float(getattr(np, stat)(output)) for name, output in outputs for stat in stats}
    return Result(settings, final, history, samples, curve, seconds)


@contextlib.contextmanager
def timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    """Put the time that the block takes into `seconds[phase]`."""
    began = time.perf_counter()
    yield
    seconds[phase] = time.perf_counter() - began


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what the block, C++ code included, writes to standard error; show it if the block fails."""
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as remarks:
        os.dup2(remarks.fileno(), 2)
        try:
            yield
        except BaseException:
            remarks.seek(0)
            os.write(terminal, remarks.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


# ---------------------------------------------------------------------------------------------- pictures and files
def draw_training(figure: Figure, result: Result) -> None:
    """Draw D1, D2 and the losses over the iterations."""
    top, bottom = figure.subplots(2, sharex=True)
    columns = {name: [row[name] for row in result.history] for name in result.history[0]}
    top.axhline(0.5, color="black", linewidth=1, linestyle="--", label="0.5: D can't tell")
    top.plot(columns["iteration"], columns["d1_mean"], label="D1: real data")
    top.plot(columns["iteration"], columns["d2_mean"], label="D2: generated")
    top.set(ylabel="mean over the batch", ylim=(0, 1), title="What the discriminator says")
    bottom.plot(columns["iteration"], columns["loss_d"], label="loss_d: mean(log D1\n+ log(1 - D2))")
    bottom.plot(columns["iteration"], columns["loss_g"], label="loss_g: mean(log D2)")
    bottom.set(xlabel="iteration", ylabel="objective (maximised)")
    for axes in (top, bottom):
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def draw_distribution(figure: Figure, result: Result) -> None:
    """Draw the histogram of G's samples, the density that they should have, and D(x) across the range."""
    axes = figure.subplots()
    x, d_of_x = result.curve
    mu, sigma = result.settings.mu, result.settings.sigma
    density = np.exp(-(((x - mu) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
    bars = axes.hist(result.samples[:, 0], bins=x[::5], density=True, alpha=0.5, label=f"{SAMPLES} samples of G(z)")[0]
    axes.plot(x, density, color="black", label=f"real data: N({mu:g}, {sigma:g})")
    axes.set(xlabel="x", ylabel="density", title="What the generator makes")
    if bars.max() > 4 * density.max():
        axes.set(ylim=(0, 4 * density.max()), ylabel=f"density (bars up to {bars.max():.3g} cut off)")
    right = axes.twinx()
    right.plot(x, d_of_x, color="tab:red", label="D(x)")
    right.axhline(0.5, color="tab:red", linewidth=1, linestyle="--")
    right.set(ylabel="D(x)", ylim=(0, 1))
    figure.legend(loc="outside lower center", ncols=3)


def save_results(result: Result) -> list[str]:
    """Write the run's files into its output directory, which is made where it is missing; return their names."""
    folder, seconds, names = Path(result.settings.output_dir), result.seconds, []
    folder.mkdir(parents=True, exist_ok=True)

    def save(name: str, write: Callable[[BinaryIO], object]) -> None:
        """Have a file written that takes its name, and the place of an older one, only once it is complete."""
        partial = folder / f".{name}.partial"
        try:
            with open(partial, "wb") as file:
                write(file)
            os.replace(partial, folder / name)
        finally:
            partial.unlink(missing_ok=True)
        names.append(name)

    with timed(seconds, "save"):
        rows = [result.history[0], *(row.values() for row in result.history)]
        save("metrics.csv", lambda file: file.writelines((",".join(map(str, row)) + "\n").encode() for row in rows))
        save("samples.npy", lambda file: np.save(file, result.samples))
    if result.settings.plots:
        with timed(seconds, "draw"), quiet():
            from matplotlib.figure import Figure

            for draw in (draw_training, draw_distribution):
                figure = Figure(figsize=(8, 5), layout="constrained")
                draw(figure, result)
                save(draw.__name__.removeprefix("draw_") + ".png", figure.savefig)
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "numpy", "matplotlib")}
    versions["python"] = platform.python_version()
    summary = {"settings": vars(result.settings), "versions": versions, "seconds": seconds, "final": result.final}
    save("summary.json", lambda file: file.write((json.dumps(summary, indent=2) + "\n").encode()))
    return names


# ------------------------------------------------------------------------------------------------ the command line
def parse_settings(argv: list[str] | None = None) -> Settings:
    """Read `Settings` from the command line: each field is a flag, with --no- where it is on by default."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0], allow_abbrev=False)
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: error: {message}\n")  # one line, no usage
    for field in dataclasses.fields(Settings):
        text, allowed = field.metadata["help"], field.metadata["allowed"]
        flag = "--" + ("no_" * (field.default is True) + field.name).replace("_", "-")
        if field.type == "bool":
            action = "store_false" if field.default else "store_true"
            parser.add_argument(flag, dest=field.name, action=action, help=text)
        else:
            help_text = f"{text}; {allowed} (default: %(default)s)"
            parser.add_argument(flag, default=field.default, metavar=field.type.upper(), help=help_text)
    values = vars(parser.parse_args(argv))
    try:
        for field in dataclasses.fields(Settings):
            if field.type in ("int", "float"):
                with contextlib.suppress(ValueError):  # left as text, it is refused below
                    values[field.name] = {"int": int, "float": float}[field.type](values[field.name])
        return Settings(**values)
    except ValueError as error:
        parser.error(str(error))


def print_line(row: dict[str, float], D1_: np.ndarray, D2_: np.ndarray) -> None:
    """Print a logged iteration in one line."""
    line = "iteration {iteration:6d}  D1 {d1_mean:.3f}  D2 {d2_mean:.3f}  loss_d {loss_d:.3f}  loss_g {loss_g:.3f}"
    print(line.format(**row))


def print_pairs(row: dict[str, float], D1_: np.ndarray, D2_: np.ndarray) -> None:
    """Print a logged iteration as the article does: its number, then a pair, for each sample of the batch."""
    print("\n".join(f"{row['iteration']}\nD1: {d1} ,D2: {d2}" for (d1,), (d2,) in zip(D1_, D2_, strict=True)))


def print_report(result: Result, files: list[str]) -> None:
    """Print what came out of a run."""
    settings, seconds, final = result.settings, result.seconds, result.final
    print(f"\nAfter {settings.epoch} iterations, on {SAMPLES} fresh samples:")
    print("  D1 = D(x)      mean {d1_mean:.3f}, from {d1_min:.3f} to {d1_max:.3f}".format(**final))
    print("  D2 = D(G(z))   mean {d2_mean:.3f}, from {d2_min:.3f} to {d2_max:.3f}".format(**final))
    print("  G(z)           mean {g_mean:.3f}, standard deviation {g_std:.3f}".format(**final))
    print(f"  real data      mean {settings.mu:.3f}, standard deviation {settings.sigma:.3f}")
    phases = ", ".join(f"{phase} {time_taken:.1f}" for phase, time_taken in seconds.items())
    print(f"Time: {sum(seconds.values()):.1f} s ({phases})")
    print(f"Written to {settings.output_dir}: {', '.join(files)}")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    faulthandler.enable(os.dup(2))  # a crash shows where, also while standard error is held back
    settings = parse_settings(argv)
    result = train(settings, print_pairs if settings.print_pairs else print_line)
    print_report(result, save_results(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
