"""Interrupted runs end as others do; whose files are whose; what other programs read."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import ALL, ROOT, TINY, call_main, linux, once

import gan_1d
from gan_1d import Folder

# Each tenth iteration 6,000 bytes: beyond two of those, Python and a pipe of one page are full
LONG = "--epoch=210 --log-every=10 --checkpoint-every=15 --pretrain=9 --ema-decay=0.9 --print-pairs"
LONG = [*LONG.split(), "--no-xla", "--tensorboard", "--saved-model", "--no-plots"]
SHORT = [*TINY, "--checkpoint-every=8"]
NUMBERS = {"metrics.csv", "samples.npy", "summary.json", "gan_1d.json"}


@pytest.fixture(scope="module", autouse=True)
def quick():  # builds a graph once for all commands that need the same one
    build, built = gan_1d.GAN.__init__, {}

    def init(self, settings):
        key = tuple(value for name, value in vars(settings).items() if name not in Folder.FREE)
        if key not in built:
            build(self, settings)
        vars(self).update(built.setdefault(key, vars(self)))
        self.saver.set_last_checkpoints_with_time([])  # as a new one's

    with mock.patch.object(gan_1d.GAN, "__init__", init):
        yield


def results(folder):
    same = (".csv", ".npy", ".gif", ".html")  # whose bytes no interruption may change
    return {path.name: path.suffix in same and path.read_bytes() for path in folder.iterdir()}


def stop(folder, flags, owner=Folder, name="write", nth=3):  # by Ctrl-C in the n-th call
    real, calls = getattr(owner, name), itertools.count(1)

    def function(*args, **kwargs):
        if next(calls) == nth:
            raise KeyboardInterrupt
        real(*args, **kwargs)

    with mock.patch.object(owner, name, function):
        run = call_main(*flags, "--output-dir", folder)
    assert (run.status, run.err[:18], run.err.count("\n")) == (130, "gan_1d.py: stopped", 1)


def assert_continues(run, folder, whole):
    assert (run[0], run[2], run[1][:23]) == (0, "", "Continuing at iteration")
    assert results(whole).items() <= results(folder).items()


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    like = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0, "pipesize": 4096}

    def make(folder):
        words, told = [sys.executable, ROOT / "gan_1d.py", *LONG, "--output-dir", folder], []
        for line, number in (b"", signal.SIGINT), (b"109", signal.SIGKILL), (b"149", signal.SIGINT):
            with subprocess.Popen(words, **like) as run:
                maps = Path(f"/proc/{run.pid}/maps")
                while not line and b"libtensorflow" not in maps.read_bytes():
                    pass  # the first one is stopped as it imports TensorFlow
                assert not line or any(line in words.split() for words in run.stdout)
                told.append(folder.exists() and call_main(*TINY, "--output-dir", folder))
                run.send_signal(number)  # the others can't get 30 iterations further, and wait
                run.stdout.read()  # it may wait to print the rest of a line
                told.append([run.wait(), run.stderr.read().decode()])
        shutil.copytree(folder / "events", folder / "checkpoints" / "part_saved_model")
        return [*told, call_main(*LONG, "--output-dir", folder)]

    return once(tmp_path_factory, "story", make)


@linux
def test_ctrl_c_as_it_starts_leaves_nothing_and_a_second_run_at_the_same_time_is_refused(story):
    assert story[1][:2] == [False, [130, "gan_1d.py: stopped\n"]]
    assert story[1][2] == [2, "", f"gan_1d.py: error: {story[0]} is in use by another run\n"]


@linux
def test_killed_and_then_stopped_by_ctrl_c_a_run_continues_to_the_same_bytes(story, tmp_path):
    assert (story[1][5][0], story[1][5][1][:18]) == (130, "gan_1d.py: stopped")
    assert call_main(*LONG, "--output-dir", tmp_path).status == 0
    assert_continues(story[1][6], story[0], tmp_path)


@linux
def test_events_of_a_continued_run_hold_each_metric_once_and_the_graph(story):
    (file,) = (story[0] / "events").iterdir()
    events = list(tf.train.summary_iterator(str(file)))
    (graph,) = [tf.GraphDef.FromString(event.graph_def) for event in events if event.graph_def]
    assert {"x_node", "z_node", "D1", "D2"} <= {node.name for node in graph.node}
    found = [(of.step, at.tag, at.simple_value) for of in events for at in of.summary.value]
    rows = np.genfromtxt(story[0] / "metrics.csv", delimiter=",", names=True)
    cells = [(row[0], name, row[name]) for row in rows for name in rows.dtype.names[1:]]
    assert found == [(*cell, pytest.approx(value, rel=1e-6)) for *cell, value in cells]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return once(tmp_path_factory, "whole", lambda to: call_main(*SHORT, "--output-dir", to))[0]


def test_stopped_at_any_file_a_run_neither_loses_rows_nor_doubles_them(whole, tmp_path):
    points = [*((Folder, "write", nth) for nth in (1, 2, 3, 4, 5, 5)), (tf.train.Saver, "save", 1)]
    for number, point in enumerate([*points, (tf.train.Saver, "save", 2)]):
        folder = tmp_path / str(number)
        stop(folder, SHORT, *point)
        if number == 5:  # as if it was removing the checkpoints, of which this one goes first
            (folder / "checkpoints" / "progress.json").unlink()
        assert call_main(*SHORT, "--output-dir", folder).status == 0, point
        assert results(folder) == results(whole), point


def test_stopped_as_it_draws_a_run_in_a_finished_ones_folder_continues(full_run, whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    stop(folder, [*ALL, "--checkpoint-every=8"], gan_1d, "draw_film", 1)
    assert_continues(call_main(*ALL, "--output-dir", folder), folder, full_run[1])


def test_stopped_many_runs_continue_after_the_last_finished_seed(tmp_path):
    flags = [*TINY, "--runs=3", "--output-dir", tmp_path]
    whole = call_main(*flags).out.splitlines()
    stop(tmp_path, flags[:-2], Folder, "write", 2)
    progress = tmp_path / "checkpoints" / "progress.json"
    progress.write_bytes(progress.read_bytes().replace(b'"seed": 0', b'"seed": 77'))
    run = call_main(*flags).out.splitlines()
    assert (run[2:4], run[1].split()[0]) == (whole[2:4], "77")  # it is not trained again


def test_a_stopped_run_continues_when_just_these_settings_change(whole, tmp_path):
    free = "plots tensorboard saved_model print_pairs jobs checkpoint_every output_dir"
    assert sorted(Folder.FREE) == sorted(free.split())
    stop(tmp_path / "old", SHORT)
    folder = (tmp_path / "old").rename(tmp_path / "new")
    flags = "--plots --tensorboard --saved-model --print-pairs --jobs=3 --checkpoint-every=7"
    assert_continues(call_main(*SHORT, *flags.split(), "--output-dir", folder), folder, whole)


@pytest.mark.parametrize("other", ["--mu=2", "--seed=7", "--runs=2", "gan_1d.py", "data.txt"])
def test_a_stopped_run_is_replaced_after_a_change_of(other, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data.txt").write_bytes(b"1\n2\n4\n")
    monkeypatch.setattr(gan_1d, "__file__", shutil.copy(gan_1d.__file__, "gan_1d.py"))
    flags = [*SHORT, "--data=data.txt"]
    stop("run", flags)
    if other in os.listdir():
        Path(other).write_bytes(Path(other).read_bytes() + b"# another comment\n")
    else:
        flags.append(other)
    run, fresh = (call_main(*flags, "--output-dir", folder) for folder in ("run", "fresh"))
    told = ["Another run, which was stopped in run, is replaced.", *fresh.out.splitlines()[:-1]]
    assert (run.status, run.err, run.out.splitlines()[:-1]) == (0, "", told)
    assert results(Path("run")) == results(Path("fresh"))


def test_of_an_earlier_runs_results_none_stay_and_a_strangers_file_does(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    for flags, left in ([], NUMBERS), (["--runs=2"], {"gan_1d.json", "runs.csv", "summary.json"}):
        for name in {*Folder.NAMES, "notes.txt"}:
            path = folder / name if "." in name else folder / name / "some file"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"of an earlier time")
        assert call_main(*SHORT, *flags, "--output-dir", folder).status == 0
        assert set(os.listdir(folder)) == left | {"notes.txt"}


@pytest.mark.parametrize("folder", ["mine", "mine/file", "mine/file/below", "mine/linked"])
def test_a_strangers_folder_or_file_is_refused_and_left_alone(folder, tmp_path):
    (tmp_path / "mine" / "linked").mkdir(parents=True)
    (tmp_path / "mine" / "file").write_bytes(b"{}")
    if folder == "mine/linked":
        pytest.importorskip("fcntl", reason="links need a privilege on Windows")
        (tmp_path / folder / "gan_1d.json").symlink_to(tmp_path / "mine" / "file")
    run = call_main(*TINY, "--output-dir", tmp_path / folder)
    assert (run.status, run.out, run.err.count("\n")) == (2, "", 1)
    assert {path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == {b"{}"}


@pytest.mark.parametrize("to", ["mine", "mine/progress.json"])
def test_links_in_place_of_results_are_removed_and_what_they_lead_to_is_left_alone(to, tmp_path):
    pytest.importorskip("fcntl", reason="links need a privilege on Windows")
    folder, mine = tmp_path / "run", tmp_path / "mine"
    for path in (mine / "progress.json", folder / "gan_1d.json"):
        path.parent.mkdir()
        path.write_bytes(b"[]")
    for name in Folder.NAMES:
        (folder / name).symlink_to(tmp_path / to)
    run = call_main(*SHORT, "--output-dir", folder)
    assert (run.status, run.out[:9], run.err) == (0, "iteration", "")
    assert {path.name for path in folder.iterdir() if not path.is_symlink()} == NUMBERS
    assert [path.read_bytes() for path in mine.iterdir()] == [b"[]"]


def test_a_tilde_means_the_home_folder_whose_file_system_needs_no_locks(tmp_path):
    pytest.importorskip("fcntl")
    home = mock.patch.dict(os.environ, HOME=str(tmp_path), USERPROFILE=str(tmp_path))
    with home, mock.patch("fcntl.flock", side_effect=OSError):
        assert call_main(*SHORT, "--output-dir=~/run").status == 0
    assert set(os.listdir(tmp_path / "run")) == NUMBERS


@linux
def test_a_saved_model_gives_the_averages_samples_and_probabilities(story):
    rng, loaders = np.random.default_rng([0, 0, 1]), (gan_1d.RealDataLoader, gan_1d.GenDataLoader)
    _, z = (of(10_000, rng=rng).next_batch() for of in loaders)
    model = tf.saved_model.load_v2(str(story[0] / "saved_model")).signatures
    x = model["generate"](z=tf.constant(z))["x"]
    assert np.allclose(x, np.load(story[0] / "samples.npy"), atol=1e-6)
    D = float(model["discriminate"](x=x)["probability"].numpy().mean())
    final = json.loads((story[0] / "summary.json").read_bytes())["final"]
    assert final["d2_mean"] == pytest.approx(D, rel=1e-4)
