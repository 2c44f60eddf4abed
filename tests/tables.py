"""Print README's tables of 16 seeds: python tests/tables.py [changes] [targets], or both.

Each row is trained for 16 seeds, the first of them 0. This takes a quarter of an hour on two cores.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from gan_1d import RECIPES, Settings, summarise, train_many

SEEDS = range(16)
ARTICLE = {  # one change to the article's recipe a row
    "**the article's recipe**": {},
    "`--init glorot_uniform`": {"init": "glorot_uniform"},
    "`--init classic`": {"init": "classic"},
    "`--optimizer sgd`": {"optimizer": "sgd"},
    "`--optimizer adam --learning-rate 0.001 --decay-rate 1`": {
        "optimizer": "adam",
        "learning_rate": 0.001,
        "decay_rate": 1,
    },
    "`--hidden-size-g 3`": {"hidden_size_g": 3},
    "`--hidden-size-g 16`": {"hidden_size_g": 16},
    "`--hidden-size-g 64`": {"hidden_size_g": 64},
    "`--noise stratified`": {"noise": "stratified"},
    "`--pretrain 1000`": {"pretrain": 1000},
    "`--r1-gamma 3`": {"r1_gamma": 3},
    "`--ema-decay 0.999`": {"ema_decay": 0.999},
}
RECOMMENDED = {  # one change to the recommended recipe a row
    "**the recommended recipe**": {},
    "without R1: `--r1-gamma 0`": {"r1_gamma": 0},
    "without the average: `--ema-decay 0`": {"ema_decay": 0},
    "D's rate for both: `--learning-rate-g 0.015`": {"learning_rate_g": 0.015},
    "G's rate for both: `--learning-rate 0.0011`": {"learning_rate": 0.0011},
    "Adam's usual `--beta1 0.9`": {"beta1": 0.9},
    "`--optimizer momentum --learning-rate 0.2 --learning-rate-g 0.015`": {
        "optimizer": "momentum",
        "learning_rate": 0.2,
        "learning_rate_g": 0.015,
    },
    "the article's `--init normal`": {"init": "normal"},
    "rates that do not fall: `--decay-rate 1`": {"decay_rate": 1},
    "the article's `--hidden-size 6 --hidden-size-g 6`": {"hidden_size": 6, "hidden_size_g": 6},
    "the article's `--d-steps 2`": {"d_steps": 2},
}
TARGETS = ((-1, 1), (0, 1), (-1, 0.5), (3, 0.5), (0, 2), (-1, 2))


def print_rows(head, rows):
    """Train each row's settings, and print what its seeds come to."""
    print(
        f"\n| {head} | D near 0.5 | W1, median and worst | KS, median and worst | told apart by | ",
        end="",
    )
    print("as near as a batch |\n| --- | --- | --- | --- | --- | --- |")
    for name, changes in rows.items():
        settings = Settings(**changes)
        final = summarise([result.final for result in train_many(settings, SEEDS)], settings)
        print(f"| {name} | {final['d_near_half']:.0%}", end="")
        print(f" | {final['w1_median']:.3f}, {final['w1_worst']:.3f}", end="")
        print(f" | {final['ks_median']:.4f}, {final['ks_worst']:.4f}", end="")
        print(f" | {final['told_apart_by_median']:,.0f} | {final['g_matches']:.0%} |", flush=True)


if __name__ == "__main__":
    recommended = RECIPES["recommended"]
    changed = {name: recommended | changes for name, changes in RECOMMENDED.items()}
    tables = {
        "changes": ("one change to a recipe", ARTICLE | changed),
        "targets": (
            "target, recommended recipe",
            {
                f"N({mu}, {sigma}): `--mu {mu} --sigma {sigma}`": recommended
                | {"mu": mu, "sigma": sigma}
                for mu, sigma in TARGETS
            },
        ),
    }
    for part in sys.argv[1:] or tables:
        print_rows(*tables[part])
