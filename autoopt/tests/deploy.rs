//! The broker's definitions, imported into the real one: the services work with what they are given, and with no more.

#![expect(clippy::unwrap_used, reason = "a helper of tests, which are allowed to")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use autoopt_epoch::bus::amqp::{self, AmqpSettings};
use autoopt_epoch::bus::topology::{COORDINATOR_CLAIM, Subscription, TRIAL_KEY, log_key, report_key};
use autoopt_epoch::bus::{Bus, Claimed, Outgoing};
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

/// The users that there are without a cluster, less `autoopt-`.
const USUAL: [&str; 4] = ["coordinator", "optimizer", "person", "operator"];

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
        let imported = Self { folder, mark, cluster };
        imported.import();
        imported
    }

    fn vhost(&self) -> String {
        format!("deploy-{}", self.mark)
    }

    /// Makes the definitions, and imports them.
    fn import(&self) {
        let (imported, into) = (self, self.folder.path().to_str().unwrap());
        let options = ["--cluster", &self.cluster, "--vhost", &self.vhost(), "--into", into];
        let made = autoopt(&[&["deploy", "definitions"][..], &options].concat());
        assert!(made.status.success(), "{made:?}");
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
    }

    /// What the broker has of it, under the usual names.
    fn exported(&self) -> std::path::PathBuf {
        let (file, text) =
            (self.folder.path().join("exported.json"), rabbitmqctl(&["export_definitions", "-"]));
        let usual = USUAL.iter().fold(text, |text, name| {
            text.replace(&format!("\"autoopt-{name}-{}\"", self.mark), &format!("\"autoopt-{name}\""))
        });
        std::fs::write(&file, usual).unwrap();
        file
    }

    /// Others on this broker may have users of the usual names.
    fn renamed(&self, text: &str) -> String {
        USUAL.iter().fold(text.to_owned(), |text, name| {
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

    /// The file of a user with a usual name, which gets the name that the broker knows it by.
    fn known(&self, user: &str) -> std::path::PathBuf {
        let file = self.file(user);
        let url = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, url.replace(&format!("//{user}:"), &format!("//{user}-{}:", self.mark)))
            .unwrap();
        file
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

/// With what it says that mends it.
fn compare(imported: &Imported) -> (bool, String, String) {
    let (file, vhost) = (imported.exported(), imported.vhost());
    let output = autoopt(&["deploy", "check", "--vhost", &vhost, "--exported", file.to_str().unwrap()]);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
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
    for name in USUAL {
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

#[tokio::test(flavor = "multi_thread")]
async fn definitions_of_an_older_version_are_told_from_todays_and_mended_by_the_command_that_is_told() {
    let imported = Imported::new();
    let (vhost, mark) = (imported.vhost(), imported.mark.clone());
    // each with the name that the broker knows it by
    let (coordinator, optimizer) = (format!("autoopt-coordinator-{mark}"), "autoopt.ask.lhs");
    let (ok, printed, told) = compare(&imported);
    assert!(ok && !printed.contains("wrong"), "{printed}{told}");
    // what a version had before a coordinator claimed its vhost, and before there was `lhs`; and what somebody changed by hand
    let today = "^(autoopt\\.coordinator|autoopt\\.coordinator\\.claim)$";
    let older = "^(autoopt\\.coordinator)$";
    let other = "^(autoopt|autoopt\\.dead|autoopt\\.coordinator)$";
    rabbitmqctl(&["set_permissions", "-p", &vhost, &coordinator, older, other, ".*"]);
    rabbitmqctl(&["delete_queue", "-p", &vhost, optimizer]);
    rabbitmqctl(&["clear_policy", "-p", &vhost, "autoopt-dead-letters"]);

    let (ok, printed, told) = compare(&imported);
    assert!(!ok, "{printed}");
    let wrong: Vec<&str> = printed.lines().filter(|line| line.starts_with("wrong")).collect();
    let expected = [
        ("rights of autoopt-coordinator", format!("its `configure` is `{older}`, not `{today}`; ")),
        ("policy autoopt-dead-letters", "it is missing".into()),
        ("queue autoopt.ask.lhs", "it is missing".into()),
        ("binding autoopt autoopt.ask.lhs ask.lhs", "it is missing".into()),
    ];
    assert_eq!(wrong.len(), expected.len(), "{printed}");
    for (line, (name, why)) in wrong.iter().zip(expected) {
        assert!(line.contains(name) && line.contains(&why), "{line}");
    }
    let command =
        format!("`autoopt deploy definitions --cluster {} --vhost {vhost} --broker URL", imported.cluster);
    assert!(told.contains(&command) && told.contains("rabbitmqctl import_definitions <"), "{told}");

    // and as the users find it
    imported.known("autoopt-coordinator");
    imported.known("autoopt-optimizer");
    for name in ["person", "operator"] {
        std::fs::remove_file(imported.file(&format!("autoopt-{name}"))).unwrap();
    }
    let (ok, printed) = check(&imported.credentials());
    let line = |user: &str| printed.lines().find(|line| line.contains(user)).unwrap();
    assert!(
        !ok && line("autoopt-coordinator").contains("may not declare `autoopt.coordinator.claim`"),
        "{printed}"
    );
    assert!(line("autoopt-optimizer").contains("the queue `autoopt.ask.lhs` is missing"), "{printed}");
    // a coordinator that is newer than the rights is told so, and is not kept from its work
    let bus = imported.connect("autoopt-coordinator").await;
    let claimed = bus.claim(COORDINATOR_CLAIM).await.unwrap();
    assert!(matches!(claimed, Claimed::Forbidden(_)), "{claimed:?}");
    let subscribed = bus.subscribe(Subscription::coordinator(1)).await;
    assert!(subscribed.is_ok(), "{:?}", subscribed.err());
    bus.close().await;

    // which the files of all users are kept for
    let again = |user: &str| {
        let file = imported.file(user);
        let url = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, url.replace(&format!("-{mark}:"), ":")).unwrap();
    };
    again("autoopt-coordinator");
    again("autoopt-optimizer");
    imported.import();
    let (ok, printed, told) = compare(&imported);
    assert!(ok, "{printed}{told}");
    imported.known("autoopt-coordinator");
    let bus = imported.connect("autoopt-coordinator").await;
    assert_eq!(bus.claim(COORDINATOR_CLAIM).await.unwrap(), Claimed::Ours);
    // trying the users takes no claim away, and none is needed for it
    imported.known("autoopt-optimizer");
    for name in ["person", "operator"] {
        std::fs::remove_file(imported.file(&format!("autoopt-{name}"))).unwrap();
    }
    let (ok, printed) = check(&imported.credentials());
    assert!(ok, "{printed}");
    bus.close().await;
    let (ok, printed) = check(&imported.credentials());
    assert!(ok, "{printed}");
}

#[test]
fn what_an_import_would_not_change_is_told_with_what_goes_before_it() {
    let imported = Imported::new();
    let vhost = imported.vhost();
    let file = imported.exported();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut definitions: serde_json::Value = serde_json::from_str(&text).unwrap();
    for queue in definitions["queues"].as_array_mut().unwrap() {
        if queue["name"] == "autoopt.coordinator" && queue["vhost"] == *vhost {
            queue["arguments"]["x-delivery-limit"] = 5.into();
        }
    }
    let binding = serde_json::json!({"source": "autoopt", "vhost": vhost, "destination": "autoopt.ask.gp",
        "destination_type": "queue", "routing_key": "ask.*", "arguments": {}});
    definitions["bindings"].as_array_mut().unwrap().push(binding);
    std::fs::write(&file, definitions.to_string()).unwrap();
    let output = autoopt(&["deploy", "check", "--vhost", &vhost, "--exported", file.to_str().unwrap()]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let wrong: Vec<&str> = printed.lines().filter(|line| line.starts_with("wrong")).collect();
    assert_eq!(wrong.len(), 2, "{printed}");
    assert!(
        wrong[0].contains("queue autoopt.coordinator ")
            && wrong[0].contains("its `x-delivery-limit` is `5`, not `20`; "),
        "{printed}"
    );
    assert!(
        wrong[0].contains(&format!("`rabbitmqctl delete_queue -p {vhost} autoopt.coordinator --if-empty`"))
    );
    assert!(
        wrong[1].contains("binding autoopt autoopt.ask.gp ask.*") && wrong[1].contains("should not be there")
    );
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
