//! The six services as real processes, with configuration files and state of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use autoopt_epoch::message::Stage;
use serde_json::Value as Json;

use crate::broker::free_port;

/// Services are ready within a second or two on a quiet machine.
const READY_DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
/// A second in /proc/PID/stat: USER_HZ, which programs see as 100 whatever the kernel was built with.
const TICKS: f64 = 100.0;

/// Gives a process another clock; where Debian's package faketime has it.
fn faketime() -> String {
    format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH)
}

/// One of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Coordinator,
    Optimizer,
    Worker(Stage),
}

impl Service {
    /// All six.
    pub const ALL: [Self; 6] = [
        Self::Coordinator,
        Self::Optimizer,
        Self::Worker(Stage::Apply),
        Self::Worker(Stage::Load),
        Self::Worker(Stage::Bench),
        Self::Worker(Stage::Collect),
    ];

    fn binary(self) -> String {
        match self {
            Self::Coordinator => "autoopt-coordinator".into(),
            Self::Optimizer => "autoopt-optimizer".into(),
            Self::Worker(stage) => format!("autoopt-worker-{stage}"),
        }
    }

    const fn config(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator.toml",
            Self::Optimizer => "optimizer.toml",
            Self::Worker(_) => "worker.toml",
        }
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.binary())
    }
}

/// The services of one test; killed on drop.
pub struct Sandbox {
    home: PathBuf,
    api: String,
    http: reqwest::Client,
    environment: BTreeMap<String, String>,
    /// By how much a service's clock is wrong, as libfaketime writes it.
    clocks: BTreeMap<Service, &'static str>,
    running: BTreeMap<Service, Child>,
}

/// The folder of the workspace's binaries, beside the running test's own.
pub fn binaries() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own
        .ancestors()
        .skip(1)
        .find(|f| f.join("autoopt-coordinator").exists())
        .context("the services are not built; run `cargo build --workspace` first")?;
    Ok(folder.to_owned())
}

impl Sandbox {
    /// Writes the configuration under `home`; nothing runs yet.
    pub fn new(home: &Path, bus_url: &str, store_url: &str) -> Result<Self> {
        std::fs::create_dir_all(home)?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let bus = format!("[bus]\nurl = \"{bus_url}\"\n");
        std::fs::write(
            home.join("coordinator.toml"),
            format!("[api]\nlisten = \"{listen}\"\n[store]\nurl = \"{store_url}\"\n{bus}"),
        )?;
        std::fs::write(home.join("optimizer.toml"), &bus)?;
        std::fs::write(
            home.join("worker.toml"),
            format!(
                "[worker]\ngroup = \"all\"\nclusters = [\"*\"]\nstate_dir = \"{}\"\n{bus}",
                home.join("state").display()
            ),
        )?;
        Ok(Self {
            home: home.to_owned(),
            api: format!("http://{listen}"),
            http: reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?,
            environment: BTreeMap::new(),
            clocks: BTreeMap::new(),
            running: BTreeMap::new(),
        })
    }

    /// The file with the configuration of the workers, to which a test may add commands.
    pub fn worker_config(&self) -> PathBuf {
        self.home.join("worker.toml")
    }

    /// The address of the HTTP API.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Sets a variable for services started from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.insert(name.into(), value.into());
    }

    /// Gives a service that is started from now on a clock that is wrong by `offset` (`+10m`).
    pub fn set_clock(&mut self, service: Service, offset: &'static str) -> Result<()> {
        let library = faketime();
        ensure!(
            Path::new(&library).exists(),
            "there is no {library}; `apt-get install faketime` brings it (`deploy/setup test` does)"
        );
        self.clocks.insert(service, offset);
        Ok(())
    }

    /// Starts one service; its output goes to a log file beside its configuration.
    pub fn start(&mut self, service: Service) -> Result<()> {
        let log = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.home.join(format!("{service}.log")))?;
        let mut command = Command::new(binaries()?.join(service.binary()));
        command.arg("--config").arg(self.home.join(service.config())).envs(&self.environment);
        if let Some(offset) = self.clocks.get(&service) {
            // only the time of day: waits go on as they are
            command
                .env("LD_PRELOAD", faketime())
                .env("FAKETIME", offset)
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("{service} does not start"))?;
        self.running.insert(service, child);
        Ok(())
    }

    /// Starts all six and waits until the API answers.
    pub async fn start_all(&mut self) -> Result<()> {
        for service in Service::ALL {
            self.start(service)?;
        }
        self.until("the API answers", READY_DEADLINE, async |api| Ok(api.get("/health").await.is_ok())).await
    }

    /// SIGKILL, and wait for the process to be gone.
    pub fn kill(&mut self, service: Service) -> Result<()> {
        let mut child = self.running.remove(&service).with_context(|| format!("{service} is not running"))?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGTERM; how the process ended.
    pub async fn terminate(&mut self, service: Service) -> Result<std::process::ExitStatus> {
        let mut child = self.running.remove(&service).with_context(|| format!("{service} is not running"))?;
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        let deadline = Instant::now() + READY_DEADLINE;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "{service} does not end on SIGTERM");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Starts again whatever has ended by itself, as systemd does; returns what that was.
    pub fn supervise(&mut self) -> Result<Vec<Service>> {
        let mut ended = Vec::new();
        for (service, child) in &mut self.running {
            if child.try_wait()?.is_some() {
                ended.push(*service);
            }
        }
        for service in &ended {
            self.start(*service)?;
        }
        Ok(ended)
    }

    /// Memory resident of one service, in MiB.
    pub fn resident_mib(&self, service: Service) -> Result<f64> {
        let child = self.running.get(&service).with_context(|| format!("{service} is not running"))?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// Processor time that one service has used so far, in seconds.
    pub fn cpu_seconds(&self, service: Service) -> Result<f64> {
        let child = self.running.get(&service).with_context(|| format!("{service} is not running"))?;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
        // after the name in brackets: state is field 3, user and system time are fields 14 and 15 (proc(5))
        let (_, fields) = stat.rsplit_once(')').context("no name")?;
        let ticks =
            fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(ticks as f64 / TICKS)
    }

    /// How many events of a kind are in the log.
    pub async fn count_events(&self, kind: &str) -> Result<usize> {
        let (mut count, mut after) = (0, 0);
        loop {
            let page = self.get(&format!("/v1/events?after={after}&limit=1000")).await?;
            let events = page["events"].as_array().context("no events")?;
            let Some(last) = events.last() else { return Ok(count) };
            count += events.iter().filter(|e| e["kind"] == kind).count();
            after = last["seq"].as_i64().context("an event without a place")?;
        }
    }

    /// GET, as JSON.
    pub async fn get(&self, path: &str) -> Result<Json> {
        Ok(self.http.get(format!("{}{path}", self.api)).send().await?.error_for_status()?.json().await?)
    }

    /// POST of JSON; the status and the answer, whatever they are.
    pub async fn post(&self, path: &str, body: &Json) -> Result<(u16, Json)> {
        let response = self.http.post(format!("{}{path}", self.api)).json(body).send().await?;
        Ok((response.status().as_u16(), response.json().await.unwrap_or(Json::Null)))
    }

    /// Submits an experiment that has to be accepted.
    pub async fn submit(&self, spec: &Json) -> Result<()> {
        let (status, answer) = self.post("/v1/experiments", spec).await?;
        ensure!(status == 201, "the experiment was refused with {status}: {answer}");
        Ok(())
    }

    /// Waits until `condition` holds; the error says what did not come true.
    pub async fn until(
        &self,
        what: &str,
        within: Duration,
        condition: impl AsyncFn(&Self) -> Result<bool>,
    ) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            if condition(self).await.unwrap_or(false) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("not within {within:?}: {what}; logs are in {}", self.home.display());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// All trials of an experiment, in the order of their numbers.
    pub async fn trials(&self, experiment: &str) -> Result<Vec<Json>> {
        let mut trials: Vec<Json> = Vec::new();
        loop {
            let after = match trials.last() {
                Some(last) => format!("&after={}", last["id"].as_str().unwrap_or_default()),
                None => String::new(),
            };
            let page = self.get(&format!("/v1/experiments/{experiment}/trials?limit=500{after}")).await?;
            let more = page["trials"].as_array().cloned().unwrap_or_default();
            if more.is_empty() {
                return Ok(trials);
            }
            trials.extend(more);
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
