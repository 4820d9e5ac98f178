//! Traces: what a trial went through, as a collector sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use autoopt_tests::sandbox::Service;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;

use crate::{SOON, experiment, services_with};

/// What arrived: the service, and a span of it.
type Spans = Arc<Mutex<Vec<(String, Value)>>>;

/// A collector on this machine; its address.
async fn collector(spans: Spans) -> String {
    let take = async |State(spans): State<Spans>, axum::Json(body): axum::Json<Value>| {
        let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for resource in items(&body["resourceSpans"]) {
            let attributes = items(&resource["resource"]["attributes"]);
            let service = attributes.iter().find(|a| a["key"] == "service.name").expect("a service");
            let service = service["value"]["stringValue"].as_str().expect("a name").to_owned();
            for scope in items(&resource["scopeSpans"]) {
                let all = items(&scope["spans"]).into_iter().map(|span| (service.clone(), span));
                spans.lock().expect("no panic").extend(all);
            }
        }
        (StatusCode::OK, axum::Json(serde_json::json!({})))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let router = axum::Router::new().route("/v1/traces", post(take)).with_state(spans);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/v1/traces")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_has_what_a_trial_went_through_in_all_services() {
    let home = tempfile::tempdir().expect("a folder");
    let spans = Spans::default();
    let url = collector(spans.clone()).await;
    let (mut services, _vhost) =
        services_with(home.path(), &[("AUTOOPT_LOG__TRACES", &url), ("AUTOOPT_LOG__FORMAT", "json")]).await;
    experiment(&services, "traced", 6).await;
    // what a killed one had not sent yet is lost, and nothing else
    services.kill(Service::Coordinator).expect("it is killed");
    services.start(Service::Coordinator).expect("it starts");
    let leads = services.until("the coordinator leads again", SOON, async |services| {
        Ok(services.get("/health").await.is_ok_and(|health| health["standby"] == false))
    });
    leads.await.expect("it leads");
    experiment(&services, "again", 2).await;
    let list = services.get("/v1/experiments/traced/trials").await.expect("its trials");
    let third = list["trials"].as_array().expect("trials").iter().find(|trial| trial["number"] == 3);
    let trace = id(third.expect("it is there"));
    let seen = || -> Vec<(String, Value)> {
        let all = spans.lock().expect("no panic");
        all.iter().filter(|(_, span)| span["traceId"] == trace).cloned().collect()
    };
    let whole = services.until("the whole trace has arrived", SOON, async |_| {
        let services: BTreeSet<String> = seen().into_iter().map(|(service, _)| service).collect();
        Ok(services.len() == 6 && seen().iter().any(|(_, span)| span["name"] == "proposed trial"))
    });
    whole.await.expect("the trace");
    // longer than spans wait for each other
    tokio::time::sleep(Duration::from_secs(2)).await;
    let seen = seen();

    let by_id: BTreeMap<&str, &(String, Value)> =
        seen.iter().map(|span| (span.1["spanId"].as_str().expect("an id"), span)).collect();
    assert_eq!(by_id.len(), seen.len(), "no span is told twice: {seen:#?}");
    let parent = |span: &Value| by_id.get(span["parentSpanId"].as_str().unwrap_or_default()).copied();
    let roots: Vec<&Value> =
        seen.iter().map(|(_, span)| span).filter(|span| parent(span).is_none()).collect();
    assert_eq!(roots.len(), 1, "one root: {roots:#?}");
    assert_eq!(roots[0]["name"], "proposed trial");
    // each stage: the worker's span within the coordinator's, within the epoch's, within the trial's
    for stage in ["apply", "load", "bench", "collect"] {
        let name = format!("{stage} run");
        let (service, work) = seen.iter().find(|(_, span)| span["name"] == *name).expect("the worker's span");
        assert_eq!(*service, format!("autoopt-worker-{stage}"));
        let chain: Vec<(&str, &str)> = std::iter::successors(parent(work), |(_, span)| parent(span))
            .map(|(service, span)| (service.as_str(), span["name"].as_str().expect("a name")))
            .collect();
        let handed = format!("hand out {stage} run");
        let expected =
            [handed.as_str(), "epoch on here", "proposed trial"].map(|n| ("autoopt-coordinator", n));
        assert_eq!(chain, expected, "{stage}");
        let nanos =
            |span: &Value, key: &str| span[key].as_str().expect("text").parse::<u128>().expect("a number");
        let (_, around) = parent(work).expect("the coordinator's span");
        assert!(nanos(work, "startTimeUnixNano") >= nanos(around, "startTimeUnixNano"), "{work} {around}");
        assert!(nanos(work, "endTimeUnixNano") <= nanos(around, "endTimeUnixNano"), "{work} {around}");
    }
    let suggestion =
        seen.iter().find(|(service, _)| service == "autoopt-optimizer").expect("the optimizer's");
    assert_eq!(parent(&suggestion.1).map(|(_, span)| &span["name"]), Some(&"ask".into()));

    // the same id stands in the logs of both sides
    for service in ["autoopt-coordinator", "autoopt-worker-bench", "autoopt-optimizer"] {
        let log = std::fs::read_to_string(home.path().join(format!("{service}.log"))).expect("a log");
        assert!(log.contains(&format!("\"trace_id\":\"{trace}\"")), "{service} logs no trace_id:\n{log}");
    }
    // every trial of the second experiment has its root; of the first one those that were not yet sent when it was killed are lost
    let list = services.get("/v1/experiments/again/trials").await.expect("its trials");
    let ids: Vec<String> = list["trials"].as_array().expect("trials").iter().map(id).collect();
    assert_eq!(ids.len(), 4, "a baseline, two trials and a closing: {list}");
    let told = services.until("each trial is told of", SOON, async |_| {
        let all = spans.lock().expect("no panic");
        let root = |trace: &String| {
            let mut of = all.iter().filter(|(_, span)| span["traceId"] == trace.as_str());
            of.any(|(_, span)| span["name"].as_str().is_some_and(|name| name.ends_with(" trial")))
        };
        Ok(ids.iter().all(root))
    });
    told.await.expect("all traces");
}

/// A trial's id, as that of its trace.
fn id(trial: &Value) -> String {
    trial["id"].as_str().expect("an id").replace('-', "")
}
