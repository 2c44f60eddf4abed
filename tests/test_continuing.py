"""Interrupted runs end as others do; whose files are whose; what other programs read."""

import contextlib
import csv
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT, call_main

from gan_1d import Folder, GenDataLoader, RealDataLoader, Settings

# 110 lines of 68 bytes: a pipe of one page, 4,096 bytes, holds 60 of them, and one of two pages all
# of them, but not the report as well. A process that prints more waits until it is read.
LONG = shlex.split(
    "--epoch 550 --size 50 --log-every 5 --checkpoint-every 40 --pretrain 9 --no-xla"
)
LONG += shlex.split("--ema-decay 0.9 --tensorboard --saved-model --no-plots")
FILM = shlex.split("--epoch 60 --size 50 --log-every 9 --checkpoint-every 25 --no-xla --animate")
RUNS = shlex.split("--epoch 900 --size 50 --runs 4 --jobs 1 --no-xla")
TINY = shlex.split("--epoch 6 --size 5 --log-every 3 --checkpoint-every 1 --no-xla --no-plots")
NUMBERS = {"metrics.csv", "samples.npy", "summary.json", "gan_1d.json"}


def results(folder):
    """Return the bytes of the results that no interruption may change, and the names of all."""
    paths = {path.relative_to(folder).as_posix(): path for path in Path(folder).rglob("*")}
    names = {"events/*" if name.startswith("events/") else name for name in paths}
    kinds = (".csv", ".npy", ".gif", ".html")
    return names, {name: paths[name].read_bytes() for name in names if name.endswith(kinds)}


def tree(folder):
    """Return all that is below a folder, with files' bytes and links' targets."""
    return {
        path: os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in Path(folder).rglob("*")
    }


@contextlib.contextmanager
def started(folder, *flags, pages=1):
    """Start the command as a process of its own, with a pipe of so many pages to print to."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096 * pages)
    words = [sys.executable, str(ROOT / "gan_1d.py"), *flags, "--output-dir", str(folder)]
    env = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}
    run = subprocess.Popen(words, stdout=writer, stderr=subprocess.PIPE, text=True, env=env)
    os.close(writer)
    with run, open(reader, "rb", buffering=0) as run.lines:
        try:
            yield run
        finally:
            run.kill()


def read_to(run, *words):
    """Read what a process prints, up to a line that begins with these words."""
    while line := run.lines.readline().decode():
        if line.split()[: len(words)] == [*words]:
            return
    raise AssertionError(f"it ended: {run.communicate()[1]}")


def wait_until(run, happened):
    """Wait until something has happened."""
    while not happened():
        assert run.poll() is None, "it ended before"
        time.sleep(0.01)


def ended_by(run, number):
    """Send a process a signal; return its exit status and what it printed to standard error."""
    run.send_signal(number)
    run.lines.read()  # it may wait to print the rest of a line
    return run.wait(), run.stderr.read()


KILLED = (-signal.SIGKILL, "")
STOPPED = (130, "gan_1d.py: error: stopped; the same command continues\n")


def left_alone(name, flags):
    """Make a fixture: the results of a run that nothing interrupted, and its folder."""

    @pytest.fixture(scope="module", name=name)
    def fixture(tmp_path_factory):
        folder = tmp_path_factory.mktemp(name)
        assert call_main(*flags, "--output-dir", folder)[::2] == (0, "")
        return *results(folder), folder

    return fixture


whole, whole_film, whole_runs = (
    left_alone("whole", LONG), left_alone("whole_film", FILM), left_alone("whole_runs", RUNS),
)  # fmt: skip


def assert_continues(folder, flags, expected):
    """Check that the command continues a run, to the results of one that was left alone."""
    run = call_main(*flags, "--output-dir", folder)
    assert (run.status, run.err) == (0, "")
    assert run.out.startswith("Continuing at iteration ") or "--runs" in flags
    assert results(folder) == expected[:2]


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Kill a run as it trains; return its folder, and what a second run in it came to before."""
    folder = tmp_path_factory.mktemp("killed")
    with started(folder, *LONG) as run:
        read_to(run, "iteration", "104")  # at most 60 lines more are printed
        second = call_main(*LONG, "--output-dir", folder)
        assert ended_by(run, signal.SIGKILL) == KILLED
    return folder, second


@pytest.fixture
def unfinished(killed, tmp_path):
    """Return a copy of the killed run's folder."""
    return shutil.copytree(killed[0], tmp_path / "unfinished")


# ----------------------------------------------------------------------- the same command continues
def test_killed_while_it_trains_a_run_continues_to_the_same_bytes(unfinished, whole):
    assert_continues(unfinished, LONG, whole)


def test_killed_twice_in_a_row_a_run_continues_to_the_same_bytes(unfinished, whole):
    with started(unfinished, *LONG) as run:
        read_to(run, "iteration", "209")
        assert ended_by(run, signal.SIGKILL) == KILLED
    assert_continues(unfinished, LONG, whole)


def test_after_sigterm_a_run_continues_to_the_same_bytes(tmp_path, whole):
    with started(tmp_path, *LONG) as run:
        read_to(run, "iteration", "54")
        assert ended_by(run, signal.SIGTERM) == (-signal.SIGTERM, "")
    assert_continues(tmp_path, LONG, whole)


def test_killed_between_its_results_a_run_continues_to_the_same_bytes(tmp_path, whole):
    with started(tmp_path, *LONG, pages=2) as run:
        wait_until(run, (tmp_path / "samples.npy").exists)  # it waits to print the report
        assert ended_by(run, signal.SIGKILL) == KILLED
    assert not (tmp_path / "summary.json").exists()
    assert_continues(tmp_path, LONG, whole)


def test_stopped_and_killed_as_it_draws_a_run_continues_to_the_same_bytes(tmp_path, whole_film):
    for number, end in ((signal.SIGINT, STOPPED), (signal.SIGKILL, KILLED)):
        with started(tmp_path, *FILM) as run:
            read_to(run, "iteration", "59")
            wait_until(run, (tmp_path / "checkpoints" / "part_training.gif").exists)
            assert ended_by(run, number) == end
    assert not (tmp_path / "training.gif").exists()
    assert_continues(tmp_path, FILM, whole_film)


def test_stopped_while_it_trains_a_run_says_so_and_continues_to_the_same_bytes(tmp_path, whole):
    with started(tmp_path, *LONG) as run:
        read_to(run, "iteration", "154")
        assert ended_by(run, signal.SIGINT) == STOPPED
    assert_continues(tmp_path, LONG, whole)


def test_stopped_while_tensorflow_is_imported_the_command_says_so_and_writes_nothing(tmp_path):
    with started(tmp_path / "run", *TINY) as run:
        loaded = Path(f"/proc/{run.pid}/maps")
        wait_until(run, lambda: "libtensorflow" in loaded.read_text())
        assert ended_by(run, signal.SIGINT) == (130, "gan_1d.py: stopped\n")
    assert os.listdir(tmp_path) == []


def test_stopped_many_runs_continue_after_the_last_finished_seed(tmp_path, whole_runs):
    with started(tmp_path, *RUNS) as run:
        read_to(run, "0")
        assert ended_by(run, signal.SIGINT) == STOPPED
    progress = tmp_path / "checkpoints" / "progress.json"
    rows = json.loads(progress.read_text())
    assert len(rows) in (1, 2, 3)
    rows[0]["g_std"] = 123.0  # trained again, it would not be that
    progress.write_text(json.dumps(rows))
    run = call_main(*RUNS, "--output-dir", tmp_path)
    printed = [line.split()[0] for line in run.out.splitlines()]
    assert (run.status, printed[:5]) == (0, ["seed", "0", "1", "2", "3"])
    first, *others = (tmp_path / "runs.csv").read_text().splitlines()[1:]
    assert first.endswith(",123.0,False")
    assert others == whole_runs[1]["runs.csv"].decode().splitlines()[2:]


def test_settings_that_change_no_number_may_change_as_a_run_continues(unfinished, whole):
    flags = ["--jobs=3", "--print-pairs", "--checkpoint-every=70", "--plots", "--no-saved-model"]
    run = call_main(*LONG, *flags, "--no-tensorboard", "--output-dir", unfinished)
    assert (run.status, run.err, run.out[:10]) == (0, "", "Continuing")
    names, numbers = results(unfinished)
    assert numbers == whole[1]
    assert names == NUMBERS | {"training.png", "distribution.png"}


@pytest.mark.parametrize(
    "other", ["--momentum 0.5", "--seed 7", "--xla", "--runs 2", "--log-every 4", "--epoch 551"]
)
def test_an_unfinished_run_is_not_continued_with_other_settings(other, killed):
    before = tree(killed[0])
    flags = [flag for flag in LONG if flag not in ("--tensorboard", "--saved-model")]
    run = call_main(*flags, *other.split(), "--output-dir", killed[0])
    assert (run.status, run.out, run.err.count("\n")) == (2, "", 1)
    assert f"{other.split()[0].replace('--xla', '--no-xla')}" in run.err
    assert "--overwrite" in run.err
    assert tree(killed[0]) == before


def test_an_unfinished_run_is_replaced_with_overwrite(unfinished, tmp_path):
    run = call_main(*TINY, "--overwrite", "--tensorboard", "--output-dir", unfinished)
    assert (run.status, run.err, run.out[:9]) == (0, "", "iteration")
    assert call_main(*TINY, "--tensorboard", "--output-dir", tmp_path / "new").status == 0
    assert results(unfinished) == results(tmp_path / "new")


def test_after_a_run_that_diverged_a_corrected_command_runs(tmp_path):
    run = call_main(*TINY, "--learning-rate=1e30", "--r1-gamma=1e30", "--output-dir", tmp_path)
    assert (run.status, run.err.count("\n"), "diverges" in run.err) == (1, 1, True)
    assert os.listdir(tmp_path) == ["gan_1d.json"]
    run = call_main(*TINY, "--output-dir", tmp_path)
    assert (run.status, run.err, run.out[:9]) == (0, "", "iteration")


# ------------------------------------------------------------------------------------- whose files
def test_a_second_run_in_the_same_folder_at_the_same_time_is_refused(killed):
    folder, second = killed
    assert (second.status, second.out) == (2, "")
    assert second.err == f"gan_1d.py: error: {folder} is in use by another run\n"


def assert_refused(folder, named):
    """Check that no command takes a folder, and that none changes anything beside or in it."""
    before = tree(folder.parent)
    for flags in ([], ["--overwrite"], ["--runs", "2"]):
        run = call_main(*TINY, *flags, "--output-dir", folder)
        assert (run.status, run.out, run.err.count("\n")) == (2, "", 1)
        assert str(named) in run.err
        assert tree(folder.parent) == before


@pytest.mark.parametrize("name", ["thesis.tex", "metrics.csv", ".git", "checkpoints"])
def test_a_folder_with_anything_else_in_it_is_refused_and_left_alone(name, tmp_path):
    (tmp_path / "mine" / name).mkdir(parents=True)
    (tmp_path / "mine" / name / "progress.json").write_text("mine")
    assert_refused(tmp_path / "mine", tmp_path / "mine")


def test_a_file_in_place_of_the_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    assert_refused(tmp_path / "mine", tmp_path / "mine")


@pytest.mark.parametrize("name", ["checkpoints", "events", "saved_model", "gan_1d.json"])
def test_a_link_in_place_of_what_is_the_programs_is_refused_and_left_alone(name, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "mine").mkdir()
    for path in (tmp_path / "run" / "gan_1d.json", tmp_path / "mine" / "progress.json"):
        path.write_text("{}")
    (tmp_path / "run" / name).unlink(missing_ok=True)
    target = "progress.json" if name == "gan_1d.json" else ""
    (tmp_path / "run" / name).symlink_to(tmp_path / "mine" / target)
    assert_refused(tmp_path / "run", tmp_path / "run" / name)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Run commands of all kinds in one folder with a stranger's file; return names after each."""
    folder = tmp_path_factory.mktemp("story")
    assert call_main(*TINY, "--tensorboard", "--saved-model", "--output-dir", folder).status == 0
    (folder / "notes.txt").write_text("mine")
    names = [set(os.listdir(folder))]
    for flags in (["--runs=2"], ["--overwrite", "--plots"], []):
        assert call_main(*TINY, *flags, "--output-dir", folder).status == 0
        names.append(set(os.listdir(folder)))
    return folder, names


def test_a_file_of_a_strangers_beside_the_results_survives_all_runs(story):
    assert (story[0] / "notes.txt").read_text() == "mine"


def test_of_an_earlier_runs_results_none_stay_when_a_run_ends(story):
    assert [names - {"notes.txt"} for names in story[1]] == [
        NUMBERS | {"events", "saved_model"},
        {"runs.csv", "summary.json", "gan_1d.json"},
        NUMBERS | {"training.png", "distribution.png"},
        NUMBERS,
    ]


def test_a_result_that_cant_be_written_to_its_end_leaves_the_earlier_one(tmp_path):
    def fails(path, text):
        path.write_text(text[: len(text) // 2])
        raise OSError("no space left")

    folder = Folder(Settings(output_dir=str(tmp_path)))
    with folder.mark:
        folder.write("metrics.csv", Path.write_text, "the earlier one")
        with pytest.raises(OSError, match="no space left"):
            folder.write("metrics.csv", fails, "another one")
        assert (tmp_path / "metrics.csv").read_text() == "the earlier one"
        folder.write("metrics.csv", Path.write_text, "the last one")
    assert (tmp_path / "metrics.csv").read_text() == "the last one"


# --------------------------------------------------------------------------- for other programs
LOADS = """
import sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
x = model.signatures["generate"](z=tf.constant(np.load("z.npy")))["x"]
np.savez("loaded.npz", x=x, D=model.signatures["discriminate"](x=x)["probability"])
"""


def test_a_saved_model_gives_the_samples_and_probabilities_in_a_fresh_process(whole, tmp_path):
    rng = np.random.default_rng([0, 0, 1])  # that of the final samples, for seed 0
    RealDataLoader(10_000, rng=rng).next_batch()
    np.save(tmp_path / "z.npy", GenDataLoader(10_000, rng=rng).next_batch())
    words = [sys.executable, "-c", LOADS, whole[2] / "saved_model"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    loaded = np.load(tmp_path / "loaded.npz")
    assert np.allclose(loaded["x"], np.load(whole[2] / "samples.npy"), atol=1e-6)
    variables = str(whole[2] / "saved_model" / "variables" / "variables")
    value = loaded["x"]
    for layer in "123":
        names = (f"discriminator/{kind}{layer}" for kind in ("weight", "bias"))
        weight, bias = (tf.train.load_variable(variables, name) for name in names)
        value = (value if layer == "1" else np.tanh(value)) @ weight + bias
    assert np.allclose(loaded["D"], 1 / (1 + np.exp(-value)), atol=1e-5)


def test_events_hold_each_metric_once_and_the_graph_in_a_continued_run_too(unfinished, whole):
    assert_continues(unfinished, LONG, whole)
    for folder in (whole[2], unfinished):
        (file,) = (folder / "events").iterdir()
        events = list(tf.train.summary_iterator(str(file)))
        graphs = [tf.GraphDef.FromString(event.graph_def) for event in events if event.graph_def]
        assert [{"x_node", "z_node", "D1"} <= {node.name for node in g.node} for g in graphs] == [1]
        values = [(event.step, value) for event in events for value in event.summary.value]
        with open(folder / "metrics.csv", newline="") as lines:
            rows = [{name: float(row[name]) for name in row} for row in csv.DictReader(lines)]
        expected = {(row["iteration"], name): row[name] for row in rows for name in row}
        expected = {key: expected[key] for key in expected if key[1] != "iteration"}
        assert len(values) == len(expected)
        found = {(step, value.tag): value.simple_value for step, value in values}
        assert found == pytest.approx(expected, rel=1e-6)
