//! RabbitMQ PerfTest's console output.

use std::fmt::Write;

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::around;
use crate::contention::Outcome;

pub(super) fn log(outcome: &Outcome, rng: &mut Xoshiro256PlusPlus) -> String {
    let (rate, median) = (outcome.rates.rate, outcome.rates.latency * 1e6);
    let id = format!("test-{:06}-{:03}", rng.random_range(0..240_000), rng.random_range(0..1000));
    let mut text = format!("id: {id}, starting consumer #0\nid: {id}, starting producer #0\n");
    for second in 1..=outcome.duration.round() as u64 {
        let (sent, now) = (around(rate, 0.04, rng), around(median, 0.04, rng));
        let received = around(sent, 0.005, rng);
        let spread = spread(now);
        // infallible: writes into memory
        let _ = writeln!(
            text,
            "id: {id}, time: {second}.000s, sent: {sent:.0} msg/s, received: {received:.0} msg/s, \
             min/median/75th/95th/99th consumer latency: {spread} µs"
        );
    }
    let received = rate * 0.999;
    let _ = write!(
        text,
        "test stopped (Reached time limit)\nid: {id}, sending rate avg: {rate:.0} msg/s\n\
         id: {id}, receiving rate avg: {received:.0} msg/s\n\
         id: {id}, consumer latency min/median/75th/95th/99th {} µs\n",
        spread(median)
    );
    text
}

/// Minimum, median and percentiles around a median, in µs.
fn spread(median: f64) -> String {
    [0.05, 1.0, 1.5, 2.4, 3.5].map(|factor| format!("{:.0}", median * factor)).join("/")
}
