"""Interrupted runs end as others do; whose files are whose; what other programs read."""

import contextlib
import csv
import fcntl
import functools
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
from conftest import ALL, ROOT, TINY, call_main, once

from gan_1d import Folder, Settings, data_loaders

# Each tenth iteration 6,000 bytes: beyond two of those, Python and a pipe of one page are full
LONG = shlex.split("--epoch 210 --log-every 10 --print-pairs --checkpoint-every 15 --pretrain 9")
LONG += shlex.split("--ema-decay 0.9 --no-xla --tensorboard --saved-model --no-plots")
RUNS = shlex.split("--epoch 200 --size 50 --runs 3 --jobs 1 --no-xla")
NUMBERS = {"metrics.csv", "samples.npy", "summary.json", "gan_1d.json"}


def results(folder):
    """Return the names of all files, and the bytes of those that no interruption may change."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    names = {"events/*" if name.startswith("events/") else name for name in paths}
    kinds = (".csv", ".npy", ".gif", ".html")
    return names, {name: paths[name].read_bytes() for name in names if name.endswith(kinds)}


def tree(folder):
    """Return all that is below a folder, with files' bytes."""
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@contextlib.contextmanager
def started(folder, *flags):
    """Start the command as a process of its own, with a pipe of one page to print to."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    words = [sys.executable, str(ROOT / "gan_1d.py"), *flags, "--output-dir", str(folder)]
    run = subprocess.Popen(words, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    with run, open(reader, "rb", buffering=0) as run.lines:
        try:
            yield run
        finally:
            run.kill()


def wait_until(run, happened):
    """Wait until something has happened."""
    while not happened():
        assert run.poll() is None, "it ended before"
        time.sleep(0.01)


def read_to(run, number):
    """Read what a process prints, up to the line of an iteration or a seed."""
    assert any(str(number) in line.decode().split() for line in run.lines), "it ended before"


def assert_ends(run, number):
    """Send a process a signal; check its exit status, and that it prints one line for Ctrl-C."""
    run.send_signal(number)
    run.lines.read()  # it may wait to print the rest of a line
    status, err = run.wait(), run.stderr.read()
    if number == signal.SIGINT:
        assert (status, err.count("\n"), err[:18]) == (130, 1, "gan_1d.py: stopped")
    else:
        assert (status, err) == (-number, "")


def assert_continues(folder, flags, whole):
    """Check that the command continues a run, to the results of one that was left alone."""
    run = call_main(*flags, "--output-dir", folder)
    assert (run.status, run.err, run.out[:23]) == (0, "", "Continuing at iteration")
    assert results(folder) == results(whole)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """Return the folder of a run that nothing interrupted."""
    return once(tmp_path_factory, "whole", functools.partial(call_main, *LONG, "--output-dir"))[0]


@pytest.fixture(scope="session")
def killed(tmp_path_factory):
    """Kill a run as it trains; return its folder, and what a second run there came to."""

    def make(folder):
        with started(folder, *LONG) as run:
            read_to(run, 109)  # it can't get beyond iteration 139, and waits
            second = call_main(*TINY, "--overwrite", "--output-dir", folder)
            assert_ends(run, signal.SIGTERM)  # as SIGKILL would: Python does not see it
        return second

    return once(tmp_path_factory, "killed", make)


@pytest.fixture(scope="session")
def continued(killed, whole, tmp_path_factory):
    """Return that folder, as if killed as it wrote each file, and then continued."""

    def make(folder):
        shutil.copytree(killed[0], folder)
        for name in ("saved_model", "checkpoints/part_saved_model"):
            shutil.copytree(whole / "saved_model", folder / name)
        progress = folder / "checkpoints" / "progress.json"
        saved = json.loads(progress.read_text())
        saved["history"].append(saved["history"][-1] | {"iteration": 200})  # not its variables
        progress.write_text(json.dumps(saved))
        assert call_main(*LONG, "--output-dir", folder).out.startswith("Continuing at iteration")

    return once(tmp_path_factory, "continued", make)[0]


def test_killed_while_it_trains_and_saves_a_run_continues_to_the_same_bytes(continued, whole):
    assert results(continued) == results(whole)
    assert {*NUMBERS, "events/*", "saved_model/saved_model.pb"} < results(continued)[0]


def test_interrupted_again_and_again_a_run_continues_to_the_same_bytes(killed, whole, tmp_path):
    folder = shutil.copytree(killed[0], tmp_path / "run")
    with started(folder, *LONG) as run:
        read_to(run, 149)
        assert_ends(run, signal.SIGINT)
    assert_continues(folder, LONG, whole)


def test_stopped_as_it_draws_its_film_a_run_continues_with_other_jobs_and_pairs(full_run, tmp_path):
    with started(tmp_path, *ALL, "--checkpoint-every=8") as run:
        wait_until(run, (tmp_path / "training.png").exists)
        assert_ends(run, signal.SIGINT)
    assert not (tmp_path / "training.html").exists()
    flags = ["--jobs=3", "--no-print-pairs", "--checkpoint-every=7"]  # they change no number
    assert_continues(tmp_path, [*ALL, *flags], full_run[1])


def test_stopped_as_tensorflow_is_imported_the_command_says_so_and_writes_nothing(tmp_path):
    with started(tmp_path / "run", *TINY) as run:
        loaded = Path(f"/proc/{run.pid}/maps")
        wait_until(run, lambda: "libtensorflow" in loaded.read_text())
        assert_ends(run, signal.SIGINT)
    assert os.listdir(tmp_path) == []


def test_stopped_many_runs_continue_after_the_last_finished_seed(tmp_path):
    with started(tmp_path / "run", *RUNS) as run:
        read_to(run, 0)
        assert_ends(run, signal.SIGINT)
    progress = tmp_path / "run" / "checkpoints" / "progress.json"
    rows = json.loads(progress.read_text())
    progress.write_text(json.dumps([rows[0] | {"g_std": 123.0}, *rows[1:]]))  # not trained again
    outs = [call_main(*RUNS, "--output-dir", tmp_path / name).out for name in ("run", "whole")]
    printed = [[line.split()[0] for line in out.splitlines()[:4]] for out in outs]
    assert printed == [["seed", "0", "1", "2"]] * 2
    run, whole = ((tmp_path / name / "runs.csv").read_text() for name in ("run", "whole"))
    assert run == whole.replace(f",{rows[0]['g_std']},", ",123.0,") != whole


@pytest.mark.parametrize("other", ["--momentum 0.5", "--seed 7", "--xla", "--runs 2", "--size 5"])
def test_an_unfinished_run_is_not_continued_with_other_settings(other, killed):
    before = tree(killed[0])
    flags = [flag for flag in LONG if flag not in ("--tensorboard", "--saved-model")]
    run = call_main(*flags, *other.split(), "--output-dir", killed[0])
    assert (run.status, run.out, run.err.count("\n")) == (2, "", 1)
    assert {other.split()[0], "--overwrite"} < set(run.err.split())
    assert tree(killed[0]) == before


def test_a_second_run_in_the_same_folder_at_the_same_time_is_refused(killed):
    folder, (status, out, err) = killed
    assert (status, out) == (2, "")
    assert err == f"gan_1d.py: error: {folder} is in use by another run\n"


@pytest.mark.parametrize("kind", [
    "other files", "a file", "below a file", "checkpoints", "events", "saved_model", "gan_1d.json",
])  # fmt: skip
def test_a_strangers_folder_or_file_or_link_is_refused_and_left_alone(kind, tmp_path):
    folder, mine = tmp_path / "run", tmp_path / "mine"
    mine.mkdir()
    (mine / "progress.json").write_text("{}")
    if kind == "other files":
        shutil.copytree(mine, folder)
    elif "a file" in kind:
        folder.write_text("mine")
        folder /= kind.partition("below")[1]
    else:  # the name of a link in a folder of the program's
        folder.mkdir()
        if kind != "gan_1d.json":
            (folder / "gan_1d.json").write_text("{}")
        (folder / kind).symlink_to(mine / "progress.json" if "." in kind else mine)
    before = tree(tmp_path)
    for flags in ([], ["--overwrite"], ["--runs", "2"]):
        run = call_main(*TINY, *flags, "--output-dir", folder)
        assert (run.status, run.out, run.err.count("\n")) == (2, "", 1)
        assert str(folder / kind if (folder / kind).is_symlink() else folder) in run.err
        assert tree(tmp_path) == before


@pytest.fixture(scope="session")
def story(killed, tmp_path_factory):
    """Run commands in the folder of a killed run; return what each came to, and what was left."""

    def make(folder):
        shutil.copytree(killed[0], folder)
        shutil.copytree(folder / "events", folder / "saved_model")
        for name in ("runs.csv", "training.png", "training.gif", "notes.txt"):
            (folder / name).write_text("of an earlier time")
        told = []
        for flags in (["--overwrite", "--learning-rate=1e30", "--r1-gamma=1e30"], [], ["--runs=2"]):
            run = call_main(*TINY, *flags, "--output-dir", folder)
            told.append([*run, sorted(os.listdir(folder))])
        return told

    return once(tmp_path_factory, "story", make)[1]


def test_after_a_run_that_diverged_a_corrected_command_runs(story):
    assert (story[0][0], story[0][2].count("\n"), "diverges" in story[0][2]) == (1, 1, True)
    assert (story[1][0], story[1][1][:9], story[1][2]) == (0, "iteration", "")


def test_of_an_earlier_runs_results_none_stay_and_a_strangers_file_does(story):
    many = ["gan_1d.json", "notes.txt", "runs.csv", "summary.json"]
    assert [told[3] for told in story[1:]] == [sorted(NUMBERS | {"notes.txt"}), many]


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


LOADS = """
import sys
sys.modules["keras"] = None  # it takes seconds to load
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
x = model.signatures["generate"](z=tf.constant(np.load("z.npy")))["x"]
np.savez("loaded.npz", x=x, D=model.signatures["discriminate"](x=x)["probability"])
"""


def test_a_saved_model_gives_the_samples_and_probabilities_in_a_fresh_process(whole, tmp_path):
    real, gen = data_loaders(Settings(), 10_000, np.random.default_rng([0, 0, 1]))
    real.next_batch()  # these draw first what D judges in the end, for seed 0
    np.save(tmp_path / "z.npy", gen.next_batch())
    words = [sys.executable, "-c", LOADS, whole / "saved_model"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    loaded = np.load(tmp_path / "loaded.npz")
    assert np.allclose(loaded["x"], np.load(whole / "samples.npy"), atol=1e-6)
    variables = str(whole / "saved_model" / "variables" / "variables")
    value = loaded["x"]
    for layer in "123":
        names = (f"discriminator/{kind}{layer}" for kind in ("weight", "bias"))
        weight, bias = (tf.train.load_variable(variables, name) for name in names)
        value = (value if layer == "1" else np.tanh(value)) @ weight + bias
    assert np.allclose(loaded["D"], 1 / (1 + np.exp(-value)), atol=1e-5)


def test_events_of_a_continued_run_hold_each_metric_once_and_the_graph(continued):
    (file,) = (continued / "events").iterdir()
    events = list(tf.train.summary_iterator(str(file)))
    (graph,) = [tf.GraphDef.FromString(event.graph_def) for event in events if event.graph_def]
    assert {"x_node", "z_node", "D1", "D2"} <= {node.name for node in graph.node}
    with open(continued / "metrics.csv", newline="") as lines:
        rows = {int(row.pop("iteration")): row for row in csv.DictReader(lines)}
    expected = {(step, name): float(row[name]) for step, row in rows.items() for name in row}
    values = [(event.step, value) for event in events for value in event.summary.value]
    assert len(values) == len(expected)
    found = {(step, value.tag): value.simple_value for step, value in values}
    assert found == pytest.approx(expected, rel=1e-6)
