//! `autoopt top`, in a pseudo terminal and without one.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::Services;

/// What was drawn, without blanks: where a cell is blank already, the cursor moves over it.
fn drawn(text: &str) -> String {
    console::strip_ansi_codes(text).split_whitespace().collect()
}

/// Reads until what a terminal got contains the text.
async fn until(screen: &mut (impl AsyncReadExt + Unpin), got: &mut String, text: &str) {
    let reading = async {
        let mut bytes = [0; 4096];
        while !drawn(got).contains(&drawn(text)) {
            let n = screen.read(&mut bytes).await.expect("it reads");
            assert!(n > 0, "it ended without `{text}`:\n{got}");
            got.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    };
    let read = tokio::time::timeout(Duration::from_secs(30), reading).await;
    assert!(read.is_ok(), "no `{text}` in\n{got}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_watched_live_and_printed_once_for_scripts() {
    // each stage takes longer than a look
    let services = Services::start(Duration::from_millis(700), None).await;
    let file = services.experiment("watched", 500, "x");
    services.run(&["submit", &file]).await.ended(0);
    let program = env!("CARGO_BIN_EXE_autoopt");
    let inside = format!("stty rows 24 cols 80; exec {program} top");
    let mut terminal = services.program("script");
    terminal.args(["-qec", &inside, "/dev/null"]).env("NO_COLOR", "1").env("TERM", "xterm-256color");
    let mut terminal = terminal.stdin(Stdio::piped()).spawn().expect("script starts");
    let mut keys = terminal.stdin.take().expect("it is piped");
    let mut screen = terminal.stdout.take().expect("it is piped");
    let mut got = String::new();
    until(&mut screen, &mut got, "> watched").await;
    // what happens is told without a key
    until(&mut screen, &mut got, "trial 2 ended").await;
    assert!(!got.contains("\u{1b}[31m") && !got.contains("\u{1b}[36m"), "a colour in {got:?}");
    got.clear();
    keys.write_all(b"\r").await.expect("it takes a key");
    until(&mut screen, &mut got, "started").await;
    keys.write_all(b"\x1bq").await.expect("it takes a key");
    // what is left is read, so that nothing waits for it
    let left = tokio::spawn(async move { screen.read_to_end(&mut Vec::new()).await });
    let ended = tokio::time::timeout(Duration::from_secs(20), terminal.wait()).await;
    assert!(ended.expect("it ends").expect("it ended").success());
    left.await.expect("read").expect("read");

    let printed = services.run(&["top"]).await.ended(0).with(&["here ", "> watched", "running", "/500"]);
    assert!(!printed.out.contains('\u{1b}'), "{}", printed.out);
    let shown = services.json(&["top"]).await;
    assert_eq!(shown["running"][0]["cluster"], "here", "{shown}");
    assert_eq!(shown["experiments"][0]["name"], "watched");
    services.run(&["cancel", "watched"]).await.ended(0);
    services.stop().await;
}
