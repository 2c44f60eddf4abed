"""The article's training: its parts, its arithmetic, its loop, and what `train` promises."""

import csv
import functools
import inspect
import itertools
import json
import logging
import os
import re
import statistics
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import oracle
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT, built, trained

import gan_1d
from gan_1d import Discriminator, GenDataLoader, Generator, RealDataLoader, Settings, draw_block

REFERENCE = np.load(Path(__file__).parent / "tf1_15_seed1.npz")  # the article on TensorFlow 1.15.5
EPOCH = 200  # its iterations


# ------------------------------------------------------------------------------------- smoke test
def near_half(d1, d2):
    """Return whether D gives real and generated data about 0.5 alike: the article's proof."""
    return abs(d1 - 0.5) < 0.1 and abs(d2 - 0.5) < 0.1


def test_the_default_command_ends_with_exit_0_and_d_near_one_half(article_run):
    assert article_run.returncode == 0, article_run.stderr
    final = json.loads((article_run.folder / "summary.json").read_text())["final"]
    assert near_half(final["d1_mean"], final["d2_mean"])


def test_a_d_trained_alone_against_far_away_data_is_not_near_one_half():
    gan = built()
    # N(4, 1) lies to one side of what G gives before it has learned; N(-1, 1) lies half inside.
    real = RealDataLoader(mu=4, rng=np.random.default_rng(0))
    noise = GenDataLoader(rng=np.random.default_rng(1))
    with gan.session() as sess:
        sess.run(gan.init)
        for _ in range(1000):
            feed = {gan.x_node: real.next_batch(), gan.z_node: noise.next_batch()}
            sess.run(gan.train_op_d, feed)
        D1, D2 = sess.run([gan.D1, gan.D2], feed)
    assert not near_half(D1.mean(), D2.mean())


# ---------------------------------------------------------------------------- the article's parts
def test_settings_default_to_the_articles_constants():
    s = Settings()
    assert (s.epoch, s.size, s.hidden_size, s.d_steps) == (10_000, 200, 6, 2)
    assert (s.low, s.high, s.mu, s.sigma, s.output_scale) == (-1, 1, -1, 1, 5)
    assert (s.optimizer, s.learning_rate, s.momentum, s.decay_rate) == ("momentum", 0.01, 0.6, 0.95)
    assert (s.noise, s.init, s.pretrain, s.r1_gamma, s.ema_decay) == ("uniform", "normal", 0, 0, 0)
    assert (s.hidden_size_g, s.learning_rate_g) == (None, None)


@pytest.mark.parametrize(
    ("part", "parameters"),
    [
        (GenDataLoader, {"size": 200, "low": -1, "high": 1}),
        (RealDataLoader, {"size": 200, "mu": -1, "sigma": 1}),
        (Generator, {"inputs": ..., "input_size": 1, "hidden_size": 6, "output_size": 1}),
        (Discriminator, {"inputs": ..., "input_size": 1, "hidden_size": 6}),
        (gan_1d.momentum_optimizer, {"loss": ..., "var_list": ...}),
        (gan_1d.weight_variable, {"shape": ..., "name": ...}),
        (gan_1d.bias_variable, {"shape": ..., "name": ...}),
    ],
)
def test_parts_have_the_articles_parameters_in_its_order(part, parameters):
    given = list(inspect.signature(part).parameters.values())
    assert [parameter.name for parameter in given[: len(parameters)]] == list(parameters)
    for parameter in given:
        if parameter.name in parameters:
            expected = parameters[parameter.name]
            assert parameter.default == (parameter.empty if expected is ... else expected)
        else:  # what the article does not know, it need not give
            keywords = parameter.kind == parameter.VAR_KEYWORD
            assert keywords or parameter.default is not parameter.empty


@pytest.mark.parametrize("loader", [GenDataLoader, RealDataLoader])
def test_loaders_give_float32_columns(loader):
    batch = loader(size=30).next_batch()
    assert (batch.shape, batch.dtype) == ((30, 1), np.float32)


@pytest.mark.parametrize("loader", [GenDataLoader, RealDataLoader])
def test_loaders_depend_on_their_rng_alone(loader):
    first, again, other = (loader(rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    batch = first.next_batch()
    assert np.array_equal(batch, again.next_batch())
    assert not np.array_equal(batch, other.next_batch())


@pytest.mark.parametrize("loader", [GenDataLoader, RealDataLoader])
def test_loaders_give_many_batches_as_they_give_them_one_by_one(loader):
    first, again = (loader(size=30, rng=np.random.default_rng(5)) for _ in range(2))
    one_by_one = np.stack([first.next_batch() for _ in range(7)])
    together = np.concatenate([again.next_batches(3), again.next_batches(4)])
    assert np.array_equal(one_by_one, together)
    assert len(np.unique(one_by_one)) > 200  # and no batch is given twice


@pytest.mark.parametrize("loader", [GenDataLoader, RealDataLoader])
def test_loaders_without_an_rng_differ_from_one_another(loader):
    assert not np.array_equal(loader().next_batch(), loader().next_batch())


def test_noise_is_uniform():
    rng = np.random.default_rng(0)
    z = GenDataLoader(size=100_000, low=2, high=5, rng=rng).next_batch()[:, 0]
    assert z.min() >= 2
    assert z.max() <= 5
    assert np.abs(np.sort(z) - np.linspace(2, 5, z.size)).max() < 0.02


def test_real_data_is_normal():
    rng = np.random.default_rng(0)
    x = np.sort(RealDataLoader(size=100_000, mu=3, sigma=2, rng=rng).next_batch()[:, 0])
    target = statistics.NormalDist(3, 2)
    expected = [target.cdf(value) for value in x[::100]]
    assert np.abs(expected - np.arange(0, 1, 100 / x.size)).max() < 0.01


def test_variables_have_the_articles_names_shapes_and_order():
    gan = built(hidden_size=100)
    shapes = [(1, 100), (1, 100), (100, 100), (1, 100), (100, 1), (1, 1)]
    for scope, theta in (("generator", gan.theta_g), ("discriminator", gan.theta_d)):
        assert [variable.op.name for variable in theta] == [f"{scope}/{n}" for n in oracle.NAMES]
        assert [tuple(variable.shape) for variable in theta] == shapes


def test_both_uses_of_d_share_one_set_of_variables():
    with built().graph.as_default():
        assert len(tf.trainable_variables()) == 12


@pytest.mark.parametrize("name", ["x_node", "z_node"])
def test_placeholders_are_float32_columns_named_as_in_the_article(name):
    node = getattr(built(), name)
    assert (node.dtype, node.shape.as_list()) == (tf.float32, [None, 1])
    assert node.name == f"{name}:0"


@pytest.mark.parametrize("name", ["D1", "D2", "G", "loss_d", "loss_g"])
def test_tensors_have_the_articles_names_in_the_graph(name):
    gan = built()
    assert gan.graph.get_tensor_by_name(f"{name}:0") is getattr(gan, name)


def layers_before(tensor, stop):
    """Return the names of the layers' ops that a tensor is computed by, back to the op `stop`."""
    names, seen, ops = [], {stop}, [tensor.op]
    while ops:
        op = ops.pop()
        if op not in seen:
            seen.add(op)
            ops += [node.op for node in op.inputs]
            names += [op.name] if op.type in ("MatMul", "Tanh", "Sigmoid") else []
    return names


@pytest.mark.parametrize(
    ("network", "output", "inputs"),
    [("generator", "G", "z_node"), ("discriminator", "D1", "x_node"), ("discriminator", "D2", "G")],
)
def test_the_graph_shows_a_networks_layers_in_its_own_scope(network, output, inputs):
    gan = built()
    names = layers_before(getattr(gan, output), getattr(gan, inputs).op)
    assert len(names) == 6  # three products, three activations
    assert {name.split("/")[0].rstrip("_0123456789") for name in names} == {network}


# --------------------------------------------------------------------------------- initial weights
@functools.cache
def initial_values(seed):
    """Return what theta_g and theta_d start from, for layers of 100 units."""
    gan = built(hidden_size=100)
    with gan.session() as sess:
        sess.run(gan.init, {gan.seed_node: seed})
        return sess.run([gan.theta_g, gan.theta_d])


def correlation(a, b):
    """Return the correlation of the first 100 numbers of two arrays."""
    return abs(np.corrcoef(a.ravel()[:100], b.ravel()[:100])[0, 1])


@pytest.mark.parametrize("network", [0, 1])
def test_weights_start_from_a_standard_normal_distribution(network):
    values = np.sort(initial_values(3)[network][2].ravel())
    levels = (np.arange(values.size) + 0.5) / values.size
    expected = [statistics.NormalDist().inv_cdf(level) for level in levels]
    assert np.abs(values - expected)[100:-100].max() < 0.1


@pytest.mark.parametrize("network", [0, 1])
def test_biases_start_at_zero(network):
    assert not any(bias.any() for bias in initial_values(3)[network][1::2])


@pytest.mark.parametrize("network", [0, 1])
def test_weights_start_from_the_seed(network):
    first, other = initial_values(3)[network], initial_values(4)[network]
    again = initial_values.__wrapped__(3)[network]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for a, b in zip(first[::2], other[::2], strict=True):
        assert correlation(a, b) < 0.4  # 4 standard deviations of 100 independent pairs


@pytest.mark.parametrize("network", [0, 1])
def test_weights_start_independently_in_each_layer(network):
    weight1, weight2, weight3 = initial_values(3)[network][::2]
    for a, b in ((weight1, weight2), (weight1, weight3), (weight2, weight3)):
        assert correlation(a, b) < 0.4


@pytest.mark.parametrize("layer", [0, 2, 4])
def test_weights_start_independently_in_g_and_d(layer):
    of_g, of_d = initial_values(3)
    assert correlation(of_g[layer], of_d[layer]) < 0.4


def test_the_seed_among_the_settings_is_the_one_that_weights_start_from():
    gan = built(**LONG)
    with gan.session() as sess:
        sess.run(gan.init)
        by_settings = sess.run(gan.theta_g[2])
        sess.run(gan.init, {gan.seed_node: 3})
        assert np.array_equal(by_settings, sess.run(gan.theta_g[2]))
        sess.run(gan.init, {gan.seed_node: 0})
        assert not np.array_equal(by_settings, sess.run(gan.theta_g[2]))


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
    """Return the reference run's theta_g and theta_d, `initial` or `after_200`."""
    return [
        [REFERENCE[f"{when}/{scope}/{name}"].astype(dtype) for name in oracle.NAMES]
        for scope in ("generator", "discriminator")
    ]


def start_from_reference(gan, sess):
    """Set the variables to where the reference run starts."""
    sess.run(gan.init)
    networks = gan.theta_g, gan.theta_d
    for variables, values in zip(networks, reference_theta("initial"), strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.load(value, sess)


def largest_gap(found, expected):
    """Return the largest difference between two networks' weights and two others'."""
    pairs = zip([*found[0], *found[1]], [*expected[0], *expected[1]], strict=True)
    return max(np.abs(a - b).max() for a, b in pairs)


def test_single_steps_reproduce_tensorflow_1_15():
    x, z = reference_batches()
    gan = built(epoch=EPOCH, xla=True)
    with gan.session() as sess:
        start_from_reference(gan, sess)
        for i in range(EPOCH):
            for j in range(2):
                sess.run([gan.train_op_d, gan.loss_d], {gan.x_node: x[i, j], gan.z_node: z[i, j]})
            sess.run([gan.train_op_g, gan.loss_g], {gan.z_node: z[i, 2]})
        found = sess.run([gan.theta_g, gan.theta_d])
    assert largest_gap(found, reference_theta("after_200")) < 1e-4


@pytest.fixture(scope="module", params=[True, False], ids=["xla", "no-xla"])
def reference_loop(request):
    """Run the reference's iterations by `loop`, cut in odd places.

    Returns what each call gave, by the number of iterations so far, and the weights in the end.
    """
    gan = built(epoch=EPOCH, xla=request.param)
    block = gan.x_block.shape[0]
    shown = {}
    with gan.session() as sess:
        start_from_reference(gan, sess)
        for first in range(0, EPOCH, block):
            x, z = (batches[first : first + block] for batches in reference_batches())
            last = len(x)  # a block at the end may be half empty
            x, z = (np.resize(batches, (block, *batches.shape[1:])) for batches in (x, z))
            for start, stop in itertools.pairwise([0, 1, 3, 4, 60, last]):
                feed = {gan.x_block: x, gan.z_block: z, gan.start: start, gan.stop: stop}
                shown[first + stop] = sess.run(gan.loop, feed)
        return shown, sess.run([gan.theta_g, gan.theta_d])


def test_the_loop_however_it_is_cut_reproduces_tensorflow_1_15(reference_loop):
    _, found = reference_loop
    assert largest_gap(found, reference_theta("after_200")) < 1e-4


@functools.cache
def oracle_looks():
    """Return what the oracle sees between D's steps and G's, and after G's, by the iteration."""
    x, z = (batches.astype(float) for batches in reference_batches())
    theta_g, theta_d = reference_theta("initial", float)
    optimizer_g, optimizer_d = oracle.Momentum(theta_g, EPOCH), oracle.Momentum(theta_d, EPOCH)

    def look(i):
        D1 = oracle.discriminate(x[i, 1], theta_d)
        D2 = oracle.discriminate(oracle.generate(z[i, 1], theta_g), theta_d)
        loss_d, loss_g = np.mean(np.log(D1) + np.log(1 - D2)), np.mean(np.log(D2))
        return D1, D2, loss_d, loss_g, optimizer_d.rate(steps_ago=1), optimizer_g.rate()

    between, after = {}, {}
    for i in range(4):
        for j in range(2):
            optimizer_d.step(oracle.gradient_d(x[i, j], z[i, j], theta_g, theta_d))
        between[i + 1] = look(i)
        optimizer_g.step(oracle.gradient_g(z[i, 2], theta_g, theta_d))
        after[i + 1] = look(i)
    return between, after


@pytest.mark.parametrize("iterations", [1, 3, 4])
def test_the_loop_returns_what_is_seen_between_ds_steps_and_gs(reference_loop, iterations):
    shown, _ = reference_loop
    between, after = (looks[iterations] for looks in oracle_looks())
    for found, expected in zip(shown[iterations], between, strict=True):
        assert np.allclose(found, expected, atol=2e-5)
    assert not np.allclose(shown[iterations][1], after[1], atol=2e-4)  # D2, after G's step


def test_the_loop_returns_the_rates_of_two_steps_of_d_for_each_of_g(reference_loop):
    shown, _ = reference_loop
    *_, rate_d, rate_g = shown[EPOCH]  # of D's step number 400 and G's step number 200
    assert (rate_d, rate_g) == pytest.approx((0.01 * 0.95**7, 0.01 * 0.95**3))


def test_the_oracle_reproduces_tensorflow_1_15():
    x, z = (batches.astype(float) for batches in reference_batches())
    theta_g, theta_d = reference_theta("initial", float)
    oracle.train(oracle.Momentum(theta_g, EPOCH), oracle.Momentum(theta_d, EPOCH), x, z)
    assert largest_gap((theta_g, theta_d), reference_theta("after_200")) < 1e-4


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_the_oracles_gradients_match_finite_differences(network):
    x, z = (batches[0, 0].astype(float) for batches in reference_batches())
    theta_g, theta_d = reference_theta("initial", float)
    if network == "generator":
        theta, gradients = theta_g, oracle.gradient_g(z, theta_g, theta_d)
        objective = functools.partial(oracle.minimised_g, z, theta_g, theta_d)
    else:
        theta, gradients = theta_d, oracle.gradient_d(x, z, theta_g, theta_d)
        objective = functools.partial(oracle.minimised_d, x, z, theta_g, theta_d)
    for gradient, expected in zip(gradients, oracle.differences(objective, theta), strict=True):
        assert np.allclose(gradient, expected, atol=1e-7)


def test_objectives_from_logits_are_the_articles():
    gan = built()
    x = RealDataLoader(rng=np.random.default_rng(0)).next_batch()
    with gan.session() as sess:
        sess.run(gan.init)
        tensors = [gan.D1, gan.D2, gan.loss_d, gan.loss_g]
        D1, D2, loss_d, loss_g = sess.run(tensors, {gan.x_node: x, gan.z_node: x / 5})
    D1, D2 = D1.astype(float), D2.astype(float)
    assert loss_d == pytest.approx(np.mean(np.log(D1) + np.log(1 - D2)), abs=1e-5)
    assert loss_g == pytest.approx(np.mean(np.log(D2)), abs=1e-5)


@pytest.mark.parametrize(("bias", "loss"), [(1e3, "loss_d"), (-1e3, "loss_g")])
def test_objectives_stay_finite_when_d_is_sure_of_itself(bias, loss):
    gan = built()
    x = RealDataLoader(rng=np.random.default_rng(0)).next_batch()
    with gan.session() as sess:
        sess.run(gan.init)
        gan.theta_d[5].load([[bias]], sess)
        feed = {gan.x_node: x, gan.z_node: x / 5}
        assert set(sess.run(gan.D2, feed).ravel()) == {float(bias > 0)}  # it rounds to 0 or 1
        assert sess.run(getattr(gan, loss), feed) == pytest.approx(-1e3, rel=0.05)


@pytest.mark.parametrize("own", ["d", "g"])
def test_a_networks_step_changes_all_of_its_own_variables_and_none_of_the_others(own):
    gan = built()
    other = "g" if own == "d" else "d"
    both = [getattr(gan, f"theta_{own}"), getattr(gan, f"theta_{other}")]
    feed = {gan.x_node: RealDataLoader().next_batch(), gan.z_node: GenDataLoader().next_batch()}
    with gan.session() as sess:
        sess.run(gan.init)
        before = sess.run(both)
        sess.run(getattr(gan, f"train_op_{own}"), feed)
        after = sess.run(both)
    assert all(not np.array_equal(a, b) for a, b in zip(before[0], after[0], strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(before[1], after[1], strict=True))


# ------------------------------------------------------------------------------ momentum_optimizer
def descend(start, steps, epoch):
    """Return where momentum descent of 0.5 * x**2 gets from `start`, in float64."""
    value, velocity = start, 0.0
    for step in range(steps):
        velocity = 0.6 * velocity + value
        value -= 0.01 * 0.95 ** (step // max(1, epoch // 4)) * velocity
    return value


def half_square(variable):
    """Return what `descend` minimises, summed up over a variable."""
    return 0.5 * tf.reduce_sum(tf.square(variable))


@pytest.mark.parametrize("scope", ["", "generator", "anywhere/else"])
def test_momentum_optimizer_serves_variables_in_any_scope_or_none(scope):
    with tf.Graph().as_default(), tf.Session() as sess:
        with tf.variable_scope(scope):
            variable = tf.get_variable("x", initializer=[4.0, -2.0])
        step = gan_1d.momentum_optimizer(half_square(variable), [variable])
        sess.run(tf.global_variables_initializer())
        for _ in range(3):
            sess.run(step)
        expected = [descend(start, 3, 10_000) for start in (4, -2)]
        assert sess.run(variable) == pytest.approx(expected, rel=1e-6)


def test_momentum_optimizer_called_twice_makes_two_counters():
    with tf.Graph().as_default(), tf.Session() as sess:
        one, two = tf.Variable(4.0), tf.Variable(4.0)
        step_one, step_two = (gan_1d.momentum_optimizer(half_square(v), [v], 8) for v in (one, two))
        sess.run(tf.global_variables_initializer())
        for _ in range(7):
            sess.run(step_one)
        sess.run(step_two)
        expected = descend(4, 7, 8), descend(4, 1, 8)
        assert sess.run((one, two)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("epoch", [2, 8, 1000])
def test_momentum_optimizers_rate_falls_as_the_callers_epoch_says(epoch):
    with tf.Graph().as_default(), tf.Session() as sess:
        variable = tf.Variable(4.0)
        step = gan_1d.momentum_optimizer(half_square(variable), [variable], epoch=epoch)
        sess.run(tf.global_variables_initializer())
        for _ in range(9):
            sess.run(step)
        assert sess.run(variable) == pytest.approx(descend(4, 9, epoch), rel=1e-6)


def test_momentum_optimizer_without_epoch_takes_the_articles():
    assert inspect.signature(gan_1d.momentum_optimizer).parameters["epoch"].default == 10_000


# --------------------------------------------------------------------------------------- the graph
def test_the_graphs_collections_hold_what_tensorflow_can_export(caplog):
    graph = built(ema_decay=0.9, pretrain=1, r1_gamma=1).graph
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.WARNING)
    try:
        with graph.as_default():
            meta_graph = tf.train.export_meta_graph()
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(level)
    assert caplog.messages == []
    filled = {name for name in graph.get_all_collection_keys() if graph.get_collection(name)}
    assert set(meta_graph.collection_def) == filled


def test_the_graph_holds_no_variable_of_text():
    graph = built(ema_decay=0.9, pretrain=1, r1_gamma=1).graph
    kinds = {op.get_attr("dtype") for op in graph.get_operations() if op.type == "VarHandleOp"}
    assert kinds == {tf.float32, tf.int64}


@pytest.mark.parametrize(("size", "d_steps"), [(30_000, 2), (3_000, 300), (5_000_000, 2)])
def test_a_blocks_batches_stay_within_16_mb_unless_one_iteration_needs_more(size, d_steps):
    gan = built(size=size, d_steps=d_steps)
    count = gan.x_block.shape.num_elements() + gan.z_block.shape.num_elements()
    assert gan.x_block.shape[0] == gan.z_block.shape[0]
    assert 4 * count <= 2**24 or gan.x_block.shape[0] == 1


# ----------------------------------------------------------------------------------------- batches
def test_a_blocks_batches_have_the_shapes_of_the_graphs_inputs():
    gan = built(size=3_000, d_steps=300)
    x, z = draw_block(gan.settings, 0, gan.x_block.shape[0])
    assert (x.shape, z.shape) == (tuple(gan.x_block.shape), tuple(gan.z_block.shape))
    assert x.dtype == z.dtype == np.float32


@pytest.mark.parametrize("block", [7, -1])
def test_a_blocks_batches_are_the_same_whenever_they_are_drawn(block):
    first = draw_block(Settings(size=20), block, 10)
    draw_block(Settings(size=20), 8, 10)
    again = draw_block(Settings(size=20), block, 10)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_each_seed_and_block_has_batches_of_its_own():
    keys = [(0, 0), (0, 1), (0, 2), (0, -1), (0, -2), (1, 0), (1, 1), (1, -1), (2**32 - 1, 0)]
    drawn = [draw_block(Settings(size=20, seed=seed), block, 10) for seed, block in keys]
    for first, other in itertools.combinations(drawn, 2):
        for a, b in zip(first, other, strict=True):
            assert np.intersect1d(a, b).size < 0.01 * a.size


def test_no_batch_of_a_block_is_given_twice():
    x, z = draw_block(Settings(size=20), 0, 100)
    for batches, count in ((x, 200), (z, 300)):
        assert len(np.unique(batches.reshape(-1, 20), axis=0)) == count
    assert abs(np.corrcoef(x.ravel()[:4000], z.ravel()[:4000])[0, 1]) < 0.07


# ------------------------------------------------------------------------------------------- a run
def numbers(result):
    """Return all that a run comes to, but for the time it took, as bytes that can be compared."""
    arrays = [result.samples, result.real, result.grid, result.curve, *result.weights.values()]
    return [json.dumps([result.final, list(result.weights)]), *(a.tobytes() for a in arrays)]


SHORT = {"epoch": 20, "size": 20}
LONG = {"epoch": 230, "size": 20, "learning_rate": 0.002, "seed": 3}  # no steep moment, where
# differences in rounding grow; and longer than a block of batches


def test_train_takes_the_steps_of_the_articles_own_loop():
    result = trained(**LONG, log_every=1)
    gan = built(**LONG)
    block = gan.x_block.shape[0]
    printed = []
    with gan.session() as sess:
        sess.run(gan.init)
        for i in range(230):
            if i % block == 0:
                x, z = draw_block(gan.settings, i // block, block)
            for j in range(2):
                feed = {gan.x_node: x[i % block, j], gan.z_node: z[i % block, j]}
                sess.run([gan.train_op_d, gan.loss_d], feed)
            D1_, D2_, loss_d, loss_g = sess.run([gan.D1, gan.D2, gan.loss_d, gan.loss_g], feed)
            printed.append([D1_.mean(), D2_.mean(), loss_d, loss_g])
            sess.run([gan.train_op_g, gan.loss_g], {gan.z_node: z[i % block, 2]})
        weights = sess.run(gan.theta_g + gan.theta_d)
    names = ("d1_mean", "d2_mean", "loss_d", "loss_g")
    logged = [[row[name] for name in names] for row in result.history]
    assert np.allclose(logged, printed, atol=1e-5)
    for found, expected in zip(result.weights.values(), weights, strict=True):
        assert np.allclose(found, expected, atol=1e-5)


def test_the_learning_rates_fall_as_staircases_ds_twice_as_often(article_run):
    with open(article_run.folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for column, steps in (("learning_rate_d", 2), ("learning_rate_g", 1)):
        taken = [steps * (int(row["iteration"]) + 1) - 1 for row in rows]  # before this one
        rates = [float(row[column]) for row in rows]
        assert rates == pytest.approx([0.01 * 0.95 ** (step // 2500) for step in taken])


@pytest.mark.parametrize("log_every", [7, 1000])
def test_how_often_a_run_is_logged_does_not_change_its_numbers(log_every):
    each, some = (trained(**LONG, log_every=every) for every in (1, log_every))
    assert numbers(some) == numbers(each)
    logged = sorted({*range(log_every - 1, 230, log_every), 229})
    assert some.history == [each.history[iteration] for iteration in logged]


def test_the_same_seed_gives_the_same_bytes_in_another_process_too(article_run):
    result = gan_1d.train(Settings())
    summary = json.loads((article_run.folder / "summary.json").read_text())
    assert result.final == summary["final"]
    assert result.samples.tobytes() == np.load(article_run.folder / "samples.npy").tobytes()


def test_another_seed_gives_other_numbers():
    for name in ("samples", "real", "grid", "curve", "final", "history", "weights"):
        zero, one = (getattr(trained(**SHORT, seed=seed), name) for seed in (0, 1))
        assert str(zero) != str(one), name


def test_a_results_repr_is_short():
    assert len(repr(trained(**SHORT, seed=0))) < 1000


def changeable(thing):
    """Return the lists, dicts and arrays of which something consists, itself among them."""
    parts = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else ()
    inside = [part for inner in parts for part in changeable(inner)]
    return inside + [thing] * isinstance(thing, dict | list | np.ndarray)


def test_two_results_share_nothing_that_can_be_changed():
    one, two = (changeable(vars(trained(**SHORT, seed=seed))) for seed in (0, 1))
    assert len(one) > 10
    assert not {id(part) for part in one} & {id(part) for part in two}
    arrays = [[part for part in of if isinstance(part, np.ndarray)] for of in (one, two)]
    assert not any(np.shares_memory(a, b) for a in arrays[0] for b in arrays[1])


@pytest.fixture(scope="module")
def watched():
    """Train with a log, while the process has a graph of its own and NumPy's own random numbers."""
    logged = []
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    with tf.Graph().as_default() as graph:
        settings = Settings(**SHORT, log_every=8, xla=False)
        result = gan_1d.train(settings, lambda row, D1_, D2_: logged.append((dict(row), D1_, D2_)))
        left = tf.get_default_graph() is graph and graph.get_operations() == []
    unchanged = np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    return types.SimpleNamespace(
        result=result, logged=logged, graph_left=left, random_unchanged=unchanged
    )


def test_log_gets_the_rows_of_the_history(watched):
    assert [row for row, _, _ in watched.logged] == watched.result.history
    assert [row["iteration"] for row in watched.result.history] == [7, 15, 19]


def test_log_gets_each_samples_d1_and_d2(watched):
    for row, D1_, D2_ in watched.logged:
        assert D1_.shape == D2_.shape == (20, 1)
        assert (float(D1_.mean()), float(D2_.mean())) == (row["d1_mean"], row["d2_mean"])


def test_train_leaves_the_processs_own_graph_alone(watched):
    assert watched.graph_left


def test_train_leaves_the_processs_random_numbers_alone(watched):
    assert watched.random_unchanged


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_the_shortest_runs_train(epoch):
    result = trained(epoch=epoch, size=20, log_every=1)
    assert np.isfinite(list(result.final.values())).all()
    rates = [row["learning_rate_g"] for row in result.history]
    assert rates == pytest.approx([0.01 * 0.95**step for step in range(epoch)])


def test_training_that_diverges_raises_floating_point_error():
    with pytest.raises(FloatingPointError):
        gan_1d.train(Settings(**SHORT, learning_rate=1e30, r1_gamma=1e30, xla=False))


# ---------------------------------------------------------------- a good citizen of its process
def test_train_gives_the_same_numbers_while_functions_run_eagerly():
    tf.config.run_functions_eagerly(True)
    try:
        result = gan_1d.train(Settings(**SHORT, seed=0, xla=False))
    finally:
        tf.config.run_functions_eagerly(False)
    assert numbers(result) == numbers(trained(**SHORT, seed=0))


def test_four_threads_train_as_one_does_and_leave_stderr_usable(capfd):
    before = os.fstat(2)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(gan_1d.train, [Settings(**SHORT, xla=False)] * 4))
    assert all(numbers(result) == numbers(trained(**SHORT, seed=0)) for result in results)
    assert os.path.samestat(os.fstat(2), before)
    capfd.readouterr()
    print("still there", file=sys.stderr, flush=True)
    assert capfd.readouterr().err == "still there\n"


# ------------------------------------------------------------------- the article, typed by hand
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


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """Run the article's code as a process, in which TensorFlow 2 is turned off; return its lines.

    After it `train` is called in that process.
    """
    folder = tmp_path_factory.mktemp("typed")
    (folder / "article.py").write_text(ARTICLE)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    like = {"cwd": folder, "env": env, "capture_output": True, "text": True, "check": False}
    run = subprocess.run([sys.executable, "article.py"], **like)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_the_articles_whole_code_typed_by_hand_trains_with_these_parts(typed):
    *lines, changed, _ = typed
    assert lines[::2] == [str(i) for i in range(30) for _ in range(200)]
    pairs = [re.search(r"D1: (\S+) ,D2: (\S+)", line).groups() for line in lines[1::2]]
    assert ((np.array(pairs, float) > 0) & (np.array(pairs, float) < 1)).all()
    assert changed == "changed 12"


def test_train_gives_the_same_numbers_where_tensorflow_2_is_turned_off(typed):
    assert typed[-1] == str(trained(**SHORT, seed=0).final)
