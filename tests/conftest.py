"""Let the tests import gan_1d.py from the folder above, and run in two processes; Hypothesis's files don't stay."""

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
HOME = tempfile.TemporaryDirectory(prefix="hypothesis_")  # removed when Python ends
set_hypothesis_home_dir(HOME.name)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Use two processes, unless the command line says how many; those that xdist has started start no others."""
    if getattr(config.option, "numprocesses", 0) is None and not hasattr(config, "workerinput"):
        config.option.numprocesses = 2
