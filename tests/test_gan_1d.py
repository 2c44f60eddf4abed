"""What gan_1d.py claims, one claim a test. The article's default run is made once, by its command."""

import csv
import dataclasses
import inspect
import json
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import matplotlib.image
import numpy as np
import oracle
import pytest
import tensorflow.compat.v1 as tf

import gan_1d
from gan_1d import Discriminator, GenDataLoader, Generator, RealDataLoader, Settings, build_graph, train

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = np.load(Path(__file__).parent / "tf1_15_seed1.npz")  # one run of the article's script on TensorFlow 1.15.5
EPOCH = 200  # its iterations


@pytest.fixture(scope="session")
def article_run(tmp_path_factory):
    """Run `python gan_1d.py`, in a folder of its own, from a copy of the source that it must leave as it is."""
    source, here = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("here")
    shutil.copy(ROOT / "gan_1d.py", source)
    source.chmod(0o555)
    run = subprocess.run([sys.executable, source / "gan_1d.py"], cwd=here, capture_output=True, text=True, check=False)
    run.folder, run.source = here / "outputs" / "latest", source
    return run


def near_half(d1, d2):
    """The article's proof: the discriminator gives real and generated data about 0.5 alike."""
    return abs(d1 - 0.5) < 0.1 and abs(d2 - 0.5) < 0.1


def test_article_run_ends_with_d_near_one_half(article_run):
    assert article_run.returncode == 0, article_run.stderr
    final = json.loads((article_run.folder / "summary.json").read_text())["final"]
    assert near_half(final["d1_mean"], final["d2_mean"])


def test_a_discriminator_trained_alone_is_not_near_one_half():
    m = build_graph(Settings())
    # Real data to one side of what G gives before it has learned anything: N(-1, 1) itself lies half inside.
    real, noise = RealDataLoader(mu=4, rng=np.random.default_rng(0)), GenDataLoader(rng=np.random.default_rng(1))
    with tf.Session(graph=m.graph) as sess:
        sess.run(m.init)
        for _ in range(1000):
            sess.run(m.train_op_d, {m.x_node: real.next_batch(), m.z_node: noise.next_batch()})
        D1, D2 = sess.run([m.D1, m.D2], {m.x_node: real.next_batch(), m.z_node: noise.next_batch()})
    assert not near_half(D1.mean(), D2.mean())


# ---------------------------------------------------------------------------------------- the article's parts
def test_article_constants():
    settings = Settings()
    assert (settings.epoch, settings.size, settings.hidden_size, settings.d_steps) == (10000, 200, 6, 2)
    assert (settings.low, settings.high, settings.mu, settings.sigma) == (-1, 1, -1, 1)
    assert (settings.learning_rate, settings.momentum, settings.decay_rate) == (0.01, 0.6, 0.95)
    given = {
        part: {name: p.default for name, p in inspect.signature(part).parameters.items() if name != "rng"}
        for part in (GenDataLoader, RealDataLoader, Generator, Discriminator)
    }
    assert given[GenDataLoader] == {"size": 200, "low": -1, "high": 1, "noise": "uniform"}
    assert given[RealDataLoader] == {"size": 200, "mu": -1, "sigma": 1}
    assert list(given[Generator].items())[1:4] == [("input_size", 1), ("hidden_size", 6), ("output_size", 1)]
    assert list(given[Discriminator].items())[1:3] == [("input_size", 1), ("hidden_size", 6)]


@pytest.mark.parametrize("loader", [GenDataLoader, RealDataLoader])
def test_loaders_give_columns_that_depend_on_their_generator_alone(loader):
    first, again, other = (loader(rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    batches = np.stack([first.next_batch() for _ in range(7)])
    assert batches.shape == (7, 200, 1)
    assert batches.dtype == np.float32
    assert np.array_equal(batches, np.concatenate([again.next_batches(3), again.next_batches(4)]))
    assert not np.array_equal(batches[0], batches[1])
    assert not np.array_equal(batches[0], other.next_batch())


def test_noise_is_uniform():
    z = GenDataLoader(size=100_000, low=2, high=5, rng=np.random.default_rng(0)).next_batch()[:, 0]
    assert z.min() >= 2
    assert z.max() <= 5
    assert np.abs(np.sort(z) - np.linspace(2, 5, z.size)).max() < 0.02


def test_real_data_is_normal():
    x = np.sort(RealDataLoader(size=100_000, mu=3, sigma=2, rng=np.random.default_rng(0)).next_batch()[:, 0])
    target = statistics.NormalDist(3, 2)
    expected = [target.cdf(value) for value in x[::100]]
    assert np.abs(expected - np.arange(0, 1, 100 / x.size)).max() < 0.01


def test_variables_have_the_articles_names_shapes_and_order():
    m = build_graph(Settings(hidden_size=7))
    shapes = {
        "weight1": (1, 7),
        "bias1": (1, 7),
        "weight2": (7, 7),
        "bias2": (1, 7),
        "weight3": (7, 1),
        "bias3": (1, 1),
    }
    for scope, theta in (("generator", m.theta_g), ("discriminator", m.theta_d)):
        assert [v.op.name for v in theta] == [f"{scope}/{name}" for name in oracle.NAMES]
        assert [tuple(v.shape) for v in theta] == [shapes[name] for name in oracle.NAMES]
    with m.graph.as_default():  # one discriminator, two uses: no second set of variables
        assert len(tf.trainable_variables()) == 12
    for node in (m.x_node, m.z_node):
        assert (node.dtype, node.shape.as_list()) == (tf.float32, [None, 1])


def initial_values(seed):
    m = build_graph(Settings(hidden_size=100, seed=seed))
    with tf.Session(graph=m.graph) as sess:
        sess.run(m.init)
        return sess.run([m.theta_g, m.theta_d])


def test_weights_start_normal_and_biases_zero_from_the_seed():
    first, again, other = initial_values(3), initial_values(3), initial_values(4)
    for theta, same, different in zip(first, again, other, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(theta, same, strict=True))
        assert not np.array_equal(theta[2], different[2])
        assert all(not bias.any() for bias in theta[1::2])
        values = np.sort(theta[2].ravel())
        expected = [statistics.NormalDist().inv_cdf((k + 0.5) / values.size) for k in range(values.size)]
        assert np.abs(values - expected)[100:-100].max() < 0.1
    assert abs(np.corrcoef(first[0][2].ravel(), first[1][2].ravel())[0, 1]) < 0.05  # the networks are independent


# ------------------------------------------------------------------------------------------------ arithmetic
def reference_batches():
    """The batches that the reference run drew, in its order: x (200, 2, 200, 1) and z (200, 3, 200, 1), float32."""
    rng = np.random.RandomState(1)
    x, z = np.empty((EPOCH, 2, 200, 1), np.float32), np.empty((EPOCH, 3, 200, 1), np.float32)
    for i in range(EPOCH):
        for j in range(2):
            x[i, j], z[i, j] = rng.normal(-1, 1, [200, 1]), rng.uniform(-1, 1, [200, 1])
        z[i, 2] = rng.uniform(-1, 1, [200, 1])
    return x, z


def reference_theta(when, dtype=np.float32):
    """The reference run's weights, `initial` or `after_200`: the generator's six, the discriminator's six."""
    return [
        [REFERENCE[f"{when}/{scope}/{name}"].astype(dtype) for name in oracle.NAMES]
        for scope in ("generator", "discriminator")
    ]


def start_from_reference(m, sess):
    sess.run(m.init)
    for variables, values in zip((m.theta_g, m.theta_d), reference_theta("initial"), strict=True):
        for variable, value in zip(variables, values, strict=True):
            sess.run(variable.initializer, {variable.initializer.inputs[1]: value})


def assert_reference(theta_g, theta_d):
    gaps = [
        np.abs(value - expected).max()
        for network, wanted in zip((theta_g, theta_d), reference_theta("after_200"), strict=True)
        for value, expected in zip(network, wanted, strict=True)
    ]
    print(f"largest difference to TensorFlow 1.15.5: {max(gaps):.1e}")
    assert max(gaps) < 1e-4


def test_single_steps_reproduce_tensorflow_1_15():
    x, z = reference_batches()
    m = build_graph(Settings(epoch=EPOCH))
    with tf.Session(graph=m.graph) as sess:
        start_from_reference(m, sess)
        for i in range(EPOCH):
            for j in range(2):
                sess.run([m.train_op_d, m.loss_d], {m.x_node: x[i, j], m.z_node: z[i, j]})
            sess.run([m.train_op_g, m.loss_g], {m.z_node: z[i, 2]})
        assert_reference(*sess.run([m.theta_g, m.theta_d]))


@pytest.mark.parametrize("xla", [True, False])
def test_loop_reproduces_tensorflow_1_15_and_reports_at_the_articles_place(xla):
    x, z = reference_batches()
    m = build_graph(Settings(epoch=EPOCH, xla=xla))
    bulk = m.x_bulk.shape[0]
    theta_g, theta_d = reference_theta("initial", float)
    with tf.Session(graph=m.graph) as sess:
        start_from_reference(m, sess)
        for first in range(0, EPOCH, bulk):
            feed = {m.x_bulk: x[first : first + bulk], m.z_bulk: z[first : first + bulk]}
            for start, stop in ((0, 1), (1, 60), (60, bulk)):
                D1, D2, loss_d, loss_g, rate_d, rate_g = sess.run(m.loop, feed | {m.start: start, m.stop: stop})
                if first == start == 0:  # after the first iteration's two D steps, before its G step
                    optimizer = oracle.Momentum(theta_d, EPOCH)
                    for j in range(2):
                        optimizer.step(oracle.gradient_d(x[0, j], z[0, j], theta_g, theta_d))
                    assert_report(D1, D2, loss_d, loss_g, x[0, 1], oracle.generate(z[0, 1], theta_g), theta_d)
                    assert (rate_d, rate_g) == pytest.approx((0.01, 0.01))
        assert_reference(*sess.run([m.theta_g, m.theta_d]))
    assert (rate_d, rate_g) == pytest.approx((0.01 * 0.95**7, 0.01 * 0.95**3))


def assert_report(D1, D2, loss_d, loss_g, x, G, theta_d):
    expected1, expected2 = (oracle.sigmoid(oracle.forward(inputs, theta_d)[2]) for inputs in (x, G))
    assert np.allclose(D1, expected1, atol=1e-5)
    assert np.allclose(D2, expected2, atol=1e-5)
    assert loss_d == pytest.approx(np.mean(np.log(expected1) + np.log(1 - expected2)), abs=1e-5)
    assert loss_g == pytest.approx(np.mean(np.log(expected2)), abs=1e-5)


def test_numpy_oracle_reproduces_tensorflow_1_15():
    x, z = reference_batches()
    theta_g, theta_d = reference_theta("initial", float)
    oracle.train(theta_g, theta_d, x.astype(float), z.astype(float), EPOCH)
    assert_reference(theta_g, theta_d)


def test_oracle_gradients_match_finite_differences():
    x, z = (batches[0, 0].astype(float) for batches in reference_batches())
    theta_g, theta_d = reference_theta("initial", float)

    def D(inputs):
        return oracle.sigmoid(oracle.forward(inputs, theta_d)[2])

    def minimised_d():
        return 1 - np.mean(np.log(D(x)) + np.log(1 - D(oracle.generate(z, theta_g))))

    def minimised_g():
        return 1 - np.mean(np.log(D(oracle.generate(z, theta_g))))

    for theta, gradients, objective in (
        (theta_d, oracle.gradient_d(x, z, theta_g, theta_d), minimised_d),
        (theta_g, oracle.gradient_g(z, theta_g, theta_d), minimised_g),
    ):
        for value, gradient in zip(theta, gradients, strict=True):
            value[0, 0] += 1e-6
            above = objective()
            value[0, 0] -= 2e-6
            assert gradient[0, 0] == pytest.approx((above - objective()) / 2e-6, abs=1e-7)
            value[0, 0] += 1e-6


def test_objectives_from_logits_are_the_articles_and_stay_finite():
    m = build_graph(Settings())
    x = RealDataLoader(rng=np.random.default_rng(0)).next_batch()
    with tf.Session(graph=m.graph) as sess:
        sess.run(m.init)
        feed = {m.x_node: x, m.z_node: x / 5}
        D1, D2, loss_d, loss_g = sess.run([m.D1, m.D2, m.loss_d, m.loss_g], feed)
        D1, D2 = D1.astype(float), D2.astype(float)
        assert loss_d == pytest.approx(np.mean(np.log(D1) + np.log(1 - D2)), abs=1e-5)
        assert loss_g == pytest.approx(np.mean(np.log(D2)), abs=1e-5)
        sess.run(m.theta_d[5].assign([[1e3]]))  # D sure of itself: 1 - D2 rounds to 0
        assert sess.run(m.D2, feed).min() == 1
        assert sess.run(m.loss_d, feed) == pytest.approx(-1000, rel=0.05)


def test_each_networks_step_leaves_the_other_network_alone():
    m = build_graph(Settings())
    feed = {m.x_node: RealDataLoader().next_batch(), m.z_node: GenDataLoader().next_batch()}
    with tf.Session(graph=m.graph) as sess:
        sess.run(m.init)
        for op, own, others in ((m.train_op_d, m.theta_d, m.theta_g), (m.train_op_g, m.theta_g, m.theta_d)):
            before, before_others = sess.run([own, others])
            sess.run(op, feed)
            after, after_others = sess.run([own, others])
            assert all(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
            assert all(np.array_equal(a, b) for a, b in zip(before_others, after_others, strict=True))


# ---------------------------------------------------------------------------------------------------- a run
def test_same_seed_same_bytes_however_the_run_is_cut(monkeypatch):
    monkeypatch.setattr(gan_1d, "XLA_PAYS", 0)
    lines = []
    one = train(Settings(epoch=250), log=lambda row, D1_, D2_: lines.append((row, D1_, D2_)))
    monkeypatch.setattr(gan_1d, "BULK_ITERATIONS", 40)
    other = train(Settings(epoch=250, log_every=10))
    assert one.samples.tobytes() == other.samples.tobytes()
    assert one.final == other.final
    assert [row["iteration"] for row in one.history] == [99, 199, 249]
    assert one.history == [row for row in other.history if row["iteration"] in (99, 199, 249)]
    assert [row for row, _, _ in lines] == one.history
    assert [float(D1_.mean()) for _, D1_, _ in lines] == [row["d1_mean"] for row in one.history]
    assert lines[0][1].shape == lines[0][2].shape == (200, 1)
    assert train(Settings(epoch=250, seed=1)).samples.tobytes() != one.samples.tobytes()


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_the_shortest_runs_train(epoch):
    result = train(Settings(epoch=epoch, xla=False))
    assert len(result.history) == 1
    assert all(np.isfinite(list(result.final.values())))
    assert result.history[-1]["learning_rate_g"] == pytest.approx(0.01 * 0.95 ** (epoch - 1))


def test_readme_lists_every_flag():
    readme = (ROOT / "README.md").read_text()
    for name, field in Settings.__dataclass_fields__.items():
        assert f"| `--{'no-' * (field.default is True)}{name.replace('_', '-')}`" in readme or f", `--{name}`" in readme


def test_readme_shows_the_articles_own_loop(monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    loop = next(code for code in blocks if "train_op_d" in code)
    real_rng, noise_rng, _ = map(np.random.default_rng, np.random.SeedSequence(0).spawn(3))
    settings = Settings(epoch=100)
    row = train(settings).history[-1]
    monkeypatch.setattr(gan_1d, "Settings", lambda: settings)
    monkeypatch.setattr(gan_1d, "RealDataLoader", lambda: RealDataLoader(rng=real_rng))
    monkeypatch.setattr(gan_1d, "GenDataLoader", lambda: GenDataLoader(rng=noise_rng))
    names = {}
    exec(loop, names)  # on the same batches, the article's loop ends where the fast one ends
    assert names["D1_"].mean() == pytest.approx(row["d1_mean"], abs=1e-3)
    assert names["D2_"].mean() == pytest.approx(row["d2_mean"], abs=1e-3)


def test_learning_rates_fall_as_a_staircase(article_run):
    rows = read_metrics(article_run.folder)
    for column, steps in (("learning_rate_d", 8), ("learning_rate_g", 4)):
        rates = sorted({float(row[column]) for row in rows}, reverse=True)
        assert rates == pytest.approx([0.01 * 0.95**drops for drops in range(steps)])


def read_metrics(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_article_run_leaves_its_files_and_nothing_else(article_run):
    folder = article_run.folder
    names = {"metrics.csv", "summary.json", "samples.npy", "training.png", "distribution.png"}
    assert {path.name for path in folder.iterdir()} == names
    assert [path.name for path in article_run.source.iterdir()] == ["gan_1d.py"]
    rows = read_metrics(folder)
    columns = ["iteration", "d1_mean", "d2_mean", "loss_d", "loss_g", "learning_rate_d", "learning_rate_g"]
    assert list(rows[0]) == [*columns, "w1", "ks", "g_mean", "g_std"]
    assert [int(row["iteration"]) for row in rows] == list(range(99, 10000, 100))
    samples = np.load(folder / "samples.npy")
    assert samples.shape == (10000, 1)
    assert samples.dtype == np.float32
    summary = json.loads((folder / "summary.json").read_text())
    assert Settings(**summary["settings"]) == Settings()
    error = 4 * float(samples.std()) / 100  # 10,000 samples
    assert summary["final"]["g_mean"] == pytest.approx(samples.mean(), abs=error)
    assert summary["final"]["g_std"] == pytest.approx(samples.std(), abs=error)
    assert {"import", "graph", "compile", "train", "evaluate", "draw", "save"} <= set(summary["seconds"])
    assert summary["versions"]["tensorflow"] == tf.__version__
    for name in ("training.png", "distribution.png"):
        picture = matplotlib.image.imread(folder / name)
        assert picture.shape[1] == 800
        assert picture[..., :3].std() > 0.05  # not a blank sheet


def test_article_run_prints_its_lines_and_report_and_no_noise(article_run):
    assert article_run.stderr == ""
    lines = article_run.stdout.splitlines()
    final = json.loads((article_run.folder / "summary.json").read_text())["final"]
    rows = read_metrics(article_run.folder)
    assert len([line for line in lines if line.startswith("iteration")]) == 100
    expected = "iteration   9999  D1 {:.3f}  D2 {:.3f}".format(
        *(float(rows[-1][key]) for key in ("d1_mean", "d2_mean"))
    )
    assert lines[99].startswith(expected)
    report = "\n".join(lines[100:])
    for key in ("d1_mean", "d1_min", "d1_max", "d2_mean", "d2_min", "d2_max", "g_mean", "g_std"):
        assert f"{final[key]:.3f}" in report
    assert re.search(r"real data +mean -1\.000, standard deviation 1\.000", report)


def test_print_pairs_prints_the_articles_stream(capsys, tmp_path):
    arguments = ["--epoch", "2", "--size", "3", "--log-every", "1", "--print-pairs", "--no-plots", "--no-xla"]
    assert gan_1d.main([*arguments, "--output-dir", str(tmp_path)]) == 0
    stream = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert stream[::2] == ["0", "0", "0", "1", "1", "1"]
    pairs = [re.fullmatch(r"D1: (\S+) ,D2: (\S+)", line).groups() for line in stream[1::2]]
    rows = read_metrics(tmp_path)
    for row, three in zip(rows, (pairs[:3], pairs[3:]), strict=True):
        assert np.mean([float(d1) for d1, _ in three]) == pytest.approx(float(row["d1_mean"]), abs=1e-6)
        assert np.mean([float(d2) for _, d2 in three]) == pytest.approx(float(row["d2_mean"]), abs=1e-6)
    assert not (tmp_path / "training.png").exists()


# --------------------------------------------------------------------------------------------- command line
BAD = {
    "--epoch": "0 -1 1e4 10,000 1000000001 2000000000 nan True 一万",
    "--size": "0 -200 2.5 ten 0x10 5000001 99999999999999999999999999 200.0 null",
    "--hidden-size": "-1 0 1025 6.0 inf",
    "--d-steps": "0 1001 1.5",
    "--low": "nan 1 2 -inf -1e+31 left 1j",
    "--mu": "nan inf 1e+31 -1,5 ½",
    "--sigma": "0 -1 nan inf 1e-31 1e+31 大",
    "--learning-rate": "0 -0.01 nan inf 1e+31 fast",
    "--momentum": "1 -0.1 nan 60%",
    "--decay-rate": "0 1.1 -1 nan",
    "--optimizer": "rmsprop Momentum 🙂",
    "--noise": "gaussian Uniform",
    "--init": "zeros 0 xavier",
    "--pretrain": "-1 0.5 1000000001",
    "--r1-gamma": "-1 nan inf 1e+31",
    "--ema-decay": "1 -0.5 nan 0,999",
    "--runs": "0 -1 1000001 two",
    "--seed": "-1 4294967296 1e3 random",
    "--log-every": "0 -100 often",
    "--checkpoint-every": "0 1e9",
}
EMPTY = ("--size=", "--mu=", "--init=", "--output-dir=")
PATHS = ("a\nb", "a\0b", "\x1b[31mred", "\udcff", "x" * 1001, "a[b]", "a\\b")
CLASHES = {
    "--high=-2": "--low", "--resume --overwrite": "--resume", "--sigma 1 --mu 1e7": "--sigma", "--size": "--size",
    "--animate --no-plots": "--animate", "--animate --runs 2": "--animate", "--tensorboard --runs 2": "--tensorboard",
    "--saved-model --runs 2": "--saved-model", "--size 5000000 --hidden-size 64": "--size", "--sise 3": "--sise",
    "--size 5000000 --d-steps 64": "--size", "--seed 4294967295 --runs 2": "--runs", "--xla": "--xla", "-x": "-x",
    "--epoch 1000000000 --d-steps 3": "--epoch", "--pretrain 1000000000 --d-steps 3": "--pretrain", "5": "5",
    "--resume=yes": "--resume", "--no-plots=1": "--no-plots", "--siz 3": "--siz", "--epoch 5 6": "6",
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "named"),
    [([f"{flag}={value}"], (flag, value, "must be")) for flag, values in BAD.items() for value in values.split()]
    + [([argument], (argument.strip("="), "''", "must be")) for argument in EMPTY]
    + [(["--output-dir", path], ("--output-dir", "must be")) for path in PATHS]
    + [(line.split(), (named,)) for line, named in CLASHES.items()]
    + [(["two\nlines"], ("two lines",))],
)
def test_bad_command_lines_are_refused_in_one_line(arguments, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        gan_1d.main(arguments)
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    assert captured.err.endswith("\n")
    assert captured.err.strip().isprintable()
    for words in named:
        assert words in captured.err
    assert list(tmp_path.iterdir()) == []


KINDS = {"int": st.integers(0, 2**31), "float": st.floats(), "bool": st.booleans(), "str": st.text(max_size=5)}
ODD = st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(max_value=0) | st.integers(2**40)
FEW = {"epoch": 5, "size": 50, "hidden_size": 20, "d_steps": 3, "pretrain": 3, "runs": 2}  # many would take long


@st.composite
def some_settings(draw):
    """Change up to four settings, mostly to values of the right kind."""
    values = {}
    for field in draw(st.lists(st.sampled_from(dataclasses.fields(Settings)), max_size=4, unique=True)):
        right = st.integers(1, FEW[field.name]) if field.name in FEW else KINDS[field.type]
        if field.metadata["allowed"].startswith("one of "):
            right = st.sampled_from(field.metadata["allowed"][7:].split(", "))
        values[field.name] = draw(st.one_of(right, right, right, ODD))
    return values


@hypothesis.settings(max_examples=20, deadline=None, derandomize=True, database=None)
@hypothesis.given(some_settings())
def test_any_settings_are_refused_or_train_five_iterations(values):
    values = {"epoch": 5} | values
    try:
        settings = Settings(**values)
    except ValueError as error:
        flag, text = re.fullmatch(r"--(\S+) (.*): must be .+", str(error), re.DOTALL).groups()
        name = flag.replace("-", "_")
        right = text == f"{values.get(name, getattr(Settings, name))!r:.60}"  # it names what was given
    else:
        try:
            results = list(gan_1d.train_runs(settings))
            right = [result.settings.seed for result in results] == [settings.seed + k for k in range(settings.runs)]
            right = right and all(np.isfinite(list(result.final.values())).all() for result in results)
        except gan_1d.Ended as error:
            right = error.args[0] == 1 and "diverges" in error.args[1]
    assert right


@pytest.mark.parametrize(
    "values", [{"size": 0}, {"size": "200"}, {"size": 2.0}, {"sigma": None}, {"xla": 1}, {"low": 1}]
)
def test_settings_refuses_the_same_from_python(values):
    with pytest.raises(ValueError, match=f"--{next(iter(values))}"):
        Settings(**values)


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["--sise", "3"], 2)])
def test_help_and_mistyped_flags_do_not_load_tensorflow(arguments, status):
    code = "import atexit, sys, gan_1d; atexit.register(lambda: print('tensorflow' in sys.modules)); gan_1d.main()"
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == status
    assert run.stdout.endswith("False\n")
    if status == 0:
        for name, field in Settings.__dataclass_fields__.items():
            assert ("--no-" if field.default is True else "--") + name.replace("_", "-") in run.stdout
    else:
        assert run.stderr.count("\n") == 1
        assert "--sise" in run.stderr
