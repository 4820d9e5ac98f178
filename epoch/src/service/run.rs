//! From the start of a service to its exit code.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::config::{ConfigError, ConnectError};
use super::telemetry::{self, BadFilter, LogSettings};
use super::{signals, systemd};
use crate::bus::Bus;
use crate::log::Origin;
use crate::log::ship::Records;
use crate::trace;

/// How long a service may take to finish what is under way, unless its configuration says otherwise.
pub const GRACE: Duration = Duration::from_secs(30);

/// Why a service could not go on; its exit code follows from it (`sysexits.h` where there is a number).
#[derive(Debug, thiserror::Error)]
pub enum Exit {
    /// 1: the work failed.
    #[error("{0:#}")]
    Failed(anyhow::Error),
    /// 64: arguments or configuration are wrong; starting it again does not help.
    #[error("{0}")]
    Usage(String),
    /// 69: the broker was away for too long; starting it again may help.
    #[error("the broker has been away for too long")]
    BrokerLost,
    /// 70: a defect of this program.
    #[error("panic: {0}")]
    Panic(String),
    /// 75: the grace period ended before the work did; what was under way will be delivered again.
    #[error("not everything could be finished within {} s", .0.as_secs())]
    Unfinished(Duration),
}

impl Exit {
    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 64,
            Self::BrokerLost => 69,
            Self::Panic(_) => 70,
            Self::Unfinished(_) => 75,
        }
    }
}

impl From<anyhow::Error> for Exit {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}
impl From<ConfigError> for Exit {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}
impl From<BadFilter> for Exit {
    fn from(error: BadFilter) -> Self {
        Self::Usage(error.to_string())
    }
}
impl From<trace::export::BadCollector> for Exit {
    fn from(error: trace::export::BadCollector) -> Self {
        Self::Usage(error.to_string())
    }
}
impl From<ConnectError> for Exit {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Config(error) => error.into(),
            ConnectError::Bus(error) => Self::Failed(error.into()),
        }
    }
}

/// Runs `body` on a runtime of two threads and says on standard error what went wrong.
pub fn main(body: impl Future<Output = Result<(), Exit>>) -> ExitCode {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match built {
        Ok(runtime) => {
            let result = runtime.block_on(body);
            // neither a task that hangs may keep the process, nor may the AMQP client, should it be reconnecting,
            // panic because its runtime is gone: the process ends with its threads
            std::mem::forget(runtime);
            result
        }
        Err(error) => Err(Exit::Failed(error.into())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            use std::io::Write;
            // standard error may be closed; the exit code says it too
            let _ = writeln!(std::io::stderr(), "error: {exit}");
            exit.code().into()
        }
    }
}

/// Starts logging and says who is there; a worker names the cluster that it serves, if it is one. What it returns is for
/// [`run`].
pub fn start(
    name: &str,
    version: &'static str,
    cluster: Option<&str>,
    log: &LogSettings,
) -> Result<Option<Records>, Exit> {
    let origin = Origin::new(name, &telemetry::host(), cluster);
    let records = telemetry::init(&origin, log)?;
    tracing::info!("{name} {version} starts");
    if let Some(collector) = &log.traces {
        trace::export::start(&origin, version, collector)?;
    }
    Ok(records)
}

/// Runs `work` until it ends, a signal asks it to, or the bus is lost; then closes the bus. Meanwhile `records` are shared.
///
/// `work` gets a token that fires when it has to finish what is under way; it has `grace` for that.
pub async fn run<W, F>(bus: &Bus, records: Option<Records>, grace: Duration, work: W) -> Result<(), Exit>
where
    W: FnOnce(CancellationToken) -> F,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let stop = signals::stop_token().map_err(|error| Exit::Failed(error.into()))?;
    let ended = CancellationToken::new();
    let shared = records.map(|records| tokio::spawn(records.ship(bus.clone(), ended.clone())));
    let result = supervise(bus, grace, stop.clone(), work(stop)).await;
    systemd::stopping();
    ended.cancel();
    if let Some(shared) = shared {
        // it is over within seconds, whatever the broker does
        let _ = shared.await;
    }
    trace::flush().await;
    bus.close().await;
    result
}

async fn supervise(
    bus: &Bus,
    grace: Duration,
    stop: CancellationToken,
    work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> Result<(), Exit> {
    // a task of its own, so that its panic is an exit code like any other
    let mut work = tokio::spawn(work);
    systemd::ready();
    let overdue = async {
        stop.cancelled().await;
        systemd::stopping();
        tokio::time::sleep(grace).await;
    };
    let exit = tokio::select! {
        ended = &mut work => return finished(ended),
        () = bus.lost() => Exit::BrokerLost,
        () = systemd::watch(bus) => Exit::BrokerLost,
        () = overdue => Exit::Unfinished(grace),
    };
    tracing::error!("{exit}");
    stop.cancel();
    work.abort();
    Err(exit)
}

fn finished(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> Result<(), Exit> {
    match ended {
        Ok(result) => result.map_err(Exit::Failed),
        Err(error) => Err(Exit::Panic(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::memory::MemoryBus;

    async fn outcome(
        stop: CancellationToken,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> Option<u8> {
        supervise(&MemoryBus::new().bus(), Duration::from_millis(50), stop, work)
            .await
            .err()
            .map(|e| e.code())
    }

    #[tokio::test]
    async fn each_end_has_its_exit_code() {
        let stop = CancellationToken::new;
        assert_eq!(outcome(stop(), async { Ok(()) }).await, None);
        assert_eq!(outcome(stop(), async { anyhow::bail!("no") }).await, Some(1));
        assert_eq!(outcome(stop(), async { panic!("defect") }).await, Some(70));
        let asked = stop();
        asked.cancel();
        assert_eq!(outcome(asked.clone(), std::future::pending()).await, Some(75));
        assert_eq!(
            outcome(asked.clone(), async move {
                asked.cancelled().await;
                Ok(())
            })
            .await,
            None
        );
    }
}
