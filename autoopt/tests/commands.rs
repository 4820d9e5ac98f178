//! The real binary against a server of canned answers: exit codes, and what people read.

#![expect(clippy::unwrap_used, reason = "a helper of tests, which are allowed to")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::mpsc;

/// Answers one request with `status` and `body`; gives back the address, and the request once it came.
fn server(status: &'static str, body: &'static str) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut request = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            request.push_str(&line);
            if line.trim().is_empty() {
                break;
            }
        }
        let mut content = vec![0; length];
        reader.read_exact(&mut content).unwrap();
        request.push_str(&String::from_utf8(content).unwrap());
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        sender.send(request).unwrap();
    });
    (address, receiver)
}

fn autoopt(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_autoopt"))
        .args(arguments)
        .env_remove("AUTOOPT_SERVER")
        .env_remove("AUTOOPT_TOKEN_FILE")
        .env_remove("AUTOOPT_CONFIG")
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn file(name: &str, content: &str) -> std::path::PathBuf {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_coordinator_that_is_not_there_is_told_from_other_failures() {
    // a port that was free a moment ago
    let address = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let output = autoopt(&["pause", "x", "--server", &address]);
    assert_eq!(output.status.code(), Some(69), "{}", stderr(&output));
    assert!(
        stderr(&output).contains(&address) && stderr(&output).contains("next: start"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_the_coordinator_finds_wrong_is_shown_line_by_line() {
    let (address, request) = server(
        "422 Unprocessable Entity",
        r#"{"error": {"code": "invalid", "message": "the experiment is not right",
            "problems": [{"path": "budget.trails", "message": "unknown key", "hint": "did you mean `trials`?"}]}}"#,
    );
    let experiment = file("wrong.toml", "name = \"x\"\n[budget]\ntrails = 3\n");
    let output = autoopt(&["submit", experiment.to_str().unwrap(), "--server", &address]);
    assert_eq!(output.status.code(), Some(65), "{}", stderr(&output));
    assert_eq!(
        stderr(&output),
        "error: the experiment is not right\n  budget.trails: unknown key; did you mean `trials`?\n"
    );
    let request = request.recv().unwrap();
    assert!(request.starts_with("POST /v1/experiments HTTP/1.1"), "{request}");
    assert!(request.contains(r#""budget":{"trails":3}"#), "{request}");
}

#[test]
fn a_wrong_token_says_where_the_right_one_belongs() {
    let (address, request) =
        server("401 Unauthorized", r#"{"error": {"code": "unauthorised", "message": "no"}}"#);
    let token = file("token", "secret\n");
    let output = autoopt(&["stop", "x", "--server", &address, "--token-file", token.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(77), "{}", stderr(&output));
    assert!(stderr(&output).contains("--token-file"), "{}", stderr(&output));
    assert!(request.recv().unwrap().to_lowercase().contains("authorization: bearer secret"));
}

#[test]
fn a_file_that_is_not_toml_is_refused_before_anything_is_sent() {
    let experiment = file("broken.toml", "name = \n");
    let output = autoopt(&["submit", experiment.to_str().unwrap(), "--server", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(65), "{}", stderr(&output));
    assert!(stderr(&output).contains("line 1"), "{}", stderr(&output));
}

#[test]
fn wrong_usage_is_told_from_failure() {
    assert_eq!(autoopt(&["paus", "x"]).status.code(), Some(2));
}

#[test]
fn without_a_command_the_first_steps_are_told() {
    let output = autoopt(&[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for step in ["autoopt init", "autoopt run", "autoopt doctor", "autoopt submit"] {
        assert!(text.contains(step), "{text}");
    }
}

#[test]
fn every_exit_code_is_documented() {
    let help = String::from_utf8(autoopt(&["--help"]).stdout).unwrap();
    let page = include_str!("../../docs/cli.md");
    for code in ["0", "1", "2", "3", "65", "66", "69", "77", "130"] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(&format!("{code}  "))),
            "{code}: {help}"
        );
        assert!(page.contains(&format!("| {code} |")), "{code}");
    }
}

#[test]
fn with_json_a_mistake_in_a_file_has_its_place() {
    let experiment = file("misspelt.toml", "name = \"x\"\nbudgt = 3\n");
    let output = autoopt(&["validate", experiment.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(65));
    let error: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
    let problems = error["error"]["problems"].as_array().unwrap();
    assert!(problems.iter().any(|problem| problem["line"] == 2 && problem["path"] == "budgt"), "{error}");
}

#[test]
fn a_name_that_means_another_address_is_wrong_usage() {
    for name in ["", ".", ".."] {
        assert_eq!(
            autoopt(&["pause", name, "--server", "http://127.0.0.1:1"]).status.code(),
            Some(2),
            "{name}"
        );
    }
    assert_eq!(autoopt(&["list", "--server", "127.0.0.1:7771"]).status.code(), Some(2));
}

#[test]
fn what_a_coordinator_says_cannot_drive_the_terminal() {
    let (address, _) =
        server("409 Conflict", r#"{"error": {"code": "conflict", "message": "it is \u001b[2J closing"}}"#);
    let output = autoopt(&["pause", "x", "--server", &address]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(stderr(&output), "error: it is \\u{1b}[2J closing\n");
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let output = autoopt(&["man", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for (page, says) in
        [("autoopt.1", "submit"), ("autoopt-logs.1", "level"), ("autoopt-trial-show.1", "trial")]
    {
        let text = std::fs::read_to_string(folder.path().join(page)).expect(page);
        assert!(text.contains(says), "{page}: {text}");
    }
    let output = autoopt(&["man", "/dev/null/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = autoopt(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stdout).unwrap().contains("submit"), "{shell}");
    }
}
