//! The broker's definitions, imported into the real one: the services work with what they are given, and with no more.

#![expect(clippy::unwrap_used, reason = "a helper of tests, which are allowed to")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use autoopt_epoch::bus::amqp::{self, AmqpSettings};
use autoopt_epoch::bus::topology::{Subscription, TRIAL_KEY, log_key, report_key};
use autoopt_epoch::bus::{Bus, Outgoing};
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::Stage;
use autoopt_epoch::worker::noop::Noop;
use autoopt_epoch::worker::{self, Backends, WorkerSettings};
use tokio_util::sync::CancellationToken;

fn rabbitmqctl(arguments: &[&str]) -> String {
    let output = Command::new("rabbitmqctl").arg("-q").args(arguments).output().expect("rabbitmqctl starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A vhost with the users of the definitions; both are dropped with it. The users are of the whole broker: their names
/// contain the cluster's, which is a fresh one, and the others are renamed.
struct Imported {
    folder: tempfile::TempDir,
    mark: String,
    cluster: String,
}

impl Imported {
    fn new() -> Self {
        let mark = uuid::Uuid::now_v7().simple().to_string();
        let (folder, cluster) = (tempfile::tempdir().unwrap(), format!("c-{mark}"));
        let made = autoopt(&[
            "deploy",
            "definitions",
            "--cluster",
            &cluster,
            "--vhost",
            &format!("deploy-{mark}"),
            "--into",
            folder.path().to_str().unwrap(),
        ]);
        assert!(made.status.success(), "{made:?}");
        let imported = Self { folder, mark, cluster };
        let file = imported.folder.path().join("definitions.json");
        let text = std::fs::read_to_string(&file).unwrap();
        for entry in std::fs::read_dir(imported.credentials()).unwrap() {
            let path = entry.unwrap().path();
            let password = std::fs::read_to_string(&path).unwrap();
            let password = password.rsplit_once('@').unwrap().0.rsplit_once(':').unwrap().1.to_owned();
            assert!(!text.contains(&password), "a password in the clear");
        }
        std::fs::write(&file, imported.renamed(&text)).unwrap();
        let import = Command::new("rabbitmqctl")
            .args(["-q", "import_definitions"])
            .stdin(std::fs::File::open(&file).unwrap())
            .output()
            .unwrap();
        assert!(import.status.success(), "{import:?}");
        imported
    }

    /// Others on this broker may have users of the usual names.
    fn renamed(&self, text: &str) -> String {
        ["coordinator", "optimizer", "person", "operator"].iter().fold(text.to_owned(), |text, name| {
            text.replace(&format!("\"autoopt-{name}\""), &format!("\"autoopt-{name}-{}\"", self.mark))
        })
    }

    fn credentials(&self) -> std::path::PathBuf {
        self.folder.path().join("credentials")
    }

    fn file(&self, user: &str) -> std::path::PathBuf {
        self.credentials().join(format!("{user}.bus-url"))
    }

    fn worker(&self, stage: Stage) -> String {
        format!("autoopt-worker-{stage}@{}", self.cluster)
    }

    async fn connect(&self, user: &str) -> Bus {
        let url = std::fs::read_to_string(self.file(user)).unwrap();
        amqp::connect(AmqpSettings::new(url.trim(), user)).await.unwrap()
    }

    fn users(&self) -> Vec<String> {
        let all = rabbitmqctl(&["list_users"]);
        all.lines().filter(|l| l.contains(&self.mark)).map(|l| l.split('\t').next().unwrap().into()).collect()
    }
}

impl Drop for Imported {
    fn drop(&mut self) {
        let run = |arguments: &[&str]| {
            let _ = Command::new("rabbitmqctl").arg("-q").args(arguments).output();
        };
        run(&["delete_vhost", &format!("deploy-{}", self.mark)]);
        for user in self.users() {
            run(&["delete_user", &user]);
        }
    }
}

fn autoopt(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_autoopt")).args(arguments).env_remove("AUTOOPT_CONFIG").output().unwrap()
}

fn check(credentials: &Path) -> (bool, String) {
    let output = autoopt(&["deploy", "check", "--credentials", credentials.to_str().unwrap()]);
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn noise(key: &str) -> Outgoing {
    Outgoing {
        routing_key: key.into(),
        id: MessageId::fresh(),
        kind: "autoopt.test.v1".into(),
        body: b"{}".to_vec(),
        mandatory: true,
        headers: Default::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_has_the_rights_its_service_needs_and_no_others() {
    let imported = Imported::new();
    // a worker starts and takes its queue, with its own rights only
    let stop = CancellationToken::new();
    let settings = WorkerSettings {
        name: "test".into(),
        group: imported.cluster.clone(),
        clusters: vec![imported.cluster.clone()],
        state_dir: imported.folder.path().join("state"),
        drain: Duration::from_secs(1),
    };
    let backends = Backends::from([("noop".into(), Arc::new(Noop::from_env()) as _)]);
    let bus = imported.connect(&imported.worker(Stage::Bench)).await;
    let running = tokio::spawn(worker::run(Stage::Bench, settings, backends, bus, stop.clone()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!running.is_finished(), "{:?}", running.await);
    stop.cancel();
    running.await.unwrap().unwrap();
    // what another stage's worker reports arrives at the coordinator's queue; a trial of it does not
    let bus = imported.connect(&imported.worker(Stage::Load)).await;
    let own = report_key(&imported.cluster, Stage::Load);
    bus.publish(noise(&own)).await.unwrap().await.unwrap();
    // what it may not add to the log is no harm to what it may publish
    let key = |cluster: &str| log_key(&format!("worker-{}", Stage::Load), Some(cluster));
    bus.log(&mut vec![noise(&key(&imported.cluster))]).await.unwrap();
    let mut refused = vec![noise(&key("elsewhere"))];
    assert!(bus.log(&mut refused).await.is_err(), "a worker logged for another cluster");
    assert_eq!(refused.len(), 1);
    bus.log(&mut vec![noise(&key(&imported.cluster))]).await.unwrap();
    bus.publish(noise(&own)).await.unwrap().await.unwrap();
    bus.close().await;
    let url = std::fs::read_to_string(imported.file(&imported.worker(Stage::Load))).unwrap();
    let settings =
        AmqpSettings { confirm_timeout: Duration::from_secs(3), ..AmqpSettings::new(url.trim(), "t") };
    let bus = amqp::connect(settings).await.unwrap();
    let refused = match bus.publish(noise(TRIAL_KEY)).await {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    assert!(refused.is_err(), "a worker published a trial");
    let foreign = Subscription::worker(Stage::Load, "elsewhere", &["elsewhere".into()], 1);
    assert!(bus.subscribe(foreign).await.is_err(), "a worker hears another cluster");
    bus.close().await;
    let waiting =
        rabbitmqctl(&["list_queues", "-p", &format!("deploy-{}", imported.mark), "name", "messages"]);
    assert!(waiting.contains("autoopt.coordinator\t2"), "{waiting}");

    // `deploy check` says the same of the workers
    for name in ["coordinator", "optimizer", "person", "operator"] {
        std::fs::remove_file(imported.file(&format!("autoopt-{name}"))).unwrap();
    }
    let (ok, printed) = check(&imported.credentials());
    assert!(ok && printed.matches("no others").count() == 4, "{printed}");
    // and tells it when somebody was generous
    let generous = imported.worker(Stage::Apply);
    let vhost = format!("deploy-{}", imported.mark);
    rabbitmqctl(&["set_topic_permissions", "-p", &vhost, &generous, "autoopt", "^(trial|report.*)$", ".*"]);
    let (ok, printed) = check(&imported.credentials());
    assert!(!ok, "{printed}");
    assert!(printed.contains("may publish with `trial`") && printed.contains("may hear `#`"), "{printed}");
    assert_eq!(printed.matches("no others").count(), 3, "{printed}");
}

#[test]
fn saying_it_again_keeps_the_passwords_and_adds_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().to_str().unwrap();
    let run = |more: &[&str]| {
        let arguments = [&["deploy", "definitions", "--into", into, "--cluster", "one"], more].concat();
        assert!(autoopt(&arguments).status.success());
    };
    let read = |user: &str| {
        std::fs::read_to_string(folder.path().join(format!("credentials/{user}.bus-url"))).unwrap()
    };
    run(&[]);
    let before = read("autoopt-worker-load@one");
    assert!(before.starts_with("amqp://autoopt-worker-load%40one:"), "{before}");
    run(&["--cluster", "two", "--broker", "amqps://broker.example:5671"]);
    let after = read("autoopt-worker-load@one");
    assert_eq!(after.replace("amqps://", "amqp://").replace("broker.example:5671", "127.0.0.1:5672"), before);
    assert_ne!(read("autoopt-worker-load@two"), after);
    let mode = std::fs::metadata(folder.path().join("definitions.json")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
}
