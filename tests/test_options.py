"""What goes beyond the article: options, how near G is to its target, and runs of many seeds."""

import math
import re
import shlex
import statistics
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import oracle
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT, built, train
from oracle import is_drawn_from, largest_gap, quantiles

import gan_1d
from gan_1d import RealDataLoader, Run, Settings, draw_block, judge, train_many, verdict

ODD = {"epoch": 6, "d_steps": 3, "size": 30, "hidden_size": 4, "hidden_size_g": 8, "seed": 5}
ODD |= {"low": -3.0, "high": 7.0, "noise": "stratified", "mu": 2.0, "sigma": 0.5, "momentum": 0.3}
ODD |= {"output_scale": 9.0, "learning_rate": 0.1, "learning_rate_g": 0.04, "decay_rate": 0.8}
ODD |= {"init": "glorot_uniform", "log_every": 1}
AVERAGED = {"epoch": 6, "size": 20, "ema_decay": 0.9, "learning_rate": 0.1, "log_every": 1}
AVERAGED |= {"optimizer": "sgd", "r1_gamma": 2.0}


@pytest.fixture(scope="module")
def odd():
    """Train with other settings than the article's throughout."""
    return train(built(**ODD, xla=False))


def first_batches(settings):
    """Return the real data and the noise of a run's first six iterations, out of 100."""
    return [batches[:6] for batches in draw_block(settings, 0, 100)]


def optimizers(gan):
    """Return the oracle's optimizers of G and D, at the GAN's start and with its settings."""
    with gan.session() as sess:
        sess.run(gan.init)
        theta = [value.astype(float) for value in sess.run(gan.theta_g + gan.theta_d)]
    of = gan.settings
    like = {"momentum": of.momentum * (of.optimizer == "momentum"), "decay_rate": of.decay_rate}
    g = oracle.Momentum(theta[:6], of.epoch, of.learning_rate_g or of.learning_rate, **like)
    return g, oracle.Momentum(theta[6:], of.epoch, of.learning_rate, **like)


def test_training_takes_the_oracles_steps_with_other_settings_throughout(odd):
    g, d = optimizers(built(**ODD, xla=False))
    oracle.train(g, d, *first_batches(odd.settings), scale=9)
    assert largest_gap(odd.weights.values(), g.theta + d.theta) < 1e-5


def test_batches_are_drawn_from_the_target_and_from_low_to_high():
    x, z = draw_block(Settings(mu=2, sigma=0.5, low=-3, high=7), 0, 100)
    assert is_drawn_from(x, statistics.NormalDist(2, 0.5).cdf)
    assert is_drawn_from(z, lambda value: (value + 3) / 10)


def test_stratified_noise_is_evenly_spaced_with_new_jitter_of_a_hundredth():
    _, z = draw_block(Settings(noise="stratified", low=-3, high=7), 0, 20)
    jitter = z.reshape(60, 200) - np.linspace(-3, 7, 200)
    assert is_drawn_from(jitter, lambda value: min(max(value / 0.01, 0), 1))
    assert np.abs(np.corrcoef(jitter)[np.triu_indices(60, 1)]).max() < 0.4


def test_networks_have_the_units_and_start_from_the_weights_that_were_asked_for(odd):
    of_g, of_d = ([(1, n), (1, n), (n, n), (1, n), (n, 1), (1, 1)] for n in (8, 4))
    assert [weight.shape for weight in odd.weights.values()] == of_g + of_d
    for optimizer, units in zip(optimizers(built(**ODD, xla=False)), (8, 4), strict=True):
        assert np.abs(optimizer.theta[2]).max() <= (6 / (units + units)) ** 0.5  # glorot_uniform


def test_the_rates_are_each_networks_own_and_fall_by_decay_rate(odd):
    for i, row in enumerate(odd.history):  # after 3 (i + 1) steps of D and i of G
        assert row["learning_rate_d"] == pytest.approx(0.1 * 0.8 ** (3 * (i + 1) - 1))
        assert row["learning_rate_g"] == pytest.approx(0.04 * 0.8**i)


def test_the_metrics_are_of_gs_map_of_the_whole_noise_times_output_scale(odd):
    z, G = odd.grid
    assert np.allclose(z, -3 + 10 * (np.arange(2000) + 0.5) / 2000)
    theta_g = list(odd.weights.values())[:6]
    assert np.allclose(G, oracle.generate(z[:, None], theta_g, scale=9)[:, 0], atol=1e-4)
    expected = gan_1d.distance_to_target(G, odd.settings).items()
    assert expected <= odd.final.items()
    assert expected <= odd.history[-1].items()


def test_samples_are_gs_of_noise_of_the_runs_own_kind(odd):
    share = np.searchsorted(np.sort(odd.grid[1]), np.sort(odd.samples[:, 0])) / 2000
    assert odd.samples.shape == (10_000, 1)  # 10,000 independent draws would be 0.004 off or more
    assert np.abs(share - (np.arange(10_000) + 0.5) / 10_000).max() < 0.003


@pytest.mark.parametrize("name", ["d1", "d2"])
def test_the_report_says_what_d_answers_to_fresh_real_data_and_to_gs_samples(odd, name):
    x = RealDataLoader(10_000, 2, 0.5, np.random.default_rng([5, 0, 1])).next_batch()
    judged = {"d1": x, "d2": odd.samples}[name].astype(float)
    D = oracle.discriminate(judged, list(odd.weights.values())[6:])
    found = [odd.final[f"{name}_{of}"] for of in ("mean", "min", "max")]
    assert found == pytest.approx([D.mean(), D.min(), D.max()], abs=1e-5)


def test_many_values_are_evaluated_in_parts_of_1_000():
    gan = built(**ODD, xla=False)
    with gan.graph.as_default(), gan.session() as sess:
        run, counted = Run(gan, sess, gan.settings), tf.cumsum(tf.ones_like(gan.x_node))
        found = gan_1d.in_parts(run, counted, gan.x_node, np.zeros((2500, 1)))
    assert found.ravel().tolist() == [*range(1, 1001), *range(1, 1001), *range(1, 501)]


def test_pretraining_takes_ds_steps_alone_on_draws_of_its_own_then_its_rate_starts_again():
    gan = built(**ODD, xla=False)
    settings = replace(gan.settings, pretrain=4)
    real, noise = gan_1d.data_loaders(settings, 30, np.random.default_rng([5, 0, 2]))
    g, d = optimizers(gan)
    for _ in range(4 * 3):
        x, z = real.next_batch(), noise.next_batch()
        d.step(oracle.gradient_d(x, z, g.theta, d.theta, scale=9))
        assert not np.isin(x, first_batches(settings)[0]).any()
    with gan.session() as sess:
        Run(gan, sess, settings)
        assert largest_gap(sess.run(gan.theta_g + gan.theta_d), g.theta + d.theta) < 1e-5
        assert sess.run(gan.optimizer_d.rate()) == pytest.approx(0.1)


OPTIMIZERS = [
    ("momentum", {"momentum": 0.2}, partial(oracle.Momentum, momentum=0.2)),
    ("sgd", {}, partial(oracle.Momentum, momentum=0)),
    ("adam", {}, oracle.Adam),
    ("adam", {"beta1": 0.0}, partial(oracle.Adam, beta1=0.0)),
]


@pytest.mark.parametrize(("optimizer", "values", "steps"), OPTIMIZERS)
def test_optimizers_take_their_own_steps(optimizer, values, steps):
    settings = Settings(epoch=14, decay_rate=0.7, optimizer=optimizer, **values)
    expected = steps([np.array([4.0, -0.5])], 14, learning_rate=0.1, decay_rate=0.7)
    with tf.Graph().as_default(), tf.Session() as sess:
        variable = tf.Variable([4.0, -0.5], use_resource=True)
        loss = tf.reduce_sum(tf.square(variable) * [0.5, 2.5])
        step = gan_1d.Optimizer([variable], 0.1, settings).minimize(loss)
        sess.run(tf.global_variables_initializer())
        for _ in range(14):
            sess.run(step)
            expected.step([expected.theta[0] * [1, 5]])
        assert largest_gap([sess.run(variable)], expected.theta) < 1e-5


@pytest.fixture(scope="module")
def averages():
    """Train with R1 and an average; also return the oracle's average, G's weights and D's."""
    gan = built(**AVERAGED, xla=False)
    g, d = optimizers(gan)
    average = oracle.train(g, d, *first_batches(gan.settings), gamma=2, decay=0.9)
    return train(gan), average, g.theta, d.theta


def test_r1_adds_the_gradient_of_half_its_weight_times_ds_squared_slope_at_real_data():
    gan = built(**AVERAGED, xla=False)
    x, z = (batches[0, 0].astype(float) for batches in first_batches(gan.settings))
    g, d = optimizers(gan)
    article = oracle.gradient_d(x, z, g.theta, d.theta)
    penalty = oracle.differences(lambda: oracle.penalty(x, d.theta, 2), d.theta)
    d.step([a + b for a, b in zip(article, penalty, strict=True)])
    with gan.session() as sess:
        sess.run(gan.init)
        sess.run(gan.train_op_d, {gan.x_node: x, gan.z_node: z})
        assert largest_gap(sess.run(gan.theta_d), d.theta) < 1e-6


def test_a_results_weights_samples_and_metrics_are_those_of_gs_average(averages):
    run, average, theta_g, theta_d = averages
    assert largest_gap(run.weights.values(), average + theta_d) < 1e-5
    z, samples = run.grid[0][:, None], np.sort(run.samples[:, 0])[2::5]
    G, other = (np.sort(oracle.generate(z, of)[:, 0]) for of in (average, theta_g))
    assert np.abs(samples - G).mean() < np.abs(samples - other).mean() / 3
    expected = gan_1d.distance_to_target(G, run.settings)["w1"]
    assert run.final["w1"] == run.history[-1]["w1"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("init", ["glorot_uniform", "fan_in"])
def test_init_names_the_range_that_weights_and_biases_are_drawn_from(init):
    ends, middle = (6 / 101) ** 0.5, (6 / 200) ** 0.5  # of 1 and 100 units, of 100 and 100
    limits = [ends, 0, middle, 0, ends, 0] if init == "glorot_uniform" else [1, 1] + [0.1] * 4
    with tf.Graph().as_default(), tf.Session() as sess:
        D = gan_1d.Discriminator(tf.zeros((1, 1)), hidden_size=100, init=init, seed=1)
        sess.run(tf.global_variables_initializer())
        for values, limit in zip(sess.run(D.var_list), limits, strict=True):
            assert np.abs(values).max() <= limit
            assert not limit or is_drawn_from(values / limit / 2 + 0.5, float)


def measured(values, mu, sigma):
    return gan_1d.distance_to_target(np.reshape(values, (-1, 1)), Settings(mu=mu, sigma=sigma))


@pytest.mark.parametrize(("mu", "sigma"), [(-1, 1), (3, 2), (0.5, 0.01)])
@pytest.mark.parametrize("shift", [-0.3, 0, 0.3])  # in the target's deviations
def test_the_targets_quantiles_in_any_order_are_as_far_away_as_they_are_shifted(mu, sigma, shift):
    values = np.random.default_rng(0).permutation(quantiles(mu, sigma)) + shift * sigma
    found = measured(values, mu, sigma)
    assert found["w1"] == pytest.approx(abs(shift) * sigma, abs=1e-9)
    assert found["tail_error"] == pytest.approx(abs(shift), abs=1e-9)
    ks = 2 * statistics.NormalDist().cdf(abs(shift) / 2) - 1
    assert found["ks"] == pytest.approx(ks, abs=1e-3)
    assert found["told_apart_by"] == pytest.approx((1.358 / (ks or 0.5 / 2000)) ** 2, rel=0.02)
    assert type(found["told_apart_by"]) is int
    assert found["g_mean"] == pytest.approx(mu + shift * sigma)
    assert found["g_std"] == pytest.approx(sigma, rel=1e-3)


def test_another_deviation_is_at_its_known_distance():
    found = measured(quantiles(3, 4), 3, 2)
    assert found["w1"] == pytest.approx(2 * math.sqrt(2 / math.pi), rel=2e-3)
    assert found["ks"] == pytest.approx(0.1613, abs=1e-3)  # at x**2 = 16 / 3 * log 4 from the mean
    assert found["tail_error"] == pytest.approx(statistics.NormalDist().inv_cdf(0.995), rel=1e-3)
    for percent in (5, 25, 50, 75, 95):
        expected = statistics.NormalDist(3, 4).inv_cdf(percent / 100)
        assert found[f"g_q{percent:02d}"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("tail", [slice(None, 15), slice(-15, None)])
def test_the_tail_error_sees_one_tail_of_three_quarters_of_a_percent(tail):
    values = quantiles(3, 2)
    values[tail] += 1.4 * np.sign(values[tail] - 3)
    assert measured(values, 3, 2)["tail_error"] == pytest.approx(0.7)


def test_yardsticks_are_what_95_of_100_real_batches_and_half_of_them_stay_below():
    for size, mu, sigma in ((200, 3, 2), (50, 0, 1)):
        ks, w1 = gan_1d.yardstick(Settings(size=size, mu=mu, sigma=sigma))
        assert (ks, w1) == pytest.approx((1.358 / size**0.5, 1.17 * sigma / size**0.5))
        loader = RealDataLoader(size, mu, sigma, np.random.default_rng(0))
        batches = np.sort(loader.next_batch(1000)[:, :, 0].astype(float))
        below = oracle.ks_statistic(batches, statistics.NormalDist(mu, sigma).cdf) < ks
        assert below.mean() == pytest.approx(0.95, abs=0.03)
        distances = np.abs(batches - quantiles(mu, sigma, size)).mean(1)
        assert np.median(distances) == pytest.approx(w1, rel=0.06)


def final(**changes):
    """Return the metrics of a run that came out well, but for some."""
    good = {"d1_mean": 0.51, "d1_min": 0.21, "d1_max": 0.81, "d2_mean": 0.48, "d2_min": 0.18}
    good |= {"d2_max": 0.88, "g_mean": -0.9, "g_std": 1.1, "tail_error": 0.3}
    return good | {"ks": 0.05, "w1": 0.1, "told_apart_by": 738} | changes


CASES = [({"d1_mean": 0.39}, False, True), ({"d1_mean": 0.41}, True, True)]
CASES += [({"d2_mean": 0.61}, False, True), ({"d2_mean": 0.59}, True, True)]
CASES += [({"ks": 0.0955}, True, True), ({"ks": 0.0965}, True, False)]  # 1.358 by root 200: 0.0960
CASES += [({"d1_mean": 0.61, "ks": 0.0965}, False, False)]


@pytest.mark.parametrize(("changes", "near", "matches"), CASES)
def test_ds_means_are_near_within_a_tenth_and_g_matches_below_the_yardstick(changes, near, matches):
    assert judge(final(**changes), Settings()) == (near, matches)
    said = verdict(final(**changes), Settings())
    assert f"are {'both' if near else 'not both'} within 0.1 of 0.5." in said
    nearness = "as near its target as" if matches else "further from its target than"
    assert f"G is {nearness} a batch of 200 real" in said
    assert ("does not show" in said) == (near and not matches)


def test_the_verdict_has_its_numbers_in_their_places_with_significant_digits():
    metrics = final(w1=0.0001234, g_mean=0.0005678, g_std=0.0009876, told_apart_by=12_345)
    said = verdict(metrics, Settings(epoch=77, size=150, mu=0.0005, sigma=0.001))
    for line in (
        r"D\(x\) +mean 0\.510, from 0\.210 to 0\.810\n",
        r"D\(G\(z\)\) +mean 0\.480, from 0\.180 to 0\.880\n",
        r"G\(z\) +mean 0\.0005678, standard deviation 0\.0009876\n",
        r"real data +mean 0\.0005, standard deviation 0\.001\n",
        r"batch of 150 real samples: KS 0\.050, W1 0\.0001234\.",
        r"KS below 0\.111\D+W1 is 9\.55e-05\.",  # 1.358 and 0.001 * 1.17 by the root of 150
        r"After 77 iterations (.|\n)+about 12,345 real samples",
    ):
        assert re.search(line, said), line


def advised(settings, metrics=None):
    """Return the settings of the command that the verdict advises, if it advises one."""
    commands = re.findall(r"python gan_1d.py (.*)", verdict(metrics or final(ks=0.3), settings))
    return [gan_1d.parse_settings(shlex.split(command)) for command in commands]


def test_the_recommended_recipe_is_advised_for_the_targets_that_it_is_known_to_learn_alone():
    assert len(gan_1d.TARGETS) > 3
    for target in gan_1d.TARGETS:
        mu, sigma = map(float, re.findall(r"[-.\d]+", target))
        expected = Settings(**gan_1d.RECOMMENDED, mu=mu, sigma=sigma)
        assert advised(Settings(mu=mu, sigma=sigma, epoch=100, seed=3)) == [expected]
    assert advised(Settings(mu=0.3)) == advised(Settings(sigma=3)) == []


def test_nothing_is_advised_when_g_is_near_enough_or_the_recommended_recipe_was_followed():
    recommended = gan_1d.RECOMMENDED
    assert advised(Settings(), final()) == []
    assert advised(Settings(**recommended, mu=0, seed=3, print_pairs=True)) == []
    assert advised(Settings(**recommended | {"epoch": 100})) == [Settings(**recommended)]


# ---------------------------------------------------------------------------------------- many runs
ROWS = [
    final(),
    final(d2_mean=0.1, w1=0.4, ks=0.3, tail_error=0.1, told_apart_by=10),
    final(d1_mean=0.55, w1=0.2, ks=0.2, tail_error=0.9, told_apart_by=70),
    dict.fromkeys(gan_1d.RUN_COLUMNS) | {"seed": 8, "diverged": True},
    final(d1_mean=0.58, w1=0.3, ks=0.25, tail_error=0.2, told_apart_by=30, seed=9, diverged=False),
]


def test_many_runs_are_summed_up_by_shares_medians_and_worst_cases():
    expected = {"d_near_half": 0.6, "g_matches": 0.2, "diverged": 1, "d_worst": 0.4}
    expected |= {"w1_median": 0.25, "w1_worst": 0.4, "ks_median": 0.225, "ks_worst": 0.3}
    expected |= {"tail_error_median": 0.25, "tail_error_worst": 0.9, "told_apart_by_median": 50}
    expected["told_apart_by_worst"] = 10
    assert gan_1d.summarise(ROWS, Settings()) == pytest.approx(expected)


def test_a_line_of_the_table_has_a_runs_numbers_in_order_and_whether_it_passed():
    numbers = ["0.58", "0.48", "0.3", "0.25", "30", "0.2", "-0.9", "1.1"]
    assert gan_1d.table_line(ROWS[4], Settings()).split() == ["9", *numbers, "yes", "no"]
    assert gan_1d.table_line(ROWS[3], Settings()).split() == ["8", "diverged"]


def test_the_lines_below_the_table_have_the_summary_in_its_places_if_there_is_any():
    ends = [gan_1d.table_end(rows, Settings()).replace("\n", " ") for rows in (ROWS, [ROWS[3]], [])]
    assert "W1: median 0.25, worst 0.4. KS: median 0.2250, worst 0.3000." in ends[0]
    assert "by: median 50, fewest 10. Tail error: median 0.25. D near 0.5: 60%" in ends[0]
    assert "all within 0.400. G as near as a batch: 20%. Diverged: 1." in ends[0]
    assert "D near 0.5: 0%, all within nan. G as near as a batch: 0%. Diverged: 1." in ends[1]
    assert ends[2] == ends[1].replace("Diverged: 1", "Diverged: 0")


MANY = {"epoch": 5, "size": 5, "learning_rate": 1e18, "r1_gamma": 1e20}  # only seed 4 diverges


@pytest.fixture(scope="module")
def many():
    """Train three seeds at once; after the first result, also return the number of threads."""
    before = threading.active_count()
    results = train_many(Settings(**MANY, xla=False, jobs=3), range(3, 6))
    return next(results), threading.active_count() - before, *results


def test_seeds_results_are_in_order_those_of_single_runs_and_none_where_one_diverges(many):
    first, _, *others = many
    assert [result and result.settings.seed for result in (first, *others)] == [3, None, 5]
    for result in (first, others[1]):
        alone = train(built(**MANY, xla=False), seed=result.settings.seed)
        assert result.final == alone.final
        assert np.array_equal(result.samples, alone.samples)


def test_jobs_is_the_number_of_seeds_that_are_trained_at_once(many):
    assert many[1] == 3


def test_the_training_of_seeds_ends_when_no_more_results_are_wanted():
    before = threading.active_count()
    results = train_many(Settings(epoch=1, size=1, xla=False, jobs=1), range(10_000))
    next(results)
    assert threading.active_count() == before + 1
    results.close()
    assert threading.active_count() == before


def test_the_training_of_seeds_ends_when_one_of_them_fails():
    before = threading.active_count()
    endless = Settings(epoch=10**8, size=1, xla=False, jobs=2)
    with pytest.raises(ValueError, match="--seed -1"):
        list(train_many(endless, range(-1, 2)))
    assert threading.active_count() == before


def test_settings_of_other_kinds_become_pythons_own():
    given = {"epoch": np.int64(5), "mu": np.float32(0.5), "sigma": 2, "xla": np.bool_(False)}
    given |= {"noise": np.str_("stratified"), "output_dir": ROOT, "hidden_size_g": None}
    found = [getattr(Settings(**given), name) for name in given]
    assert found == [5, 0.5, 2.0, False, "stratified", str(ROOT), None]
    assert [type(value) for value in found] == [int, float, float, bool, str, str, type(None)]


def test_settings_of_another_kind_or_out_of_range_are_refused_by_name():
    wrong = [("epoch", True), ("epoch", 2.0), ("epoch", None), ("epoch", 0), ("mu", True)]
    wrong += [("mu", math.nan), ("mu", "1"), ("sigma", math.inf), ("xla", 1), ("seed", -1)]
    wrong += [("hidden_size_g", 0), ("noise", "other"), ("low", 1), ("beta1", 1), ("decay_rate", 2)]
    for name, value in wrong:
        with pytest.raises(ValueError, match=f"^--{name.replace('_', '-')} "):
            Settings(**{name: value})
