#!/usr/bin/env python3
"""What a lab's control plane holds, as JSON: what an experiment may change, and has to leave as it was.

    state.py DIRECTORY      the lab's, where clouds.yaml is
"""
import hashlib
import json
import pathlib
import sys
import urllib.request

from login import LOGIN

lab = pathlib.Path(sys.argv[1])


def call(url, body=None, **headers):
    data = json.dumps(body).encode() if body else None
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.headers, json.load(answer)


headers, login = call("http://127.0.0.1:5000/v3/auth/tokens", LOGIN)
token, project = headers["X-Subject-Token"], login["token"]["project"]["id"]


def get(port, path, **more):
    return call(f"http://127.0.0.1:{port}{path}", X_Auth_Token=token, **more)[1]


def named(things):
    return sorted(f"{thing['id']} {thing.get('name') or thing.get('stack_name') or ''}" for thing in things)


providers = get(8778, "/resource_providers")["resource_providers"]
digest = {}
for path in sorted([lab / "etc/nova.conf", *(lab / "etc/nova-scheduler.conf.d").glob("*")]):
    digest[str(path.relative_to(lab))] = hashlib.sha256(path.read_bytes()).hexdigest()
state = {
    "aggregates": {a["name"]: [a["metadata"], a["hosts"]]
                   for a in get(8774, "/v2.1/os-aggregates")["aggregates"]},
    "configuration": digest,
    "servers": named(get(8774, "/v2.1/servers?all_tenants=1")["servers"]),
    "server groups": named(get(8774, "/v2.1/os-server-groups?all_projects=1")["server_groups"]),
    "ports": named(get(9696, "/v2.0/ports")["ports"]),
    "stacks": named(get(8004, f"/v1/{project}/stacks")["stacks"]),
    "allocations": {p["name"]: sorted(get(8778, f"/resource_providers/{p['uuid']}/allocations")["allocations"])
                    for p in providers},
}
json.dump(state, sys.stdout, indent=1, sort_keys=True)
print()
