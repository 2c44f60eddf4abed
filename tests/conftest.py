"""Let the tests import gan_1d.py from the folder above, however pytest is started; Hypothesis's files don't stay."""

import sys
import tempfile
from pathlib import Path

from hypothesis.configuration import set_hypothesis_home_dir

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
HOME = tempfile.TemporaryDirectory(prefix="hypothesis_")  # removed when Python ends
set_hypothesis_home_dir(HOME.name)
