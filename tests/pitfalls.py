"""Print the README's table of the article's three pitfalls and of what mends them: python tests/pitfalls.py [seeds].

Each row is the article's recipe with one thing changed, trained for that many seeds (16), the first of them 0.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from gan_1d import MEND, Settings, summarise, train_runs

ROWS = {
    "the article's recipe": {},
    "`--init truncated_normal`": {"init": "truncated_normal"},
    "`--init glorot_uniform`": {"init": "glorot_uniform"},
    "`--init classic`": {"init": "classic"},
    "`--optimizer sgd`": {"optimizer": "sgd"},
    "`--optimizer adam --learning-rate 0.001 --decay-rate 1`": {
        "optimizer": "adam",
        "learning_rate": 0.001,
        "decay_rate": 1,
    },
    "`--hidden-size 3`": {"hidden_size": 3},
    "`--hidden-size 16`": {"hidden_size": 16},
    "`--hidden-size 64`": {"hidden_size": 64},
    "`--noise stratified`": {"noise": "stratified"},
    "`--pretrain 1000`": {"pretrain": 1000},
    "`--r1-gamma 3`": {"r1_gamma": 3},
    "`--ema-decay 0.999`": {"ema_decay": 0.999},
    "`--r1-gamma 3 --ema-decay 0.999`": {"r1_gamma": 3, "ema_decay": 0.999},
    "`--r1-gamma 3 --ema-decay 0.999 --init glorot_uniform --hidden-size 16`": {
        "r1_gamma": 3,
        "ema_decay": 0.999,
        "init": "glorot_uniform",
        "hidden_size": 16,
    },
    "what the report recommends": MEND,
}

if __name__ == "__main__":
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    print("| recipe | D near 0.5 | median W1 | worst W1 | G matches |")
    print("| --- | --- | --- | --- | --- |")
    for name, changes in ROWS.items():
        settings = Settings(**changes, runs=seeds, log_every=10_000)
        row = summarise([result.final for result in train_runs(settings)], settings)
        print(f"| {name} | {row['d_near_half']:.0%} | {row['w1_median']:.3f}", end="")
        print(f" | {row['w1_worst']:.3f} | {row['g_matches']:.0%} |", flush=True)
