"""The command: flags, refusals, what a run prints and leaves, pictures, and odd surroundings."""

import csv
import dataclasses
import json
import math
import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT, TINY, call_main, trained
from matplotlib.figure import Figure

import gan_1d
from gan_1d import RECIPES, RUN_COLUMNS, Settings, parse_settings, verdict

OUTPUTS = ROOT / "outputs"  # the committed ones
SAME = {"epoch": 20, "size": 20, "log_every": 7, "animate": True}  # TINY for `trained`, and a film
NUMBERS = {"metrics.csv", "samples.npy", "summary.json"}
PICTURES = {"training.png", "distribution.png"}
METRICS = "iteration d1_mean d2_mean loss_d loss_g learning_rate_d learning_rate_g w1 ks g_mean "
METRICS += "g_std tail_error g_q05 g_q25 g_q50 g_q75 g_q95 told_apart_by"


def rows_of(path):
    """Return the rows of a CSV file, as text."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def names_in(folder):
    """Return what a finished run left in its folder, but for its mark."""
    return set(os.listdir(folder)) - {"gan_1d.json"}


def test_help_names_every_setting_with_what_is_allowed_and_its_default(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    run = call_main("--help")
    assert (run.status, run.err, "None" in run.out) == (0, "", False)
    text = " ".join(run.out.partition("options:")[2].split())
    for field in dataclasses.fields(Settings):
        flag = "--" + field.name.replace("_", "-")
        said = re.findall(rf" {flag}(?:,| [A-Z]).*?\(default: .*?\)", text)
        default = flag.removesuffix("-g") if field.default is None else field.default
        end = f"; {gan_1d.allowed(field)} (default: {default})"
        assert [words.endswith(end) for words in said] == [True]


def test_a_recipe_stands_for_its_settings_and_flags_beside_it_win():
    assert parse_settings(["--recipe", "recommended"]) == Settings(**RECIPES["recommended"])
    assert parse_settings(["--recipe", "article"]) == parse_settings([]) == Settings()
    mixed = parse_settings(["--hidden-size", "9", "--recipe", "recommended", "--momentum", "0.5"])
    assert mixed == Settings(**RECIPES["recommended"] | {"hidden_size": 9, "momentum": 0.5})


@pytest.mark.parametrize("words", [  # a bad command line, and with "..." what else must be named
    "--epoch 0 ... from 1 to 1000000000", "--size 2.5 ... whole number from 1 to 5000000",
    "--hidden-size-g None ... from 1 to 1024", "--mu nan ... from -1e+30 to 1e+30",
    "--optimizer rmsprop ... momentum, sgd, adam", "--seed -1 ... from 0 to 4294967295",
    "--low 2 ... below --high", "--animate --no-plots ... without", "--siz 3 ...",
    "--saved-model --runs 2 ... not with", "--recipe best ... article recommended",
    "'--init=a\nb' ... normal, glorot_uniform, fan_in", "--output-dir 'a\\b' ... *, ?, [",
])  # fmt: skip
def test_a_bad_command_line_is_refused_in_one_line_and_writes_nothing(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given, named = (shlex.split(part) for part in words.split("..."))
    run = call_main("--output-dir", "new/folder", *given)
    assert (run.status, run.out, run.err.count("\n")) == (2, "", 1)
    named += " ".join(given).replace("=", " ").replace("runs 2", "runs").split()
    assert [word for word in named if word not in run.err] == []
    assert os.listdir(tmp_path) == []


def test_readmes_commands_are_accepted_and_its_python_compiles():
    text = (ROOT / "README.md").read_text()
    shell, python = (re.findall(rf"```{of}\n(.*?)```", text, re.DOTALL) for of in ("sh", "python"))
    commands = re.findall(r"^python gan_1d\.py.*", "\n".join(shell), re.MULTILINE)
    assert commands
    for command in commands:
        words = shlex.split(command, comments=True)[2:]
        assert "--help" in words or parse_settings(words)
    assert "import gan_1d" in "".join(python)
    for piece in python:  # without a notebook's own commands
        compile(re.sub(r"^%.*", "", piece, flags=re.MULTILINE), "a piece of README.md", "exec")


def test_the_default_run_prints_its_lines_and_report_and_nothing_else(article_run):
    remarks = article_run.stderr if tf.__version__ >= "2.21" else ""  # older ones remark on XLA
    assert (article_run.returncode, remarks) == (0, "")
    final = json.loads((article_run.folder / "summary.json").read_text())["final"]
    form = "iteration {:6.0f}  D1 {:.3f}  D2 {:.3f}  loss_d {:.3f}  loss_g {:.3f}\n"
    rows = [map(float, row.values()) for row in rows_of(article_run.folder / "metrics.csv")]
    lines = "".join(form.format(*row) for row in rows) + verdict(final, Settings()) + "\n"
    assert article_run.stdout.startswith(lines)
    last = rf"Written to {Path('outputs', 'latest')} in \d+\.\d s: .*\n"
    assert re.fullmatch(last, article_run.stdout.removeprefix(lines))


def test_the_default_run_leaves_the_files_that_it_names_and_nothing_else(article_run):
    (named,) = re.findall(r"Written to .*: (.*)\n", article_run.stdout)
    assert names_in(article_run.folder) == NUMBERS | PICTURES == set(named.split(", "))
    assert names_in(article_run.source) == {"gan_1d.py"}
    assert names_in(article_run.folder.parent.parent) == {"outputs"}


def test_the_default_run_leaves_a_row_a_logged_iteration_and_10_000_samples(article_run):
    rows = rows_of(article_run.folder / "metrics.csv")
    assert list(rows[0]) == METRICS.split()
    assert [int(row["iteration"]) for row in rows] == list(range(99, 10_000, 100))
    assert np.isfinite([float(value) for row in rows for value in row.values()]).all()
    samples = np.load(article_run.folder / "samples.npy")
    assert (samples.shape, samples.dtype) == ((10_000, 1), np.float32)
    assert samples.mean() == pytest.approx(float(rows[-1]["g_mean"]), abs=0.05)


def test_written_to_names_everything_films_and_folders_too(full_run):
    (named,) = re.findall(r"Written to .*: (.*)\n", full_run[0])
    more = {"training.gif", "training.html", "events", "saved_model"}
    assert set(named.split(", ")) == names_in(full_run[1]) == NUMBERS | PICTURES | more


def test_summary_json_holds_the_command_versions_all_settings_and_final_metrics(full_run):
    summary = json.loads((full_run[1] / "summary.json").read_text())
    words = shlex.split(summary["command"])
    assert words[:2] == ["python", "gan_1d.py"]
    assert summary["settings"] == vars(parse_settings(words[2:]))
    versions = {"python": sys.version.split()[0], "tensorflow": tf.__version__}
    versions |= {"numpy": np.__version__, "matplotlib": matplotlib.__version__}
    assert summary["versions"] == versions
    assert summary["final"] == trained(**SAME).final


def test_print_pairs_prints_what_the_article_prints(full_run, capsys):
    gan_1d.print_pairs({"iteration": 7}, *np.float32([[[0.1], [0.25]], [[1 / 3], [1]]]))
    assert capsys.readouterr().out == "7\nD1: 0.1 ,D2: 0.33333334\n7\nD1: 0.25 ,D2: 1.0\n"
    pairs = re.findall(r"(\d+)\nD1: (\S+) ,D2: (\S+)\n", full_run[0])
    rows = rows_of(full_run[1] / "metrics.csv")
    assert [pair[0] for pair in pairs] == [row["iteration"] for row in rows for _ in range(20)]
    means = np.float64(pairs).reshape(-1, 20, 3).mean(1)
    assert np.allclose(means, [[float(value) for value in row.values()][:3] for row in rows])


def drawn(draw, result):
    """Draw on a figure, with the first picture of a film; return what is on it."""
    figure = Figure()
    film = draw(figure, result)
    if film is not None:
        film._draw_was_started = True  # it is not drawn whole, and would complain
        film._draw_frame(result.frames[0])
    texts = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    return figure, " ".join(texts), film


def test_the_pictures_say_what_they_show():
    for draw, named in (
        (gan_1d.draw_training, "D1: real;D2: gen;loss_d;loss_g;W1 of G;5% of G;95% of G;iteration"),
        (gan_1d.draw_distribution, "G(z);20 real samples;N(-1, 1);the best D;D(x);density;z"),
        (gan_1d.draw_film, "G(z);N(-1, 1);D(x);density;iteration 6;KS test"),
    ):
        words = drawn(draw, trained(**SAME))[1]
        assert [name for name in named.split(";") if name not in words] == []


def test_a_narrow_target_is_drawn_up_to_its_peak():
    narrow = dataclasses.replace(trained(**SAME).settings, mu=0, sigma=0.02)
    for draw in (gan_1d.draw_distribution, gan_1d.draw_film):
        figure = drawn(draw, dataclasses.replace(trained(**SAME), settings=narrow))[0]
        lines = [line for axes in figure.axes for line in axes.lines]
        (line,) = [line for line in lines if line.get_label() == "N(0, 0.02)"]
        assert max(line.get_ydata()) == pytest.approx(1 / (0.02 * math.sqrt(2 * math.pi)))
        assert line.axes.get_ylim()[1] > max(line.get_ydata())


def test_the_ideal_map_gives_each_z_the_number_below_which_as_large_a_share_of_the_target_lies():
    figure = drawn(gan_1d.draw_distribution, trained(**SAME))[0]
    lines = {line.get_label(): line for axes in figure.axes for line in axes.lines}
    z, ideal = lines["ideal, or its mirror image"].get_data()
    shares = [(1 + math.erf((x + 1) / math.sqrt(2))) / 2 for x in ideal]  # of N(-1, 1)
    assert np.allclose(shares, (z + 1) / 2, atol=1e-9)


def test_the_film_has_at_most_64_frames_and_ends_with_the_last_one():
    for logged, shown in ((3, 3), (64, 64), (65, 33), (1000, 63)):
        frames = [trained(**SAME).frames[0] | {"iteration": k} for k in range(logged)]
        film = drawn(gan_1d.draw_film, dataclasses.replace(trained(**SAME), frames=frames))[2]
        sequence = [frame["iteration"] for frame in film.new_frame_seq()]
        assert (len(sequence), sequence[-1]) == (shown, logged - 1)


def test_the_pictures_are_of_their_size_and_the_films_load_nothing(full_run):
    film, *pictures = (PIL.Image.open(full_run[1] / name) for name in ["training.gif", *PICTURES])
    assert (film.size, film.n_frames) == ((512, 280), 3)
    assert [picture.size for picture in pictures] == [(1000, 750)] * 2
    page = (full_run[1] / "training.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|url\(|@import""", page) == []


def test_the_films_bytes_are_the_same_twice(full_run, tmp_path):
    for name in ("training.gif", "training.html"):
        gan_1d.write_picture(tmp_path / name, gan_1d.draw_film, trained(**SAME))
        assert (tmp_path / name).read_bytes() == (full_run[1] / name).read_bytes()


# So large that the numbers of some seeds become infinite, and those of others just do not
RUNS = shlex.split("--epoch 20 --size 10 --no-xla --learning-rate 1.2e19 --r1-gamma 1e18 --seed 3")


@pytest.fixture(scope="module")
def many_runs(tmp_path_factory):
    """Train three seeds by the command; return what it printed, its rows, and its folder."""
    folder = tmp_path_factory.mktemp("runs")
    run = call_main(*RUNS, "--runs", "3", "--output-dir", folder)
    assert (run.status, run.err) == (0, "")
    return run.out, rows_of(folder / "runs.csv"), folder


def test_of_many_runs_each_is_what_it_is_alone(many_runs):
    assert [row["seed"] for row in many_runs[1]] == ["3", "4", "5"]
    final = gan_1d.train(parse_settings([*RUNS, "--seed", "5"])).final
    numbers = {name: str(final[name]) for name in RUN_COLUMNS}
    assert many_runs[1][-1] == {"seed": "5", **numbers, "diverged": "False"}


def test_a_seed_that_diverges_leaves_an_empty_row_and_the_others_go_on(many_runs):
    assert many_runs[1][1] == {"seed": "4", **dict.fromkeys(RUN_COLUMNS, ""), "diverged": "True"}
    assert json.loads((many_runs[2] / "summary.json").read_text())["final"]["diverged"] == 1
    assert names_in(many_runs[2]) == {"runs.csv", "summary.json"}


def test_many_runs_are_printed_as_a_table(many_runs):
    head, *lines = [line.split() for line in many_runs[0].splitlines()]
    assert (head[:9], lines[1]) == (["seed", *RUN_COLUMNS], ["4", "diverged"])
    for words, row in zip(lines[:3:2], many_runs[1][::2], strict=True):
        numbers = [float(row[name]) for name in head[:9]]
        assert [float(word) for word in words[:9]] == pytest.approx(numbers, rel=1e-4)
        assert set(words[9:]) <= {"yes", "no"}


def environment(**changed):
    """Return the variables of a user who has set nothing but these."""
    ours = ("TF_", "XLA_", "ONEDNN_", "PYTHON", "MPL")
    return {name: os.environ[name] for name in os.environ if not name.startswith(ours)} | changed


@pytest.mark.parametrize(("line", "encoding"), [
    # TensorFlow 2.16 can't be imported without docstrings
    (f'"$0" -O{"O" * (tf.__version__ >= "2.21")} -W error "$@" --plots', "ascii"),
    ('mkdir x && cd x && "$0" -m cProfile -o prof "$@" <&- >&- 2>&- && mv out* ..', "gbk"),
], ids=["-O, -W error, usetex, ascii", "cProfile, elsewhere, closed streams"])  # fmt: skip
def test_a_run_in_odd_surroundings_gives_the_same_numbers(line, encoding, tmp_path):
    folder = tmp_path / "out ü大€"
    (tmp_path / "matplotlibrc").write_text("text.usetex: True")
    words = ["sh", "-c", line, sys.executable, ROOT / "gan_1d.py", *TINY, "--output-dir"]
    like = {"cwd": tmp_path, "env": environment(PYTHONIOENCODING=encoding), "capture_output": True}
    run = subprocess.run([*words, folder.name], check=False, **like)
    assert (run.returncode, run.stderr) == (0, b"")
    assert names_in(folder) == NUMBERS | (PICTURES if "--plots" in line else set())
    assert np.array_equal(np.load(folder / "samples.npy"), trained(**SAME).samples)


HOST = """
import json, os, runpy, sys
own, sys.argv = json.loads(sys.argv[1]), sys.argv[2:]
came_to = []
for variables, flags in ({}, []), (own, []), ({"MPLBACKEND": "nonsense"}, ["--plots"]):
    os.environ.update(variables)
    before = dict(os.environ)
    sys.argv += flags
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as stop:
        names = {name for name in {*before, *os.environ} if before.get(name) != os.getenv(name)}
        came_to.append([stop.code, sorted(names), "matplotlib" in sys.modules])
print(json.dumps(came_to))
"""
OWN = {"XLA_FLAGS": "--xla_backend_optimization_level=1", "ONEDNN_MAX_CPU_ISA": "SSE41"}
OWN |= {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "2", "MPLBACKEND": "svg"}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Run the command three times in one process; return what it printed, and the folder."""
    folder = tmp_path_factory.mktemp("host")
    words = [sys.executable, "-c", HOST, json.dumps(OWN), ROOT / "gan_1d.py", *TINY]
    like = {"cwd": folder, "check": True, "capture_output": True, "text": True}
    return subprocess.run(words, env=environment(), **like), folder / "outputs" / "latest"


def test_in_a_host_process_variables_and_matplotlib_are_left_alone(host):
    added = ["ONEDNN_MAX_CPU_ISA", "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS"]
    *quiet, broken = json.loads(host[0].stdout.splitlines()[-1])
    assert quiet == [[0, added, False], [0, [], False]]
    assert broken[1] == []


def test_a_fault_of_matplotlib_costs_no_numbers(host):
    assert json.loads(host[0].stdout.splitlines()[-1])[2][0] == 1
    assert host[0].stderr.count("\n") == 1
    assert [word for word in ("pictures", "nonsense") if word not in host[0].stderr] == []
    assert names_in(host[1]) == NUMBERS


def assert_committed(ours, path, part=False):
    """Check bytes against those of a committed file, where they should be the same."""
    text = Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    cpu = dict(re.findall(r"^(model name|flags)\s*: (.*)$", text, re.MULTILINE))
    name = cpu.get("model name", platform.processor())
    if not tf.__version__.startswith("2.21."):
        pytest.skip(f"the committed numbers are TensorFlow 2.21's, not {tf.__version__}'s")
    if platform.machine() not in ("x86_64", "AMD64") or " avx2 " not in cpu.get("flags", " avx2 "):
        pytest.skip(f"the committed numbers are those of x86-64 with AVX2, not of {name}")
    theirs = path.read_bytes()[: len(ours) if part else None]
    at = [*(a == b for a, b in zip(ours, theirs, strict=False)), False].index(False)
    here = f"{ours[at : at + 40]!r} on {name}"
    assert at == len(ours) == len(theirs), f"{path}, byte {at}: {theirs[at : at + 40]!r}, {here}"


def test_the_default_run_has_the_committed_bytes(article_run):
    for name in ("metrics.csv", "samples.npy"):
        assert_committed((article_run.folder / name).read_bytes(), OUTPUTS / "article" / name)


def test_the_recommended_run_begins_with_the_committed_rows(tmp_path):
    rows = []

    def log(row, *_):
        rows.append(row)
        if len(rows) == 3:
            raise EOFError  # the rest of the training is not needed

    with pytest.raises(EOFError):
        gan_1d.train(Settings(**RECIPES["recommended"]), log)
    gan_1d.write_csv(tmp_path / "rows.csv", rows)
    ours = (tmp_path / "rows.csv").read_bytes()
    assert_committed(ours, OUTPUTS / "recommended" / "metrics.csv", part=True)


def test_the_committed_runs_have_the_recipes_settings():
    for recipe, changes in RECIPES.items():
        settings = json.loads((OUTPUTS / recipe / "summary.json").read_text())["settings"]
        chosen = {"animate": True, "output_dir": settings["output_dir"]}
        assert settings == vars(Settings(**changes | chosen))
