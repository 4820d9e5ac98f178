//! Results as the genuine tools print them: sysbench 1.0.20, iperf3 3.12, RabbitMQ PerfTest 2.

mod iperf3;
mod perf_test;
mod sysbench;

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::contention::{Benchmark, Outcome};

/// What the guest calls the benchmark, and its log `NAME.log`.
pub fn name(benchmark: Benchmark) -> &'static str {
    match benchmark {
        Benchmark::Cpu => "cpu",
        Benchmark::Fileio => "fileio",
        Benchmark::Mysql => "mysql",
        Benchmark::Rabbitmq => "rabbitmq",
        Benchmark::IperfServer => "iperf_s",
        Benchmark::IperfClient => "iperf_c",
    }
}

/// The tool's log. `rng` is for what no result hangs on: single seconds, extremes, names.
pub fn log(outcome: &Outcome, rng: &mut Xoshiro256PlusPlus) -> String {
    match outcome.benchmark {
        Benchmark::Cpu => sysbench::cpu(outcome, rng),
        Benchmark::Fileio => sysbench::fileio(outcome, rng),
        Benchmark::Mysql => sysbench::oltp(outcome, rng),
        Benchmark::Rabbitmq => perf_test::log(outcome, rng),
        Benchmark::IperfServer => iperf3::server(),
        Benchmark::IperfClient => iperf3::client(outcome, rng),
    }
}

/// `value` more or less by up to the share `by`.
fn around(value: f64, by: f64, rng: &mut Xoshiro256PlusPlus) -> f64 {
    value * (1.0 + by * rng.random_range(-1.0..1.0))
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;
    use crate::contention::Rates;
    use crate::contention::noise::generator;

    fn printed(benchmark: Benchmark, rate: f64, latency: f64, threads: f64) -> String {
        let rates = Rates { rate, latency, retransmits: 2.0 };
        let outcome = Outcome { benchmark, rates, duration: 60.0, threads, connected: true };
        log(&outcome, &mut generator(1, "print", 1))
    }

    fn number(text: &str, pattern: &str) -> f64 {
        let found =
            Regex::new(pattern).unwrap().captures(text).unwrap_or_else(|| panic!("{pattern} in {text}"));
        found[1].parse().unwrap()
    }

    #[test]
    fn sysbench_prints_rates_latencies_and_totals_that_agree() {
        let text = printed(Benchmark::Cpu, 1440.0, 4.0 / 1440.0, 4.0);
        assert_eq!(number(&text, r"events per second:\s+([\d.]+)"), 1440.0);
        assert_eq!(number(&text, r"avg:\s+([\d.]+)"), 2.78);
        let text = printed(Benchmark::Mysql, 400.0, 0.025, 10.0);
        assert_eq!(number(&text, r"transactions:\s+\d+\s+\(([\d.]+) per sec"), 400.0);
        assert_eq!(number(&text, r"avg:\s+([\d.]+)"), 25.0);
        assert_eq!(number(&text, r"total number of events:\s+(\d+)"), 24000.0);
        let text = printed(Benchmark::Fileio, 5000.0, 12.0 / 5000.0, 12.0);
        let sum = ["reads", "writes", "fsyncs"]
            .map(|k| number(&text, &format!(r"{k}/s:\s+([\d.]+)")))
            .iter()
            .sum::<f64>();
        assert!((sum - 5000.0).abs() < 0.05, "{sum}");
    }

    #[test]
    fn perf_test_and_iperf3_print_their_averages() {
        let text = printed(Benchmark::Rabbitmq, 24_000.0, 0.055, 1.0);
        assert_eq!(number(&text, r"sending rate avg: (\d+) msg/s"), 24_000.0);
        let medians: Vec<f64> = Regex::new(r"latency: \d+/(\d+)/")
            .unwrap()
            .captures_iter(&text)
            .map(|c| c[1].parse().unwrap())
            .collect();
        assert_eq!(medians.len(), 60);
        let mean = medians.iter().sum::<f64>() / 60.0;
        assert!((mean / 55_000.0 - 1.0).abs() < 0.02, "{mean}");
        let text = printed(Benchmark::IperfClient, 9.41, 0.0, 1.0);
        let last = text.lines().find(|l| l.ends_with("sender")).unwrap();
        assert_eq!(number(last, r"GBytes\s+([\d.]+) Gbits/sec"), 9.41);
        assert_eq!(number(last, r"(\d+)\s+sender"), 120.0);
    }
}
