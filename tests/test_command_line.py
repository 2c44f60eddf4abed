"""The command line: what it refuses, what it prints and leaves, and a console that fails."""

import contextlib
import csv
import dataclasses
import io
import json
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import matplotlib
import matplotlib.figure
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT, call_main, trained

import gan_1d
from gan_1d import RECIPES, Settings, judge, parse_settings, summarise, train, verdict

pytestmark = pytest.mark.usefixtures("graphs_are_built_once")
TINY = shlex.split("--epoch 4 --size 5 --log-every 2 --no-xla --no-plots")
SAME = {"epoch": 4, "size": 5, "log_every": 2}  # the same, for `trained`
FLAGS = ["--" + field.name.replace("_", "-") for field in dataclasses.fields(Settings)]


def rows_of(path):
    """Return the rows of a CSV file, as numbers."""
    with open(path, newline="") as file:
        return [{name: float(row[name]) for name in row} for row in csv.DictReader(file)]


# ------------------------------------------------------------------------------ what is refused
# By flag: values that are refused, and what the line must say is allowed.
BAD = {
    "--epoch": ("0 -1 1e4 10,000 1000000001 2000000000 nan True 一万", "1,000,000,000"),
    "--size": ("0 -200 2.5 ten 0x10 5000001 99999999999999999999999999 200.0 null", "5,000,000"),
    "--hidden-size": ("-1 0 1025 6.0 inf", "1,024"),
    "--hidden-size-g": ("-1 0 1025 6.0 None", "1,024"),
    "--d-steps": ("0 1001 1.5", "1,000"),
    "--low": ("nan -inf -1e+31 left 1j", "1e+30"),
    "--high": ("nan inf 1e+31 right", "1e+30"),
    "--noise": ("gaussian Uniform", "stratified"),
    "--mu": ("nan inf 1e+31 -1,5 ½", "1e+30"),
    "--sigma": ("0 -1 nan inf 1e-31 1e+31 大", "1e-30"),
    "--output-scale": ("0 -5 nan inf 1e-31 1e+32", "1e-30"),
    "--init": ("zeros 0 xavier", "fan_in"),
    "--optimizer": ("rmsprop Momentum 🙂", "adam"),
    "--learning-rate": ("0 -0.01 nan inf 1e+31 fast", "1e+30"),
    "--learning-rate-g": ("0 -0.01 nan inf 1e+31 None", "1e+30"),
    "--momentum": ("1 -0.1 nan 60%", "0.999999"),
    "--beta1": ("1 -0.1 nan 60%", "0.999999"),
    "--decay-rate": ("0 1.1 -1 nan", "1e-06"),
    "--pretrain": ("-1 0.5 1000000001", "1,000,000,000"),
    "--r1-gamma": ("-1 nan inf 1e+31", "1e+30"),
    "--ema-decay": ("1 -0.5 nan 0,999", "0.999999"),
    "--seed": ("-1 4294967296 1e3 random", "4,294,967,295"),
    "--runs": ("0 -1 1000001 two", "1,000,000"),
    "--jobs": ("-1 1025 1.5 all", "1,024"),
    "--log-every": ("0 -100 often", "1,000,000,000"),
    "--checkpoint-every": ("0 1e9", "1,000,000,000"),
    "--recipe": ("best Recommended 0", "recommended"),
}
EMPTY = ("--size=", "--mu=", "--init=", "--output-dir=", "--learning-rate-g=", "--recipe=")
PATHS = ("a\nb", "a\0b", "\x1b[31mred", "\udcff", "x" * 1001)
PATHS += ("gs://bucket/run", "file:///tmp/run", "hdfs://host/run", "ram://run")
# Command lines that are refused, and the words that must be in the line.
CLASHES = {
    "--high=-2": ["--low", "-1", "-2"], "--low 1": ["--low", "1"], "--low 2": ["--low", "2", "1"],
    "--sigma 1 --mu 1e7": ["--sigma", "1", "--mu"], "--size": ["--size"], "-x": ["-x"], "5": ["5"],
    "--animate --no-plots": ["--animate", "--no-plots"], "--epoch 5 6": ["6"],
    "--animate --runs 2": ["--animate", "--runs"],
    "--tensorboard --runs 2": ["--tensorboard", "--runs"],
    "--saved-model --runs 2": ["--saved-model", "--runs"], "--sise 3": ["--sise"],
    "--size 5000000 --hidden-size 64": ["--size", "5000000"], "--siz 3": ["--siz"],
    "--size 5000000 --hidden-size-g 64": ["--size", "5000000"], "--no-runs": ["--no-runs"],
    "--size 5000000 --d-steps 64": ["--size", "5000000"], "--no-plots=1": ["--no-plots", "1"],
    "--seed 4294967295 --runs 2": ["--runs", "2"], "--xla=no": ["--xla", "no"],
    "--resume": ["--resume"], "--overwrite=yes": ["--overwrite", "yes"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([f"{flag}={value}"], (flag, value, allowed))
        for flag, (values, allowed) in BAD.items()
        for value in values.split()
    ]
    + [([argument], (argument.strip("="), "''")) for argument in EMPTY]
    + [(["--output-dir", path], ("--output-dir",)) for path in PATHS]
    + [(line.split(), named) for line, named in CLASHES.items()]
    + [(["two\nlines"], ("two", "lines"))],
)
def test_a_bad_command_line_is_refused_in_one_line(arguments, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = call_main(*arguments)
    assert (run.status, run.out) == (2, "")
    assert run.err.endswith("\n")
    assert run.err.rstrip("\n").isprintable()
    assert [word for word in named if word not in run.err] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a[b]", "a\\b", "*?", "it's", "#1 %s {x}", "ü€ 大", "~", "-"])
def test_a_folder_may_have_any_printable_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = call_main(*TINY, "--tensorboard", "--saved-model", f"--output-dir={name}")
    assert (run.status, run.err) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "saved_model" / "saved_model.pb").exists()
    assert list(tmp_path.glob("*/events/*"))


@pytest.mark.parametrize(
    "values",
    [
        {"size": 0}, {"size": "200"}, {"size": 2.0}, {"size": True}, {"sigma": None}, {"xla": 1},
        {"low": 1}, {"low": "-1"}, {"epoch": None}, {"jobs": -1}, {"beta1": 1}, {"init": None},
        {"output_dir": ""}, {"output_dir": 5}, {"output_dir": "gs://bucket"}, {"noise": "Uniform"},
        {"output_scale": float("nan")}, {"hidden_size_g": 0}, {"runs": 2**32}, {"plots": "no"},
        {"animate": True, "plots": False}, {"tensorboard": True, "runs": 2}, {"mu": 1j},
    ],
)  # fmt: skip
def test_settings_refuses_from_python_what_the_command_line_refuses(values):
    name, value = next(iter(values.items()))
    flag = "--" + name.replace("_", "-")
    given = flag if name in ("animate", "tensorboard") else f"{flag} {value!r}"
    with pytest.raises(ValueError, match=re.escape(given)):
        Settings(**values)


@pytest.mark.parametrize("words", [["--epoch=--"], ["--output-dir=--", "--epoch=0"]])
def test_two_dashes_for_a_value_are_refused_in_one_line(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = call_main(*words)
    assert (run.status, run.err.count("\n")) == (2, 1)
    assert list(tmp_path.iterdir()) == []


def test_settings_takes_numpys_scalars_and_paths_and_holds_pythons_own():
    given = Settings(
        size=np.int64(5), mu=np.float32(0.5), sigma=2, xla=np.bool_(False), output_dir=Path("a/b")
    )
    assert given == Settings(size=5, mu=0.5, sigma=2.0, xla=False, output_dir="a/b")
    assert json.loads(json.dumps(vars(given))) == vars(given)


CHOICES = {
    "noise": ["uniform", "stratified"],
    "optimizer": ["momentum", "sgd", "adam"],
    "init": ["normal", "truncated_normal", "glorot_uniform", "fan_in", "classic"],
    "xla": [False],
}
FEW = {"epoch": 5, "size": 50, "hidden_size": 20, "hidden_size_g": 20, "d_steps": 3, "pretrain": 3}
ODD = st.sampled_from([None, True, "", "x", float("nan"), float("inf"), -1, 0, 2**40, 1e300, b"x"])


@st.composite
def some_settings(draw):
    """Draw up to four settings, mostly of the right kind."""
    values = {}
    for field in draw(st.lists(st.sampled_from(dataclasses.fields(Settings)), max_size=4)):
        if field.name in CHOICES:
            right = st.sampled_from(CHOICES[field.name])
        elif field.name in FEW:  # many would take long
            right = st.integers(1, FEW[field.name])
        elif isinstance(field.default, bool):
            right = st.booleans()
        elif isinstance(field.default, int):
            right = st.integers(0, 2**32)
        else:
            right = st.floats(0, 10) | st.floats() | st.sampled_from(["run", "a/b"])
        values[field.name] = draw(st.one_of(right, right, right, ODD))
    return {"epoch": 5, "xla": False} | values


@hypothesis.settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
@hypothesis.given(some_settings())
def test_any_settings_are_refused_by_name_or_train_five_iterations(values):
    refusal = None
    try:
        settings = Settings(**values)
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        name = re.match(r"--(\S+) ", refusal)[1].replace("-", "_")
        given = values.get(name, getattr(Settings, name))
        as_float = repr(float(given)) if isinstance(given, int) else ""
        assert f"{given!r:.60}" in refusal or (as_float and as_float in refusal)
        return
    try:
        result = train(settings)
    except FloatingPointError:
        return
    numbers = [*result.final.values(), *(value for row in result.history for value in row.values())]
    assert np.isfinite(numbers).all()
    assert result.history[-1]["iteration"] == settings.epoch - 1


# ----------------------------------------------------------------------------------- flags, --help
def test_help_lists_every_flag_and_what_the_recommended_recipe_stands_for(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    run = call_main("--help")
    assert (run.status, run.err) == (0, "")
    assert [flag for flag in [*FLAGS, "--recipe"] if f"{flag} " not in run.out] == []
    for name, value in RECIPES["recommended"].items():
        assert f"--{name.replace('_', '-')} {value}" in run.out


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_a_flag(field):
    flag = "--" + field.name.replace("_", "-")
    if isinstance(field.default, bool):
        words = {True: [flag], False: ["--no-" + flag[2:]]}
        found = {value: getattr(parse_settings(words[value]), field.name) for value in words}
        assert found == {True: True, False: False}
    else:
        text = {"noise": "stratified", "init": "classic", "optimizer": "sgd", "high": "3"}
        text = text.get(field.name, "0.25" if "float" in field.type else "1")
        assert str(getattr(parse_settings([flag, text]), field.name)) in (text, f"{text}.0")


def test_no_flags_are_the_defaults():
    assert parse_settings([]) == Settings()


def test_a_recipes_settings_are_taken_and_flags_beside_it_win():
    recommended = parse_settings(["--recipe", "recommended"])
    assert recommended == Settings(**RECIPES["recommended"])
    mixed = parse_settings(["--momentum", "0.5", "--recipe", "recommended", "--hidden-size", "9"])
    assert mixed == dataclasses.replace(recommended, momentum=0.5, hidden_size=9)
    assert parse_settings(["--recipe", "article"]) == Settings()


OTHERS = {"--array", "--cpus-per-task", "--logdir", "--clear"}  # flags of other programs


def test_every_flag_in_readme_is_one_of_the_programs():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)) - OTHERS
    negated = {f"--no-{flag[2:]}" for flag in FLAGS}
    assert named - negated - {*FLAGS, "--recipe", "--help"} == set()


def test_every_command_in_readme_is_accepted():
    text = (ROOT / "README.md").read_text().replace("\\\n", " ")
    lines = re.findall(r"python gan_1d\.py\b([^\n`|>&#]*)", text)
    assert lines
    for line in lines:
        words = shlex.split(line.replace('"$SLURM_ARRAY_TASK_ID"', "1"))
        if "--help" not in words:
            parse_settings(words)


def test_every_piece_of_python_in_readme_runs(tmp_path, monkeypatch):
    pieces = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert pieces
    for name, value in (("epoch", 3), ("size", 5), ("xla", False)):
        monkeypatch.setitem(RECIPES["recommended"], name, value)
    build = gan_1d.GAN
    monkeypatch.setattr(gan_1d, "GAN", lambda of=None: build(of or Settings(epoch=3, xla=False)))
    monkeypatch.chdir(tmp_path)
    for seed in range(2):  # one of the pieces sums up such folders
        assert call_main(*TINY, "--seed", seed, "--output-dir", f"outputs/array/{seed}").status == 0
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for piece in pieces:
            exec(piece, {})
    summaries = [json.loads(path.read_text()) for path in tmp_path.glob("outputs/*/*/summary.json")]
    median = statistics.mean(summary["final"]["w1"] for summary in summaries)  # that of two values
    assert printed.getvalue().splitlines()[-1].startswith(f"W1: median {median:.3f}, ")


# ------------------------------------------------------------------------ what a run prints, leaves
def test_the_default_run_prints_its_lines_its_report_and_nothing_else(article_run):
    assert (article_run.returncode, article_run.stderr) == (0, "")
    lines = article_run.stdout.splitlines()
    final = json.loads((article_run.folder / "summary.json").read_text())["final"]
    rows = rows_of(article_run.folder / "metrics.csv")
    form = "iteration {iteration:6.0f}  D1 {d1_mean:.3f}  D2 {d2_mean:.3f}"
    form += "  loss_d {loss_d:.3f}  loss_g {loss_g:.3f}"
    assert lines[:100] == [form.format(**row) for row in rows]
    said = verdict(final, Settings())
    assert lines[100] == ""
    assert lines[106:-3] == said[:-1]
    assert len(lines) == 106 + len(said) + 2


def test_the_default_run_advises_a_command_that_works_from_where_it_was_started(article_run):
    python, script, *flags = shlex.split(article_run.stdout.splitlines()[-3])
    here = article_run.folder.parent.parent
    assert (here / script).samefile(article_run.source / "gan_1d.py")
    assert shutil.which(python, path=os.pathsep.join([str(here), os.environ["PATH"]]))
    advised = parse_settings(flags)
    recommended = Settings(**RECIPES["recommended"])
    assert dataclasses.replace(advised, output_dir=recommended.output_dir) == recommended
    assert advised.output_dir != Settings().output_dir  # the run that it is compared with stays


def test_the_report_holds_ds_answers_and_both_distributions(article_run):
    report = article_run.stdout.splitlines()[101:106]
    final = json.loads((article_run.folder / "summary.json").read_text())["final"]
    assert "10000" in report[0]
    for line, network in ((report[1], "d1"), (report[2], "d2")):
        found = re.findall(r"\d\.\d{3}", line)
        assert found == [f"{final[f'{network}_{name}']:.3f}" for name in ("mean", "min", "max")]
    assert re.findall(r"-?\d\.\d{3}", report[3]) == [f"{final[n]:.3f}" for n in ("g_mean", "g_std")]
    assert re.findall(r"-?\d\.\d{3}", report[4]) == ["-1.000", "1.000"]


def test_the_last_lines_name_the_folder_its_files_and_the_time(article_run):
    written, taken = article_run.stdout.splitlines()[-2:]
    assert os.path.join("outputs", "latest") in written
    names = {path.name for path in article_run.folder.iterdir()} - {"gan_1d.json"}
    assert {word.strip(",") for word in written.split()} & names == names
    assert re.search(r"\d+\.\d s", taken)


def test_the_default_run_leaves_its_files_and_nothing_else(article_run):
    names = {"metrics.csv", "summary.json", "samples.npy", "training.png", "distribution.png"}
    assert {path.name for path in article_run.folder.iterdir()} == {*names, "gan_1d.json"}
    assert [path.name for path in article_run.source.iterdir()] == ["gan_1d.py"]
    here = article_run.folder.parent.parent
    assert {path.name for path in here.iterdir()} == {"outputs"}
    assert {path.name for path in (here / "outputs").iterdir()} == {"latest"}


def test_summary_json_holds_all_settings_and_the_versions(article_run):
    summary = json.loads((article_run.folder / "summary.json").read_text())
    assert set(summary) == {"command", "settings", "versions", "seconds", "final"}
    assert summary["settings"] == vars(Settings())
    versions = {"tensorflow": tf.__version__, "numpy": np.__version__}
    versions |= {"matplotlib": matplotlib.__version__, "python": sys.version.split()[0]}
    assert summary["versions"] == versions


def test_summary_json_holds_the_seconds_of_each_phase(article_run):
    seconds = json.loads((article_run.folder / "summary.json").read_text())["seconds"]
    assert {"import", "compile", "train", "evaluate", "draw"} <= set(seconds)
    assert all(value > 0 for value in seconds.values())
    (taken,) = re.findall(r"(\d+\.\d) s", article_run.stdout.splitlines()[-1])
    assert float(taken) == pytest.approx(sum(seconds.values()), abs=0.051)


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    """Run a tiny training in this process; return what it printed, and its folder."""
    folder = tmp_path_factory.mktemp("tiny")
    run = call_main(*TINY, "--output-dir", folder / "it's here")
    assert (run.status, run.err) == (0, "")
    return run, folder / "it's here"


def test_summary_json_holds_the_final_metrics(tiny_run):
    final = json.loads((tiny_run[1] / "summary.json").read_text())["final"]
    assert final == trained(**SAME).final
    assert {"told_apart_by", "tail_error", "w1", "ks", "d1_mean", "d2_max"} <= set(final)
    assert isinstance(final["told_apart_by"], int)


def test_summary_json_holds_the_command_that_makes_the_run_again(tiny_run):
    summary = json.loads((tiny_run[1] / "summary.json").read_text())
    words = shlex.split(summary["command"])
    assert Path(words[1]).name == "gan_1d.py"
    assert vars(parse_settings(words[2:])) == summary["settings"]


def test_metrics_csv_and_samples_npy_hold_what_train_returns(tiny_run):
    result = trained(**SAME)
    assert rows_of(tiny_run[1] / "metrics.csv") == result.history
    samples = np.load(tiny_run[1] / "samples.npy")
    assert samples.dtype == np.float32
    assert np.array_equal(samples, result.samples)


class Console(io.StringIO):
    """A standard output that notes when it is written to, and flushed."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def write(self, text):
        """Take text."""
        self.calls += ["line"] * text.endswith("\n")
        return super().write(text)

    def flush(self):
        """Note that."""
        self.calls.append("flush")


@pytest.mark.parametrize("flags", [[], ["--print-pairs"], ["--runs", "2"]])
def test_every_line_is_flushed_as_it_comes(flags, tmp_path):
    console = Console()
    assert call_main(*TINY, *flags, "--output-dir", tmp_path, stdout=console).status == 0
    assert console.calls.count("line") >= 3
    pairs = list(zip(console.calls, [*console.calls[1:], "end"], strict=True))
    assert [after for call, after in pairs if call == "line" and after != "flush"] == []


def test_print_pairs_prints_what_the_article_prints_with_float32s_digits(tmp_path):
    expected = []

    def log(row, D1_, D2_):
        for d1, d2 in zip(D1_[:, 0], D2_[:, 0], strict=True):
            expected.extend([str(row["iteration"]), f"D1: {d1!s} ,D2: {d2!s}"])

    train(Settings(epoch=2, size=3, log_every=1, xla=False), log)
    flags = shlex.split("--epoch 2 --size 3 --log-every 1 --print-pairs --no-plots --no-xla")
    lines = call_main(*flags, "--output-dir", tmp_path).out.splitlines()
    assert len(expected) == 12
    assert lines[:12] == expected
    assert lines[12] == ""


RUN_COLUMNS = ["seed", "d1_mean", "d2_mean", "w1", "ks", "told_apart_by", "tail_error"]
RUN_COLUMNS += ["g_mean", "g_std"]


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory):
    """Train three seeds by the command; return what it printed, and its folder."""
    folder = tmp_path_factory.mktemp("runs")
    run = call_main(*TINY, "--runs", "3", "--seed", "5", "--plots", "--output-dir", folder)
    assert (run.status, run.err) == (0, "")
    return run, folder


def test_runs_csv_holds_each_seeds_final_metrics_in_order(three_runs):
    rows = rows_of(three_runs[1] / "runs.csv")
    assert list(rows[0]) == RUN_COLUMNS
    for seed, row in zip((5, 6, 7), rows, strict=True):
        final = trained(**SAME, seed=seed).final
        assert row == {"seed": seed} | {name: final[name] for name in RUN_COLUMNS[1:]}


def test_many_runs_are_summed_up_in_summary_json(three_runs):
    rows = rows_of(three_runs[1] / "runs.csv")
    summary = json.loads((three_runs[1] / "summary.json").read_text())
    assert summary["final"] == summarise(rows, Settings(size=5))
    assert summary["final"]["w1_median"] == statistics.median(row["w1"] for row in rows)
    assert summary["settings"]["runs"] == 3


def test_many_runs_are_printed_as_a_table_in_the_order_of_seeds(three_runs):
    lines = three_runs[0].out.splitlines()
    rows = rows_of(three_runs[1] / "runs.csv")
    assert lines[0].split()[:9] == RUN_COLUMNS
    for line, row in zip(lines[1:4], rows, strict=True):
        words = line.split()
        assert [int(words[0]), int(words[5].replace(",", ""))] == [
            row["seed"],
            row["told_apart_by"],
        ]
        numbers = [float(words[k]) for k in (1, 2, 3, 4, 6, 7, 8)]
        names = ["d1_mean", "d2_mean", "w1", "ks", "tail_error", "g_mean", "g_std"]
        assert numbers == pytest.approx([row[name] for name in names], abs=6e-4)
        marks = ["yes" if good else "no" for good in judge(row, Settings(size=5))]
        assert words[9:] == marks


def test_many_runs_leave_their_files_and_nothing_else(three_runs):
    names = {path.name for path in three_runs[1].iterdir()}
    assert names == {"runs.csv", "runs.png", "summary.json", "gan_1d.json"}


def test_a_target_out_of_gs_reach_is_said_before_training(tmp_path):
    first, second = call_main(*TINY, "--mu", "5", "--output-dir", tmp_path).out.splitlines()[:2]
    assert "--output-scale 8" in first
    assert second.startswith("iteration")


# --------------------------------------------------------------------------- a console that fails
PROCESS = shlex.split("--epoch 4 --size 5 --log-every 2 --no-xla --output-dir out")


def assert_results(folder, pictures=True):
    """Check that a process left the results of the tiny run, pictures included."""
    result = trained(**SAME)
    assert rows_of(folder / "metrics.csv") == result.history
    assert np.array_equal(np.load(folder / "samples.npy"), result.samples)
    assert json.loads((folder / "summary.json").read_text())["final"] == result.final
    for name in ("training.png", "distribution.png"):
        assert (folder / name).exists() == pictures
    assert not (folder / "checkpoints").exists()


def shell(line, folder, *options, **changed):
    """Run a line of the shell, in which "$@" stands for the command of the tiny run."""
    env = {name: os.environ[name] for name in os.environ if not name.startswith(("TF_", "PYTHON"))}
    words = ["sh", "-c", line, "sh", sys.executable, *options, str(ROOT / "gan_1d.py"), *PROCESS]
    like = {"capture_output": True, "text": True, "errors": "replace", "check": False}
    return subprocess.run(words, cwd=folder, env=env | changed, **like)


@pytest.mark.parametrize(
    ("line", "status", "environment"),
    [
        ('"$@" <&- >&- 2>&-', 0, {"PYTHONIOENCODING": "gbk", "MPLBACKEND": "nonsense"}),
        ('{ "$@" --no-plots; echo $? >status; } 2>/dev/full | true; exit $(cat status)', 1, {}),
    ],
)
def test_a_console_that_fails_does_not_cost_the_results(line, status, environment, tmp_path):
    run = shell(line.replace('"$@"', '"$@" --output-dir "ü ñ"'), tmp_path, **environment)
    assert run.returncode == status, run
    assert run.stderr.count("\n") <= 1
    assert_results(tmp_path / "ü ñ", pictures="--no-plots" not in line)


def test_a_full_standard_output_is_named_in_one_line(tmp_path):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    run = call_main(*TINY, "--output-dir", tmp_path, stdout=Full())
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert "No space left on device" in run.err
    assert_results(tmp_path, pictures=False)


@pytest.mark.parametrize("encoding", ["ascii", "gbk"])
def test_a_folders_name_that_the_console_cannot_show_does_not_cost_the_results(encoding, tmp_path):
    console = io.TextIOWrapper(io.BytesIO(), encoding)
    folder = tmp_path / "ü€ 大"
    run = call_main(*TINY, "--output-dir", folder, stdout=console)
    assert (run.status, run.err) == (0, "")
    assert "Written" in console.buffer.getvalue().decode(encoding)
    assert_results(folder, pictures=False)


def test_a_broken_matplotlibrc_costs_the_pictures_alone(tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe broken")
    run = shell('"$@"', tmp_path)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert_results(tmp_path / "out", pictures=False)


@pytest.mark.parametrize("flags", [[], ["--runs", "2"]])
def test_pictures_that_cannot_be_drawn_do_not_cost_the_numbers(flags, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no ink\nleft")

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", fail)
    run = call_main(*TINY, "--plots", *flags, "--output-dir", tmp_path)
    assert (run.status, run.err.count("\n")) == (1, 1)
    left = {"runs.csv"} if flags else {"metrics.csv", "samples.npy"}
    assert {path.name for path in tmp_path.iterdir()} == {*left, "summary.json", "gan_1d.json"}


@pytest.mark.parametrize(("flags", "status"), [(["--no-plots"], 0), (["--plots"], 1)])
def test_a_missing_matplotlib_costs_the_pictures_alone(flags, status, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run = call_main(*TINY, *flags, "--output-dir", tmp_path)
    assert (run.status, run.err.count("\n")) == (status, status)
    assert_results(tmp_path, pictures=False)


# ------------------------------------------------------------------------ pythons, and other hosts
def test_the_command_works_where_python_is_strict_and_isolated(tmp_path):
    run = shell('"$@" --no-plots', tmp_path, "-W", "error", "-X", "dev", "-I")
    assert run.returncode == 0, run.stderr
    assert_results(tmp_path / "out", pictures=False)


def test_the_command_works_without_docstrings_or_says_why_in_one_line(tmp_path):
    run = shell('"$@" --no-plots', tmp_path, "-OO")
    if run.returncode:  # a TensorFlow that can't do without
        assert (run.returncode, run.stderr.count("\n")) == (1, 1)
        assert "TensorFlow" in run.stderr
    else:
        assert_results(tmp_path / "out", pictures=False)


def test_a_deleted_working_directory_is_named_in_one_line(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    run = call_main(*TINY, "--output-dir", "out")
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert "out" in run.err
    assert list(tmp_path.iterdir()) == []


def test_a_run_where_there_is_no_grep_leaves_its_results(tmp_path):
    run = shell('PATH=/none "$@"', tmp_path)
    assert run.returncode == 0, run.stderr
    assert_results(tmp_path / "out")


def test_a_process_that_dies_inside_tensorflow_says_why(tmp_path):
    run = shell('"$@" --xla', tmp_path, XLA_FLAGS="--xla_nonsense=true")
    assert run.returncode != 0
    assert "xla_nonsense" in run.stderr


def test_a_missing_tensorflow_is_named_in_one_line(tmp_path):
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim" / "tensorflow.py").write_text("raise ImportError('there is\\nnone')")
    run = shell('"$@"', tmp_path, PYTHONPATH=str(tmp_path / "shim"))
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (1, "", 1)
    assert "TensorFlow" in run.stderr
    assert not (tmp_path / "out").exists()


HOST = """
import os, runpy, signal, sys, threading
import tensorflow
handled = [signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP]
before = [dict(os.environ), os.listdir("."), sys.argv[:], threading.active_count(), sys.stdout]
before.append([signal.getsignal(number) for number in handled])
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import gan_1d
after = [dict(os.environ), os.listdir("."), sys.argv[:], threading.active_count(), sys.stdout]
after.append([signal.getsignal(number) for number in handled])
print("unchanged:", before == after)
print("operations:", len(tensorflow.compat.v1.get_default_graph().get_operations()))
sys.argv = sys.argv[1:]
keras = sys.modules["keras"]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as stop:
    print("status:", stop.code)
print("handlers:", [signal.getsignal(number) for number in handled] == before[-1])
print("keras:", sys.modules["keras"] is keras)
"""


def test_imported_the_module_does_no_work_and_run_by_runpy_it_leaves_the_process_alive(tmp_path):
    words = [sys.executable, "-c", HOST, ROOT / "gan_1d.py", *PROCESS, "--no-plots"]
    env = {name: os.environ[name] for name in os.environ if name != "XLA_FLAGS"}
    like = {"cwd": tmp_path, "env": env, "capture_output": True, "text": True}
    run = subprocess.run(words, **like, check=False)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[:2] == ["unchanged: True", "operations: 0"]
    assert lines[-3:] == ["status: 0", "handlers: True", "keras: True"]
    assert_results(tmp_path / "out", pictures=False)


@pytest.mark.parametrize("flags", ["", "--mu nan", "--learning-rate 1e30 --r1-gamma 1e30"])
def test_main_gives_the_signals_back(flags, tmp_path):
    def mine(*_):
        raise AssertionError

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, mine) for number in numbers]
    try:
        call_main(*TINY, *flags.split(), "--output-dir", tmp_path)
        assert [signal.getsignal(number) for number in numbers] == [mine, mine]
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
