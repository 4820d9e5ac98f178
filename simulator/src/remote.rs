//! A running simulator in another process.

use anyhow::{Context, bail};

/// Restarts nova-scheduler of the simulator at `url`, and returns what it runs with; nova's reason if it does not start.
pub async fn restart_scheduler(url: &str) -> anyhow::Result<String> {
    let url = format!("{}/control/scheduler/restart", url.trim_end_matches('/'));
    let answer =
        reqwest::Client::new().post(&url).send().await.with_context(|| format!("cannot reach {url}"))?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("{url} answered {status}: {text}");
    }
    Ok(text)
}
