"""The article's GAN: its parts, its arithmetic, its training, and what calls of it promise."""

import functools
import inspect
import itertools
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import oracle
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT, built, call_main, train, trained
from oracle import ARTICLE, EPOCH, largest_gap, reference_batches, reference_theta

import gan_1d
from gan_1d import Discriminator, GenDataLoader, Generator, RealDataLoader, Run, Settings

SHORT = {"epoch": 20, "size": 20}
LONG = {"epoch": 230, "size": 20, "learning_rate": 0.002, "seed": 3}  # longer than two blocks


# ------------------------------------------------------------------------------------- smoke test
def near_half(final):
    """Return whether D gives real and generated data about 0.5 alike: the article's proof."""
    return all(abs(final[name] - 0.5) < 0.1 for name in ("d1_mean", "d2_mean"))


def test_the_default_command_ends_with_exit_0_and_d_near_one_half(article_run):
    assert article_run.returncode == 0, article_run.stderr
    assert near_half(json.loads((article_run.folder / "summary.json").read_text())["final"])


def test_a_d_trained_alone_against_far_away_data_is_not_near_one_half(article):
    with article.session() as sess:  # N(4, 1) lies to one side of what G gives when it starts
        run = Run(article, sess, Settings(mu=4, pretrain=300))
        assert not near_half(gan_1d.evaluate(run).final)


# ---------------------------------------------------------------------------- the article's parts
def test_settings_default_to_the_articles_constants():
    s = Settings()
    assert (s.epoch, s.size, s.hidden_size, s.d_steps) == (10_000, 200, 6, 2)
    assert (s.low, s.high, s.mu, s.sigma, s.output_scale) == (-1, 1, -1, 1, 5)
    assert (s.optimizer, s.learning_rate, s.momentum, s.decay_rate) == ("momentum", 0.01, 0.6, 0.95)
    assert (s.noise, s.init) == ("uniform", "normal")
    assert (s.hidden_size_g, s.learning_rate_g) == (None, None)
    assert (s.pretrain, s.r1_gamma, s.ema_decay) == (0, 0, 0)


def test_parts_have_the_articles_parameters_in_its_order():
    for part, parameters in (
        (GenDataLoader, {"size": 200, "low": -1, "high": 1}),
        (RealDataLoader, {"size": 200, "mu": -1, "sigma": 1}),
        (Generator, {"inputs": ..., "input_size": 1, "hidden_size": 6, "output_size": 1}),
        (Discriminator, {"inputs": ..., "input_size": 1, "hidden_size": 6}),
        (gan_1d.momentum_optimizer, {"loss": ..., "var_list": ..., "epoch": 10_000}),
        (gan_1d.weight_variable, {"shape": ..., "name": ...}),
        (gan_1d.bias_variable, {"shape": ..., "name": ...}),
    ):
        given = [(p.name, p.default) for p in inspect.signature(part).parameters.values()]
        expected = [(n, inspect._empty if v is ... else v) for n, v in parameters.items()]
        assert given[: len(expected)] == expected


def test_loaders_draw_float32_columns_one_by_one_or_many_from_their_own_rng_alone():
    stratified = functools.partial(GenDataLoader, noise="stratified")
    for loader in (GenDataLoader, RealDataLoader, stratified):
        first, again, other = (loader(30, rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
        batches = np.stack([first.next_batch() for _ in range(8)])
        assert (batches.shape, batches.dtype) == ((8, 30, 1), np.float32)
        many = [*again.next_batch(2), *np.concatenate(again.next_batch(3, 2))]
        assert np.array_equal(batches, many)
        others = [of.next_batch() for of in (other, loader(30), loader(30))]
        assert len(np.unique([*batches, *others], axis=0)) == 11


@pytest.fixture
def article():
    return built(epoch=EPOCH, xla=True)


def test_variables_placeholders_and_tensors_have_the_articles_names_shapes_and_order(article):
    names = [f"{scope}/{n}" for scope in ("generator", "discriminator") for n in oracle.NAMES]
    theta = article.theta_g + article.theta_d
    assert [variable.op.name for variable in theta] == names
    assert [tuple(v.shape) for v in theta] == [(1, 6), (1, 6), (6, 6), (1, 6), (6, 1), (1, 1)] * 2
    assert len(article.graph.get_collection("trainable_variables")) == 12  # D1 and D2 share D's
    for name in ("x_node", "z_node", "D1", "D2", "G", "loss_d", "loss_g"):
        tensor = article.graph.get_tensor_by_name(f"{name}:0")
        assert tensor is getattr(article, name)
        assert tensor.dtype == tf.float32
        assert tensor.shape.as_list() == ([] if "loss" in name else [None, 1])


def initial(seed, start=0):
    """Return what G's and D's weights start from, or biases with 1, for layers of 100 units."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.zeros((1, 1))
        networks = [of(x, hidden_size=100, seed=seed) for of in (Generator, Discriminator)]
        sess.run(tf.global_variables_initializer())
        return [v for network in networks for v in sess.run(network.var_list[start::2])]


def test_weights_start_from_a_standard_normal_distribution_and_biases_at_zero():
    weights = np.concatenate([weight.ravel() for weight in initial(3)])
    assert oracle.is_drawn_from(weights, statistics.NormalDist().cdf)
    assert not any(bias.any() for bias in initial(3, 1))


def test_weights_start_from_the_seed_alone_independently_in_each_layer_and_network():
    assert largest_gap(initial(3), initial(3)) == 0
    weights = [weight for seed in (3, 4, None, None) for weight in initial(seed)]
    correlations = np.corrcoef([weight.ravel()[:100] for weight in weights])
    assert np.abs(correlations[np.triu_indices(24, 1)]).max() < 0.6  # 6 standard deviations


# -------------------------------------------------------------------------------------- arithmetic
def start_from_reference(gan, sess):
    """Set the variables to where the run on TensorFlow 1.15.5 starts."""
    sess.run(gan.init)
    for variable, value in zip(gan.theta_g + gan.theta_d, reference_theta("initial"), strict=True):
        variable.load(value, sess)


def by_single_ops(gan, sess, x, z):
    """Train as the article's loop does, on given batches; return what it prints, and losses."""
    seen = []
    for x_i, z_i in zip(x, z, strict=True):
        for real_data, gen_data in zip(x_i, z_i[:-1], strict=True):
            feed = {gan.x_node: real_data, gan.z_node: gen_data}
            sess.run([gan.train_op_d, gan.loss_d], feed)
        seen.append(sess.run([gan.D1, gan.D2, gan.loss_d, gan.loss_g], feed))
        sess.run([gan.train_op_g, gan.loss_g], {gan.z_node: z_i[-1]})
    return seen


def test_single_steps_reproduce_tensorflow_1_15(article):
    with article.session() as sess:
        start_from_reference(article, sess)
        by_single_ops(article, sess, *reference_batches())
        found = sess.run(article.theta_g + article.theta_d)
    assert largest_gap(found, reference_theta("after_200")) < 1e-4


@pytest.fixture(scope="module", params=[True, False], ids=["xla", "no-xla"])
def reference_loop(request):
    """Return what calls of `loop` give, by the iterations so far, and the weights in the end."""
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
    assert largest_gap(reference_loop[1], reference_theta("after_200")) < 1e-4


def test_the_loop_returns_what_is_seen_between_ds_steps_and_gs(reference_loop):
    x, z = (batches.astype(float) for batches in reference_batches())
    theta = reference_theta("initial")
    theta_g, theta_d = theta[:6], theta[6:]
    d, g = oracle.Momentum(theta_d, EPOCH), oracle.Momentum(theta_g, EPOCH)
    for i in range(4):
        for j in range(2):
            d.step(oracle.gradient_d(x[i, j], z[i, j], theta_g, theta_d))
        D1 = oracle.discriminate(x[i, 1], theta_d)
        D2 = oracle.discriminate(oracle.generate(z[i, 1], theta_g), theta_d)
        if i != 1:  # after which no call ends
            expected = D1, D2, np.mean(np.log(D1) + np.log(1 - D2)), np.mean(np.log(D2))
            assert largest_gap(reference_loop[0][i + 1][:4], expected) < 2e-5
        g.step(oracle.gradient_g(z[i, 2], theta_g, theta_d))


def test_the_loop_returns_the_rates_of_two_steps_of_d_for_each_of_g(reference_loop):
    *_, rate_d, rate_g = reference_loop[0][EPOCH]  # of D's step number 400 and G's number 200
    assert (rate_d, rate_g) == pytest.approx((0.01 * 0.95**7, 0.01 * 0.95**3))


@pytest.mark.parametrize("xla", [True, False])
def test_the_loop_must_be_compiled_with_xla_and_only_then(xla):
    gan = built(epoch=EPOCH, xla=xla)
    call = gan.loop[0].op.node_def
    functions = gan.graph.as_graph_def().library.function
    (main_loop,) = [of for of in functions if of.signature.name == call.attr["f"].func.name]
    assert {call.attr["_XlaMustCompile"].b, main_loop.attr["_XlaMustCompile"].b} == {xla}


@pytest.mark.parametrize("bias", [0, 1e3, -1e3])  # with the last two, D rounds to 1 or 0
def test_objectives_are_the_articles_and_finite_when_d_is_sure_of_itself(article, bias):
    x, z = (batches[0, 0] for batches in reference_batches())
    with article.session() as sess:
        start_from_reference(article, sess)
        article.theta_d[5].load([[bias]], sess)
        tensors = [article.D2, article.loss_d, article.loss_g]
        D2, *losses = sess.run(tensors, {article.x_node: x, article.z_node: z})
    assert {bool(0 < D < 1) for D in D2[:, 0]} == {bias == 0}
    theta = [*reference_theta("initial")[:11], np.array([[bias]])]
    G = oracle.generate(z, theta[:6])
    real, generated = (oracle.forward(of, theta[6:])[2] for of in (x, G))
    log_D1, log_not_D2, log_D2 = (-np.logaddexp(0, of) for of in (-real, generated, -generated))
    assert losses == pytest.approx([np.mean(log_D1 + log_not_D2), np.mean(log_D2)], rel=1e-5)


@pytest.mark.parametrize("own", ["g", "d"])
def test_a_networks_step_changes_all_of_its_own_variables_and_none_of_the_others(article, own):
    x, z = (batches[0, 0] for batches in reference_batches())
    theta = article.theta_g + article.theta_d
    with article.session() as sess:
        sess.run(article.init)
        before = sess.run(theta)
        sess.run(getattr(article, f"train_op_{own}"), {article.x_node: x, article.z_node: z})
        changed = [(a != b).any() for a, b in zip(before, sess.run(theta), strict=True)]
    assert changed == [own == "g"] * 6 + [own == "d"] * 6


@pytest.mark.parametrize(
    ("scopes", "steps", "epoch"),
    [([""], 3, 10_000), (["generator"], 3, 10_000), (["any/where"], 3, 10_000), (["", "a"], 7, 8)]
    + [([""], 9, epoch) for epoch in (2, 8, 1000)],
    ids=["no scope", "a scope", "scopes", "two counters", "epoch 2", "epoch 8", "epoch 1000"],
)
def test_momentum_optimizer_takes_the_articles_steps_wherever_variables_are(scopes, steps, epoch):
    with tf.Graph().as_default(), tf.Session() as sess:
        ops = []
        for scope in scopes:
            with tf.variable_scope(scope):
                x = tf.get_variable("x", initializer=[4.0])
            ops.append((x, gan_1d.momentum_optimizer(tf.reduce_sum(x * x) / 2, [x], epoch)))
        sess.run(tf.global_variables_initializer())
        for x, op in ops:
            expected = oracle.Momentum([np.array([4.0])], epoch)
            for _ in range(steps):
                sess.run(op)
                expected.step([expected.theta[0].copy()])
            assert largest_gap([sess.run(x)], expected.theta) < 2e-6


def test_a_block_has_100_iterations_or_as_many_as_16_mb_hold_but_one_at_least():
    large = [built(size=size, xla=False).block_length for size in (30_000, 5_000_000)]
    assert [built(epoch=EPOCH, xla=True).block_length, *large] == [100, 27, 1]


def test_a_block_is_always_the_same_and_its_batches_are_given_by_no_other_seed_or_block():
    keys = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2**32 - 1, 0), (0, 0)]
    *blocks, again = (gan_1d.draw_block(Settings(seed=seed), block, 10) for seed, block in keys)
    assert [of.shape for of in again] == [(10, 2, 200, 1), (10, 3, 200, 1)]
    assert largest_gap(blocks[0], again) == 0
    batches = np.concatenate([of.reshape(-1, 200) for block in blocks for of in block])
    pairs = np.corrcoef(batches)[np.triu_indices(len(batches), 1)]
    assert np.abs(pairs).max() < 0.4  # over 5 standard deviations of 200 independent pairs


# ------------------------------------------------------------------------------------------- a run
def numbers(result):
    """Return all that a run comes to as bytes that can be compared."""
    arrays = [result.samples, result.real, result.grid, result.curve, *result.weights.values()]
    return [json.dumps([result.final, list(result.weights)]), *(a.tobytes() for a in arrays)]


@pytest.fixture(scope="module")
def fifths():
    """Train with each fifth iteration logged."""
    return train(built(**LONG, xla=False), log_every=5)


def test_train_takes_the_steps_of_the_articles_own_loop(fifths):
    gan = built(**LONG, xla=False)
    blocks = [gan_1d.draw_block(gan.settings, block, gan.block_length) for block in range(3)]
    x, z = (np.concatenate(batches)[:230] for batches in zip(*blocks, strict=True))
    with gan.session() as sess:
        sess.run(gan.init)
        seen = by_single_ops(gan, sess, x, z)[4::5]
        weights = sess.run(gan.theta_g + gan.theta_d)
    logged = [list(row.values())[1:5] for row in fifths.history]  # D's means, the objectives
    assert np.allclose(logged, [[value.mean() for value in values] for values in seen], atol=1e-5)
    assert largest_gap(fifths.weights.values(), weights) < 1e-5


def test_how_often_a_run_is_logged_does_not_change_its_numbers(fifths):
    for every in (15, 1000):
        some = train(built(**LONG, xla=False), log_every=every)
        assert numbers(some) == numbers(fifths)
        logged = sorted({*range(every - 1, 230, every), 229})
        assert some.history == [fifths.history[iteration // 5] for iteration in logged]


def test_the_same_seed_gives_the_same_bytes_in_another_process_too(article_run):
    result = gan_1d.train(Settings())
    assert result.final == json.loads((article_run.folder / "summary.json").read_text())["final"]
    assert result.samples.tobytes() == np.load(article_run.folder / "samples.npy").tobytes()
    lines = [",".join(map(str, row.values())) for row in result.history]
    assert (article_run.folder / "metrics.csv").read_text().splitlines()[1:] == lines


def test_log_gets_the_rows_of_the_history_and_each_samples_d1_and_d2():
    logged = []
    gan = built(**SHORT, xla=False)
    history = train(gan, lambda *given: logged.append(given), log_every=8).history
    assert [row["iteration"] for row in history] == [7, 15, 19]
    for row, (logged_row, D1_, D2_) in zip(history, logged, strict=True):
        assert D1_.shape == D2_.shape == (20, 1)
        assert row == logged_row | {"d1_mean": D1_.mean(), "d2_mean": D2_.mean()} == logged_row


def test_train_leaves_the_processs_own_graph_and_random_numbers_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    with tf.Graph().as_default() as graph:
        result = gan_1d.train(Settings(**SHORT, xla=False))
        assert tf.get_default_graph() is graph
        assert graph.get_operations() == []
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert numbers(result) == numbers(trained(**SHORT))


def test_the_shortest_run_trains():
    result = trained(epoch=1, size=1)
    assert np.isfinite(list(result.final.values())).all()
    assert [row["learning_rate_g"] for row in result.history] == pytest.approx([0.01])


def test_results_can_be_compared_and_hashed():
    one, other = trained(**SHORT), replace(trained(**SHORT))
    assert (one != other, len({one, other, one})) == (True, 2)


@pytest.mark.parametrize(("network", "value"), [("sampled", np.nan), ("g", np.nan), ("d", -np.inf)])
def test_an_average_of_g_g_or_objectives_alone_that_are_not_finite_are_noticed(network, value):
    gan = built(**SHORT, ema_decay=0.9, xla=False)
    with gan.session() as sess:
        run = Run(gan, sess, replace(gan.settings, seed=6, log_every=8))
        run.iteration = 9
        getattr(gan, f"theta_{network}")[5].load([[value]], sess)
        with pytest.raises(FloatingPointError, match=r"iteration 15 .*seed 6\b"):
            run.train([])
        assert np.isfinite(sess.run(gan.theta_g[5])) == (network != "g")
        assert np.isfinite(gan_1d.map_noise(run)).all() == (network == "d")


# ---------------------------------------------------------------- a good citizen of its process
def test_train_gives_the_same_numbers_while_functions_run_eagerly(request):
    request.addfinalizer(functools.partial(tf.config.run_functions_eagerly, False))
    tf.config.run_functions_eagerly(True)
    assert numbers(gan_1d.train(Settings(**SHORT, xla=False))) == numbers(trained(**SHORT))


def test_the_command_can_be_called_in_a_thread(tmp_path):
    words = ["--epoch", 1, "--size", 1, "--no-xla", "--no-plots", "--output-dir"]
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(call_main, *words, tmp_path).result()
    assert done.status == 0, done.err


TRAIN = """
import gan_1d
print(gan_1d.train(gan_1d.Settings(epoch=20, size=20, xla=False)).final)
"""
V1 = "import tensorflow.compat.v1; tensorflow.compat.v1.disable_v2_behavior()"
NUMPY = """
import os, sys
sys.modules["keras"] = None  # it takes seconds to load
import tensorflow.experimental.numpy
del os.environ["TF_ENABLE_ONEDNN_OPTS"]  # TensorFlow has read it
before = dict(os.environ)
import gan_1d
print(os.environ == before)
tensorflow.experimental.numpy.experimental_enable_numpy_behavior()
"""


@functools.cache
def printed_by(program):
    """Run a program as a process, with nothing in its environment that gan_1d sets."""
    env = {name: of for name, of in os.environ.items() if not name.startswith(("XLA", "ONEDNN"))}
    words = [sys.executable, "-c", program]
    run = subprocess.run(words, env=env | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_the_articles_whole_code_typed_by_hand_trains_with_these_parts():
    *lines, changed = printed_by(V1 + TRAIN + ARTICLE)[1:]
    assert lines[::2] == [str(i) for i in range(30) for _ in range(200)]
    pairs = np.array([line.split() for line in lines[1::2]])  # "D1:", a number, ",D2:", another
    assert np.abs(pairs[:, 1::2].astype(float) - 0.5).max() < 0.5
    assert changed == "12 variables changed"


def test_importing_gan_1d_sets_nothing_in_the_environment():
    assert printed_by(NUMPY + TRAIN)[0] == "True"


# What TensorFlow computes before the flags are set may differ by processor, so `train` comes first
@pytest.mark.parametrize(
    ("program", "line"), [(V1 + TRAIN + ARTICLE, 0), (NUMPY + TRAIN, 1)], ids=["v1", "like NumPy"]
)
def test_train_gives_the_same_numbers_however_tensorflow_is_set(program, line):
    assert printed_by(program)[line] == str(trained(**SHORT).final)
