//! Broker, coordinator, database: whether they answer, and take what is asked of them.

use std::path::Path;
use std::time::Duration;

use autoopt_coordinator::api::view::{ClusterHealth, Health, HealthStatus};
use autoopt_epoch::service::config::{BusSettings, redacted};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, Statement};

use super::{Finding, Part, host};
use crate::client::{Client, Server};
use crate::fault::Fault;
use autoopt_coordinator::store::StoreSettings;

/// Longer than a healthy service takes.
const PATIENCE: Duration = Duration::from_secs(8);

pub(super) async fn broker(settings: &BusSettings) -> Finding {
    let part = Part::Broker;
    let url = match settings.resolve_url() {
        Ok(url) => url,
        Err(error) => return Finding::wrong(part, error.to_string(), "mend bus.url_file"),
    };
    let at = redacted(&url);
    match tokio::time::timeout(PATIENCE, settings.connect("autoopt doctor")).await {
        Ok(Ok(bus)) => {
            bus.close().await;
            Finding::ok(part, format!("{at} answers"))
        }
        Ok(Err(error)) => Finding::wrong(
            part,
            format!("{at}: {error}"),
            "check user, password and vhost of bus.url; `rabbitmqctl add_vhost` and `rabbitmqctl set_permissions` make a vhost usable",
        ),
        Err(_) => Finding::wrong(
            part,
            format!("nobody answers at {at} within {} s", PATIENCE.as_secs()),
            "start RabbitMQ, or name where it is: bus.url in --config FILE, or AUTOOPT_BUS__URL",
        ),
    }
}

pub(super) async fn coordinator(server: &Server) -> Vec<Finding> {
    let asked = async {
        let client = Client::new(server)?;
        let health = client.health().await?;
        Ok((client, health))
    };
    let (client, health) = match asked.await {
        Ok(answer) => answer,
        Err(fault) => return vec![refused(&fault)],
    };
    let mut findings = vec![well(&client, &health)];
    match client.clusters().await {
        Err(fault) => findings.push(refused(&fault)),
        Ok(clusters) => findings.extend(clusters.iter().map(|cluster| {
            if cluster.health == ClusterHealth::Paused {
                let reason = cluster.reason.as_deref().unwrap_or("paused");
                let next = format!("mend that, then `autoopt clusters resume {}`", cluster.name);
                return Finding::wrong(Part::Clusters, format!("{}: {reason}", cluster.name), next);
            }
            Finding::ok(Part::Clusters, format!("{} takes epochs", cluster.name))
        })),
    }
    findings
}

fn refused(fault: &Fault) -> Finding {
    Finding::wrong(Part::Coordinator, fault.message(), fault.advice().unwrap_or("see the coordinator's log"))
}

fn well(client: &Client, health: &Health) -> Finding {
    let parts = [("bus", &health.bus), ("store", &health.store), ("relay", &health.relay)];
    let unwell: Vec<String> = parts
        .into_iter()
        .filter(|(_, part)| part.status != HealthStatus::Ok)
        .map(|(name, part)| format!("{name}: {}", part.reason.as_deref().unwrap_or("not well")))
        .collect();
    let (server, version) = (client.server(), &health.version);
    if unwell.is_empty() {
        let standby = if health.standby { ", stands by for another one" } else { "" };
        return Finding::ok(Part::Coordinator, format!("{server} answers, version {version}{standby}"));
    }
    Finding::wrong(
        Part::Coordinator,
        format!("{server}: {}", unwell.join("; ")),
        "see the other lines, and the coordinator's log",
    )
}

pub(super) async fn database(store: &StoreSettings) -> Finding {
    let part = Part::Database;
    let url = match store.resolve_url() {
        Ok(Some(url)) => url,
        Ok(None) => {
            return Finding::skipped(
                part,
                "no URL of it is known; name the configuration with --config FILE",
            );
        }
        Err(error) => return Finding::wrong(part, error.to_string(), "mend store.url_file"),
    };
    match url.split(':').next() {
        Some("sqlite") => sqlite(&url).await,
        Some("postgres" | "postgresql") => postgres(&url).await,
        _ => Finding::wrong(
            part,
            format!("{} is no database that is supported", redacted(&url)),
            "write store.url as sqlite://PATH?mode=rwc or postgres://USER@HOST/NAME",
        ),
    }
}

async fn sqlite(url: &str) -> Finding {
    let part = Part::Database;
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = Path::new(path.split('?').next().unwrap_or_default());
    let shown = path.display();
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if let Err(reason) = host::writable(folder) {
        return Finding::wrong(
            part,
            format!("the folder of {shown}: {reason}"),
            "make it, or mend its permissions",
        );
    }
    if !path.exists() {
        if url.contains("mode=rwc") {
            return Finding::ok(part, format!("{shown} is not there yet; the coordinator makes it"));
        }
        return Finding::wrong(part, format!("{shown} is not there"), "add `?mode=rwc` to store.url");
    }
    if let Err(reason) = host::writable(path) {
        return Finding::wrong(part, format!("{shown}: {reason}"), "mend its permissions");
    }
    let looked = async {
        let db = connect(&format!("sqlite://{shown}?mode=ro")).await?;
        number(&db, "SELECT count(*) FROM sqlite_master").await
    };
    match looked.await {
        Ok(_) => Finding::ok(part, format!("{shown} can be read and written")),
        Err(error) => Finding::wrong(
            part,
            format!("{shown}: {error}"),
            "it is no SQLite file, or a damaged one; move it away, or restore it from a backup",
        ),
    }
}

async fn postgres(url: &str) -> Finding {
    let (part, at) = (Part::Database, redacted(url));
    // 1 if this user may make tables where they would go; from PostgreSQL 15 on not everybody may
    let may_create = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)::int::bigint";
    let asked = async { number(&connect(url).await?, may_create).await };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(1)) => Finding::ok(part, format!("{at} answers, and takes tables")),
        Ok(Ok(_)) => Finding::wrong(
            part,
            format!("{at}: this user may not make tables there"),
            "as the database's owner: GRANT CREATE ON SCHEMA public TO that user",
        ),
        Ok(Err(error)) => Finding::wrong(
            part,
            format!("{at}: {error}"),
            "start PostgreSQL, make the database (`createdb NAME`), or mend store.url",
        ),
        Err(_) => Finding::wrong(
            part,
            format!("{at} does not answer within {} s", PATIENCE.as_secs()),
            "start PostgreSQL, or mend store.url",
        ),
    }
}

/// Connects, and changes nothing.
async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.sqlx_logging(false).max_connections(1).connect_timeout(PATIENCE);
    Database::connect(options).await
}

async fn number(db: &DatabaseConnection, statement: &str) -> Result<i64, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), statement);
    let row = db.query_one_raw(statement).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("an answer".into()))?.try_get_by_index(0)
}
