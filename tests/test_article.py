"""The article's GAN: its parts, its arithmetic, its training, and what calls of it promise."""

import csv
import functools
import inspect
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import oracle
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT, built, call_main, trained

import gan_1d
from gan_1d import Discriminator, GenDataLoader, Generator, RealDataLoader, Run, Settings

REFERENCE = np.load(Path(__file__).parent / "tf1_15_seed1.npz")  # the article on TensorFlow 1.15.5
EPOCH = 200  # its iterations
SHORT = {"epoch": 20, "size": 20}
LONG = {"epoch": 230, "size": 20, "learning_rate": 0.002, "seed": 3}  # no steep moment, where
# differences in rounding grow; and longer than a block of batches


# ------------------------------------------------------------------------------------- smoke test
def near_half(final):
    """Return whether D gives real and generated data about 0.5 alike: the article's proof."""
    return all(abs(final[name] - 0.5) < 0.1 for name in ("d1_mean", "d2_mean"))


def test_the_default_command_ends_with_exit_0_and_d_near_one_half(article_run):
    assert article_run.returncode == 0, article_run.stderr
    assert near_half(json.loads((article_run.folder / "summary.json").read_text())["final"])


def test_a_d_trained_alone_against_far_away_data_is_not_near_one_half():
    gan = built(epoch=EPOCH, xla=True)
    # N(4, 1) lies to one side of what G gives before it has learned; N(-1, 1) lies half inside.
    with gan.session() as sess:
        run = Run(gan, sess, Settings(mu=4, pretrain=300))
        sess.run(gan.init)
        gan_1d.pretrain(run)
        assert not near_half(gan_1d.evaluate(run).final)


# ---------------------------------------------------------------------------- the article's parts
def test_settings_default_to_the_articles_constants():
    s = Settings()
    assert (s.epoch, s.size, s.hidden_size, s.d_steps) == (10_000, 200, 6, 2)
    assert (s.low, s.high, s.mu, s.sigma, s.output_scale) == (-1, 1, -1, 1, 5)
    assert (s.optimizer, s.learning_rate, s.momentum, s.decay_rate) == ("momentum", 0.01, 0.6, 0.95)
    assert (s.noise, s.init, s.pretrain, s.r1_gamma, s.ema_decay) == ("uniform", "normal", 0, 0, 0)
    assert (s.hidden_size_g, s.learning_rate_g) == (None, None)


def test_parts_have_the_articles_parameters_in_its_order():
    for part, parameters in (
        (GenDataLoader, {"size": 200, "low": -1, "high": 1}),
        (RealDataLoader, {"size": 200, "mu": -1, "sigma": 1}),
        (Generator, {"inputs": ..., "input_size": 1, "hidden_size": 6, "output_size": 1}),
        (Discriminator, {"inputs": ..., "input_size": 1, "hidden_size": 6}),
        (gan_1d.momentum_optimizer, {"loss": ..., "var_list": ...}),
        (gan_1d.weight_variable, {"shape": ..., "name": ...}),
        (gan_1d.bias_variable, {"shape": ..., "name": ...}),
    ):
        given = list(inspect.signature(part).parameters.values())
        names = [parameter.name for parameter in given]
        assert names[: len(parameters)] == list(parameters), part
        for parameter, default in itertools.zip_longest(given, parameters.values()):
            if default is not None:
                assert parameter.default == (parameter.empty if default is ... else default), part
            else:  # what the article does not know, it need not give
                optional = parameter.default is not parameter.empty
                assert optional or parameter.kind == parameter.VAR_KEYWORD, part


LOADERS = [GenDataLoader, RealDataLoader, functools.partial(GenDataLoader, noise="stratified")]


@pytest.fixture(params=LOADERS, ids=["noise", "real data", "stratified noise"])
def loader(request):
    """Return a kind of loader, for batches of 30."""
    return functools.partial(request.param, size=30)


def test_loaders_give_float32_columns(loader):
    for shape, batch in (((30, 1), loader().next_batch()), ((2, 30, 1), loader().next_batch(2))):
        assert (batch.shape, batch.dtype) == (shape, np.float32)


def test_loaders_depend_on_their_rng_alone_and_without_one_differ(loader):
    rngs = [{"rng": np.random.default_rng(seed)} for seed in (5, 5, 6)]
    first, again, *others = (loader(**rng).next_batch() for rng in (*rngs, {}, {}))
    assert np.array_equal(first, again)
    for a, b in itertools.combinations([first, *others], 2):
        assert not np.array_equal(a, b)


def test_loaders_give_many_batches_as_they_give_them_one_by_one(loader):
    first, again = (loader(rng=np.random.default_rng(5)) for _ in range(2))
    one_by_one = np.stack([first.next_batch() for _ in range(8)])
    together = np.concatenate([again.next_batch(2), *again.next_batch(3, 2)])
    assert np.array_equal(one_by_one, together)
    assert len(np.unique(one_by_one)) == 240  # and no batch is given twice


def test_noise_is_uniform():
    rng = np.random.default_rng(0)
    z = np.sort(GenDataLoader(100_000, 2, 5, rng).next_batch()[:, 0])
    assert 2 <= z[0] <= z[-1] <= 5
    assert np.abs(z - np.linspace(2, 5, z.size)).max() < 0.02


def test_real_data_is_normal():
    rng = np.random.default_rng(0)
    x = np.sort(RealDataLoader(100_000, 3, 2, rng).next_batch()[:, 0])
    target = statistics.NormalDist(3, 2)
    expected = [target.cdf(value) for value in x[::100].tolist()]
    assert np.abs(expected - np.arange(0, 1, 100 / x.size)).max() < 0.01


def test_variables_have_the_articles_names_shapes_and_order():
    gan = built(epoch=EPOCH, xla=True)
    shapes = [(1, 6), (1, 6), (6, 6), (1, 6), (6, 1), (1, 1)]
    for scope, theta in (("generator", gan.theta_g), ("discriminator", gan.theta_d)):
        assert [variable.op.name for variable in theta] == [f"{scope}/{n}" for n in oracle.NAMES]
        assert [tuple(variable.shape) for variable in theta] == shapes


def test_all_uses_of_a_network_share_its_variables():
    with built(epoch=EPOCH, xla=True).graph.as_default():
        assert len(tf.trainable_variables()) == 12


def test_placeholders_are_float32_columns_named_as_in_the_article():
    gan = built(epoch=EPOCH, xla=True)
    for name in ("x_node", "z_node"):
        node = getattr(gan, name)
        found = (node.name, node.dtype, node.shape.as_list())
        assert found == (f"{name}:0", tf.float32, [None, 1])


def test_tensors_have_the_articles_names_in_the_graph():
    gan = built(epoch=EPOCH, xla=True)
    for name in ("D1", "D2", "G", "loss_d", "loss_g"):
        assert gan.graph.get_tensor_by_name(f"{name}:0") is getattr(gan, name)


# --------------------------------------------------------------------------------- initial weights
def initial_values(seed):
    """Return the weights and biases that G and D start from, for layers of 100 units."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.zeros((1, 1))
        networks = [of(x, hidden_size=100, seed=seed) for of in (Generator, Discriminator)]
        sess.run(tf.global_variables_initializer())
        values = sess.run([variable for network in networks for variable in network.var_list])
    return values[::2], values[1::2]


def correlation(a, b):
    """Return the correlation of the first 100 numbers of two arrays."""
    return abs(np.corrcoef(a.ravel()[:100], b.ravel()[:100])[0, 1])


def test_weights_start_from_a_standard_normal_distribution():
    weights, _ = initial_values(3)
    values = np.sort(np.concatenate([weight.ravel() for weight in weights]))
    levels = (np.arange(values.size) + 0.5) / values.size
    expected = [statistics.NormalDist().inv_cdf(level) for level in levels.tolist()]
    assert np.abs(values - expected)[100:-100].max() < 0.1


def test_biases_start_at_zero():
    _, biases = initial_values(3)
    assert len(biases) == 6
    assert not any(bias.any() for bias in biases)


def test_weights_start_from_the_seed():
    (first, _), (again, _), (other, _) = (initial_values(seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for a, b in zip(first, other, strict=True):
        assert correlation(a, b) < 0.4  # 4 standard deviations of 100 independent pairs


def test_weights_start_independently_in_each_layer_and_network():
    for a, b in itertools.combinations(initial_values(3)[0], 2):
        assert correlation(a, b) < 0.4


def test_weights_without_a_seed_start_differently_each_time():
    (first, _), (other, _) = (initial_values(None) for _ in range(2))
    for a, b in itertools.combinations([*first, *other], 2):
        assert correlation(a, b) < 0.45


def test_a_gans_weights_start_from_the_seed_among_its_settings():
    gan = built(**LONG, xla=False)
    with gan.session() as sess:
        sess.run(gan.init)
        weights = sess.run([gan.theta_g[2], gan.theta_d[2]])
        for seed, same in ((3, True), (0, False)):
            sess.run(gan.init, {gan.seed_node: seed})
            for a, b in zip(weights, sess.run([gan.theta_g[2], gan.theta_d[2]]), strict=True):
                assert np.array_equal(a, b) == same


# -------------------------------------------------------------------------------------- arithmetic
@functools.cache
def reference_batches():
    """Return the reference run's batches, in its order: x (200, 2, 200, 1), z (200, 3, 200, 1)."""
    rng = np.random.RandomState(1)
    x, z = (np.empty((EPOCH, count, 200, 1), np.float32) for count in (2, 3))
    for i in range(EPOCH):
        for j in range(2):
            x[i, j], z[i, j] = rng.normal(-1, 1, [200, 1]), rng.uniform(-1, 1, [200, 1])
        z[i, 2] = rng.uniform(-1, 1, [200, 1])
    return x, z


def reference_theta(when, dtype=np.float32):
    """Return the reference run's theta_g and theta_d, `initial` or `after_200`, in one list."""
    names = [f"{scope}/{n}" for scope in ("generator", "discriminator") for n in oracle.NAMES]
    return [REFERENCE[f"{when}/{name}"].astype(dtype) for name in names]


def start_from_reference(gan, sess):
    """Set the variables to where the reference run starts."""
    sess.run(gan.init)
    for variable, value in zip(gan.theta_g + gan.theta_d, reference_theta("initial"), strict=True):
        variable.load(value, sess)


def by_single_ops(gan, sess, x, z):
    """Train as the article's loop does, on given batches; yield what it prints, and the losses."""
    for x_i, z_i in zip(x, z, strict=True):
        for real_data, gen_data in zip(x_i, z_i[:-1], strict=True):
            feed = {gan.x_node: real_data, gan.z_node: gen_data}
            sess.run([gan.train_op_d, gan.loss_d], feed)
        yield sess.run([gan.D1, gan.D2, gan.loss_d, gan.loss_g], feed)
        sess.run([gan.train_op_g, gan.loss_g], {gan.z_node: z_i[-1]})


def test_single_steps_reproduce_tensorflow_1_15():
    gan = built(epoch=EPOCH, xla=True)
    with gan.session() as sess:
        start_from_reference(gan, sess)
        assert len(list(by_single_ops(gan, sess, *reference_batches()))) == EPOCH
        found = sess.run(gan.theta_g + gan.theta_d)
    assert oracle.largest_gap(found, reference_theta("after_200")) < 1e-4


@pytest.fixture(scope="module", params=[True, False], ids=["xla", "no-xla"])
def reference_loop(request):
    """Run the reference's iterations by `loop`, cut in odd places.

    Returns what each call gave, by the number of iterations so far, and the weights in the end.
    """
    gan = built(epoch=EPOCH, xla=request.param)
    shown = {}
    with gan.session() as sess:
        start_from_reference(gan, sess)
        for first in range(0, EPOCH, gan.block_length):
            x, z = (of[first : first + gan.block_length] for of in reference_batches())
            for start, stop in itertools.pairwise([0, 1, 3, 4, 60, gan.block_length]):
                feed = {gan.x_block: x, gan.z_block: z, gan.start: start, gan.stop: stop}
                shown[first + stop] = sess.run(gan.loop, feed)
        return shown, sess.run(gan.theta_g + gan.theta_d)


def test_the_loop_however_it_is_cut_reproduces_tensorflow_1_15(reference_loop):
    _, found = reference_loop
    assert oracle.largest_gap(found, reference_theta("after_200")) < 1e-4


def test_the_loop_returns_what_is_seen_between_ds_steps_and_gs(reference_loop):
    shown, _ = reference_loop
    theta_g, theta_d = np.split(np.array(reference_theta("initial", float), object), 2)
    optimizer_g, optimizer_d = oracle.Momentum(theta_g, EPOCH), oracle.Momentum(theta_d, EPOCH)
    x, z = (batches.astype(float) for batches in reference_batches())
    for i in range(4):
        for j in range(2):
            before_d = oracle.discriminate(x[i, 1], theta_d)
            optimizer_d.step(oracle.gradient_d(x[i, j], z[i, j], theta_g, theta_d))
        D1 = oracle.discriminate(x[i, 1], theta_d)
        D2 = oracle.discriminate(oracle.generate(z[i, 1], theta_g), theta_d)
        optimizer_g.step(oracle.gradient_g(z[i, 2], theta_g, theta_d))
        after_g = oracle.discriminate(oracle.generate(z[i, 1], theta_g), theta_d)
        if i + 1 in shown:
            expected = D1, D2, np.mean(np.log(D1) + np.log(1 - D2)), np.mean(np.log(D2))
            assert oracle.largest_gap(shown[i + 1][:4], expected) < 2e-5
            assert np.abs(before_d - D1).max() > 2e-4
            assert np.abs(after_g - D2).max() > 2e-4


def test_the_loop_returns_the_rates_of_two_steps_of_d_for_each_of_g(reference_loop):
    shown, _ = reference_loop
    *_, rate_d, rate_g = shown[EPOCH]  # of D's step number 400 and G's step number 200
    assert (rate_d, rate_g) == pytest.approx((0.01 * 0.95**7, 0.01 * 0.95**3))


@pytest.mark.parametrize("xla", [True, False])
def test_the_loop_is_an_op_that_must_be_compiled_with_xla_and_only_then(xla):
    gan = built(epoch=EPOCH, xla=xla)
    definition = gan.graph.as_graph_def()
    (loop,) = [node for node in definition.node if "PartitionedCall" in node.op]
    assert {tensor.op.name for tensor in gan.loop} == {loop.name}
    functions = [
        f for f in definition.library.function if f.signature.name == loop.attr["f"].func.name
    ]
    assert len(functions) == 1
    must_compile = [of.attr["_XlaMustCompile"].b for of in (loop, *functions)]
    assert must_compile == [xla, xla]


def test_the_oracle_reproduces_tensorflow_1_15():
    theta = reference_theta("initial", float)
    optimizers = [oracle.Momentum(part, EPOCH) for part in (theta[:6], theta[6:])]
    oracle.train(*optimizers, *reference_batches())
    assert oracle.largest_gap(theta, reference_theta("after_200")) < 1e-4


def test_the_oracles_gradients_match_finite_differences():
    x, z = (batches[0, 0].astype(float) for batches in reference_batches())
    theta = reference_theta("initial", float)
    both = theta[:6], theta[6:]
    of_d = oracle.differences(lambda: oracle.minimised_d(x, z, *both), both[1])
    of_g = oracle.differences(lambda: oracle.minimised_g(z, *both), both[0])
    found = oracle.gradient_d(x, z, *both) + oracle.gradient_g(z, *both)
    assert oracle.largest_gap(found, of_d + of_g) < 1e-7


def test_objectives_from_logits_are_the_articles():
    gan = built(epoch=EPOCH, xla=True)
    x, z = (batches[0, 0] for batches in reference_batches())
    with gan.session() as sess:
        sess.run(gan.init)
        tensors = [gan.D1, gan.D2, gan.loss_d, gan.loss_g]
        D1, D2, loss_d, loss_g = sess.run(tensors, {gan.x_node: x, gan.z_node: z})
    D1, D2 = D1.astype(float), D2.astype(float)
    assert loss_d == pytest.approx(np.mean(np.log(D1) + np.log(1 - D2)), abs=1e-5)
    assert loss_g == pytest.approx(np.mean(np.log(D2)), abs=1e-5)


@pytest.mark.parametrize(("bias", "loss"), [(1e3, "loss_d"), (-1e3, "loss_g")])
def test_objectives_stay_finite_when_d_is_sure_of_itself(bias, loss):
    gan = built(epoch=EPOCH, xla=True)
    x, z = (batches[0, 0] for batches in reference_batches())
    with gan.session() as sess:
        sess.run(gan.init)
        gan.theta_d[5].load([[bias]], sess)
        D2, loss = sess.run([gan.D2, getattr(gan, loss)], {gan.x_node: x, gan.z_node: z})
    assert set(D2.ravel()) == {float(bias > 0)}  # it rounds to 0 or 1
    assert loss == pytest.approx(-1e3, rel=0.05)


@pytest.mark.parametrize("own", ["d", "g"])
def test_a_networks_step_changes_all_of_its_own_variables_and_none_of_the_others(own):
    gan = built(epoch=EPOCH, xla=True)
    x, z = (batches[0, 0] for batches in reference_batches())
    with gan.session() as sess:
        sess.run(gan.init)
        before = sess.run(gan.theta_g + gan.theta_d)
        sess.run(getattr(gan, f"train_op_{own}"), {gan.x_node: x, gan.z_node: z})
        after = sess.run(gan.theta_g + gan.theta_d)
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [own == "g"] * 6 + [own == "d"] * 6


# ------------------------------------------------------------------------------ momentum_optimizer
def descend(start, steps, epoch):
    """Return where momentum descent of 0.5 * x**2 gets from `start`, in float64."""
    optimizer = oracle.Momentum([np.array(start)], epoch)
    for _ in range(steps):
        optimizer.step([optimizer.theta[0].copy()])
    return optimizer.theta[0]


def descended(variables, steps, *epoch):
    """Return where as many steps, each by an op of its own, get some variables."""
    with tf.Session() as sess:
        ops = [
            gan_1d.momentum_optimizer(0.5 * tf.reduce_sum(tf.square(variable)), [variable], *epoch)
            for variable in variables
        ]
        sess.run(tf.global_variables_initializer())
        for op, count in zip(ops, steps, strict=True):
            for _ in range(count):
                sess.run(op)
        return sess.run(variables)


@pytest.mark.parametrize("scope", ["", "generator", "anywhere/else"])
def test_momentum_optimizer_serves_variables_in_any_scope_or_none(scope):
    with tf.Graph().as_default():
        with tf.variable_scope(scope):
            variable = tf.get_variable("x", initializer=[4.0, -2.0])
        (found,) = descended([variable], [3])
    assert found == pytest.approx(descend([4.0, -2.0], 3, 10_000), rel=1e-6)


def test_momentum_optimizer_called_twice_makes_two_counters():
    with tf.Graph().as_default():
        found = descended([tf.Variable(4.0), tf.Variable(4.0)], [7, 1], 8)
    assert found == pytest.approx([descend(4.0, 7, 8), descend(4.0, 1, 8)], rel=1e-6)


@pytest.mark.parametrize("epoch", [2, 8, 1000])
def test_momentum_optimizers_rate_falls_as_the_callers_epoch_says(epoch):
    with tf.Graph().as_default():
        (found,) = descended([tf.Variable(4.0)], [9], epoch)
    assert found == pytest.approx(descend(4.0, 9, epoch), rel=1e-6)


def test_momentum_optimizer_without_epoch_takes_the_articles():
    assert inspect.signature(gan_1d.momentum_optimizer).parameters["epoch"].default == 10_000


# ----------------------------------------------------------------------------------------- batches
@pytest.mark.parametrize("size", [30_000, 5_000_000])
def test_a_blocks_batches_stay_within_16_mb_unless_one_iteration_needs_more(size):
    gan = built(size=size, d_steps=7, xla=False)
    count = gan.x_block.shape.num_elements() + gan.z_block.shape.num_elements()
    assert gan.x_block.shape[0] == gan.z_block.shape[0] == gan.block_length
    assert 4 * count <= 2**24 or gan.block_length == 1


def test_a_blocks_batches_have_the_shapes_of_the_graphs_inputs():
    gan = built(size=30_000, d_steps=7, xla=False)
    x, z = gan_1d.draw_block(gan.settings, 0, gan.block_length)
    assert (x.shape, z.shape) == (tuple(gan.x_block.shape), tuple(gan.z_block.shape))
    assert x.dtype == z.dtype == np.float32


def test_a_blocks_batches_are_the_same_whenever_they_are_drawn():
    first, _, again = (gan_1d.draw_block(Settings(size=20), block, 10) for block in (7, 8, 7))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_each_seed_and_block_has_batches_of_its_own_and_gives_none_twice():
    keys = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2**32 - 1, 0)]
    blocks = [gan_1d.draw_block(Settings(seed=seed), block, 10) for seed, block in keys]
    for batches in zip(*blocks, strict=True):
        batches = np.concatenate(batches).reshape(-1, 200)
        assert len(batches) == 6 * 10 * (2 if batches.min() < -1 else 3)
        pairs = np.corrcoef(batches)[np.triu_indices(len(batches), 1)]
        assert np.abs(pairs).max() < 0.4  # over 5 standard deviations of 200 independent pairs
    x, z = (np.concatenate(batches).ravel()[:20_000] for batches in zip(*blocks, strict=True))
    assert abs(np.corrcoef(x, z)[0, 1]) < 0.035


# ------------------------------------------------------------------------------------------- a run
def train(gan, *logs, **changes):
    """Train on a graph that is built already, with settings that it does not depend on changed."""
    with gan.session() as sess:
        return Run(gan, sess, replace(gan.settings, **changes)).train(logs)


def numbers(result):
    """Return all that a run comes to as bytes that can be compared."""
    arrays = [result.samples, result.real, result.grid, result.curve, *result.weights.values()]
    return [json.dumps([result.final, list(result.weights)]), *(a.tobytes() for a in arrays)]


def test_train_takes_the_steps_of_the_articles_own_loop():
    result = trained(**LONG, log_every=1)
    gan = built(**LONG, xla=False)
    blocks = [gan_1d.draw_block(gan.settings, block, gan.block_length) for block in range(3)]
    x, z = (np.concatenate(batches)[:230] for batches in zip(*blocks, strict=True))
    with gan.session() as sess:
        sess.run(gan.init)
        seen = list(by_single_ops(gan, sess, x, z))
        weights = sess.run(gan.theta_g + gan.theta_d)
    names = ("d1_mean", "d2_mean", "loss_d", "loss_g")
    logged = [[row[name] for name in names] for row in result.history]
    assert np.allclose(logged, [[value.mean() for value in values] for values in seen], atol=1e-5)
    assert oracle.largest_gap(result.weights.values(), weights) < 1e-5


def test_the_learning_rates_fall_as_staircases_ds_twice_as_often(article_run):
    with open(article_run.folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for column, steps in (("learning_rate_d", 2), ("learning_rate_g", 1)):
        taken = [steps * (int(row["iteration"]) + 1) - 1 for row in rows]  # before this one
        rates = [float(row[column]) for row in rows]
        assert rates == pytest.approx([0.01 * 0.95 ** (step // 2500) for step in taken])


@pytest.mark.parametrize("log_every", [7, 1000])
def test_how_often_a_run_is_logged_does_not_change_its_numbers(log_every):
    each, some = trained(**LONG, log_every=1), train(built(**LONG, xla=False), log_every=log_every)
    assert numbers(some) == numbers(each)
    logged = sorted({*range(log_every - 1, 230, log_every), 229})
    assert some.history == [each.history[iteration] for iteration in logged]


def test_the_same_seed_gives_the_same_bytes_in_another_process_too(article_run):
    result = gan_1d.train(Settings())
    summary = json.loads((article_run.folder / "summary.json").read_text())
    assert result.final == summary["final"]
    assert result.samples.tobytes() == np.load(article_run.folder / "samples.npy").tobytes()
    with open(article_run.folder / "metrics.csv", newline="") as file:
        rows = [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
    assert result.history == rows


def test_another_seed_gives_other_numbers():
    results = [train(built(**SHORT, xla=False), seed=seed) for seed in (0, 1)]
    for name in ("samples", "real", "grid", "curve", "final", "history", "weights"):
        zero, one = (getattr(result, name) for result in results)
        assert str(zero) != str(one), name


def test_log_gets_the_rows_of_the_history_and_each_samples_d1_and_d2():
    logged = []
    gan = built(**SHORT, xla=False)
    result = train(gan, lambda row, D1_, D2_: logged.append((dict(row), D1_, D2_)), log_every=8)
    assert [row for row, _, _ in logged] == result.history
    assert [row["iteration"] for row in result.history] == [7, 15, 19]
    for row, D1_, D2_ in logged:
        assert D1_.shape == D2_.shape == (20, 1)
        assert (float(D1_.mean()), float(D2_.mean())) == (row["d1_mean"], row["d2_mean"])


def test_train_leaves_the_processs_own_graph_and_random_numbers_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    rows = []
    with tf.Graph().as_default() as graph:
        result = gan_1d.train(Settings(**SHORT, xla=False), lambda row, *_: rows.append(row))
        assert tf.get_default_graph() is graph
        assert graph.get_operations() == []
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert rows == result.history != []


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_the_shortest_runs_train(epoch):
    result = trained(epoch=epoch, size=1, log_every=1)
    assert np.isfinite(list(result.final.values())).all()
    rates = [row["learning_rate_g"] for row in result.history]
    assert rates == pytest.approx([0.01 * 0.95**step for step in range(epoch)])


def test_results_can_be_compared_and_hashed():
    one, other = (trained(epoch=epoch, size=1, log_every=1) for epoch in (1, 2))
    assert one == one  # noqa: PLR0124
    assert one != other
    assert len({one, other, one}) == 2


# -------------------------------------------------------------------------------------- divergence
def test_training_that_diverges_raises_floating_point_error():
    with pytest.raises(FloatingPointError):
        gan_1d.train(Settings(**SHORT, learning_rate=1e30, r1_gamma=1e30, xla=False))


@pytest.fixture
def averaging():
    """Start a run whose samples come from an average of G."""
    gan = built(**SHORT, ema_decay=0.9, xla=False)
    with gan.session() as sess:
        sess.run(gan.init)
        yield Run(gan, sess, replace(gan.settings, seed=6, log_every=8))


def test_an_average_of_g_that_is_not_a_number_is_noticed(averaging):
    averaging.gan.theta_sampled[5].load([[np.nan]], averaging.sess)
    with pytest.raises(FloatingPointError):
        averaging.run_iterations([])
    assert np.isfinite(averaging.sess.run(averaging.gan.theta_g[5]))


def test_an_objective_that_is_not_finite_is_noticed(averaging):
    averaging.gan.theta_d[5].load([[-np.inf]], averaging.sess)  # D2 is 0; gradients are finite
    with pytest.raises(FloatingPointError):
        averaging.run_iterations([])
    assert np.isfinite(gan_1d.map_noise(averaging)).all()


def test_what_diverges_is_named_by_its_iteration_and_seed(averaging):
    averaging.iteration = 9
    averaging.gan.theta_g[5].load([[np.nan]], averaging.sess)
    with pytest.raises(FloatingPointError, match=r"iteration 15 .*seed 6\b"):
        averaging.run_iterations([])


# ---------------------------------------------------------------- a good citizen of its process
def test_train_gives_the_same_numbers_while_functions_run_eagerly():
    tf.config.run_functions_eagerly(True)
    try:
        result = gan_1d.train(Settings(**SHORT, xla=False))
    finally:
        tf.config.run_functions_eagerly(False)
    assert numbers(result) == numbers(trained(**SHORT))


def test_four_threads_train_as_one_does():
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(gan_1d.train, [Settings(**SHORT, xla=False)] * 4))
    assert all(numbers(result) == numbers(trained(**SHORT)) for result in results)


def test_the_command_can_be_called_in_a_thread(tmp_path):
    words = "--epoch 1 --size 1 --no-xla --no-plots --output-dir".split()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(call_main, *words, tmp_path / "run").result()
    assert done.status == 0, done.err
    assert (tmp_path / "run" / "metrics.csv").exists()


ARTICLE = """
import numpy as np
import tensorflow.compat.v1 as tf

from gan_1d import GenDataLoader, RealDataLoader, Generator, Discriminator, momentum_optimizer

tf.disable_v2_behavior()

if __name__ == '__main__':
    size = 200
    epoch = 30
    shape = (size, 1)
    x_node = tf.placeholder(tf.float32, shape=shape)
    z_node = tf.placeholder(tf.float32, shape=shape)

    generator = Generator(z_node)
    G, theta_g = generator.get_param()

    discriminator2 = Discriminator(G)
    discriminator1 = Discriminator(x_node)
    D1, theta_d = discriminator1.get_param()
    D2, theta_d = discriminator2.get_param()

    loss_d = tf.reduce_mean(tf.log(D1) + tf.log(1 - D2))
    loss_g = tf.reduce_mean(tf.log(D2))

    train_op_d = momentum_optimizer(1 - loss_d, theta_d, epoch)
    train_op_g = momentum_optimizer(1 - loss_g, theta_g, epoch)

    sess = tf.InteractiveSession()
    tf.global_variables_initializer().run()
    before = sess.run(theta_g + theta_d)

    gen_data_load = GenDataLoader(size)
    real_data_load = RealDataLoader(size)
    for i in range(epoch):
        for j in range(2):
            real_data = real_data_load.next_batch()
            gen_data = gen_data_load.next_batch()
            sess.run([train_op_d, loss_d], {x_node: real_data, z_node: gen_data})

        D1_, D2_ = sess.run([D1, D2], {x_node: real_data, z_node: gen_data})
        for (d1, d2) in zip(D1_, D2_):
            print("%d" % i)
            print("D1:", d1[0], ",D2:", d2[0])

        gen_data = gen_data_load.next_batch()
        sess.run([train_op_g, loss_g], {z_node: gen_data})

    after = sess.run(theta_g + theta_d)
    print("changed", sum(not np.array_equal(a, b) for a, b in zip(before, after)))

    import gan_1d

    print(gan_1d.train(gan_1d.Settings(epoch=20, size=20, xla=False)).final)
"""
ANOTHER = """
import os

import tensorflow.experimental.numpy

del os.environ["TF_ENABLE_ONEDNN_OPTS"]  # TensorFlow has read it
before = dict(os.environ)

import gan_1d

print(os.environ == before)
tensorflow.experimental.numpy.experimental_enable_numpy_behavior()
print(gan_1d.train(gan_1d.Settings(epoch=20, size=20, xla=False)).final)
"""


@functools.cache
def printed_by(program):
    """Run a program as a process, with nothing in its environment that gan_1d sets."""
    env = {
        name: text for name, text in os.environ.items() if not name.startswith(("XLA", "ONEDNN"))
    }
    like = {"capture_output": True, "text": True, "check": False}
    run = subprocess.run(
        [sys.executable, "-c", program], env=env | {"PYTHONPATH": str(ROOT)}, **like
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_the_articles_whole_code_typed_by_hand_trains_with_these_parts():
    *lines, changed, _ = printed_by(ARTICLE)
    assert lines[::2] == [str(i) for i in range(30) for _ in range(200)]
    pairs = [re.search(r"D1: (\S+) ,D2: (\S+)", line).groups() for line in lines[1::2]]
    assert ((np.array(pairs, float) > 0) & (np.array(pairs, float) < 1)).all()
    assert changed == "changed 12"


def test_train_gives_the_same_numbers_where_tensorflow_2_is_turned_off():
    assert printed_by(ARTICLE)[-1] == str(trained(**SHORT).final)


def test_importing_gan_1d_sets_nothing_in_the_environment():
    assert printed_by(ANOTHER)[0] == "True"


def test_train_gives_the_same_numbers_where_tensorflow_behaves_like_numpy():
    assert printed_by(ANOTHER)[1] == str(trained(**SHORT).final)
