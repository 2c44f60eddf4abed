"""What goes beyond the article: how far G is from its target, and the options that mend it or follow its remarks."""

import csv
import dataclasses
import json
import math
import statistics

import matplotlib.colors
import matplotlib.figure
import matplotlib.image
import numpy as np
import oracle
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf

import gan_1d
from gan_1d import MEND, GenDataLoader, RealDataLoader, Settings, build_graph, distance_to_target, train

TARGET = statistics.NormalDist(-1, 1)
LEVELS = (np.arange(gan_1d.GRID) + 0.5) / gan_1d.GRID
QUANTILES = np.array([TARGET.inv_cdf(level) for level in LEVELS])


def distance(values, **settings):
    return [float(value) for value in distance_to_target(np.reshape(values, (-1, 1)), Settings(**settings))]


# ------------------------------------------------------------------------------------------------ the measure
def test_the_targets_own_quantiles_are_at_distance_zero_in_any_order():
    assert distance(np.random.default_rng(0).permutation(QUANTILES)) == pytest.approx([0, 0, -1, 1], abs=1e-3)
    assert distance(3 + 2 * (QUANTILES + 1), mu=3, sigma=2)[:2] == pytest.approx([0, 0], abs=1e-9)


def test_a_shift_is_as_far_as_it_shifts():
    w1, ks, mean, std = distance(QUANTILES + 0.3)
    assert w1 == pytest.approx(0.3)
    assert ks == pytest.approx(2 * statistics.NormalDist().cdf(0.15) - 1, abs=1e-3)
    assert (mean, std) == pytest.approx((-0.7, 1), abs=1e-3)


def test_a_point_mass():
    w1, ks, mean, std = distance(np.full(gan_1d.GRID, -1.0))
    assert (w1, ks, mean, std) == pytest.approx((math.sqrt(2 / math.pi), 0.5, -1, 0), abs=1e-3)


def test_a_map_that_folds_z_counts_by_its_values():
    z = 2 * LEVELS - 1
    folded = [TARGET.inv_cdf(abs(value)) for value in z]  # z and -z to one value: still the target's distribution
    assert distance(folded)[:2] == pytest.approx([0, 0], abs=2e-3)


def test_yardstick_is_what_batches_of_real_data_come_to():
    rng, size = np.random.default_rng(0), 200
    batches = np.sort(RealDataLoader(size, rng=rng).next_batches(4000)[:, :, 0], axis=1).astype(float)
    cdf = np.vectorize(TARGET.cdf)(batches)
    steps = np.arange(size) / size
    ks = np.maximum(cdf - steps, steps + 1 / size - cdf).max(1)
    w1 = np.abs(batches - [TARGET.inv_cdf(step + 0.5 / size) for step in steps]).mean(1)
    line, typical = gan_1d.yardstick(Settings(size=size))
    assert np.mean(ks < line) == pytest.approx(0.95, abs=0.015)
    assert np.median(w1) == pytest.approx(typical, rel=0.05)
    assert gan_1d.yardstick(Settings(sigma=3))[1] == pytest.approx(3 * typical)


@pytest.fixture(scope="module")
def short_run():
    """Train a few iterations of the article's recipe."""
    return train(Settings(epoch=30, xla=False, log_every=10))


def test_metrics_are_those_of_the_generators_exact_distribution(short_run):
    z, on_grid = short_run.mapping
    assert np.allclose(z, 2 * LEVELS - 1)
    for final in (short_run.final, short_run.history[-1]):
        assert [final[name] for name in ("w1", "ks", "g_mean", "g_std")] == pytest.approx(distance(on_grid), abs=1e-6)
    assert abs(short_run.samples.mean() - short_run.final["g_mean"]) < 0.1


def result_with(run, **final):
    return dataclasses.replace(run, final=run.final | final)


def test_verdict_names_what_it_sees_and_the_command_that_mends_it(short_run):
    off = gan_1d.verdict(result_with(short_run, d1_mean=0.5, d2_mean=0.45, ks=0.3, w1=0.5))
    assert "can't tell" in off
    assert "does not match" in off
    assert "does not show that G has learned" in off
    command = off.splitlines()[-1].split()
    assert command[:2] == ["python", "gan_1d.py"]
    assert gan_1d.parse_settings(command[2:]) == dataclasses.replace(short_run.settings, **MEND)
    mended = dataclasses.replace(short_run, settings=dataclasses.replace(short_run.settings, **MEND, resume=True))
    assert "python" not in gan_1d.verdict(result_with(mended, ks=0.3))  # nothing better is known
    resumed = dataclasses.replace(short_run, settings=dataclasses.replace(short_run.settings, resume=True))
    assert gan_1d.verdict(result_with(resumed, ks=0.3)).splitlines()[-1].split() == command
    assert "not near 0.5" in gan_1d.verdict(result_with(short_run, d1_mean=0.9, ks=0.3))
    good = gan_1d.verdict(result_with(short_run, d1_mean=0.5, d2_mean=0.5, ks=0.09))
    assert "G matches" in good
    assert "python" not in good


# ------------------------------------------------------------------------------------------------ R1 and EMA
def start(m, sess, seed=0):
    """Set the variables to their start; return theta_g and theta_d in float64, real data and noise."""
    sess.run(m.init, {m.seed_node: seed})
    theta = [[value.astype(float) for value in network] for network in sess.run([m.theta_g, m.theta_d])]
    x = RealDataLoader(rng=np.random.default_rng(1)).next_batch()
    z = GenDataLoader(rng=np.random.default_rng(2)).next_batch()
    return *theta, x, z


def penalty(x, theta_d):
    """R1 in float64: 3 / 2 mean(slope of D's logit at x, squared)."""
    slopes = [oracle.backward(row, theta_d, oracle.forward(row, theta_d), np.ones((1, 1)))[1] for row in x[:, None]]
    return 1.5 * np.mean(np.square(slopes))


def test_r1_penalises_ds_slope_at_real_data():
    m = build_graph(Settings(r1_gamma=3, xla=False))
    with m.graph.as_default():
        gradients = tf.gradients(m.cost_d + m.loss_d, m.theta_d)
    with tf.Session(graph=m.graph) as sess:
        _, theta_d, x, z = start(m, sess)
        feed = {m.x_node: x, m.z_node: z}
        assert sess.run(m.cost_d + m.loss_d - 1, feed) == pytest.approx(penalty(x.astype(float), theta_d), rel=1e-4)
        found = sess.run(gradients[:5], feed)  # the penalty does not depend on bias3
    for value, gradient in zip(theta_d, found, strict=False):
        value[0, 0] += 1e-5
        above = penalty(x.astype(float), theta_d)
        value[0, 0] -= 2e-5
        assert gradient[0, 0] == pytest.approx((above - penalty(x.astype(float), theta_d)) / 2e-5, rel=1e-3, abs=1e-5)
        value[0, 0] += 1e-5


def test_ema_averages_gs_weights_and_samples_from_the_average():
    m = build_graph(Settings(ema_decay=0.9, xla=False))
    with tf.Session(graph=m.graph) as sess:
        for seed in (0, 1):  # started again, the average starts again
            average, _, _, z = start(m, sess, seed)
            assert np.allclose(sess.run(m.sampled, {m.z_node: z}), oracle.generate(z, average), atol=1e-4)
            for _ in range(5):
                sess.run(m.train_op_g, {m.z_node: z})
                average = [0.9 * a + 0.1 * b for a, b in zip(average, sess.run(m.theta_g), strict=True)]
            assert np.allclose(sess.run(m.sampled, {m.z_node: z}), oracle.generate(z, average), atol=1e-4)
            assert not np.allclose(*sess.run([m.sampled, m.G], {m.z_node: z}), atol=1e-3)


def test_off_they_leave_nothing_in_the_graph():
    m = build_graph(Settings(xla=False))
    assert m.sampled is m.G
    assert m.cost_d.op.type == m.cost_g.op.type == "Sub"
    assert m.loss_d.op in [tensor.op for tensor in m.cost_d.op.inputs]
    assert not [op.name for op in m.graph.get_operations() if "Average" in op.name]
    assert not hasattr(m, "pretrain_loop")


@pytest.mark.parametrize(("d_steps", "xla"), [(2, True), (6, False)])
def test_the_loop_with_r1_and_ema_takes_the_same_steps_as_single_ops(d_steps, xla):
    settings = Settings(epoch=3, d_steps=d_steps, r1_gamma=3, ema_decay=0.9, xla=xla)
    rng = np.random.default_rng(0)
    m = build_graph(settings)
    x = rng.normal(-1, 1, m.x_bulk.shape).astype(np.float32)
    z = rng.uniform(-1, 1, m.z_bulk.shape).astype(np.float32)
    with tf.Session(graph=m.graph) as sess:
        sess.run(m.init)
        sess.run(m.loop, {m.x_bulk: x, m.z_bulk: z, m.start: 0, m.stop: 3})
        by_loop = sess.run([m.sampled, m.D1], {m.x_node: x[0, 0], m.z_node: z[0, 0]})
        sess.run(m.init)
        for i in range(3):
            for j in range(d_steps):
                sess.run(m.train_op_d, {m.x_node: x[i, j], m.z_node: z[i, j]})
            sess.run(m.train_op_g, {m.z_node: z[i, d_steps]})
        by_steps = sess.run([m.sampled, m.D1], {m.x_node: x[0, 0], m.z_node: z[0, 0]})
    for a, b in zip(by_loop, by_steps, strict=True):
        assert np.allclose(a, b, atol=1e-5)


# ------------------------------------------------------------------------------------- the article's alternatives
@pytest.mark.parametrize("optimizer", ["momentum", "sgd", "adam"])
def test_optimizers_take_their_own_steps(optimizer):
    m = build_graph(Settings(optimizer=optimizer, xla=False))
    with tf.Session(graph=m.graph) as sess:
        theta_g, theta_d, x, z = start(m, sess)
        first = [value.copy() for value in theta_d]
        moment, square = ([np.zeros_like(value) for value in theta_d] for _ in range(2))
        for step in (1, 2):
            sess.run(m.train_op_d, {m.x_node: x, m.z_node: z})
            for k, g in enumerate(oracle.gradient_d(x, z, theta_g, theta_d)):
                if optimizer == "adam":
                    moment[k], square[k] = 0.9 * moment[k] + 0.1 * g, 0.999 * square[k] + 0.001 * g**2
                    change = moment[k] / (1 - 0.9**step) / (np.sqrt(square[k] / (1 - 0.999**step)) + 1e-8)
                else:
                    change = moment[k] = g + (0.6 * moment[k] if optimizer == "momentum" else 0)
                theta_d[k] = theta_d[k] - 0.01 * change
        for value, expected, before in zip(sess.run(m.theta_d), theta_d, first, strict=True):
            assert np.allclose(value, expected, atol=1e-4)
            assert not np.allclose(value, before, atol=1e-5)


def test_stratified_noise_is_evenly_spaced_with_a_little_jitter():
    z = GenDataLoader(low=-5, high=5, rng=np.random.default_rng(0), noise="stratified").next_batches(3)[:, :, 0]
    jitter = z - np.linspace(-5, 5, 200)
    assert jitter.min() > -1e-6
    assert jitter.max() < 0.01 + 1e-6
    assert jitter.std() > 0.002
    one, other = (train(Settings(epoch=1, xla=False, noise=noise)) for noise in ("uniform", "stratified"))
    assert one.history[0]["d2_mean"] != other.history[0]["d2_mean"]


@pytest.mark.parametrize(
    ("init", "std", "bias"),
    [("normal", 1, 0), ("truncated_normal", 0.88, 0), ("glorot_uniform", 0.1, 0), ("classic", 0.088, 0.1)],
)
def test_initialisations(init, std, bias):
    m = build_graph(Settings(hidden_size=100, init=init, xla=False))
    with tf.Session(graph=m.graph) as sess:
        theta_g, *_ = start(m, sess)
    assert theta_g[2].std() == pytest.approx(std, rel=0.03)
    assert (np.abs(theta_g[2]).max() > 2.1 * std) == (init in ("normal", "truncated_normal", "classic"))
    assert (np.abs(theta_g[2]).max() > 3 * std) == (init == "normal")
    assert np.allclose(theta_g[3], bias)


def test_pretraining_trains_d_alone_and_gives_the_game_its_own_rates():
    m = build_graph(Settings(pretrain=20, epoch=4, xla=False))
    with tf.Session(graph=m.graph) as sess:
        theta_g, theta_d, _, _ = start(m, sess)
        rng = np.random.default_rng(0)
        x, z = rng.normal(-1, 1, m.x_bulk.shape), rng.uniform(-1, 1, m.z_bulk.shape)
        sess.run(m.pretrain_loop, {m.x_bulk: x, m.z_bulk: z, m.start: 0, m.stop: 20})
        after_g, after_d = sess.run([m.theta_g, m.theta_d])
    assert all(np.array_equal(a, b) for a, b in zip(theta_g, after_g, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(theta_d, after_d, strict=True))
    ahead, plain = (train(Settings(pretrain=n, epoch=4, log_every=1, xla=False)) for n in (20, 0))
    rates = ["learning_rate_d", "learning_rate_g", "iteration"]
    assert [[row[name] for name in rates] for row in ahead.history] == [
        [row[name] for name in rates] for row in plain.history
    ]
    assert ahead.history[0]["d1_mean"] != plain.history[0]["d1_mean"]


# ---------------------------------------------------------------------------------------- many runs, pictures
def test_runs_equal_the_single_runs_and_are_summed_up(tmp_path, capsys):
    flags = ["--epoch", "40", "--no-xla", "--ema-decay", "0.9", "--output-dir", str(tmp_path)]
    assert gan_1d.main(["--runs", "3", "--seed", "5", *flags]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert {path.name for path in tmp_path.iterdir()} == {"runs.csv", "runs.png", "summary.json"}
    with open(tmp_path / "runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["seed", "d1_mean", "d2_mean", "w1", "ks", "g_mean", "g_std"]
    assert [row["seed"] for row in rows] == ["5", "6", "7"]
    assert [line.split()[0] for line in printed[1:4]] == ["5", "6", "7"]
    alone = train(Settings(epoch=40, xla=False, ema_decay=0.9, seed=6))
    assert {name: float(value) for name, value in rows[1].items() if name != "seed"}.items() <= alone.final.items()
    final = json.loads((tmp_path / "summary.json").read_text())["final"]
    w1 = [float(row["w1"]) for row in rows]
    assert (final["w1_median"], final["w1_worst"]) == (statistics.median(w1), max(w1))
    ok = [float(row["ks"]) < 1.358 / math.sqrt(200) for row in rows]
    assert final["g_matches"] == pytest.approx(np.mean(ok))
    half = [abs(float(row["d1_mean"]) - 0.5) < 0.1 and abs(float(row["d2_mean"]) - 0.5) < 0.1 for row in rows]
    words = {True: "yes", False: "no"}
    for line, *marks in zip(printed[1:4], half, ok, strict=True):
        assert line.endswith(", ".join(words[mark] for mark in marks))
    ks = [float(row["ks"]) for row in rows]
    for name, values in (("W1", w1), ("KS", ks)):
        assert f"{name}: median {statistics.median(values):.3f}, worst {max(values):.3f}." in printed[4]


def test_pictures_compare_d_and_g_with_the_best_there_could_be(short_run):
    figure = matplotlib.figure.Figure()
    gan_1d.draw_distribution(figure, short_run)
    lines = {line.get_label(): line.get_data() for axes in figure.axes for line in axes.lines}
    x, best = lines["optimal D for this G: p / (p + q)"]
    samples = short_run.samples[:, 0]
    assert best[x < samples.min() - 0.1] == pytest.approx(1)  # G makes nothing there
    bars, edges = np.histogram(samples, x[::5], density=True)
    centre = (edges[bars.argmax()] + edges[bars.argmax() + 1]) / 2
    expected = TARGET.pdf(centre) / (TARGET.pdf(centre) + bars.max())
    assert np.interp(centre, x, best) == pytest.approx(expected, abs=0.01)
    for z, on_grid in (short_run.mapping, (short_run.mapping[0], short_run.mapping[1][::-1])):
        figure = matplotlib.figure.Figure()
        gan_1d.draw_distribution(figure, dataclasses.replace(short_run, mapping=np.array([z, on_grid])))
        (rising,) = [line.get_ydata() for axes in figure.axes for line in axes.lines if "monotone" in line.get_label()]
        assert (rising[0] < rising[-1]) == (on_grid[0] < on_grid[-1])
        assert sorted(rising) == pytest.approx(QUANTILES)


def test_a_single_logged_iteration_is_seen_too(short_run, tmp_path):
    one = dataclasses.replace(short_run, history=short_run.history[-1:])
    gan_1d.picture(gan_1d.draw_training, one, tmp_path / "training.png")
    left = matplotlib.image.imread(tmp_path / "training.png")[:, :580, :3]  # of the legends
    assert (np.abs(left - matplotlib.colors.to_rgb("tab:orange")).max(2) < 0.1).any()


def test_animation_shows_the_logged_iterations(tmp_path):
    flags = ["--epoch", "5", "--log-every", "2", "--no-xla", "--animate", "--output-dir", str(tmp_path)]
    assert gan_1d.main(flags) == 0
    assert (tmp_path / "training.gif").stat().st_size < 2e6
    with PIL.Image.open(tmp_path / "training.gif") as picture:
        assert picture.n_frames == 3


@pytest.mark.parametrize(
    ("epoch", "size", "xla"), [(4545, 200, False), (4546, 200, True), (454, 20000, False), (455, 20000, True)]
)
def test_xla_compiles_where_it_pays(epoch, size, xla, monkeypatch):
    def build_graph(settings):
        assert settings.xla == xla
        raise InterruptedError

    monkeypatch.setattr(gan_1d, "build_graph", build_graph)
    with pytest.raises(InterruptedError):
        train(Settings(epoch=epoch, size=size))


def test_many_runs_build_one_graph(monkeypatch):
    built, build = [], gan_1d.build_graph
    monkeypatch.setattr(gan_1d, "build_graph", lambda settings: built.append(settings) or build(settings))
    assert len(list(gan_1d.train_runs(Settings(runs=3, epoch=2, xla=False)))) == 3
    assert len(built) == 1
