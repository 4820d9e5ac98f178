//! This host: the state directory, files with secrets, the programs that commands name.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use autoopt_epoch::command::{Commands, Program};
use nix::unistd::{AccessFlags, access};

use super::{Finding, Part};

pub(super) fn state(folder: Option<&Path>) -> Finding {
    let part = Part::State;
    let Some(folder) = folder else {
        return Finding::skipped(
            part,
            "worker.state_dir is not known; name the configuration with --config FILE",
        );
    };
    let shown = folder.display();
    let Ok(found) = std::fs::metadata(folder) else {
        // what is there of the way to it
        let above = folder.ancestors().find(|above| above.is_dir()).unwrap_or_else(|| Path::new("."));
        return match writable(above) {
            Ok(()) => Finding::ok(part, format!("{shown} is not there yet; the workers make it")),
            Err(reason) => Finding::wrong(
                part,
                format!("{shown} cannot be made: {}: {reason}", above.display()),
                "make it for the user the workers run as, or name another worker.state_dir",
            ),
        };
    };
    if !found.is_dir() {
        return Finding::wrong(part, format!("{shown} is no folder"), "name another worker.state_dir");
    }
    if let Err(reason) = writable(folder) {
        return Finding::wrong(
            part,
            format!("{shown}: {reason}"),
            format!("`chown` it to the user the workers run as: {shown}"),
        );
    }
    // the journal there names process groups that a worker kills
    if found.permissions().mode() & 0o022 != 0 {
        return Finding::wrong(
            part,
            format!("{shown}: others may write there"),
            format!("chmod go-w {shown}"),
        );
    }
    Finding::ok(part, format!("{shown} can be written, and not by others"))
}

pub(super) fn secret(file: &Path) -> Finding {
    let (part, shown) = (Part::Secrets, file.display());
    match std::fs::metadata(file) {
        Err(error) => Finding::wrong(part, format!("{shown}: {error}"), "make it, or mend the configuration"),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            Finding::wrong(part, format!("{shown}: others may read it"), format!("chmod 600 {shown}"))
        }
        Ok(_) if access(file, AccessFlags::R_OK).is_err() => {
            Finding::wrong(part, format!("{shown}: this user may not read it"), format!("`chown` {shown}"))
        }
        Ok(_) => Finding::ok(part, format!("{shown} can be read, and not by others")),
    }
}

pub(super) fn commands(config: Option<&Path>) -> Vec<Finding> {
    let part = Part::Commands;
    let Some(file) = config else {
        return vec![Finding::skipped(part, "no file with commands is known; name it with --config FILE")];
    };
    let mut commands = match Commands::load(file) {
        Ok(commands) => commands,
        Err(error) => return vec![Finding::wrong(part, error.to_string(), "mend the file")],
    };
    let programs = commands.programs();
    if programs.is_empty() {
        return vec![Finding::skipped(part, format!("{} names none", file.display()))];
    }
    programs
        .into_iter()
        .map(|(place, program)| match check(program) {
            Ok(found) => Finding::ok(part, format!("{place}: {}", found.display())),
            Err((wrong, next)) => Finding::wrong(part, format!("{place}: {wrong}"), next),
        })
        .collect()
}

/// Where the program is; what is wrong, and what to do, otherwise.
fn check(program: &Program) -> Result<PathBuf, (String, String)> {
    let name = program.program.display();
    if let Some(folder) = program.workdir.as_deref().filter(|folder| !folder.is_dir()) {
        let folder = folder.display();
        return Err((format!("its workdir {folder} is not there"), format!("mkdir -p {folder}")));
    }
    if !program.program.to_string_lossy().contains('/') {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found =
            std::env::split_paths(&path).map(|folder| folder.join(&program.program)).find(|p| executable(p));
        return found.ok_or_else(|| {
            (format!("`{name}` is not in PATH"), format!("install {name}, or write where it is"))
        });
    }
    if !program.program.is_file() {
        return Err((format!("{name} is not there"), "install it, or write where it is".into()));
    }
    if !executable(&program.program) {
        return Err((format!("{name} may not be executed"), format!("chmod +x {name}")));
    }
    match interpreter(&program.program).filter(|interpreter| !executable(interpreter)) {
        Some(interpreter) => {
            let interpreter = interpreter.display();
            Err((format!("{name} wants {interpreter}, which is not there"), format!("install {interpreter}")))
        }
        None => Ok(program.program.clone()),
    }
}

/// What the first line of a script names.
fn interpreter(script: &Path) -> Option<PathBuf> {
    use std::io::{BufRead, Read};

    let mut line = Vec::new();
    let file = std::fs::File::open(script).ok()?;
    // Linux reads at most 256 bytes of it
    std::io::BufReader::new(file.take(256)).read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8(line).ok()?;
    line.strip_prefix("#!")?.split_whitespace().next().map(PathBuf::from)
}

fn executable(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

/// Whether this user may write there; for a folder, also make files in it.
pub(super) fn writable(path: &Path) -> Result<(), String> {
    let flags = if path.is_dir() {
        AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK
    } else {
        AccessFlags::R_OK | AccessFlags::W_OK
    };
    access(path, flags).map_err(|error| match error {
        nix::errno::Errno::ENOENT => "it is not there".into(),
        nix::errno::Errno::EACCES => "this user may not write there".into(),
        other => other.desc().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path) -> Program {
        toml::from_str(&format!("program = {:?}", path.display().to_string())).unwrap()
    }

    #[test]
    fn a_program_is_found_or_the_reason_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        let wrong = |path: &Path| check(&program(path)).unwrap_err();
        assert!(wrong(&script).0.contains("is not there"));
        std::fs::write(&script, "#!/nowhere/python\n").unwrap();
        assert!(wrong(&script).1.starts_with("chmod +x"));
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(wrong(&script).0.contains("wants /nowhere/python"));
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert_eq!(check(&program(&script)).unwrap(), script);
        assert!(check(&program(Path::new("sh"))).unwrap().ends_with("sh"));
        assert!(wrong(Path::new("no-such-program")).0.contains("PATH"));
    }

    #[test]
    fn a_state_directory_that_others_can_write_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(state(Some(path)).status, super::super::Status::Ok);
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o770)).unwrap();
        assert!(state(Some(path)).next.unwrap().starts_with("chmod go-w"));
        assert_eq!(state(Some(&path.join("a/b"))).status, super::super::Status::Ok);
    }
}
