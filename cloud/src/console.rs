//! What guests print on their consoles: result frames (docs/guest-frame.md), and the older form of a marker and a raw log.

use regex::Regex;
use sha2::{Digest, Sha256};

const BEGIN: &str = "-----BEGIN AUTOOPT RESULT ";
const END: &str = "-----END AUTOOPT RESULT-----";
/// The marker line of the older form; its group is the log's name.
pub const MARKER: &str = r"output\] file:(\S+?)(?:\.log)?$";

/// What is found on a console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// Results by name, in the order in which the names first appear; of several frames of a name, the last good one.
    pub results: Vec<(String, String)>,
    /// Results that are there, but not whole, and why.
    pub damaged: Vec<(String, String)>,
    /// Whether all of it has an end. (A log after a marker has none.)
    pub framed: bool,
}

/// Reads a console. `marker` is a regular expression for one line, with one group.
pub fn read(console: &str, marker: &Regex) -> Printed {
    let text = console.replace('\r', "");
    let mut printed = frames(&text);
    if printed.results.is_empty() && printed.damaged.is_empty() {
        printed.results = marked(&text, marker);
        printed.framed = false;
    }
    printed
}

fn frames(text: &str) -> Printed {
    let mut printed = Printed { framed: true, ..Printed::default() };
    let mut rest = text;
    while let Some((words, after)) = next_frame(rest) {
        let of = |key: &str| words.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let name = of("name").unwrap_or("?").to_owned();
        // a frame that was cut may be followed by a whole one
        let end =
            after.find(&format!("{END}\n")).or_else(|| after.ends_with(END).then(|| after.len() - END.len()));
        let next = after.find(BEGIN).unwrap_or(usize::MAX);
        let found = match end.filter(|end| *end < next) {
            None => Err("it has no end: the console was cut, or the guest is still at it".to_owned()),
            Some(end) => checked(&after[..end], of("bytes"), of("sha256")),
        };
        put(&mut printed, name, found);
        rest = after;
    }
    printed
}

/// The words of the next frame's first line, and what follows that line.
fn next_frame(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(BEGIN)?;
        let line_end = text[at..].find('\n').map(|length| at + length)?;
        let words = text[at + BEGIN.len()..line_end].strip_suffix("-----");
        if let (true, Some(words)) = (at == 0 || text[..at].ends_with('\n'), words) {
            return Some((words, &text[line_end + 1..]));
        }
        from = line_end;
    }
}

fn checked(content: &str, bytes: Option<&str>, sha256: Option<&str>) -> Result<String, String> {
    let length =
        bytes.and_then(|text| text.parse::<usize>().ok()).ok_or("its first line names no `bytes`")?;
    if content.len() != length {
        return Err(format!(
            "it has {} bytes, but says {length}: lines are missing or something else was printed into it",
            content.len()
        ));
    }
    let sum: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    match sha256 {
        Some(said) if said == sum => Ok(content.to_owned()),
        _ => Err("its checksum does not agree: it was damaged on the console".into()),
    }
}

fn put(printed: &mut Printed, name: String, found: Result<String, String>) {
    let known = printed.results.iter_mut().find(|(known, _)| *known == name);
    match (found, known) {
        (Ok(content), Some(known)) => known.1 = content,
        (Ok(content), None) => {
            printed.damaged.retain(|(damaged, _)| *damaged != name);
            printed.results.push((name, content));
        }
        // another copy of it is good
        (Err(_), Some(_)) => {}
        (Err(reason), None) => {
            printed.damaged.retain(|(damaged, _)| *damaged != name);
            printed.damaged.push((name, reason));
        }
    }
}

/// The logs after marker lines, each up to the next marker or the end.
fn marked(text: &str, marker: &Regex) -> Vec<(String, String)> {
    let mut logs: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let plain = line.trim_end_matches('\n');
        if let Some(name) = marker.captures(plain).and_then(|groups| groups.get(1)) {
            let name = name.as_str();
            // the guest started again: what it printed before is void
            logs.retain(|(known, _)| known != name);
            logs.push((name.to_owned(), String::new()));
        } else if let Some((_, log)) = logs.last_mut() {
            log.push_str(line);
        }
    }
    logs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, content: &str) -> String {
        let sum: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{BEGIN}name={name} bytes={} sha256={sum} more=1-----\n{content}{END}\n", content.len())
    }

    fn of(console: &str) -> Printed {
        read(console, &Regex::new(MARKER).unwrap())
    }

    fn results(console: &str) -> Vec<(String, String)> {
        of(console).results
    }

    fn pair(name: &str, content: &str) -> (String, String) {
        (name.into(), content.into())
    }

    #[test]
    fn the_last_good_frame_of_each_name_counts() {
        let console = format!("boot\n{}{}x\n{}", frame("a", "old\n"), frame("b", "2\n"), frame("a", "new\n"));
        assert_eq!(results(&console), [pair("a", "new\n"), pair("b", "2\n")]);
        assert_eq!(results(&console.replace('\n', "\r\n")), [pair("a", "new\n"), pair("b", "2\n")]);
    }

    #[test]
    fn a_damaged_or_cut_frame_is_made_good_by_its_copy_and_reported_without_one() {
        let good = frame("a", "one\ntwo\n");
        let noisy = good.replace("two", "[  99.1] kernel: noise\ntwo");
        let cut = &good[..good.len() - 12];
        for console in [format!("{noisy}{good}"), format!("{good}{noisy}"), format!("{cut}\n{good}")] {
            assert_eq!(results(&console), [pair("a", "one\ntwo\n")], "{console}");
        }
        for (console, said) in [
            (noisy.as_str(), "bytes"),
            (&good.replace("two", "tow"), "checksum"),
            (cut, "no end"),
            (&format!("{cut}\n{noisy}"), "bytes"),
        ] {
            let printed = of(console);
            assert!(printed.results.is_empty());
            assert!(printed.damaged[0].1.contains(said), "{said}: {printed:?}");
        }
        // the beginning was lost: not a frame at all
        assert_eq!(of(&good[10..]), Printed { framed: false, ..Printed::default() });
    }

    #[test]
    fn the_older_form_has_logs_between_markers() {
        let console = "boot\nlogin: [cloud_pipeline_console_output] file:cpu.log\nrate 1\n\n[x_output] file:net.log\nrate 2\n";
        let printed = of(console);
        assert_eq!(printed.results, [pair("cpu", "rate 1\n\n"), pair("net", "rate 2\n")]);
        assert!(!printed.framed);
        let twice = format!("{console}[x_output] file:cpu.log\nrate 3\n");
        assert_eq!(results(&twice), [pair("net", "rate 2\n"), pair("cpu", "rate 3\n")]);
        assert!(results("").is_empty() && results("only boot\n").is_empty());
    }
}
