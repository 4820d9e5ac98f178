#!/usr/bin/env python3
"""Driver.   run.py list | run [--only SYS,SYS] [--tests perf,mid,post,child,broker,db,long] [--repeat K] [--force] | report

Results are appended to results/<system>.<test>.json; a test that already has --repeat runs is skipped,
so an interrupted run goes on where it stopped.
"""
import os, sys, json, time, signal, subprocess, argparse, random, threading, statistics as st, pathlib, shutil
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import lab
from systems import autoopt
if sys.argv[0].endswith("run.py") and sys.executable != lab.PY and os.path.exists(lab.PY):
    os.execv(lab.PY, [lab.PY, *sys.argv])

RES = HERE / "results"; RES.mkdir(exist_ok=True)
LEDGER = lab.LAB / "ledger"
REF = str(lab.LAB / "target/release/ref-lapin")
PY = lab.PY
ST = lab.STAGES


def celery(pool="prefork", **env):
    return dict(env=env, client=[PY, "systems/celery_app.py"], queues=ST,
                workers={s: [PY, "-m", "celery", "-A", "systems.celery_app", "worker", "-Q", s, "-n", f"{s}@peers",
                             "-c", "1", "-P", pool, "--without-gossip", "--without-mingle", "-l", "WARNING"] for s in ST})


def dram(threads=1, **env):
    return dict(env=env, client=[PY, "systems/dramatiq_app.py"], queues=[f"dq.{s}" for s in ST],
                workers={s: [PY, "-m", "dramatiq", "systems.dramatiq_app", "--processes", "1", "--threads", str(threads),
                             "--queues", f"dq.{s}"] for s in ST})


def tiq(conc=1, **env):
    return dict(env=env, client=[PY, "systems/taskiq_app.py"], queues=[f"tq.{s}" for s in ST],
                workers={s: [PY, "-m", "taskiq", "worker", "systems.taskiq_app:broker", "--workers", "1",
                             "--max-async-tasks", str(conc), "--log-level", "WARNING"] for s in ST})


def fast(**env):
    return dict(env=env, client=[PY, "systems/faststream_app.py"], queues=[f"fs.{s}" for s in ST],
                workers={s: [PY, "-m", "faststream", "run", "systems.faststream_app:app", "--log-level", "warning"]
                         for s in ST})


def ref(topo="chain", **env):
    w = {s: [REF, "stage", s] for s in ST}
    if topo == "star":
        w["coord"] = [REF, "coord"]
    return dict(env=dict(env, MQ_TOPO=topo), client=[REF, "client"], workers=w, n_sat=5000,
                queues=[f"rl.{s}" for s in ST] + (["rl.coord"] if topo == "star" else []))


def dbos(**env):
    py = str(lab.VENV) + "-dbos/bin/python"
    return dict(env=env, client=[py, "systems/dbos_app.py"], queues=[], workers={"all": [py, "systems/dbos_app.py", "worker"]})


ALL = ["perf", "mid", "post"]
SYSTEMS = {
    "celery-rpc":        dict(celery(MQ_CELERY_BACKEND="rpc"), tests=ALL + ["child", "broker"]),
    "celery-pg":         dict(celery(MQ_CELERY_BACKEND="pg"), tests=ALL + ["child", "broker", "long", "db"]),
    "celery-sqlite":     dict(celery(MQ_CELERY_BACKEND="sqlite"), tests=["perf"], n_sat=600),
    "celery-pg-careful": dict(celery(MQ_CELERY_BACKEND="pg", MQ_REJECT_LOST="1", MQ_DEDUP="1"), tests=["mid", "post", "child"]),
    "celery-pg-early":   dict(celery(MQ_CELERY_BACKEND="pg", MQ_ACKS_LATE="0"), tests=["mid"]),
    "celery-rpc-quorum": dict(celery(MQ_CELERY_BACKEND="rpc", MQ_QTYPE="quorum"), tests=["perf"]),
    "celery-rpc-solo":   dict(celery("solo", MQ_CELERY_BACKEND="rpc"), tests=["perf"]),
    "dramatiq-redis":    dict(dram(MQ_DRAMATIQ_BACKEND="redis"), tests=ALL + ["broker", "long"]),
    "dramatiq-pg":       dict(dram(MQ_DRAMATIQ_BACKEND="pg"), tests=["perf", "child", "db"]),
    "dramatiq-pg-t8":    dict(dram(8, MQ_DRAMATIQ_BACKEND="pg"), tests=["perf"]),
    "taskiq-pg":         dict(tiq(), tests=ALL + ["broker", "long", "db"]),
    "taskiq-pg-c16":     dict(tiq(16, MQ_PREFETCH="32"), tests=["perf"]),
    "faststream-pg":     dict(fast(), tests=ALL + ["broker", "long", "db"]),
    "faststream-pg-c16": dict(fast(MQ_PREFETCH="16"), tests=["perf"]),
    "dbos-pg":           dict(dbos(), tests=ALL, n_sat=1500),
    "lapin-chain":       dict(ref(), tests=ALL + ["broker", "long"]),
    "lapin-chain-w64":   dict(ref(), tests=["perf"], window=64),
    "lapin-chain-quorum": dict(ref(MQ_QTYPE="quorum"), tests=["perf"]),
    "lapin-star":        dict(ref("star"), tests=["perf"]),
    "lapin-star-pg":     dict(ref("star", MQ_STORE="pg"), tests=ALL + ["broker", "db"]),
    "lapin-star-pg-quorum": dict(ref("star", MQ_STORE="pg", MQ_QTYPE="quorum"), tests=["perf"]),
    "lapin-star-sqlite": dict(ref("star", MQ_STORE="sqlite"), tests=["perf", "mid"]),
}
SYSTEMS.update(autoopt.SYSTEMS)


# ------------------------------------------------------------------ one set-up
class Rig:
    def __init__(self, name, **env):
        self.name, self.s = name, SYSTEMS[name]
        self.env = {**os.environ, **self.s.get("env", {}), "MQ_LEDGER": str(LEDGER), "PYTHONPATH": str(HERE),
                    "PYTHONDONTWRITEBYTECODE": "1", **{k: str(v) for k, v in env.items()}}
        self.p, self.respawns = {}, 0
        self.log = open(lab.LAB / f"{name}.log", "ab")

    def client(self, *a, **env):
        return subprocess.Popen([*self.s["client"], *map(str, a)], cwd=HERE, env={**self.env, **env},
                                stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True)

    def fresh(self):
        shutil.rmtree(LEDGER, ignore_errors=True); LEDGER.mkdir(parents=True)
        c = self.client("prepare"); c.communicate(timeout=60)
        if c.returncode:
            raise RuntimeError("prepare failed, see " + self.log.name)

    def spawn(self, w):
        self.p[w] = subprocess.Popen(self.s["workers"][w], cwd=HERE, env={**self.env, "MQ_STAGE": w},
                                     stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)

    def start(self):
        t0 = time.time()
        for w in self.s["workers"]:
            self.spawn(w)
        end = time.time() + 90
        while time.time() < end:
            if not self.s["queues"]:           # no queues to look at: the worker says so itself
                if (LEDGER / "ready").exists():
                    return round(time.time() - t0, 2)
            elif all(c >= 1 for _, c in self.queue_counts().values()):
                return round(time.time() - t0, 2)
            time.sleep(0.2)
        raise RuntimeError("workers did not subscribe: %s" % self.queue_counts())

    def queue_counts(self):
        import pika
        out = {}
        try:
            c = pika.BlockingConnection(pika.URLParameters(lab.AMQP))
        except Exception:
            return {q: (0, 0) for q in self.s["queues"]}
        for q in self.s["queues"]:
            try:
                ch = c.channel(); m = ch.queue_declare(q, passive=True).method
                out[q] = (m.message_count, m.consumer_count); ch.close()
            except Exception:
                out[q] = (0, 0)
        c.close()
        return out

    def group(self, w):                    # every process that descends from the one started for this worker
        pid = self.p[w].pid
        return [p for p, s in lab.all_stats().items() if s[1] == pid]

    def kill_group(self, w, sig=signal.SIGKILL):
        for p in self.group(w):
            try:
                os.kill(p, sig)
            except OSError:
                pass

    def supervise(self):
        for w, p in list(self.p.items()):
            if p.poll() is not None:
                self.kill_group(w)         # what a dead parent left behind
                self.respawns += 1
                self.spawn(w)

    def stop(self):
        for w in self.p:
            self.kill_group(w, signal.SIGTERM)
        end = time.time() + 6
        while time.time() < end and any(p.poll() is None for p in self.p.values()):
            time.sleep(0.1)
        for w, p in self.p.items():
            self.kill_group(w); p.wait()


def finish(proc, timeout):
    """stdout's JSON and the CPU the client used."""
    end = time.time() + timeout
    t = threading.Thread(target=lambda: out.append(proc.stdout.read())); out = []; t.start()
    while True:
        pid, status, ru = os.wait4(proc.pid, os.WNOHANG)
        if pid:
            break
        if time.time() > end:
            os.kill(proc.pid, signal.SIGKILL); _, status, ru = os.wait4(proc.pid, 0); break
        time.sleep(0.02)
    proc.returncode = os.waitstatus_to_exitcode(status)
    t.join(5)
    try:
        return json.loads(out[0].strip().splitlines()[-1]), ru.ru_utime + ru.ru_stime
    except (IndexError, ValueError):
        return {}, ru.ru_utime + ru.ru_stime


class Meter:
    def __init__(self, rig):
        self.rig = rig; self.a = self.snap()

    def snap(self):
        s = lab.all_stats()
        me = os.times()
        redis = lab.load_pid("redis")
        return dict(t=time.time(), workers={w: lab.cpu_tree(p.pid, s) for w, p in self.rig.p.items()},
                    broker=lab.cpu_tree(lab.beam_pid(), s), pg=lab.cpu_tree(lab.pg_pid(), s),
                    redis=lab.cpu_tree(redis, s) if redis else 0,
                    busy=lab.machine_busy()[0], me=me.user + me.system)

    def done(self, client_cpu, n):
        a, b = self.a, self.snap()
        w = {k: b["workers"][k] - a["workers"].get(k, 0) for k in b["workers"]}
        d = {k: b[k] - a[k] for k in ("broker", "pg", "redis", "busy", "me")}
        wall = b["t"] - a["t"]
        ours = sum(w.values()) + d["broker"] + d["pg"] + d["redis"] + d["me"] + client_cpu
        f = 1000 / max(1, n)
        return dict(wall_s=round(wall, 2), cpu_ms_per_trial=dict(
            workers=round(sum(w.values()) * f, 3), broker=round(d["broker"] * f, 3), db=round((d["pg"] + d["redis"]) * f, 3),
            client=round(client_cpu * f, 3)), foreign_cores=round(max(0, d["busy"] - ours) / max(wall, 1e-9), 2))


def quiet():
    """Waits a little for a moment when others leave the machine alone; says how busy they were."""
    end = time.time() + float(os.environ.get("MQ_QUIET_S", "45"))
    while True:
        a = lab.machine_busy()[0]; time.sleep(1.5); f = (lab.machine_busy()[0] - a) / 1.5
        if f < 0.5 or time.time() > end:
            return round(f, 2)


def pct(v, p):
    v = sorted(v)
    return v[min(len(v) - 1, int(len(v) * p))] if v else None


# ------------------------------------------------------------------ speed, CPU, memory
def perf(name, n_seq=300):
    rig = Rig(name, MQ_BODY_MS=0); s = rig.s
    rig.fresh()
    try:
        boot = rig.start(); time.sleep(2)
        idle_mem = {w: lab.mem_tree(p.pid) for w, p in rig.p.items()}
        m = Meter(rig); time.sleep(4); idle = m.done(0, 1)
        idle_pct = {k: round(v / 10 / idle["wall_s"], 2) for k, v in idle["cpu_ms_per_trial"].items()}
        finish(rig.client("seq", 20, 0, MQ_LIMIT_S="20"), 90)          # warm up
        wait = quiet(); m = Meter(rig); load0 = os.getloadavg()[0]
        out, ccpu = finish(rig.client("seq", n_seq, 1000, MQ_LIMIT_S="15"), 120)
        rows = out.get("trials", [])
        seq = m.done(ccpu, len(rows))
        led = lab.Ledger(LEDGER); led.poll()
        end = {t: ns for k, t, _, ns in led.events["collect"] if k == "E"}
        first = {t: ns for k, t, _, ns in led.events["apply"] if k == "S"}
        chain = [(end[i] - t0) / 1e6 for i, t0, _ in rows if i in end]
        inner = [(end[i] - first[i]) / 1e6 for i, _, _ in rows if i in end and i in first]
        seen = [(t1 - t0) / 1e6 for _, t0, t1 in rows]
        seq.update(n=len(rows), unseen=out.get("unseen"), chain_ms=dict(p50=pct(chain, .5), p99=pct(chain, .99), min=pct(chain, 0)),
                   apply_to_collect_ms=dict(p50=pct(inner, .5), p99=pct(inner, .99)),
                   seen_ms=dict(p50=pct(seen, .5), p99=pct(seen, .99)), foreign_before=wait, load1=load0)
        # saturated
        n, win = s.get("n_sat", 1500), s.get("window", 256)
        quiet(); m = Meter(rig); limit = 60
        c = rig.client("flood", n, 100_000, win, MQ_LIMIT_S=str(limit)); t0 = time.time()
        base, peak = len(led.done), {}
        while time.time() - t0 < limit + 10:
            led.poll()
            for w, p in rig.p.items():
                mm = lab.mem_tree(p.pid)
                if mm["rss_mib"] > peak.get(w, {}).get("rss_mib", 0):
                    peak[w] = mm
            if len(led.done) - base >= n:
                break
            time.sleep(0.25)
        c2, ccpu = finish(c, 30)
        led.poll()
        ev = [e for e in led.events["collect"] if e[0] == "E" and e[1] >= 100_000]
        got = len({e[1] for e in ev})
        sat = m.done(ccpu, got)
        t_a = c2.get("t_first") or min(e[3] for e in led.events["apply"] if e[1] >= 100_000)
        dur = (max(e[3] for e in ev) - t_a) / 1e9 if ev else None
        sat.update(n=n, window=win, finished=got, dup=len(ev) - got, trials_per_s=round(got / dur, 1) if dur else 0,
                   seconds=round(dur, 2) if dur else None)
        return dict(boot_s=boot, idle_mem=idle_mem, loaded_mem=peak, idle_cpu_pct=idle_pct, seq=seq, sat=sat)
    finally:
        rig.stop()


# ------------------------------------------------------------------ SIGKILL
def kills(name, mode, n=500, k=20, body=None):
    """mode mid: while a body runs; post: right after a body ended; child: mid, only the process that runs the body;
    broker: SIGKILL of the broker twice (restarted at once); db: crash of the result database twice."""
    body = body if body is not None else (5 if mode == "broker" else 20)
    rig = Rig(name, MQ_BODY_MS=body); rig.fresh()
    fin = lab.LAB / "finish"; fin.unlink(missing_ok=True)
    rnd = random.Random(7)
    if mode in ("broker", "db"):
        k = 2
    try:
        rig.start(); time.sleep(1)
        led = lab.Ledger(LEDGER); t0 = time.time()
        c = rig.client("flood", n, 0, 48, MQ_FINISH=str(fin), MQ_LIMIT_S="230")
        killed, last_ev, order = [], time.time(), 0
        bt = None
        while time.time() - t0 < 200:
            if led.poll():
                last_ev = time.time()
            rig.supervise()
            due = (len(killed) + 1) * n / (k + 1)
            if len(killed) < k and len(led.done) < n and (len(led.done) >= due or time.time() - last_ev > 8):
                if mode == "db":
                    killed.append(("db", len(led.done)))
                    bt = threading.Thread(target=lab.bounce_pg); bt.start(); last_ev = time.time()
                    continue
                if mode == "broker":
                    lab.kill_broker(); killed.append(("broker", len(led.done)))
                    bt = threading.Thread(target=lab.start_broker); bt.start(); last_ev = time.time()
                    continue
                stages = [s for s in ST if s in rig.p] or ST
                w = stages[order % len(stages)]; order += 1
                victims = rig.group(w if w in rig.p else next(iter(rig.p)))    # looked up first: the kill itself is quick
                pid = hit(led, w, mode, body, rnd)
                if pid:
                    for v in ([pid] if mode == "child" else victims):
                        try:
                            os.kill(v, signal.SIGKILL)
                        except OSError:
                            pass
                    led.poll()
                    last = [e for e in led.events[w] if e[2] == pid][-1:]
                    killed.append((w, len(led.done), bool(last) and last[0][0] == "S")); last_ev = time.time()
                continue
            if len(led.done) >= n or time.time() - last_ev > (25 if mode not in ("broker", "db") else 40):
                break
            time.sleep(0.005)
        if bt:
            bt.join(60)
        took = time.time() - t0
        end = time.time() + 4                # anything that still comes is a duplicate
        while time.time() < end:
            led.poll(); rig.supervise(); time.sleep(0.05)
        fin.touch()
        out, _ = finish(c, 90)
        led.poll()
        q = lab.rabbitmqctl("-q", "list_queues", "-p", lab.VHOST, "name", "messages_ready", "messages_unacknowledged").stdout
        left = {}
        for l in q.splitlines()[1:]:
            f = l.split()
            if len(f) == 3 and f[1].isdigit() and int(f[1]) + int(f[2]) and any(f[0].startswith(x) for x in rig.s["queues"]):
                left[f[0]] = [int(f[1]), int(f[2])]
        E = {s: {} for s in ST}; S = {s: {} for s in ST}
        for s in ST:
            for kind, t, _, _ in led.events[s]:
                d = (E if kind == "E" else S)[s]; d[t] = d.get(t, 0) + 1
        ids = set(range(n))
        missing = sorted(ids - set(E["collect"]))
        cl = out.get("client", {})
        failed = [i for i in missing if i in set(cl.get("failed", []))]
        waiting = sum(v[0] + v[1] for q_, v in left.items() if not q_.endswith((".XQ", "dead")))
        return dict(mode=mode, n=n, body_ms=body, kills=len(killed), inside_body=sum(1 for k_ in killed if k_[-1] is True), killed=killed, seconds=round(took, 1), respawns=rig.respawns,
                    submitted=out.get("submitted"), resubmitted=out.get("resubmitted", 0), completed=n - len(missing), missing=missing,
                    told_failed=len(failed), still_queued=waiting, lost_silently=max(0, len(missing) - len(failed) - waiting),
                    begun_again={s: sum(v - 1 for v in S[s].values()) for s in ST},
                    completed_again={s: sum(v - 1 for v in E[s].values()) for s in ST},
                    trials_with_a_duplicate=len({t for s in ST for t, v in E[s].items() if v > 1}),
                    max_times=max([v for s in ST for v in E[s].values()] or [0]),
                    client=dict(ok=cl.get("ok"), failed=len(cl.get("failed", [])), pending=len(cl.get("pending", []))),
                    queues_left=left)
    finally:
        fin.touch()
        rig.stop()
        if not lab.port_open(lab.AMQP_PORT):
            lab.start_broker()


def long_body(name, n=3, body=15, timeout=6, watch=80):
    """A stage that outlasts the broker's consumer_timeout (30 minutes by default; made 6 s here, body 15 s)."""
    def knob(t, tick):
        lab.rabbitmqctl("eval", f"application:set_env(rabbit, consumer_timeout, {t}), "
                                f"application:set_env(rabbit, channel_tick_interval, {tick}).")
    rig = Rig(name, MQ_BODY_MS=0, MQ_BODY_MS_BENCH=body * 1000); rig.fresh()
    fin = lab.LAB / "finish"; fin.unlink(missing_ok=True)
    knob(timeout * 1000, 1000)
    try:
        rig.start(); led = lab.Ledger(LEDGER); t0 = time.time()
        c = rig.client("flood", n, 0, n, MQ_FINISH=str(fin), MQ_LIMIT_S=str(watch + 40))
        while time.time() - t0 < watch:
            led.poll(); rig.supervise(); time.sleep(0.05)
        fin.touch(); out, _ = finish(c, 60)
        b = led.events["bench"]
        return dict(mode="long", n=n, body_s=body, consumer_timeout_s=timeout, watched_s=watch,
                    bench_begun=sum(e[0] == "S" for e in b), bench_completed=sum(e[0] == "E" for e in b),
                    collected=len(led.done), collect_runs=sum(e[0] == "E" for e in led.events["collect"]),
                    worker_exits=rig.respawns, client=out.get("client"))
    finally:
        fin.touch(); rig.stop(); knob(1800000, 60000)


def hit(led, w, mode, body, rnd):
    """The pid to kill, at the right moment; None if none came within 6 s."""
    end = time.time() + 6
    seen = len(led.events[w])
    while time.time() < end:
        led.poll()
        ev = led.events[w][seen:]; seen += len(ev)
        if ev:
            k, t, pid, ns = ev[-1]
            if mode == "post" and k == "E":
                if rnd.random() < .7:
                    time.sleep(rnd.random() * .003)      # anywhere in the time between body end and ack
                return pid
            if mode != "post" and k == "S":
                time.sleep(rnd.random() * body / 1000 * .7)
                return pid
        time.sleep(0.0002)
    return None


# ------------------------------------------------------------------ book-keeping
def load(name, test):
    f = RES / f"{name}.{test}.json"
    return json.loads(f.read_text()) if f.exists() else []


def run(a):
    lab.up()
    names = a.only.split(",") if a.only else list(SYSTEMS)
    tests = a.tests.split(",") if a.tests else None
    for rep in range(a.repeat):
        for name in names:
            for test in SYSTEMS[name]["tests"]:
                if tests and test not in tests:
                    continue
                runs = load(name, test)
                if len(runs) > rep and not a.force:
                    continue
                t0 = time.time()
                try:
                    r = perf(name) if test == "perf" else long_body(name) if test == "long" else kills(name, test)
                except Exception as e:
                    print(f"{name} {test}: FAILED {e!r}", flush=True)
                    continue
                r["at"] = time.strftime("%Y-%m-%d %H:%M:%S"); r["took_s"] = round(time.time() - t0, 1)
                runs.append(r)
                (RES / f"{name}.{test}.json").write_text(json.dumps(runs, indent=1))
                if test == "perf":
                    q, s = r["seq"], r["sat"]
                    print(f"{name:20} perf  p50 {q['chain_ms']['p50']:.2f} ms p99 {q['chain_ms']['p99']:.2f} | {s['trials_per_s']} trials/s "
                          f"({s['finished']}/{s['n']}) cpu {s['cpu_ms_per_trial']} others {s['foreign_cores']} [{r['took_s']}s]", flush=True)
                elif test == "long":
                    print(f"{name:20} long   {json.dumps(r)}", flush=True)
                else:
                    print(f"{name:20} {test:6} kills {r['kills']} ({r['inside_body']} inside) done {r['completed']}/{r['n']} failed {r['told_failed']} queued {r['still_queued']} "
                          f"lost {r['lost_silently']} again {r['begun_again']} dup {r['completed_again']} client {r['client']} "
                          f"left {r['queues_left']} [{r['took_s']}s]", flush=True)


def med(v):
    v = [x for x in v if x is not None]
    return st.median(v) if v else float("nan")


def report(a):
    L = []
    L.append("| system | latency p50 ms | p99 ms | seen p50 ms | trials/s (window) | worker CPU ms/trial | broker | db | client | RSS idle MiB (4 stages) | loaded | PSS loaded | others' cores | runs |")
    L.append("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in SYSTEMS:
        R = load(name, "perf")
        if not R:
            continue
        best = min(R, key=lambda r: r["seq"]["chain_ms"]["p50"]); fast_ = max(R, key=lambda r: r["sat"]["trials_per_s"])
        c = lambda k: med([r["sat"]["cpu_ms_per_trial"][k] for r in R])
        mm = lambda f, k: med([sum(v[k] for v in r[f].values()) for r in R])
        L.append(f"| {name} | {best['seq']['chain_ms']['p50']:.2f} | {best['seq']['chain_ms']['p99']:.1f} | {best['seq']['seen_ms']['p50']:.2f} | "
                 f"{fast_['sat']['trials_per_s']:.0f} ({fast_['sat']['window']}) | {c('workers'):.2f} | {c('broker'):.2f} | {c('db'):.2f} | {c('client'):.2f} | "
                 f"{mm('idle_mem', 'rss_mib'):.0f} | {mm('loaded_mem', 'rss_mib'):.0f} | {mm('loaded_mem', 'pss_mib'):.0f} | "
                 f"{'/'.join(str(r['sat']['foreign_cores']) for r in R)} | {len(R)} |")
    L.append("")
    L.append("| system | test | kills (inside a body) | completed | told failed | still queued | lost silently | trials with a body completed twice | extra completed bodies a/l/b/c | extra begun a/l/b/c | client ok/failed/pending | s |")
    L.append("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in SYSTEMS:
        for test in ("mid", "post", "child", "broker", "db"):
            for r in load(name, test):
                v = lambda d: "/".join(str(d[s]) for s in ST)
                L.append(f"| {name} | {test} | {r['kills']} ({r['inside_body']}) | {r['completed']}/{r['n']} | {r['told_failed']} | {r['still_queued']} | {r['lost_silently']} | "
                         f"{r['trials_with_a_duplicate']} | {v(r['completed_again'])} | {v(r['begun_again'])} | "
                         f"{r['client']['ok']}/{r['client']['failed']}/{r['client']['pending']} | {r['seconds']} |")
    L += ["", "| system | body / consumer_timeout s | trials | bench begun | bench completed | collected (runs) | worker exits | in s |", "|---|---|---|---|---|---|---|---|"]
    for name in SYSTEMS:
        for r in load(name, "long"):
            L.append(f"| {name} | {r['body_s']} / {r['consumer_timeout_s']} | {r['n']} | {r['bench_begun']} | {r['bench_completed']} | "
                     f"{r['collected']} ({r['collect_runs']}) | {r['worker_exits']} | {r['watched_s']} |")
    txt = "\n".join(L)
    print(txt)
    (RES / "report.md").write_text(txt + "\n")
    rd = HERE / "README.md"
    if rd.exists() and "<!-- report:begin -->" in rd.read_text():
        a, b = rd.read_text().split("<!-- report:begin -->"); b = b.split("<!-- report:end -->")[1]
        rd.write_text(a + "<!-- report:begin -->\n" + txt + "\n<!-- report:end -->" + b)


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("cmd", choices=["list", "run", "report"])
    ap.add_argument("--only"); ap.add_argument("--tests"); ap.add_argument("--repeat", type=int, default=1)
    ap.add_argument("--force", action="store_true")
    a = ap.parse_args()
    if a.cmd == "list":
        for n, s in SYSTEMS.items():
            print(n, ",".join(s["tests"]))
    else:
        {"run": run, "report": report}[a.cmd](a)
