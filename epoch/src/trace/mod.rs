//! Traces: one for each trial, from the question to the optimizer to the outcome, across all services.
//!
//! Nothing about a trace is stored. Its id is the trial's, and the ids of its spans follow from the ids of what they are
//! about, as all ids of this system do. So a span is made when what it tells of has ended; a message that is published after
//! a crash carries the same context; and the services agree about parents without asking each other. The context travels in
//! the header `traceparent` (W3C Trace Context) of trials, orders, reports and asks, whether or not anything is exported.
//!
//! Spans are exported over OTLP where `[log] traces` names a collector.

pub(crate) mod export;

use std::collections::BTreeMap;

use tokio::sync::mpsc::Sender;
use uuid::Uuid;

use crate::bus::Outgoing;
use crate::id::{AskId, EpochId, TrialId};
use crate::time::Timestamp;

/// The header that carries a context.
pub const HEADER: &str = "traceparent";

/// A place in a trace: the span that something belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    pub trace: u128,
    pub span: u64,
}

impl Context {
    fn derived(trace: TrialId, parent: Uuid, label: &str) -> Self {
        let id = Uuid::new_v5(&parent, format!("span/{label}").as_bytes());
        // an id of zeros is none, which a hash is once in 2^64
        Self { trace: trace.0.as_u128(), span: (id.as_u128() as u64).max(1) }
    }

    /// A trial, from its acceptance to its outcome; the root of its trace.
    pub fn trial(trial: TrialId) -> Self {
        Self::derived(trial, trial.0, "trial")
    }

    /// A question to the optimizer. It belongs to the trace of the trial that answers it, whose id the optimizer derives.
    pub fn ask(ask: AskId) -> Self {
        Self::derived(answer(ask), ask.0, "ask")
    }

    /// The optimizer at work on a question.
    pub fn suggestion(ask: AskId) -> Self {
        Self::derived(answer(ask), ask.0, "suggestion")
    }

    /// An epoch of a trial.
    pub fn epoch(trial: TrialId, epoch: EpochId) -> Self {
        Self::derived(trial, epoch.0, "epoch")
    }

    /// A handing-out of a step, as the coordinator sees it.
    pub fn attempt(trial: TrialId, epoch: EpochId, step: u32, attempt: u32) -> Self {
        Self::derived(trial, epoch.0, &format!("{step}/{attempt}"))
    }

    /// The same as the worker that does it sees it.
    pub fn work(trial: TrialId, epoch: EpochId, step: u32, attempt: u32) -> Self {
        Self::derived(trial, epoch.0, &format!("{step}/{attempt}/work"))
    }

    /// From a message's headers; `None` where there is no valid one.
    pub fn from_headers(headers: &BTreeMap<String, String>) -> Option<Self> {
        let mut parts = headers.get(HEADER)?.split('-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = version.len() == 2 && version != "ff" && trace.len() == 32 && span.len() == 16;
        let context =
            Self { trace: u128::from_str_radix(trace, 16).ok()?, span: u64::from_str_radix(span, 16).ok()? };
        (fits && context.trace != 0 && context.span != 0).then_some(context)
    }
}

/// The trial by which the optimizer answers a question.
pub fn answer(ask: AskId) -> TrialId {
    TrialId::derived(ask.0, "trial")
}

/// The id of a trial's trace, as logs have it.
pub fn trace_id(trial: TrialId) -> String {
    trial.0.simple().to_string()
}

/// A header's value.
impl std::fmt::Display for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

impl Outgoing {
    /// The same message, as part of a trace.
    pub fn traced(mut self, context: Context) -> Self {
        self.headers.insert(HEADER.to_owned(), context.to_string());
        self
    }
}

/// What a span is to those on the other end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Neither sends nor takes one.
    Internal,
    /// Sends one and waits for what comes of it.
    Producer,
    /// Takes one.
    Consumer,
}

/// Something that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub context: Context,
    pub parent: Option<Context>,
    pub name: String,
    pub role: Role,
    pub began: Timestamp,
    pub ended: Timestamp,
    /// Why it failed.
    pub error: Option<String>,
    pub attributes: Vec<(&'static str, String)>,
}

/// Where ended spans go.
static EXPORT: std::sync::OnceLock<Sender<Told>> = std::sync::OnceLock::new();

/// What the exporter is told.
enum Told {
    Ended(Box<Span>),
    /// Send what there is, and say when that is done.
    Flush(tokio::sync::oneshot::Sender<()>),
}

/// Whether anybody wants spans.
pub fn wanted() -> bool {
    EXPORT.get().is_some()
}

/// Gives a span to the exporter, if there is one. A span that finds its queue full, as behind a collector that answers
/// slowly, is lost: neither a service's work nor its memory may hang on who watches it.
pub fn record(span: Span) {
    if let Some(export) = EXPORT.get() {
        let _ = export.try_send(Told::Ended(Box::new(span)));
    }
}

/// Sends what there is; returns when that is done, or cannot be done in a few seconds.
pub(crate) async fn flush() {
    let Some(export) = EXPORT.get() else { return };
    let (done, told) = tokio::sync::oneshot::channel();
    let flushed = async {
        // it ends with the process
        if export.send(Told::Flush(done)).await.is_ok() {
            let _ = told.await;
        }
    };
    // without an answer there is nothing more to do
    let _ = tokio::time::timeout(std::time::Duration::from_secs(3), flushed).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Context> {
        Context::from_headers(&[(HEADER.to_owned(), text.to_owned())].into())
    }

    #[test]
    fn a_context_survives_its_header() {
        let (trial, epoch) = (TrialId::fresh(), EpochId::fresh());
        let contexts = [
            Context::trial(trial),
            Context::epoch(trial, epoch),
            Context::attempt(trial, epoch, 2, 1),
            Context::attempt(trial, epoch, 2, 2),
            Context::work(trial, epoch, 2, 1),
        ];
        for (n, context) in contexts.iter().enumerate() {
            assert_eq!(parsed(&context.to_string()).as_ref(), Some(context));
            assert_eq!(context.trace, trial.0.as_u128());
            assert_eq!(format!("{:032x}", context.trace), trace_id(trial));
            assert!(contexts[..n].iter().all(|other| other.span != context.span));
        }
        let ask = AskId::fresh();
        assert_eq!(Context::ask(ask).trace, Context::trial(answer(ask)).trace);
    }

    #[test]
    fn what_is_no_context_is_none() {
        let fine = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(parsed(fine).is_some());
        // a later version may have more parts
        assert!(parsed(&format!("{}-more", fine.replacen("00", "01", 1))).is_some());
        for wrong in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319x-b7ad6b7169203331-01",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
