"""A run that is stopped, resumed, refused, or fails; and what it leaves in TensorFlow's own formats."""

import contextlib
import csv
import dataclasses
import functools
import os
import re
import resource
import signal
import subprocess
import sys

import numpy as np
import oracle
import pytest
import tensorflow.compat.v1 as tf

import gan_1d
from gan_1d import GenDataLoader, RealDataLoader, Settings, train

LONG = ["--epoch", "1500", "--pretrain", "150", "--ema-decay", "0.99", "--log-every", "40", "--checkpoint-every", "70"]
LONG += ["--no-xla", "--no-plots", "--seed", "3", "--tensorboard", "--saved-model"]


def start_run(folder, *flags):
    command = [sys.executable, gan_1d.__file__, *LONG, *flags, "--output-dir", folder]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}  # lines come at once anyway
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def results(folder):
    names = ("metrics.csv", "samples.npy", "saved_model/variables/variables.data-00000-of-00001")
    return [(folder / name).read_bytes() for name in names]


def read_events(folder):
    (file,) = folder.glob("events/*")
    return list(tf.train.summary_iterator(str(file)))


def signal_at(iteration, number):
    """Make a stand-in for print_line that sends this process a signal, of which a second would end it at once."""

    def send(row, D1_, D2_):
        if row["iteration"] == iteration:
            signal.raise_signal(number)
            assert signal.getsignal(number) is signal.SIG_DFL

    return send


def test_killed_and_stopped_a_run_resumes_to_the_same_bytes(tmp_path, capsys, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert gan_1d.main([*LONG, "--output-dir", str(whole)]) == 0
    for flags, line in (([], "319"), (["--resume"], "559")):
        with start_run(cut, *flags) as run:
            next(text for text in run.stdout if text.split()[:2] == ["iteration", line])
            run.kill()
            _, err = run.communicate()
        assert (run.returncode, err) == (-signal.SIGKILL, "")
    with start_run(cut, "--resume") as run:
        run.stdout.readline()
        run.stdout.close()
        run.stdout = None
        _, err = run.communicate()
    assert (run.returncode, err) == (1, "gan_1d.py: error: standard output: Broken pipe\n")
    again = [*LONG, "--resume", "--output-dir", str(cut)]
    for line, sent, status in ((919, signal.SIGINT, 130), (1039, signal.SIGTERM, 143)):
        before = signal.getsignal(sent)
        with monkeypatch.context() as patch:
            patch.setattr(gan_1d, "print_line", signal_at(line, sent))
            assert gan_1d.main(again) == status
        how_to_go_on = capsys.readouterr().err.splitlines()[-1].split()[2:]
        assert gan_1d.parse_settings(how_to_go_on) == gan_1d.parse_settings(again)
        assert signal.getsignal(sent) is before
        assert not (cut / "metrics.csv").exists()
    assert gan_1d.main(again) == 0
    assert capsys.readouterr().out.split()[:2] == ["iteration", "1079"]  # it went on, and did not begin again
    assert results(cut) == results(whole)
    steps = [event.step for event in read_events(cut) if event.summary.value]
    assert steps == [*range(39, 1500, 40), 1499]
    assert not (cut / "checkpoints").exists()


def test_stopped_at_every_call_a_run_ends_with_the_same_numbers(tmp_path, monkeypatch):
    settings = Settings(epoch=60, pretrain=120, log_every=40, checkpoint_every=50, xla=False, output_dir=str(tmp_path))
    settings = dataclasses.replace(settings, animate=True)
    monkeypatch.setattr(gan_1d, "build_graph", functools.cache(gan_1d.build_graph))  # it holds no state of a run
    whole, stops = train(settings), []
    while True:
        checkpoints = gan_1d.Checkpoints(
            dataclasses.replace(settings, resume=bool(stops), overwrite=not stops), [signal.SIGINT]
        )
        try:
            with contextlib.closing(gan_1d.train_runs(settings, checkpoints=checkpoints)) as runs:
                result = next(runs)
            break
        except gan_1d.Ended as ended:
            stops.append(ended.args[1])
    assert len(stops) == 9  # before the game at -100, -80, -50, -40, -20, 0; in it at 40, 50, 60
    assert all(message.endswith("--resume") for message in stops)  # the command that goes on
    assert result.final == whole.final
    assert result.history == whole.history
    assert result.samples.tobytes() == whole.samples.tobytes()
    assert [row for row, *_ in result.frames] == [row for row, *_ in whole.frames] == whole.history


@pytest.fixture
def unfinished(tmp_path, capsys):
    """Leave an unfinished run, and return the flags that made it."""
    flags = ["--epoch", "30", "--no-xla", "--no-plots", "--checkpoint-every", "10", "--output-dir", str(tmp_path)]
    settings = gan_1d.parse_settings(flags)
    runs = gan_1d.train_runs(settings, checkpoints=gan_1d.Checkpoints(settings, []))
    next(runs)
    runs.close()
    assert (tmp_path / "checkpoints").exists()
    return flags


def one_line(capsys):
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    return captured.err


def test_an_unfinished_run_is_not_overwritten_unasked(unfinished, tmp_path, capsys):
    assert gan_1d.main(unfinished) == 2
    message = one_line(capsys)
    assert all(word in message for word in ("unfinished", "--resume", "--overwrite", str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]
    assert gan_1d.main([*unfinished, "--resume", "--momentum", "0.5"]) == 2
    message = one_line(capsys)
    assert all(word in message for word in ("--momentum", "0.5", "0.6"))
    animated = dataclasses.replace(gan_1d.parse_settings([*unfinished, "--resume"]), plots=True, animate=True)
    with pytest.raises(gan_1d.Ended, match="--animate True: must be False"):  # its first frames were not kept
        gan_1d.Checkpoints(animated, [])
    gan_1d.Checkpoints(gan_1d.parse_settings([*unfinished, "--overwrite"]), [])
    assert list(tmp_path.glob("*/*")) == []  # nothing that a --resume of the new run could take for its own
    assert gan_1d.main([*unfinished, "--resume", "--momentum", "0.5"]) == 0
    assert not (tmp_path / "checkpoints").exists()
    assert gan_1d.main(unfinished) == 0  # a finished run is replaced


@pytest.mark.parametrize("ended", ["train_runs", "os.replace"])
def test_a_run_ended_before_its_first_checkpoint_begins_again(ended, tmp_path, monkeypatch):
    flags = ["--epoch", "30", "--no-xla", "--no-plots", "--output-dir"]
    assert gan_1d.main([*flags, str(tmp_path / "whole"), "--seed", "1"]) == 0
    assert gan_1d.main([*flags, str(tmp_path / "cut")]) == 0  # an older run, which is not to be taken for this one

    def end(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(f"gan_1d.{ended}", end)
        with pytest.raises(MemoryError):
            gan_1d.main([*flags, str(tmp_path / "cut"), "--seed", "1"])
    assert gan_1d.main([*flags, str(tmp_path / "cut"), "--seed", "1"]) == 2
    assert gan_1d.main([*flags, str(tmp_path / "cut"), "--seed", "1", "--resume"]) == 0
    for name in ("samples.npy", "metrics.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("harm", ["truncated", "foreign"])
def test_a_damaged_checkpoint_is_named_and_left_alone(harm, unfinished, tmp_path, capsys):
    (data,) = tmp_path.glob("checkpoints/run0_30.data*")
    (index,) = tmp_path.glob("checkpoints/run0_30.index")
    data.write_bytes(data.read_bytes()[:100]) if harm == "truncated" else index.write_bytes(b"not a checkpoint" * 9)
    before = {path: path.read_bytes() for path in (data, index)}
    assert gan_1d.main([*unfinished, "--resume"]) == 1
    assert str(tmp_path / "checkpoints") in one_line(capsys)
    assert before == {path: path.read_bytes() for path in (data, index)}


def test_many_runs_resume_where_they_stopped(tmp_path, capsys):
    flags = ["--runs", "3", "--epoch", "40", "--no-xla", "--no-plots", "--checkpoint-every", "20"]
    assert gan_1d.main([*flags, "--output-dir", str(tmp_path / "whole")]) == 0
    settings = gan_1d.parse_settings([*flags, "--output-dir", str(tmp_path / "cut")])
    checkpoints = gan_1d.Checkpoints(settings, [])

    class Enough(Exception):
        pass

    def enough(row, D1_, D2_):
        if checkpoints.done:
            raise Enough

    runs = gan_1d.train_runs(dataclasses.replace(settings, log_every=30), enough, checkpoints)
    columns = ("d1_mean", "d2_mean", "w1", "ks", "g_mean", "g_std")
    final = next(runs).final
    checkpoints.done.append({"seed": 0} | {name: final[name] for name in columns})
    with pytest.raises(Enough):  # within seed 1, behind its first checkpoint
        next(runs)
    saved = {path.stem for path in tmp_path.glob("cut/checkpoints/*.index")}
    assert saved == {"run0_40", "run1_20"}  # no seed writes over the file that another would be resumed from
    (tmp_path / "cut").rename(tmp_path / "moved")
    assert gan_1d.main([*flags, "--resume", "--output-dir", str(tmp_path / "moved")]) == 0
    assert (tmp_path / "moved/runs.csv").read_bytes() == (tmp_path / "whole/runs.csv").read_bytes()


def test_unwritable_output_is_found_before_training(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gan_1d, "train_runs", lambda *_: pytest.fail("trained"))
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        assert gan_1d.main(["--output-dir", str(path)]) == 1
        assert str(path) in one_line(capsys)
    assert (tmp_path / "file").read_text() == "mine"

    def refuse(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(gan_1d.tempfile, "TemporaryFile", refuse)  # root may write anywhere
    assert gan_1d.main(["--output-dir", str(tmp_path)]) == 1
    assert one_line(capsys) == f"gan_1d.py: error: {tmp_path}/checkpoints: Permission denied\n"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # in the events' own thread
@pytest.mark.parametrize(
    ("limit", "unwritten", "reason"),
    [
        (2_000, "checkpoints", "File too large"),
        (30_000, "samples.npy", "requested and"),
        (30_000, "events", "File too large"),
    ],
)
def test_no_space_left_harms_nothing(limit, unwritten, reason, tmp_path, capsys):
    flags = ["--epoch", "20", "--checkpoint-every", "20", "--no-plots", "--output-dir", str(tmp_path)]
    flags += ["--tensorboard"] * (unwritten == "events")
    assert gan_1d.main(flags) == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    capsys.readouterr()
    none = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, none[1]))  # no file may grow longer: the system's own refusal
    try:
        assert gan_1d.main([*flags, "--seed", "1"]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, none)
    message = one_line(capsys)
    assert str(tmp_path / unwritten) in message
    assert reason in message
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert gan_1d.main([*flags, "--seed", "1", "--resume"]) == 0
    assert {path: path.read_bytes() for path in before} != before


def test_a_value_that_is_not_finite_stops_the_run(tmp_path, capsys):
    flags = ["--learning-rate", "1e30", "--r1-gamma", "1e30", "--epoch", "50", "--log-every", "5", "--no-xla"]
    flags += ["--checkpoint-every", "1"]
    assert gan_1d.main([*flags, "--output-dir", str(tmp_path)]) == 1
    assert re.search(r"\w+ is -?(nan|inf) at iteration \d+", one_line(capsys))
    assert not (tmp_path / "summary.json").exists()
    assert not list(tmp_path.glob("checkpoints/*"))  # nothing was good enough to be kept


def test_without_xla_a_run_says_so_and_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tf.test, "is_built_with_xla", lambda: False)
    monkeypatch.setattr(gan_1d, "XLA_PAYS", 0)
    built, build = [], gan_1d.build_graph
    monkeypatch.setattr(gan_1d, "build_graph", lambda settings: built.append(settings.xla) or build(settings))
    assert gan_1d.main(["--epoch", "2", "--no-plots", "--output-dir", str(tmp_path)]) == 0
    assert "without XLA" in capsys.readouterr().out.splitlines()[0]
    assert built == [False]


@pytest.mark.parametrize(
    ("before", "after", "status", "message"),
    [
        ("import sys; sys.modules['tensorflow'] = None", "", 1, "TensorFlow can't be loaded: "),
        ("import sys; sys.modules['matplotlib'] = None", "2>&-", 0, ""),
    ],
)
def test_a_missing_tensorflow_is_named_and_what_is_not_needed_is_not_missed(before, after, status, message, tmp_path):
    code = f"{before}\nimport runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = f'"$0" -c "$1" "$2" --epoch 2 --no-plots --output-dir "$3" {after}'
    words = ["sh", "-c", command, sys.executable, code, gan_1d.__file__, tmp_path]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == status
    assert message in run.stderr
    assert run.stderr.count("\n") == status  # a line, or none
    assert (tmp_path / "summary.json").exists() == (status == 0)


def test_a_finished_run_is_not_resumed_and_a_corrupt_summary_is_named(tmp_path, capsys):
    flags = ["--epoch", "3", "--no-plots", "--output-dir", str(tmp_path)]
    assert gan_1d.main([*flags, "--saved-model"]) == 0
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "training.gif").write_text("an older run's")
    assert gan_1d.main([*flags, "--tensorboard"]) == 0  # what an older run left does not stay beside a new run's
    names = {"metrics.csv", "samples.npy", "summary.json", "events", "notes.txt"}
    assert {path.name for path in tmp_path.iterdir()} == names
    (tmp_path / "events" / "notes.txt").write_text("mine")
    assert gan_1d.main(flags) == 0
    assert [path.name for path in tmp_path.glob("events/*")] == ["notes.txt"]
    before = (tmp_path / "summary.json").read_bytes()
    capsys.readouterr()
    assert gan_1d.main([*flags, "--resume"]) == 0
    assert "finished" in capsys.readouterr().out
    assert gan_1d.main([*flags, "--resume", "--momentum", "0.5"]) == 2
    assert "--momentum 0.5" in one_line(capsys)
    assert (tmp_path / "summary.json").read_bytes() == before
    (tmp_path / "summary.json").write_bytes(before[:50])
    assert gan_1d.main([*flags, "--resume"]) == 1
    assert str(tmp_path / "summary.json") in one_line(capsys)
    assert (tmp_path / "summary.json").read_bytes() == before[:50]


def test_events_hold_the_history_and_the_graph(tmp_path):
    flags = ["--epoch", "6", "--log-every", "2", "--no-plots", "--tensorboard", "--output-dir", str(tmp_path)]
    assert gan_1d.main(flags) == gan_1d.main(flags) == 0  # the second run's replace the first one's
    read = read_events(tmp_path)
    assert any(event.graph_def for event in read)
    with open(tmp_path / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    found = [event for event in read if event.summary.value]
    assert [event.step for event in found] == [1, 3, 5]
    for event, row in zip(found, rows, strict=True):
        values = {value.tag: value.simple_value for value in event.summary.value}
        assert values == pytest.approx({name: float(row[name]) for name in gan_1d.LOGGED}, rel=1e-5)


LOADS = """
import sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
z = tf.constant(np.load(sys.argv[2]))
x = model.signatures["generate"](z=z)["x"]
np.savez(sys.argv[3], x=x, D=model.signatures["discriminate"](x=x[:7])["probability"])
"""


def test_saved_model_gives_the_samples_in_a_fresh_process(tmp_path):
    settings = Settings(epoch=5, ema_decay=0.9, plots=False, saved_model=True, output_dir=str(tmp_path))
    assert gan_1d.main(settings.command().split()[2:]) == 0
    final_rng = np.random.default_rng(np.random.SeedSequence(0).spawn(3)[2])
    RealDataLoader(gan_1d.SAMPLES, rng=final_rng).next_batch()
    np.save(tmp_path / "z.npy", GenDataLoader(gan_1d.SAMPLES, rng=final_rng).next_batch())
    files = (tmp_path / name for name in ("saved_model", "z.npy", "out.npz"))
    subprocess.run([sys.executable, "-c", LOADS, *files], check=True, capture_output=True)
    found, samples = np.load(tmp_path / "out.npz"), np.load(tmp_path / "samples.npy")
    assert np.allclose(found["x"], samples, atol=1e-6)
    theta_d = [train(settings).weights[f"discriminator/{name}"].astype(float) for name in oracle.NAMES]
    assert np.allclose(found["D"], oracle.sigmoid(oracle.forward(samples[:7], theta_d)[2]), atol=1e-5)


def test_a_terminal_shows_how_far_a_run_is_between_its_lines(tmp_path, capsys, monkeypatch):
    flags = ["--epoch", "250", "--log-every", "200", "--no-plots", "--output-dir", str(tmp_path)]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert gan_1d.main(flags) == 0
    assert [line.strip() for line in capsys.readouterr().err.split("\r")] == ["seed 0, iteration 100 of 250", ""]
    assert gan_1d.main(["--runs", "2", *flags]) == 0
    shown = capsys.readouterr().err
    assert "\n" not in shown
    assert [line.split()[1] for line in shown.split("\r") if line] == ["0,", "0,", "1,", "1,"]


def test_events_that_cannot_be_written_end_the_run_in_one_line(tmp_path, capsys):
    (tmp_path / "events").write_text("mine")
    assert gan_1d.main(["--epoch", "3", "--tensorboard", "--output-dir", str(tmp_path)]) == 1
    assert "events" in one_line(capsys)
    assert {path.name for path in tmp_path.iterdir()} == {"events", "checkpoints"}
    assert (tmp_path / "events").read_text() == "mine"
