"""Runs kept with the harness, one line each in `stored.csv`: those of the libraries take hours."""

from __future__ import annotations

import csv
import math
import pathlib

FILE = pathlib.Path(__file__).resolve().parent.parent / "stored.csv"
AT = ["5", "10", "15", "20", "25", "30", "40", "50", "60", "75", "100", "125", "150"]
HEAD = ["set", "contender", "problem", "setting", "seed", "evaluations", "cpu_s", "error", *AT]


def regret(checkpoint):
    """Of the contender's own recommendation if it has one, else of the best observed."""
    own, observed, _ = checkpoint
    return own if own is not None else observed if observed is not None else math.inf


def read():
    if not FILE.exists():
        return
    with FILE.open(newline="") as f:
        for row in csv.DictReader(f):
            n = row["evaluations"]
            record = {
                "set": row["set"],
                "contender": row["contender"],
                "problem": row["problem"],
                "setting": row["setting"],
                "seed": int(row["seed"]),
                "evals": int(n),
                "cp": {at: [None, float(row[at]), None] for at in AT if row[at]},
                "cpu": {n: float(row["cpu_s"])},
            }
            yield record | ({"error": row["error"]} if row["error"] else {})


def write(records):
    with FILE.open("w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(HEAD)
        for r in sorted(records.values(), key=lambda r: (r["set"], r["contender"], r["setting"], r["problem"], r["seed"])):
            cpu = max(r["cpu"].values(), default=0.0)
            start = [r[k] for k in ("set", "contender", "problem", "setting", "seed", "evals")]
            regrets = [f"{regret(r['cp'][at]):.5g}" if at in r["cp"] else "" for at in AT]
            out.writerow([*start, f"{cpu:.3f}", (r.get("error") or "")[:60], *regrets])
