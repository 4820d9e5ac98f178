//! The proof of concept's benchmarks: what each asks of its host, and how fast it goes with what it gets.

use serde::Serialize;

use super::{Demand, Share};

/// A benchmark that a guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Benchmark {
    /// `sysbench cpu`, a thread for each vCPU.
    Cpu,
    /// `sysbench fileio`, random read/write, 12 threads.
    Fileio,
    /// `sysbench oltp_read_write` with MySQL on the guest itself, 10 threads.
    Mysql,
    /// RabbitMQ's PerfTest with the broker on the guest itself.
    Rabbitmq,
    IperfServer,
    IperfClient,
}

/// How a benchmark goes at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Events, operations, transactions, messages per second; Gbit/s for iperf3.
    pub rate: f64,
    /// Seconds: of an event (closed loops), or the median of a message's way.
    pub latency: f64,
    /// TCP segments per second that had to be sent again.
    pub retransmits: f64,
}

/// What a finished benchmark measured: means over its run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    pub benchmark: Benchmark,
    pub rates: Rates,
    /// Of the run, in seconds.
    pub duration: f64,
    pub threads: f64,
    /// `false`: an iperf3 client found no server.
    pub connected: bool,
}

/// Use of others that queueing formulas see at most, so that waiting times stay finite.
const MOST_OTHERS: f64 = 0.95;
/// What iperf3 gets over a 10 Gbit/s interface with 1500-byte frames, in Gbit/s.
const IPERF_GBPS: f64 = 9.41;
/// Between two guests of one host, in Gbit/s of a reference core.
const SAME_HOST_GBPS: f64 = 16.0;

impl Benchmark {
    /// By the name that user data gives it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "cpu" | "sysbench-cpu" => Self::Cpu,
            "fileio" | "sysbench-fileio" => Self::Fileio,
            "mysql" | "oltp" | "sysbench-oltp" => Self::Mysql,
            "rabbitmq" | "rabbitmq-perf-test" | "perf-test" => Self::Rabbitmq,
            "iperf_s" | "iperf3-server" => Self::IperfServer,
            "iperf_c" | "iperf3-client" => Self::IperfClient,
            _ => return None,
        })
    }

    /// Threads of the tool.
    pub fn threads(self, vcpus: f64) -> f64 {
        match self {
            Self::Cpu => vcpus,
            Self::Fileio => 12.0,
            Self::Mysql => 10.0,
            Self::Rabbitmq | Self::IperfServer | Self::IperfClient => 1.0,
        }
    }

    /// What it would use if alone on a host; `same_host` if an iperf3 pair does not need the network.
    pub fn demand(self, vcpus: f64, same_host: bool) -> Demand {
        let of =
            |cpu, disk_iops, network_gbps, memory_gbps| Demand { cpu, disk_iops, network_gbps, memory_gbps };
        match self {
            Self::Cpu => of(vcpus, 0.0, 0.0, 0.2),
            Self::Fileio => of(0.15 * vcpus, 6000.0, 0.0, 0.5),
            Self::Mysql => of(0.8 * vcpus, 1500.0, 0.0, 4.0),
            Self::Rabbitmq => of(0.9 * vcpus, 200.0, 0.3, 6.0),
            Self::IperfServer | Self::IperfClient if same_host => of(0.4 * vcpus, 0.0, 0.0, 6.0),
            Self::IperfServer | Self::IperfClient => of(0.3 * vcpus, 0.0, IPERF_GBPS, 3.0),
        }
    }

    /// Its rates with `share`; `peer` is the share of an iperf3 partner, who is on the same host if `same_host`.
    pub fn rates(self, vcpus: f64, share: &Share, peer: Option<&Share>, same_host: bool) -> Rates {
        let closed = |rate: f64| Rates { rate, latency: self.threads(vcpus) / rate, retransmits: 0.0 };
        match self {
            // 360 events per second and thread with primes up to 20000 at 2400 MHz
            Self::Cpu => closed(360.0 * vcpus * pace(share, 0.0)),
            // 12 threads, 2 ms of disk and 0.1 ms of CPU each operation
            Self::Fileio => closed(12.0 / (disk_time(share, 2e-3) + 1e-4 / pace(share, 0.0))),
            Self::Mysql => {
                // 9 ms of CPU, a third of it waiting for memory, and 8 ms of disk each transaction
                let cpu = 9e-3 / pace(share, 0.33);
                closed((10.0 / (cpu + disk_time(share, 8e-3))).min(0.9 * vcpus / cpu))
            }
            Self::Rabbitmq => {
                let pace = pace(share, 0.25);
                let latency = 0.055 / pace / (1.0 - share.cpu_others.min(0.9));
                Rates { rate: 24_000.0 * pace * share.network, latency, retransmits: 0.0 }
            }
            Self::IperfServer => Rates::default(),
            Self::IperfClient => peer.map_or_else(Rates::default, |peer| iperf(share, peer, same_host)),
        }
    }
}

/// Speed of a thread on what it gets of CPU time; the share `memory` of its work waits for memory and not for the core.
fn pace(share: &Share, memory: f64) -> f64 {
    share.cpu / ((1.0 - memory) / share.speed + memory * share.memory)
}

/// A disk operation of `alone` seconds: longer by what others have taken, and by waiting in their queue, ρ/(1 − ρ) halved as for a
/// fixed service time (Pollaczek–Khinchine, M/D/1).
fn disk_time(share: &Share, alone: f64) -> f64 {
    let others = share.disk_others.min(MOST_OTHERS);
    alone / share.disk * (1.0 + 0.5 * others / (1.0 - others))
}

/// The slower of both ends; losses grow steeply once an interface is asked for more than it has.
fn iperf(client: &Share, server: &Share, same_host: bool) -> Rates {
    let pace = pace(client, 0.2).min(pace(server, 0.2));
    if same_host {
        return Rates { rate: SAME_HOST_GBPS * pace, latency: 0.0, retransmits: 0.2 };
    }
    let network = client.network.min(server.network);
    // half of a reference core moves 9.4 Gbit/s
    let rate = (IPERF_GBPS * network).min(2.0 * IPERF_GBPS * pace);
    Rates { rate, latency: 0.0, retransmits: 0.5 + 60.0 * (1.0 - network) + 6.0 * (1.0 - pace.min(1.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Share = Share {
        cpu: 1.0,
        speed: 1.0,
        memory: 1.0,
        disk: 1.0,
        disk_others: 0.0,
        network: 1.0,
        cpu_others: 0.0,
    };

    #[test]
    fn rates_on_a_reference_host() {
        let rate = |b: Benchmark| b.rates(4.0, &ALONE, Some(&ALONE), false).rate;
        assert_eq!(rate(Benchmark::Cpu), 1440.0);
        assert!((rate(Benchmark::Fileio) - 12.0 / 0.0021).abs() < 1e-9);
        // 3.6 threads' worth of CPU at 9 ms is the limit
        assert!((rate(Benchmark::Mysql) - 400.0).abs() < 1e-9);
        assert_eq!(rate(Benchmark::Rabbitmq), 24_000.0);
        assert_eq!(rate(Benchmark::IperfClient), 9.41);
    }

    #[test]
    fn every_benchmark_suffers_where_its_resource_is_short() {
        let tired = Share { cpu: 0.5, ..ALONE };
        let slow_disk = Share { disk: 0.4, disk_others: 0.6, ..ALONE };
        let slow_memory = Share { memory: 2.0, ..ALONE };
        let crowded = Share { network: 0.5, ..ALONE };
        let ratio = |b: Benchmark, share: &Share| {
            b.rates(4.0, share, Some(&ALONE), false).rate / b.rates(4.0, &ALONE, Some(&ALONE), false).rate
        };
        assert!((ratio(Benchmark::Cpu, &tired) - 0.5).abs() < 1e-12);
        assert_eq!(ratio(Benchmark::Cpu, &slow_disk), 1.0);
        assert!(ratio(Benchmark::Fileio, &slow_disk) < 0.3);
        assert!(ratio(Benchmark::Mysql, &slow_disk) < 0.8);
        assert!((ratio(Benchmark::Rabbitmq, &slow_memory) - 0.8).abs() < 1e-12);
        assert!((ratio(Benchmark::IperfClient, &crowded) - 0.5).abs() < 1e-12);
        let retransmits =
            |share: &Share| Benchmark::IperfClient.rates(4.0, share, Some(&ALONE), false).retransmits;
        assert!(retransmits(&crowded) > 10.0 * retransmits(&ALONE));
        let latency = |share: &Share| Benchmark::Rabbitmq.rates(4.0, share, None, false).latency;
        assert!(latency(&Share { cpu_others: 0.5, ..ALONE }) > 1.9 * latency(&ALONE));
    }
}
