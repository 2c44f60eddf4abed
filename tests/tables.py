"""Print the tables of outputs/README.md: python tests/tables.py [data] [changes], or both.

A row of `data` is trained for 16 seeds, one of `changes` for 8, the first of them 0. `data` also
draws seed 0 of each kind of data in outputs/data.png, `changes` its runs, a dot a seed, in
outputs/pitfalls.png. On two cores, `data` takes 20 minutes, `changes` 10.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import gan_1d  # noqa: E402

NORMAL = {
    "near": {"N(-1, 1)": (-1, 1), "N(0, 2)": (0, 2)},
    "far": {"N(50, 3)": (50, 3), "N(-1000, 20)": (-1000, 20)},
    "narrow": {"N(0, 0.05)": (0, 0.05), "N(2, 0.3)": (2, 0.3)},
}
FILES = {  # 100,000 numbers each, drawn by r = np.random.default_rng(0)
    "two bells": "r.normal(r.choice([-2, 2], 100_000), 0.5)",
    "two unequal bells": "r.normal(r.choice([-3, 3], 100_000, p=[0.3, 0.7]), 1)",
    "uniform": "r.uniform(5, 7, 100_000)",
    "exponential": "r.exponential(1, 100_000)",
    "log-normal": "r.lognormal(0, 1, 100_000)",
}
WIDER_NOISE = {"low": -1.0, "high": 1.0, "learning_rate_g": 0.0003}
SMALL_STEPS = {"d_steps": 3, "epoch": 25_000, "learning_rate_g": 0.0002}
SMALL_STEPS |= {"decay_rate": 0.8, "ema_decay": 0.9995, "low": -1.0, "high": 1.0}
ADAM = {"optimizer": "adam", "learning_rate": 0.001, "decay_rate": 1.0}
CHANGES = {  # by heading and by reason, what a row changes in the recipe
    "The article's recipe": {"no change": {}},
    "Pitfall 1: initialisation": {
        "Glorot's": {"init": "glorot_uniform"},
        "by fan-in": {"init": "fan_in"},
    },
    "Pitfall 2: the optimizer": {
        "no momentum": {"optimizer": "sgd"},
        "Adam at 0.001": ADAM,
    },
    "Pitfall 3: G's hidden units": {
        "3": {"hidden_size_g": 3},
        "16": {"hidden_size_g": 16},
        "64": {"hidden_size_g": 64},
    },
    "Beyond the article": {
        "stratified noise": {"noise": "stratified"},
        "normal noise": {"noise": "normal"},
        "pre-training": {"pretrain": 1000},
        "an average of G": {"ema_decay": 0.999},
        "R1": {"r1_gamma": 3.0},
    },
    "The recommended recipe": {"no change": gan_1d.RECOMMENDED},
    "Recommended, one change": {
        "without R1": {"r1_gamma": 0.0},
        "without the average": {"ema_decay": 0.0},
        "D's rate for both": {"learning_rate_g": 0.015},
        "G's rate for both": {"learning_rate": 0.00065},
        "Adam's usual momentum": {"beta1": 0.9},
        "the article's start": {"init": "normal"},
        "rates that do not fall": {"decay_rate": 1.0},
        "the article's noise": {"low": -1.0, "high": 1.0},
        "the article's units": {"hidden_size": 6, "hidden_size_g": 6},
        "the article's D steps": {"d_steps": 2},
        "the article's batch": {"size": 200},
        "not standardized": {"standardize": False},
    },
}


def flags(change):
    """Return settings as the flags that set them, in code."""
    words = (f"{gan_1d.flag(name)} {value}" for name, value in change.items())
    return f"`{' '.join(words)}`".replace("--standardize False", "--no-standardize")


def print_head(first):
    """Print the head of a table."""
    print(f"\n| {first} | D near 0.5 | W1, median and worst | KS, median and worst |", end="")
    print(" told apart by, median | as near as a batch |\n| --- | --- | --- | --- | --- | --- |")


def print_row(name, runs, **settings):
    """Train as many seeds, print what they come to; return the results."""
    settings = gan_1d.Settings(**settings)
    results = list(gan_1d.train_many(settings, range(runs)))
    rows = [
        result.final | {"diverged": False} if result else {"diverged": True} for result in results
    ]
    final = gan_1d.summarise(rows, settings)
    print(f"| {name} | {final['d_near_half']:.0%}", end="")
    print(f" | {final['w1_median']:.3g}, {final['w1_worst']:.3g}", end="")
    print(f" | {final['ks_median']:.4f}, {final['ks_worst']:.4f}", end="")
    print(f" | {final['told_apart_by_median']:,.0f} | {final['g_matches']:.0%} |", flush=True)
    return results


def data():
    """Print what the recommended recipe comes to for data of many kinds, and draw it."""
    print_head("data, recommended recipe")
    found = {}
    for kind, targets in NORMAL.items():
        for name, (mu, sigma) in targets.items():
            row = f"{name}, {kind}: `--mu={mu} --sigma={sigma}`"
            like = gan_1d.RECOMMENDED | {"mu": float(mu), "sigma": float(sigma)}
            found[name] = print_row(row, 16, **like)[0]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, code in FILES.items():
            file = f"{name.replace(' ', '_')}.npy"
            np.save(file, eval(code, {"r": np.random.default_rng(0)}))
            like = gan_1d.RECOMMENDED | {"data": file}
            found[name] = print_row(f"{name}: `{code}`", 16, **like)[0]
            if "bells" in name:
                print_row(f"{name}, wider noise: {flags(WIDER_NOISE)}", 16, **like | WIDER_NOISE)
            if name in ("exponential", "log-normal"):
                label = f"{name}, small steps"
                row = f"{label}: {flags(SMALL_STEPS)}"
                found[label] = print_row(row, 16, **like | SMALL_STEPS)[0]
    draw_data(found)


def draw_data(found):
    """Draw seed 0 of each kind of data: G's bars over the data's density, in outputs/data.png."""
    figure = Figure(figsize=(10, 9), layout="constrained")
    panels = figure.subplots(5, 3).ravel()
    for axes, (name, result) in zip(panels, found.items(), strict=False):
        gan_1d.draw_density(axes, result, gan_1d.density(result.samples, result.curve[0]))
        axes.set(title=f"{name}: KS {result.final['ks']:.3f}", xlabel="", ylabel="", yticks=())
    for axes in panels[len(found) :]:
        axes.axis("off")
    panels[len(found)].legend(*panels[0].get_legend_handles_labels(), loc="upper left")
    figure.savefig(ROOT / "outputs" / "data.png", dpi=100)


def changes():
    """Print what one change to a recipe comes to, and draw it."""
    print_head("one change to a recipe")
    found = {}
    for heading, rows in CHANGES.items():
        recipe = gan_1d.RECOMMENDED if "ecommended" in heading else {}
        found[heading] = {}
        for name, change in rows.items():
            bold = f"**{heading}**"
            label = bold if name == "no change" else f"{heading}: {name}: {flags(change)}"
            results = print_row(label, 8, **recipe | change)
            found[heading][name] = [result.final["ks"] for result in results if result]
    draw_changes(found)


def draw_changes(found):
    """Draw the KS of each seed, a dot, a row a setting, in outputs/pitfalls.png."""
    figure = Figure(figsize=(9, 8.5), layout="constrained")
    axes = figure.subplots()
    labels = []
    for number, (heading, rows) in enumerate(found.items()):
        if "no change" not in rows:
            labels.append(heading)
        for name, values in rows.items():
            places = [len(labels)] * len(values)
            axes.plot(values, places, "o", color=f"C{number}", alpha=0.5, markersize=6)
            labels.append(heading if name == "no change" else name)
    line = gan_1d.yardstick(200)
    axes.axvline(line, color="black", linewidth=1, linestyle="--")
    text = "95 of 100 batches of 200 real samples\nare on this side"
    axes.text(line * 0.95, -0.6, text, ha="right", va="center")
    axes.set(xscale="log", xlim=(0.003, 1.1), ylim=(len(labels), -1.5))
    axes.set_yticks(range(len(labels)), labels)
    for label in axes.get_yticklabels():
        label.set_weight("bold" if label.get_text() in found else "normal")
    axes.set_xlabel("KS, G's distance to its target: a dot for each of 8 seeds")
    figure.savefig(ROOT / "outputs" / "pitfalls.png", dpi=100)


if __name__ == "__main__":
    for part in sys.argv[1:] or ("data", "changes"):
        {"data": data, "changes": changes}[part]()
