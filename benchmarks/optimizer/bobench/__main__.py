"""python -m bobench {list, run, report, paired, timing, store, check, serve}: see README.md."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import pathlib
import subprocess
import sys
import time

from . import contenders, runner

THREADS = {
    k: "1"
    for k in (
        "OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS NUMEXPR_NUM_THREADS BLIS_NUM_THREADS "
        "RAYON_NUM_THREADS VECLIB_MAXIMUM_THREADS LOKY_MAX_CPU_COUNT"
    ).split()
}
THREADS |= {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
}
VENVS = pathlib.Path(os.environ.get("BOBENCH_VENVS", "/tmp"))


def python_for(name):
    tag = contenders.venv_tag(name)
    if tag is None:
        return sys.executable
    p = VENVS / ("venv-bo" if tag == "main" else f"venv-bo-{tag}") / "bin" / "python"
    return str(p) if p.exists() else None


def env(name):
    # One thread each. Variables that force an old BLAS kernel are dropped, as they slow a
    # current numpy down; HEBO's old numpy needs them on new processors.
    drop = () if contenders.venv_tag(name) == "hebo" else ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    e = {k: v for k, v in os.environ.items() if k not in drop}
    return {**e, **THREADS, "PYTHONPATH": str(runner.ROOT)}


def numbers(s):
    out = []
    for part in s.split(","):
        a, _, b = part.partition("-")
        out += list(range(int(a), int(b or a) + 1))
    return out


def globs(s):
    if not s:
        return None
    pats = s.split(",")
    return lambda name: any(fnmatch.fnmatch(name, p) for p in pats)


def stdio_map(args):
    return dict(x.split("=", 1) for x in args.stdio or [])


def chosen(args, default):
    names = args.contenders.split(",") if args.contenders else (list(stdio_map(args)) or default)
    for n in names:
        if n not in contenders.REGISTRY and n not in stdio_map(args):
            sys.exit(f"unknown contender {n!r}")
    return names


def cmd_list(args):
    print("contenders:")
    for n in contenders.REGISTRY:
        print(f"  {n:16s} {'' if python_for(n) else '(its virtualenv is missing)'}")
    for s in args.set.split(","):
        print(f"problems of {s}:")
        for p in runner.load_set(s):
            print(f"  {p.name:40s} {len(p.space)}-D {p.goal} {' '.join(p.tags)}")


def cmd_run(args):
    end = time.time() + 60 * args.minutes if args.minutes else None
    stdio = stdio_map(args)
    names = chosen(args, list(contenders.REGISTRY))
    want = globs(args.problems)
    problems = [(s, p.name) for s in args.set.split(",") for p in runner.load_set(s) if not want or want(p.name)]
    have = runner.read_results(args.set.split(","))
    settings = args.settings.split(",")
    for seed in numbers(args.seeds):
        for name in names:
            jobs = []
            for setting in settings:
                for s, p in problems:
                    old = have.get((name, p, setting, seed))
                    # A run that was cut off is repeated only when it may take longer now.
                    cut = old and old.get("truncated")
                    final = old and (old["evals"] >= args.budget or old.get("error") or (cut and (args.run_cpu or 1e9) <= cut))
                    if final and not args.redo:
                        continue
                    jobs.append(dict(set=s, problem=p, setting=setting, seed=seed, budget=args.budget))
            if not jobs:
                continue
            py = python_for(name)
            if py is None:
                print(f"skipping {name}: no virtualenv", flush=True)
                continue
            left = None if end is None else end - time.time()
            if left is not None and left <= 0:
                print("time is up; the same command goes on from here", flush=True)
                return
            spec = dict(contender=name, jobs=jobs, stdio=stdio, cpu_limit=args.run_cpu, placements=args.placements)
            cap = min(x for x in (left, args.contender_minutes and 60 * args.contender_minutes, 1e9) if x)
            proc = subprocess.Popen([py, "-m", "bobench", "_worker"], stdin=subprocess.PIPE, env=env(name), cwd=runner.ROOT, text=True)
            try:
                proc.stdin.write(json.dumps(spec))
                proc.stdin.close()
                proc.wait(timeout=cap)
            except subprocess.TimeoutExpired:
                print(f"{name} seed {seed}: stopped after {cap:.0f} s of wall time", flush=True)
            finally:
                if proc.poll() is None:
                    proc.terminate()
                    try:
                        proc.wait(10)
                    except subprocess.TimeoutExpired:
                        proc.kill()
                        proc.wait()


def cmd_worker(_):
    spec = json.load(sys.stdin)
    runner.worker(
        spec["contender"],
        spec["jobs"],
        lambda s: runner.RESULTS / s / f"{spec['contender']}.jsonl",
        spec["stdio"],
        spec["cpu_limit"],
        spec["placements"],
    )


def cmd_timing(args):
    stdio = stdio_map(args)
    names = chosen(args, list(contenders.REGISTRY))
    f = runner.RESULTS / "timing.jsonl"
    f.parent.mkdir(parents=True, exist_ok=True)
    have = set()
    if f.exists() and not args.redo:
        have = {(r["contender"], r["n"]) for r in map(json.loads, f.read_text().splitlines())}
    end = time.time() + 60 * args.minutes if args.minutes else None
    for n in numbers(args.n):
        for name in names:
            py = python_for(name)
            if (name, n) in have or py is None:
                continue
            if end and time.time() > end:
                print("time is up; the same command goes on from here")
                return
            spec = json.dumps(dict(contender=name, n=n, stdio=stdio))
            out = {"contender": name, "n": n, "cpu": [], "wall": []}
            proc = subprocess.Popen(
                [py, "-m", "bobench", "_timing"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env(name), cwd=runner.ROOT, text=True
            )
            try:
                so, se = proc.communicate(spec, timeout=args.limit)
                if proc.returncode:
                    out["error"] = se.strip().splitlines()[-1][:300] if se.strip() else f"exit {proc.returncode}"
            except subprocess.TimeoutExpired:
                proc.terminate()
                so, se = proc.communicate()
                out["limit"] = args.limit
            for line in (so or "").splitlines():
                if line.startswith("{"):
                    out |= json.loads(line)
            with f.open("a") as h:
                h.write(json.dumps(out, separators=(",", ":")) + "\n")
            print(out, flush=True)


def cmd_timing_worker(_):
    spec = json.load(sys.stdin)

    def make(space, goal, seed, budget, workers):
        return contenders.make(spec["contender"], space, goal, seed, budget, workers, stdio=spec["stdio"])

    for r in runner.timing_case(make, spec["n"]):
        print(json.dumps(r), flush=True)


def cmd_report(args):
    from . import report

    sets = args.set.split(",")
    rec = runner.read_results(sets)
    cs = args.contenders.split(",") if args.contenders else None
    if cs and "random" not in cs:
        cs.append("random")
    want = globs(args.problems)
    if args.tag:
        tagged = {p.name for s in sets for p in runner.load_set(s) if args.tag in p.tags}
        base = want
        want = lambda name: name in tagged and (not base or base(name))  # noqa: E731
    ns = numbers(args.n)
    for setting in args.settings.split(","):
        for group in [sets] if args.together else [[s] for s in sets] + ([sets] if len(sets) > 1 else []):
            report.headline(rec, setting, group, ns, args.metric, cs, want, args.cover)
            if args.detail and (args.together or len(group) == 1):
                for n in ns:
                    report.detail(rec, setting, group, n, args.metric, cs, want)
    report.timing()


def cmd_paired(args):
    from . import report

    records = runner.read_results()
    for setting in args.settings.split(","):
        report.paired(records, args.contender, setting, args.set.split(","), numbers(args.n))


def cmd_store(_):
    from . import stored

    stored.write(runner.read_results())


def main():
    ap = argparse.ArgumentParser(prog="bobench", description=__doc__)
    sub = ap.add_subparsers(dest="cmd", required=True)

    def common(p):
        p.add_argument("--contenders", help="comma list; default: all, or the --stdio ones")
        p.add_argument("--stdio", action="append", metavar="NAME=COMMAND", help="an external contender")

    p = sub.add_parser("list")
    p.add_argument("--set", default="dev")
    p.set_defaults(f=cmd_list)
    p = sub.add_parser("run")
    common(p)
    p.add_argument("--set", default="dev", help=f"comma list of {', '.join(runner.SETS)}")
    p.add_argument("--problems", help="comma list of name patterns")
    p.add_argument("--settings", default="seq", help="comma list of seq, par4, fail")
    p.add_argument("--seeds", default="0-9")
    p.add_argument("--budget", type=int, default=150)
    p.add_argument("--minutes", type=float, help="stop everything after this much wall time")
    p.add_argument("--contender-minutes", type=float, help="wall-time cap of one contender in one seed's round")
    p.add_argument("--run-cpu", type=float, help="cut a single run off after this many CPU seconds")
    p.add_argument("--placements", action="store_true", help="tell --stdio contenders the placement of each evaluation")
    p.add_argument("--redo", action="store_true")
    p.set_defaults(f=cmd_run)
    p = sub.add_parser("timing")
    common(p)
    p.add_argument("--n", default="100,300,1000")
    p.add_argument("--limit", type=float, default=300, help="wall seconds for one (contender, n)")
    p.add_argument("--minutes", type=float)
    p.add_argument("--redo", action="store_true")
    p.set_defaults(f=cmd_timing)
    p = sub.add_parser("report")
    p.add_argument("--set", default="dev")
    p.add_argument("--contenders")
    p.add_argument("--problems")
    p.add_argument("--tag", help="only problems with this tag: noisy, mixed")
    p.add_argument("--settings", default="seq,par4,fail")
    p.add_argument("--n", default="25,50,100,150")
    p.add_argument("--metric", default="rec", choices=["rec", "obs"])
    p.add_argument("--cover", type=float, default=0.6, help="a row needs this share of the problems")
    p.add_argument("--together", action="store_true")
    p.add_argument("--detail", action="store_true")
    p.set_defaults(f=cmd_report)
    p = sub.add_parser("paired", help="one contender beside each other on the runs that both have")
    p.add_argument("contender")
    p.add_argument("--set", default="dev")
    p.add_argument("--settings", default="seq,par4,fail")
    p.add_argument("--n", default="25,50,100,150")
    p.set_defaults(f=cmd_paired)
    sub.add_parser("store", help="fold results/ into stored.csv").set_defaults(f=cmd_store)
    p = sub.add_parser("check")
    p.add_argument("command", help="command line of the program")
    p.set_defaults(f=lambda a: sys.exit(__import__("bobench.check", fromlist=["main"]).main(a.command)))
    p = sub.add_parser("serve")
    p.add_argument("contender")
    p.set_defaults(f=lambda a: __import__("bobench.serve", fromlist=["main"]).main(a.contender))
    sub.add_parser("_worker").set_defaults(f=cmd_worker)
    sub.add_parser("_timing").set_defaults(f=cmd_timing_worker)
    args = ap.parse_args()
    args.f(args)


if __name__ == "__main__":
    main()
