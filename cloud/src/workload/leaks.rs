//! Whether a workload left anything in the project.

use std::collections::BTreeSet;
use std::time::Duration;

use autoopt_epoch::failure::Failure;
use autoopt_epoch::message::{Leak, LeakKind};
use serde::{Deserialize, Serialize};

use super::spec::{Owner, PREFIX};
use crate::wait::FIRST;
use crate::{Cloud, Volume};

/// Between two looks, at most.
const POLL: Duration = Duration::from_secs(1);
/// Ports and allocations go a little after their servers.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// What a project has, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    pub servers: BTreeSet<String>,
    pub ports: BTreeSet<String>,
    pub volumes: BTreeSet<String>,
}

impl Inventory {
    /// All of it, as it is now.
    pub async fn take(cloud: &Cloud) -> Result<Self, Failure> {
        Self::without(cloud, |_| false).await
    }

    /// As it is now, without the servers that are ours and another owner's, and what belongs to them: several clusters may be
    /// parts of one cloud, in one project.
    pub async fn beside_others(cloud: &Cloud, owner: &Owner) -> Result<Self, Failure> {
        Self::without(cloud, |name| name.starts_with(PREFIX) && !name.starts_with(&owner.prefix)).await
    }

    /// Without servers by their names.
    async fn without(cloud: &Cloud, excluded: impl Fn(&str) -> bool) -> Result<Self, Failure> {
        let (servers, (ports, volumes)) =
            cloud.both(cloud.server_names(""), cloud.both(cloud.server_ports(), cloud.volumes())).await?;
        let (others, servers): (Vec<_>, Vec<_>) = servers.into_iter().partition(|s| excluded(&s.name));
        let others: BTreeSet<String> = others.into_iter().map(|server| server.id).collect();
        let ports = ports.into_iter().filter(|port| !others.contains(&port.device_id));
        let of_others = |volume: &Volume| volume.attachments.iter().any(|a| others.contains(&a.server_id));
        let volumes = volumes.into_iter().filter(|volume| !of_others(volume));
        Ok(Self {
            servers: servers.into_iter().map(|server| server.id).collect(),
            ports: ports.map(|port| port.id).collect(),
            volumes: volumes.map(|volume| volume.id).collect(),
        })
    }

    /// What there is now of the owner's and of strangers that was not there before, and what placement still counts for
    /// `deleted` servers. What nova forgot of the deleted servers is removed.
    pub async fn leaks(
        &self,
        cloud: &Cloud,
        owner: &Owner,
        deleted: impl IntoIterator<Item = String>,
    ) -> Result<Vec<Leak>, Failure> {
        let deleted: Vec<String> = deleted.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let deadline = cloud.now() + SETTLED_WITHIN;
        let pace = cloud.pace(FIRST, POLL);
        loop {
            let leaks = self.look(cloud, owner, &deleted).await?;
            if leaks.is_empty() {
                return Ok(leaks);
            }
            if cloud.now() > deadline {
                tracing::warn!(?leaks, "removing what was left of deleted servers");
                forgotten(cloud, &deleted).await?;
                return self.look(cloud, owner, &deleted).await;
            }
            cloud.look_again(&pace).await;
        }
    }

    async fn look(&self, cloud: &Cloud, owner: &Owner, deleted: &[String]) -> Result<Vec<Leak>, Failure> {
        let allocated = cloud.together(deleted.iter().map(|id| allocated(cloud, id)).collect());
        let (now, allocated) = cloud.both(Self::beside_others(cloud, owner), allocated).await?;
        let mut leaks = self.new_in(&now);
        leaks.extend(allocated.into_iter().flatten());
        Ok(leaks)
    }

    fn new_in(&self, now: &Self) -> Vec<Leak> {
        let new = |kind, before: &BTreeSet<String>, now: &BTreeSet<String>| {
            now.difference(before).map(|id| Leak::new(kind, id)).collect::<Vec<_>>()
        };
        let mut all = new(LeakKind::Server, &self.servers, &now.servers);
        all.extend(new(LeakKind::Port, &self.ports, &now.ports));
        all.extend(new(LeakKind::Volume, &self.volumes, &now.volumes));
        all
    }

    fn has(&self, leak: &Leak) -> bool {
        match leak.kind {
            LeakKind::Server => self.servers.contains(&leak.id),
            LeakKind::Port => self.ports.contains(&leak.id),
            LeakKind::Volume => self.volumes.contains(&leak.id),
            LeakKind::Allocation => false,
        }
    }
}

/// What of `leaks` has not gone since they were found.
pub async fn still_there(cloud: &Cloud, leaks: &[Leak]) -> Result<Vec<Leak>, Failure> {
    let now = Inventory::take(cloud).await?;
    let mut left: Vec<Leak> = leaks.iter().filter(|leak| now.has(leak)).cloned().collect();
    let allocations = leaks.iter().filter(|leak| leak.kind == LeakKind::Allocation);
    for id in allocations.map(|leak| leak.id.as_str()).collect::<BTreeSet<_>>() {
        left.extend(allocated(cloud, id).await?);
    }
    Ok(left)
}

/// What placement counts for a server.
async fn allocated(cloud: &Cloud, id: &str) -> Result<impl Iterator<Item = Leak>, Failure> {
    let providers = cloud.allocations(id).await?.into_keys();
    Ok(providers.map(move |on| Leak { on: Some(on), ..Leak::new(LeakKind::Allocation, id) }))
}

/// Removes ports and allocations of servers that are gone.
pub(super) async fn forgotten(cloud: &Cloud, deleted: &[String]) -> Result<(), Failure> {
    for id in deleted {
        for port in cloud.ports_of(id).await? {
            cloud.delete_port(&port.id).await?;
        }
        cloud.delete_allocations(id).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_a_leak_and_what_went_is_none() {
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let before = Inventory { servers: set(&["a"]), ports: set(&["p"]), volumes: set(&[]) };
        let now = Inventory { servers: set(&[]), ports: set(&["p", "q"]), volumes: set(&["v"]) };
        assert_eq!(before.new_in(&now), [Leak::new(LeakKind::Port, "q"), Leak::new(LeakKind::Volume, "v")]);
        assert!(now.has(&Leak::new(LeakKind::Port, "p")) && !now.has(&Leak::new(LeakKind::Server, "p")));
    }
}
