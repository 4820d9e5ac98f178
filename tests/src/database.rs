//! A PostgreSQL database of the test's own, dropped at the end.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Where the tests' PostgreSQL is, unless `AUTOOPT_TEST_POSTGRES` says otherwise.
const SERVER: &str = "postgres://postgres@127.0.0.1:5432";

/// A database; dropped with this value.
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Makes a database with a name of its own.
    pub fn create() -> Result<Self> {
        let server = std::env::var("AUTOOPT_TEST_POSTGRES").unwrap_or_else(|_| SERVER.into());
        let name = format!("autoopt_test_{}", uuid::Uuid::now_v7().simple());
        let database = Self { server, name };
        database.psql(&format!("create database {}", database.name))?;
        Ok(database)
    }

    /// The address for a service's configuration.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    fn psql(&self, statement: &str) -> Result<()> {
        let output = Command::new("psql")
            .args(["-qAt", &format!("{}/postgres", self.server), "-c", statement])
            .output()
            .context("psql does not start; install it with `apt-get install postgresql-client`")?;
        ensure!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.psql(&format!("drop database if exists {} with (force)", self.name));
    }
}
