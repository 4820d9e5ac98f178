//! What each guest of a host gets of its CPUs, disks, network and memory.

/// A host's capacities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hardware {
    /// Hardware threads, two to a core.
    pub threads: f64,
    /// Speed of a thread whose sibling idles; 1 is the reference core (2400 MHz).
    pub speed: f64,
    /// Random 16 KiB operations a second.
    pub disk_iops: f64,
    pub network_gbps: f64,
    pub memory_gbps: f64,
}

/// What a guest would use if it were alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demand {
    /// Hardware threads.
    pub cpu: f64,
    pub disk_iops: f64,
    pub network_gbps: f64,
    pub memory_gbps: f64,
}

/// A guest: its demand, and the weight of its claim on the CPUs (libvirt's `cpu.shares` are in proportion to vCPUs).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guest {
    pub vcpus: f64,
    pub demand: Demand,
}

/// Demand in relation to capacity; above 1 where a host is asked for more than it has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostLoad {
    pub cpu: f64,
    pub disk: f64,
    pub network: f64,
    pub memory: f64,
}

/// What one guest gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Of the CPU time it wants, 0..1.
    pub cpu: f64,
    /// Speed of the threads it runs on; 1 is an unshared core of the reference host.
    pub speed: f64,
    /// How many times longer an access to memory takes, ≥ 1.
    pub memory: f64,
    /// Of the disk operations it wants, 0..1.
    pub disk: f64,
    /// Use of the disks by all others, 0..1: what its operations queue behind.
    pub disk_others: f64,
    /// Of the network traffic it wants, 0..1.
    pub network: f64,
    /// Use of the CPUs by all others, 0..1.
    pub cpu_others: f64,
}

/// How much a thread loses when its sibling is busy: two hyperthreads together do 1.25 times what one does, a gain of the size
/// that Marr et al., "Hyper-Threading Technology Architecture and Microarchitecture", Intel Technology Journal 6(1), 2002, report.
const SIBLING_LOSS: f64 = 0.375;

/// Shares out a host among `guests`. `background` is what others, whom nobody sees, use of its CPUs, 0..1.
pub fn share(hardware: &Hardware, background: f64, guests: &[Guest]) -> (HostLoad, Vec<Share>) {
    let background = background.clamp(0.0, 0.9);
    let sum = |part: fn(&Demand) -> f64| guests.iter().map(|g| part(&g.demand)).sum::<f64>();
    let load = HostLoad {
        cpu: background + sum(|d| d.cpu) / hardware.threads,
        disk: sum(|d| d.disk_iops) / hardware.disk_iops,
        network: sum(|d| d.network_gbps) / hardware.network_gbps,
        memory: sum(|d| d.memory_gbps) / hardware.memory_gbps,
    };
    let weights: Vec<f64> = guests.iter().map(|g| g.vcpus).collect();
    let equal = vec![1.0; guests.len()];
    let wanted = |part: fn(&Demand) -> f64| guests.iter().map(|g| part(&g.demand)).collect::<Vec<f64>>();
    let cpu = max_min(hardware.threads * (1.0 - background), &wanted(|d| d.cpu), &weights);
    let disk = max_min(hardware.disk_iops, &wanted(|d| d.disk_iops), &equal);
    let network = max_min(hardware.network_gbps, &wanted(|d| d.network_gbps), &equal);
    let busy = (background + cpu.iter().sum::<f64>() / hardware.threads).min(1.0);
    let speed = hardware.speed * sibling_speed(busy);
    let shares = guests
        .iter()
        .enumerate()
        .map(|(i, guest)| Share {
            cpu: part(cpu[i], guest.demand.cpu),
            speed,
            memory: load.memory.max(1.0),
            disk: part(disk[i], guest.demand.disk_iops),
            disk_others: ((disk.iter().sum::<f64>() - disk[i]) / hardware.disk_iops).clamp(0.0, 1.0),
            network: part(network[i], guest.demand.network_gbps),
            cpu_others: (busy - cpu[i] / hardware.threads).clamp(0.0, 1.0),
        })
        .collect();
    (load, shares)
}

fn part(got: f64, wanted: f64) -> f64 {
    if wanted > 0.0 { got / wanted } else { 1.0 }
}

/// Mean speed of a busy thread when the share `busy` of all threads is busy: cores are filled before siblings, so from one
/// half on, (2·busy − 1)/busy of the busy threads share a core.
fn sibling_speed(busy: f64) -> f64 {
    if busy <= 0.5 { 1.0 } else { 1.0 - SIBLING_LOSS * (2.0 * busy - 1.0) / busy }
}

/// Weighted max-min fairness: nobody gets more than wanted, and what is left over goes to the others by weight.
/// (Bertsekas and Gallager, Data Networks, 2nd edition, section 6.5.2; Linux' CFS approximates it for CPUs.)
pub fn max_min(capacity: f64, wanted: &[f64], weights: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| (wanted[*a] / weights[*a]).total_cmp(&(wanted[*b] / weights[*b])));
    let mut got = vec![0.0; wanted.len()];
    let mut left = capacity.max(0.0);
    let mut weight: f64 = weights.iter().sum();
    for i in order {
        let fair = left * weights[i] / weight;
        got[i] = wanted[i].min(fair);
        left = (left - got[i]).max(0.0);
        weight -= weights[i];
    }
    got
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOST: Hardware =
        Hardware { threads: 8.0, speed: 1.0, disk_iops: 1000.0, network_gbps: 10.0, memory_gbps: 20.0 };

    fn guest(cpu: f64) -> Guest {
        Guest { vcpus: 4.0, demand: Demand { cpu, disk_iops: 100.0 * cpu, ..Demand::default() } }
    }

    #[test]
    fn a_guest_alone_gets_what_it_wants() {
        let (load, shares) = share(&HOST, 0.0, &[guest(4.0)]);
        assert_eq!((load.cpu, load.disk), (0.5, 0.4));
        let alone = Share {
            cpu: 1.0,
            speed: 1.0,
            memory: 1.0,
            disk: 1.0,
            disk_others: 0.0,
            network: 1.0,
            cpu_others: 0.0,
        };
        assert_eq!(shares, [alone]);
    }

    #[test]
    fn a_full_host_runs_its_threads_at_five_eighths_and_shares_them_out() {
        // three guests of 4 threads on 8: each gets 8/3 of 4, on threads whose siblings are all busy
        let (load, shares) = share(&HOST, 0.0, &[guest(4.0), guest(4.0), guest(4.0)]);
        assert_eq!(load.cpu, 1.5);
        for share in shares {
            assert!((share.cpu - 2.0 / 3.0).abs() < 1e-12);
            assert_eq!(share.speed, 0.625);
            // 1200 operations wanted of 1000
            assert!((share.disk - 1000.0 / 1200.0).abs() < 1e-12);
        }
    }

    #[test]
    fn what_a_modest_guest_leaves_goes_to_the_others_by_weight() {
        assert_eq!(max_min(10.0, &[1.0, 9.0, 9.0], &[1.0, 1.0, 2.0]), [1.0, 3.0, 6.0]);
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_wanted_and_nothing_is_left_while_somebody_wants(
            guests in prop::collection::vec((0.0..20.0f64, 1.0..8.0f64), 1..8), capacity in 0.0..40.0f64,
        ) {
            let (wanted, weights): (Vec<f64>, Vec<f64>) = guests.into_iter().unzip();
            let got = max_min(capacity, &wanted, &weights);
            let total: f64 = got.iter().sum();
            prop_assert!(got.iter().zip(&wanted).all(|(g, w)| *g <= w + 1e-9));
            prop_assert!((total - capacity.min(wanted.iter().sum())).abs() < 1e-9);
        }

        #[test]
        fn one_more_guest_never_helps(guests in prop::collection::vec(0.1..8.0f64, 1..6), more in 0.1..8.0f64) {
            let mut all: Vec<Guest> = guests.iter().map(|cpu| guest(*cpu)).collect();
            let (_, before) = share(&HOST, 0.1, &all);
            all.push(guest(more));
            let (_, after) = share(&HOST, 0.1, &all);
            for (b, a) in before.iter().zip(&after) {
                prop_assert!(a.cpu * a.speed <= b.cpu * b.speed + 1e-9);
                prop_assert!(a.disk <= b.disk + 1e-9 && a.network <= b.network + 1e-9);
            }
        }
    }
}
