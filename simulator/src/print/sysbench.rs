//! sysbench 1.0.20's reports.

use rand_xoshiro::Xoshiro256PlusPlus;

use super::around;
use crate::contention::Outcome;

pub(super) fn cpu(outcome: &Outcome, rng: &mut Xoshiro256PlusPlus) -> String {
    let rate = outcome.rates.rate;
    report(
        outcome,
        "\nPrime numbers limit: 20000\n",
        &format!("CPU speed:\n    events per second: {rate:8.2}\n"),
        rng,
    )
}

pub(super) fn fileio(outcome: &Outcome, rng: &mut Xoshiro256PlusPlus) -> String {
    // three reads to two writes, and an fsync of each of the 128 files after every 100 of them
    let fsyncs = outcome.rates.rate * 1.28 / 2.28;
    let (reads, writes) = (0.6 * (outcome.rates.rate - fsyncs), 0.4 * (outcome.rates.rate - fsyncs));
    let options = "\nExtra file open flags: (none)\n128 files, 16MiB each\n2GiB total file size\nBlock size 16KiB\n\
                   Number of IO requests: 0\nRead/Write ratio for combined random IO test: 1.50\n\
                   Periodic FSYNC enabled, calling fsync() each 100 requests.\n\
                   Calling fsync() at the end of test, Enabled.\nUsing synchronous I/O mode\nDoing random r/w test\n";
    let results = format!(
        "\nFile operations:\n    reads/s:                      {reads:.2}\n    writes/s:                     {writes:.2}\n    \
         fsyncs/s:                     {fsyncs:.2}\n\nThroughput:\n    read, MiB/s:                  {:.2}\n    \
         written, MiB/s:               {:.2}\n",
        reads / 64.0,
        writes / 64.0
    );
    report(outcome, options, &results, rng)
}

pub(super) fn oltp(outcome: &Outcome, rng: &mut Xoshiro256PlusPlus) -> String {
    let rate = outcome.rates.rate;
    let n = (rate * outcome.duration).round() as u64;
    // oltp_read_write: 14 reads, 4 writes, BEGIN and COMMIT
    let results = format!(
        "SQL statistics:\n    queries performed:\n        read:                            {}\n        \
         write:                           {}\n        other:                           {}\n        \
         total:                           {}\n    transactions:                        {:<6} ({rate:.2} per sec.)\n    \
         queries:                             {:<6} ({:.2} per sec.)\n    \
         ignored errors:                      0      (0.00 per sec.)\n    \
         reconnects:                          0      (0.00 per sec.)\n",
        14 * n,
        4 * n,
        2 * n,
        20 * n,
        n,
        20 * n,
        20.0 * rate
    );
    report(outcome, "", &results, rng)
}

fn report(outcome: &Outcome, options: &str, results: &str, rng: &mut Xoshiro256PlusPlus) -> String {
    let threads = outcome.threads;
    let events = (outcome.rates.rate * outcome.duration).round();
    let average = outcome.rates.latency * 1000.0;
    let (least, most, high) =
        (around(average * 0.6, 0.1, rng), around(average * 9.0, 0.3, rng), around(average * 1.6, 0.03, rng));
    let each = events / threads;
    format!(
        "sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)\n\nRunning the test with following options:\n\
         Number of threads: {threads:.0}\nInitializing random number generator from current time\n\n{options}\n\
         Initializing worker threads...\n\nThreads started!\n\n{results}\nGeneral statistics:\n    \
         total time:                          {:.4}s\n    total number of events:              {events:.0}\n\n\
         Latency (ms):\n         min:                                 {least:7.2}\n         \
         avg:                                 {average:7.2}\n         max:                                 {most:7.2}\n         \
         95th percentile:                     {high:7.2}\n         sum:                            {:12.2}\n\n\
         Threads fairness:\n    events (avg/stddev):           {each:.4}/{:.2}\n    \
         execution time (avg/stddev):   {:.4}/0.00\n\n",
        outcome.duration + around(0.002, 0.5, rng),
        events * average,
        around(each * 0.003, 0.3, rng),
        outcome.duration
    )
}
