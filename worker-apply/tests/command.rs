//! The apply stage, with a shell script that keeps two values in a file.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::sync::Arc;

use autoopt_epoch::command::Commands;
use autoopt_epoch::failure::{Failure, FailureKind};
use autoopt_epoch::message::{Done, Epoch};
use autoopt_epoch::space::{Parameters, Value};
use autoopt_epoch::worker::{Backend, Context};
use autoopt_worker_apply::backends;
use serde_json::json;

const SCRIPT: &str = r#"
case $1 in
    capture) cat values ;;
    apply)
        # a target that takes no more than 64, and one value that it chokes on
        size=$AUTOOPT_PARAMETER_SIZE
        [ "$size" -le 64 ] || size=64
        printf 'size=%s\nmode=%s\n' "$size" "$AUTOOPT_PARAMETER_MODE" >values
        echo "$2" >>calls
        [ "$AUTOOPT_PARAMETER_MODE" != bad ] || { echo "cannot be bad" >&2; exit 3; } ;;
esac
"#;
const COMMANDS: &str = r#"
[apply.command.target]
capture = { program = "sh", args = ["script", "capture"] }
apply = { program = "sh", args = ["script", "apply", "apply"], exit_codes = { 3 = "infeasible" } }
verify = { program = "sh", args = ["script", "capture"] }
restore = { program = "sh", args = ["script", "apply", "restore"] }
"#;

struct Target {
    directory: tempfile::TempDir,
    backend: Arc<dyn Backend>,
}

impl Target {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("script", SCRIPT);
        write("values", "size=8\nmode=it's $(old)\n");
        write("calls", "");
        write("commands.toml", COMMANDS);
        let commands = Commands::load(&directory.path().join("commands.toml")).unwrap();
        let backend = backends(&commands)["command"].clone();
        Self { directory, backend }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap()
    }

    async fn perform(&self, order: &Epoch) -> Result<Done, Failure> {
        let context = Context::alone(Path::new("/nowhere"));
        self.backend.check(order)?;
        self.backend.perform(order, &context).await
    }
}

fn order(action: &str, size: i64, mode: &str) -> Epoch {
    let id = "00000000-0000-5000-8000-000000000000";
    serde_json::from_value(json!({
        "experiment": "e", "experiment_id": id, "trial": id, "number": 1, "kind": "proposed", "epoch": id,
        "cluster": "c", "step": 0, "stage": "apply", "action": action, "attempt": 1,
        "issued": "2026-01-01T00:00:00Z", "lease": "30s", "timeout": "60s",
        "backend": {"backend": "command", "settings": {"name": "target"}},
        "parameters": {"size": size, "mode": mode},
    }))
    .unwrap()
}

fn captured() -> Parameters {
    Parameters::from([("size".into(), Value::Int(8)), ("mode".into(), Value::Text("it's $(old)".into()))])
}

#[tokio::test]
async fn values_are_captured_put_in_force_and_put_back() {
    let target = Target::new();
    let found = target.perform(&order("capture", 1, "m")).await.unwrap().captured.unwrap();
    assert_eq!(found, captured());
    target.perform(&order("run", 32, "a b")).await.unwrap();
    assert_eq!(target.read("values"), "size=32\nmode=a b\n");
    let mut undo = order("undo", 32, "a b");
    target.perform(&undo).await.unwrap();
    assert_eq!(target.read("values"), "size=32\nmode=a b\n", "nothing was captured, so nothing is restored");
    undo.restore = Some(found);
    target.perform(&undo).await.unwrap();
    assert_eq!(target.read("values"), "size=8\nmode=it's $(old)\n");
}

#[tokio::test]
async fn values_that_are_not_in_force_as_asked_are_infeasible_and_what_was_is_restored() {
    let target = Target::new();
    let mut run = order("run", 128, "new");
    run.restore = Some(captured());
    let failure = target.perform(&run).await.expect_err("128 is clamped");
    assert_eq!(failure.kind, FailureKind::Infeasible);
    assert!(failure.reason.contains("`size` was asked to be `128`, but `64`"), "{}", failure.reason);
    assert_eq!(target.read("values"), "size=8\nmode=it's $(old)\n");
}

#[tokio::test]
async fn a_failed_apply_is_followed_by_one_restore() {
    let target = Target::new();
    let mut run = order("run", 16, "bad");
    let failure = target.perform(&run).await.expect_err("bad");
    assert_eq!(failure.kind, FailureKind::Infeasible);
    assert!(failure.reason.contains("cannot be bad"), "{}", failure.reason);
    assert_eq!(target.read("calls"), "apply\n", "without captured values there is nothing to restore");
    run.restore = Some(captured());
    target.perform(&run).await.expect_err("bad");
    assert_eq!(target.read("calls"), "apply\napply\nrestore\n");
    assert_eq!(target.read("values"), "size=8\nmode=it's $(old)\n");
}

#[tokio::test]
async fn an_unknown_command_is_refused_before_anything_is_touched() {
    let target = Target::new();
    let mut run = order("run", 16, "m");
    run.backend.settings["name"] = json!("targte");
    let failure = target.perform(&run).await.expect_err("misspelt");
    assert_eq!(failure.kind, FailureKind::Broken);
    assert!(failure.reason.contains("it has target; did you mean `target`?"), "{}", failure.reason);
    assert_eq!(target.read("calls"), "");
}
