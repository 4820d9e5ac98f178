//! iperf3 3.12's text output.

use std::fmt::Write;

use rand_xoshiro::Xoshiro256PlusPlus;

use super::around;
use crate::contention::Outcome;

const RULE: &str = "- - - - - - - - - - - - - - - - - - - - - - - - -\n";

pub(super) fn server() -> String {
    let line = "-----------------------------------------------------------\n";
    format!("{line}Server listening on 5201 (test #1)\n{line}")
}

pub(super) fn client(outcome: &Outcome, rng: &mut Xoshiro256PlusPlus) -> String {
    if !outcome.connected {
        return "iperf3: error - unable to connect to server: Connection refused\n".into();
    }
    let (rate, end) = (outcome.rates.rate, outcome.duration);
    let mut text = String::from(
        "Connecting to host server, port 5201\n[  5] local client port 41230 connected to server port 5201\n\
         [ ID] Interval           Transfer     Bitrate         Retr  Cwnd\n",
    );
    let retransmits = (outcome.rates.retransmits * end).round();
    let tens = (end / 10.0) as u32;
    for ten in 0..tens {
        let (from, to) = (f64::from(ten) * 10.0, f64::from(ten + 1) * 10.0);
        let now = around(rate, 0.02, rng);
        let again = (retransmits / f64::from(tens)).floor();
        let window = around(1.5, 0.2, rng);
        // infallible: writes into memory
        let _ = writeln!(
            text,
            "[  5] {:>6}-{:<6} sec  {}  {}  {again:3.0}   {window:.2} MBytes       ",
            format!("{from:.2}"),
            format!("{to:.2}"),
            bytes(now * 10.0),
            bits(now)
        );
    }
    text.push_str(RULE);
    text.push_str("[ ID] Interval           Transfer     Bitrate         Retr\n");
    let span = format!("{:>6}-{:<6}", "0.00", format!("{end:.2}"));
    let _ = write!(
        text,
        "[  5] {span} sec  {}  {}  {retransmits:3.0}             sender\n\
         [  5] {span} sec  {}  {}                  receiver\n\niperf Done.\n",
        bytes(rate * end),
        bits(rate),
        bytes(rate * end * 0.9999),
        bits(rate * 0.9999)
    );
    text
}

/// Three significant digits, as iperf3's `unit_snprintf` has them.
fn three(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

fn bits(gigabits: f64) -> String {
    if gigabits >= 1.0 {
        format!("{} Gbits/sec", three(gigabits))
    } else {
        format!("{} Mbits/sec", three(gigabits * 1e3))
    }
}

/// Of so many Gbit; iperf3 counts bytes in powers of 1024.
fn bytes(gigabits: f64) -> String {
    let megabytes = gigabits * 1e9 / 8.0 / (1024.0 * 1024.0);
    if megabytes >= 1024.0 {
        format!("{} GBytes", three(megabytes / 1024.0))
    } else {
        format!("{} MBytes", three(megabytes))
    }
}
