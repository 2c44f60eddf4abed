"""Print the tables of outputs/README.md: python tests/tables.py [changes] [targets], or both.

Each row is trained for 16 seeds, the first of them 0. `changes` also draws its runs, a dot a seed,
in outputs/pitfalls.png. On two cores, `changes` takes a quarter of an hour, `targets` half of that.
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import gan_1d  # noqa: E402

SEEDS = range(16)
ADAM = {"optimizer": "adam", "learning_rate": 0.001, "decay_rate": 1}
MOMENTUM = {"optimizer": "momentum", "learning_rate": 0.2, "learning_rate_g": 0.015}
MOMENTUM_FLAGS = "--optimizer momentum --learning-rate 0.2 --learning-rate-g 0.015"
CHANGES = {  # by heading and by flags, what a row changes in the recipe
    "The article's recipe": {"no change": {}},
    "Pitfall 1: initialisation": {
        "--init glorot_uniform": {"init": "glorot_uniform"},
        "--init fan_in": {"init": "fan_in"},
    },
    "Pitfall 2: the optimizer": {
        "--optimizer sgd": {"optimizer": "sgd"},
        "Adam at 0.001: --optimizer adam --learning-rate 0.001 --decay-rate 1": ADAM,
    },
    "Pitfall 3: G's hidden units": {
        "--hidden-size-g 3": {"hidden_size_g": 3},
        "--hidden-size-g 16": {"hidden_size_g": 16},
        "--hidden-size-g 64": {"hidden_size_g": 64},
    },
    "Beyond the article": {
        "--noise stratified": {"noise": "stratified"},
        "--pretrain 1000": {"pretrain": 1000},
        "--ema-decay 0.999": {"ema_decay": 0.999},
        "--r1-gamma 3": {"r1_gamma": 3},
    },
    "The recommended recipe": {"no change": gan_1d.RECOMMENDED},
    "Recommended, one change": {
        "without R1: --r1-gamma 0": {"r1_gamma": 0},
        "without the average: --ema-decay 0": {"ema_decay": 0},
        "D's rate for both: --learning-rate-g 0.015": {"learning_rate_g": 0.015},
        "G's rate for both: --learning-rate 0.0011": {"learning_rate": 0.0011},
        "Adam's usual momentum: --beta1 0.9": {"beta1": 0.9},
        f"momentum for Adam: {MOMENTUM_FLAGS}": MOMENTUM,
        "the article's start: --init normal": {"init": "normal"},
        "rates that do not fall: --decay-rate 1": {"decay_rate": 1},
        "the article's units: --hidden-size 6 --hidden-size-g 6": {
            "hidden_size": 6,
            "hidden_size_g": 6,
        },
        "the article's D steps: --d-steps 2": {"d_steps": 2},
    },
}


def print_head(first):
    """Print the head of a table."""
    print(f"\n| {first} | D near 0.5 | W1, median and worst | KS, median and worst |", end="")
    print(" told apart by, median | as near as a batch |\n| --- | --- | --- | --- | --- | --- |")


def print_row(name, **settings):
    """Train 16 seeds, print what they come to; return the KS of each that did not diverge."""
    settings = gan_1d.Settings(**settings)
    finals = [result.final if result else {} for result in gan_1d.train_many(settings, SEEDS)]
    rows = [{column: final.get(column) for column in gan_1d.RUN_COLUMNS} for final in finals]
    final = gan_1d.summarise(rows, settings)
    print(f"| {name} | {final['d_near_half']:.0%}", end="")
    print(f" | {final['w1_median']:.3g}, {final['w1_worst']:.3g}", end="")
    print(f" | {final['ks_median']:.4f}, {final['ks_worst']:.4f}", end="")
    print(f" | {final['told_apart_by_median']:,.0f} | {final['g_matches']:.0%} |", flush=True)
    return [row["ks"] for row in rows if row["ks"] is not None]


def targets():
    """Print what the recommended recipe comes to for other targets."""
    print_head("target, recommended recipe")
    for target in gan_1d.TARGETS:
        mu, sigma = (float(number) for number in target[2:-1].split(", "))
        flags = f"`--mu {mu:g} --sigma {sigma:g}`"
        print_row(f"{target}: {flags}", **gan_1d.RECOMMENDED | {"mu": mu, "sigma": sigma})


def changes():
    """Print what one change to a recipe comes to, and draw it."""
    print_head("one change to a recipe")
    found = {}
    for heading, rows in CHANGES.items():
        recipe = gan_1d.RECOMMENDED if "ecommended" in heading else {}
        found[heading] = {}
        for name, change in rows.items():
            why, colon, flags = f"{heading}: {name}".rpartition(": ")
            label = f"**{heading}**" if name == "no change" else f"{why}{colon}`{flags}`"
            found[heading][name] = print_row(label, **recipe | change)
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
            labels.append(heading if name == "no change" else name.partition(":")[0])
    line, _ = gan_1d.yardstick(gan_1d.Settings())
    axes.axvline(line, color="black", linewidth=1, linestyle="--")
    text = "95 of 100 batches of 200 real samples\nare on this side"
    axes.text(line * 0.95, -0.6, text, ha="right", va="center")
    axes.set(xscale="log", xlim=(0.003, 1.1), ylim=(len(labels), -1.5))
    axes.set_yticks(range(len(labels)), labels)
    for label in axes.get_yticklabels():
        label.set_weight("bold" if label.get_text() in found else "normal")
    axes.set_xlabel("KS, G's distance to its target: a dot for each of 16 seeds")
    figure.savefig(ROOT / "outputs" / "pitfalls.png", dpi=100)


if __name__ == "__main__":
    for part in sys.argv[1:] or ("changes", "targets"):
        {"changes": changes, "targets": targets}[part]()
