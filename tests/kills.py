"""Kill a run again and again, continue it by the same command, and compare its end.

    python tests/kills.py [while it trains = 40] [while results are put in place = 20] [seed = 0]

The folder holds the results of an older run at first. Each kill comes at a random moment: while the
run trains, or from when its first result lies in checkpoints/ until it is finished. After each of
them, every result in the folder must be, whole, the older run's or the new one's; at the end they
must be the bytes of a run that was left alone. Exit status: 0 if all of that is so.
"""

import collections
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = """--epoch 3000 --pretrain 300 --ema-decay 0.99 --log-every 50 --checkpoint-every 20
    --no-xla --no-plots --saved-model --output-dir"""
RUN = [sys.executable, str(ROOT / "gan_1d.py"), *FLAGS.split()]
OLDER = [*RUN[:2], "--seed", "7", "--epoch", "20", *RUN[4:]]
RESULTS = ("metrics.csv", "samples.npy", "saved_model/variables/variables.data-00000-of-00001")


def results(folder):
    """Return the bytes of the results in a folder."""
    return {name: (folder / name).read_bytes() for name in RESULTS if (folder / name).exists()}


def began(run, folder):
    """Return when a run trains: at its first line of numbers; or when the run is over."""
    while (line := run.stdout.readline()) and not line.startswith(b"iteration"):
        pass


def finishing(run, folder):
    """Return when a run's first result is there, under checkpoints/, or when the run is over."""
    while run.poll() is None and not (folder / "checkpoints" / "metrics.csv").exists():
        pass


def kill_once(folder, wait, moment):
    """Start or continue the run, wait, and kill it some seconds later; return what became of it."""
    command = [*RUN, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        wait(run, folder)
        due = time.perf_counter() + moment
        while run.poll() is None and time.perf_counter() < due:
            pass
        run.kill()
        out, _ = run.communicate()
    if run.returncode == 0:
        return "ended before"
    if run.returncode != -9:
        sys.exit(f"the run ended with status {run.returncode}:\n{out.decode()}")
    if not (folder / "checkpoints").exists():
        return "killed when all was done"
    if not (folder / "checkpoints" / "state.json").exists():
        return "killed as the last of checkpoints/ was removed"
    if (folder / "checkpoints" / "summary.json").exists() or wait is finishing:
        part = ", within a file" * (folder / "gan_1d.part").exists()
        return f"killed as results were put in place{part}"
    return "killed while it trained" + ", within a file" * (folder / "gan_1d.part").exists()


def main():
    """Print what became of the kills, and whether all results were whole and the end the same."""
    training, placing, seed = (
        int(word) for word in [*sys.argv[1:], *(40, 20, 0)[len(sys.argv) - 1 :]]
    )
    rng = random.Random(seed)
    counts = collections.Counter()
    good = True
    with tempfile.TemporaryDirectory() as home:
        whole, older, cut = (Path(home, name) for name in ("whole", "older", "cut"))
        subprocess.run([*RUN, str(whole)], check=True, capture_output=True)
        subprocess.run([*OLDER, str(older)], check=True, capture_output=True)
        new, old = results(whole), results(older)
        if len(new) != len(RESULTS) or len(old) != len(RESULTS):
            sys.exit("a run that was left alone did not leave its results")
        shutil.copytree(older, cut)
        kills = 0
        while kills < training + placing:
            if kills < training:
                became = kill_once(cut, began, rng.uniform(0, 0.3))
            else:
                became = kill_once(cut, finishing, rng.uniform(0, 0.015))
            kills += became.startswith("killed")
            counts[became] += 1
            left = results(cut)
            torn = [name for name in left if left[name] not in (old[name], new[name])]
            good = good and not torn
            print(f"{kills:3d} {became}", *(f"TORN: {name}" for name in torn), flush=True)
            if not (cut / "checkpoints").exists():  # finished: once more, over the older run
                good = good and results(cut) == new
                shutil.rmtree(cut)
                shutil.copytree(older, cut)
        subprocess.run([*RUN, str(cut)], check=True, capture_output=True)
        good = good and results(cut) == new
        names = [sorted(p.relative_to(f).as_posix() for p in f.rglob("*")) for f in (cut, whole)]
        good = good and names[0] == names[1]
    for became, count in sorted(counts.items()):
        print(f"{count:4d} {became}")
    print(f"{kills} kills: {'the same bytes' if good else 'NOT THE SAME'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
