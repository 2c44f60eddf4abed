"""Let the tests import gan_1d.py from the folder above; helpers that more than one file uses."""

import collections
import contextlib
import dataclasses
import functools
import gc
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TINY = shlex.split("--epoch 20 --size 20 --log-every 7 --no-xla --no-plots")
ALL = [*TINY, *shlex.split("--plots --animate --tensorboard --saved-model --print-pairs")]
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: /proc, or a pipe's size")
gc.disable()  # TensorFlow is imported a second faster
sys.path.insert(0, str(ROOT))
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # as the command sets it for itself
for name in ("XLA_FLAGS", "ONEDNN_MAX_CPU_ISA"):  # a developer's own would change the numbers
    os.environ.pop(name, None)
sys.modules.setdefault("keras", None)  # nor does the command load it, which takes seconds


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Use two processes, unless the command line says how many, or asks for the debugger."""
    option = config.option
    started = hasattr(config, "workerinput")  # a process that xdist started starts no others
    if getattr(option, "numprocesses", 0) is None and not option.usepdb and not started:
        option.numprocesses, option.dist = min(2, os.cpu_count()), "worksteal"


def pytest_collection_finish():
    """Before any test computes, set what `session` sets; spare the collector what is loaded."""
    import gan_1d

    gan_1d.set_library_flags()  # else the first test to compute would decide the others' numbers
    gc.freeze()
    gc.enable()


def once(tmp_path_factory, name, make):
    """Have `make` make a folder, once for all processes; return its path and what `make` gives."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    told = Path(f"{folder}.json")
    try:
        os.close(os.open(f"{folder}.lock", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        while not told.exists():  # another process makes it
            time.sleep(0.1)
    else:
        came_to = None
        try:
            came_to = make(folder)
        finally:
            Path(f"{told}.part").write_text(json.dumps(came_to), encoding="utf-8")
            os.replace(f"{told}.part", told)
    return folder, json.loads(told.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def article_run(tmp_path_factory):
    """Run `python gan_1d.py` once for all tests, from a read-only copy; return what it came to."""

    def make(place):
        (place / "source").mkdir(parents=True)
        (place / "here").mkdir()
        source = shutil.copy(ROOT / "gan_1d.py", place / "source")
        (place / "source").chmod(0o555)
        words = [sys.executable, str(source)]
        run = subprocess.run(words, cwd=place / "here", capture_output=True, text=True)
        return run.returncode, run.stdout, run.stderr

    place, came_to = once(tmp_path_factory, "article_run", make)
    run = subprocess.CompletedProcess([], *came_to)
    run.folder, run.source = place / "here" / "outputs" / "latest", place / "source"
    return run


@pytest.fixture(scope="session")
def full_run(tmp_path_factory):
    """Run a short training with all that a run can leave; return what it prints, and its folder."""
    make = functools.partial(call_main, *ALL, "--output-dir")
    folder, (status, out, err) = once(tmp_path_factory, "it's full", make)
    assert (status, err) == (0, "")
    return out, folder


@functools.cache
def built(**settings):
    """Build a GAN, once in a process."""
    import gan_1d

    return gan_1d.GAN(gan_1d.Settings(**settings))


@functools.cache
def trained(**settings):
    """Train a GAN, once in a process; by default uncompiled, which takes less time."""
    import gan_1d

    return gan_1d.train(gan_1d.Settings(**{"xla": False} | settings))


def train(gan, *logs, **changes):
    """Train on a graph that is built already, with settings that it does not depend on changed."""
    import gan_1d

    with gan.session() as sess:
        run = gan_1d.Run(gan, sess, dataclasses.replace(gan.settings, **changes))
        run.start()
        return run.train(logs)


Finished = collections.namedtuple("Finished", "status out err")


def call_main(*arguments):
    """Run the command in this process; return its exit status and what it printed."""
    import gan_1d

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = gan_1d.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
    return Finished(status, out.getvalue(), err.getvalue())
