//! How a command fails: what was wrong, what to do next, and the exit code.

use std::process::ExitCode;

use autoopt_epoch::experiment::{Diagnostic, Diagnostics};
use autoopt_epoch::problem::Problem;
use console::style;

use crate::show::{lines, plain};

/// The kinds of failure a script can tell apart. `docs/cli.md` lists them; the numbers from 64 to 78 are those of
/// `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It did not work.
    Failed = 1,
    /// The command line is not right, as clap has it.
    Usage = 2,
    /// An experiment ended without a result that can be used.
    NoResult = 3,
    /// A file, or what was submitted, is not right.
    Input = 65,
    /// There is no such experiment, trial or cluster.
    Missing = 66,
    /// No service answers there.
    Unreachable = 69,
    /// The service wants a token, or another one.
    Unauthorised = 77,
    /// A person ended it (128 and the number of SIGINT).
    Interrupted = 130,
}

impl Kind {
    /// The name for programs.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NoResult => "no_result",
            Self::Input => "invalid",
            Self::Missing => "not_found",
            Self::Unreachable => "unreachable",
            Self::Unauthorised => "unauthorized",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A command's failure.
#[derive(Debug)]
pub(crate) struct Fault {
    kind: Kind,
    message: String,
    problems: Vec<Problem>,
    /// Problems with their places.
    file: Option<Box<Diagnostics>>,
    next: Option<String>,
}

impl Fault {
    /// A failure of this kind.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), problems: Vec::new(), file: None, next: None }
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

    /// Everything that is wrong with a file, each mistake at its line.
    pub(crate) fn in_file(diagnostics: Diagnostics) -> Self {
        let mut fault = Self::new(Kind::Input, format!("`{}` is not right", diagnostics.file));
        fault.file = Some(Box::new(diagnostics));
        fault
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

    /// What was wrong, without what to do.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// For programs: the form in which the HTTP API shows its errors, and what to do next.
    pub(crate) fn json(&self) -> serde_json::Value {
        let mut error = serde_json::json!({"code": self.kind.as_str(), "message": self.message});
        let mut problems: Vec<_> = self.problems.iter().map(|problem| serde_json::json!(problem)).collect();
        problems.extend(self.file.iter().flat_map(|file| &file.all).map(placed));
        if !problems.is_empty() {
            error["problems"] = problems.into();
        }
        if let Some(next) = &self.next {
            error["next"] = next.as_str().into();
        }
        serde_json::json!({ "error": error })
    }

    /// What the process exits with.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

/// A problem with its line and column, as programs read it.
fn placed(diagnostic: &Diagnostic) -> serde_json::Value {
    let mut problem = serde_json::json!(diagnostic.problem);
    if let Some(place) = &diagnostic.place {
        problem["line"] = place.line.into();
        problem["column"] = place.column.into();
    }
    problem
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message = self.file.as_ref().map_or_else(|| self.message.clone(), ToString::to_string);
        write!(f, "{} {}", style("error:").for_stderr().red().bold(), lines(&message))?;
        for problem in &self.problems {
            write!(f, "\n  {}", plain(&problem.to_string()))?;
        }
        match &self.next {
            Some(next) => write!(f, "\n{} {}", style("next:").for_stderr().bold(), lines(next)),
            None => Ok(()),
        }
    }
}
