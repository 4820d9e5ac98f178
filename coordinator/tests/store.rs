//! The store on SQLite and on PostgreSQL: the same suite for both.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use autoopt_coordinator::machine::{Ending, Phase, Progress, Record};
use autoopt_coordinator::store::{Batch, Committed, Store, StoreError};
use autoopt_epoch::bus::Outgoing;
use autoopt_epoch::id::MessageId;
use autoopt_epoch::message::{EventKind, Stage};
use sea_orm::ConnectionTrait;
use support::{Postgres, at, attempt, cluster, epoch, event, experiment, measured, trial};

/// A busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs each behaviour on each database.
macro_rules! on_both {
    ($($name:ident,)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let dir = tempfile::tempdir().unwrap();
                super::$name(format!("sqlite://{}/store.db?mode=rwc", dir.path().display())).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                let database = super::Postgres::new();
                super::$name(database.url()).await;
            })*
        }
    };
}

on_both! {
    what_is_open_comes_back_as_it_was,
    the_last_record_of_a_key_counts_within_a_batch_and_across,
    a_failed_commit_leaves_nothing,
    the_outbox_keeps_its_order_until_sent,
    a_message_is_seen_until_pruned,
    artifacts_are_those_of_the_last_success,
    raw_output_of_what_ended_long_ago_is_deleted_and_nothing_else,
    events_are_numbered_in_their_order_and_never_twice,
    trials_come_page_by_page,
    a_batch_of_thousands_is_kept_whole,
    writers_do_not_lock_each_other_out,
    a_second_one_stands_by_until_the_first_lets_go,
    stores_that_are_opened_together_make_the_schema_once,
    a_store_of_a_later_version_is_refused_and_left_alone,
}

async fn what_is_open_comes_back_as_it_was(url: String) {
    let store = Store::open(&url).await.unwrap();
    let open = experiment("open");
    let mut gone = experiment("gone");
    (gone.phase, gone.ended) = (Phase::Ended, Some(at(50)));
    let waiting = trial(&open, 3);
    let (second, b) = measured(trial(&open, 1), 0.1 + 0.2, at(30));
    let (first, a) = measured(trial(&open, 2), 2.0, at(20));
    let (other, _) = measured(trial(&gone, 1), 3.0, at(10));
    let running = epoch(&waiting);
    let mut over = epoch(&first);
    over.progress = Progress::Ended { at: at(19) };
    let records = vec![
        // children first: the order within a batch does not matter
        Record::Attempt(attempt(&running, 0, 1, Ending::Superseded { reason: "lost".into() }, b"x")),
        Record::Epoch(running.clone()),
        Record::Epoch(over),
        Record::Trial(waiting.clone()),
        Record::Trial(second),
        Record::Trial(first),
        Record::Trial(other),
        Record::Experiment(open.clone()),
        Record::Experiment(gone),
        Record::Cluster(cluster()),
    ];
    store.commit(&Batch { records, ..Batch::default() }).await.unwrap();
    store.close().await.unwrap();

    let stored = Store::open(&url).await.unwrap().load().await.unwrap();
    assert_eq!(stored.trials, [waiting]);
    assert_eq!(stored.epochs, [running]);
    assert_eq!(stored.results, [(open.id, a), (open.id, b)], "in the order of ending");
    assert_eq!(stored.experiments, [open]);
    assert_eq!(stored.clusters, [cluster()]);
}

fn message(text: &str) -> Outgoing {
    Outgoing {
        routing_key: format!("epoch.{text}.bench"),
        id: MessageId::fresh(),
        kind: "autoopt.epoch.v1".into(),
        body: vec![0, 255, b'{'],
        mandatory: text.len().is_multiple_of(2),
        headers: [("x-key".to_owned(), text.to_owned())].into(),
    }
}

async fn the_last_record_of_a_key_counts_within_a_batch_and_across(url: String) {
    let store = Store::open(&url).await.unwrap();
    let mut e = experiment("e");
    let t = trial(&e, 1);
    let mut run = epoch(&t);
    let early = Record::Epoch(run.clone());
    run.measurement.as_mut().unwrap().metrics.insert("score".into(), 9.0);
    e.accepted = 7;
    let records =
        vec![Record::Experiment(e.clone()), Record::Trial(t.clone()), early, Record::Epoch(run.clone())];
    store.commit(&Batch { records, ..Batch::default() }).await.unwrap();
    let stored = store.load().await.unwrap();
    assert_eq!((stored.experiments, stored.epochs), (vec![e.clone()], vec![run.clone()]));

    e.phase = Phase::Paused;
    let (t, _) = measured(t, 4.0, at(40));
    run.progress = Progress::Ended { at: at(39) };
    let records = vec![Record::Experiment(e.clone()), Record::Trial(t.clone()), Record::Epoch(run.clone())];
    store.commit(&Batch { records, ..Batch::default() }).await.unwrap();
    let stored = store.load().await.unwrap();
    assert!(stored.trials.is_empty() && stored.epochs.is_empty());
    assert_eq!(store.experiment(e.id).await.unwrap().as_ref(), Some(&e));
    assert_eq!(stored.experiments, [e]);
    assert_eq!(store.trial(t.id).await.unwrap(), Some(t.clone()));
    assert_eq!(store.epoch(run.id).await.unwrap().as_ref(), Some(&run));
    assert_eq!(store.epochs(t.id).await.unwrap(), [run]);
}

async fn a_failed_commit_leaves_nothing(url: String) {
    let store = Store::open(&url).await.unwrap();
    let e = experiment("e");
    let orphan = epoch(&trial(&e, 1));
    let id = MessageId::fresh();
    let batch = Batch {
        at: at(0),
        inbox: vec![id],
        // the trial of the epoch is not there
        records: vec![Record::Experiment(e.clone()), Record::Cluster(cluster()), Record::Epoch(orphan)],
        events: vec![event(&e, EventKind::ExperimentSubmitted)],
        outbox: vec![message("a")],
        sent: Vec::new(),
    };
    let error = store.commit(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)), "{error:?}");
    let stored = store.load().await.unwrap();
    assert!(stored.experiments.is_empty() && stored.clusters.is_empty() && stored.epochs.is_empty());
    assert!(store.seen(&[id]).await.unwrap().is_empty());
    assert!(store.events(None, 0, 10).await.unwrap().is_empty());
    assert!(store.outbox().await.unwrap().is_empty());
}

async fn the_outbox_keeps_its_order_until_sent(url: String) {
    let store = Store::open(&url).await.unwrap();
    let messages: Vec<_> = ["a", "bb", "c", "dd"].map(message).into();
    let outbox = messages.clone();
    let committed = store.commit(&Batch { outbox, ..Batch::default() }).await.unwrap();
    let expected: Vec<_> = committed.outbox_seqs.iter().copied().zip(messages).collect();
    assert_eq!(store.outbox().await.unwrap(), expected);

    let sent = vec![committed.outbox_seqs[3], committed.outbox_seqs[1]];
    let later = message("later");
    let outbox = vec![later.clone()];
    let next = store.commit(&Batch { outbox, sent, ..Batch::default() }).await.unwrap();
    assert!(next.outbox_seqs[0] > committed.outbox_seqs[3], "a position is not used again");
    let expected = [expected[0].clone(), expected[2].clone(), (next.outbox_seqs[0], later)];
    assert_eq!(store.outbox().await.unwrap(), expected);
}

async fn a_message_is_seen_until_pruned(url: String) {
    let store = Store::open(&url).await.unwrap();
    let [old, new, never] = [(); 3].map(|()| MessageId::fresh());
    store.commit(&Batch { at: at(1), inbox: vec![old], ..Batch::default() }).await.unwrap();
    // one that comes again keeps the instant at which it came first
    store.commit(&Batch { at: at(2), inbox: vec![old, new, new], ..Batch::default() }).await.unwrap();
    assert_eq!(store.seen(&[old, new, never]).await.unwrap(), [old, new].into());
    assert_eq!(store.prune_inbox(at(2)).await.unwrap(), 1);
    assert_eq!(store.seen(&[old, new, never]).await.unwrap(), [new].into());
}

async fn raw_output_of_what_ended_long_ago_is_deleted_and_nothing_else(url: String) {
    let store = Store::open(&url).await.unwrap();
    let mut epochs = Vec::new();
    for (name, ended) in [("old", Some(at(10))), ("new", Some(at(20))), ("open", None)] {
        let mut e = experiment(name);
        if ended.is_some() {
            (e.phase, e.ended) = (Phase::Ended, ended);
        }
        let t = trial(&e, 1);
        let run = epoch(&t);
        let attempt = attempt(&run, 2, 1, Ending::Done, b"raw");
        epochs.push(run.id);
        let records =
            vec![Record::Experiment(e), Record::Trial(t), Record::Epoch(run), Record::Attempt(attempt)];
        store.commit(&Batch { at: at(1), records, ..Batch::default() }).await.unwrap();
    }
    // standard output and standard error
    assert_eq!(store.prune_raw(at(20)).await.unwrap(), 2);
    assert_eq!(store.prune_raw(at(20)).await.unwrap(), 0);
    let mut left = Vec::new();
    for epoch in epochs {
        left.push(store.artifacts(epoch, Stage::Bench).await.unwrap().len());
    }
    assert_eq!(left, [0, 2, 2]);
}

async fn artifacts_are_those_of_the_last_success(url: String) {
    let store = Store::open(&url).await.unwrap();
    let e = experiment("e");
    let t = trial(&e, 1);
    let run = epoch(&t);
    let attempts = [
        attempt(&run, 2, 1, Ending::Done, b"first"),
        attempt(&run, 2, 2, Ending::Done, b"second"),
        attempt(&run, 2, 3, Ending::Superseded { reason: "late".into() }, b"third"),
    ];
    let mut records = vec![Record::Experiment(e), Record::Trial(t), Record::Epoch(run.clone())];
    records.extend(attempts.clone().map(Record::Attempt));
    store.commit(&Batch { records, ..Batch::default() }).await.unwrap();

    let mut artifacts = store.artifacts(run.id, Stage::Bench).await.unwrap();
    artifacts.sort_by(|a, b| b.name.cmp(&a.name));
    assert_eq!(artifacts, attempts[1].artifacts);
    assert_eq!(artifacts[0].content(100).unwrap(), b"second");
    assert!(store.artifacts(run.id, Stage::Collect).await.unwrap().is_empty());

    let listed = store.artifact_list(run.id).await.unwrap();
    let told: Vec<_> =
        listed.iter().map(|a| (a.step, a.attempt, a.name.as_str(), a.bytes, a.truncated)).collect();
    let expected = [(1, 5), (2, 6), (3, 5)]
        .map(|(attempt, bytes)| [(2, attempt, "stderr", 0, false), (2, attempt, "stdout", bytes, true)]);
    assert_eq!(told, expected.concat());
    let kept = store.artifact(run.id, 2, 3, "stdout").await.unwrap();
    assert_eq!(kept.as_ref(), attempts[2].artifacts.first());
    assert_eq!(store.artifact(run.id, 2, 4, "stdout").await.unwrap(), None);
    let bare = attempts.map(|a| autoopt_coordinator::machine::Attempt { artifacts: Vec::new(), ..a });
    assert_eq!(store.attempts(run.id).await.unwrap(), bare);
}

async fn events_are_numbered_in_their_order_and_never_twice(url: String) {
    let store = Store::open(&url).await.unwrap();
    let (a, b) = (experiment("a"), experiment("b"));
    let mut events = vec![
        event(&a, EventKind::TrialAccepted),
        event(&b, EventKind::TrialEnded),
        event(&a, EventKind::TrialEnded),
    ];
    let committed = store.commit(&Batch { events: events.clone(), ..Batch::default() }).await.unwrap();
    for (event, seq) in events.iter_mut().zip(&committed.event_seqs) {
        event.seq = *seq;
    }
    assert_eq!(store.events(None, 0, 10).await.unwrap(), events);
    assert_eq!(store.events(None, events[0].seq, 1).await.unwrap(), events[1..2]);
    assert_eq!(store.events(Some(a.id), 0, 10).await.unwrap(), [events[0].clone(), events[2].clone()]);
    assert_eq!(store.last_event().await.unwrap(), events[2].seq);
}

async fn trials_come_page_by_page(url: String) {
    let store = Store::open(&url).await.unwrap();
    let (e, other) = (experiment("e"), experiment("other"));
    let mut records = vec![Record::Experiment(e.clone()), Record::Experiment(other.clone())];
    // two baselines share a number
    records.extend([0, 0, 1, 2, 3].map(|number| Record::Trial(trial(&e, number))));
    records.push(Record::Trial(trial(&other, 1)));
    store.commit(&Batch { records, ..Batch::default() }).await.unwrap();
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let page = store.trials(e.id, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        numbers.extend(page.iter().map(|t| t.number));
    }
    assert_eq!(numbers, [0, 0, 1, 2, 3]);
    assert_eq!(store.trial_count(e.id).await.unwrap(), 5);
}

async fn a_batch_of_thousands_is_kept_whole(url: String) {
    let store = Store::open(&url).await.unwrap();
    let e = experiment("e");
    let trials: Vec<_> = (1..=5000).map(|n| trial(&e, n)).collect();
    let mut records = vec![Record::Experiment(e.clone())];
    records.extend(trials.iter().cloned().map(Record::Trial));
    let inbox: Vec<_> = trials.iter().map(|_| MessageId::fresh()).collect();
    let events = trials
        .iter()
        .map(|t| {
            let mut x = event(&e, EventKind::TrialAccepted);
            x.number = Some(t.number);
            x
        })
        .collect();
    let outbox = trials.iter().map(|_| message("bb")).collect();
    let batch = Batch { at: at(0), inbox, records, events, outbox, sent: Vec::new() };
    let Committed { event_seqs, outbox_seqs } = store.commit(&batch).await.unwrap();
    assert!(event_seqs.is_sorted() && event_seqs.len() == 5000 && outbox_seqs.len() == 5000);
    assert_eq!(store.seen(&batch.inbox).await.unwrap().len(), 5000);
    let numbers: Vec<_> =
        store.events(None, 0, 9999).await.unwrap().iter().filter_map(|e| e.number).collect();
    assert_eq!(numbers, (1..=5000).collect::<Vec<_>>());
    assert_eq!(store.load().await.unwrap().trials.len(), 5000);
    let sent = outbox_seqs;
    store.commit(&Batch { sent, ..batch }).await.unwrap();
    assert_eq!(store.outbox().await.unwrap().len(), 5000, "sent ones are gone, new ones are there");
}

async fn writers_do_not_lock_each_other_out(url: String) {
    let store = Store::open(&url).await.unwrap();
    let e = experiment("e");
    let writers = (0..4).map(|_| {
        let (store, e) = (store.clone(), e.clone());
        tokio::spawn(async move {
            for _ in 0..20 {
                let records = vec![Record::Experiment(e.clone())];
                let events = vec![event(&e, EventKind::OptimizerAsked)];
                store.commit(&Batch { records, events, ..Batch::default() }).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(store.events(Some(e.id), 0, 999).await.unwrap().len(), 80);
}

async fn stores_that_are_opened_together_make_the_schema_once(url: String) {
    let openings = (0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { Store::open(&url).await })
    });
    let opened: Vec<_> = futures::future::join_all(openings).await.into_iter().map(Result::unwrap).collect();
    assert!(opened.iter().all(Result::is_ok), "{opened:?}");
}

async fn a_store_of_a_later_version_is_refused_and_left_alone(url: String) {
    Store::open(&url).await.unwrap().close().await.unwrap();
    let db = sea_orm::Database::connect(&url).await.unwrap();
    let later = "insert into seaql_migrations (version, applied_at) values ('m9999_later', 0)";
    db.execute_unprepared(later).await.unwrap();
    let error = Store::open(&url).await.unwrap_err();
    assert!(error.to_string().contains("written by a later version"), "{error}");
    // it is the later version's still: nothing was taken back
    let back = "delete from seaql_migrations where version = 'm9999_later'";
    assert_eq!(db.execute_unprepared(back).await.unwrap().rows_affected(), 1);
    Store::open(&url).await.unwrap();
}

async fn a_second_one_stands_by_until_the_first_lets_go(url: String) {
    let (first, second) = (Store::open(&url).await.unwrap(), Store::open(&url).await.unwrap());
    let claim = first.claim().await.unwrap();
    assert!(second.try_claim().await.unwrap().is_none());
    let e = experiment("e");
    let batch = Batch { records: vec![Record::Experiment(e.clone())], ..Batch::default() };
    first.commit(&batch).await.unwrap();

    let standing_by = tokio::spawn(async move { (second.claim().await.unwrap(), second) });
    // longer than it takes to look twice
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(!standing_by.is_finished());
    drop(claim);
    let (_claim, second) = tokio::time::timeout(PATIENCE, standing_by).await.unwrap().unwrap();
    assert_eq!(second.load().await.unwrap().experiments, [e]);
    second.commit(&batch).await.unwrap();
    assert!(first.try_claim().await.unwrap().is_none());
}

/// The process that holds the lock is killed.
#[tokio::test]
async fn a_killed_process_leaves_its_sqlite_store_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.db");
    let store = Store::open(&format!("sqlite://{}?mode=rwc", file.display())).await.unwrap();
    let mut holder = std::process::Command::new("sh")
        .args(["-c", "exec 9>>\"$0\" && flock 9 && echo held && exec sleep 600"])
        .arg(dir.path().join("store.db.lock"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut said).unwrap();
    assert!(store.try_claim().await.unwrap().is_none());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(store.try_claim().await.unwrap().is_some());
}

/// Ends the sessions that hold a claim, as a restart of the server does.
fn end_sessions(database: &Postgres) {
    database.run(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = \
         (select oid from pg_database where datname = current_database())",
    );
}

#[tokio::test]
async fn a_claim_whose_session_ends_goes_on_once_the_store_is_read_again() {
    let database = Postgres::new();
    let store = Store::open(&database.url()).await.unwrap();
    let claim = store.claim().await.unwrap();
    let e = experiment("e");
    let batch = Batch { records: vec![Record::Experiment(e.clone())], ..Batch::default() };
    store.commit(&batch).await.unwrap();
    end_sessions(&database);
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Database(_))));
    assert!(matches!(store.commit(&batch).await, Err(StoreError::Lapsed)), "others may have written");
    assert_eq!(store.load().await.unwrap().experiments, [e]);
    store.commit(&batch).await.unwrap();
    let other = Store::open(&database.url()).await.unwrap();
    assert!(other.try_claim().await.unwrap().is_none());
    drop(claim);
}

#[tokio::test]
async fn a_claim_that_another_one_got_is_lost_for_good() {
    let database = Postgres::new();
    let first = Store::open(&database.url()).await.unwrap();
    let claim = first.claim().await.unwrap();
    let second = Store::open(&database.url()).await.unwrap();
    end_sessions(&database);
    let _taken = tokio::time::timeout(PATIENCE, second.claim()).await.unwrap().unwrap();
    let batch = Batch { records: vec![Record::Experiment(experiment("e"))], ..Batch::default() };
    assert!(first.commit(&batch).await.is_err());
    tokio::time::timeout(PATIENCE, claim.lost()).await.unwrap();
    assert!(matches!(first.commit(&batch).await, Err(StoreError::Lost)));
    second.commit(&batch).await.unwrap();
}

/// Runs a program of PostgreSQL's.
fn client(program: &str, arguments: &[&str]) {
    let status = std::process::Command::new(program).args(arguments).status();
    assert!(status.expect("PostgreSQL's programs are installed").success(), "{program} {arguments:?}");
}

#[tokio::test]
async fn a_backup_made_and_restored_as_documented_is_the_store() {
    let (database, other) = (Postgres::new(), Postgres::new());
    let store = Store::open(&database.url()).await.unwrap();
    let _claim = store.claim().await.unwrap();
    let e = experiment("e");
    let (ended, result) = measured(trial(&e, 1), 0.1 + 0.2, at(30));
    let waiting = trial(&e, 2);
    let records = vec![
        Record::Experiment(e.clone()),
        Record::Trial(ended),
        Record::Trial(waiting.clone()),
        Record::Cluster(cluster()),
    ];
    let happened = || Batch { events: vec![event(&e, EventKind::TrialEnded)], ..Batch::default() };
    let last = store.commit(&Batch { records, ..happened() }).await.unwrap().event_seqs[0];
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("autoopt.dump").display().to_string();
    client("pg_dump", &["--format=custom", &format!("--file={file}"), &database.url()]);
    store.commit(&happened()).await.unwrap();
    client("pg_restore", &["--no-owner", &format!("--dbname={}", other.url()), &file]);

    let restored = Store::open(&other.url()).await.unwrap();
    let _its_own = restored.try_claim().await.unwrap().expect("a claim is not in a backup");
    let stored = restored.load().await.unwrap();
    assert_eq!((stored.experiments, stored.trials), (vec![e.clone()], vec![waiting]));
    assert_eq!((stored.results, stored.clusters), (vec![(e.id, result)], vec![cluster()]));
    assert_eq!(restored.last_event().await.unwrap(), last, "what came after the backup is not in it");
    assert!(restored.commit(&happened()).await.unwrap().event_seqs[0] > last, "numbers go on");
}

#[tokio::test]
async fn a_url_of_another_database_is_refused_without_telling_its_password() {
    let error = Store::open("mysql://me:secret@db/x").await.unwrap_err();
    assert!(error.to_string().contains("`mysql`") && !error.to_string().contains("secret"), "{error}");
    let error = Store::open("postgres://me:secret@127.0.0.1:1/x").await.unwrap_err();
    assert!(matches!(&error, StoreError::Open { at, .. } if at == "postgres://127.0.0.1:1/x"), "{error}");
}
