//! A vhost of the test's own on the machine's RabbitMQ.

use std::process::Command;

use autoopt_epoch::id::MessageId;

/// Deleted at the end.
pub(crate) struct Vhost(pub(crate) String);

impl Vhost {
    pub(crate) fn new() -> Self {
        let name = format!("bus-{}", MessageId::fresh());
        rabbitmqctl(&["add_vhost", &name]);
        rabbitmqctl(&["set_permissions", "-p", &name, "guest", ".*", ".*", ".*"]);
        Self(name)
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:5672/{}", self.0)
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let _ = Command::new("rabbitmqctl").args(["-q", "delete_vhost", &self.0]).status();
    }
}

pub(crate) fn rabbitmqctl(arguments: &[&str]) {
    let output = Command::new("rabbitmqctl").arg("-q").args(arguments).output().expect("rabbitmqctl starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
