"""Whose files are whose, unfinished runs, and what a run leaves in TensorFlow's own formats."""

import collections
import contextlib
import csv
import errno
import fcntl
import importlib.util
import io
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import oracle
import PIL.Image
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT, call_main

from gan_1d import GenDataLoader, RealDataLoader, Settings, train

QUIETLY = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow],
}
TREES = int(os.environ.get("TREES", "15"))  # how many the property test tries

pytestmark = pytest.mark.usefixtures("graphs_are_built_once")

# A run of a few milliseconds, and one with all that a run can carry across an interruption.
TINY = shlex.split("--epoch 6 --size 5 --log-every 2 --checkpoint-every 2 --no-xla --no-plots")
LONG = shlex.split("--epoch 400 --ema-decay 0.99 --log-every 5 --seed 3")
LONG += shlex.split("--checkpoint-every 35 --no-xla --no-plots --tensorboard")


# ----------------------------------------------------------------------------------------- helpers
@pytest.fixture(autouse=True)
def interrupts_arrive():
    """Undo what a shell does to what it starts in the background: it has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def tree(folder):
    """Return what is below a folder, by path: files' bytes, links' targets; links lead nowhere."""
    found = {}
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if entry.is_symlink():
            found[path] = ("link", os.readlink(path))
        elif entry.is_dir():
            found |= {path: ("folder",)} | tree(path)
        else:
            found[path] = ("file", path.read_bytes()) if entry.is_file() else ("pipe",)
    return found


def results(folder):
    """Return the bytes of the results that must not depend on how a run came about."""
    names = ["metrics.csv", "samples.npy", "runs.csv", "training.gif"]
    names += ["saved_model/variables/variables.data-00000-of-00001"]
    return {name: Path(folder, name).read_bytes() for name in names if Path(folder, name).exists()}


def names_in(folder):
    """Return the names of what a folder holds; those of event files differ in the time alone."""
    paths = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*")}
    return {"events/*" if name.startswith("events/") else name for name in paths}


class Killed(BaseException):
    """Stands for the end of the process."""


class Disk:
    """Fails at the n-th change below a folder, and at all later ones, whatever function makes it.

    An audit hook can't be removed: there is one, which does nothing while `fault` is None.
    """

    EVENTS = ("open", "os.mkdir", "os.rmdir", "os.remove", "os.rename", "os.link", "os.symlink")

    def __init__(self):
        self.fault = None
        sys.addaudithook(self.watch)

    @contextlib.contextmanager
    def failing(self, folder, at, fault, reading=False):
        """Raise what `fault(path)` returns, or do what it does, from change number `at` on.

        With `reading`, a file that is opened to be read counts as well.
        """
        self.folder, self.left, self.fault, self.reading = str(folder), at, fault, reading
        self.changes = 0  # how many there were
        self.opened = None  # the file that may be half written, if the process ends now
        try:
            yield self
        finally:
            self.fault = None

    def watch(self, event, arguments):
        """See one event of the interpreter; count it, and fail, if it is such a change."""
        if self.fault is None or event not in self.EVENTS:
            return
        path = arguments[0]
        if not isinstance(path, (str, os.PathLike)) or not f"{path}/".startswith(self.folder):
            return
        writes = event != "open" or arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if not writes and not self.reading:
            return
        if event == "os.mkdir" and os.path.isdir(path):
            return
        self.changes += 1
        self.left -= 1
        if self.left < 0:
            error = self.fault(path)
            if error is not None:
                raise error
        self.opened = path if event == "open" and writes else None


DISK = Disk()


def killed_at(change, folder, *arguments):
    """Run the command until a change of the file system; return whether it came so far.

    A file that was being written is there in part, whatever its name.
    """
    with DISK.failing(folder, change, lambda path: Killed()):
        try:
            call_main(*arguments, "--output-dir", folder)
        except Killed:
            if DISK.opened is not None and os.path.isfile(DISK.opened):
                os.truncate(DISK.opened, os.path.getsize(DISK.opened) // 2)
            return True
    return False


class Dies(io.StringIO):
    """A standard output at which the process ends: at its n-th line, or that with these words."""

    def __init__(self, at):
        super().__init__()
        self.at = at
        self.lines = 0

    def write(self, text):
        """Take text, or end."""
        self.lines += text.count("\n")
        if self.lines == self.at or text.split()[:2] == self.at:
            raise Killed
        return super().write(text)


def killed_as_it_prints(at, folder, *arguments):
    """Run the command until it prints a line: see `Dies`."""
    with pytest.raises(Killed):
        call_main(*arguments, "--output-dir", folder, stdout=Dies(at))


@contextlib.contextmanager
def no_longer_than(seconds):
    """Fail in place of waiting forever."""

    def fail(*_):
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refused(*arguments, naming, status=(2,)):
    """Run a command that must be refused in one line, with these words; return what it says."""
    with no_longer_than(60):
        run = call_main(*arguments)
    assert run.status in status, (run.out, run.err)
    assert run.err.count("\n") == 1
    assert [str(word) for word in naming if str(word) not in run.err] == []
    return run


# ------------------------------------------------------------------------------------ whose files
def fill(folder):
    """Make what a person may keep in a folder."""
    (folder / "saved_model" / "variables").mkdir(parents=True)
    (folder / "checkpoints" / "best").mkdir(parents=True)
    for name in ("runs.csv", "saved_model/variables/variables.index", "checkpoints/best/model.pt"):
        (folder / name).write_text("mine")


@pytest.mark.parametrize("flags", [[], ["--overwrite"], ["--runs", "2"], ["--saved-model"]])
def test_a_folder_with_other_files_is_refused_and_left_alone(flags, tmp_path):
    fill(tmp_path)
    before = tree(tmp_path)
    refused(*TINY, *flags, "--output-dir", tmp_path, naming=[tmp_path])
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["thesis.tex", ".git", "gan_1d.part", "gan_1d.py"])
def test_one_file_is_enough_for_a_folder_to_be_refused(name, tmp_path):
    (tmp_path / name).write_text("mine")
    refused(*TINY, "--output-dir", tmp_path, naming=[tmp_path])
    assert tree(tmp_path) == {tmp_path / name: ("file", b"mine")}


@pytest.mark.parametrize("kind", ["file", "below a file", "dangling link", "pipe"])
def test_what_is_not_a_folder_is_refused_and_left_alone(kind, tmp_path):
    path = tmp_path / "out"
    if kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text("mine")
    before = tree(tmp_path)
    named = path / "below" if kind == "below a file" else path
    refused(*TINY, "--output-dir", named, naming=[path], status=(1, 2))
    assert tree(tmp_path) == before


def test_no_folder_is_made_on_the_way_to_one_that_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    before = tree(tmp_path)
    path = tmp_path / "new" / ".." / "mine"
    refused(*TINY, "--output-dir", path, naming=[tmp_path / "mine"])
    assert tree(tmp_path) == before


def test_a_hard_link_under_a_name_of_the_programs_leaves_the_file_behind_it_alone(tmp_path):
    assert call_main(*TINY, "--output-dir", tmp_path / "run").status == 0
    (tmp_path / "mine.txt").write_text("mine")
    for name in ("gan_1d.part", "metrics.csv", "gan_1d.json"):
        (tmp_path / "run" / name).unlink(missing_ok=True)
        mine = shutil.copy(tmp_path / "mine.txt", tmp_path / name)
        if name == "gan_1d.json":
            Path(mine).write_text('{"files": []}')
        os.link(mine, tmp_path / "run" / name)
        content = Path(mine).read_text()
        call_main(*TINY, "--output-dir", tmp_path / "run")
        assert Path(mine).read_text() == content


def test_a_new_and_an_empty_folder_are_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/below"):
        assert call_main(*TINY, "--output-dir", tmp_path / name).status == 0
        assert (tmp_path / name / "samples.npy").exists()


def test_a_refused_folder_is_taken_once_it_is_empty(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    refused(*TINY, "--output-dir", tmp_path, naming=[tmp_path])
    (tmp_path / "notes.txt").unlink()
    assert call_main(*TINY, "--output-dir", tmp_path).status == 0


def test_gan_1d_json_lists_by_name_what_the_run_wrote(tmp_path):
    assert call_main(*TINY, "--saved-model", "--tensorboard", "--output-dir", tmp_path).status == 0
    listed = json.loads((tmp_path / "gan_1d.json").read_text())["files"]
    for path in tmp_path.rglob("*"):
        assert path.relative_to(tmp_path).as_posix() + "/" * path.is_dir() in listed


def test_what_an_older_run_left_does_not_stay_beside_a_newer_ones(tmp_path):
    everything = ["--saved-model", "--tensorboard", "--plots", "--animate"]
    plain = {"gan_1d.json", "summary.json", "metrics.csv", "samples.npy"}
    many = {"gan_1d.json", "summary.json", "runs.csv"}
    assert call_main(*TINY, *everything, "--output-dir", tmp_path).status == 0
    made = {path.name for path in tmp_path.iterdir()} - plain
    pictures = {"training.png", "distribution.png", "training.gif", "training.html"}
    assert made == {"saved_model", "events", *pictures}
    for flags, left in (
        (["--runs", "2"], many),
        ([], plain),
        (["--tensorboard"], None),
        ([], plain),
    ):
        assert call_main(*TINY, *flags, "--output-dir", tmp_path).status == 0
        assert {path.name for path in tmp_path.iterdir()} == left or {*plain, "events"}


def test_files_among_those_of_an_older_run_stay_when_these_go(tmp_path):
    assert call_main(*TINY, "--saved-model", "--tensorboard", "--output-dir", tmp_path).status == 0
    mine = {tmp_path / "events" / "notes.txt", tmp_path / "saved_model" / "variables" / "best"}
    for path in mine:
        path.write_text("mine")
    assert call_main(*TINY, "--output-dir", tmp_path).status == 0
    assert {path for path in tmp_path.glob("*/**/*") if path.is_file()} == mine
    assert {path.read_text() for path in mine} == {"mine"}


KINDS = ["file", "link to a file", "link to a folder", "dangling link", "folder", "full", "pipe"]


def place(path, kind, target):
    """Put something of a user's at a path: a file, a link to what is in the folder `target`."""
    if kind == "file":
        path.write_text("mine")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind.startswith("link") or kind == "dangling link":
        path.symlink_to(
            target / {"link to a file": "file", "link to a folder": "folder"}.get(kind, "-")
        )
    else:
        path.mkdir()
        if kind == "full":
            (path / "file").write_text("mine")


def targets(folder):
    """Make what links may lead to: a file, and a folder with files in it."""
    (folder / "folder" / "best").mkdir(parents=True)
    for name in ("file", "folder/state.json", "folder/metrics.csv", "folder/best/model.pt"):
        (folder / name).write_text("mine")
    return folder


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("name", ["metrics.csv", "gan_1d.part", "checkpoints", "training.gif"])
def test_a_listed_name_that_is_something_else_now_is_refused_and_left_alone(name, kind, tmp_path):
    folder = tmp_path / "run"
    assert call_main(*TINY, "--output-dir", folder).status == 0
    (folder / name).unlink(missing_ok=True)
    place(folder / name, kind, targets(tmp_path / "mine"))
    before = tree(tmp_path)
    for flags in ([], ["--overwrite"], ["--runs", "2"]):
        refused(*TINY, *flags, "--output-dir", folder, naming=[folder / name])
        assert tree(tmp_path) == before


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_gan_1d_json_that_is_no_file_is_refused_and_left_alone(kind, tmp_path):
    folder = tmp_path / "run"
    assert call_main(*TINY, "--output-dir", folder).status == 0
    good = (folder / "gan_1d.json").read_bytes()
    (folder / "gan_1d.json").unlink()
    place(folder / "gan_1d.json", kind, targets(tmp_path / "mine"))
    (tmp_path / "mine" / "file").write_bytes(good)
    before = tree(tmp_path)
    refused(*TINY, "--output-dir", folder, naming=[folder], status=(1, 2))
    assert tree(tmp_path) == before


NAMES = shlex.split("""
    notes.txt thesis thesis/chapter1.tex metrics.csv samples.npy summary.json training.gif
    training.png runs.csv gan_1d.part checkpoints checkpoints/state.json checkpoints/best
    checkpoints/best/model.pt checkpoints/metrics.csv checkpoints/iteration_0.index
    checkpoints/iteration_2.index checkpoints/iteration_4.data-00000-of-00001 saved_model
    saved_model/saved_model.pb saved_model/variables/variables.index saved_model/assets/a
    events events/events.out.tfevents.1.mine""")
FLAGS = [[], [], ["--seed", "1"], ["--overwrite"], ["--runs", "2"], ["--tensorboard"]]
FLAGS += [["--saved-model", "--tensorboard"]]


@st.composite
def stories(draw):
    """Draw what a user and the program do in turn: put something somewhere, or run a command."""
    placing = st.tuples(
        st.just("place"), st.sampled_from(["run", "run", "run", "beside"]), st.sampled_from(NAMES),
        st.sampled_from([*KINDS, "link to the run", "link to a result"]),
    )  # fmt: skip
    ends = st.one_of(st.none(), st.none(), st.integers(0, 60), st.integers(-5, -1))
    running = st.tuples(st.just("run"), st.sampled_from(FLAGS), ends)
    first = draw(st.one_of(running, running, running, placing))
    return [first, *draw(st.lists(st.one_of(placing, running), min_size=2, max_size=9))]


def put(home, where, name, kind):
    """Put something of the user's somewhere, if the program does not call that its own."""
    path = home / where / name
    above = [folder for folder in path.parents if home in folder.parents]
    if any(folder.is_symlink() or (folder.exists() and not folder.is_dir()) for folder in above):
        return {}
    own = home / "run" / "gan_1d.json"
    listed = json.loads(own.read_text() or '{"files": []}')["files"] if own.is_file() else []
    plain = kind in ("file", "folder", "full")
    if where == "run" and plain and {name, f"{name}/"} & {*listed, "gan_1d.part"}:
        return {}  # no one could tell a plain file from one that the program wrote
    if os.path.lexists(path):
        if path.is_symlink() or not path.is_file() or name not in listed:
            return {}
        path.unlink()  # a result, in whose place the user puts something else
    before = tree(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link to the run":
        path.symlink_to(home / "run")
    elif kind == "link to a result":
        path.symlink_to("summary.json")
    else:
        place(path, kind, home / "mine")
    return {path: entry for path, entry in tree(home).items() if path not in before}


def follow(story, home, counts):
    """Do what a story says; after each command, all that is the user's must be as it was."""
    (home / "mine").mkdir()
    targets(home / "mine")
    mine = tree(home)
    for what, *how in story:
        if what == "place":
            mine |= put(home, *how)
            continue
        flags, end = how
        run = None
        if end is None:
            with no_longer_than(60):
                run = call_main(*TINY, *flags, "--output-dir", home / "run")
        elif end >= 0:
            killed_at(end, home / "run", *TINY, *flags)
        else:
            with contextlib.suppress(Killed):
                to = {"stdout": Dies(-end), "stderr": io.StringIO()}
                call_main(*TINY, *flags, "--output-dir", home / "run", **to)
        counts["commands"] += 1
        if run is not None:
            counts[f"exit status {run.status}"] += 1
            assert run.status in (0, 1, 2)
            assert run.err.count("\n") == (run.status != 0), run.err
            assert run.status == 0 or str(home / "run") in run.err
        after = tree(home)
        counts["entries compared"] += len(mine)
        assert {path: after.get(path) for path in mine} == mine
        new = after.keys() - mine.keys()
        assert [path for path in new if home / "run" not in (path, *path.parents)] == []


def test_whatever_a_user_keeps_in_and_beside_a_runs_folder_survives_every_command(tmp_path):
    counts = collections.Counter()

    @hypothesis.settings(max_examples=TREES, **QUIETLY)
    @hypothesis.given(stories())
    def survives(story):
        counts["trees"] += 1
        with tempfile.TemporaryDirectory(dir=tmp_path) as home:
            follow(story, Path(home), counts)

    survives()
    print(dict(counts), "files lost: 0")


# ------------------------------------------------------------------------- a damaged gan_1d.json
WRONG = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.sampled_from(["", "/", ".."]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=5,
)


@st.composite
def lists_of_files(draw, mine):
    """Draw a gan_1d.json that may be damaged in any way; `mine` names a file outside."""
    names = [str(mine), f"../{mine.name}", f"../run/../{mine.name}", f"x/../../{mine.name}"]
    names += [f"//{mine}", f"./../{mine.name}", "../", "..", ".", "/", "", "a\0b", "\ud800"]
    name = st.sampled_from([*names, "metrics.csv", "checkpoints/state.json"])
    files = st.lists(name | WRONG, max_size=4) | WRONG | st.just(dict.fromkeys(names, 1)) | name
    content = json.dumps(draw(st.fixed_dictionaries({"files": files}) | WRONG)).encode()
    kind = draw(st.sampled_from(["as it is", "cut", "flipped", "noise"]))
    if kind == "cut":
        return content[: draw(st.integers(0, len(content)))]
    if kind == "flipped":
        k = draw(st.integers(0, len(content) - 1))
        return content[:k] + bytes([content[k] ^ draw(st.integers(1, 255))]) + content[k + 1 :]
    return content if kind == "as it is" else draw(st.binary(max_size=20))


def test_a_damaged_gan_1d_json_never_costs_a_file_outside(tmp_path):
    mine = tmp_path / "mine.txt"

    @hypothesis.settings(max_examples=100, **QUIETLY)
    @hypothesis.given(lists_of_files(mine))
    def nothing_is_lost(content):
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "gan_1d.json").write_bytes(content)
        (folder / "notes.txt").write_text("mine")
        mine.write_text("mine")
        run = call_main(*TINY, "--output-dir", folder)
        assert run.status in (0, 2)
        assert run.err.count("\n") == (run.status != 0)
        for path in (mine, folder / "notes.txt"):
            assert path.read_text() == "mine"
        assert run.status == 0 or (folder / "gan_1d.json").read_bytes() == content

    nothing_is_lost()


@pytest.mark.parametrize("content", ["[" * 100_000, '{"files": ' + "[" * 100_000, '["x"]' * 10**6])
def test_a_deep_or_huge_gan_1d_json_is_refused_in_one_line(content, tmp_path):
    (tmp_path / "gan_1d.json").write_text(content)
    refused(*TINY, "--output-dir", tmp_path, naming=[tmp_path])
    assert (tmp_path / "gan_1d.json").read_text() == content


# ---------------------------------------------------------------------- the same command continues
@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the results of the long run, left alone."""
    folder = tmp_path_factory.mktemp("whole")
    run = call_main(*LONG, "--output-dir", folder)
    assert (run.status, run.err) == (0, "")
    left = results(folder)
    assert len(left) == 2
    return left


@contextlib.contextmanager
def process(*words, cwd):
    """Start a process that can't print more than a page beyond what was read of it."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    env = {name: os.environ[name] for name in os.environ if not name.startswith(("TF_", "PYTHON"))}
    env["TMPDIR"] = str(cwd.parent)  # TensorFlow removes its files there unless it is killed
    run = subprocess.Popen(
        words,
        cwd=cwd,
        env=env,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(writer)
    with run, open(reader, "rb", buffering=0) as run.stdout_lines:
        try:
            yield run
        finally:
            run.kill()


def start(folder, *flags):
    """Start `python gan_1d.py` with these flags, for a folder, in the folder above that."""
    words = [sys.executable, str(ROOT / "gan_1d.py"), *flags, "--output-dir", folder.name]
    return process(*words, cwd=folder.parent)


def read_to(run, iteration):
    """Read what a process prints, as far as the line of this iteration; return it."""
    lines = []
    for line in run.stdout_lines:
        lines.append(line.decode())
        if lines[-1].split()[:2] == ["iteration", str(iteration)]:
            return lines
    raise AssertionError(f"it ended before: {lines}, {run.communicate()[1]}")


def ended(run):
    """Let a process end; return its status and what it printed to standard error."""
    run.stdout_lines.read()  # frees it, if the pipe is full
    _, err = run.communicate()
    return run.returncode, err


def test_a_stopped_run_prints_the_command_that_continues_to_the_same_bytes(whole, tmp_path):
    folder = tmp_path / "it's a $HOME; of * its own"
    with start(folder, *LONG) as run:
        read_to(run, 99)
        os.killpg(run.pid, signal.SIGTERM)  # all of its processes
        status, err = ended(run)
    assert (status, err.count("\n")) == (128 + signal.SIGTERM, 2)
    command = err.splitlines()[-1].strip()
    run = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    said, line, *_ = run.stdout.splitlines()
    assert folder.name in said  # where it continues, in one line
    assert line.split()[0] == "iteration"
    assert int(line.split()[1]) > 99
    assert (run.returncode, run.stderr) == (0, "")
    assert results(folder) == whole


def test_a_second_signal_ends_a_run_at_once(tmp_path):
    pairs = shlex.split(
        "--print-pairs --log-every 1 --no-xla --no-plots"
    )  # more than its pipe holds
    with start(tmp_path / "cut", *pairs) as run:
        run.stdout_lines.readline()
        run.send_signal(signal.SIGINT)
        with no_longer_than(60):
            while catches(run.pid, signal.SIGINT):
                assert run.poll() is None
        run.send_signal(signal.SIGINT)
        run.communicate()
    assert run.returncode == -signal.SIGINT


def catches(pid, number):
    """Return whether a process has a handler of its own for a signal."""
    (mask,) = [
        line.split()[1]
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("SigCgt:")
    ]
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_a_second_process_is_refused_until_the_first_is_killed_and_then_continues(whole, tmp_path):
    folder = tmp_path / "shared"
    with start(folder, *LONG) as run:
        read_to(run, 199)
        run.send_signal(signal.SIGSTOP)
        before = tree(folder)
        for flags in ([], ["--overwrite"], ["--runs", "2"]):
            refused(*TINY, *flags, "--output-dir", folder, naming=[folder])
            assert tree(folder) == before
        run.kill()
        assert ended(run) == (-signal.SIGKILL, "")
    assert results(folder) == {}
    again = call_main(*LONG, "--output-dir", folder)
    assert (again.status, again.err) == (0, "")
    assert results(folder) == whole
    assert not (folder / "checkpoints").exists()


class Signals(io.StringIO):
    """A standard output that sends this process a signal at its first line."""

    def __init__(self, number):
        super().__init__()
        self.numbers = [number]

    def write(self, text):
        """Take text."""
        while self.numbers:
            signal.raise_signal(self.numbers.pop())
        return super().write(text)


def test_a_sigint_that_the_shell_said_to_ignore_is_ignored(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = call_main(*TINY, "--output-dir", tmp_path, stdout=Signals(signal.SIGINT))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert (run.status, run.err) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_run_with_an_exit_status_of_its_own(number, tmp_path):
    run = call_main(*TINY, "--output-dir", tmp_path, stdout=Signals(number))
    assert run.status == 128 + number


def stopped_at_once(folder, *flags):
    """Run the command with a signal that comes as soon as it touches its folder."""
    sent = []

    def send(path):
        if not sent:
            sent.append(path)
            signal.raise_signal(signal.SIGINT)

    with DISK.failing(folder, 0, send, reading=True):
        return call_main(*flags, "--output-dir", folder)


@pytest.mark.parametrize(
    "flags",
    [
        shlex.split(
            "--epoch 60 --log-every 40 --checkpoint-every 50 --pretrain 120 --ema-decay 0.9"
        ),
        shlex.split("--epoch 4 --plots --animate"),
        shlex.split("--epoch 4 --optimizer adam --log-every 1"),
    ],
)
def test_stopped_at_every_call_a_run_ends_with_the_same_numbers(flags, tmp_path):
    flags = [*TINY, *flags]
    assert call_main(*flags, "--output-dir", tmp_path / "whole").status == 0
    statuses, iterations = [], []
    while 0 not in statuses:
        run = stopped_at_once(tmp_path / "cut", *flags)
        statuses.append(run.status)
        lines = [line.split() for line in run.out.splitlines()]
        iterations += [int(words[1]) for words in lines if words[:1] == ["iteration"]]
        assert (tmp_path / "cut" / "metrics.csv").exists() == (run.status == 0)
        assert len(statuses) < 99
    assert len(statuses) > 3
    assert set(statuses) == {0, 130}
    assert iterations == sorted(set(iterations))  # each went on where the one before had stopped
    assert results(tmp_path / "cut") == results(tmp_path / "whole")


def test_a_stopped_animation_has_all_of_its_frames(tmp_path):
    flags = [*TINY, "--epoch", "4", "--plots", "--animate"]
    assert stopped_at_once(tmp_path, *flags).status == 130
    while stopped_at_once(tmp_path, *flags).status:
        pass
    with PIL.Image.open(tmp_path / "training.gif") as picture:
        assert picture.n_frames == 4


@pytest.fixture
def unfinished(tmp_path):
    """Leave a tiny run unfinished, at its second checkpoint; return its folder."""
    killed_as_it_prints(["iteration", "3"], tmp_path / "run", *TINY)
    assert (tmp_path / "run" / "checkpoints" / "state.json").exists()
    return tmp_path / "run"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return the results of the tiny run, left alone, and the names of its files."""
    folder = tmp_path_factory.mktemp("tiny")
    assert call_main(*TINY, "--output-dir", folder).status == 0
    return results(folder), names_in(folder)


def test_a_checkpoint_is_saved_each_time_that_many_iterations_are_done(unfinished):
    state = json.loads((unfinished / "checkpoints" / "state.json").read_text())
    assert state["iteration"] == 2  # it ended as it printed the line of iteration 3


def test_a_continued_run_says_in_one_line_from_where(unfinished):
    at = json.loads((unfinished / "checkpoints" / "state.json").read_text())["iteration"]
    first, second = call_main(*TINY, "--output-dir", unfinished).out.splitlines()[:2]
    assert str(unfinished) in first
    assert f" {at} " in first
    assert second.startswith("iteration")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ("--momentum 0.5", ["--momentum", "0.5", "0.6"]),
        ("--seed 7", ["--seed", "7", "0"]),
        ("--hidden-size-g 3", ["--hidden-size-g", "3", "None"]),
        ("--xla", ["--xla", "--no-xla"]),
        ("--runs 2", ["--runs", "2", "1"]),
        ("--momentum 0.5 --size 7", ["--size", "7", "5"]),
        ("--log-every 1 --momentum 0.5", ["--momentum", "0.5", "0.6"]),
    ],
)
def test_other_settings_are_refused_by_the_first_that_differs(flags, named, unfinished):
    before = tree(unfinished)
    command = [*TINY, *flags.split(), "--output-dir", unfinished]
    run = refused(*command, naming=[unfinished, *named, "--overwrite"])
    words = set(run.err.replace(",", "").split())
    assert len({"--size", "--momentum", "--log-every"} & words) <= 1
    assert tree(unfinished) == before
    assert call_main(*TINY, "--output-dir", unfinished).status == 0


def test_overwrite_replaces_the_unfinished_run_and_begins_anew(unfinished, tmp_path):
    other = [*TINY, "--momentum", "0.5"]
    (unfinished / "notes.txt").write_text("mine")
    (unfinished / "checkpoints" / "best").write_text("mine")
    assert call_main(*other, "--output-dir", tmp_path / "new").status == 0
    run = call_main(*other, "--overwrite", "--output-dir", unfinished)
    assert (run.status, run.err) == (0, "")
    assert run.out.splitlines()[0].split()[:2] == ["iteration", "1"]
    assert results(unfinished) == results(tmp_path / "new")
    mine = {"notes.txt", "checkpoints", "checkpoints/best"}
    assert names_in(unfinished) == names_in(tmp_path / "new") | mine


def test_overwrite_removes_nothing_if_the_new_run_cannot_begin(unfinished, tiny, monkeypatch):
    def fail(settings):
        raise MemoryError

    before = tree(unfinished)
    with monkeypatch.context() as patch:
        patch.setattr("gan_1d.GAN", fail)
        run = call_main(*TINY, "--overwrite", "--seed", "5", "--output-dir", unfinished)
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert tree(unfinished) == before
    assert call_main(*TINY, "--output-dir", unfinished).status == 0
    assert results(unfinished) == tiny[0]


def test_a_stopped_run_that_was_to_overwrite_continues_without_it(unfinished, tmp_path):
    other = [*TINY, "--seed", "5", "--overwrite"]
    run = stopped_at_once(unfinished, *other)
    assert run.status == 130
    assert "--overwrite" not in run.err
    again = call_main(*shlex.split(run.err.splitlines()[-1])[2:])  # behind python and its script
    assert (again.status, again.err) == (0, "")
    assert call_main(*other, "--output-dir", tmp_path / "new").status == 0
    assert results(unfinished) == results(tmp_path / "new")


def test_stopped_before_its_first_row_a_comparison_that_was_to_overwrite_continues(tmp_path):
    many = [*TINY, "--runs", "2", "--jobs", "1"]
    assert call_main(*many, "--output-dir", tmp_path / "whole").status == 0
    assert stopped_at_once(tmp_path / "cut", *TINY).status == 128 + signal.SIGINT
    again = stopped_at_once(tmp_path / "cut", *many, "--overwrite")
    assert again.status == 128 + signal.SIGINT
    assert "--overwrite" not in again.err
    assert call_main(*many, "--output-dir", tmp_path / "cut").status == 0
    assert results(tmp_path / "cut") == results(tmp_path / "whole")


def test_a_finished_run_is_replaced_without_asking(tmp_path, tiny):
    assert call_main(*TINY, "--seed", "1", "--output-dir", tmp_path).status == 0
    assert results(tmp_path) != tiny[0]
    assert call_main(*TINY, "--output-dir", tmp_path).status == 0
    assert results(tmp_path) == tiny[0]


def test_an_unfinished_runs_folder_may_be_moved(unfinished, tmp_path, tiny):
    unfinished.rename(tmp_path / "moved")
    run = call_main(*TINY, "--output-dir", tmp_path / "moved")
    assert (run.status, run.err) == (0, "")
    assert not run.out.startswith("iteration")  # it continues, and says so
    assert results(tmp_path / "moved") == tiny[0]


def test_many_runs_continue_by_finished_seeds(tmp_path):
    flags = [*TINY, "--runs", "4", "--jobs", "2"]
    assert call_main(*flags, "--output-dir", tmp_path / "whole").status == 0
    killed_as_it_prints(3, tmp_path / "cut", *flags)
    done = len(json.loads((tmp_path / "cut" / "checkpoints" / "state.json").read_text())["rows"])
    run = call_main(*flags, "--output-dir", tmp_path / "cut")
    assert (run.status, run.err) == (0, "")
    assert 0 < done < 4
    assert str(done) in run.out.splitlines()[0].split()
    assert results(tmp_path / "cut") == results(tmp_path / "whole")
    assert names_in(tmp_path / "cut") == names_in(tmp_path / "whole")


def test_a_stopped_comparison_of_runs_continues_to_the_same_table(tmp_path):
    flags = [*TINY, "--runs", "4", "--jobs", "2"]
    assert call_main(*flags, "--output-dir", tmp_path / "whole").status == 0
    assert stopped_at_once(tmp_path / "cut", *flags).status == 130
    assert call_main(*flags, "--output-dir", tmp_path / "cut").status == 0
    assert results(tmp_path / "cut") == results(tmp_path / "whole")


# ------------------------------------------------------------------------------------------- state
def test_the_state_is_plain_json_without_a_generators_state(unfinished, tiny):
    text = (unfinished / "checkpoints" / "state.json").read_text()
    state = json.loads(text)
    settings = Settings(**state["settings"])
    assert (settings.epoch, settings.size, settings.xla) == (6, 5, False)
    assert state["iteration"] in range(7)
    rows = list(csv.DictReader(io.StringIO(tiny[0]["metrics.csv"].decode())))
    assert len(state["history"]) in (1, 2, 3)
    for row, saved in zip(rows, state["history"], strict=False):
        assert {name: float(value) for name, value in row.items()} == saved
    for word in ("rng", "generator_state", "bit_generator", "PCG64", "has_uint32"):
        assert word not in text


def test_the_checkpoint_beside_the_state_is_read_by_tensorflow(tmp_path):
    killed_as_it_prints(["iteration", "5"], tmp_path / "run", *TINY)
    (index,) = (tmp_path / "run" / "checkpoints").glob("*.index")
    weights = train(Settings(epoch=6, size=5, xla=False)).weights
    names = {name for name, _ in tf.train.list_variables(str(index.with_suffix("")))}
    assert names >= weights.keys()


DAMAGES = ["cut", "flipped", "grown", "gone", "folder", "pipe", "dangling link"]


@st.composite
def damaged(draw, state):
    """Draw one harm: to a file of the checkpoint as it lies there, or to a part of the state."""
    if draw(st.booleans()):
        which = draw(st.sampled_from(["state.json", "state.json", "*.index", "*.data*"]))
        return (
            which,
            draw(st.sampled_from(DAMAGES)),
            draw(st.floats(0, 1)),
            draw(st.integers(1, 255)),
        )
    place = state = json.loads(json.dumps(state))
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        deeper = isinstance(place[key], (dict, list)) and place[key]
        if not deeper or draw(st.integers(0, 4)) == 0:
            break
        place = place[key]
    how = draw(st.sampled_from(["delete", "other", "other", "nest", "rename", "add"]))
    if how == "delete":
        del place[key]
    elif how == "nest":
        place[key] = [place[key]]
    elif how == "rename" and isinstance(place, dict):
        place["x"] = place.pop(key)
    elif how == "add" and isinstance(place, dict):
        place["x"] = 1
    else:
        numbers = st.sampled_from([-1, 0, 1, 3, 4, 5, 7, 2.5, 1e99, 10**30, float("nan")])
        place[key] = draw(numbers | WRONG)
    return "state.json", "content", json.dumps(state), None


def harm(folder, which, how, amount, bits):
    """Do a file the harm; return whether it differs in more than the JSON's white space."""
    (path,) = folder.glob(f"checkpoints/{which}")
    data = path.read_bytes()
    path.unlink()
    if how in ("folder", "pipe", "dangling link"):
        place(path, how, folder)
    elif how == "content":
        path.write_text(amount)
    elif how == "cut":
        path.write_bytes(data[: int(amount * (len(data) - 1))])
    elif how == "grown":
        path.write_bytes(data + bytes([bits]))
    elif how == "flipped":
        k = int(amount * (len(data) - 1))
        path.write_bytes(data[:k] + bytes([data[k] ^ bits]) + data[k + 1 :])
    if which != "state.json" or how == "gone" or not path.is_file():
        return how != "gone" or which != "state.json"
    try:
        return json.dumps(json.loads(path.read_bytes())) != json.dumps(json.loads(data))
    except ValueError:
        return True


def test_a_damaged_state_is_named_in_one_line_and_left_as_it_is(unfinished, tmp_path):
    state = json.loads((unfinished / "checkpoints" / "state.json").read_text())
    folder = tmp_path / "harmed"

    @hypothesis.settings(max_examples=120, **QUIETLY)
    @hypothesis.given(damaged(state))
    def is_refused(damage):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(unfinished, folder)
        hypothesis.assume(harm(folder, *damage))
        before = tree(folder)
        refused(*TINY, "--output-dir", folder, naming=[folder / "checkpoints"], status=(1, 2))
        assert tree(folder) == before

    is_refused()


def test_of_a_checkpoints_files_the_damaged_one_is_named(unfinished):
    for path in sorted((unfinished / "checkpoints").iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[:-9])
        run = call_main(*TINY, "--output-dir", unfinished)
        assert (run.status, run.err.count("\n")) == (1, 1)
        assert str(path) in run.err
        path.write_bytes(content)


def test_a_deeply_nested_state_is_named_in_one_line(unfinished):
    (unfinished / "checkpoints" / "state.json").write_text('{"settings": ' + "[" * 100_000)
    named = [unfinished / "checkpoints" / "state.json"]
    refused(*TINY, "--output-dir", unfinished, naming=named, status=(1,))


def test_a_damaged_state_gives_way_to_overwrite(unfinished, tiny):
    (unfinished / "checkpoints" / "state.json").write_text("{}")
    assert call_main(*TINY, "--overwrite", "--output-dir", unfinished).status == 0
    assert results(unfinished) == tiny[0]
    assert names_in(unfinished) == tiny[1]


def test_a_state_of_another_version_is_named_in_one_line(tmp_path, monkeypatch):
    source = (ROOT / "gan_1d.py").read_text().replace("decay_rate", "rate_of_decay")
    (tmp_path / "gan_1d_other.py").write_text(source)  # it has another flag in the place of one
    spec = importlib.util.spec_from_file_location("gan_1d_other", tmp_path / "gan_1d_other.py")
    other = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gan_1d_other", other)
    spec.loader.exec_module(other)
    folder = tmp_path / "run"
    with contextlib.redirect_stdout(Dies(["iteration", "3"])), pytest.raises(Killed):
        other.main([*TINY, "--output-dir", str(folder)])
    before = tree(folder)
    refused(*TINY, "--output-dir", folder, naming=[folder / "checkpoints"], status=(1, 2))
    assert tree(folder) == before


def test_a_missing_checkpoint_is_named_in_one_line_with_the_way_out(unfinished):
    (missing,) = unfinished.glob("checkpoints/*.index")
    missing.unlink()
    refused(*TINY, "--output-dir", unfinished, naming=[missing, "--overwrite"], status=(1,))
    assert call_main(*TINY, "--overwrite", "--output-dir", unfinished).status == 0


# --------------------------------------------------------------------------- whole, or not at all
@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """Leave the results of an older run of many seeds, and of one with events; return folders."""
    folder = tmp_path_factory.mktemp("older")
    assert call_main(*TINY, "--runs", "2", "--output-dir", folder / "many").status == 0
    assert (
        call_main(*TINY, "--seed", "1", "--tensorboard", "--output-dir", folder / "one").status == 0
    )
    return folder


def no_space(path):
    """Return what the system raises when a disk is full."""
    return OSError(errno.ENOSPC, "No space left on device", str(path))


def is_whole(folder, *runs):
    """Return whether each result is one of these runs', and nothing half written."""
    if (folder / "summary.json").exists():
        json.loads((folder / "summary.json").read_text())
    return all(any(data == run.get(name) for run in runs) for name, data in results(folder).items())


@pytest.mark.parametrize(
    ("fault", "was", "changes"),
    [("killed", "many", range(0, 1000, 2)), ("no space", "one", range(1, 1000, 4))],
)
def test_after_a_fault_at_any_change_the_same_command_puts_it_right(
    fault, was, changes, older, tiny, tmp_path
):
    flags = [*TINY, "--checkpoint-every", "100"]
    before = results(older / was)
    for change in changes:
        folder = tmp_path / str(change)
        shutil.copytree(older / was, folder)
        if fault == "killed":
            hit = killed_at(change, folder, *flags)
        else:
            with DISK.failing(folder, change, no_space) as disk:
                run = call_main(*flags, "--output-dir", folder)
            hit = disk.left < 0
            assert not hit or (run.status, run.err.count("\n")) == (1, 1)
            assert not hit or str(folder) in run.err
        assert is_whole(folder, before, tiny[0])
        mixed = results(folder) not in (before, tiny[0])
        again = call_main(*flags, "--output-dir", folder)
        assert (again.status, again.err) == (0, "")
        assert not (mixed and again.out.startswith("iteration"))  # it counts as unfinished
        assert results(folder) == tiny[0]
        assert names_in(folder) == tiny[1]
        shutil.rmtree(folder)
        if not hit:
            break
    assert change > 20


def test_after_a_fault_at_any_change_of_many_runs_the_same_command_puts_it_right(older, tmp_path):
    flags = [*TINY, "--runs", "2"]
    for change in range(0, 1000, 2):
        folder = tmp_path / str(change)
        shutil.copytree(older / "one", folder)
        hit = killed_at(change, folder, *flags)
        assert is_whole(folder, results(older / "one"), results(older / "many"))
        again = call_main(*flags, "--output-dir", folder)
        assert (again.status, again.err) == (0, "")
        assert results(folder) == results(older / "many")
        assert names_in(folder) == names_in(older / "many")
        shutil.rmtree(folder)
        if not hit:
            break
    assert change > 20


def test_a_fault_while_a_saved_model_is_put_in_place_leaves_no_half_of_it(tmp_path):
    flags = [*TINY, "--checkpoint-every", "100", "--saved-model", "--tensorboard"]
    whole = tmp_path / "whole"
    with DISK.failing(whole, 0, lambda path: None) as disk:
        assert call_main(*flags, "--output-dir", whole).status == 0
    for change in range(disk.changes - 1, 0, -19):
        folder = tmp_path / str(change)
        assert killed_at(change, folder, *flags)
        assert is_whole(folder, results(whole))
        assert call_main(*flags, "--output-dir", folder).status == 0
        assert results(folder) == results(whole)
        assert names_in(folder) == names_in(whole)


@pytest.mark.parametrize(
    ("limit", "unwritten"), [(2_000, "checkpoints"), (30_000, "samples.npy"), (30_000, "events")]
)
def test_a_limit_of_file_sizes_is_named_and_harms_nothing(limit, unwritten, tmp_path):
    flags = shlex.split("--epoch 20 --checkpoint-every 20 --no-plots --no-xla")
    flags += ["--tensorboard"] * (unwritten == "events")
    assert call_main(*flags, "--output-dir", tmp_path).status == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    none = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, none[1]))  # the system itself refuses more
    try:
        run = call_main(*flags, "--seed", "1", "--output-dir", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, none)
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert str(tmp_path) in run.err
    assert unwritten in run.err
    others = {path: path.read_bytes() for path in before if path.name != "gan_1d.json"}
    assert others.items() <= before.items()
    assert call_main(*flags, "--seed", "1", "--output-dir", tmp_path).status == 0
    assert (tmp_path / "samples.npy").read_bytes() != before[tmp_path / "samples.npy"]


def test_a_value_that_is_not_finite_stops_the_run_in_one_line(tmp_path):
    flags = shlex.split("--learning-rate 1e30 --r1-gamma 1e30 --epoch 50 --log-every 5 --no-xla")
    run = call_main(*flags, "--checkpoint-every", "1", "--output-dir", tmp_path)
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert "nan" in run.err or "inf" in run.err
    assert not {"summary.json", "metrics.csv", "samples.npy"} & names_in(tmp_path)


# ------------------------------------------------------------------------ TensorFlow's own formats
def test_a_run_leaves_nothing_in_tensorflows_files_in_memory(tmp_path):
    before = tf.io.gfile.glob("ram://*/*")
    assert call_main(*TINY, "--saved-model", "--output-dir", tmp_path).status == 0
    assert tf.io.gfile.glob("ram://*/*") == before


def test_events_hold_the_history_and_the_graph(tmp_path):
    flags = [*TINY, "--hidden-size-g", "3", "--output-scale", "7", "--tensorboard"]
    for _ in range(2):  # the second run's events replace the first one's
        assert call_main(*flags, "--output-dir", tmp_path).status == 0
    (file,) = tmp_path.glob("events/*")
    events = list(tf.train.summary_iterator(str(file)))
    (graph,) = [tf.GraphDef.FromString(event.graph_def) for event in events if event.graph_def]
    assert {"x_node", "z_node", "G", "D1", "D2", "loss_d", "loss_g"} <= {n.name for n in graph.node}
    with open(tmp_path / "metrics.csv", newline="") as lines:
        rows = list(csv.DictReader(lines))
    logged = [event for event in events if event.summary.value]
    assert [event.step for event in logged] == [1, 3, 5]
    for event, row in zip(logged, rows, strict=True):
        values = {value.tag: value.simple_value for value in event.summary.value}
        assert values == pytest.approx({name: float(row[name]) for name in row}, rel=1e-6)


def test_a_continued_runs_events_are_one_file_with_each_row_once(tmp_path):
    flags = [*TINY, "--tensorboard"]
    killed_as_it_prints(["iteration", "3"], tmp_path, *flags)
    assert call_main(*flags, "--output-dir", tmp_path).status == 0
    (file,) = tmp_path.glob("events/*")
    events = list(tf.train.summary_iterator(str(file)))
    assert [event.step for event in events if event.summary.value] == [1, 3, 5]


LOADS = """
import sys
import numpy as np
import tensorflow as tf
for folder in sys.argv[1:]:
    model = tf.saved_model.load(folder + "/saved_model")
    x = model.signatures["generate"](z=tf.constant(np.load(folder + "/z.npy")))["x"]
    D = model.signatures["discriminate"](x=x[:7])["probability"]
    np.savez(folder + "/loaded.npz", x=x, D=D)
"""


def test_saved_models_give_the_samples_in_a_fresh_process(tmp_path):
    kinds = {"plain": {"ema_decay": 0.9}, "other": {"hidden_size_g": 3, "output_scale": 7.0}}
    rng = np.random.default_rng([0, 0, 1])  # that of the final samples, for seed 0
    RealDataLoader(10_000, rng=rng).next_batch()
    z = GenDataLoader(10_000, rng=rng).next_batch()
    for name, changes in kinds.items():
        flags = [f"--{flag.replace('_', '-')}={value}" for flag, value in changes.items()]
        flags += ["--epoch=5", "--no-xla", "--no-plots", "--saved-model"]
        assert call_main(*flags, "--output-dir", tmp_path / name).status == 0
        np.save(tmp_path / name / "z.npy", z)
    folders = [str(tmp_path / name) for name in kinds]
    subprocess.run([sys.executable, "-c", LOADS, *folders], check=True, capture_output=True)
    for name, changes in kinds.items():
        loaded = np.load(tmp_path / name / "loaded.npz")
        samples = np.load(tmp_path / name / "samples.npy")
        assert np.allclose(loaded["x"], samples, atol=1e-6)
        weights = train(Settings(epoch=5, xla=False, **changes)).weights
        theta_d = [weights[f"discriminator/{part}"].astype(float) for part in oracle.NAMES]
        expected = oracle.sigmoid(oracle.forward(samples[:7].astype(float), theta_d)[2])
        assert np.allclose(loaded["D"], expected, atol=1e-5)
