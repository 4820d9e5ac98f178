//! `autoopt knobs`, `preflight` and `simulate record` on a simulated cloud, which they take for a real one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use autoopt_simulator::{Config, Simulator};

struct Rig {
    simulator: Simulator,
    files: tempfile::TempDir,
}

impl Rig {
    async fn new() -> Self {
        let files = tempfile::tempdir().expect("a folder");
        let mut config = Config::default();
        config.scheduler.config_dir = Some(files.path().to_owned());
        let simulator = Simulator::start(config).await.expect("a cloud");
        let path = |name: &str| files.path().join(name).display().to_string();
        std::fs::write(path("clouds.yaml"), simulator.clouds_yaml("sim")).expect("a file");
        std::fs::write(
            path("nova.conf"),
            "[metrics]\nrequired = false\n[filter_scheduler]\ncpu_weight_multiplier = 0.5\n",
        )
        .expect("a file");
        let commands = format!(
            "[openstack]\nfiles = {:?}\n[openstack.cluster.lab]\ncloud = \"sim\"\nclouds_file = {:?}\naggregate = \"machineLearning\"\n\
             simulator = {:?}\n[[openstack.cluster.lab.scheduler]]\nsnippet = {:?}\nconfig = [{:?}]\nrestart = {{ program = \"true\" }}\n",
            root(),
            path("clouds.yaml"),
            simulator.url(),
            path("90.conf"),
            path("nova.conf")
        );
        std::fs::write(path("commands.toml"), commands).expect("a file");
        Self { simulator, files }
    }

    /// Runs `autoopt` beside the cloud. Standard output, and whether it went well.
    async fn autoopt(&self, arguments: &[&str]) -> (String, bool) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoopt"));
        command
            .args(arguments)
            .arg("--config")
            .arg(self.files.path().join("commands.toml"))
            .current_dir(root());
        let ran = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        let Output { status, stdout, stderr } = ran.expect("it starts");
        let text = String::from_utf8(stdout).expect("text");
        (text + &String::from_utf8_lossy(&stderr), status.success())
    }

    fn set(&self, key: &str, value: &str) {
        self.simulator.with(|cloud| {
            let id = *cloud.aggregates.keys().next().expect("an aggregate");
            cloud.set_metadata(id, &[(key.to_owned(), Some(value.to_owned()))].into()).expect("it is set");
        });
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The words of the first line that begins with `start`, its columns one space apart.
fn line(text: &str, start: &str) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines()
        .map(words)
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no `{start}` in {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn knobs_are_shown_with_what_is_in_force_and_who_says_so() {
    let rig = Rig::new().await;
    rig.set("disk_weight_multiplier", "-2");
    let (text, good) = rig.autoopt(&["knobs", "lab"]).await;
    assert!(good, "{text}");
    assert!(
        line(&text, "disk_weight_multiplier").starts_with("disk_weight_multiplier -2 aggregate 1 13 yes")
    );
    assert!(line(&text, "cpu_weight_multiplier").starts_with("cpu_weight_multiplier 0.5 configuration 1"));
    assert!(line(&text, "metrics.cpu.percent").starts_with("metrics.cpu.percent 0 default 0 - restart"));
    let (text, good) = rig.autoopt(&["knobs", "lba"]).await;
    assert!(!good && text.contains("no [openstack.cluster.lba]"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn preflight_tells_what_is_in_order_and_what_blocks() {
    let rig = Rig::new().await;
    let example = ["preflight", "examples/nova-weights.toml"];
    let (text, good) = rig.autoopt(&example).await;
    assert!(good, "{text}");
    for check in [
        "apply",
        "login",
        "role",
        "capture",
        "release",
        "schedulers",
        "snippet",
        "metrics",
        "quota",
        "leftovers",
        "hosts",
    ] {
        line(&text, &format!("ok lab {check} "));
    }
    assert!(line(&text, "warning lab weighers").contains("build_failure_weight_multiplier"));

    rig.set("autoopt_owner", "old 7");
    rig.simulator.with(|cloud| cloud.config.quota.cores = 8);
    std::fs::write(
        rig.files.path().join("nova.conf"),
        "[filter_scheduler]\nweight_classes = nova.scheduler.weights.ram.RAMWeigher\n",
    )
    .expect("a file");
    let (text, good) = rig.autoopt(&example).await;
    assert!(!good, "{text}");
    assert!(line(&text, "blocking lab capture").contains("`old 7`"));
    assert!(line(&text, "blocking lab quota").contains("80 vCPUs are needed"));
    assert!(line(&text, "blocking lab weighers").contains("without a weigher that is tuned"));
    assert!(line(&text, "warning lab metrics").contains("compute_monitors"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_cloud_can_be_simulated() {
    let rig = Rig::new().await;
    let (text, good) = rig.autoopt(&["simulate", "record", "lab"]).await;
    assert!(good, "{text}");
    let recorded = Config::from_toml(&text).expect("a cloud");
    let told = |config: &Config| {
        config.hosts.iter().map(|h| (h.name.clone(), h.vcpus, h.memory_mb, h.disk_gb)).collect::<Vec<_>>()
    };
    assert_eq!(told(&recorded), told(&Config::default()));
    assert_eq!(recorded.flavors.len(), Config::default().flavors.len());
    assert!(recorded.scheduler.conf.contains("cpu_weight_multiplier = 0.5"), "{text}");
    rig.set("autoopt_owner", "now 8");
    let (text, good) = rig.autoopt(&["simulate", "record", "lab"]).await;
    assert!(!good && text.contains("once that has ended"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn load_and_application_are_created_and_deleted_by_hand() {
    let rig = Rig::new().await;
    for (what, servers) in [("load", 4), ("app", 6)] {
        let (text, good) = rig.autoopt(&[what, "create", "examples/nova-weights.toml"]).await;
        assert!(good && text.contains("server cpu\n"), "{text}");
        let (text, _) = rig.autoopt(&[what, "status", "examples/nova-weights.toml"]).await;
        assert_eq!(text.matches(" ACTIVE ").count(), servers, "{text}");
    }
    assert_eq!(rig.simulator.with(|cloud| cloud.servers.len()), 10);
    for what in ["load", "app"] {
        let (text, good) = rig.autoopt(&[what, "delete", "examples/nova-weights.toml"]).await;
        assert!(good && text.ends_with("no servers\n"), "{text}");
    }
    assert_eq!(rig.simulator.with(|cloud| (cloud.servers.len(), cloud.ports.len())), (0, 0));
}
