//! Removes a workload by its name.

use std::time::Duration;

use autoopt_epoch::failure::{Failure, FailureKind};

use super::spec::{Owner, PREFIX};
use crate::wait::FIRST;
use crate::{Cloud, Error, ErrorKind, Server};

/// Between two looks at a server that is being deleted, at most.
const POLL: Duration = Duration::from_millis(500);
/// A server that is still there after this long is not being deleted.
const GONE_WITHIN: Duration = Duration::from_secs(180);

/// Deletes the owner's servers and server groups and waits until they are gone. Returns the servers' ids.
pub(super) async fn remove(cloud: &Cloud, owner: &Owner) -> Result<Vec<String>, Failure> {
    let (ids, groups) =
        cloud.both(cloud.server_ids(&owner.prefix), cloud.server_groups(&owner.prefix)).await?;
    delete(cloud, &ids).await?;
    cloud.together(groups.iter().map(|group| cloud.delete_server_group(&group.id)).collect()).await?;
    Ok(ids)
}

/// Deletes servers, and waits until they are gone.
pub(super) async fn delete(cloud: &Cloud, ids: &[String]) -> Result<(), Failure> {
    cloud.together(ids.iter().map(|id| cloud.delete_server(id)).collect()).await?;
    until_gone(cloud, ids).await
}

async fn until_gone(cloud: &Cloud, ids: &[String]) -> Result<(), Failure> {
    let deadline = cloud.now() + GONE_WITHIN;
    let pace = cloud.pace(FIRST, POLL);
    let mut left = ids.to_vec();
    // the last one to be deleted is gone last, as a rule; so one is looked at, and then the others, once
    while let Some(last) = left.last() {
        match there(cloud, last).await? {
            None => {
                let all = cloud.together(left.iter().map(|id| there(cloud, id)).collect()).await?;
                left = all.into_iter().flatten().map(|server| server.id).collect();
            }
            Some(server) if cloud.now() > deadline => {
                let said = server.fault.map(|fault| format!(": {}", fault.message)).unwrap_or_default();
                let reason = format!(
                    "server {} ({}) is still {} {} s after nova was asked to delete it{said}",
                    server.name,
                    server.id,
                    server.status,
                    GONE_WITHIN.as_secs()
                );
                return Err(Failure::new(FailureKind::Broken, reason));
            }
            Some(_) => cloud.look_again(&pace).await,
        }
    }
    Ok(())
}

async fn there(cloud: &Cloud, id: &str) -> Result<Option<Server>, Error> {
    match cloud.server(id).await {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// The names of another epoch's benchmark servers on the same cluster, which would disturb this one's.
pub async fn leftovers(cloud: &Cloud, owner: &Owner) -> Result<Vec<String>, Failure> {
    let same = |server: &Server, key: &str| server.metadata.get(key) == owner.metadata.get(key);
    let others = cloud.servers(PREFIX).await?.into_iter().filter(|server| {
        let ours = same(server, "autoopt_cluster") && same(server, "autoopt_stage");
        ours && !server.name.starts_with(&owner.prefix)
    });
    Ok(others.map(|server| server.name).collect())
}
