//! Which release of nova a cloud runs.

use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::Cloud;
use crate::call::{Call, Service};
use crate::error::Error;

/// The highest minor version of the compute API by nova's major release, from the release notes of
/// <https://docs.openstack.org/nova/latest/reference/api-microversion-history.html>.
const HIGHEST_MINOR: [(u32, u32); 14] = [
    (18, 65),
    (19, 72),
    (20, 79),
    (21, 87),
    (22, 87),
    (23, 88),
    (24, 90),
    (25, 90),
    (26, 93),
    (27, 95),
    (28, 95),
    (29, 96),
    (30, 96),
    (31, 100),
];

impl Cloud {
    /// nova's major release (26 is Zed), as far as the versions of its API tell it.
    pub async fn release(&self) -> Result<RangeInclusive<u32>, Error> {
        #[derive(Deserialize)]
        struct Version {
            /// `2.MINOR`.
            version: String,
        }
        let found: Version = self.fetch(&Call::get(Service::Compute, &[]), "version").await?;
        Ok(releases(found.version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0)))
    }
}

fn releases(minor: u32) -> RangeInclusive<u32> {
    let oldest = HIGHEST_MINOR.iter().find(|(_, highest)| *highest >= minor);
    let newest = HIGHEST_MINOR.iter().rfind(|(_, highest)| *highest <= minor);
    match (newest, oldest) {
        // between two known ones: no release of nova, but a later one of the first
        (Some((newest, below)), Some((oldest, above))) if below == above => *oldest..=*newest,
        (Some((newest, _)), Some(_)) => *newest..=*newest,
        (None, _) => 0..=HIGHEST_MINOR[0].0,
        (Some((newest, _)), None) => *newest..=u32::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_version_stands_for_one_release_or_two() {
        assert_eq!(releases(93), 26..=26);
        assert_eq!(releases(95), 27..=28);
        assert_eq!(releases(60), 0..=18);
        assert_eq!(releases(101), 31..=u32::MAX);
    }
}
