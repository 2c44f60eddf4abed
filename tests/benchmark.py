"""Time the training loops: python tests/benchmark.py [loops] [growth] [memory] [process] (by default all).

A training loop's time is that of its median slice (an iteration of the article's loop, what lies between two logged
iterations of this project's), times the slices in 10,000 iterations: a machine that other jobs hold up now and then
holds up few slices. First calls, which optimise or compile the graph, are timed apart. The ways take turns.
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import gan_1d  # noqa: E402

ROUNDS, EPOCH = 5, 10_000
gan_1d.XLA_PAYS = 0  # short as the runs are here, --no-xla alone decides


def article_loop(printed, iterations=200):
    """Run the article's loop as written; return seconds for the first iteration and for 10,000 further ones."""
    m = gan_1d.build_graph()
    real_data_load, gen_data_load = gan_1d.RealDataLoader(), gan_1d.GenDataLoader()
    stamps = [time.perf_counter()]
    with gan_1d.tf.Session(graph=m.graph) as sess, open(os.devnull, "w") as null, gan_1d.quiet():
        sess.run(m.init)
        for i in range(iterations):
            for _ in range(2):
                feed = {m.x_node: real_data_load.next_batch(), m.z_node: gen_data_load.next_batch()}
                sess.run([m.train_op_d, m.loss_d], feed)
            D1_, D2_ = sess.run([m.D1, m.D2], feed)
            if printed:
                for d1, d2 in zip(D1_, D2_, strict=True):
                    print(i, file=null)
                    print("D1:", d1[0], ",D2:", d2[0], file=null)
            sess.run([m.train_op_g, m.loss_g], {m.z_node: gen_data_load.next_batch()})
            stamps.append(time.perf_counter())
    slices = [after - before for before, after in itertools.pairwise(stamps)]
    return slices[0], statistics.median(slices[1:]) * EPOCH


def this_loop(**changes):
    """Run this project's loop; return seconds for the compilation and for 10,000 iterations, draws and log included."""
    settings = gan_1d.Settings(**{"epoch": 3000} | changes)
    stamps = []
    result = gan_1d.train(settings, lambda row, D1_, D2_: stamps.append(time.perf_counter()))
    slices = [after - before for before, after in itertools.pairwise(stamps)]
    return result.seconds["compile"], statistics.median(slices) * EPOCH / settings.log_every


def loops():
    """Compare the article's loop with this one."""
    mended = {name: gan_1d.MEND[name] for name in ("r1_gamma", "ema_decay")}
    ways = {
        "(a) the article's loop, printing": lambda: article_loop(True),
        "(b) the article's loop": lambda: article_loop(False),
        "(c) this loop, XLA": lambda: this_loop(),
        "(d) this loop, --no-xla": lambda: this_loop(xla=False),
        "(e) (c) with R1 and EMA": lambda: this_loop(**mended),
    }
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            times[name].append(run())
    first, loop = ({name: statistics.median(pair[k] for pair in times[name]) for name in ways} for k in (0, 1))
    a, b, c, _, e = ways
    print(f"\n10,000 iterations, medians of {ROUNDS} rounds\n")
    print("| loop | seconds | first call | (a) / it | (b) / it | with the first call: (a) / it | (b) / it |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in ways:
        both = first[name] + loop[name]
        ratios = loop[a] / loop[name], loop[b] / loop[name], (first[a] + loop[a]) / both, (first[b] + loop[b]) / both
        print(f"| {name} | {loop[name]:.2f} | {first[name]:.2f} |", " | ".join(f"{ratio:.1f}" for ratio in ratios), "|")
    print(f"\nR1 and EMA cost {loop[e] / loop[c]:.2f} times the plain loop.")


def growth():
    """Print the time of an iteration against the sizes."""
    print("\nMilliseconds an iteration, seconds the first call\n")
    print("| --size | --hidden-size | XLA | its first call | --no-xla | its first call |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size, hidden_size in ((200, 6), (2_000, 6), (20_000, 6), (200_000, 6), (200, 64), (200, 256)):
        every = max(1, min(100, 800_000 // size))  # a bulk, but for the last size
        like = {"size": size, "hidden_size": hidden_size, "log_every": every, "epoch": 12 * every}
        cells = []
        for xla in (True, False):
            pairs = [this_loop(xla=xla, **like) for _ in range(3)]
            cells += [statistics.median(pair[1] for pair in pairs) / EPOCH * 1e3, min(pair[0] for pair in pairs)]
        print(f"| {size} | {hidden_size} |", " | ".join(f"{cell:.3g}" for cell in cells), "|", flush=True)


def memory():
    """Print the peak memory of runs that are large in one direction."""
    print("\n| python gan_1d.py | peak memory, MB |\n| --- | --- |")
    for flags in ("--size 1000000 --epoch 20", "--log-every 10000", "--runs 5 --epoch 2000"):
        with tempfile.TemporaryDirectory() as folder:
            # A small process between: at first a new process's peak counts as high as that of the one that starts it.
            code = (
                "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)"
            )
            code += "; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000)"
            words = [sys.executable, ROOT / "gan_1d.py", *flags.split(), "--output-dir", folder]
            run = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
        print(f"| {flags} | {run.stdout.strip()} |", flush=True)


def process():
    """Compare the whole command with loading TensorFlow."""
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            stamps = [time.perf_counter()]
            for command in (["-c", "import tensorflow"], [ROOT / "gan_1d.py", "--output-dir", folder]):
                subprocess.run([sys.executable, *command], capture_output=True, check=True)
                stamps.append(time.perf_counter())
            pairs.append((stamps[1] - stamps[0], stamps[2] - stamps[1]))
    ratios = sorted(whole / load for load, whole in pairs)
    print("\nimport tensorflow, python gan_1d.py:", ", ".join(f"{load:.1f} {whole:.1f} s" for load, whole in pairs))
    print(f"ratio: median {statistics.median(ratios):.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f}")


if __name__ == "__main__":
    for part in sys.argv[1:] or ["loops", "growth", "memory", "process"]:
        {"loops": loops, "growth": growth, "memory": memory, "process": process}[part]()
