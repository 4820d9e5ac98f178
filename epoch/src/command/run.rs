//! Runs one program to its end, or ends it.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use crate::command::capture::{Captured, Drain};
use crate::command::config::Program;
use crate::command::family::{Family, GRACE, KillOnDrop};
use crate::command::prepare::{family, input, not_started, prepare};
use crate::failure::{Failure, FailureKind};
use crate::message::{Epoch, Stage};
use crate::space::Parameters;

/// How long output is still read after the program itself has ended.
const AFTER_EXIT: Duration = Duration::from_secs(1);
/// How much of standard error a reason quotes.
const QUOTED: usize = 600;

/// What a program is told.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub order: &'a Epoch,
    /// The order's, or the captured ones.
    pub parameters: &'a Parameters,
    pub state_dir: &'a Path,
    /// The key of the program in its entry: `capture`, `apply`, `run`, ….
    pub action: &'a str,
}

/// Is told of each program that was started, before anything else is done with it, so that somebody can end it should
/// this process be killed. If it fails the program is ended.
#[derive(Clone, Default)]
pub struct OnStart(Option<Arc<Tell>>);

type Tell = dyn Fn(&Family) -> Result<(), Failure> + Send + Sync;

impl OnStart {
    pub fn new(tell: impl Fn(&Family) -> Result<(), Failure> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }
}

impl std::fmt::Debug for OnStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnStart")
    }
}

/// A program that ended with exit code 0.
#[derive(Clone, Debug)]
pub struct Output {
    pub stdout: Captured,
    pub stderr: Captured,
    pub exit: i32,
    pub duration: Duration,
}

enum End {
    Exited(ExitStatus),
    TimedOut(Duration),
    Cancelled,
}

/// Runs `program` in a process group of its own, until it ends, its time is over or `cancelled` fires.
///
/// Nothing passes through a shell. Output is read to its end however much it is, within the program's `max_output`. A
/// descendant that keeps the output open is killed a second after the program ended; any other descendant is ended with
/// it, but in the apply stage, where what goes on running is the effect that was asked for.
pub async fn run(
    program: &Program,
    call: &Call<'_>,
    cancelled: &CancellationToken,
    on_start: &OnStart,
) -> Result<Output, Failure> {
    let mut command = prepare(program, call)?;
    let input = input(call);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let began = Instant::now();
    let mut child = command.spawn().map_err(|error| not_started(program, call, &error))?;
    let family = family(call, &child)?;
    let mut guard = KillOnDrop(Some(family.clone()));
    if let OnStart(Some(tell)) = on_start {
        tell(&family)?;
    }
    let feeding = child.stdin.take().map(|mut stdin| {
        // a program that does not read its input closes it; that is its own affair
        tokio::spawn(async move { drop(stdin.write_all(&input).await) })
    });
    let mut stdout = child.stdout.take().map(|stream| Drain::of(stream, program.max_output));
    let mut stderr = child.stderr.take().map(|stream| Drain::of(stream, program.max_output));

    let limit = program.timeout.map_or(call.order.timeout.0, |own| own.0.min(call.order.timeout.0));
    let end = tokio::select! {
        status = child.wait() => End::Exited(status.map_err(|error| {
            let name = program.program.display();
            Failure::new(FailureKind::Transient, format!("{} (`{name}`) cannot be waited for: {error}", call.action))
        })?),
        () = tokio::time::sleep(limit) => End::TimedOut(limit),
        () = cancelled.cancelled() => End::Cancelled,
    };
    let duration = began.elapsed();
    if !matches!(end, End::Exited(_)) {
        let _ = tokio::join!(family.end(), child.wait());
    }
    let all_read = async {
        for drain in [&mut stdout, &mut stderr].into_iter().flatten() {
            drain.end().await;
        }
    };
    if tokio::time::timeout(AFTER_EXIT, all_read).await.is_err() {
        family.kill();
    }
    if call.order.stage != Stage::Apply {
        family.end().await;
    }
    guard.0 = None;
    feeding.inspect(tokio::task::JoinHandle::abort);
    let take = |drain: Option<Drain>| drain.map(Drain::take).unwrap_or_default();
    let output = Output { stdout: take(stdout), stderr: take(stderr), exit: 0, duration };
    judge(program, call, &end, output)
}

fn judge(program: &Program, call: &Call<'_>, end: &End, output: Output) -> Result<Output, Failure> {
    use std::os::unix::process::ExitStatusExt;

    let name = format!("{} (`{}`)", call.action, program.program.display());
    let (kind, what) = match end {
        End::Cancelled => (FailureKind::Abandoned, "was cancelled".to_owned()),
        End::TimedOut(limit) => {
            let grace = GRACE.as_secs();
            let what =
                format!("did not end within {limit:?} and was ended (SIGTERM, SIGKILL after {grace} s)");
            (FailureKind::Transient, what)
        }
        End::Exited(status) => match (status.code(), status.signal()) {
            (Some(0), _) => match &program.success {
                Some(pattern) if !pattern.is_match(&output.stdout.bytes) => {
                    let what = format!("exited with 0, but its output has no match for `{pattern}`");
                    (FailureKind::Invalid, what)
                }
                _ => return Ok(output),
            },
            (Some(code), _) => {
                let kind = program.exit_codes.get(&code).copied().unwrap_or(FailureKind::Transient);
                (kind, format!("exited with {code}"))
            }
            (None, signal) => (FailureKind::Transient, format!("was killed by {}", signal_name(signal))),
        },
    };
    let tail = output.stderr.tail(QUOTED);
    let said = if tail.is_empty() { String::new() } else { format!("; standard error ends with: {tail}") };
    let mut failure = Failure::new(kind, format!("{name} {what}{said}"));
    for (name, captured) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if captured.total > 0 {
            failure = failure.with_artifact(captured.artifact(name));
        }
    }
    Err(failure)
}

fn signal_name(signal: Option<i32>) -> String {
    let named = signal.and_then(|number| nix::sys::signal::Signal::try_from(number).ok());
    match (named, signal) {
        (Some(signal), _) => signal.as_str().to_owned(),
        (None, Some(number)) => format!("signal {number}"),
        (None, None) => "something unknown".into(),
    }
}
