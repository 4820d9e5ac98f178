//! From an accepted request to a running server, and to its end.

use uuid::Uuid;

use super::server::{Action, Phase, ServerFault};
use super::{Allocation, Cloud, Decision, Event, NetworkWish, Server, Status};
use crate::contention::noise::generator;
use crate::faults::Fault;
use crate::scheduler::{Group, Request, select};

/// A slow build takes so many times as long.
const SLOW: f64 = 10.0;

impl Cloud {
    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Schedule { servers } => self.schedule(servers),
            Event::Built { server, attempt, fails } => self.built(server, attempt, fails),
            Event::Booted { server, boot } => self.booted(server, boot),
            Event::Start { server } => self.start_benchmark(server),
            Event::Finish { server } => self.finish_benchmark(server),
            Event::Deleted { server } => self.deleted(server),
        }
    }

    fn schedule(&mut self, ids: Vec<Uuid>) {
        if !self.scheduler.is_up(self.now) {
            // the request stays in the scheduler's queue
            let wait = self.scheduler.ready.saturating_sub(self.now).max(1000);
            self.after(wait as f64 / 1000.0, Event::Schedule { servers: ids });
            return;
        }
        let ids: Vec<Uuid> = ids.into_iter().filter(|id| self.servers.contains_key(id)).collect();
        let Some(first) = ids.first().and_then(|id| self.servers.get(id)) else { return };
        let request = self.request(first);
        let hosts = (0..self.hosts.len()).map(|i| self.host_state(i)).collect();
        let number = first.number;
        let mut rng = generator(self.config.seed, "scheduler", number);
        let result = select(&self.scheduler.settings, hosts, &request, &ids, &mut rng);
        let servers = ids.iter().map(|id| (*id, self.servers[id].name.clone())).collect();
        let told = result.clone().map_err(|refusal| refusal.to_string());
        self.record(Decision { at: self.now, servers, result: told });
        match result {
            Ok(choices) => {
                for (id, choice) in ids.into_iter().zip(choices) {
                    if let Some(server) = self.servers.get_mut(&id) {
                        server.alternates = choice.alternates;
                    }
                    self.start_build(id, &choice.host);
                }
            }
            Err(refusal) => {
                for id in ids {
                    self.fail(id, 500, &refusal.to_string());
                }
            }
        }
    }

    fn request(&self, server: &Server) -> Request {
        let flavor = &server.flavor.config;
        let group = server.group.and_then(|id| self.groups.get(&id)).map(|group| {
            let on_host = |id: &Uuid| self.servers.get(id)?.host.map(|i| self.hosts[i].config.name.clone());
            Group {
                policy: group.policy,
                members: group.members.clone(),
                hosts: group.members.iter().filter_map(on_host).collect(),
                max_server_per_host: group.max_server_per_host,
            }
        });
        Request {
            project: self.project.simple().to_string(),
            flavor: flavor.name.clone(),
            extra_specs: flavor.extra_specs.clone(),
            vcpus: flavor.vcpus,
            memory_mb: flavor.memory_mb,
            disk_gb: flavor.disk_gb + flavor.ephemeral_gb,
            swap_gb: (flavor.swap_mb + 1023) / 1024,
            zone: server.zone.clone(),
            force_host: server.force_host.clone(),
            image_properties: server.image.as_ref().map(|i| i.config.properties.clone()).unwrap_or_default(),
            group,
            same_host: server.same_host.clone(),
            different_host: server.different_host.clone(),
        }
    }

    fn start_build(&mut self, id: Uuid, host: &str) {
        let Some(host) = self.host_index(host) else { return };
        let hung = self.faults.strikes(Fault::HungBuild, &mut self.rng);
        let slow = self.faults.strikes(Fault::SlowBuild, &mut self.rng);
        let fails = self.faults.strikes(Fault::FailedBuild, &mut self.rng);
        let Some(server) = self.servers.get_mut(&id) else { return };
        let flavor = &server.flavor.config;
        server.host = Some(host);
        server.attempt += 1;
        server.counted_as_io = true;
        server.task_state = Some("spawning");
        let allocation = Allocation {
            host,
            vcpus: flavor.vcpus,
            memory_mb: flavor.memory_mb,
            disk_gb: flavor.disk_gb + flavor.ephemeral_gb + (flavor.swap_mb + 1023) / 1024,
        };
        let attempt = server.attempt;
        self.allocations.insert(id, allocation);
        if let Err(message) = self.plug(id) {
            self.release(id);
            self.fail(id, 500, &message);
            return;
        }
        if !hung {
            let seconds = self.config.compute.build * if slow { SLOW } else { 1.0 };
            self.after(seconds, Event::Built { server: id, attempt, fails });
        }
    }

    /// Gives the server its ports, unless it has them from an earlier build.
    fn plug(&mut self, id: Uuid) -> Result<(), String> {
        let server = &self.servers[&id];
        if !server.ports.is_empty() {
            return Ok(());
        }
        for wish in server.networks.clone() {
            let port = match wish {
                NetworkWish::Port(port) => {
                    let found = self
                        .ports
                        .get_mut(&port)
                        .ok_or_else(|| format!("Port {port} could not be found."))?;
                    found.device = Some(id);
                    port
                }
                NetworkWish::Network { id: network, address } => self
                    .create_port(network, "", address.as_deref(), Some(id), true)
                    .map_err(|e| e.to_string())?,
            };
            if let Some(server) = self.servers.get_mut(&id) {
                server.ports.push(port);
            }
        }
        Ok(())
    }

    fn built(&mut self, id: Uuid, attempt: u32, fails: bool) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if server.attempt != attempt || server.status != Status::Build {
            return;
        }
        let Some(host) = server.host else { return };
        if fails {
            return self.build_failed(id, host);
        }
        server.status = Status::Active;
        server.task_state = None;
        server.launched = Some(self.wall);
        self.end_action(id, None);
        self.hosts[host].failed_builds = 0;
        self.power_on(id);
    }

    /// The host remembers the failure; the conductor tries the next alternate that still has room.
    fn build_failed(&mut self, id: Uuid, host: usize) {
        let limit = i64::from(self.config.compute.disable_after_failures);
        let record = &mut self.hosts[host];
        record.failed_builds += 1;
        if limit > 0 && record.failed_builds >= limit {
            record.enabled = false;
            record.disabled_reason = Some(format!("Auto-disabled due to {limit} build failures"));
        }
        self.release(id);
        let Some(server) = self.servers.get_mut(&id) else { return };
        server.host = None;
        let alternates = std::mem::take(&mut server.alternates);
        let request = self.request(&self.servers[&id]);
        let has_room = |name: &String| {
            let Some(i) = self.host_index(name) else { return false };
            let [vcpu, memory, disk] = self.inventories(i);
            self.hosts[i].enabled
                && vcpu.fits(request.vcpus)
                && memory.fits(request.memory_mb)
                && disk.fits(request.disk_gb + request.swap_gb)
        };
        let next = alternates.iter().position(has_room);
        match next {
            Some(next) => {
                if let Some(server) = self.servers.get_mut(&id) {
                    server.alternates = alternates[next + 1..].to_vec();
                }
                self.start_build(id, &alternates[next]);
            }
            None => {
                let message = format!(
                    "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance {id}."
                );
                self.fail(id, 500, &message);
            }
        }
    }

    /// Puts a server into ERROR.
    fn fail(&mut self, id: Uuid, code: u16, message: &str) {
        let created = self.wall;
        if let Some(server) = self.servers.get_mut(&id) {
            server.status = Status::Error;
            server.task_state = None;
            server.updated = created;
            server.fault = Some(ServerFault { code, message: message.to_owned(), created });
        }
        self.end_action(id, Some(message.to_owned()));
    }

    fn end_action(&mut self, id: Uuid, error: Option<String>) {
        let wall = self.wall;
        if let Some(server) = self.servers.get_mut(&id) {
            server.updated = wall;
            if let Some(action) = server.actions.last_mut() {
                action.finish = Some(wall);
                action.error = error;
            }
        }
    }

    /// Starts to delete a server; `false` if there is none.
    pub fn delete_server(&mut self, id: Uuid, request_id: &str) -> bool {
        let wall = self.wall;
        let Some(server) = self.servers.get_mut(&id) else { return false };
        if server.task_state == Some("deleting") {
            return true;
        }
        server.task_state = Some("deleting");
        server.updated = wall;
        server.actions.push(Action {
            name: "delete",
            request_id: request_id.to_owned(),
            start: wall,
            finish: None,
            event: "compute_terminate_instance",
            error: None,
        });
        // a server that is on no host is deleted by the API itself
        let seconds = if server.host.is_some() { self.config.compute.delete } else { 0.0 };
        self.after(seconds, Event::Deleted { server: id });
        true
    }

    fn deleted(&mut self, id: Uuid) {
        let Some(server) = self.servers.get(&id) else { return };
        if server.host.is_some() && self.faults.strikes(Fault::FailedDelete, &mut self.rng) {
            self.power_off(id);
            return self.fail(
                id,
                500,
                "The hypervisor refused to delete the domain (a fault that was asked for)",
            );
        }
        self.power_off(id);
        if !self.faults.strikes(Fault::LeakedAllocation, &mut self.rng) {
            self.allocations.remove(&id);
        }
        let leak = self.faults.strikes(Fault::LeakedPort, &mut self.rng);
        let Some(server) = self.servers.remove(&id) else { return };
        if let Some(group) = server.group.and_then(|group| self.groups.get_mut(&group)) {
            group.members.retain(|member| *member != id);
        }
        for port in server.ports {
            match self.ports.get_mut(&port) {
                Some(found) if !found.of_nova => found.device = None,
                Some(_) if !leak => {
                    self.ports.remove(&port);
                }
                _ => {}
            }
        }
    }

    fn release(&mut self, id: Uuid) {
        self.allocations.remove(&id);
        if let Some(server) = self.servers.get_mut(&id) {
            server.counted_as_io = false;
        }
    }

    /// Stops a server's guest (`os-stop`); what it measured is lost.
    pub fn stop_server(&mut self, id: Uuid) {
        self.power_off(id);
        if let Some(server) = self.servers.get_mut(&id) {
            server.status = Status::Shutoff;
            server.updated = self.wall;
        }
    }

    /// Boots a server's guest anew (`os-start`, `reboot`).
    pub fn start_server(&mut self, id: Uuid) {
        self.power_off(id);
        if let Some(server) = self.servers.get_mut(&id) {
            server.status = Status::Active;
            server.updated = self.wall;
        }
        self.power_on(id);
    }

    fn power_on(&mut self, id: Uuid) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        server.boot += 1;
        let boot = server.boot;
        self.after(self.config.guest.boot, Event::Booted { server: id, boot });
    }

    fn power_off(&mut self, id: Uuid) {
        if let Some(server) = self.servers.get_mut(&id) {
            server.boot += 1;
            server.phase = Phase::Off;
        }
        self.share_out();
    }
}
