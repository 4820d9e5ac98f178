//! A coordinator, an optimizer and workers that touch nothing, over a vhost of their own; and the real command line.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use autoopt_coordinator::api::{self, Api, ApiSettings};
use autoopt_coordinator::engine::{Engine, Handle};
use autoopt_coordinator::machine::Input;
use autoopt_coordinator::store::Store;
use autoopt_epoch::bus::amqp::{self, AmqpSettings};
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::{Stage, Trial};
use autoopt_epoch::space::Value;
use autoopt_epoch::worker::noop::Noop;
use autoopt_epoch::worker::{self, Backends, WorkerSettings};
use serde_json::Value as Json;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A vhost that is dropped with this value.
struct Vhost(String);

impl Vhost {
    fn new() -> Self {
        let name = format!("cli-{}", uuid::Uuid::now_v7());
        rabbitmqctl(&["add_vhost", &name]);
        rabbitmqctl(&["set_permissions", "-p", &name, "guest", ".*", ".*", ".*"]);
        Self(name)
    }

    fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:5672/{}", self.0)
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let _ = std::process::Command::new("rabbitmqctl").args(["-q", "delete_vhost", &self.0]).status();
    }
}

fn rabbitmqctl(arguments: &[&str]) {
    let output = std::process::Command::new("rabbitmqctl").arg("-q").args(arguments).output();
    let output = output.expect("rabbitmqctl starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The services of one test.
pub(crate) struct Services {
    pub(crate) home: tempfile::TempDir,
    vhost: Vhost,
    server: String,
    engine: Handle,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Services {
    /// Every stage takes `body`; with `token`, the API wants it.
    pub(crate) async fn start(body: Duration, token: Option<&str>) -> Self {
        let (home, vhost) = (tempfile::tempdir().expect("a folder"), Vhost::new());
        let connect =
            async |name: &str| amqp::connect(AmqpSettings::new(vhost.url(), name)).await.expect("a bus");
        let store = Store::open(&store_url(&home)).await.expect("a store");
        let bus = connect("coordinator").await;
        let stop = CancellationToken::new();
        let settings = ApiSettings { listen: ([127, 0, 0, 1], 0).into(), ..ApiSettings::default() };
        let listener = api::listen(&settings).await.expect("a free port");
        let server = format!("http://{}", listener.local_addr().expect("an address"));
        let api = Api::new(store.clone(), bus.clone(), token.map(str::to_owned), stop.clone());
        let (engine, handle) = Engine::new(store, bus).await.expect("an engine");
        api.lead(handle.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(api::serve(api, listener));
        tasks.spawn(engine.run(stop.clone()));
        tasks.spawn(autoopt_optimizer::serve(connect("optimizer").await, stop.clone()));
        for stage in Stage::ALL {
            let settings = WorkerSettings {
                name: "test".into(),
                group: "all".into(),
                clusters: vec!["*".into()],
                state_dir: home.path().join("state"),
                drain: Duration::from_secs(1),
            };
            let backends = Backends::from([("noop".into(), Arc::new(Noop::taking(body)) as _)]);
            let bus = connect(stage.as_str()).await;
            tasks.spawn(worker::run(stage, settings, backends, bus, stop.clone()));
        }
        Self { home, vhost, server, engine: handle, stop, tasks }
    }

    /// The address of the broker.
    pub(crate) fn bus_url(&self) -> String {
        self.vhost.url()
    }

    /// `autoopt` with these arguments, not started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_autoopt"));
        command.args(arguments);
        command
    }

    /// A program that finds these services, not started.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("AUTOOPT_SERVER", &self.server).env_remove("AUTOOPT_TOKEN_FILE");
        command.env_remove("AUTOOPT_CONFIG").env("AUTOOPT_BUS__URL", self.vhost.url());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs `autoopt` to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Printed {
        Printed::of(arguments, self.command(arguments).output().await.expect("it starts"))
    }

    /// The same with something on standard input.
    pub(crate) async fn run_with(&self, arguments: &[&str], input: &str) -> Printed {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).await.expect("it reads");
        drop(stdin);
        Printed::of(arguments, child.wait_with_output().await.expect("it ends"))
    }

    /// Trials by hand, all at once.
    pub(crate) async fn submit_trials(&self, experiment: &str, count: u64) {
        let wishes = (0..count).map(|i| {
            let x = Value::Float(1.0 + 8.0 * i as f64 / count as f64);
            let parameters = [("x".into(), x), ("mode".into(), Value::Text("a".into()))].into();
            let trial = Trial {
                experiment: experiment.into(),
                parameters,
                trial: None,
                ask: None,
                cluster: None,
                note: None,
                outlook: None,
                compromise: None,
            };
            self.engine.input(Input::Trial { message: MessageId::fresh(), trial })
        });
        futures::future::try_join_all(wishes).await.expect("each is accepted");
    }

    /// What `autoopt … --json` prints.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Json {
        let printed = self.run(&[arguments, &["--json"]].concat()).await.ended(0);
        serde_json::from_str(&printed.out).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {}", printed.out))
    }

    /// Waits until `condition` holds of what `autoopt … --json` prints.
    pub(crate) async fn until(&self, arguments: &[&str], condition: impl Fn(&Json) -> bool) -> Json {
        // far longer than it takes on a busy machine
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            let found = self.json(arguments).await;
            if condition(&found) {
                return found;
            }
            assert!(std::time::Instant::now() < deadline, "{arguments:?} never came true: {found}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An experiment file of this name; collect computes its objective by the formula over `x` (from 1 to 9, 4 unless
    /// tuned) and `mode` (`a` or `1`).
    pub(crate) fn experiment(&self, name: &str, trials: u32, formula: &str) -> String {
        let path = self.home.path().join(format!("{name}.toml"));
        let text = format!(
            r#"
            name = "{name}"
            clusters = ["here"]
            metrics = [{{ name = "value", parser = "key-value", field = "value" }}]
            budget = {{ trials = {trials} }}
            apply = {{ backend = "noop" }}
            load = {{ backend = "noop" }}
            bench = {{ backend = "noop" }}
            collect = {{ backend = "noop", settings = {{ objective = "{formula}" }} }}
            objective = {{ maximize = "value" }}
            parameters = [
                {{ name = "x", type = "float", low = 1.0, high = 9.0, default = 4.0 }},
                {{ name = "mode", type = "categorical", choices = ["a", "1"], default = "a" }},
            ]
            "#
        );
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    /// The services' configuration, as a file.
    pub(crate) fn config(&self, more: &str) -> String {
        let path = self.home.path().join("autoopt.toml");
        let state = self.home.path().join("state");
        let text = format!(
            "[bus]\nurl = \"{}\"\n[store]\nurl = \"{}\"\n[api]\nlisten = \"{}\"\n[worker]\nstate_dir = {state:?}\n{more}",
            self.vhost.url(),
            store_url(&self.home),
            self.server.trim_start_matches("http://"),
        );
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no panic").expect("no failure");
        }
    }
}

fn store_url(home: &tempfile::TempDir) -> String {
    format!("sqlite://{}?mode=rwc", home.path().join("store.sqlite").display())
}

/// What a run of `autoopt` printed.
pub(crate) struct Printed {
    what: String,
    code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Printed {
    pub(crate) fn of(arguments: &[&str], output: std::process::Output) -> Self {
        Self {
            what: arguments.join(" "),
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// It ended with this exit code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "autoopt {}\n{}\n{}", self.what, self.out, self.err);
        self
    }

    /// It printed each of these.
    #[track_caller]
    pub(crate) fn with(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.out.contains(text) || self.err.contains(text),
                "autoopt {}: no `{text}` in\n{}\n{}",
                self.what,
                self.out,
                self.err
            );
        }
        self
    }
}
