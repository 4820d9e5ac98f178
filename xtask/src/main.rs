//! `cargo xtask …`: what CI runs, as a whole and part by part.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

mod dashboard;
mod deadline;
mod hosts;
mod lab;
mod task;

use task::{TASKS, Task, Verdict};

#[expect(clippy::print_stderr, reason = "a program's own messages")]
fn main() -> ExitCode {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let ran = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ci"] => all(),
        [name] if let Some(task) = TASKS.iter().find(|t| t.name == name) => run(task),
        _ => {
            eprintln!("usage: cargo xtask TASK\n\n  ci        all of these, one after the other");
            for task in TASKS {
                eprintln!("  {:<9} {}", task.name, task.about);
            }
            return ExitCode::from(2);
        }
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// All tasks, but the late ones for which there is no time left.
#[expect(clippy::print_stderr, reason = "a program's own messages")]
fn all() -> Result<()> {
    for task in TASKS {
        match deadline::against(&task.when)? {
            Some(why) => eprintln!("xtask: {}: left out, {why}", task.name),
            None => run(task)?,
        }
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a program's own messages")]
fn run(task: &Task) -> Result<()> {
    eprintln!("xtask: {}: {}", task.name, task.about);
    let begun = Instant::now();
    let verdict = (task.run)();
    let took = begun.elapsed().as_secs();
    match verdict {
        Ok(Verdict::Passed) => eprintln!("xtask: {}: ok, {took} s", task.name),
        Ok(Verdict::Skipped(why)) => eprintln!("xtask: {}: skipped, {why}", task.name),
        Err(error) => bail!("{0}: {error:#}; repeat it with `cargo xtask {0}`", task.name),
    }
    Ok(())
}
