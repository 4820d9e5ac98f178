//! The parsers on genuine output (`tests/fixtures`; those of RabbitMQ PerfTest follow its documented form).

use autoopt_worker_collect::parser::{ParseError, Problem, check_field, fields, parse};

const CPU: &str = include_str!("fixtures/sysbench-cpu.txt");
const MEMORY: &str = include_str!("fixtures/sysbench-memory.txt");
const OLTP: &str = include_str!("fixtures/sysbench-oltp.txt");
const FILEIO: &str = include_str!("fixtures/sysbench-fileio.txt");
const FILEIO_P99: &str = include_str!("fixtures/sysbench-fileio-p99.txt");
const TCP_JSON: &str = include_str!("fixtures/iperf3-tcp.json");
const TCP_TEXT: &str = include_str!("fixtures/iperf3-tcp.txt");
const TCP_PARALLEL: &str = include_str!("fixtures/iperf3-tcp-parallel.txt");
const UDP_JSON: &str = include_str!("fixtures/iperf3-udp.json");
const UDP_TEXT: &str = include_str!("fixtures/iperf3-udp.txt");
const REFUSED: &str = include_str!("fixtures/iperf3-refused.json");
const FIO_RANDRW: &str = include_str!("fixtures/fio-randrw.json");
const FIO_RANDREAD: &str = include_str!("fixtures/fio-randread.json");
const FIO_TWO_JOBS: &str = include_str!("fixtures/fio-two-jobs.json");
const PGBENCH: &str = include_str!("fixtures/pgbench.txt");
const PGBENCH_REPORT: &str = include_str!("fixtures/pgbench-report.txt");
const STRESS_BRIEF: &str = include_str!("fixtures/stress-ng-brief.txt");
const STRESS_METRICS: &str = include_str!("fixtures/stress-ng-metrics.txt");
const PERF_TEST: &str = include_str!("fixtures/perf-test.documented.txt");
const PERF_TEST_OLD: &str = include_str!("fixtures/perf-test-old.documented.txt");

const GENUINE: [(&str, &str); 19] = [
    ("sysbench", CPU),
    ("sysbench", MEMORY),
    ("sysbench", OLTP),
    ("sysbench", FILEIO),
    ("sysbench", FILEIO_P99),
    ("iperf3", TCP_JSON),
    ("iperf3", TCP_TEXT),
    ("iperf3", TCP_PARALLEL),
    ("iperf3", UDP_JSON),
    ("iperf3", UDP_TEXT),
    ("fio", FIO_RANDRW),
    ("fio", FIO_RANDREAD),
    ("fio", FIO_TWO_JOBS),
    ("pgbench", PGBENCH),
    ("pgbench", PGBENCH_REPORT),
    ("stress-ng", STRESS_BRIEF),
    ("stress-ng", STRESS_METRICS),
    ("rabbitmq-perf-test", PERF_TEST),
    ("rabbitmq-perf-test", PERF_TEST_OLD),
];

fn problem(result: Result<f64, ParseError>) -> Problem {
    result.expect_err("there is no number in it").problem
}

#[test]
fn each_tool_yields_the_numbers_it_printed() {
    for (parser, text, field, expected) in [
        ("sysbench", CPU, "events_per_second", 89662.25),
        ("sysbench", CPU, "latency_max", 2.80),
        ("sysbench", CPU, "total_time_s", 1.0001),
        ("sysbench", MEMORY, "mib_per_second", 6828.70),
        ("sysbench", MEMORY, "operations_per_second", 6_992_590.55),
        ("sysbench", OLTP, "tps", 1219.70),
        ("sysbench", OLTP, "qps", 24393.95),
        ("sysbench", OLTP, "latency_p95", 6.32),
        ("sysbench", OLTP, "queries_write", 14656.0),
        ("sysbench", OLTP, "errors_per_second", 0.0),
        ("sysbench", FILEIO, "fsyncs_per_second", 6631.52),
        ("sysbench", FILEIO, "read_mib_per_second", 776.90),
        ("sysbench", FILEIO, "latency_p95", 0.11),
        ("sysbench", FILEIO_P99, "latency_p99", 0.18),
        ("iperf3", TCP_JSON, "sent_bits_per_second", 24_851_940_500.943_67),
        ("iperf3", TCP_JSON, "received_bits_per_second", 24_839_822_932.736_5),
        ("iperf3", TCP_JSON, "retransmits", 5.0),
        ("iperf3", TCP_TEXT, "sent_bits_per_second", 24.3e9),
        ("iperf3", TCP_TEXT, "retransmits", 10.0),
        ("iperf3", TCP_PARALLEL, "received_bits_per_second", 24.2e9),
        ("iperf3", UDP_JSON, "jitter_ms", 0.005_616_615_929_909_373),
        ("iperf3", UDP_TEXT, "jitter_ms", 0.007),
        ("iperf3", UDP_TEXT, "packets", 382.0),
        ("iperf3", UDP_TEXT, "lost_percent", 0.0),
        ("fio", FIO_RANDRW, "read_iops", 16292.246521),
        ("fio", FIO_RANDRW, "read_bytes_per_second", 66_733_041.0),
        ("fio", FIO_RANDRW, "read_clat_mean", 50.793_840_146),
        ("fio", FIO_RANDRW, "read_clat_p99.9", 156.672),
        ("pgbench", PGBENCH, "tps", 1791.761705),
        ("pgbench", PGBENCH, "latency_avg", 1.116),
        ("pgbench", PGBENCH_REPORT, "latency_stddev", 0.283),
        ("pgbench", PGBENCH_REPORT, "transactions", 2038.0),
        ("stress-ng", STRESS_BRIEF, "matrix.bogo_ops_per_second_real", 4995.44),
        ("stress-ng", STRESS_BRIEF, "cpu.bogo_ops_per_second_cpu", 1785.65),
        ("stress-ng", STRESS_METRICS, "bogo_ops", 1752.0),
        ("rabbitmq-perf-test", PERF_TEST, "sending_rate", 88534.0),
        ("rabbitmq-perf-test", PERF_TEST, "latency_p95", 1900.0),
        ("rabbitmq-perf-test", PERF_TEST, "confirm_latency_median", 1691.0),
        ("rabbitmq-perf-test", PERF_TEST_OLD, "receiving_rate", 47201.0),
    ] {
        assert_eq!(parse(parser, field, text), Ok(expected), "{parser} {field}");
    }
}

/// Whatever a process was killed at, no other number comes out than the one of the whole output.
#[test]
fn every_proper_prefix_is_an_error_or_the_same_value() {
    for (parser, text) in GENUINE {
        let whole = fields(parser, text).expect("a whole output is readable");
        assert!(!whole.is_empty(), "{parser}");
        // every cut of short outputs, a sample of cuts of long ones: reading is linear in the length
        let step = (text.len() / 3000).max(1);
        for at in (0..text.len()).step_by(step).filter(|at| text.is_char_boundary(*at)) {
            for (field, value) in fields(parser, &text[..at]).unwrap_or_default() {
                assert_eq!(whole.get(&field), Some(&value), "{parser} {field} cut at {at}");
            }
        }
    }
}

#[test]
fn a_prefix_of_generic_output_is_an_error_or_the_same_value() {
    let lines = "warm-up done\nrate=1234.5\nlatency: 17\n";
    let json = r#"{"end": {"rate": 1234.5, "text": "17"}}"#;
    for (parser, field, text, expected) in [
        ("regex", r"rate=([\d.]+)", lines, 1234.5),
        ("regex", r"^latency: (\d+)$", lines, 17.0),
        ("key-value", "rate", lines, 1234.5),
        ("key-value", "latency", lines, 17.0),
        ("json", "/end/rate", json, 1234.5),
        ("json", "/end/text", json, 17.0),
    ] {
        assert_eq!(parse(parser, field, text), Ok(expected), "{parser}");
        for at in 0..text.len() {
            if let Ok(value) = parse(parser, field, &text[..at]) {
                assert_eq!(value, expected, "{parser} cut at {at}");
            }
        }
    }
}

#[test]
fn an_output_that_is_no_measurement_is_an_error() {
    assert_eq!(problem(parse("sysbench", "tps", " \n")), Problem::Empty);
    assert!(
        matches!(problem(parse("iperf3", "retransmits", REFUSED)), Problem::ToolFailed { message } if message.contains("refused"))
    );
    assert!(matches!(
        problem(parse("sysbench", "tps", "sysbench 1.0.20\nFATAL: unable to connect\n")),
        Problem::ToolFailed { .. }
    ));
    assert!(
        matches!(problem(parse("sysbench", "tps", CPU)), Problem::Absent { found } if found.contains("events_per_second"))
    );
    let idle =
        CPU.replace("total number of events:              89726", "total number of events:              0");
    assert!(matches!(problem(parse("sysbench", "latency_avg", &idle)), Problem::NoSamples { .. }));
    assert!(matches!(problem(parse("fio", "write_iops", FIO_RANDREAD)), Problem::NoSamples { .. }));
    let nan = PGBENCH.replace("1791.761705", "-nan");
    assert!(
        matches!(problem(parse("pgbench", "tps", &nan)), Problem::NotANumber { found } if found == "-nan")
    );
    let failed = STRESS_METRICS.replace("successful run", "unsuccessful run");
    assert!(matches!(problem(parse("stress-ng", "bogo_ops", &failed)), Problem::ToolFailed { .. }));
    let none = PERF_TEST.replace("88534 msg/s", "0 msg/s");
    assert!(matches!(
        problem(parse("rabbitmq-perf-test", "receiving_rate", &none)),
        Problem::NoSamples { .. }
    ));
}

#[test]
fn two_results_that_differ_are_in_doubt_and_the_rest_is_not() {
    let twice = format!("{PGBENCH}{}", PGBENCH.replace("1791.76", "2791.76"));
    assert_eq!(
        problem(parse("pgbench", "tps", &twice)),
        Problem::Contradictory { first: 1791.761705, second: 2791.761705 }
    );
    assert_eq!(parse("pgbench", "latency_avg", &twice), Ok(1.116));
    // two stressors: the bare field is ambiguous, the full one is not
    assert!(matches!(problem(parse("stress-ng", "bogo_ops", STRESS_BRIEF)), Problem::Contradictory { .. }));
    assert!(matches!(problem(parse("regex", r"a=(\d)", "a=1\na=2\n")), Problem::Contradictory { .. }));
    assert_eq!(parse("regex", r"(?s).*a=(\d)", "a=1\na=2\n"), Ok(2.0));
}

#[test]
fn a_question_that_makes_no_sense_names_the_nearest_that_does() {
    let error = check_field("sysbench", "latncy_p95").expect_err("misspelt");
    assert!(error.is_in_the_experiment());
    assert!(error.to_string().contains("did you mean `latency_p95`?"), "{error}");
    let error = check_field("sysbnch", "tps").expect_err("misspelt");
    assert!(error.to_string().contains("did you mean `sysbench`?"), "{error}");
    for (parser, field) in [
        ("regex", "no group"),
        ("regex", "(two) (groups)"),
        ("regex", "(unclosed"),
        ("json", "end/rate"),
        ("key-value", "a=b"),
        ("sysbench", "latency_p0"),
        ("fio", "read_clat_p100"),
        ("stress-ng", ".bogo_ops"),
    ] {
        assert!(check_field(parser, field).is_err(), "{parser} {field}");
    }
    for (parser, field) in [
        ("sysbench", "latency_p99"),
        ("fio", "write_clat_p99.99"),
        ("stress-ng", "vm.bogo_ops"),
        ("json", "/a/0"),
    ] {
        assert!(check_field(parser, field).is_ok(), "{parser} {field}");
    }
}
