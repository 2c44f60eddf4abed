"""Time the program: python tests/benchmark.py [loops] [growth] [memory] [process] [runs], or all.

A training loop's time is that of its median slice (an iteration of the article's loop, what lies
between two logged iterations of this project's), times the slices in 10,000 iterations: a machine
that other jobs hold up now and then holds up few slices. First calls, which compile the graph, are
timed separately. The ways take turns.
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


def article_loop(printed, iterations=200):
    """Run the article's loop as written; return seconds for its first iteration and for 10,000."""
    gan = gan_1d.GAN()
    real_data_load, gen_data_load = gan_1d.RealDataLoader(), gan_1d.GenDataLoader()
    stamps = [time.perf_counter()]
    with gan_1d.tf.Session(graph=gan.graph) as sess, open(os.devnull, "w") as null:
        sess.run(gan.init)
        for i in range(iterations):
            for _ in range(2):
                real_data, gen_data = real_data_load.next_batch(), gen_data_load.next_batch()
                feed = {gan.x_node: real_data, gan.z_node: gen_data}
                sess.run([gan.train_op_d, gan.loss_d], feed)
            D1_, D2_ = sess.run([gan.D1, gan.D2], feed)
            if printed:
                for d1, d2 in zip(D1_, D2_, strict=True):
                    print(i, file=null)
                    print("D1:", d1[0], ",D2:", d2[0], file=null)
            sess.run([gan.train_op_g, gan.loss_g], {gan.z_node: gen_data_load.next_batch()})
            stamps.append(time.perf_counter())
    slices = [after - before for before, after in itertools.pairwise(stamps)]
    return slices[0], statistics.median(slices[1:]) * EPOCH


def this_loop(**changes):
    """Run this project's loop; return seconds for its first call and for 10,000 iterations."""
    settings = gan_1d.Settings(**{"epoch": 3000} | changes)
    gan = gan_1d.GAN(settings)
    stamps = []
    with gan.session() as sess:
        run = gan_1d.Run(gan, sess, settings)
        run.start()
        feed = dict(zip(gan.loop_inputs, (*run.draw_block(0), 0, 0), strict=True))
        began = time.perf_counter()
        sess.run(gan.loop, feed)
        first = time.perf_counter() - began
        run.train([lambda row, D1_, D2_: stamps.append(time.perf_counter())])
    slices = [after - before for before, after in itertools.pairwise(stamps)]
    return first, statistics.median(slices) * EPOCH / settings.log_every


def loops():
    """Compare the article's loop with this one."""
    recommended = gan_1d.RECIPES["recommended"] | {"epoch": 3000}
    ways = {
        "(a) the article's loop, printing": lambda: article_loop(True),
        "(b) the article's loop": lambda: article_loop(False),
        "(c) this loop, XLA": lambda: this_loop(),
        "(d) this loop, --no-xla": lambda: this_loop(xla=False),
        "(e) (c), recommended recipe": lambda: this_loop(**recommended),
    }
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            times[name].append(run())
    first, loop = (
        {name: statistics.median(pair[k] for pair in times[name]) for name in ways} for k in (0, 1)
    )
    a, b, c, _, e = ways
    print(f"\n10,000 iterations, medians of {ROUNDS} rounds\n")
    print("| loop | seconds | first call | (a) / it | (b) / it | with first calls (a) / it |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in ways:
        both = (first[a] + loop[a]) / (first[name] + loop[name])
        ratios = loop[a] / loop[name], loop[b] / loop[name], both
        print(f"| {name} | {loop[name]:.2f} | {first[name]:.2f} |", end=" ")
        print(" | ".join(f"{ratio:.1f}" for ratio in ratios), "|")
    print(f"\nAn iteration of the recommended recipe takes {loop[e] / loop[c]:.2f} times (c)'s.")


def growth():
    """Print the time of an iteration against the sizes."""
    print("\nMilliseconds an iteration, seconds the first call\n")
    print("| --size | --hidden-size | XLA | its first call | --no-xla | its first call |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size, hidden_size in ((200, 6), (2_000, 6), (20_000, 6), (200_000, 6), (200, 64)):
        every = max(1, min(100, 800_000 // size))  # a block, but for the last size
        like = {"size": size, "hidden_size": hidden_size, "log_every": every, "epoch": 12 * every}
        cells = []
        for xla in (True, False):
            pairs = [this_loop(xla=xla, **like) for _ in range(3)]
            cells.append(statistics.median(pair[1] for pair in pairs) / EPOCH * 1e3)
            cells.append(min(pair[0] for pair in pairs))
        print(f"| {size} | {hidden_size} |", " | ".join(f"{cell:.3g}" for cell in cells), "|")


def memory():
    """Print the peak memory of runs that are large in one direction."""
    print("\n| python gan_1d.py | peak memory, MB |\n| --- | --- |")
    # A small process between: at first a process's peak counts as high as its parent's.
    code = """if True:
        import resource, subprocess, sys
        subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000)
    """
    for flags in ("--size 1000000 --epoch 20", "--log-every 10000", "--runs 4 --epoch 2000"):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, ROOT / "gan_1d.py", *flags.split(), "--output-dir", folder]
            words = [sys.executable, "-c", code, *command]
            run = subprocess.run(words, capture_output=True, text=True, check=True)
        print(f"| {flags} | {run.stdout.strip()} |", flush=True)


def seconds_of(*words):
    """Return how long a command takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, check=True)
    return time.perf_counter() - began


def process():
    """Compare the whole command with loading TensorFlow."""
    pairs = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            load = seconds_of("-c", "import tensorflow")
            pairs.append((load, seconds_of(ROOT / "gan_1d.py", "--output-dir", folder)))
    ratios = sorted(whole / load for load, whole in pairs)
    print("\nimport tensorflow, and python gan_1d.py:", end=" ")
    print(", ".join(f"{load:.1f} {whole:.1f} s" for load, whole in pairs))
    print(f"ratio: median {statistics.median(ratios):.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f}")


def runs():
    """Time many seeds, one at a time and on all cores."""
    print("\n| python gan_1d.py | seconds |\n| --- | --- |")
    for flags in ("--runs 16 --jobs 1", "--runs 16"):
        times = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder:
                words = [ROOT / "gan_1d.py", *flags.split(), "--output-dir", folder]
                times.append(seconds_of(*words))
        print(f"| {flags} | {statistics.median(times):.1f} |", flush=True)


if __name__ == "__main__":
    parts = {"loops": loops, "growth": growth, "memory": memory, "process": process, "runs": runs}
    for part in sys.argv[1:] or parts:
        parts[part]()
