//! Who may ask.

use reqwest::{Method, StatusCode};

use crate::system::{Role, System, experiment};

const TOKEN: &str = "a-token-of-some-length";

#[tokio::test]
async fn with_a_token_nothing_but_the_health_is_open() {
    let system = System::with(Role::Leads, Some(TOKEN)).await;
    system.get("/v1/experiments").await;
    for path in ["/v1/experiments", "/v1/events/stream", "/metrics", "/openapi.json"] {
        for wrong in [None, Some("another-token-altogether")] {
            let request = system.request(Method::GET, path);
            let request = match wrong {
                // in place of the right one
                Some(wrong) => request.headers(
                    [("authorization".parse().unwrap(), format!("Bearer {wrong}").parse().unwrap())]
                        .into_iter()
                        .collect(),
                ),
                None => request
                    .headers([("authorization".parse().unwrap(), "".parse().unwrap())].into_iter().collect()),
            };
            let (status, body) = system.answer(request).await;
            assert_eq!(
                (status, &body["error"]["code"]),
                (StatusCode::UNAUTHORIZED, &"unauthorized".into()),
                "{path}"
            );
        }
    }
    let health = system.request(Method::GET, "/health").headers(Default::default());
    assert_eq!(system.answer(health).await.0, StatusCode::OK);
}

#[tokio::test]
async fn without_a_token_no_page_of_another_site_can_ask() {
    let system = System::start().await;
    let request =
        system.request(Method::POST, "/v1/experiments/x/cancel").header("origin", "https://example.org");
    assert_eq!(system.answer(request).await.0, StatusCode::FORBIDDEN);
    let request = system.request(Method::GET, "/v1/experiments").header("host", "rebound.example.org");
    assert_eq!(system.answer(request).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn one_that_stands_by_shows_and_decides_nothing() {
    let system = System::with(Role::StandsBy, None).await;
    let health = system.get("/health").await;
    assert_eq!((&health["status"], &health["standby"]), (&"ok".into(), &true.into()), "{health}");
    system.get("/v1/experiments").await;
    let (status, body) = system.post("/v1/experiments", &experiment("e", 1)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body["error"]["message"].as_str().unwrap().contains("stands by"), "{body}");
}
