"""Kill a run at random moments, resume it each time, and compare its end: python tests/kills.py [kills] [seed].

Every other kill waits for a checkpoint to be half written: for a file beside the finished ones. The run that was killed
must leave the same bytes as one that was not: metrics, samples and weights.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = """--epoch 8000 --pretrain 300 --ema-decay 0.99 --log-every 50 --checkpoint-every 20
    --no-xla --no-plots --saved-model --resume --output-dir"""
RUN = [sys.executable, ROOT / "gan_1d.py", *FLAGS.split()]
LEFT = ("metrics.csv", "samples.npy", "saved_model/variables/variables.data-00000-of-00001")


def newest(folder):
    """Return the checkpoint that a resumed run would go on from."""
    state = folder / "checkpoints" / "checkpoint"
    return state.read_text().split('"')[1] if state.exists() else "none"


def half_written(folder):
    """Return the names of files that a checkpoint's writing has begun and not completed."""
    checkpoints = folder / "checkpoints"
    return {path.name for path in checkpoints.iterdir() if "temp" in path.name} if checkpoints.exists() else set()


def kill_once(folder, within_writing, moment):
    """Start or resume the run, and kill it: within a checkpoint's writing, or `moment` seconds after it went on."""
    before, earlier = newest(folder), half_written(folder)  # an earlier kill's halves stay until the run is done
    with subprocess.Popen([*RUN, folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        while run.poll() is None and newest(folder) == before:
            time.sleep(0.01)
        due = time.monotonic() + moment
        while run.poll() is None and not (half_written(folder) - earlier if within_writing else time.monotonic() > due):
            pass
        run.kill()
        out, _ = run.communicate()
    if run.returncode != -9:
        sys.exit(f"the run ended with status {run.returncode} before it could be killed:\n{out}")
    left = half_written(folder) - earlier
    print("killed, last checkpoint", Path(newest(folder)).name, "- half written:" if left else "", *left, flush=True)
    return bool(left)


def main():
    """Print what became of each kill, and whether the end is the same."""
    kills, rng = int((sys.argv[1:] or [20])[0]), random.Random(int((sys.argv[2:] or [0])[0]))
    with tempfile.TemporaryDirectory() as home:
        whole, cut = Path(home, "whole"), Path(home, "cut")
        subprocess.run([*RUN, whole], check=True, capture_output=True)
        half = sum(kill_once(cut, k % 2, rng.uniform(0, 0.5)) for k in range(kills))
        subprocess.run([*RUN, cut], check=True, capture_output=True)
        same = all((whole / name).read_bytes() == (cut / name).read_bytes() for name in LEFT)
    print(
        f"{kills} kills, {half} within a checkpoint's writing: the bytes are {'the same' if same else 'NOT THE SAME'}"
    )
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
