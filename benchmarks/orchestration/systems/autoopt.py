"""This project's own services, with the no-op backend, in the harness.

The binaries are those of `cargo build --release --workspace`; AUTOOPT_BIN names another folder.
Run as a program it is the client: `prepare` here, the rest in autoopt-bench-client.
"""
import os, pathlib, shutil, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import lab

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("AUTOOPT_BIN", ROOT / "target/release"))
RUN = lab.LAB / "autoopt"
LISTEN = "127.0.0.1:17771"
QUEUES = ["autoopt.coordinator", *(f"autoopt.{s}.all" for s in lab.STAGES)]


def system(store):
    env = {"AUTOOPT_BUS__URL": lab.AMQP, "AUTOOPT_SERVER": f"http://{LISTEN}", "AUTOOPT_STORE": store}
    workers = {s: [f"{BIN}/autoopt-worker-{s}", "--config", f"{RUN}/worker.toml"] for s in lab.STAGES}
    workers["coord"] = [f"{BIN}/autoopt-coordinator", "--config", f"{RUN}/coordinator.toml"]
    return dict(env=env, client=[lab.PY, __file__], workers=workers, queues=QUEUES, n_sat=5000,
                tests=["perf", "mid", "post", "broker", "db", "long"])


SYSTEMS = {
    "autoopt-pg": system(lab.PG_DSN.replace("postgresql://", "postgres://").replace("/peers", "/autoopt")),
    "autoopt-sqlite": system(f"sqlite://{RUN}/store.sqlite?mode=rwc"),
}


def prepare():
    """No queue, no store and no state of an earlier run."""
    import pika
    with pika.BlockingConnection(pika.URLParameters(lab.AMQP)) as connection:
        for queue in [*QUEUES, "autoopt.dead"]:
            connection.channel().queue_delete(queue)
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    subprocess.run([f"{lab.PGBIN}/psql", "-qAt", "-h", "127.0.0.1", "-p", str(lab.PG_PORT), "-U", "postgres", "-d", "peers",
                    "-c", "drop database if exists autoopt with (force)", "-c", "create database autoopt"], check=True)
    bus = f'[bus]\nurl = "{lab.AMQP}"\n'
    (RUN / "coordinator.toml").write_text(f'[api]\nlisten = "{LISTEN}"\n[store]\nurl = "{os.environ["AUTOOPT_STORE"]}"\n{bus}')
    (RUN / "worker.toml").write_text(f'[worker]\ngroup = "all"\nclusters = ["*"]\nstate_dir = "{RUN}/state"\n{bus}')


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare()
        print("{}")
    else:
        os.execv(f"{BIN}/autoopt-bench-client", [f"{BIN}/autoopt-bench-client", *sys.argv[1:]])
