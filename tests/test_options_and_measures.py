"""What goes beyond the article: how near G is to its target, the options, runs, and pictures."""

import csv
import dataclasses
import functools
import io
import itertools
import json
import math
import re
import shlex
import statistics
import types

import matplotlib.colors
import matplotlib.figure
import matplotlib.image
import matplotlib.style
import numpy as np
import oracle
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf
from conftest import built, call_main, trained

import gan_1d
from gan_1d import (
    RECIPES,
    Discriminator,
    GenDataLoader,
    Generator,
    RealDataLoader,
    Settings,
    distance_to_target,
    draw_block,
    judge,
    parse_settings,
    summarise,
    verdict,
    yardstick,
)

POINTS = 2000
LEVELS = (np.arange(POINTS) + 0.5) / POINTS
TARGETS = [(-1, 1), (3, 2), (0.5, 0.01)]  # mu, sigma


# ------------------------------------------------------------------------------------ the measures
def quantiles(mu=-1, sigma=1, levels=LEVELS):
    """Return quantiles of N(mu, sigma)."""
    target = statistics.NormalDist(mu, sigma)
    return np.array([target.inv_cdf(level) for level in levels])


def cdf(values, mu=-1, sigma=1):
    """Return the distribution function of N(mu, sigma)."""
    return np.vectorize(statistics.NormalDist(mu, sigma).cdf)(values)


def measured(values, mu=-1, sigma=1):
    """Return what `distance_to_target` says of these quantiles of G."""
    return distance_to_target(np.reshape(values, (-1, 1)), Settings(mu=mu, sigma=sigma))


def ks_statistic(samples, distribution):
    """Return the one-sample KS statistic of each row of samples, from its definition."""
    samples = np.sort(samples)
    count = samples.shape[-1]
    steps = np.arange(count) / count
    values = distribution(samples)
    return np.maximum(values - steps, steps + 1 / count - values).max(-1)


@pytest.mark.parametrize(("mu", "sigma"), TARGETS)
def test_the_targets_own_quantiles_are_at_distance_zero_in_any_order(mu, sigma):
    values = np.random.default_rng(0).permutation(quantiles(mu, sigma))
    metrics = measured(values, mu, sigma)
    for name in ("w1", "ks", "tail_error"):
        assert metrics[name] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("mu", "sigma"), TARGETS)
@pytest.mark.parametrize("shift", [-0.3, 0.3])  # in the target's deviations
def test_a_shift_is_as_far_as_it_shifts(mu, sigma, shift):
    metrics = measured(quantiles(mu, sigma) + shift * sigma, mu, sigma)
    assert metrics["w1"] == pytest.approx(0.3 * sigma)
    assert metrics["tail_error"] == pytest.approx(0.3)
    assert metrics["ks"] == pytest.approx(2 * statistics.NormalDist().cdf(0.15) - 1, abs=1e-3)
    assert metrics["told_apart_by"] == pytest.approx(130, abs=2)  # (1.358 / 0.1192)**2


def test_a_point_mass_is_at_its_known_distance():
    metrics = measured(np.full(POINTS, 3.0), mu=3, sigma=2)
    assert metrics["w1"] == pytest.approx(2 * math.sqrt(2 / math.pi), abs=1e-3)
    assert metrics["ks"] == pytest.approx(0.5, abs=1e-3)
    assert metrics["told_apart_by"] == 8  # (1.358 / 0.5)**2 is 7.4


@pytest.mark.parametrize("half", [slice(None, POINTS // 2), slice(POINTS // 2, None)])
def test_ks_sees_a_distribution_function_above_the_targets_and_one_below(half):
    assert measured(np.repeat(quantiles()[half], 2))["ks"] == pytest.approx(0.5, abs=2e-3)


def test_a_map_that_folds_the_noise_counts_by_its_values():
    z = 2 * LEVELS - 1
    folded = quantiles(levels=np.abs(z))  # z and -z to one value: still the target's distribution
    metrics = measured(folded)
    assert (metrics["w1"], metrics["ks"]) == pytest.approx((0, 0), abs=2e-3)


@pytest.mark.parametrize("tail", [slice(None, 40), slice(-40, None)])
def test_the_tail_error_sees_one_tail_of_two_percent(tail):
    values = quantiles(mu=3, sigma=2)
    values[tail] += 1.4 * np.sign(values[tail] - 3)
    metrics = measured(values, mu=3, sigma=2)
    assert metrics["tail_error"] == pytest.approx(0.7)
    assert metrics["ks"] < 0.02


@pytest.mark.parametrize(("mu", "sigma"), TARGETS)
def test_the_targets_own_quantiles_have_its_mean_and_deviation(mu, sigma):
    metrics = measured(quantiles(mu, sigma), mu, sigma)
    assert metrics["g_mean"] == pytest.approx(mu, abs=1e-9)
    assert metrics["g_std"] == pytest.approx(sigma, rel=1e-3)


def test_mean_deviation_and_quantiles_are_those_of_g():
    metrics = measured(np.random.default_rng(0).permutation(10 + 2 * LEVELS**2))
    assert metrics["g_mean"] == pytest.approx(10 + 2 / 3, abs=1e-5)
    assert metrics["g_std"] == pytest.approx(2 * math.sqrt(4 / 45), abs=1e-5)
    for percent in (5, 25, 50, 75, 95):
        assert metrics[f"g_q{percent:02d}"] == pytest.approx(
            10 + 2 * (percent / 100) ** 2, abs=1e-5
        )


def test_a_g_that_equals_its_target_takes_a_whole_number_of_real_draws_too():
    told_apart_by = measured(quantiles())["told_apart_by"]
    assert type(told_apart_by) is int
    assert 10_000 < told_apart_by < 1e9


@pytest.mark.parametrize(("mu", "sigma"), [(-0.7, 1), (-1.3, 1), (0, 1), (-1, 0.5), (-1, 1.5)])
def test_so_many_real_draws_as_told_apart_by_do_tell_and_a_tenth_of_them_do_not(mu, sigma):
    """Test for G's own distribution N(mu, sigma), on sets of draws from the target N(-1, 1).

    With told_apart_by draws the gap alone is as wide as the test's line, and the draws' scatter
    mostly widens it: the test rejects G in more than half of the cases, in 83 to 98 of 100 for
    these. With a tenth of the draws it does in 17 of 100 at most, and would in 5 if G were right.
    """
    count = measured(quantiles(mu, sigma))["told_apart_by"]
    rng = np.random.default_rng(0)
    rejected = {}
    for draws in (count, max(1, count // 10)):
        sets = rng.normal(-1, 1, (1000, draws))
        ks = ks_statistic(sets, functools.partial(cdf, mu=mu, sigma=sigma))
        rejected[draws] = np.mean(ks > 1.358 / math.sqrt(draws))
    enough, few = rejected.values()
    assert enough > 0.7
    assert few < 0.25


@pytest.fixture(scope="module")
def real_batches():
    """Return sorted batches of 200 real data, N(3, 2)."""
    rng = np.random.default_rng(0)
    return np.sort(RealDataLoader(200, 3, 2, rng).next_batches(3000)[:, :, 0].astype(float))


def test_95_of_100_batches_of_real_data_have_a_ks_below_the_yardsticks(real_batches):
    ks = ks_statistic(real_batches, functools.partial(cdf, mu=3, sigma=2))
    line, _ = yardstick(Settings(mu=3, sigma=2))
    assert np.mean(ks < line) == pytest.approx(0.95, abs=0.015)


def test_half_of_the_batches_of_real_data_have_a_w1_below_the_yardsticks(real_batches):
    levels = (np.arange(200) + 0.5) / 200
    w1 = np.abs(real_batches - quantiles(3, 2, levels)).mean(1)
    _, typical = yardstick(Settings(mu=3, sigma=2))
    assert np.median(w1) == pytest.approx(typical, rel=0.03)


def test_the_yardstick_shrinks_with_the_root_of_the_batch_and_grows_with_the_target():
    ks, w1 = yardstick(Settings(size=200))
    assert yardstick(Settings(size=800)) == pytest.approx((ks / 2, w1 / 2))
    assert yardstick(Settings(size=200, sigma=3)) == pytest.approx((ks, 3 * w1))


# ------------------------------------------------------------------------------------ the verdict
LINE = 1.358 / math.sqrt(200)
GOOD = {"d1_mean": 0.51, "d2_mean": 0.48, "ks": 0.05, "w1": 0.1, "told_apart_by": 738}
BAD = GOOD | {"ks": 0.321, "w1": 0.654, "told_apart_by": 18}


def worded(final, settings=None):
    """Return the verdict without its numbers."""
    return [re.sub(r"\d[\d.,]*", "0", line) for line in verdict(final, settings or Settings())]


@pytest.mark.parametrize("name", ["d1_mean", "d2_mean"])
@pytest.mark.parametrize(
    ("value", "near"), [(0.39, False), (0.41, True), (0.59, True), (0.61, False)]
)
def test_d_is_near_one_half_when_both_means_are_within_a_tenth(name, value, near):
    final = GOOD | {name: value}
    assert judge(final, Settings())[0] == near
    assert (worded(final) == worded(GOOD)) == near


@pytest.mark.parametrize(("ks", "matches"), [(0.99 * LINE, True), (1.01 * LINE, False)])
def test_g_is_as_near_as_a_real_batch_when_its_ks_is_below_the_yardsticks(ks, matches):
    final = GOOD | {"ks": ks}
    assert judge(final, Settings())[1] == matches
    assert (worded(final)[1] == worded(GOOD)[1]) == matches


def test_d_at_one_half_is_said_to_show_nothing_when_g_is_far():
    (warning,) = set(worded(BAD)) - set(worded(GOOD)) - set(worded(BAD | {"d1_mean": 0.9}))
    assert "not" in warning.split()


def test_the_verdict_has_its_numbers_in_their_places():
    text = " ".join(verdict(BAD | {"told_apart_by": 12_345}, Settings(size=150, sigma=3)))
    assert re.search(r"batch of 150\D*KS 0\.321, W1 0\.654", text)
    assert re.search(r"KS below 0\.111\D*W1 is 0\.287", text)  # 1.358 and 3 * 1.17 by root 150
    assert re.search(r"\D12,345 real", text)


REACH = [
    ({"mu": 2}, None),
    ({"mu": 2.1}, 6),
    ({"mu": -3}, 6),
    ({"sigma": 2}, 7),
    ({"mu": 0, "sigma": 2, "output_scale": 6}, None),
    ({"mu": 0, "sigma": 0.1, "output_scale": 0.2}, 1),
    ({"mu": 0, "sigma": 1.5, "output_scale": 4.7}, None),  # it reaches to 4.5
]


@pytest.mark.parametrize(("target", "needed"), REACH)
def test_a_target_beyond_gs_reach_is_said_to_be_with_the_scale_that_reaches_it(target, needed):
    lines = verdict(GOOD, Settings(**target))
    scales = [word for line in lines for word in re.findall(r"--output-scale (\S+)", line)]
    assert scales == ([] if needed is None else [str(needed)])


def test_a_target_beyond_gs_reach_is_said_to_be_before_training(tmp_path):
    flags = shlex.split("--mu 3 --epoch 1 --size 5 --no-xla --no-plots --output-dir")
    lines = call_main(*flags, tmp_path / "run").out.splitlines()
    assert "--output-scale 6" in lines[0]
    assert any(line.startswith("iteration") for line in lines[1:])


def advised(settings, final=BAD):
    """Return the settings of the command that the verdict advises, or None if it advises none."""
    commands = [line for line in verdict(final, settings) if "gan_1d.py" in line]
    if not commands:
        return None
    (command,) = commands
    words = shlex.split(command)
    (place,) = [k for k, word in enumerate(words) if word.endswith("gan_1d.py")]
    return parse_settings(words[place + 1 :])


ADVISED_FOR = [
    {},
    {"seed": 7, "mu": 0.5, "sigma": 0.7},
    {"mu": -3.0, "sigma": 0.5, "epoch": 10, "size": 50, "log_every": 3, "optimizer": "sgd"},
    {"output_dir": "a folder/of mine", "print_pairs": True, "animate": True, "overwrite": True},
    {"output_dir": "ends/with/", "xla": False, "plots": False},
    {"output_dir": "-begins with a dash", "mu": -1e-5},  # where argparse sees a flag
]


@pytest.mark.parametrize("values", ADVISED_FOR)
def test_the_verdict_advises_the_recommended_recipe_for_the_same_target_and_seed(values):
    settings = Settings(**values)
    same = {name: getattr(settings, name) for name in ("mu", "sigma", "seed", "xla", "plots")}
    expected = Settings(**RECIPES["recommended"], **same)
    found = advised(settings)
    assert dataclasses.replace(found, output_dir=expected.output_dir) == expected


@pytest.mark.parametrize("values", ADVISED_FOR)
def test_the_advised_command_never_replaces_the_run_that_it_is_compared_with(values):
    settings = Settings(**values)
    old, new = (settings.output_dir.rstrip("/"), advised(settings).output_dir.rstrip("/"))
    assert old != new
    assert not new.startswith(f"{old}/")


@pytest.mark.parametrize(("target", "scale"), [({"mu": 4}, 7), ({"sigma": 3, "mu": 0}, 9)])
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_advised_command_reaches_a_target_out_of_reach(target, scale, recipe):
    assert advised(Settings(**RECIPES[recipe], **target)).output_scale == scale


def test_nothing_is_advised_when_g_is_near_enough():
    assert advised(Settings(), GOOD) is None


@pytest.mark.parametrize("values", [{}, {"seed": 3, "mu": 0, "print_pairs": True}])
def test_nothing_is_advised_when_the_recommended_recipe_was_used(values):
    assert advised(Settings(**RECIPES["recommended"], **values)) is None


@pytest.mark.parametrize("target", [{"mu": 400}, {"mu": -400}, {"mu": 3, "sigma": 0.01}])
def test_no_command_is_advised_for_a_hopeless_target(target):
    assert advised(Settings(**target)) is None


# ---------------------------------------------------------- every setting, in training and after it
ODD = {"epoch": 6, "d_steps": 3, "size": 30, "hidden_size": 4, "hidden_size_g": 8, "seed": 5}
ODD |= {"low": -3, "high": 7, "noise": "stratified", "mu": 2, "sigma": 0.5, "output_scale": 9}
ODD |= {"learning_rate": 0.1, "learning_rate_g": 0.04, "momentum": 0.3, "decay_rate": 0.8}
ODD |= {"init": "glorot_uniform", "log_every": 1}


@pytest.fixture(scope="module")
def odd():
    """Train with other settings than the article's throughout."""
    return trained(**ODD)


def block_of(gan, number=0):
    """Return the batches of a whole block, in the shapes of a GAN's inputs."""
    return draw_block(gan.settings, number, gan.x_block.shape[0])


def start_of(gan, sess, seed=0):
    """Set the variables to their start; return theta_g and theta_d in float64."""
    sess.run(gan.init, {gan.seed_node: seed})
    values = sess.run([gan.theta_g, gan.theta_d])
    return [[value.astype(float) for value in theta] for theta in values]


def largest_gap(found, expected):
    """Return the largest difference between some variables and others."""
    return max(np.abs(a - b).max() for a, b in zip(found, expected, strict=True))


def test_training_takes_the_oracles_steps_with_other_settings_throughout(odd):
    gan = built(**ODD)
    with gan.session() as sess:
        theta_g, theta_d = start_of(gan, sess, seed=5)
    before = [value.copy() for value in theta_g + theta_d]
    x, z = (batches[:6].astype(float) for batches in block_of(gan))
    like = {"epoch": 6, "momentum": 0.3, "decay_rate": 0.8}
    optimizer_g = oracle.Momentum(theta_g, learning_rate=0.04, **like)
    optimizer_d = oracle.Momentum(theta_d, learning_rate=0.1, **like)
    oracle.train(optimizer_g, optimizer_d, x, z, scale=9)
    found = list(odd.weights.values())
    assert largest_gap(found, theta_g + theta_d) < 1e-5
    assert largest_gap(found[:6], before[:6]) > 1e-3
    assert largest_gap(found[6:], before[6:]) > 1e-3


@pytest.mark.parametrize(("mu", "sigma"), TARGETS)
def test_real_batches_are_drawn_from_the_target(mu, sigma):
    x, _ = draw_block(Settings(mu=mu, sigma=sigma), 0, 100)
    ks = ks_statistic(x[:, :, :, 0].ravel()[None].astype(float), lambda v: cdf(v, mu, sigma))
    assert ks[0] < 1.63 / math.sqrt(x.size)


def test_noise_batches_are_drawn_from_low_to_high():
    _, z = draw_block(Settings(low=2, high=7), 0, 100)
    ks = ks_statistic(z.ravel()[None].astype(float), lambda values: (values - 2) / 5)
    assert ks[0] < 1.63 / math.sqrt(z.size)


def test_stratified_noise_is_evenly_spaced_with_jitter_of_a_hundredth():
    rng = np.random.default_rng(0)
    z = GenDataLoader(200, -5, 5, rng, "stratified").next_batches(50)[:, :, 0]
    jitter = z - np.linspace(-5, 5, 200)
    ks = ks_statistic(jitter.ravel()[None], lambda values: values / 0.01)
    assert ks[0] < 1.63 / math.sqrt(z.size)


def test_stratified_noises_jitter_is_drawn_anew_for_each_batch():
    _, z = draw_block(Settings(noise="stratified", size=50), 0, 10)
    batches = z.reshape(30, 50)
    apart = [np.abs(a - b).mean() for a, b in itertools.combinations(batches, 2)]
    assert min(apart) > 0.001  # two independent jitters are 0.0033 apart on average


@pytest.mark.parametrize("noise", ["uniform", "stratified"])
def test_the_noises_quantiles_stand_for_equal_shares_of_it(noise):
    loader = GenDataLoader(100_000, 2, 7, np.random.default_rng(0), noise)
    z = np.sort(loader.next_batch()[:, 0])
    expected = np.interp(LEVELS, np.linspace(0, 1, z.size), z)
    found = loader.quantiles(POINTS)
    assert found.shape == (POINTS, 1)
    assert np.allclose(found[:, 0], expected, atol=0.03)


@pytest.mark.parametrize("ask", [GenDataLoader.next_batch, lambda loader: loader.quantiles(9)])
def test_an_unknown_kind_of_noise_is_refused(ask):
    with pytest.raises(ValueError, match="gaussian"):
        ask(GenDataLoader(noise="gaussian"))


def test_networks_have_the_numbers_of_units_that_were_asked_for(odd):
    units = {name: array.shape[1] for name, array in odd.weights.items()}
    for scope, count in (("generator", 8), ("discriminator", 4)):
        expected = [count, count, count, count, 1, 1]
        assert [units[f"{scope}/{name}"] for name in oracle.NAMES] == expected


def test_the_grid_is_gs_map_of_the_whole_noise(odd):
    z, G = odd.grid
    count = len(z)
    assert np.allclose(z, -3 + 10 * (np.arange(count) + 0.5) / count)
    theta_g = list(odd.weights.values())[:6]
    assert np.allclose(G, oracle.generate(z[:, None], theta_g, scale=9)[:, 0], atol=1e-4)


def test_metrics_are_those_of_gs_exact_distribution(odd):
    expected = distance_to_target(odd.grid[1][:, None], odd.settings)
    assert expected.items() <= odd.final.items()
    assert expected.items() <= odd.history[-1].items()


def test_samples_are_gs_of_noise_of_the_runs_own_kind():
    """Compare with G's exact distribution: 10,000 independent draws would be 0.004 off or more."""
    settings = {"epoch": 1, "size": 5, "low": -40, "high": 40, "init": "classic"}
    result = trained(**settings, noise="stratified")
    rising = np.sort(result.grid[1])
    share = np.searchsorted(rising, np.sort(result.samples[:, 0])) / len(rising)
    even = (np.arange(10_000) + 0.5) / 10_000
    assert result.samples.shape == (10_000, 1)
    assert len(np.unique(result.samples)) > 9_000
    assert np.abs(share - even).max() < 0.002


@pytest.mark.parametrize("size", [30, 12_000])
def test_the_real_batch_of_a_result_has_the_size_of_a_batch(odd, size):
    result = odd if size == 30 else trained(epoch=1, size=size)
    assert (result.real.shape, result.real.dtype) == ((size, 1), np.float32)


def test_the_real_batch_of_a_result_is_drawn_from_the_target(odd):
    assert ks_statistic(odd.real.T.astype(float), lambda v: cdf(v, 2, 0.5))[0] < 1.63 / 30**0.5


def test_d1_in_the_report_is_ds_answer_to_fresh_real_data(odd):
    theta_d = list(odd.weights.values())[6:]
    D = oracle.discriminate(quantiles(2, 0.5)[:, None], theta_d)
    assert odd.final["d1_mean"] == pytest.approx(D.mean(), abs=5 * D.std() / 100)
    seen = oracle.discriminate(odd.real.astype(float), theta_d)
    assert odd.final["d1_min"] <= seen.min() + 1e-6
    assert odd.final["d1_max"] >= seen.max() - 1e-6


def test_d1s_extremes_in_the_report_are_those_of_many_real_draws(odd):
    theta_d = list(odd.weights.values())[6:]
    for name, extreme in (("d1_min", np.min), ("d1_max", np.max)):
        reached, beyond = (
            extreme(oracle.discriminate(np.linspace(2 - far, 2 + far, 999)[:, None], theta_d))
            for far in (3 * 0.5, 5 * 0.5)  # 10,000 draws reach between 3 and 5 deviations
        )
        least, most = sorted([reached, beyond])
        assert least - 1e-6 <= odd.final[name] <= most + 1e-6


@pytest.mark.parametrize("statistic", ["mean", "min", "max"])
def test_d2_in_the_report_is_ds_answer_to_gs_samples(odd, statistic):
    theta_d = list(odd.weights.values())[6:]
    D = oracle.discriminate(odd.samples.astype(float), theta_d)
    assert odd.final[f"d2_{statistic}"] == pytest.approx(getattr(D, statistic)(), abs=1e-5)


def test_the_curve_is_ds_answer_across_the_target_and_gs_samples(odd):
    x, D = odd.curve
    assert (np.diff(x) > 0).all()
    assert x[0] <= min(0, odd.samples.min())
    assert x[-1] >= max(4, odd.samples.max())
    theta_d = list(odd.weights.values())[6:]
    assert np.allclose(D, oracle.discriminate(x[:, None], theta_d)[:, 0], atol=1e-5)


# --------------------------------------------------------------------------------- R1 and averages
def test_r1_adds_the_gradient_of_its_penalty_to_ds_step():
    gan = built(optimizer="sgd", learning_rate=0.5, r1_gamma=3)
    x, z = (batches[0, 0].astype(float) for batches in block_of(gan))
    with gan.session() as sess:
        theta_g, theta_d = start_of(gan, sess)
        sess.run(gan.train_op_d, {gan.x_node: x, gan.z_node: z})
        found = [(a - b) / 0.5 for a, b in zip(theta_d, sess.run(gan.theta_d), strict=True)]
    article = oracle.gradient_d(x, z, theta_g, theta_d)
    penalty = functools.partial(oracle.penalty, x, theta_d, 3)
    for gradient, one, other in zip(
        found, article, oracle.differences(penalty, theta_d), strict=True
    ):
        assert np.allclose(gradient, one + other, atol=1e-4, rtol=1e-4)
    assert max(np.abs(other).max() for other in oracle.differences(penalty, theta_d)) > 0.1


def test_r1_leaves_gs_step_alone():
    gan = built(optimizer="sgd", learning_rate=0.5, r1_gamma=3)
    _, z = (batches[0, 0].astype(float) for batches in block_of(gan))
    with gan.session() as sess:
        theta_g, theta_d = start_of(gan, sess)
        sess.run(gan.train_op_g, {gan.z_node: z})
        found = [(a - b) / 0.5 for a, b in zip(theta_g, sess.run(gan.theta_g), strict=True)]
    for gradient, expected in zip(found, oracle.gradient_g(z, theta_g, theta_d), strict=True):
        assert np.allclose(gradient, expected, atol=1e-4)


def averaged(average, values):
    """Return the next average with a decay of 0.9."""
    return [0.9 * a + 0.1 * b for a, b in zip(average, values, strict=True)]


def test_the_average_of_gs_weights_is_taken_after_each_of_its_steps_and_restarts_with_init():
    gan = built(ema_decay=0.9, learning_rate=0.1)
    z = block_of(gan)[1][0, 0]
    with gan.session() as sess:
        for seed in (0, 1):
            average, _ = start_of(gan, sess, seed)
            for _ in range(5):
                for found, expected in zip(sess.run(gan.theta_sampled), average, strict=True):
                    assert np.allclose(found, expected, atol=1e-5)
                sess.run(gan.train_op_g, {gan.z_node: z})
                average = averaged(average, sess.run(gan.theta_g))
            sampled, G = sess.run([gan.sampled, gan.G], {gan.z_node: z})
            assert np.allclose(sampled, oracle.generate(z, average), atol=1e-4)
            assert not np.allclose(sampled, G, atol=1e-2)


AVERAGED = {"epoch": 6, "size": 20, "ema_decay": 0.9, "learning_rate": 0.1, "log_every": 1}


@pytest.fixture(scope="module")
def averages():
    """Take the steps of a run by hand; return it, the averages of G's weights, and G's weights."""
    gan = built(**AVERAGED)
    x, z = block_of(gan)
    taken = []
    with gan.session() as sess:
        average, _ = start_of(gan, sess)
        for i in range(6):
            for j in range(2):
                sess.run(gan.train_op_d, {gan.x_node: x[i, j], gan.z_node: z[i, j]})
            sess.run(gan.train_op_g, {gan.z_node: z[i, 2]})
            average = averaged(average, sess.run(gan.theta_g))
            taken.append(average)
        return types.SimpleNamespace(
            run=trained(**AVERAGED), taken=taken, theta_g=sess.run(gan.theta_g)
        )


def test_a_result_has_the_averaged_weights_of_g(averages):
    for found, expected in zip(averages.run.weights.values(), averages.taken[-1], strict=False):
        assert np.allclose(found, expected, atol=1e-4)


def test_metrics_are_those_of_the_averaged_g(averages):
    z = averages.run.grid[0][:, None]
    settings = averages.run.settings
    for row, average in zip(averages.run.history, averages.taken, strict=True):
        expected = distance_to_target(oracle.generate(z, average), settings)
        assert (row["w1"], row["ks"]) == pytest.approx((expected["w1"], expected["ks"]), abs=2e-3)
    assert averages.run.final["w1"] == pytest.approx(expected["w1"], abs=1e-3)
    plain = distance_to_target(oracle.generate(z, averages.theta_g), settings)
    assert abs(plain["w1"] - expected["w1"]) > 0.01


def test_the_pictured_map_is_that_of_the_averaged_g(averages):
    z, G = averages.run.grid
    expected = oracle.generate(z[:, None], averages.taken[-1])[:, 0]
    assert np.allclose(G, expected, atol=1e-3)
    assert not np.allclose(G, oracle.generate(z[:, None], averages.theta_g)[:, 0], atol=1e-2)
    maps = [line.get_ydata() for line in lines_of(gan_1d.draw_distribution, averages.run)]
    assert any(np.array_equal(G, drawn) for drawn in maps)


def test_samples_come_from_the_averaged_g(averages):
    z = averages.run.grid[0][:, None]
    samples = np.sort(averages.run.samples[:, 0])[::5]
    gaps = [
        np.abs(samples - np.sort(oracle.generate(z, theta)[:, 0])).mean()
        for theta in (averages.taken[-1], averages.theta_g)
    ]
    assert gaps[0] < gaps[1] / 3


def test_options_that_are_off_leave_no_variable_in_the_graph():
    with built().graph.as_default():
        names = [variable.op.name for variable in tf.global_variables()]
    weights = [
        f"{scope}/{name}" for scope in ("generator", "discriminator") for name in oracle.NAMES
    ]
    slots = [f"{name}/Momentum" for name in weights]
    assert {name for name in names if "/" in name} == {*weights, *slots}
    assert len(names) == 26  # and two counters


def test_options_that_are_off_leave_no_op_in_the_graph():
    gan = built()
    assert gan.sampled is gan.G
    assert gan.theta_sampled is gan.theta_g
    # D's step goes back through the two tanh of each of its uses once: R1 would do so again.
    kinds = [op.type for op in gan.graph.get_operations() if op.name.startswith("train_op_d/")]
    assert kinds.count("TanhGrad") == 4


@pytest.mark.parametrize(("d_steps", "xla"), [(2, True), (6, False)])
def test_the_loop_with_r1_and_averages_takes_the_same_steps_as_single_ops(d_steps, xla):
    settings = {"optimizer": "adam", "beta1": 0.0, "r1_gamma": 3, "ema_decay": 0.9}
    gan = built(epoch=3, size=20, d_steps=d_steps, xla=xla, **settings)
    x, z = block_of(gan)
    shown = [*gan.theta_sampled, *gan.theta_g, *gan.theta_d]
    with gan.session() as sess:
        sess.run(gan.init)
        sess.run(gan.loop, {gan.x_block: x, gan.z_block: z, gan.start: 0, gan.stop: 3})
        by_loop = sess.run(shown)
        sess.run(gan.init)
        for i in range(3):
            for j in range(d_steps):
                sess.run(gan.train_op_d, {gan.x_node: x[i, j], gan.z_node: z[i, j]})
            sess.run(gan.train_op_g, {gan.z_node: z[i, d_steps]})
        by_steps = sess.run(shown)
    for a, b in zip(by_loop, by_steps, strict=True):
        assert np.allclose(a, b, atol=1e-5)


# ----------------------------------------------------------------------- the article's alternatives
@pytest.mark.parametrize(
    ("optimizer", "values", "steps"),
    [
        ("momentum", {"momentum": 0.2}, functools.partial(oracle.Momentum, momentum=0.2)),
        ("sgd", {}, functools.partial(oracle.Momentum, momentum=0)),
        ("adam", {}, oracle.Adam),
        ("adam", {"beta1": 0.0}, functools.partial(oracle.Adam, beta1=0.0)),
    ],
)
def test_optimizers_take_their_own_steps(optimizer, values, steps):
    rates = {"learning_rate": 0.02, "decay_rate": 0.7}
    gan = built(optimizer=optimizer, epoch=4, size=20, learning_rate_g=0.005, **values, **rates)
    x, z = (batches[:3] for batches in block_of(gan))
    with gan.session() as sess:
        theta_g, theta_d = start_of(gan, sess)
        before = [value.copy() for value in theta_g + theta_d]
        for i in range(3):
            for j in range(2):
                sess.run(gan.train_op_d, {gan.x_node: x[i, j], gan.z_node: z[i, j]})
            sess.run(gan.train_op_g, {gan.z_node: z[i, 2]})
        after = sess.run(gan.theta_g + gan.theta_d)
    optimizer_g = steps(theta_g, 4, learning_rate=0.005, decay_rate=0.7)
    optimizer_d = steps(theta_d, 4, learning_rate=0.02, decay_rate=0.7)
    oracle.train(optimizer_g, optimizer_d, x.astype(float), z.astype(float))
    # Adam divides by the gradient's size, which makes much of rounding where that is small.
    assert largest_gap(after, theta_g + theta_d) < (2e-3 if optimizer == "adam" else 1e-5)
    assert largest_gap(after[:6], before[:6]) > 0.002
    assert largest_gap(after[6:], before[6:]) > 0.02


def test_learning_rate_g_is_gs_alone_and_decay_rate_that_of_both(odd):
    first, second = odd.history[:2]
    assert first["learning_rate_d"] == pytest.approx(0.1 * 0.8**2)  # of the third of D's steps
    assert second["learning_rate_d"] == pytest.approx(0.1 * 0.8**5)
    assert first["learning_rate_g"] == pytest.approx(0.04)
    assert second["learning_rate_g"] == pytest.approx(0.04 * 0.8)


@functools.cache
def started(init):
    """Return the start of G and of D, by the variables' names, for layers of 100 units."""
    gan = built(**({} if init == Settings.init else {"init": init}), hidden_size=100)
    with gan.session() as sess:
        theta = start_of(gan, sess)
    names = ("generator", "discriminator")
    return {
        name: dict(zip(oracle.NAMES, values, strict=True))
        for name, values in zip(names, theta, strict=True)
    }


def truncated(values, std):
    """Return the distribution function of N(0, std), cut at two deviations."""
    share = cdf(np.clip(values, -2 * std, 2 * std), 0, std)
    low, high = cdf(np.array([-2, 2]), 0, 1)
    return (share - low) / (high - low)


def even(values, limit):
    """Return the distribution function of uniform numbers from -limit to limit."""
    return (np.clip(values, -limit, limit) + limit) / (2 * limit)


WEIGHTS = {
    "normal": lambda values, inputs, outputs: cdf(values, 0, 1),
    "truncated_normal": lambda values, inputs, outputs: truncated(values, 1),
    "classic": lambda values, inputs, outputs: truncated(values, 0.1),
    "glorot_uniform": lambda values, inputs, outputs: even(values, (6 / (inputs + outputs)) ** 0.5),
    "fan_in": lambda values, inputs, outputs: even(values, inputs**-0.5),
}


@pytest.mark.parametrize("network", ["generator", "discriminator"])
@pytest.mark.parametrize("init", WEIGHTS)
def test_weights_of_each_layer_start_from_the_distribution_that_init_names(init, network):
    for layer in (1, 2, 3):
        weight = started(init)[network][f"weight{layer}"]
        values = weight.ravel()[None]
        ks = ks_statistic(values, lambda v, shape=weight.shape: WEIGHTS[init](v, *shape))
        assert ks[0] < 1.63 / math.sqrt(weight.size)
        if init not in ("normal",):
            low, high = WEIGHTS[init](np.array([values.min(), values.max()]), *weight.shape)
            assert 0 < low < high < 1  # nothing lies outside


@pytest.mark.parametrize("network", ["generator", "discriminator"])
@pytest.mark.parametrize(
    ("init", "start"),
    [("normal", 0), ("truncated_normal", 0), ("glorot_uniform", 0), ("classic", 0.1)],
)
def test_biases_start_at_zero_or_with_classic_at_a_tenth(init, start, network):
    for layer in (1, 2, 3):
        assert np.allclose(started(init)[network][f"bias{layer}"], start)


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_fan_in_draws_biases_too_as_far_as_the_root_of_the_layers_inputs_allows(network):
    start = started("fan_in")[network]
    for layer, limit in ((1, 1), (2, 0.1), (3, 0.1)):
        bias = start[f"bias{layer}"]
        assert 0 < np.abs(bias).min() <= np.abs(bias).max() < limit
        assert ks_statistic(bias, lambda v, limit=limit: even(v, limit))[0] < 1.63 / bias.size**0.5
    assert np.abs(np.corrcoef(start["bias1"][0], start["bias2"][0])[0, 1]) < 0.4
    assert np.abs(np.corrcoef(start["bias1"][0], start["weight1"][0])[0, 1]) < 0.4


def test_networks_take_other_numbers_of_inputs_and_outputs():
    z = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        G, theta_g = Generator(tf.constant(z), 3, hidden_size=4, output_size=2).get_param()
        D, theta_d = Discriminator(G, input_size=2, hidden_size=5).get_param()
        values, theta = gan_1d.mlp(tf.constant(z), [3, 4, 5, 2])
        sess.run(tf.global_variables_initializer())
        G, theta_g, D, theta_d, values, theta = sess.run([G, theta_g, D, theta_d, values, theta])
    assert (G.shape, D.shape, values.shape) == ((7, 2), (7, 1), (7, 2))
    assert np.allclose(G, oracle.generate(z, theta_g), atol=1e-5)
    assert np.allclose(D, oracle.discriminate(G, theta_d), atol=1e-5)
    assert np.allclose(values, oracle.forward(z, theta)[2], atol=1e-5)


# ------------------------------------------------------------------------------------- pre-training
AHEAD = {"pretrain": 7, "epoch": 4, "size": 20, "log_every": 1}


def test_pretraining_takes_ds_steps_alone_then_its_rate_starts_again():
    gan = built(**AHEAD)
    with gan.session() as sess:
        theta_g, theta_d = start_of(gan, sess)
    optimizer_g, optimizer_d = (oracle.Momentum(theta, 4) for theta in (theta_g, theta_d))
    before, after = block_of(gan, -1), block_of(gan)
    x, z = (batches[-7:].astype(float) for batches in before)
    for i in range(7):
        for j in range(2):
            optimizer_d.step(oracle.gradient_d(x[i, j], z[i, j], theta_g, theta_d))
    optimizer_d.steps = 0
    oracle.train(optimizer_g, optimizer_d, *(batches[:4].astype(float) for batches in after))
    for found, expected in zip(trained(**AHEAD).weights.values(), theta_g + theta_d, strict=True):
        assert np.allclose(found, expected, atol=1e-4)


def test_pretraining_is_neither_logged_nor_counted_among_the_iterations():
    rows = trained(**AHEAD).history
    assert [row["iteration"] for row in rows] == [0, 1, 2, 3]
    rates = [row["learning_rate_d"] for row in rows]
    assert rates == pytest.approx([0.01 * 0.95 ** (2 * i + 1) for i in range(4)])


def test_pretraining_leaves_g_where_it_starts():
    gan = built(**AHEAD)
    x, z = block_of(gan, -1)
    with gan.session() as sess:
        theta_g, theta_d = start_of(gan, sess)
        sess.run(gan.pretraining, {gan.x_block: x, gan.z_block: z, gan.start: 0, gan.stop: 7})
        after_g, after_d = sess.run([gan.theta_g, gan.theta_d])
    assert all(np.array_equal(a, b) for a, b in zip(theta_g, after_g, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(theta_d, after_d, strict=True))


# ------------------------------------------------------------------------------------------ recipes
def test_the_recipes_are_the_articles_and_the_recommended_one():
    assert list(RECIPES) == ["article", "recommended"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_stands_for_its_settings(recipe):
    assert parse_settings(["--recipe", recipe]) == Settings(**RECIPES[recipe])


def test_without_a_recipe_the_settings_are_the_articles():
    assert parse_settings([]) == parse_settings(["--recipe", "article"]) == Settings()


@pytest.mark.parametrize(
    ("flags", "values"),
    [
        ("--epoch 500", {"epoch": 500}),
        ("--epoch 10000", {"epoch": 10_000}),  # the default, but it was asked for
        ("--optimizer momentum --init normal", {"optimizer": "momentum", "init": "normal"}),
        ("--ema-decay 0 --seed 3", {"ema_decay": 0.0, "seed": 3}),
    ],
)
@pytest.mark.parametrize("recipe_first", [True, False])
def test_flags_beside_a_recipe_win(flags, values, recipe_first):
    recipe, others = ["--recipe", "recommended"], flags.split()
    words = recipe + others if recipe_first else others + recipe
    assert parse_settings(words) == Settings(**RECIPES["recommended"] | values)


def test_the_recommended_recipe_brings_g_as_near_as_a_real_batch_in_a_third_of_its_time():
    settings = Settings(**RECIPES["recommended"] | {"epoch": 4000})
    final = gan_1d.train(settings).final
    assert judge(final, settings) == (True, True)
    assert final["told_apart_by"] > 500  # 948 and more for seeds 0 to 11


# ---------------------------------------------------------------------------------------- many runs
MANY = shlex.split("--epoch 40 --size 20 --no-xla --ema-decay 0.9 --seed 5 --runs 3")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Train three seeds, one at a time and two at once: what was printed, and the folders."""
    found = {}
    for jobs in (1, 2):
        folder = tmp_path_factory.mktemp("runs") / "here"
        done = call_main(*MANY, "--jobs", jobs, "--output-dir", folder)
        assert done.status == 0
        found[jobs] = types.SimpleNamespace(folder=folder, lines=done.out.splitlines())
    return found


def table(folder):
    """Return the rows of runs.csv."""
    with open(folder / "runs.csv", newline="") as file:
        return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_runs_are_in_the_order_of_their_seeds(many, jobs):
    assert [row["seed"] for row in table(many[jobs].folder)] == [5, 6, 7]
    firsts = [line.split()[0] for line in many[jobs].lines if line.split()]
    assert [first for first in firsts if first.isdigit()] == ["5", "6", "7"]


def test_runs_at_once_have_the_same_bytes_as_one_after_another(many):
    one, two = ((many[jobs].folder / "runs.csv").read_bytes() for jobs in (1, 2))
    assert one == two


def test_runs_equal_single_runs(many):
    alone = trained(epoch=40, size=20, ema_decay=0.9, seed=6).final
    row = table(many[2].folder)[1]
    assert row.pop("seed") == 6
    assert row.items() <= alone.items()
    assert {"d1_mean", "d2_mean", "w1", "ks", "told_apart_by", "g_mean", "g_std"} <= row.keys()


def test_runs_are_summed_up_in_the_summary(many):
    final = json.loads((many[2].folder / "summary.json").read_text())["final"]
    assert final == summarise(table(many[2].folder), Settings(size=20))


def test_the_printed_table_says_of_each_run_whether_it_passed(many):
    for row, line in zip(
        table(many[1].folder),
        [line for line in many[1].lines if line.split()[:1] and line.split()[0] in "567"],
        strict=True,
    ):
        passed = ["yes" if good else "no" for good in judge(row, Settings(size=20))]
        assert re.findall(r"\b(yes|no)\b", line) == passed


def test_runs_leave_their_table_picture_and_summary(many):
    names = {path.name for path in many[1].folder.iterdir()}
    assert {"runs.csv", "runs.png", "summary.json"} <= names
    assert not names & {"metrics.csv", "training.png", "samples.npy"}
    assert matplotlib.image.imread(many[1].folder / "runs.png")[..., :3].std() > 0.05


ROWS = [
    {
        "d1_mean": 0.5,
        "d2_mean": 0.45,
        "w1": 0.1,
        "ks": 0.02,
        "tail_error": 0.3,
        "told_apart_by": 90,
    },
    {"d1_mean": 0.7, "d2_mean": 0.5, "w1": 0.4, "ks": 0.3, "tail_error": 0.1, "told_apart_by": 10},
    {"d1_mean": 0.5, "d2_mean": 0.3, "w1": 0.2, "ks": 0.01, "tail_error": 0.9, "told_apart_by": 70},
    {"d1_mean": 0.5, "d2_mean": 0.5, "w1": 0.3, "ks": 0.2, "tail_error": 0.2, "told_apart_by": 30},
]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("w1_median", 0.25),
        ("w1_worst", 0.4),
        ("ks_median", 0.11),
        ("ks_worst", 0.3),
        ("tail_error_median", 0.25),
        ("tail_error_worst", 0.9),
        ("told_apart_by_median", 50),
        ("told_apart_by_worst", 10),  # the fewest
        ("d_worst", 0.2),
        ("d_near_half", 0.5),
        ("g_matches", 0.5),
    ],
)
def test_many_runs_are_summed_up_by_medians_worst_cases_and_shares(name, value):
    assert summarise(ROWS, Settings())[name] == pytest.approx(value)


# ----------------------------------------------------------------------------------------- pictures
def figure_of(draw, *data):
    """Draw on a figure; return it."""
    figure = matplotlib.figure.Figure(figsize=(8, 6))
    draw(figure, *data)
    return figure


def lines_of(draw, *data):
    """Return the lines of what is drawn."""
    return [line for axes in figure_of(draw, *data).axes for line in axes.lines]


def close(values, expected):
    """Return whether a line's values are the expected ones."""
    return len(values) == len(expected) and np.allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["training.png", "distribution.png"])
def test_a_runs_pictures_are_not_blank(article_run, name):
    assert matplotlib.image.imread(article_run.folder / name)[..., :3].std() > 0.05


SHOWN = ["d1_mean", "d2_mean", "loss_d", "loss_g", "w1"]
SHOWN += [f"g_q{percent:02d}" for percent in (5, 25, 50, 75, 95)]


def test_training_png_shows_the_history_by_lines_with_names(odd):
    lines = lines_of(gan_1d.draw_training, odd)
    labels = []
    for column in SHOWN:
        expected = [row[column] for row in odd.history]
        shown = [line for line in lines if close(line.get_ydata(), expected)]
        assert len(shown) == 1, column
        assert list(shown[0].get_xdata()) == [row["iteration"] for row in odd.history]
        labels.append(shown[0].get_label())
    assert len({label for label in labels if not label.startswith("_")}) == len(SHOWN)


def level_lines(axes):
    """Return the heights of the lines that are level."""
    heights = [np.unique(line.get_ydata()) for line in axes.lines]
    return [float(height[0]) for height in heights if len(height) == 1]


@pytest.mark.parametrize(
    ("column", "levels"),
    [
        ("d1_mean", [0.5]),
        ("w1", [1.17 * 0.5 / math.sqrt(30)]),
        ("g_q50", quantiles(2, 0.5, [0.05, 0.25, 0.5, 0.75, 0.95])),
    ],
)
def test_training_png_shows_beside_a_line_what_it_should_come_to(odd, column, levels):
    expected = [row[column] for row in odd.history]
    (axes,) = [
        axes
        for axes in figure_of(gan_1d.draw_training, odd).axes
        if any(close(line.get_ydata(), expected) for line in axes.lines)
    ]
    assert level_lines(axes) == pytest.approx(levels)


def test_a_single_logged_iteration_is_seen_in_training_png(odd):
    row = {column: 0.1 * k for k, column in enumerate(SHOWN)} | {"iteration": 7}
    figure = figure_of(gan_1d.draw_training, dataclasses.replace(odd, history=[row]))
    png = io.BytesIO()
    figure.savefig(png)
    image = matplotlib.image.imread(io.BytesIO(png.getvalue()))[::-1, :, :3]
    seen = 0
    for axes in figure.axes:
        for line in axes.lines:
            if len(line.get_xdata()) == 1:
                (place,) = axes.transData.transform(line.get_xydata())
                across, up = (round(number) for number in place)
                around = image[up - 2 : up + 3, across - 2 : across + 3]
                color = matplotlib.colors.to_rgb(line.get_color())
                seen += (np.abs(around - color).max(2) < 0.1).any()
    assert seen == len(SHOWN)


def stairs_of(result):
    """Return the heights and edges of the stairs in distribution.png, by their labels."""
    figure = figure_of(gan_1d.draw_distribution, result)
    steps = [patch for axes in figure.axes for patch in axes.patches if hasattr(patch, "get_data")]
    return {patch.get_label(): patch.get_data() for patch in steps}


@pytest.mark.parametrize("of", ["samples", "real"])
def test_distribution_png_shows_gs_samples_beside_a_real_batch_of_size(odd, of):
    stairs = stairs_of(odd)
    matching = [
        label
        for label, (heights, edges, _) in stairs.items()
        if close(heights, np.histogram(getattr(odd, of), edges, density=True)[0])
    ]
    assert len(matching) == 1
    assert ("30 real" in matching[0]) == (of == "real")


@pytest.mark.parametrize("direction", [1, -1])
def test_the_targets_own_map_rises_whatever_gs_does(odd, direction):
    z, G = odd.grid
    turned = dataclasses.replace(odd, grid=np.array([z, np.sort(G)[::direction]]))
    expected = quantiles(2, 0.5, (np.arange(len(z)) + 0.5) / len(z))
    drawn = [line.get_data() for line in lines_of(gan_1d.draw_distribution, turned)]
    assert sum(close(x, z) and close(y, expected) for x, y in drawn) == 1
    assert sum(close(x, z) and close(y, turned.grid[1]) for x, y in drawn) == 1


def test_distribution_png_shows_d_beside_the_best_there_could_be(odd):
    lines = {line.get_label(): line.get_data() for line in lines_of(gan_1d.draw_distribution, odd)}
    x, D = odd.curve
    assert sum(close(ys, D) and close(xs, x) for xs, ys in lines.values()) == 1
    (best,) = [data for label, data in lines.items() if "best" in label]
    heights, edges, _ = stairs_of(odd)[next(label for label in stairs_of(odd) if "G(z)" in label)]
    middles = (edges[1:] + edges[:-1]) / 2
    p = np.array([statistics.NormalDist(2, 0.5).pdf(middle) for middle in middles])
    assert close(best[0], middles)
    assert close(best[1], p / (p + heights))


DRAWN = shlex.split("--epoch 3 --size 20 --no-xla --log-every 1 --animate --output-dir")
STYLE = {"axes.facecolor": "black", "font.size": 30, "lines.linewidth": 9, "axes.grid": True}
STYLE |= {"savefig.dpi": 33, "figure.dpi": 44, "savefig.bbox": "tight", "text.usetex": True}
STYLE |= {"figure.figsize": (2, 2), "savefig.facecolor": "red", "savefig.format": "pdf"}


def drawn(folder):
    """Return the bytes of a run's pictures."""
    names = ("training.png", "distribution.png", "training.gif", "training.html")
    return [(folder / name).read_bytes() for name in names]


@pytest.fixture(scope="module")
def plainly(tmp_path_factory):
    """Return the bytes of pictures that are drawn in matplotlib's own style."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    assert call_main(*DRAWN, folder).status == 0
    return drawn(folder)


def test_the_style_that_a_user_has_set_does_not_change_the_pictures(plainly, tmp_path):
    with matplotlib.style.context([STYLE]):
        assert call_main(*DRAWN, tmp_path / "run").status == 0
    assert drawn(tmp_path / "run") == plainly


# ---------------------------------------------------------------------------------------- animation
@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Run with --animate, and keep the Result; of its frames draw three, which takes less time."""
    folder = tmp_path_factory.mktemp("film") / "run"
    results = []

    def train(*arguments):
        results.append(original(*arguments))
        frames = results[0].frames
        return dataclasses.replace(results[0], frames=[frames[0], frames[9], frames[-1]])

    original = gan_1d.train
    flags = shlex.split("--epoch 500 --size 20 --no-xla --ema-decay 0.9 --animate --output-dir")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gan_1d, "train", train)
        assert call_main(*flags, folder).status == 0
    return types.SimpleNamespace(folder=folder, result=results[0])


def frame_iterations(result):
    """Return the iterations that the frames' titles name."""
    found = [re.search(r"iteration ([\d,]+)", frame["title"]) for frame in result.frames]
    return [int(match.group(1).replace(",", "")) for match in found]


def test_the_animation_goes_from_the_first_iteration_to_the_last(film):
    iterations = frame_iterations(film.result)
    assert (iterations[0], iterations[-1]) == (0, 499)
    assert 30 < len(iterations) <= 64


def test_the_animation_is_denser_at_the_start(film):
    steps = np.diff(frame_iterations(film.result))
    assert steps[0] == 1
    assert steps[:20].max() < steps[-20:].min()


def test_the_animations_last_frame_shows_g_and_d_as_they_are_in_the_end(film):
    frame, result = film.result.frames[-1], film.result
    edges = np.array(frame["edges"])
    bars, _ = np.histogram(result.grid[1], edges, density=True)
    theta_d = list(result.weights.values())[6:]
    assert np.allclose(frame["bars"], bars)
    assert np.allclose(frame["D"], oracle.discriminate(edges[:, None], theta_d)[:, 0], atol=1e-4)
    assert f"{result.final['told_apart_by']:,}" in frame["title"]


def test_a_frames_title_holds_ds_means_on_real_data_and_on_g(film):
    final = film.result.final
    said = re.findall(r"\b0\.\d\d\b", film.result.frames[-1]["title"])
    assert [float(mean) for mean in said] == pytest.approx(
        [final["d1_mean"], final["d2_mean"]], abs=0.02
    )


def test_the_animations_edges_are_those_of_all_that_g_and_the_target_reach(film):
    edges = film.result.frames[0]["edges"]
    assert edges[0] <= -5 < 5 <= edges[-1]
    assert all(frame["edges"] == edges for frame in film.result.frames)


def test_training_gif_has_a_picture_for_each_frame_and_plays_once(film):
    with PIL.Image.open(film.folder / "training.gif") as picture:
        assert picture.n_frames == 3
        assert "loop" not in picture.info


def test_training_html_has_a_picture_for_each_frame(film):
    page = (film.folder / "training.html").read_text()
    assert len(re.findall(r"frames\[\d+\] = .data:image/png;base64,", page)) == 3


def test_training_html_refers_to_nothing_on_the_network(film):
    page = (film.folder / "training.html").read_text()
    assert not re.search(r"https?:|//[\w.]+\.(com|org|net)|<link|@import", page)


@pytest.mark.parametrize("name", ["training.gif", "training.html"])
def test_an_animation_of_64_frames_would_take_less_than_3_mb(film, name):
    assert (film.folder / name).stat().st_size / 3 * 64 < 3e6
