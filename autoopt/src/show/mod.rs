//! What is printed: text and tables for people, JSON for programs.

mod figures;

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use autoopt_coordinator::machine::Phase;
use autoopt_epoch::failure::Outcome;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};

pub(crate) use figures::{ago, change, figure, spell, spell_short};

/// Whether this program goes on although nobody reads what it prints.
static HAS_WORK: AtomicBool = AtomicBool::new(false);

/// From now on output that cannot be written does not end this program: what it does has to be done to its end.
pub(crate) fn go_on_unread() {
    HAS_WORK.store(true, Ordering::Relaxed);
}

/// Writes a line to standard output.
pub(crate) fn say(text: impl std::fmt::Display) {
    put(format!("{text}\n").as_bytes());
}

/// Writes to standard output. A reader that went away ends the program quietly, as other filters do; a full disk does not do
/// so quietly.
#[expect(clippy::print_stderr, reason = "a program's own messages")]
pub(crate) fn put(bytes: &[u8]) {
    let mut output = std::io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Ok(()) => {}
        Err(_) if HAS_WORK.load(Ordering::Relaxed) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("error: cannot write to standard output: {error}");
            std::process::exit(1);
        }
    }
}

/// Prints for programs: indented on a terminal, one line elsewhere.
pub(crate) fn say_json(value: &impl serde::Serialize) {
    let text = if std::io::stdout().is_terminal() {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    say(text.expect("views and JSON values have text keys only"));
}

/// Prints one of several values for programs, on a line of its own.
pub(crate) fn say_json_line(value: &impl serde::Serialize) {
    say(serde_json::to_string(value).expect("views and JSON values have text keys only"));
}

/// Text from elsewhere as one line of text: no character of it moves the cursor or changes a colour.
pub(crate) fn plain(text: &str) -> String {
    escaped(text, |c| c.is_control())
}

/// The same for text of several lines.
pub(crate) fn lines(text: &str) -> String {
    escaped(text, |c| c.is_control() && !matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, bad: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if bad(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Busy,
    Faint,
    Usual,
}

impl Tone {
    pub(crate) const fn of_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Measured => Self::Good,
            Outcome::Abandoned => Self::Faint,
            _ => Self::Bad,
        }
    }

    pub(crate) const fn of_phase(phase: Phase) -> Self {
        match phase {
            Phase::Running | Phase::Confirming | Phase::Stopping | Phase::Closing => Self::Busy,
            Phase::Paused => Self::Bad,
            Phase::Ended => Self::Usual,
        }
    }

    /// The text in its colour; without one where there is no terminal, or `NO_COLOR` is set.
    pub(crate) fn paint(self, text: &str) -> String {
        let styled = console::style(plain(text));
        match self {
            Self::Good => styled.green(),
            Self::Bad => styled.red(),
            Self::Busy => styled.cyan(),
            Self::Faint => styled.dim(),
            Self::Usual => styled,
        }
        .to_string()
    }

    /// The same in a table.
    pub(crate) fn cell(self, text: impl std::fmt::Display) -> Cell {
        let cell = Cell::new(plain(&text.to_string()));
        if !console::colors_enabled() {
            return cell;
        }
        match self {
            Self::Good => cell.fg(Color::Green),
            Self::Bad => cell.fg(Color::Red),
            Self::Busy => cell.fg(Color::Cyan),
            Self::Faint => cell.fg(Color::DarkGrey),
            Self::Usual => cell,
        }
    }
}

/// A cell of text from anywhere.
pub(crate) fn cell(text: impl std::fmt::Display) -> Cell {
    Tone::Usual.cell(text)
}

/// A table with these columns, as wide as it has to be; on a terminal not wider than that.
pub(crate) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns.iter().copied());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_elsewhere_cannot_drive_the_terminal() {
        assert_eq!(plain("a\u{1b}[2J\nb\u{9b}é"), "a\\u{1b}[2J\\nb\\u{9b}é");
        assert_eq!(lines("a\r\nb"), "a\\r\nb");
        let mut table = table(&["reason"]);
        table.add_row([cell("\u{1b}]0;title\u{7}")]);
        assert!(!table.trim_fmt().contains('\u{1b}'));
    }
}
