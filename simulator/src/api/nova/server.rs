//! How a server looks in the API.

use serde_json::{Map, Value, json};

use super::{micros, seconds};
use crate::api::App;
use crate::cloud::{Cloud, Server, Status};

/// The short form of lists.
pub(super) fn brief(app: &App, server: &Server) -> Value {
    json!({"id": server.id.to_string(), "name": server.name, "links": links(app, server)})
}

/// `server show`, and a row of `servers/detail`, in the microversion `2.minor`.
pub(super) fn detailed(app: &App, cloud: &Cloud, server: &Server, minor: u32) -> Value {
    let host = server.host.map(|i| cloud.hosts[i].config.name.as_str());
    let shown_host = host.map_or(Value::Null, |h| json!(h));
    let zone = server.host.map(|i| cloud.zone_of(i).to_owned()).or_else(|| server.zone.clone());
    let image = server.image.as_ref().map_or_else(|| json!(""), |image| {
        json!({"id": image.id.to_string(), "links": [{"rel": "bookmark", "href": format!("{}/image/images/{}", app.base(), image.id)}]})
    });
    let mut view = json!({
        "id": server.id.to_string(),
        "name": server.name,
        "status": server.status.name(),
        "tenant_id": cloud.project.simple().to_string(),
        "user_id": cloud.user.simple().to_string(),
        "metadata": server.metadata,
        "hostId": host.map(host_id).unwrap_or_default(),
        "image": image,
        "flavor": flavor(app, server, minor),
        "created": seconds(server.created),
        "updated": seconds(server.updated),
        "addresses": addresses(cloud, server),
        "accessIPv4": "", "accessIPv6": "",
        "links": links(app, server),
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": zone.unwrap_or_default(),
        "config_drive": if server.config_drive { "True" } else { "" },
        "key_name": server.key_name,
        "OS-SRV-USG:launched_at": server.launched.map(micros),
        "OS-SRV-USG:terminated_at": null,
        "OS-EXT-SRV-ATTR:host": shown_host,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": shown_host,
        "OS-EXT-SRV-ATTR:instance_name": format!("instance-{:08x}", server.number),
        "OS-EXT-STS:task_state": server.task_state,
        "OS-EXT-STS:vm_state": server.status.vm_state(),
        "OS-EXT-STS:power_state": server.status.power_state(),
        "os-extended-volumes:volumes_attached": [],
        "security_groups": [{"name": "default"}],
    });
    if server.status == Status::Active {
        view["progress"] = json!(0);
    }
    if let Some(fault) = &server.fault {
        view["fault"] =
            json!({"code": fault.code, "message": fault.message, "created": seconds(fault.created)});
    }
    if minor >= 3 {
        view["OS-EXT-SRV-ATTR:user_data"] = json!(server.user_data.as_deref());
        view["OS-EXT-SRV-ATTR:hostname"] = json!(server.name);
        view["OS-EXT-SRV-ATTR:launch_index"] = json!(0);
        view["OS-EXT-SRV-ATTR:root_device_name"] = json!("/dev/vda");
        view["OS-EXT-SRV-ATTR:reservation_id"] = json!(format!("r-{:08x}", server.number));
    }
    if minor >= 9 {
        view["locked"] = json!(false);
    }
    if minor >= 16 {
        view["host_status"] = json!(if host.is_some() { "UP" } else { "" });
    }
    if minor >= 19 {
        view["description"] = Value::Null;
    }
    if minor >= 26 {
        view["tags"] = json!(server.tags);
    }
    if minor >= 63 {
        view["trusted_image_certificates"] = Value::Null;
    }
    if minor >= 71 {
        view["server_groups"] = json!(server.group.map(|id| id.to_string()).into_iter().collect::<Vec<_>>());
    }
    view
}

/// Alike for all servers of a host, and not its name.
fn host_id(host: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(host.as_bytes()).iter().take(28).map(|b| format!("{b:02x}")).collect()
}

fn links(app: &App, server: &Server) -> Value {
    let base = app.base();
    json!([
        {"rel": "self", "href": format!("{base}/compute/v2.1/servers/{}", server.id)},
        {"rel": "bookmark", "href": format!("{base}/compute/servers/{}", server.id)},
    ])
}

/// A link until 2.46, the flavor itself from 2.47 on.
fn flavor(app: &App, server: &Server, minor: u32) -> Value {
    let flavor = &server.flavor;
    let c = &flavor.config;
    if minor >= 47 {
        return json!({"original_name": c.name, "vcpus": c.vcpus, "ram": c.memory_mb, "disk": c.disk_gb,
            "ephemeral": c.ephemeral_gb, "swap": c.swap_mb, "extra_specs": c.extra_specs});
    }
    let href = format!("{}/compute/flavors/{}", app.base(), flavor.id);
    json!({"id": flavor.id.to_string(), "links": [{"rel": "bookmark", "href": href}]})
}

fn addresses(cloud: &Cloud, server: &Server) -> Value {
    let mut by_network = Map::new();
    for (network, port) in cloud.addresses(server) {
        let entry = by_network.entry(network.name.clone()).or_insert_with(|| json!([]));
        if let Value::Array(list) = entry {
            list.push(json!({"version": 4, "addr": port.address.to_string(), "OS-EXT-IPS:type": "fixed",
                "OS-EXT-IPS-MAC:mac_addr": port.mac}));
        }
    }
    Value::Object(by_network)
}
