//! The listener.

use anyhow::Context;
use tokio::net::TcpListener;

use super::{Api, ApiSettings};

/// Takes the address.
pub async fn listen(settings: &ApiSettings) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("api.listen: cannot listen on {}", settings.listen))?;
    tracing::info!("the API listens on http://{}", listener.local_addr()?);
    Ok(listener)
}

/// Answers until the coordinator stops; requests that are under way then still get their answer.
pub async fn serve(api: Api, listener: TcpListener) -> anyhow::Result<()> {
    let stopping = api.stopping.clone();
    axum::serve(listener, api.router()).with_graceful_shutdown(stopping.cancelled_owned()).await?;
    Ok(())
}
