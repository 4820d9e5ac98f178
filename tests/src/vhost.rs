//! A virtual host of the test's own on the machine's RabbitMQ, deleted at the end.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A vhost; deleted with this value.
pub struct Vhost(String);

impl Vhost {
    /// Makes one that `guest` may use.
    pub fn create() -> Result<Self> {
        let vhost = Self(format!("autoopt-test-{}", uuid::Uuid::now_v7()));
        rabbitmqctl(&["add_vhost", &vhost.0])?;
        rabbitmqctl(&["set_permissions", "-p", &vhost.0, "guest", ".*", ".*", ".*"])?;
        Ok(vhost)
    }

    /// The address for a service's configuration.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:5672/{}", self.0)
    }

    /// Cuts every connection to it.
    pub fn cut(&self) -> Result<()> {
        rabbitmqctl(&["close_all_connections", "--vhost", &self.0, "cut by a test"])
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let _ = rabbitmqctl(&["delete_vhost", &self.0]);
    }
}

fn rabbitmqctl(arguments: &[&str]) -> Result<()> {
    let output = Command::new("rabbitmqctl")
        .arg("-q")
        .args(arguments)
        .output()
        .context("rabbitmqctl does not start")?;
    ensure!(
        output.status.success(),
        "rabbitmqctl {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
