//! `cargo xtask …`: what CI runs, as a whole and part by part.

use std::process::ExitCode;

mod dashboard;
mod hosts;
mod lab;
mod task;

use task::{TASKS, Verdict};

#[expect(clippy::print_stderr, reason = "a program's own messages")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let wanted = match (arguments.next().as_deref(), arguments.next()) {
        (Some("ci"), None) => TASKS.iter().collect::<Vec<_>>(),
        (Some(name), None) if TASKS.iter().any(|t| t.name == name) => {
            TASKS.iter().filter(|t| t.name == name).collect()
        }
        _ => {
            eprintln!("usage: cargo xtask TASK\n\n  ci        all of these, one after the other");
            for task in TASKS {
                eprintln!("  {:<9} {}", task.name, task.about);
            }
            return ExitCode::from(2);
        }
    };
    for task in wanted {
        eprintln!("xtask: {}: {}", task.name, task.about);
        match (task.run)() {
            Ok(Verdict::Passed) => eprintln!("xtask: {}: ok", task.name),
            Ok(Verdict::Skipped(why)) => eprintln!("xtask: {}: skipped, {why}", task.name),
            Err(error) => {
                eprintln!("xtask: {}: {error:#}; repeat it with `cargo xtask {}`", task.name, task.name);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
