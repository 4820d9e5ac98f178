//! From `tracing` to [`Record`]s: an event with the fields of the spans that it is in.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::ship::Records;
use super::{Origin, Record};

/// Records that wait for the broker; at 500 bytes each, half a megabyte.
const WAITING: usize = 1024;
/// How much of one text is kept, in characters.
const LONGEST: usize = 4096;

/// A layer that puts records into a bounded queue.
pub struct Collect {
    origin: Origin,
    queue: mpsc::Sender<Record>,
    lost: Arc<AtomicU64>,
}

/// A layer, and the other end of its queue.
pub(crate) fn collect(origin: Origin) -> (Collect, Records) {
    let (queue, waiting) = mpsc::channel(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let records = Records::new(origin.clone(), waiting, lost.clone());
    (Collect { origin, queue, lost }, records)
}

/// Whether a record is for the shared log: this project's own, and what libraries warn of. The AMQP client's own
/// would make more of themselves as they are sent.
pub fn wanted(of: &Metadata<'_>) -> bool {
    let serious = *of.level() <= tracing::Level::WARN && !of.target().starts_with("lapin");
    serious || of.target().starts_with("autoopt") || of.is_span()
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collect {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.0.extend(outer.0.clone());
            }
        }
        event.record(&mut fields);
        let message = match fields.0.remove("message") {
            Some(Value::String(text)) => text,
            other => other.map(|value| value.to_string()).unwrap_or_default(),
        };
        let about = event.metadata();
        let record = self.origin.record((*about.level()).into(), about.target(), message, fields.0);
        if self.queue.try_send(record).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The fields of a span or an event.
#[derive(Default)]
struct Fields(BTreeMap<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, short(value));
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        self.put(field, short(&text));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, short(&format!("{value:?}")));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::prelude::*;

    use super::*;
    use crate::log::Level;

    /// What `body` logs, and how many records did not fit.
    fn logged(body: impl FnOnce()) -> (Vec<Record>, u64) {
        let (layer, mut records) = collect(Origin::new("autoopt-worker-bench", "host", Some("home")));
        let filtered = layer.with_filter(tracing_subscriber::filter::filter_fn(wanted));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(filtered), body);
        records.taken()
    }

    #[test]
    fn a_record_has_the_fields_of_its_spans() {
        let (records, lost) = logged(|| {
            let outer = tracing::info_span!("step", cluster = "lab", trial.number = 3, epoch = %"e-1");
            outer.in_scope(|| {
                tracing::info_span!("inner", attempt = 2).in_scope(|| {
                    let error = std::io::Error::other("no");
                    tracing::warn!(error = &error as &dyn std::error::Error, "it took {} s", 4);
                });
            });
            tracing::debug!("alone");
        });
        assert_eq!(lost, 0);
        let [first, second] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((first.level, first.message.as_str()), (Level::Warn, "it took 4 s"));
        assert_eq!(
            serde_json::to_value(&first.fields).unwrap(),
            serde_json::json!({"cluster": "lab", "trial.number": 3, "epoch": "e-1", "attempt": 2, "error": "no"})
        );
        assert_eq!(first.outgoing().routing_key, "log.worker-bench.lab");
        assert_eq!((second.message.as_str(), second.fields.len()), ("alone", 1));
        assert_eq!(second.outgoing().routing_key, "log.worker-bench.home");
    }

    #[test]
    fn what_the_amqp_client_says_of_sending_is_not_sent_as_well() {
        let (records, _) = logged(|| {
            tracing::error!(target: "lapin::channel", "an attempt failed");
            tracing::info!(target: "sqlx::query", "slow");
            tracing::warn!(target: "sqlx::query", "very slow");
        });
        assert_eq!(records.iter().map(|r| r.message.as_str()).collect::<Vec<_>>(), ["very slow"]);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_a_long_text_is_cut() {
        let (records, lost) = logged(|| {
            tracing::info!("{}", "x".repeat(LONGEST + 9));
            for _ in 0..WAITING + 6 {
                tracing::info!("one of many");
            }
        });
        assert_eq!((records.len(), lost), (WAITING, 7));
        assert_eq!(records[0].message.len(), LONGEST);
    }
}
