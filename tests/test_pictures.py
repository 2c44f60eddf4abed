"""The pictures: what is drawn is what they say, by the data of each line and of each bar."""

import re
import statistics
from dataclasses import replace

import matplotlib.style
import numpy as np
import oracle
import PIL.Image
import pytest
from conftest import built
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

import gan_1d
from gan_1d import Run, draw_distribution, draw_film, draw_training

TARGET, REAL = statistics.NormalDist(2, 0.7), oracle.quantiles(2, 0.7, 100_000)
SHOWN = {"mu": 2.0, "sigma": 0.7, "low": -1.0, "high": 2.0, "output_scale": 7.0, "ema_decay": 0.5}
SHOWN |= {"epoch": 20, "learning_rate": 0.05, "log_every": 7, "animate": True, "xla": False}
SHOWN |= {"seed": 39}  # its G folds, and goes beyond both ends of the bars
DRAW = [draw_training, draw_distribution, draw_film]


@pytest.fixture(scope="module")
def shown():
    """Train; add to each frame G(z) and D(x) of that iteration, by the oracle."""
    gan, weights = built(**SHOWN), []
    with gan.session() as sess:
        run = Run(gan, sess, gan.settings)
        run.start()
        result = run.train([lambda *_: weights.append(sess.run(gan.theta_sampled + gan.theta_d))])
    for frame, theta in zip(result.frames, weights, strict=True):
        frame["G"] = oracle.generate(result.grid[:1].T, theta[:6], scale=7)[:, 0]
        frame["D(x)"] = oracle.discriminate(result.curve[:1].T, theta[6:])[:, 0]
    return result


def drawn(draw, result, frame=-1):
    """Draw, of a film one frame; return the figure, and its lines' and its bars' data by label."""
    figure = Figure()
    figure.film = draw(figure, result)
    if figure.film:
        figure.film._draw_was_started = True  # it is not drawn whole, and would complain
        figure.film._draw_frame(result.frames[frame])
    lines = {line.get_label(): line.get_data() for axes in figure.axes for line in axes.lines}
    bars = {of.get_label(): of.get_data()[1::-1] for axes in figure.axes for of in axes.patches}
    return figure, lines, bars  # of the bars, their edges and heights


def test_each_curve_of_the_training_is_of_the_column_that_it_names(shown):
    columns = {"D1:": "d1_mean", "D2:": "d2_mean", "loss_d,": "loss_d", "loss_g,": "loss_g"}
    columns |= {f"{q}%": f"g_q{q:02d}" for q in (5, 25, 50, 75, 95)} | {"W1": "w1"}
    lines = {label.split()[0]: data for label, data in drawn(draw_training, shown)[1].items()}
    for label, column in columns.items():
        assert [*map(list, lines[label])] == [[6, 13, 19], [row[column] for row in shown.history]]


def test_in_the_training_a_half_a_batchs_w1_and_the_targets_quantiles_are_dashed(shown):
    panels = [axes.lines for axes in drawn(draw_training, shown)[0].axes]
    dashed = [[of.get_ydata()[0] for of in lines if of.get_linestyle() == "--"] for lines in panels]
    assert dashed[:3] == [[0.5], [], [shown.final["batch_w1"]]]
    assert sorted(dashed[3]) == pytest.approx(np.percentile(REAL, (5, 25, 50, 75, 95)), abs=0.01)


def test_bars_are_densities_of_gs_samples_and_a_real_batch_all_of_which_they_count(shown):
    bars = drawn(draw_distribution, shown)[2]
    for label, values in (("G(z)", shown.samples), ("200 real samples", shown.batch)):
        edges, heights = bars[label]
        assert np.allclose(heights, oracle.density(values[:, 0], edges), atol=1e-9)
    assert oracle.is_drawn_from(shown.batch, TARGET.cdf)


@pytest.mark.parametrize("draw", [draw_distribution, draw_film])
def test_the_lines_are_the_real_datas_density_and_d_over_all_the_bars(draw, shown):
    _, lines, bars = drawn(draw, shown)
    (x, p), (edges, _) = lines["real data"], bars["G(z)"]
    assert np.allclose(x, edges[:-1] + np.diff(edges) / 2)
    assert np.allclose(p, oracle.density(REAL, edges), atol=0.01)
    assert TARGET.cdf(edges[0]) < 1e-4 > 1 - TARGET.cdf(edges[-1])
    assert np.allclose(lines["D(x)"], [edges, shown.frames[-1]["D(x)"]], atol=1e-5)


def test_the_best_d_is_the_real_datas_share_of_both_densities(shown):
    edges, best = drawn(draw_distribution, shown)[2]["the best D for this G"]
    p, q = oracle.density(REAL, edges), oracle.density(shown.samples[:, 0], edges)
    enough = p > 0.02  # some 1,000 of 1,000,000 draws
    assert np.allclose(best[enough], (p / (p + q))[enough], atol=0.03)


def test_the_map_is_g_and_the_number_with_as_large_a_share_of_the_target_below_it(shown):
    lines = drawn(draw_distribution, shown)[1]
    (z, G), (same_z, ideal) = lines["G(z)"], lines["ideal, or its mirror image"]
    assert np.allclose([z, same_z], -1 + 3 * (np.arange(2000) + 0.5) / 2000, atol=0.01)
    assert np.allclose(G, shown.frames[-1]["G"], atol=1e-4)
    assert {-1, 1} <= set(np.sign(np.diff(G)))  # not sorted
    assert np.allclose([TARGET.cdf(x) for x in ideal], (z + 1) / 3, atol=0.003)


def test_each_frame_of_the_film_shows_its_iterations_g_d_and_numbers(shown):
    for k, frame in enumerate(shown.frames):
        figure, lines, bars = drawn(draw_film, shown, k)
        edges, heights = bars["G(z)"]
        assert np.allclose(heights, oracle.density(frame["G"], edges), atol=0.02)  # 4 of 2,000
        assert np.allclose(lines["D(x)"], [edges, frame["D(x)"]], atol=1e-5)
        form = "{iteration}: .* {d1_mean:.2f} on real, {d2_mean:.2f} on G\n.* {told_apart_by:,} "
        assert re.search(form.format(**shown.history[k]), figure.axes[0].get_title())


def test_the_film_has_at_most_64_frames_ends_with_the_last_one_and_needs_one(shown):
    for count, expected in ((3, 3), (64, 64), (65, 33), (1000, 63)):
        frames = [dict(shown.frames[0]) for _ in range(count)]
        sequence = [*drawn(draw_film, replace(shown, frames=frames))[0].film.new_frame_seq()]
        assert (len(sequence), sequence[-1] is frames[-1]) == (expected, True)
    with pytest.raises(ValueError, match="animate=True"):
        draw_film(Figure(), replace(shown, frames=[]))


def test_a_bell_is_drawn_equally_large_whatever_its_mean_and_deviation(shown, monkeypatch):
    gan, sizes = built(**SHOWN), []
    with gan.session() as sess:
        for mu, sigma in ((-1, 1), (0, 0.05), (50, 3), (0, 30)):
            monkeypatch.setattr(gan, "real", mu + sigma * (REAL - 2) / 0.7)
            curve = gan_1d.curve_of_D(Run(gan, sess, gan.settings))
            for draw in (draw_distribution, draw_film):
                figure, lines, _ = drawn(draw, replace(shown, real=gan.real, curve=curve))
                (x, p), axes = lines["real data"], figure.axes[0]
                width = np.ptp(x[p > p.max() / 2]) / np.ptp(axes.get_xlim())
                sizes.append((width, p.max() / axes.get_ylim()[1]))
    assert np.allclose(sizes, sizes[0], rtol=0.03)


@pytest.mark.parametrize(("style", "background"), [("default", 1), ("dark_background", 0)])
def test_all_lines_and_words_stand_out_from_the_background(style, background, shown):
    with matplotlib.style.context(style):
        figures = [drawn(draw, shown)[0] for draw in DRAW]
    assert {figure.get_facecolor() for figure in figures} == {(*[background] * 3, 1)}
    for part in (part for of in figures for kind in (Line2D, Text) for part in of.findobj(kind)):
        color = matplotlib.colors.to_rgb(part.get_color())
        assert np.abs(np.subtract(color, background)).max() > 0.3, part


def test_legends_name_all_that_has_a_name_and_real_data_by_their_file(shown, tmp_path):
    (tmp_path / "heights.txt").write_text("1\n2\n", encoding="utf-8")
    settings = replace(shown.settings, data=str(tmp_path / "heights.txt"))
    for draw in DRAW:
        figure, *labels = drawn(draw, replace(shown, settings=settings))
        legends = figure.findobj(matplotlib.legend.Legend)
        named = {text.get_text() for legend in legends for text in legend.get_texts()}
        assert named == {name for label in labels for name in label if name[0] != "_"}
        assert ("real data heights.txt" in named) == (draw != draw_training)


@pytest.fixture(scope="module")
def folder(shown, tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures")
    names = "training.png", "distribution.png", "film.gif", "film.html"
    for name, draw in zip(names, [*DRAW, draw_film], strict=True):
        gan_1d.write_picture(path / name, draw, shown)
    return path


def test_the_pictures_are_of_their_size(folder):
    sizes = {path.stem: PIL.Image.open(path).size for path in folder.glob("*.[pg]*")}
    assert sizes == {"training": (1000, 750), "distribution": (1000, 750), "film": (512, 280)}


def test_the_films_page_holds_all_frames_has_a_title_and_loads_nothing(folder):
    page = (folder / "film.html").read_text(encoding="utf-8")
    assert page.count("/png;base64,") == PIL.Image.open(folder / "film.gif").n_frames == 3
    assert re.search(r"^<!DOCTYPE html>.*<title>gan_1d.*</title>", page)
    assert re.findall(r"""://|(?:src|href)\s*=\s*["']?//|url\(|@import|<link""", page) == []


def test_the_pages_keys_call_methods_that_the_film_has(folder):
    page = (folder / "film.html").read_text(encoding="utf-8")
    ours, film = page[page.index("onkeydown") :].split("</script>", 1)
    assert '{" ": space, ArrowLeft: "previous_frame", ArrowRight: "next_frame"}' in ours
    for method in re.findall(r'"(\w+)"', ours):
        assert f"Animation.prototype.{method} = " in film
    assert "animfilm = new Animation(" in film
    assert "this.direction = 1" in film


def test_the_films_bytes_are_the_same_twice(folder, shown, tmp_path):
    for name in ("film.gif", "film.html"):
        gan_1d.write_picture(tmp_path / name, draw_film, shown)
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
