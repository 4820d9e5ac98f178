//! What a program is given: arguments, environment, directory, standard input.

use std::path::Path;

use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::command::config::Program;
use crate::command::family::{Family, MARK};
use crate::command::run::Call;
use crate::command::template::{self, Values};
use crate::failure::{Failure, FailureKind};
use crate::message::Stage;

/// The variables of the worker that a program sees.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];

/// Whether the order has the values that the program's arguments name.
pub fn check(program: &Program, call: &Call<'_>) -> Result<(), Failure> {
    arguments(program, call).map(drop)
}

/// What tells a running program from another: the program, its arguments and its configured environment.
pub fn identity(program: &Program, call: &Call<'_>) -> Result<String, Failure> {
    let parts = (&program.program, arguments(program, call)?, &program.env);
    let text = format!("{parts:?}");
    Ok(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).to_string())
}

/// The program, ready to be started in a process group of its own.
pub fn prepare(program: &Program, call: &Call<'_>) -> Result<Command, Failure> {
    let mut command = Command::new(&program.program);
    command.args(arguments(program, call)?).process_group(0).env_clear();
    command.envs(INHERITED.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(&program.env);
    command.env(MARK, mark(call));
    command.envs(call.parameters.iter().map(|(name, value)| (variable(name), value.to_string())));
    if let Some(directory) = &program.workdir {
        command.current_dir(directory);
    }
    Ok(command)
}

fn mark(call: &Call<'_>) -> String {
    let order = call.order;
    format!("{}/{}/{}/{}", order.epoch, order.step, order.attempt, call.action)
}

/// What the program, just started, consists of.
pub fn family(call: &Call<'_>, child: &Child) -> Result<Family, Failure> {
    // what apply starts in a session of its own, such as a server with new settings, is what it was asked for
    Family::of(child.id(), mark(call), call.order.stage != Stage::Apply)
}

fn arguments(program: &Program, call: &Call<'_>) -> Result<Vec<String>, Failure> {
    let values = Values { order: call.order, parameters: call.parameters, state_dir: call.state_dir };
    let expanded: Result<_, _> = program.args.iter().map(|arg| template::expand(arg, &values)).collect();
    expanded.map_err(|error| {
        let name = program.program.display();
        Failure::new(FailureKind::Broken, format!("{} (`{name}`): {error}", call.action))
    })
}

/// `AUTOOPT_PARAMETER_<NAME>`
fn variable(name: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("AUTOOPT_PARAMETER_{}", name.chars().map(upper).collect::<String>())
}

/// What stands on standard input.
pub(super) fn input(call: &Call<'_>) -> Vec<u8> {
    let mut line = serde_json::json!({
        "action": call.action,
        "experiment": call.order.experiment,
        "epoch": call.order.epoch,
        "cluster": call.order.cluster,
        "parameters": call.parameters,
        "outputs": call.order.outputs,
    })
    .to_string();
    line.push('\n');
    line.into_bytes()
}

/// Why a program could not be started; what to do about it.
pub fn not_started(program: &Program, call: &Call<'_>, error: &std::io::Error) -> Failure {
    use std::io::ErrorKind::{ExecutableFileBusy, NotFound, OutOfMemory, WouldBlock};

    let path = program.program.display();
    let kind = match error.kind() {
        ExecutableFileBusy | OutOfMemory | WouldBlock => FailureKind::Transient,
        _ => FailureKind::Broken,
    };
    let hint = match (error.kind(), &program.workdir) {
        (NotFound, Some(directory)) if !Path::new(directory).is_dir() => {
            format!(": its working directory {} does not exist", directory.display())
        }
        (NotFound, _) if program.program.is_file() => {
            ": the interpreter that its first line names is not there".into()
        }
        (NotFound, _) if program.program.is_relative() => ": it is not in PATH".into(),
        _ => String::new(),
    };
    Failure::new(kind, format!("{}: cannot start `{path}`: {error}{hint}", call.action))
}
