//! Numbers and lengths of time, as people read them.

use std::time::Duration;

use autoopt_epoch::time::Timestamp;

/// Six significant digits: more than a measurement has.
pub(crate) fn figure(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    if !(1e-4..1e9).contains(&size) {
        return format!("{x:.5e}");
    }
    let before = size.log10().floor() as i32;
    let after = usize::try_from(5 - before).unwrap_or(0);
    let text = format!("{x:.after$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A part of a whole with its sign, in percent.
pub(crate) fn change(part: f64) -> String {
    format!("{:+.1} %", part * 100.0)
}

/// A length of time with its two largest units.
pub(crate) fn spell(period: Duration) -> String {
    let s = period.as_secs();
    match (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s:02} s"),
        (0, h, m, _) => format!("{h} h {m:02} min"),
        (d, h, _, _) => format!("{d} d {h:02} h"),
    }
}

/// The same for what is often short: tenths of a second below ten seconds.
pub(crate) fn spell_short(period: Duration) -> String {
    if period.as_millis() < 10_000 { format!("{:.1} s", period.as_secs_f64()) } else { spell(period) }
}

/// How long ago something was.
pub(crate) fn ago(now: Timestamp, then: Timestamp) -> String {
    format!("{} ago", spell(now.since(then)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_six_digits_and_no_noise() {
        let texts =
            [0.0, 56.0, 8.75e-3, 123_456.789, 12_345_678.9, 1.0 / 3.0, -2.5, 1e-9, 3.2e12, 999_999.96];
        let texts: Vec<String> = texts.into_iter().map(figure).collect();
        let expected = [
            "0",
            "56",
            "0.00875",
            "123457",
            "12345679",
            "0.333333",
            "-2.5",
            "1.00000e-9",
            "3.20000e12",
            "1000000",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn lengths_of_time_have_two_units() {
        let texts: Vec<String> =
            [7, 65, 3600, 90_061].into_iter().map(|s| spell(Duration::from_secs(s))).collect();
        assert_eq!(texts, ["7 s", "1 min 05 s", "1 h 00 min", "1 d 01 h"]);
        let short = [640, 9940, 10_400, 61_000].map(|ms| spell_short(Duration::from_millis(ms)));
        assert_eq!(short, ["0.6 s", "9.9 s", "10 s", "1 min 01 s"]);
    }
}
