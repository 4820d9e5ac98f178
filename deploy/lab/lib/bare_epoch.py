#!/usr/bin/env python3
"""An epoch's calls without anything around them, to compare with.

    bare_epoch.py measure N             N epochs on the lab; a line of JSON for each
    bare_epoch.py experiment NAME N     rewrites the experiment on standard input: N trials, no pauses, aggregate metadata only
    bare_epoch.py compare BARE EVENTS   what the epochs of the events took on top
"""
import base64
import http.client
import json
import math
import statistics
import sys
import time
from datetime import datetime

from login import LOGIN

FLAVOR, IMAGE = "U04-RAM04-DISK-36", "bionic-server-cloudimg-amd64-cloud-pipeline"
BENCHMARKS = ["rabbitmq", "mysql", "fileio", "cpu", "iperf_s", "iperf_c"]
# between two looks at a server: short beside a build, and no load on nova's API
LOOK = 0.05


class Service:
    """A service's port on this machine, over one connection where it keeps one."""
    token = ""

    def __init__(self, port):
        self.port, self.connection = port, None

    def call(self, method, path, body=None, missing=False):
        headers = {"Content-Type": "application/json", "X-Auth-Token": self.token, "OpenStack-API-Version": "compute 2.64"}
        if not self.connection:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        self.connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.will_close:
            self.connection = None
        if missing and answer.status == 404:
            return None
        if answer.status >= 300:
            sys.exit(f"{method} {self.port}{path}: {answer.status} {text.decode()}")
        self.headers = answer.headers
        return json.loads(text) if text else {}


def measure(epochs):
    keystone, nova, glance, neutron = Service(5000), Service(8774), Service(9292), Service(9696)
    keystone.call("POST", "/v3/auth/tokens", LOGIN)
    Service.token = keystone.headers["X-Subject-Token"]
    flavor = next(f["id"] for f in nova.call("GET", "/v2.1/flavors")["flavors"] if f["name"] == FLAVOR)
    image = glance.call("GET", f"/v2/images?name={IMAGE}")["images"][0]["id"]
    network = neutron.call("GET", "/v2.0/networks?name=external")["networks"][0]["id"]
    aggregate = nova.call("GET", "/v2.1/os-aggregates")["aggregates"][0]["id"]
    for number in range(epochs):
        began = time.monotonic()
        values = {"ram_weight_multiplier": str(0.1 * number - 0.5), "disk_weight_multiplier": str(0.5 - 0.1 * number)}
        set_metadata(nova, aggregate, values)
        group = nova.call("POST", "/v2.1/os-server-groups",
                          {"server_group": {"name": "bare-apart", "policy": "anti-affinity"}})["server_group"]["id"]
        servers = []
        for benchmark in BENCHMARKS:
            script = f"#!/bin/sh\nAUTOOPT_BENCHMARK='{benchmark}'\n"
            new = {"server": {"name": f"bare-{benchmark}", "flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}],
                              "availability_zone": "machineLearning", "user_data": base64.b64encode(script.encode()).decode()}}
            if benchmark.startswith("iperf"):
                new["os:scheduler_hints"] = {"group": group}
            server = f"/v2.1/servers/{nova.call('POST', '/v2.1/servers', new)['server']['id']}"
            while (status := nova.call("GET", server)["server"]["status"]) == "BUILD":
                time.sleep(LOOK)
            if status != "ACTIVE":
                sys.exit(f"a bare server is {status}")
            servers.append(server)
        for server, benchmark in zip(servers, BENCHMARKS):
            while benchmark != "iperf_s" and "END AUTOOPT RESULT" not in console(nova, server):
                time.sleep(LOOK)
        for server in servers:
            nova.call("DELETE", server)
        for server in servers:
            while nova.call("GET", server, missing=True):
                time.sleep(LOOK)
        nova.call("DELETE", f"/v2.1/os-server-groups/{group}")
        print(json.dumps({"seconds": time.monotonic() - began}), flush=True)
    set_metadata(nova, aggregate, {"ram_weight_multiplier": None, "disk_weight_multiplier": None})


def set_metadata(nova, aggregate, values):
    nova.call("POST", f"/v2.1/os-aggregates/{aggregate}/action", {"set_metadata": {"metadata": values}})


def console(nova, server):
    return nova.call("POST", server + "/action", {"os-getConsoleOutput": {}})["output"]


def experiment(name, trials, text):
    blocks = [block for block in text.split("\n\n") if 'name = "metrics.' not in block and not block.startswith("[confirm]")]
    lines = []
    for line in "\n\n".join(blocks).split("\n"):
        key = line.split(" = ")[0]
        changed = {"name": f'name = "{name}"' if 'name = "nova-weights"' in line else line, "trials": f"trials = {trials}",
                   "pause": 'pause = "0s"'}
        lines.append(changed.get(key, line))
    print("\n".join(lines))


def compare(bare, events):
    bare = [json.loads(line)["seconds"] for line in open(bare)]
    ours, begun = [], {}
    for line in open(events):
        event = json.loads(line)
        key, at = (event["experiment"], event.get("number")), event["at"]
        if event["kind"] == "epoch.started":
            begun[key] = at
        elif event["kind"] == "trial.ended" and event["number"] > 0:
            if event["detail"]["outcome"] != "measured":
                sys.exit(f"not measured: {line}")
            ours.append((datetime.fromisoformat(at) - datetime.fromisoformat(begun[key])).total_seconds())
    for what, times in ("bare", bare), ("through the services", ours):
        print(f"{what}: {statistics.mean(times):.2f} s an epoch (sd {statistics.stdev(times):.2f}, n {len(times)})")
    difference = statistics.mean(ours) - statistics.mean(bare)
    error = math.sqrt(statistics.variance(ours) / len(ours) + statistics.variance(bare) / len(bare))
    print(f"on top: {difference:.2f} s an epoch, standard error {error:.2f} s")


match sys.argv[1:]:
    case ["measure", epochs]:
        measure(int(epochs))
    case ["experiment", name, trials]:
        experiment(name, int(trials), sys.stdin.read())
    case ["compare", bare, events]:
        compare(bare, events)
    case _:
        sys.exit(__doc__)
