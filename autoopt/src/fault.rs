//! How a command fails: what was wrong, what to do next, and the exit code.

use std::process::ExitCode;

use autoopt_epoch::problem::Problem;

/// The kinds of failure a script can tell apart. `docs/cli.md` lists them; the numbers above 63 are those of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It did not work.
    Failed = 1,
    /// A file, or what was submitted, is not right.
    Input = 65,
    /// No service answers there.
    Unreachable = 69,
    /// The service wants a token, or another one.
    Unauthorised = 77,
}

/// A command's failure.
#[derive(Debug)]
pub(crate) struct Fault {
    kind: Kind,
    message: String,
    problems: Vec<Problem>,
    next: Option<String>,
}

impl Fault {
    /// A failure of this kind.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), problems: Vec::new(), next: None }
    }

    /// It did not work.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// The same, with its cause.
    pub(crate) fn because(mut self, cause: impl std::error::Error) -> Self {
        self.message = format!("{}: {cause}", self.message);
        let mut source = cause.source();
        while let Some(error) = source {
            let text = error.to_string();
            // several crates repeat the source in their own text
            if !self.message.contains(&text) {
                self.message = format!("{}: {text}", self.message);
            }
            source = error.source();
        }
        self
    }

    /// The same, with each thing that is wrong with the input.
    pub(crate) fn with_problems(mut self, problems: Vec<Problem>) -> Self {
        self.problems = problems;
        self
    }

    /// The same, with what to do about it.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Whether trying again later may help.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.kind == Kind::Unreachable
    }

    /// What the process exits with.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error: {}", self.message)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        match &self.next {
            Some(next) => write!(f, "\nnext: {next}"),
            None => Ok(()),
        }
    }
}
