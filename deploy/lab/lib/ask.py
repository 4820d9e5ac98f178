"""Asks the running nova-scheduler where servers would go, and builds none.

Requests come as JSON lines on standard input, each is answered with a JSON line:

    {"flavor": "U04-RAM04-DISK-36", "zone": "machineLearning", "count": 2, "group": "anti-affinity"}
    {"hosts": ["compute-0", "compute-1"]}     or     {"refused": "No valid host was found. ..."}
    {"records": true}
    {"records": {"compute-0": {"metrics": {...}, "num_io_ops": 0, ...}, ...}}

This is what nova-conductor does before it builds: the RPC call select_destinations, over the lab's RabbitMQ. The
scheduler claims what it picks in Placement; the claims are given back at once.
"""
import json
import sys
import uuid

from nova import conf, config, context, exception, objects, rpc
from nova.scheduler import rpcapi
from nova.scheduler.client import report

config.parse_args(["nova"] + sys.argv[1:])
objects.register_all()
rpc.init(conf.CONF)
scheduler = rpcapi.SchedulerAPI()
placement = report.SchedulerReportClient()
# any will do: there are no quotas and no tenant aggregates in the lab
admin = context.get_admin_context()
admin.project_id = admin.user_id = uuid.uuid4().hex
cells = objects.CellMappingList.get_all(admin)


def ask(request):
    ids = [str(uuid.uuid4()) for _ in range(request.get("count", 1))]
    group = None
    if request.get("group"):
        group = objects.InstanceGroup(admin, uuid=str(uuid.uuid4()), policy=request["group"],
                                      policies=[request["group"]], rules={}, members=list(ids), hosts=[])
    spec = objects.RequestSpec.from_components(
        admin, ids[0], {}, objects.Flavor.get_by_name(admin, request["flavor"]), None,
        objects.InstancePCIRequests(requests=[]), {}, group, request.get("zone"))
    spec.num_instances = len(ids)
    spec.requested_resources = []
    try:
        picked = scheduler.select_destinations(admin, spec, ids, return_objects=True, return_alternates=False)
        return {"hosts": [selections[0].service_host for selections in picked]}
    except exception.NoValidHost as error:
        return {"refused": error.format_message()}
    finally:
        for server in ids:
            placement.delete_allocation_for_instance(admin, server, force=True)


def records():
    found = {}
    for cell in cells:
        if cell.uuid == objects.CellMapping.CELL0_UUID:
            continue
        with context.target_cell(admin, cell) as there:
            for node in objects.ComputeNodeList.get_all(there):
                found[node.host] = {
                    "metrics": {m["name"]: m["value"] for m in json.loads(node.metrics or "[]")},
                    "num_io_ops": int((node.stats or {}).get("io_workload", 0)),
                    "free_ram_mb": node.free_ram_mb, "vcpus_used": node.vcpus_used,
                    "disk_available_least": node.disk_available_least, "running_vms": node.running_vms,
                    "hypervisor_version": node.hypervisor_version,
                    "cpu_allocation_ratio": node.cpu_allocation_ratio,
                    "ram_allocation_ratio": node.ram_allocation_ratio,
                    "disk_allocation_ratio": node.disk_allocation_ratio,
                }
    return {"records": found}


for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(records() if request.get("records") else ask(request)), flush=True)
