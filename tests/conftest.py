"""Let the tests import gan_1d.py from the folder above, and two processes share them (see .pytest.ini)."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Keep the tests of the article's run in one process, which makes it once."""
    for item in items:
        if "article_run" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("article_run"))
