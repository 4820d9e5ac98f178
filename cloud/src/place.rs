//! A scheduler's host: this one, or one that is reached over SSH.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use autoopt_epoch::command::{Program, Scheduler};
use autoopt_epoch::failure::{Failure, FailureKind};
use base64::Engine;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// ssh's own options: it must never ask, nor wait for ever.
const SSH: [&str; 3] = ["-oBatchMode=yes", "-oConnectTimeout=10", "-oServerAliveInterval=5"];
/// What the remote shell answers where there is no file.
const ABSENT: i32 = 44;

/// Where the files of a scheduler are.
#[derive(Clone, Debug)]
pub struct Place {
    ssh: Option<String>,
}

impl Place {
    /// Of this scheduler.
    pub fn of(scheduler: &Scheduler) -> Self {
        Self { ssh: scheduler.ssh.clone() }
    }

    /// The text of a file; nothing if there is none.
    pub async fn read(&self, path: &Path) -> Result<Option<String>, Failure> {
        let Some(host) = &self.ssh else {
            return match tokio::fs::read_to_string(path).await {
                Ok(text) => Ok(Some(text)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(self.failed("read", path, &error.to_string())),
            };
        };
        let file = quoted(path);
        let (code, text, said) =
            remote(host, &format!("test -e {file} || exit {ABSENT}; cat -- {file}"), "").await?;
        match code {
            0 => Ok(Some(text)),
            ABSENT => Ok(None),
            _ => Err(self.failed("read", path, &said)),
        }
    }

    /// Puts a file there in one piece: a reader sees the old one or the new one.
    pub async fn write(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let new = PathBuf::from(format!("{}.new", path.display()));
        let Some(host) = &self.ssh else {
            let written = async {
                tokio::fs::write(&new, text).await?;
                tokio::fs::File::open(&new).await?.sync_all().await?;
                tokio::fs::rename(&new, path).await
            };
            return written
                .await
                .map_err(|error: std::io::Error| self.failed("write", path, &error.to_string()));
        };
        let (from, to) = (quoted(&new), quoted(path));
        let script = format!("umask 022; cat > {from} && sync {from} && mv -f -- {from} {to}");
        match remote(host, &script, text).await? {
            (0, ..) => Ok(()),
            (_, _, said) => Err(self.failed("write", path, &said)),
        }
    }

    /// Removes a file, if it is there.
    pub async fn remove(&self, path: &Path) -> Result<(), Failure> {
        let Some(host) = &self.ssh else {
            return match tokio::fs::remove_file(path).await {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(self.failed("remove", path, &error.to_string()))
                }
                _ => Ok(()),
            };
        };
        match remote(host, &format!("rm -f -- {}", quoted(path)), "").await? {
            (0, ..) => Ok(()),
            (_, _, said) => Err(self.failed("remove", path, &said)),
        }
    }

    /// Changes whenever one of the scheduler's files does: its own, or the snippet.
    pub async fn fingerprint(&self, scheduler: &Scheduler) -> Result<String, Failure> {
        let mut all = Sha256::new();
        for path in scheduler.config.iter().chain([&scheduler.snippet]) {
            let text = self.read(path).await?;
            all.update(format!(
                "{} {}\n",
                path.display(),
                text.as_ref().map_or(-1, |text| text.len() as i64)
            ));
            all.update(text.unwrap_or_default());
        }
        Ok(base64::engine::general_purpose::STANDARD.encode(all.finalize()))
    }

    /// The same program, run there.
    pub fn program(&self, program: &Program) -> Program {
        let Some(host) = &self.ssh else { return program.clone() };
        let words = std::iter::once(program.program.to_string_lossy().into_owned())
            .chain(program.args.iter().cloned());
        let line: Vec<String> = words.map(|word| quoted(Path::new(&word))).collect();
        let mut args: Vec<String> = SSH.iter().map(|word| (*word).to_owned()).collect();
        args.extend([host.clone(), "--".into(), line.join(" ")]);
        Program { program: "ssh".into(), args, ..program.clone() }
    }

    fn failed(&self, what: &str, path: &Path, said: &str) -> Failure {
        let on = self.ssh.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
        let reason = format!("cannot {what} {}{on}: {}", path.display(), said.trim());
        Failure::new(FailureKind::Broken, reason)
    }
}

/// Exit code, standard output and standard error of a shell line on `host`.
async fn remote(host: &str, line: &str, input: &str) -> Result<(i32, String, String), Failure> {
    let failed = |error: std::io::Error| Failure::new(FailureKind::Transient, format!("ssh {host}: {error}"));
    let mut command = Command::new("ssh");
    command.args(SSH).arg(host).arg("--").arg(line).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // a line that reads nothing closes it early, and its exit code tells
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(failed)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    // ssh's own failures
    if code == 255 {
        return Err(Failure::new(
            FailureKind::Transient,
            format!("ssh {host}: {}", text(&output.stderr).trim()),
        ));
    }
    Ok((code, text(&output.stdout), text(&output.stderr)))
}

/// As one word of a POSIX shell.
fn quoted(word: &Path) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_replaced_whole_and_removed_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("90-autoopt.conf");
        let here = Place { ssh: None };
        assert_eq!(here.read(&path).await.unwrap(), None);
        here.write(&path, "a\n").await.unwrap();
        here.write(&path, "b\n").await.unwrap();
        assert_eq!(here.read(&path).await.unwrap().as_deref(), Some("b\n"));
        here.remove(&path).await.unwrap();
        here.remove(&path).await.unwrap();
        let nowhere = here.write(&directory.path().join("none/x.conf"), "a").await.unwrap_err();
        assert_eq!(nowhere.kind, FailureKind::Broken);
        assert!(nowhere.reason.contains("none/x.conf"), "{nowhere}");
    }

    #[test]
    fn a_word_reaches_the_remote_shell_as_it_is() {
        assert_eq!(quoted(Path::new("it's $HOME")), r"'it'\''s $HOME'");
    }
}
