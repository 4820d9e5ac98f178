//! A nova-scheduler on another host: its snippet is written, and it is restarted, over SSH.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use autoopt_simulator::{Config, Simulator};

/// What OpenSSH does with its words, without a network between: those after the host are one line for the remote shell.
const SSH: &str = r#"#!/bin/sh
batch=no
while :; do
    case $1 in
        -oBatchMode=yes) batch=yes ;;
        -*) ;;
        *) break ;;
    esac
    shift
done
[ $batch = yes ] || { echo "it would ask for a password" >&2; exit 255; }
[ "$1 $2" = "root@controller1 --" ] || { echo "no host $1" >&2; exit 255; }
shift 2
echo "$*" >> "$0.log"
exec sh -c "$*"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_on_another_host_is_tuned_over_ssh() {
    let files = tempfile::tempdir().expect("a folder");
    let path = |name: &str| files.path().join(name);
    std::fs::write(path("ssh"), SSH).expect("a file");
    std::fs::set_permissions(path("ssh"), std::fs::Permissions::from_mode(0o755)).expect("it may be run");
    // a name that a shell would take apart
    let remote = path("nova scheduler's.conf.d");
    std::fs::create_dir(&remote).expect("a folder");
    let mut config = Config::default();
    config.scheduler.config_dir = Some(remote.clone());
    let simulator = Simulator::start(config).await.expect("a cloud");
    std::fs::write(path("clouds.yaml"), simulator.clouds_yaml("sim")).expect("a file");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let commands = format!(
        "[openstack]\nfiles = {root:?}\n[openstack.cluster.lab]\ncloud = \"sim\"\nclouds_file = {:?}\naggregate = \"machineLearning\"\n\
         simulator = {url:?}\n[[openstack.cluster.lab.scheduler]]\nssh = \"root@controller1\"\nsnippet = {:?}\n\
         restart = {{ program = \"curl\", args = [\"-sSfX\", \"POST\", \"{url}/control/scheduler/restart\"] }}\n",
        path("clouds.yaml"),
        remote.join("90-autoopt.conf"),
        url = simulator.url(),
    );
    std::fs::write(path("commands.toml"), commands).expect("a file");

    let mut command = Command::new(env!("CARGO_BIN_EXE_autoopt"));
    let directories = format!("{}:{}", files.path().display(), std::env::var("PATH").expect("PATH"));
    command
        .args(["run", "examples/nova-weights.toml", "--trials", "2", "--commands"])
        .arg(path("commands.toml"));
    command.arg("--state").arg(path("state")).env("PATH", directories).current_dir(&root);
    let ran =
        tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
    let text = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && text.contains("2 trials (2 measured)"), "{text}");

    let lines = std::fs::read_to_string(path("ssh.log")).expect("it was called");
    let restarts = lines.lines().filter(|line| line.contains("/control/scheduler/restart")).count();
    assert!(restarts >= 3, "each of two trials, and the end: {lines}");
    assert_eq!(std::fs::read_dir(&remote).expect("the folder").count(), 0, "the snippet is left");
}
