"""Let the tests import gan_1d.py from the folder above; helpers that more than one file uses."""

import contextlib
import fcntl
import functools
import gc
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # as the command sets it for itself


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Use two processes, unless the command line says how many, or asks for the debugger."""
    option = config.option
    started = hasattr(config, "workerinput")  # a process that xdist started starts no others
    if getattr(option, "numprocesses", 0) is None and not option.usepdb and not started:
        option.numprocesses, option.dist = min(2, os.cpu_count()), "worksteal"


def pytest_collection_finish():
    """Spare the garbage collector what is loaded by now, TensorFlow above all."""
    gc.freeze()


def run_command(*arguments, cwd, source=ROOT / "gan_1d.py", **options):
    """Run `python gan_1d.py` as a process of its own; return what subprocess.run returns."""
    words = [sys.executable, str(source), *map(str, arguments)]
    like = {"capture_output": True, "text": True, "check": False} | options
    return subprocess.run(words, cwd=cwd, **like)


def once(tmp_path_factory, name, make):
    """Have `make` make a folder, once for all processes of a test run; return its path."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            make(folder)
    return folder


@pytest.fixture(scope="session")
def article_run(tmp_path_factory):
    """Run `python gan_1d.py` once for all tests, from a read-only copy; return what it came to."""

    def make(place):
        (place / "source").mkdir(parents=True)
        (place / "here").mkdir()
        source = shutil.copy(ROOT / "gan_1d.py", place / "source")
        (place / "source").chmod(0o555)
        run = run_command(cwd=place / "here", source=source)
        (place / "run.json").write_text(json.dumps([run.returncode, run.stdout, run.stderr]))

    place = once(tmp_path_factory, "article_run", make)
    run = subprocess.CompletedProcess([], *json.loads((place / "run.json").read_text()))
    run.folder, run.source = place / "here" / "outputs" / "latest", place / "source"
    return run


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


class Finished(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


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
