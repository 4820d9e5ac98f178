"""Tables from the stored runs."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np

from . import runner

def regret_at(r, n, metric):
    cp = r["cp"].get(str(n))
    if cp is None:
        return None
    if metric == "rec":
        v = cp[0] if cp[0] is not None else cp[1]
    else:
        v = cp[1]
    return float("inf") if v is None else v


class Table:
    def __init__(self, records, setting, sets, n, metric="rec", contenders=None, problems=None):
        self.vals = defaultdict(lambda: defaultdict(list))  # problem -> contender -> regrets
        for r in records.values():
            if r["setting"] != setting or r["set"] not in sets:
                continue
            if contenders and r["contender"] not in contenders:
                continue
            if problems and not problems(r["problem"]):
                continue
            v = regret_at(r, n, metric)
            if v is None and r.get("error") and r["evals"] < n:
                v = float("inf")  # broke down before n: worse than anything
            if v is not None:
                self.vals[r["problem"]][r["contender"]].append(v)

    def problems(self, contenders):
        return sorted(p for p, cs in self.vals.items() if all(c in cs for c in contenders))

    def coverage(self):
        cov = defaultdict(int)
        for cs in self.vals.values():
            for c in cs:
                cov[c] += 1
        return cov

    def normalised(self, p, c, clip=2.0):
        """Mean over seeds of regret / random search's median regret after as many evaluations."""
        ref = float(np.median(self.vals[p]["random"]))
        if ref <= 0:
            return None
        return float(np.mean([min(v / ref, clip) for v in self.vals[p][c]]))

    def rank(self, p, contenders):
        """Expected rank on problem p: 1 + sum of the chances that another one does better."""
        out = {}
        for c in contenders:
            a = np.array(self.vals[p][c])
            s = 1.0
            for o in contenders:
                if o != c:
                    b = np.array(self.vals[p][o])
                    s += float((b[None, :] < a[:, None]).mean() + 0.5 * (b[None, :] == a[:, None]).mean())
            out[c] = s
        return out


def cpu_per_suggestion(records, setting, sets, contender, upto):
    v = []
    for r in records.values():
        if r["contender"] == contender and r["setting"] == setting and r["set"] in sets and str(upto) in r["cpu"]:
            v.append(r["cpu"][str(upto)] / upto)
    return float(np.median(v)) if v else None


def headline(records, setting, sets, checkpoints, metric, contenders=None, problems=None, min_cover=0.6, out=print):
    tabs = {n: Table(records, setting, sets, n, metric, contenders, problems) for n in checkpoints}
    tabs = {n: t for n, t in tabs.items() if t.vals}
    if not tabs:
        return
    rows, meta = defaultdict(dict), {}
    runs = defaultdict(int)
    for r in records.values():
        if r["setting"] == setting and r["set"] in sets and (not problems or problems(r["problem"])):
            runs[r["contender"]] += 1
    for n, t in tabs.items():
        cov = t.coverage()
        top = max(cov.values())
        full = sorted(c for c in cov if cov[c] >= min_cover * top)
        if "random" not in full:
            continue
        ps = t.problems(full)
        meta[n] = (len(ps), [c for c in cov if c not in full])
        if not ps:
            continue
        ranks = [t.rank(p, full) for p in ps]
        for c in full:
            nr = [t.normalised(p, c) for p in ps]
            nr = [x for x in nr if x is not None]
            rows[c][n] = (float(np.mean(nr)), float(np.mean([q[c] for q in ranks])))
    if not rows:
        return
    last = max((n for n in tabs if meta.get(n, (0,))[0]), default=None)
    out(f"\n## {setting} / {'+'.join(sets)}  (regret of: {metric})")
    out("problems common to all rows: " + ", ".join(f"{meta[n][0]} at n={n}" for n in tabs if n in meta))
    for n in tabs:
        if n in meta and meta[n][1]:
            out(f"too few runs yet for the table at n={n}: {', '.join(sorted(meta[n][1]))}")
    ns = [n for n in tabs if n in meta and meta[n][0]]
    out("")
    out("| contender | runs | " + " | ".join(f"nreg@{n}" for n in ns) + " | " + " | ".join(f"rank@{n}" for n in ns) + " | cpu s/sugg |")
    out("|---|---:|" + "---:|" * (2 * len(ns) + 1))
    for c in sorted(rows, key=lambda c: rows[c].get(last, (9, 99))[0]):
        a = " | ".join(f"{rows[c][n][0]:.3f}" if n in rows[c] else "" for n in ns)
        b = " | ".join(f"{rows[c][n][1]:.2f}" if n in rows[c] else "" for n in ns)
        cpu = next((v for v in (cpu_per_suggestion(records, setting, sets, c, n) for n in reversed(ns)) if v is not None), None)
        out(f"| {c} | {runs[c]} | {a} | {b} | {'' if cpu is None else f'{cpu:.3f}'} |")


def paired(records, ours, setting, sets, checkpoints, clip=2.0, out=print):
    """Ours beside each other contender on the runs (problem and seed) that both have."""
    rows = []
    for other in sorted({r["contender"] for r in records.values()} - {ours, "random", "sobol", "lhs"}):
        cells = []
        for n in checkpoints:
            t = Table(records, setting, sets, n)
            pairs = []
            for (c, problem, s, seed), r in records.items():
                mine = records.get((ours, problem, setting, seed))
                if c != other or s != setting or mine is None or r["set"] not in sets:
                    continue
                a, b = regret_at(mine, n, "rec"), regret_at(r, n, "rec")
                if a is not None and b is not None:
                    ref = float(np.median(t.vals[problem]["random"]))
                    pairs.append((min(a / ref, clip), min(b / ref, clip)))
            if len(pairs) < 10:
                cells.append("")
                continue
            x = np.array(pairs)
            d = x[:, 0] - x[:, 1]
            cells.append(f"{x[:, 0].mean():.2f} / {x[:, 1].mean():.2f} ± {d.std() / len(d) ** 0.5:.2f} ({len(d)})")
        if any(cells):
            rows.append(f"| {other} | " + " | ".join(cells) + " |")
    if rows:
        out(f"\n## {setting}: {ours} / other ± standard error of the difference (runs that both have)\n")
        out("| contender | " + " | ".join(f"nreg@{n}" for n in checkpoints) + " |")
        out("|---|" + "---:|" * len(checkpoints))
        out("\n".join(rows))


def detail(records, setting, sets, n, metric, contenders=None, problems=None, out=print):
    t = Table(records, setting, sets, n, metric, contenders, problems)
    if not t.vals:
        return
    cs = sorted({c for v in t.vals.values() for c in v})
    out(f"\n### {setting}, n={n}: log10 regret, median [quartiles] (seeds)")
    for p in sorted(t.vals):
        out(f"\n{p}")
        rows = []
        for c in cs:
            v = t.vals[p].get(c)
            if v:
                q = np.quantile(np.log10(np.clip(v, 1e-12, 1e99)), [0.25, 0.5, 0.75])
                rows.append((q[1], f"  {c:16s} {q[1]:7.2f} [{q[0]:6.2f}, {q[2]:6.2f}] ({len(v)})"))
        for _, line in sorted(rows):
            out(line)


def timing(out=print, results=None):
    cell = {}
    for f in (runner.ROOT / "timing.jsonl", (results or runner.RESULTS) / "timing.jsonl"):
        for line in f.read_text().splitlines() if f.exists() else []:
            r = json.loads(line)
            cell[r["contender"], r["n"]] = r
    if not cell:
        return
    ns = sorted({n for _, n in cell})
    out("\n## CPU seconds for one suggestion with n observations (8-D, one thread; first / median of the next)")
    out("\n| contender | " + " | ".join(f"n={n}" for n in ns) + " |")
    out("|---|" + "---:|" * len(ns))

    def show(r):
        if r is None:
            return ""
        if not r["cpu"]:
            return f"> {r['limit']}" if "limit" in r else "error"
        rest = r["cpu"][1:]
        s = f"{r['cpu'][0]:.2f}" + (f" / {np.median(rest):.2f}" if rest else "")
        return s

    for c in sorted({c for c, _ in cell}):
        out(f"| {c} | " + " | ".join(show(cell.get((c, n))) for n in ns) + " |")
