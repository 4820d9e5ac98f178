//! What a server is there for, read from its user data.

use std::sync::LazyLock;

use regex::Regex;

use super::{Benchmark, Demand};

/// A background load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Of the vCPUs, 0..1.
    pub cpu: f64,
    /// Threads of sysbench fileio.
    pub fileio: f64,
    pub network_gbps: f64,
    /// Of what the vCPUs can ask of the memory, 0..1.
    pub memory: f64,
}

/// A server's part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    Benchmark {
        benchmark: Benchmark,
        /// How its result is printed.
        frame: Frame,
    },
    Load(Load),
    /// Boots and does nothing.
    Idle,
}

/// The form in which a result stands on the console (docs/guest-frame.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    Checksummed,
    /// The proof of concept's marker line and the raw log.
    Marker,
}

/// Operations per second that one thread of sysbench fileio wants.
const IOPS_OF_A_THREAD: f64 = 500.0;
/// GB/s that one vCPU can draw.
const MEMORY_OF_A_VCPU: f64 = 5.0;
/// What a guest without a part keeps busy of a vCPU.
const IDLE_CPU: f64 = 0.02;

#[expect(clippy::expect_used, reason = "the pattern is a constant, and a test uses it")]
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?m)^\s*(?:export\s+|local\s+)?([A-Za-z_][A-Za-z0-9_]*)=(?:"([^"$]*)"|'([^']*)'|([^\s"'$;]*))\s*;?\s*$"#)
        .expect("a valid pattern")
});

impl Role {
    /// Reads the shell assignments of `user_data`: those of docs/guest-frame.md, or those that the templates of the proof of concept fill into
    /// their scripts (`benchmark_type`, `cpu_load_enabled`, `cpu_percentage`, `fileio_enabled`, `fileio_thread`, `iperf_enabled`).
    pub fn of(user_data: &str) -> Self {
        let value = |name: &str| {
            let found = ASSIGNMENT.captures_iter(user_data).filter(|c| &c[1] == name).last()?;
            (2..=4).find_map(|i| found.get(i)).map(|m| m.as_str().trim().to_owned())
        };
        let benchmark = |name: &str| value(name).as_deref().and_then(Benchmark::named);
        if let Some(benchmark) = benchmark("AUTOOPT_BENCHMARK") {
            return Self::Benchmark { benchmark, frame: Frame::Checksummed };
        }
        if let Some(benchmark) = benchmark("benchmark_type") {
            return Self::Benchmark { benchmark, frame: Frame::Marker };
        }
        if let Some(words) = value("AUTOOPT_LOAD") {
            return Self::Load(load(&words));
        }
        let number = |name: &str| value(name).and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
        let on = |name: &str| matches!(value(name).unwrap_or_default().to_lowercase().as_str(), "true" | "1");
        let given = |name: &str, amount: f64| if on(name) { amount } else { 0.0 };
        let old = Load {
            cpu: given("cpu_load_enabled", number("cpu_percentage") / 100.0),
            fileio: given("fileio_enabled", number("fileio_thread")),
            network_gbps: given("iperf_enabled", 1.0),
            memory: 0.0,
        };
        if old == Load::default() { Self::Idle } else { Self::Load(old) }
    }

    /// What it asks of its host once it runs.
    pub fn demand(&self, vcpus: f64, same_host: bool) -> Demand {
        match self {
            Self::Benchmark { benchmark, .. } => benchmark.demand(vcpus, same_host),
            Self::Load(load) => Demand {
                cpu: (vcpus * load.cpu + 0.02 * load.fileio).max(IDLE_CPU),
                disk_iops: load.fileio * IOPS_OF_A_THREAD,
                network_gbps: load.network_gbps,
                memory_gbps: vcpus * load.memory * MEMORY_OF_A_VCPU,
            },
            Self::Idle => Demand { cpu: IDLE_CPU, ..Demand::default() },
        }
    }
}

fn load(words: &str) -> Load {
    let mut load = Load::default();
    for (name, value) in words.split([' ', ',']).filter_map(|word| word.split_once('=')) {
        let value = value.parse::<f64>().unwrap_or(0.0).max(0.0);
        match name {
            "cpu" => load.cpu = (value / 100.0).min(1.0),
            "fileio" => load.fileio = value,
            "network" => load.network_gbps = value / 1000.0,
            "memory" => load.memory = (value / 100.0).min(1.0),
            _ => {}
        }
    }
    load
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_from_assignments() {
        let old = "#!/bin/bash\nfunction f() {\n    local benchmark_type=mysql\n}\n";
        assert_eq!(Role::of(old), Role::Benchmark { benchmark: Benchmark::Mysql, frame: Frame::Marker });
        let new = "#cloud-config\nruncmd: []\n  AUTOOPT_BENCHMARK='iperf_c'\n";
        assert_eq!(
            Role::of(new),
            Role::Benchmark { benchmark: Benchmark::IperfClient, frame: Frame::Checksummed }
        );
        let old_load = "local cpu_load_enabled=True\nlocal cpu_percentage=60\nlocal fileio_enabled=false\nlocal fileio_thread=9";
        assert_eq!(Role::of(old_load), Role::Load(Load { cpu: 0.6, ..Load::default() }));
        let new_load = "export AUTOOPT_LOAD=\"cpu=50 fileio=4,network=2000 memory=10\"";
        assert_eq!(
            Role::of(new_load),
            Role::Load(Load { cpu: 0.5, fileio: 4.0, network_gbps: 2.0, memory: 0.1 })
        );
        assert_eq!(Role::of("echo hello"), Role::Idle);
        assert_eq!(Role::of("AUTOOPT_BENCHMARK=nonsense"), Role::Idle);
    }
}
