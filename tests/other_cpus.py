"""Compare the numbers of other processors: python tests/other_cpus.py [processors, as qemu names].

Runs the program natively on all cores, on one core, and, by QEMU's user-mode emulation (Debian's
package qemu-user), on other processors: Haswell (Intel, 2013) and EPYC-Milan (AMD, 2021), unless
others are named; `qemu-x86_64 -cpu help` lists them. They must have AVX2, and QEMU emulates no
AVX-512. Compares the files of numbers byte for byte. The exit status is 0 if all are the same.

It takes about a quarter of an hour on two idle cores, nearly all for the emulation: importing
TensorFlow alone takes a minute or more. The environment's XLA_FLAGS, ONEDNN_MAX_CPU_ISA and
TF_ENABLE_ONEDNN_OPTS replace the program's own settings: unset them first.
"""

import csv
import io
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
RUN_FILES, MANY_FILES = ("metrics.csv", "samples.npy"), ("runs.csv",)
SETTINGS = {  # the files of numbers that a command writes, and whether it is emulated too
    "--epoch 200": (RUN_FILES, True),
    "--recipe recommended --epoch 200": (RUN_FILES, True),
    "--epoch 200 --r1-gamma 3 --noise stratified --mu 3 --sigma 0.5": (RUN_FILES, True),
    "--epoch 200 --runs 2": (MANY_FILES, False),
}


def machine():
    """Return the name of this machine's processor, and the number of cores to be used."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.machine()])[0], len(os.sched_getaffinity(0))


def numbers(before, flags, files):
    """Run the program, started by the words `before`; return its files' bytes, by their names."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*before, sys.executable, ROOT / "gan_1d.py", *flags.split()]
        words += ["--no-plots", "--output-dir", folder]
        run = subprocess.run(words, capture_output=True, text=True, check=False)
        if run.returncode:
            last = (run.stderr.splitlines() or [""])[-1]
            raise RuntimeError(f"exit status {run.returncode}: {last}")
        return {name: (Path(folder) / name).read_bytes() for name in files}


def difference(name, expected, got):
    """Say where a file's bytes first differ from the expected ones, or that they don't."""
    if got == expected:
        return "same bytes"
    if name.endswith(".npy"):
        old, new = np.load(io.BytesIO(expected)), np.load(io.BytesIO(got))
        rows, gap = (old != new).any(axis=1).sum(), np.abs(old - new).max()
        return f"{rows:,} of {len(old):,} rows differ, by up to {gap:.3g}"
    tables = [list(csv.reader(content.decode().splitlines())) for content in (expected, got)]
    for number, (old, new) in enumerate(zip(*tables, strict=True), 1):
        for column, before, now in zip(tables[0][0], old, new, strict=True):
            if before != now:
                return f"line {number} differs first: {column} is {now}, natively {before}"
    return "the bytes differ, the numbers don't"


def main():
    """Run and compare everything; return the exit status."""
    if not shutil.which("qemu-x86_64"):
        sys.exit("qemu-x86_64 is missing: Debian's package qemu-user has it")
    processor, cores = machine()
    print(f"natively: {processor}, cores: {cores}", flush=True)
    ways = {"one core": ["taskset", "-c", str(min(os.sched_getaffinity(0)))]}
    for name in sys.argv[1:] or ("Haswell", "EPYC-Milan"):
        ways[name] = ["qemu-x86_64", "-cpu", name]
    expected = {flags: numbers([], flags, files) for flags, (files, _) in SETTINGS.items()}
    same = True
    for way, before in ways.items():
        for flags, (files, emulated) in SETTINGS.items():
            if before[0] == "taskset" or emulated:
                began = time.perf_counter()
                try:
                    got = numbers(before, flags, files)
                    found = [difference(file, expected[flags][file], got[file]) for file in files]
                except RuntimeError as error:
                    found = [str(error)] * len(files)
                print(f"\n{way}, {flags} ({time.perf_counter() - began:.0f} s)")
                for file, text in zip(files, found, strict=True):
                    print(f"  {file}: {text}", flush=True)
                same = same and set(found) == {"same bytes"}
    print(f"\n{'All the same.' if same else 'There are differences.'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
