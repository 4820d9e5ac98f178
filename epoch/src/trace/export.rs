//! Sends ended spans to a collector, over OTLP (HTTP, JSON).

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use tokio::sync::mpsc::{Receiver, channel};

use super::{EXPORT, Role, Span, Told};
use crate::log::Origin;
use crate::time::Timestamp;

/// Spans wait this long for others to share their request with.
const GATHER: Duration = Duration::from_secs(1);
/// So many do not wait.
const FULL: usize = 512;
/// So many may wait for a collector that answers slowly: a few seconds of a busy coordinator, some megabytes.
const QUEUE: usize = 8192;
/// How long a request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("log.traces: `{url}` cannot be used ({reason}); write for example `http://127.0.0.1:4318/v1/traces`")]
pub struct BadCollector {
    url: String,
    reason: String,
}

/// From now on this process exports spans; a second call has no effect.
pub(crate) fn start(origin: &Origin, version: &'static str, url: &str) -> Result<(), BadCollector> {
    let bad = |reason: String| BadCollector { url: url.to_owned(), reason };
    let parsed = url::Url::parse(url).map_err(|e| bad(e.to_string()))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(bad("its scheme is neither http nor https".into()));
    }
    let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build().map_err(|e| bad(e.to_string()))?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client(client))
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(url)
        .build()
        .map_err(|e| bad(e.to_string()))?;
    let resource =
        Resource::builder_empty().with_service_name(format!("autoopt-{}", origin.service)).with_attributes([
            KeyValue::new("service.version", version),
            KeyValue::new("service.instance.id", origin.process.clone()),
        ]);
    exporter.set_resource(&resource.build());
    let (tell, told) = channel(QUEUE);
    if EXPORT.set(tell).is_ok() {
        tokio::spawn(send(exporter, told));
    }
    Ok(())
}

/// Sends spans in batches, for ever. What a collector does not take is lost: no service waits for it.
async fn send(exporter: SpanExporter, mut told: Receiver<Told>) {
    let scope = InstrumentationScope::builder("autoopt").build();
    let mut failing = false;
    while let Some(first) = told.recv().await {
        let (mut batch, mut flushed) = (Vec::new(), Vec::new());
        let mut take = |told: Told| match told {
            Told::Ended(span) => batch.push(data(*span, &scope)),
            Told::Flush(done) => flushed.push(done),
        };
        let more = matches!(first, Told::Ended(_));
        take(first);
        let mut count = 1;
        let until = tokio::time::Instant::now() + GATHER;
        while more && count < FULL {
            let Ok(Some(next)) = tokio::time::timeout_at(until, told.recv()).await else { break };
            let last = matches!(next, Told::Flush(_));
            take(next);
            count += 1;
            if last {
                break;
            }
        }
        if !batch.is_empty() {
            let spans = batch.len();
            let sent = exporter.export(batch).await;
            match (&sent, failing) {
                (Err(error), false) => {
                    tracing::warn!(%error, spans, "the collector takes no spans; they are lost")
                }
                (Ok(()), true) => tracing::info!("the collector takes spans again"),
                _ => {}
            }
            failing = sent.is_err();
        }
        for done in flushed {
            // who waited may have gone
            let _ = done.send(());
        }
    }
}

fn data(span: Span, scope: &InstrumentationScope) -> SpanData {
    let kind = match span.role {
        Role::Internal => SpanKind::Internal,
        Role::Producer => SpanKind::Producer,
        Role::Consumer => SpanKind::Consumer,
    };
    let flags = TraceFlags::SAMPLED;
    let trace = TraceId::from_bytes(span.context.trace.to_be_bytes());
    let id = |span: u64| SpanId::from_bytes(span.to_be_bytes());
    SpanData {
        span_context: SpanContext::new(trace, id(span.context.span), flags, false, TraceState::default()),
        parent_span_id: span.parent.map_or(SpanId::INVALID, |parent| id(parent.span)),
        parent_span_is_remote: span.role == Role::Consumer,
        span_kind: kind,
        name: span.name.into(),
        start_time: instant(span.began),
        // clocks of different hosts may have told of the two
        end_time: instant(span.ended.max(span.began)),
        attributes: span.attributes.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    }
}

fn instant(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0))
}

/// The workspace's own HTTP client.
#[derive(Debug)]
struct Client(reqwest::Client);

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.0.execute(request.try_into()?).await?;
        let status = answer.status();
        let mut response = Response::new(answer.bytes().await?);
        *response.status_mut() = status;
        Ok(response)
    }
}
