"""Runs (contender, problem, setting, seed) jobs and appends one JSON line for each."""

from __future__ import annotations

import heapq
import json
import math
import pathlib
import sys
import time
import traceback
import zlib

import numpy as np

from . import contenders, stored
from .problems import dev_problems
from .bbob import bbob_problems
from .cliffs import cliff_problems
from .edge import edge_problems
from .scales import scale_problems
from .services import service_problems
from .space import violation
from .stairs import stair_problems
from .tails import tail_problems

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
CHECKPOINTS = [5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 100, 125, 150, 200, 300]
SETTINGS = {
    # name: (workers, probability that an evaluation fails)
    "seq": (1, 0.0),
    "par4": (4, 0.0),
    "fail": (1, 0.1),
}
SETS = {
    "dev": dev_problems,
    "stairs": stair_problems,
    "cliffs": cliff_problems,
    "bbob": bbob_problems,
    "tails": tail_problems,
    "wide": lambda: bbob_problems((20,)),
    "edge": edge_problems,
    "services": service_problems,
    "scales": scale_problems,
}


def load_set(name):
    if name not in SETS:
        raise SystemExit(f"unknown problem set {name!r}; there are {', '.join(SETS)}")
    return SETS[name]()


def key(r):
    return (r["contender"], r["problem"], r["setting"], r["seed"])


def read_results(sets=SETS, results=None):
    """Newest, longest-budget record of each key; the stored ones where results/ has none."""
    out = {key(r): r for r in stored.read() if r["set"] in sets}
    for s in sets:
        for f in sorted(((results or RESULTS) / s).glob("*.jsonl")):
            for line in f.read_text().splitlines():
                try:
                    r = json.loads(line)
                except ValueError:
                    continue
                r["set"] = s
                old = out.get(key(r))
                if old is None or (r["evals"], not r.get("error")) >= (old["evals"], not old.get("error")):
                    out[key(r)] = r
    return out


def rng_for(problem, seed, i, what):
    return np.random.default_rng([zlib.crc32(problem.encode()), seed, i, what])


def sig(x):
    return None if x is None or not math.isfinite(x) else float(f"{x:.5g}")


def run_one(make, problem, setting, seed, budget, cpu_limit=None, placements=False):
    """One optimisation run. `make(space, goal, seed, budget, workers)` -> contender."""
    workers, p_fail = SETTINGS[setting]
    better = (lambda a, b: a < b) if problem.goal == "minimize" else (lambda a, b: a > b)
    wall0 = time.time()
    c = make(problem.space, problem.goal, seed, budget, workers)
    cpu0 = c.cpu()
    best_value, best_params, best_regret = None, None, math.inf
    queue, issued, done, clock = [], 0, 0, 0.0
    cps, cpu_at, failures, truncated, error = {}, {}, 0, False, None
    spent, n_best = 0.0, 0.0
    classes, again = set(), {}
    try:
        while done < budget:
            want = min(workers - len(queue), budget - issued)
            if want > 0:
                got = c.ask(want)
                if len(got) != want:
                    raise RuntimeError(f"asked for {want} trials, got {len(got)}")
                for tid, params in got:
                    bad = violation(problem.space, params)
                    if bad:
                        raise RuntimeError(f"illegal suggestion: {bad}")
                    dur = float(np.exp(0.4 * rng_for(problem.name, seed, issued, 1).standard_normal()))
                    heapq.heappush(queue, (clock + dur, issued, tid, params))
                    issued += 1
            clock, i, tid, params = heapq.heappop(queue)
            failed = p_fail and rng_for(problem.name, seed, i, 2).random() < p_fail
            if failed:
                failures += 1
                c.tell(tid, None)
            else:
                y = problem.evaluate(params, rng_for(problem.name, seed, i, 3))
                placed = problem.placement(params) if hasattr(problem, "placement") else None
                if placements and placed is not None:
                    c.tell_placed(tid, y, placed)
                else:
                    c.tell(tid, y)
                classes.add(placed)
                best_regret = min(best_regret, problem.regret(params))
                if best_value is None or better(y, best_value):
                    best_value, best_params = y, params
            done += 1
            if done in CHECKPOINTS or done == budget:
                before = c.cpu()
                spent = before - cpu0 - n_best
                rec = c.best()
                n_best += c.cpu() - before  # asking for a recommendation is not charged
                obs = problem.regret(best_params) if best_params is not None else math.inf
                own = problem.regret(rec) if rec is not None else None
                cps[str(done)] = [sig(own), sig(obs), sig(best_regret)]
                cpu_at[str(done)] = round(spent, 3)
                again[str(done)] = done - failures - len(classes)
            if cpu_limit and done < budget and c.cpu() - cpu0 > cpu_limit:
                truncated = True
                break
    except Exception as e:  # a contender that breaks down keeps what it has reached
        error = f"{type(e).__name__}: {e}"[:300]
        traceback.print_exc(file=sys.stderr)
    finally:
        c.close()
    out = {
        "problem": problem.name,
        "setting": setting,
        "seed": seed,
        "budget": budget,
        "evals": done,
        "cp": cps,
        "cpu": cpu_at,
        "wall": round(time.time() - wall0, 2),
    }
    if p_fail:
        out["failures"] = failures
    if hasattr(problem, "placement"):
        out["again"] = again  # evaluations of a placement that had been evaluated before
    if truncated:
        out["truncated"] = cpu_limit
    if error:
        out["error"] = error
    return out


def worker(contender, jobs, out_file, stdio=None, cpu_limit=None, placements=False):
    """jobs: list of dicts(set, problem, setting, seed, budget); appends to out_file(set)."""
    cache = {}

    def make(space, goal, seed, budget, workers):
        return contenders.make(contender, space, goal, seed, budget, workers, stdio=stdio)

    for j in jobs:
        if j["set"] not in cache:
            cache[j["set"]] = {p.name: p for p in load_set(j["set"])}
        p = cache[j["set"]][j["problem"]]
        r = run_one(make, p, j["setting"], j["seed"], j["budget"], cpu_limit, placements)
        r = {"contender": contender, **r}
        f = out_file(j["set"])
        f.parent.mkdir(parents=True, exist_ok=True)
        with f.open("a") as h:
            h.write(json.dumps(r, separators=(",", ":")) + "\n")
        last = r["cp"].get(str(r["evals"]), [None] * 3)
        print(
            f"{contender:14s} {p.name:36s} {j['setting']:4s} seed {j['seed']} evals {r['evals']:3d} "
            f"regret {last[0] if last[0] is not None else last[1]} cpu {list(r['cpu'].values())[-1:] } wall {r['wall']}"
            + (f" ERROR {r['error']}" if "error" in r else ""),
            flush=True,
        )


def timing_case(make, n, repeats=3):
    """CPU and wall seconds of (tell and) ask once n observations are in (8-D, noisy)."""
    from .problems import levy, box

    space = box(8, -10, 10)
    rng = np.random.default_rng(12345)
    c = make(space, "minimize", 1, n + 10, 1)
    t0 = c.cpu()
    for _ in range(n):
        x = rng.uniform(-10, 10, 8)
        y = levy(x) + 5 * rng.standard_normal()
        c.load({f"x{i}": float(v) for i, v in enumerate(x)}, float(y))
    loaded = c.cpu() - t0
    cpu, wall, told = [], [], None
    for k in range(repeats):
        a, w = c.cpu(), time.time()
        if told:
            c.tell(*told)  # some fit their model in tell, so it belongs to the next suggestion
        (tid, params), = c.ask(1)
        cpu.append(c.cpu() - a)
        wall.append(time.time() - w)
        x = np.array([params[f"x{i}"] for i in range(8)])
        told = tid, float(levy(x) + 5 * rng.standard_normal())
        yield {
            "n": n,
            "load_cpu": round(loaded, 3),
            "cpu": [round(v, 4) for v in cpu],
            "wall": [round(v, 4) for v in wall],
        }
    c.close()
