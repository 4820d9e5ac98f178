//! Frames, without a terminal and on ratatui's test backend.

use autoopt_coordinator::api::view::{EventView, SpanState, SpanView};
use autoopt_epoch::message::Stage;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use ratatui::widgets::Paragraph;
use serde_json::{Value as Json, json};

use super::*;
use crate::top::fetch::Seen;
use crate::top::picture::Then;

const NOW: &str = "2026-01-01T10:00:00Z";

fn id(n: u32) -> String {
    format!("01a20d9d-7e75-75f2-be4a-{n:012}")
}

/// A span of experiment 1 that began half a minute ago; step and epoch follow from the number.
pub(crate) fn span(cluster: &str, number: u32, stage: Stage, state: SpanState) -> SpanView {
    let span = json!({
        "cluster": cluster, "experiment_id": id(1), "trial": id(100 + number), "number": number, "kind": "proposed",
        "epoch": id(200 + number), "step": 2, "attempt": 1, "stage": stage, "action": "run", "state": state,
        "began": "2026-01-01T09:59:30Z", "worker": "w/1",
    });
    serde_json::from_value(span).expect("a span")
}

fn experiment(n: u32, name: &str, phase: &str) -> Json {
    json!({
        "id": id(n), "name": name, "phase": phase, "goal": "maximize", "budget": {"trials": 40}, "clusters": ["east", "west"],
        "accepted": 14, "outcomes": {"measured": 9, "violated": 2}, "baseline": {"east": 171.9},
        "best": {"trial": id(107), "number": 7, "cluster": "east", "objective": 355.795, "parameters": {"x": 1}},
        "gain": 1.07, "started": "2026-01-01T09:00:00Z",
        "outlook": {"results": 9, "recommended": {
            "trial": id(107), "number": 7, "parameters": {"x": 1}, "objective": 349.123, "low": 331.077, "high": 367.9,
            "probability_best": 0.6,
        }},
    })
}

fn cluster(name: &str) -> Json {
    json!({"name": name, "health": "healthy", "failures": 0})
}

fn look(experiments: Json, clusters: Json, spans: Vec<SpanView>) -> Seen {
    let ok = json!({"status": "ok"});
    let health = json!({
        "status": "ok", "version": "0.1.0", "bus": ok, "store": ok, "relay": ok, "backlog": 0, "standby": false,
        "open_experiments": 1,
    });
    let timeline = json!({"now": NOW, "position": 7, "since": "2026-01-01T09:00:00Z", "spans": spans});
    Seen {
        health: serde_json::from_value(health).expect("health"),
        experiments: serde_json::from_value(experiments).expect("experiments"),
        clusters: serde_json::from_value(clusters).expect("clusters"),
        timeline: serde_json::from_value(timeline).expect("a timeline"),
        detail: None,
    }
}

fn now() -> Timestamp {
    serde_json::from_value(json!(NOW)).expect("an instant")
}

fn busy() -> Picture {
    let mut east = cluster("east");
    east["experiment_id"] = id(1).into();
    let mut west = cluster("west");
    west["health"] = "paused".into();
    west["until"] = "2026-01-01T10:00:34Z".into();
    west["reason"] = "no route to host".into();
    let mut done = span("east", 3, Stage::Bench, SpanState::Done);
    done.ended = Some(done.began.after(std::time::Duration::from_secs(75)));
    let spans = vec![done, span("east", 12, Stage::Bench, SpanState::Running)];
    let seen = look(
        json!([experiment(1, "mariadb-oltp", "running"), experiment(2, "older", "ended")]),
        json!([east, west]),
        spans,
    );
    Picture::new("http://127.0.0.1:7771", seen, now())
}

/// What a terminal of this size shows, line by line.
fn drawn(picture: &Picture, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a backend that cannot fail");
    let page = Page { width: width.into(), height: Some(height.into()), colours: true };
    let (lines, _) = frame(picture, now(), page);
    terminal.draw(|canvas| canvas.render_widget(Paragraph::new(lines), canvas.area())).expect("drawn");
    let buffer = terminal.backend().buffer().clone();
    let row = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(row).collect()
}

fn press(picture: &mut Picture, code: KeyCode) -> Then {
    picture.press(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn everything_has_its_place_on_80_by_24() {
    let mut picture = busy();
    let event = json!({
        "seq": 7, "at": "2026-01-01T09:59:58Z", "kind": "trial.ended", "experiment": "mariadb-oltp", "experiment_id": id(1),
        "number": 11, "message": "trial 11 ended violated", "detail": {"outcome": "violated"},
    });
    picture.tell(serde_json::from_value(event.clone()).expect("an event"));
    // nothing that people want to read
    let mut other = event;
    other["kind"] = "optimizer.asked".into();
    picture.tell(serde_json::from_value::<EventView>(other).expect("an event"));
    let expected = "\
autoopt top   coordinator 0.1.0 at http://127.0.0.1:7771               10:00:00
cluster       what runs now            for        about left    experiment
west          paused for 34 s: no route to host
east          trial 12: bench          30 s       45 s          mariadb-oltp

  experiment    phase      trials  best by model, 90 %    gain      about left
> mariadb-oltp  running    11/40   349.1 [331.1, 367.9]   +107.0 %  2 h 38 min
  [#####---------------]  2 violated  2 in the queue  9 measured  baseline 171.9
  older         ended      11/40   349.1 [331.1, 367.9]   +107.0 %
  [#####---------------]  2 violated  3 in the queue  9 measured  baseline 171.9

log
09:59:58 mariadb-oltp    trial 11 ended violated










↑ ↓ choose   enter look   q quit";
    assert_eq!(drawn(&picture, 80, 24), expected.lines().collect::<Vec<_>>());
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    let coloured = |colours| {
        let (lines, _) = frame(&busy(), now(), Page { width: 80, height: Some(24), colours });
        let styles = lines.iter().flat_map(|line| line.spans.iter().map(|span| span.style.fg));
        styles.flatten().filter(|colour| *colour == Color::Red).count()
    };
    assert!(coloured(true) > 0);
    assert_eq!(coloured(false), 0);
}

#[test]
fn many_clusters_leave_room_for_the_rest_and_troubled_ones_come_first() {
    let mut clusters: Vec<Json> = (0..1000).map(|n| cluster(&format!("c{n:04}"))).collect();
    clusters[700]["health"] = "paused".into();
    let spans = vec![span("c0900", 1, Stage::Load, SpanState::Handed)];
    let seen = look(json!([experiment(1, "wide", "running")]), json!(clusters), spans);
    let lines = drawn(&Picture::new("http://h:1", seen, now()), 80, 24);
    assert!(lines[2].starts_with("c0700         paused"), "{lines:#?}");
    assert!(lines[3].starts_with("c0900         trial 1: load (queued)"), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("more clusters")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("> wide")), "{lines:#?}");
    assert!(lines[23].contains("q quit"));
    // whatever the size, it is filled and nothing panics
    for (width, height) in [(1, 1), (10, 3), (40, 6), (300, 90)] {
        assert_eq!(drawn(&busy(), width, height).len(), usize::from(height));
    }
}

#[test]
fn a_coordinator_that_is_away_is_told_of_and_what_was_known_stays() {
    let mut picture = busy();
    picture.failed("no coordinator answers at http://h:1", now().before(std::time::Duration::from_secs(12)));
    picture.failed("no coordinator answers at http://h:1", now());
    let lines = drawn(&picture, 80, 24);
    assert_eq!(lines[1], "for 12 s nothing new: no coordinator answers at http://h:1");
    assert!(lines.iter().any(|line| line.starts_with("east          trial 12: bench")), "{lines:#?}");
    let seen = picture.seen.clone();
    picture.take(seen, now());
    assert!(!drawn(&picture, 80, 24)[1].contains("nothing new"));
}

#[test]
fn keys_choose_an_experiment_and_look_at_it() {
    let mut picture = busy();
    assert_eq!(press(&mut picture, KeyCode::Down), Then::Draw);
    assert_eq!(picture.chosen().map(|e| e.name.as_str()), Some("older"));
    press(&mut picture, KeyCode::Down);
    assert_eq!(picture.chosen().map(|e| e.name.as_str()), Some("older"), "it is the last one");
    press(&mut picture, KeyCode::Up);
    assert_eq!(picture.wanted(), None);
    press(&mut picture, KeyCode::Enter);
    assert_eq!(picture.wanted(), picture.chosen().map(|e| e.id));
    let mut detail = experiment(1, "mariadb-oltp", "running");
    detail["running"] = json!([]);
    let spec = include_str!("../../../../examples/quadratic.toml");
    detail["spec"] =
        json!(autoopt_epoch::experiment::parse_toml(spec, "quadratic.toml").expect("it is right"));
    picture.seen.detail = Some(serde_json::from_value(detail).expect("an experiment"));
    let lines = drawn(&picture, 80, 24);
    assert_eq!(lines[2], "mariadb-oltp: running");
    assert!(lines.iter().any(|line| line.contains("by model   trial 7 with 349.123")), "{lines:#?}");
    press(&mut picture, KeyCode::PageDown);
    let page = Page { width: 80, height: Some(24), colours: false };
    assert_eq!(frame(&picture, now(), page).1, 0, "it fits, so that it stays where it is");
    assert_eq!(drawn(&picture, 80, 8)[6], "log", "its last line is at the bottom");
    press(&mut picture, KeyCode::Esc);
    assert!(!picture.looking);
    assert_eq!(press(&mut picture, KeyCode::Char('x')), Then::Nothing);
    assert_eq!(press(&mut picture, KeyCode::Char('q')), Then::Quit);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(picture.press(interrupt), Then::Quit);
}

#[test]
fn long_lines_are_wrapped_at_words() {
    assert_eq!(wrapped("short", 40), ["short"]);
    let line = "  best       by trial 7 on east, which is a very long explanation of everything";
    let pieces = wrapped(line, 40);
    assert_eq!(pieces[0], "  best       by trial 7 on east, which");
    assert!(pieces[1].starts_with("             is a very"), "{pieces:?}");
    assert!(pieces.iter().all(|piece| piece.len() <= 40), "{pieces:?}");
    assert_eq!(wrapped(&"x".repeat(100), 40).concat().matches('x').count(), 100);
}

#[test]
fn names_from_elsewhere_do_not_drive_the_terminal() {
    let seen = look(json!([experiment(1, "a\u{1b}[2Jb\nc", "running")]), json!([]), Vec::new());
    let picture = Picture::new("http://h:1", seen, now());
    let (lines, _) = frame(&picture, now(), Page { width: 80, height: None, colours: false });
    assert!(lines.iter().all(|line| !line.to_string().chars().any(char::is_control)), "{lines:?}");
}
