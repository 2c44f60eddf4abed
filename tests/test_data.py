"""Loaders, which all else follows; files; distances to the real data; standard units."""

from statistics import NormalDist
from types import SimpleNamespace

import numpy as np
import oracle
import pytest
from conftest import built, train
from test_pictures import drawn

import gan_1d
from gan_1d import GenDataLoader, RealDataLoader, Run, Settings, distance_to_target, yardstick

SHORT = {"epoch": 20, "learning_rate": 0.02, "animate": True, "xla": False}
LEVELS = (np.arange(2000) + 0.5) / 2000
QUANTILES, BELL = oracle.quantiles(0, 1, 100_000), NormalDist(2, 5).cdf


def loaders(size=200, seed=0):
    rng, data = np.random.default_rng(seed), np.arange(50, dtype=np.float32)
    made = {of: GenDataLoader(size, -3, 7, rng, of) for of in ("uniform", "normal", "stratified")}
    return made | {"N": RealDataLoader(size, 2, 5, rng), "": RealDataLoader(size, 0, 1, rng, data)}


def test_noise_is_uniform_or_normal_or_evenly_spaced_with_jitter_and_real_data_are_normal():
    for name, cdf in (("uniform", lambda z: (z + 3) / 10), ("normal", BELL), ("N", BELL)):
        assert oracle.is_drawn_from(loaders()[name].next_batch(30, 4), cdf), name
    jitter = loaders()["stratified"].next_batch(60)[:, :, 0] - np.linspace(-3, 7, 200)
    assert oracle.is_drawn_from(jitter, lambda value: min(max(value / 0.01, 0), 1))
    assert np.abs(np.corrcoef(jitter)[np.triu_indices(60, 1)]).max() < 0.4


def test_batches_are_of_their_shape_float32_and_follow_from_the_random_generator():
    for name in loaders():
        one, again, other = (loaders(9, seed)[name].next_batch(2, 3) for seed in (4, 4, 5))
        assert (one.shape, one.dtype, one.tolist()) == ((2, 3, 9, 1), np.float32, again.tolist())
        assert one.tolist() != other.tolist()


def test_data_are_drawn_with_replacement_all_of_them_equally_often(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(50))
    gan = gan_1d.GAN(Settings(**SHORT, data=str(tmp_path / "x.npy")))
    batches = gan.data_loaders(30, np.random.default_rng(0))[0].next_batch(20, 50)
    assert len(np.unique(batches[0, 0])) < 30
    for numbers in (batches, gan.real):
        counts = np.bincount(numbers.ravel().astype(int), minlength=50)
        assert 25 < 50 * counts.var() / counts.mean() < 86  # chi-square, 49 degrees


def test_files_are_npy_or_text_with_remarks_and_with_a_byte_order_mark_or_not(tmp_path):
    for name, numbers in (("a.npy", [3, 1, 2]), ("b.npy", [[3.0], [1.0], [2.0]])):
        np.save(tmp_path / name, numbers)
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / encoding).write_text("3  # größe\n\n1e0\n2.0\n", encoding=encoding)
    for path in tmp_path.iterdir():
        numbers = gan_1d.read_numbers(str(path))
        assert (numbers.tolist(), numbers.dtype) == ([3, 1, 2], np.float32), path


@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_file_that_cant_be_learned_is_refused_by_name_and_with_the_reason(tmp_path):
    np.save(tmp_path / "allow_pickle.npy", np.array([1, "x"], object))
    wrong = {"have numbers": "", "five": "five", "be finite": "1\nnan"}
    wrong |= {"must be finite": "1\ninf", "differ by over": "2\n2", "one a line": "1 2\n3 4"}
    for reason, text in wrong.items():
        (tmp_path / reason).write_text(text, encoding="utf-8")
    for name in (*wrong, "allow_pickle.npy", "no"):  # each begins with the reason
        with pytest.raises(ValueError, match=f"(?i)^--data .*{name}: .*{name[:12]}"):
            Settings(data=str(tmp_path / name))


def two_bells(loader, *counts):  # 30% near -2, the others near 2
    x = loader.rng.normal(0, 0.3, (*counts, loader.size, 1))
    return np.float32(x + np.where(loader.rng.random(x.shape) < 0.3, -2, 2))


def exponential(loader, *counts):
    return np.float32(loader.rng.exponential(size=(*counts, loader.size, 1)))


BELLS = [bell + 0.3 * oracle.quantiles(0, 1, n) for bell, n in ((-2, 30_000), (2, 70_000))]
OWN = {RealDataLoader: two_bells, GenDataLoader: exponential}, {"seed": 3}
OWN = *OWN, np.concatenate(BELLS), -np.log(1 - LEVELS)
NORMAL = {"noise": "normal", "low": -1.0, "high": 5.0, "mu": 3.0, "sigma": 2.0, "seed": 5}
NORMAL = {}, NORMAL, 3 + 2 * QUANTILES, 2 + 3 * QUANTILES[25::50]


@pytest.fixture(scope="module", params=[OWN, NORMAL], ids=["own loaders", "normal noise"])
def case(request):
    """Train with loaders; add exact quantiles of what they draw, and G of those of the noise."""
    own, settings, real, z = request.param
    with pytest.MonkeyPatch.context() as patch:
        for base, next_batch in own.items():
            patch.setattr(gan_1d, base.__name__, type("Own", (base,), {"next_batch": next_batch}))
        gan = gan_1d.GAN(Settings(**SHORT, **settings))
        result, fed = train(gan), Run(gan, None, gan.settings).draw_block(0)
    theta = [*result.weights.values()]
    G = oracle.generate(z[:, None], theta[:6])[:, 0]
    return SimpleNamespace(**locals(), cdf=lambda x: np.searchsorted(real, x) / real.size)


def test_all_real_data_and_noise_are_the_loaders_own(case):
    for found in (case.gan.real[::100], case.gan.batches, case.fed[0], case.result.batch):
        assert oracle.is_drawn_from(found, case.cdf)
    levels, of_fed = (np.interp(z, case.z, LEVELS, 0, 1) for z in (case.gan.noise, case.fed[1]))
    assert np.abs(levels[:, 0] - LEVELS).max() < 0.002
    assert oracle.is_drawn_from(of_fed, float)


def test_rows_and_the_final_metrics_are_distances_between_what_the_loaders_draw(case):
    expected = distance_to_target(case.G, case.real)
    for row in (case.result.history[-1], case.result.final):
        assert {name: row[name] for name in expected} == pytest.approx(expected, 0.1, 0.06)
    of_samples = oracle.ks_statistic(case.result.samples[:, 0], case.cdf)
    assert row["ks"] == pytest.approx(of_samples, abs=0.02)
    even = oracle.generate(np.linspace(-1, 1, 2000)[:, None], case.theta[:6])
    assert abs(distance_to_target(even, case.real)["ks"] - row["ks"]) > 0.1


def test_the_report_is_of_the_loaders_real_data_and_says_what_g_cant_reach_above_1_percent(case):
    final, batches = case.result.final, np.sort(case.gan.batches[:, :, 0])
    expected = {"real_mean": case.real.mean(), "real_std": case.real.std()}
    expected["batch_w1"] = np.median(np.abs(batches - case.real[250::500]).mean(1))
    expected["out_of_reach"] = np.mean(np.abs(case.real) > 5)
    expected["d1_mean"] = oracle.discriminate(case.real[:, None], case.theta[6:]).mean()
    assert final | expected == pytest.approx(final, abs=0.008)
    reports = [gan_1d.verdict(final | {"out_of_reach": x}, Settings()) for x in (0.009, 0.02)]
    assert [report.partition("exclude ")[2][:2] for report in reports] == ["", "2%"]


def test_the_pictures_are_of_what_the_loaders_draw(case):
    dashed = drawn(gan_1d.draw_training, case.result)[0].axes[3].lines[-5:]
    expected = np.percentile(case.real, (5, 25, 50, 75, 95))
    assert sorted(line.get_ydata()[0] for line in dashed) == pytest.approx(expected, abs=0.02)
    for draw in (gan_1d.draw_film, gan_1d.draw_distribution):
        _, lines, bars = drawn(draw, case.result)
        edges, heights = bars["G(z)"]
        assert np.allclose(lines["real data"][1], oracle.density(case.real, edges), atol=0.01)
        assert np.abs(np.cumsum(heights - oracle.density(case.G, edges))).max() < 0.08
    z, ideal = lines["ideal, or its mirror image"]
    assert np.abs([case.cdf(x) for x in ideal] - np.interp(z, case.z, LEVELS)).max() < 0.003


G = oracle.quantiles(0, 1)
DISTANCES = [  # of 3 + 2 G to N(3, 2)
    (G, {"w1": 0, "ks": 0, "tail_error": 0, "g_mean": 3, "g_std": 2, "told_apart_by": 29_506_624}),
    (G - 0.3, {"w1": 0.6, "ks": 0.1192, "tail_error": 0.3, "g_mean": 2.4, "told_apart_by": 130}),
    (2 * G, {"w1": 1.596, "ks": 0.1613, "tail_error": 2.576, "g_std": 4, "told_apart_by": 71}),
    (2 * G, {"g_q05": -3.579, "g_q25": 0.302, "g_q50": 3, "g_q75": 5.698, "g_q95": 9.579}),
    (G - 0.7 * (G[15] > G), {"tail_error": 0.7}),  # a tail of three quarters of a percent
    (G + 0.7 * (G[-16] < G), {"tail_error": 0.7}),
]


@pytest.mark.parametrize(("values", "expected"), DISTANCES)
def test_numbers_in_any_order_are_at_their_known_distances(values, expected):
    found = distance_to_target(3 + 2 * np.roll(values, 700), 3 + 2 * QUANTILES)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=2e-3, rel=2e-3)


def test_yardsticks_are_of_the_ks_distribution_and_95_of_100_real_batches_are_below():
    expected = {1: 0.975, 2: 0.842, 5: 0.563, 8: 0.454, 10**6: 1.358e-3}
    assert {n: yardstick(n) for n in expected} == pytest.approx(expected, abs=0, rel=4e-3)
    ks = oracle.ks_statistic(loaders()["N"].next_batch(2000)[:, :, 0], BELL)
    assert np.mean(ks < yardstick(200)) == pytest.approx(0.95, abs=0.012)


UNITS = SHORT | {"mu": 50.0, "sigma": 3.0, "standardize": True, "r1_gamma": 2.0, "ema_decay": 0.5}


@pytest.fixture(scope="module")
def standard():
    """Train in standard units; return the oracle's average of G, and D, from standardized data."""
    gan = built(**UNITS)
    with gan.session() as sess:
        theta = [value.astype(float) for value in sess.run(gan.theta_g + gan.theta_d)]
    x, z = Run(gan, None, gan.settings).draw_block(0)
    g, d = (oracle.Momentum(of, 20, 0.02) for of in (theta[:6], theta[6:]))
    x = (x[:20] - gan.real.mean()) / gan.real.std()
    return gan, train(gan), oracle.train(g, d, x, z[:20], gamma=2, decay=0.5), d.theta


def test_in_standard_units_training_takes_the_oracles_steps_whatever_the_bell(standard):
    assert oracle.largest_gap(standard[1].weights.values(), standard[2] + standard[3]) < 1e-4
    same = gan_1d.train(Settings(**UNITS | {"mu": 0.0, "sigma": 1.0})).weights.values()
    assert oracle.largest_gap(standard[1].weights.values(), same) < 1e-4


def test_after_training_in_standard_units_all_results_are_in_the_datas(standard):
    gan, result, average, theta_d = standard
    G = gan.mean + gan.deviation * oracle.generate(result.grid[:1].T, average)[:, 0]
    assert np.allclose(result.grid[1], G, atol=1e-3)
    assert oracle.is_drawn_from(result.samples[::10], lambda x: np.mean(x > G))
    edges, heights = drawn(gan_1d.draw_film, result)[2]["G(z)"]
    assert result.final["out_of_reach"] < 1e-4 < 30 < edges[0] < 42 < 58 < edges[-1] < 70
    assert np.allclose(heights, oracle.density(G, edges), atol=0.02)
    D = oracle.discriminate((edges[:, None] - gan.mean) / gan.deviation, theta_d)[:, 0]
    assert np.allclose([result.curve[1], result.frames[-1]["D"]], D, atol=1e-4)


def test_by_default_units_are_the_datas_without_any_op(case):
    assert (case.gan.mean, case.gan.deviation) == (0, 1)
    assert {op.type for op in case.gan.x_node.consumers()} == {"Transpose"}
    assert case.gan.G.op.inputs[0].op.type == "Mul"
