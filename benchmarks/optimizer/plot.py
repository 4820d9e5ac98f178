"""python plot.py FILE.svg: regret over evaluations on the development problems, one panel a setting."""

import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "regret", "font.size": 9})
import matplotlib.pyplot as plt

from bobench import report, runner

AT = [5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 100, 125, 150]
SETTINGS = {"seq": "one at a time", "par4": "four workers", "fail": "10 % of the evaluations fail"}
LABELS = {
    "autoopt": "AutoOptCloud",
    "botorch-logei": "BoTorch qLogNEI",
    "optuna-gp": "Optuna GP",
    "optuna-tpe": "Optuna TPE",
    "optuna-cmaes": "Optuna CMA-ES",
    "bayesopt": "bayesian-optimization",
}


def curve(records, setting, contender, problems):
    points = []
    for n in AT:
        table = report.Table(records, setting, ["dev"], n)
        if all(contender in table.vals[p] and "random" in table.vals[p] for p in problems):
            values = [table.normalised(p, contender) for p in problems]
            points.append((n, sum(values) / len(values)))
    return points


def main(file):
    records = runner.read_results()
    figure, axes = plt.subplots(1, len(SETTINGS), figsize=(11, 3.6), sharey=True)
    for axis, (setting, title) in zip(axes, SETTINGS.items()):
        runs = {}
        for r in records.values():
            if r["setting"] == setting:
                runs.setdefault(r["contender"], set()).add(r["problem"])
        # the problems that all the contenders of this panel have
        problems = sorted(set.intersection(*(runs[c] for c in LABELS if c in runs)))
        for contender, label in LABELS.items():
            points = curve(records, setting, contender, problems) if contender in runs else []
            if points:
                ours = contender == "autoopt"
                axis.plot(*zip(*points), label=label, lw=2.4 if ours else 1.2, color="black" if ours else None, marker=".")
        axis.axhline(1, color="grey", lw=0.8, ls=":")
        axis.set_title(f"{title} ({len(problems)} problems)")
        axis.set_xlabel("evaluations")
        axis.set_ylim(0, 1.4)
    axes[0].set_ylabel("normalised regret (random search: 1)")
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    main(sys.argv[1])
