"""The article's GAN: its parts, its arithmetic, its training, and what calls of it promise."""

import inspect
import json
import os
import statistics
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import numpy as np
import oracle
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT, built, train, trained
from oracle import ARTICLE, EPOCH, largest_gap, reference_batches, reference_theta

import gan_1d
from gan_1d import Discriminator, GenDataLoader, Generator, RealDataLoader, Run, Settings

SHORT = {"epoch": 20, "size": 20}
LONG = {"epoch": 230, "size": 20, "learning_rate": 0.002, "seed": 3}  # longer than two blocks


def near_half(final):
    return all(abs(final[name] - 0.5) < 0.1 for name in ("d1_mean", "d2_mean"))


def test_the_default_command_ends_with_exit_0_and_d_near_one_half(article_run):
    assert article_run.returncode == 0, article_run.stderr
    assert near_half(json.loads((article_run.folder / "summary.json").read_bytes())["final"])


def test_a_d_trained_alone_against_far_away_data_is_not_near_one_half():
    # N(4, 1) lies to one side of what G gives at first
    assert not near_half(trained(epoch=1, mu=4, pretrain=300).final)


def test_settings_default_to_the_articles_constants_for_good():
    s = Settings()
    assert (s.epoch, s.size, s.hidden_size, s.d_steps) == (10_000, 200, 6, 2)
    assert (s.low, s.high, s.mu, s.sigma, s.output_scale) == (-1, 1, -1, 1, 5)
    assert (s.optimizer, s.learning_rate, s.momentum, s.decay_rate) == ("momentum", 0.01, 0.6, 0.95)
    assert (s.noise, s.init, s.data, s.standardize) == ("uniform", "normal", "", False)
    assert not any((s.hidden_size_g, s.learning_rate_g, s.pretrain, s.r1_gamma, s.ema_decay))
    with pytest.raises(FrozenInstanceError):
        s.epoch = 20  # which nothing would check


def test_parts_have_the_articles_parameters_in_its_order():
    for part, expected in (
        (GenDataLoader, "size=200, low=-1, high=1"),
        (RealDataLoader, "size=200, mu=-1, sigma=1"),
        (Generator, "inputs, input_size=1, hidden_size=6, output_size=1"),
        (Discriminator, "inputs, input_size=1, hidden_size=6"),
        (gan_1d.momentum_optimizer, "loss, var_list, epoch=10000"),
        (gan_1d.weight_variable, "shape, name"),
        (gan_1d.bias_variable, "shape, name"),
    ):
        given = inspect.signature(part).parameters.values()
        plain = ", ".join(str(of.replace(annotation=inspect.Parameter.empty)) for of in given)
        assert plain.startswith(expected)


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
        assert tensor.shape.as_list() == ([] if "loss" in name else [None, 1])


def test_g_alone_reaches_5_and_no_further_or_is_as_wide_as_it_is_asked_for():
    with tf.Graph().as_default(), tf.Session() as sess:
        G, theta_g = Generator(tf.constant([[-1.0], [0.3], [1.0]])).get_param()
        with tf.variable_scope("other"):
            wide, theta = Generator(tf.zeros((7, 2)), 2, 4, 3).get_param()
        assert [of.shape.as_list() for of in (wide, theta[2], theta[4])] == [[7, 3], [4, 4], [4, 3]]
        sess.run(tf.global_variables_initializer())
        for bias, end in ((-1e3, -5), (1e3, 5)):
            theta_g[5].load([[bias]], sess)
            assert sess.run(G).tolist() == [[end]] * 3


def initial(seed, **how):
    """Return what G's and D's variables start from, for layers of 100 units."""
    with tf.Graph().as_default(), tf.Session() as sess:
        how |= {"inputs": tf.zeros((1, 1)), "hidden_size": 100, "seed": seed}
        theta = Generator(**how).var_list + Discriminator(**how).var_list
        sess.run(tf.global_variables_initializer())
        return sess.run(theta)


def test_weights_start_from_a_standard_normal_distribution_and_biases_at_zero():
    weights = np.concatenate([weight.ravel() for weight in initial(3)[::2]])
    assert oracle.is_drawn_from(weights, statistics.NormalDist().cdf)
    assert not any(bias.any() for bias in initial(3)[1::2])


def test_variables_start_from_the_seed_alone_independently_in_each_layer_and_network():
    assert largest_gap(initial(3), initial(3)) == 0
    drawn = [weight for seed in (3, 4, None, None) for weight in initial(seed)[::2]]
    drawn += [values for values in initial(5, init="fan_in") if values.size > 1]  # biases too
    correlations = np.corrcoef([values.ravel()[:100] for values in drawn])
    pairs = np.triu_indices(len(drawn), 1)
    assert np.abs(correlations[pairs]).max() < 0.6  # 6 standard deviations


def start_from_reference(gan, sess):
    """Set G and D to where the run on TensorFlow 1.15.5 starts."""
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


@pytest.fixture(scope="module")
def single_steps():
    """Return what is seen in the reference run, step by step, and the weights in the end."""
    gan = built(epoch=EPOCH, xla=True)
    with gan.session() as sess:
        start_from_reference(gan, sess)
        seen = by_single_ops(gan, sess, *reference_batches())
        return seen, sess.run(gan.theta_g + gan.theta_d)


def test_single_steps_reproduce_tensorflow_1_15(single_steps):
    assert largest_gap(single_steps[1], reference_theta("after_200")) < 1e-4


@pytest.mark.parametrize("xla", [True, False])
def test_the_loop_takes_and_shows_the_same_steps_however_it_is_cut(xla, single_steps):
    gan = built(epoch=EPOCH, xla=xla)
    assert gan.loop[0].op.get_attr("_XlaMustCompile") == xla
    with gan.session() as sess:
        start_from_reference(gan, sess)
        for first in (0, 100):
            x, z = (batches[first : first + 100] for batches in reference_batches())
            for start, stop in ((0, 1), (1, 3), (3, 4), (4, 60), (60, 100)):
                feed = dict(zip(gan.loop_inputs, (x, z, start, stop), strict=True))
                seen = sess.run(gan.loop, feed)  # between D's steps and G's of the last iteration
                assert largest_gap(seen, single_steps[0][first + stop - 1]) < 2e-5
        found = sess.run(gan.theta_g + gan.theta_d)
    assert largest_gap(found, reference_theta("after_200")) < 1e-4


@pytest.mark.parametrize("bias", [0, 1e3, -1e3])  # with the last two, D rounds to 1 or 0
def test_d_and_objectives_are_the_articles_and_finite_when_d_is_sure_of_itself(article, bias):
    x, z = (batches[0, 0] for batches in reference_batches())
    with article.session() as sess:
        start_from_reference(article, sess)
        article.theta_d[5].load([[bias]], sess)
        tensors = [article.D1, article.D2, article.loss_d, article.loss_g]
        *D, loss_d, loss_g = sess.run(tensors, {article.x_node: x, article.z_node: z})
    theta = [*reference_theta("initial")[:11], np.array([[bias]])]
    logits = [oracle.forward(of, theta[6:])[2] for of in (x, oracle.generate(z, theta[:6]))]
    log_D, log_not_D = -np.logaddexp(0, np.negative(logits)), -np.logaddexp(0, logits)
    assert largest_gap(D, np.exp(log_D)) < 1e-6
    assert loss_d == pytest.approx(np.mean(log_D[0] + log_not_D[1]), rel=1e-5)
    assert loss_g == pytest.approx(np.mean(log_D[1]), rel=1e-5)


@pytest.mark.parametrize(("steps", "epoch"), [(3, 10_000), (7, 8), (9, 2)])
def test_momentum_optimizer_takes_the_articles_steps_wherever_variables_are(steps, epoch):
    with tf.Graph().as_default(), tf.Session() as sess:
        for name in ("x", "any/where/x"):
            x = tf.get_variable(name, initializer=[4.0])
            step = gan_1d.momentum_optimizer(tf.reduce_sum(x * x) / 2, [x], epoch)
            sess.run(tf.global_variables_initializer())
            expected = oracle.Momentum([np.array([4.0])], epoch)
            for _ in range(steps):
                sess.run(step)
                expected.step([expected.theta[0].copy()])
            assert largest_gap([sess.run(x)], expected.theta) < 2e-6


def test_a_step_of_g_also_moves_the_average_of_its_weights():
    gan = built(**SHORT, ema_decay=0.9, xla=False)
    with gan.session() as sess:
        before = sess.run(gan.theta_sampled)
        sess.run(gan.train_op_g, {gan.z_node: reference_batches()[1][0, 0]})
        G, average = sess.run([gan.theta_g, gan.theta_sampled])
    expected = [0.9 * old + 0.1 * new for old, new in zip(before, G, strict=True)]
    assert largest_gap(average, expected) < 1e-6 < largest_gap(average, before) / 10


def test_a_block_has_100_iterations_or_as_many_as_16_mb_hold_but_one_at_least(article):
    large = [built(size=size, xla=False).block_length for size in (30_000, 1_000_000)]
    assert [article.block_length, *large] == [100, 27, 1]


def test_a_block_is_always_the_same_and_its_batches_are_given_by_no_other_seed_or_block(article):
    keys = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2**32 - 1, 0), (0, 0)]
    *blocks, again = (Run(article, None, Settings(seed=s)).draw_block(b) for s, b in keys)
    assert [of.shape for of in again] == [(100, 2, 200, 1), (100, 3, 200, 1)]
    assert largest_gap(blocks[0], again) == 0
    batches = np.concatenate([of[:10].reshape(-1, 200) for block in blocks for of in block])
    pairs = np.corrcoef(batches)[np.triu_indices(len(batches), 1)]
    assert np.abs(pairs).max() < 0.4  # over 5 standard deviations of 200 independent pairs


def numbers(result):
    arrays = [result.samples, result.real, result.grid, result.curve, *result.weights.values()]
    return [json.dumps([result.final, list(result.weights)]), *(a.tobytes() for a in arrays)]


def test_a_session_opens_at_the_initial_values_and_making_a_run_changes_nothing(article):
    variables = article.graph.get_collection("variables")
    with article.session() as sess:
        opened = sess.run(variables)
        Run(article, sess, Settings(seed=4, pretrain=2))
        assert largest_gap(sess.run(variables), opened) == 0
        sess.run(article.init)
        assert largest_gap(sess.run(variables), opened) == 0


def test_evaluate_measures_what_the_articles_loop_typed_by_hand_has_trained(article):
    results = []
    for _ in range(2):
        rng = np.random.default_rng(1)
        x, z = RealDataLoader(rng=rng).next_batch(9, 2), GenDataLoader(rng=rng).next_batch(9, 3)
        with article.session() as sess:
            by_single_ops(article, sess, x, z)
            theta = sess.run(article.theta_g + article.theta_d)
            results.append(gan_1d.evaluate(Run(article, sess, article.settings)))
    assert largest_gap(results[0].weights.values(), theta) == 0
    G = oracle.generate(results[0].grid[0][:, None], theta[:6])[:, 0]
    w1 = np.abs(np.sort(G) - oracle.quantiles()).mean()
    assert results[0].final["w1"] == pytest.approx(w1, abs=5e-3)
    assert numbers(results[0]) == numbers(results[1])


def test_train_takes_the_steps_of_the_articles_own_loop():
    fifths = trained(**LONG, log_every=5)
    gan = built(**LONG, xla=False)
    blocks = [Run(gan, None, gan.settings).draw_block(block) for block in range(3)]
    x, z = (np.concatenate(batches)[:230] for batches in zip(*blocks, strict=True))
    with gan.session() as sess:
        seen = by_single_ops(gan, sess, x, z)[4::5]
        weights = sess.run(gan.theta_g + gan.theta_d)
    logged = [list(row.values())[1:5] for row in fifths.history]  # D's means, the objectives
    assert np.allclose(logged, [[value.mean() for value in values] for values in seen], atol=1e-5)
    assert largest_gap(fifths.weights.values(), weights) < 1e-5


def test_how_often_a_run_is_logged_does_not_change_its_numbers():
    fifths = trained(**LONG, log_every=5)
    for every in (15, 1000):
        some = train(built(**LONG, xla=False), log_every=every)
        assert numbers(some) == numbers(fifths)
        logged = sorted({*range(every - 1, 230, every), 229})
        assert some.history == [fifths.history[iteration // 5] for iteration in logged]


def test_the_same_seed_gives_the_same_bytes_in_another_process_too(article_run):
    result = gan_1d.train()
    folder = article_run.folder
    assert result.final == json.loads((folder / "summary.json").read_bytes())["final"]
    assert result.samples.tobytes() == np.load(folder / "samples.npy").tobytes()
    lines = [",".join(map(str, row.values())) for row in result.history]
    assert (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()[1:] == lines


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
        assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
        assert graph.get_operations() == []
    assert numbers(result) == numbers(trained(**SHORT))


@pytest.mark.parametrize(("network", "value"), [("sampled", np.nan), ("g", np.nan), ("d", -np.inf)])
def test_numbers_of_one_network_that_are_not_finite_end_a_run(network, value):
    gan = built(**SHORT, ema_decay=0.9, xla=False)
    with gan.session() as sess:
        run = Run(gan, sess, replace(gan.settings, seed=6, log_every=8), iteration=9)
        getattr(gan, f"theta_{network}")[5].load([[value]], sess)
        with pytest.raises(FloatingPointError, match=r"iteration 15 .*seed 6\b"):
            run.train([])
        assert np.isfinite(sess.run(gan.theta_g[5])) == (network != "g")
        assert np.isfinite(gan_1d.map_noise(run)).all() == (network == "d")


TRAIN = """
import gan_1d
print(gan_1d.train(gan_1d.Settings(epoch=20, size=20, xla=False)).final)
"""
V1 = "import tensorflow.compat.v1; tensorflow.compat.v1.disable_v2_behavior()"
OTHER = """
import os, sys
sys.modules["keras"] = None  # it takes seconds to load
import tensorflow.experimental.numpy
os.environ.clear()  # TensorFlow has read what is meant for it
import gan_1d
print(*os.environ)
tensorflow.experimental.numpy.experimental_enable_numpy_behavior()
tensorflow.config.run_functions_eagerly(True)
"""


def printed_by(program):
    """Run a program as a process, with nothing in its environment that gan_1d sets."""
    env = {name: of for name, of in os.environ.items() if not name.startswith(("XLA", "ONEDNN"))}
    words = [sys.executable, "-c", program]
    run = subprocess.run(words, env=env | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


# What TensorFlow computes before the flags are set may differ by processor, so `train` comes first
def test_the_articles_code_typed_by_hand_trains_with_these_parts_after_train():
    assert printed_by(V1 + TRAIN + ARTICLE) == [
        str(trained(**SHORT).final), "12 variables changed", "True"
    ]  # fmt: skip


def test_importing_gan_1d_sets_no_environment_and_tensorflows_modes_change_no_numbers():
    assert printed_by(OTHER + TRAIN) == ["", str(trained(**SHORT).final)]
