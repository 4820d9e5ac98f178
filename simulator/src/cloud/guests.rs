//! What runs in the servers: who is busy, what each gets, and what the benchmarks measure.

use uuid::Uuid;

use super::server::Phase;
use super::{Cloud, Event, Millis, Server};
use crate::contention::benchmark::{Benchmark, Outcome, Rates};
use crate::contention::noise::{background, drift, generator, log_normal};
use crate::contention::{Guest, Role, Share, share};

impl Cloud {
    /// Adds what running benchmarks do until `at` at their present rates.
    pub(super) fn measure_until(&mut self, at: Millis) {
        let seconds = at.saturating_sub(self.now) as f64 / 1000.0;
        if seconds == 0.0 {
            return;
        }
        for server in self.servers.values_mut() {
            if let Phase::Measuring { now, sums, .. } = &mut server.phase {
                sums.rate += now.rate * seconds;
                // latency is a mean over operations, not over time
                sums.latency += now.latency * now.rate * seconds;
                sums.retransmits += now.retransmits * seconds;
            }
        }
    }

    pub(super) fn booted(&mut self, id: Uuid, boot: u32) {
        let Some(server) = self.servers.get_mut(&id).filter(|s| s.boot == boot) else { return };
        if !matches!(server.role, Role::Benchmark { .. }) {
            server.phase = Phase::Up;
            return self.share_out();
        }
        let starts = self.now + (self.config.guest.settle * 1000.0) as Millis;
        server.phase = Phase::Waiting { starts };
        // the others of the application wait for it
        let waiting: Vec<Uuid> = self
            .servers
            .values_mut()
            .filter_map(|s| match &mut s.phase {
                Phase::Waiting { starts: other } => {
                    *other = starts;
                    Some(s.id)
                }
                _ => None,
            })
            .collect();
        for id in waiting {
            self.after(self.config.guest.settle, Event::Start { server: id });
        }
    }

    pub(super) fn start_benchmark(&mut self, id: Uuid) {
        let now = self.now;
        let Some(server) = self.servers.get_mut(&id) else { return };
        // an earlier event of one that was put off
        if !matches!(server.phase, Phase::Waiting { starts } if starts <= now) {
            return;
        }
        server.phase = Phase::Measuring { since: now, now: Rates::default(), sums: Rates::default() };
        self.after(self.config.guest.duration, Event::Finish { server: id });
        self.share_out();
    }

    pub(super) fn finish_benchmark(&mut self, id: Uuid) {
        let (seed, sigma, now) = (self.config.seed, self.config.noise.measurement, self.now);
        let Some(server) = self.servers.get_mut(&id) else { return };
        let (Role::Benchmark { benchmark, .. }, Phase::Measuring { since, sums, .. }) =
            (server.role, &server.phase)
        else {
            return;
        };
        let duration = now.saturating_sub(*since) as f64 / 1000.0;
        if duration + 1e-3 < self.config.guest.duration {
            // the end of a run that a reboot cut short
            return;
        }
        let mut rng = generator(seed, "measurement", server.number);
        let rate = sums.rate / duration * log_normal(sigma, &mut rng);
        let closed = benchmark.threads(server.flavor.config.vcpus as f64);
        let mean_latency = if sums.rate > 0.0 { sums.latency / sums.rate } else { 0.0 };
        let latency = match benchmark {
            // what an operation takes follows from the rate, noise included
            Benchmark::Cpu | Benchmark::Fileio | Benchmark::Mysql => closed / rate,
            _ => mean_latency * log_normal(sigma, &mut rng),
        };
        let retransmits = sums.retransmits / duration * log_normal(5.0 * sigma, &mut rng);
        server.phase = Phase::Finished(Outcome {
            benchmark,
            rates: Rates { rate, latency, retransmits },
            duration,
            threads: closed,
            connected: sums.rate > 0.0,
        });
        self.share_out();
    }

    /// Shares every host out anew among the guests that are busy on it.
    pub(super) fn share_out(&mut self) {
        let seconds = self.seconds();
        let busy: Vec<&Server> = self.servers.values().filter(|s| s.is_busy() && s.host.is_some()).collect();
        let partners: Vec<Option<usize>> = (0..busy.len()).map(|i| partner(&busy, i)).collect();
        let same_host: Vec<bool> =
            (0..busy.len()).map(|i| partners[i].is_some_and(|p| busy[p].host == busy[i].host)).collect();
        let mut shares: Vec<Option<Share>> = vec![None; busy.len()];
        let mut loads = Vec::with_capacity(self.hosts.len());
        for (h, host) in self.hosts.iter().enumerate() {
            let here: Vec<usize> = (0..busy.len()).filter(|i| busy[*i].host == Some(h)).collect();
            let guests: Vec<Guest> = here
                .iter()
                .map(|i| {
                    let vcpus = busy[*i].vcpus();
                    Guest { vcpus, demand: busy[*i].role.demand(vcpus, same_host[*i]) }
                })
                .collect();
            let others = background(&self.config.noise, host.config.background, seconds);
            let factor = drift(&self.config.noise, self.config.seed, &host.config.name, seconds);
            let (load, got) = share(&host.hardware(factor), others, &guests);
            loads.push(load);
            for (i, got) in here.into_iter().zip(got) {
                shares[i] = Some(got);
            }
        }
        let rates: Vec<(Uuid, Rates)> = (0..busy.len())
            .filter_map(|i| {
                let Role::Benchmark { benchmark, .. } = busy[i].role else { return None };
                let peer = partners[i].and_then(|p| shares[p].as_ref());
                Some((busy[i].id, benchmark.rates(busy[i].vcpus(), shares[i].as_ref()?, peer, same_host[i])))
            })
            .collect();
        for (host, load) in self.hosts.iter_mut().zip(loads) {
            host.load = load;
        }
        for (id, rates) in rates {
            if let Some(Phase::Measuring { now, .. }) = self.servers.get_mut(&id).map(|s| &mut s.phase) {
                *now = rates;
            }
        }
    }
}

/// The other end of an iperf3 pair: of the guests that run now, the one whose name has the longest beginning in common, so that two
/// applications at once do not mix; the youngest of equals.
fn partner(busy: &[&Server], i: usize) -> Option<usize> {
    let end = |s: &Server| match s.role {
        Role::Benchmark { benchmark, .. } => Some(benchmark),
        _ => None,
    };
    let wanted = match end(busy[i])? {
        Benchmark::IperfClient => Benchmark::IperfServer,
        Benchmark::IperfServer => Benchmark::IperfClient,
        _ => return None,
    };
    let common =
        |j: usize| busy[i].name.bytes().zip(busy[j].name.bytes()).take_while(|(a, b)| a == b).count();
    (0..busy.len()).filter(|j| end(busy[*j]) == Some(wanted)).max_by_key(|j| (common(*j), busy[*j].number))
}
