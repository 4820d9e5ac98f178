//! A broker that wants certificates from its clients, and knows them by name.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use autoopt_epoch::bus::Outgoing;
use autoopt_epoch::bus::amqp::{self, AmqpSettings};
use autoopt_epoch::bus::topology::Subscription;
use autoopt_epoch::id::MessageId;
use autoopt_tests::broker::Broker;

const USER: &str = "autoopt-worker";

fn openssl(directory: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    let output = command.args(arguments.split(' ')).current_dir(directory).output().expect("openssl starts");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and certificates of it for the broker and for a client: `NAME.pem` and `NAME.key`.
fn certificates(directory: &Path) {
    std::fs::write(directory.join("san"), "subjectAltName=DNS:localhost\n").expect("a file");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for authority in ["authority", "stranger"] {
        let subject = format!("-subj /CN={authority}");
        openssl(
            directory,
            &format!("req -x509 {key} {subject} -days 2 -keyout {authority}.key -out {authority}.pem"),
        );
    }
    for name in ["localhost", USER] {
        openssl(directory, &format!("req {key} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        let signed = "-CA authority.pem -CAkey authority.key -CAcreateserial -extfile san -days 2";
        openssl(directory, &format!("x509 -req -in {name}.csr {signed} -out {name}.pem"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_known_by_its_certificate() {
    let home = tempfile::tempdir().expect("a folder");
    let file = |name: &str| home.path().join(name).display().to_string();
    certificates(home.path());
    let conf = format!(
        "ssl_options.cacertfile = {}\nssl_options.certfile = {}\nssl_options.keyfile = {}\nssl_options.verify = verify_peer\n\
         ssl_options.fail_if_no_peer_cert = true\nauth_mechanisms.1 = EXTERNAL\nssl_cert_login_from = common_name\n",
        file("authority.pem"),
        file("localhost.pem"),
        file("localhost.key"),
    );
    let broker = Broker::with_tls(home.path(), &conf, "rabbitmq_auth_mechanism_ssl").await.expect("a broker");
    broker.ctl(&["add_user", USER, "unused"]).expect("a user");
    broker.ctl(&["set_permissions", USER, ".*", ".*", ".*"]).expect("rights");

    let place = format!("amqps://localhost:{}/%2f", broker.tls_port());
    let url = |authority: &str, client: &str| {
        let files = format!(
            "cacertfile={}&certfile={}&keyfile={}",
            file(authority),
            file(&format!("{client}.pem")),
            file(&format!("{client}.key"))
        );
        AmqpSettings::new(format!("{place}?{files}&auth_mechanism=external"), "tls")
    };
    let bus = amqp::connect(url("authority.pem", USER)).await.expect("it is known");
    let subscription = Subscription { queue: None, bindings: vec!["trial".into()], prefetch: 1 };
    let mut incoming = bus.subscribe(subscription).await.expect("a queue");
    let message = Outgoing {
        routing_key: "trial".into(),
        id: MessageId::fresh(),
        kind: "autoopt.test.v1".into(),
        body: b"hello".to_vec(),
        mandatory: true,
        headers: Default::default(),
    };
    bus.publish(message).await.expect("sent").await.expect("confirmed");
    let delivery = incoming.next().await.expect("a delivery");
    assert_eq!(delivery.body, b"hello");
    let users = broker.ctl(&["list_connections", "user", "ssl"]).expect("connections");
    assert!(users.lines().any(|line| line == format!("{USER}\ttrue")), "{users}");

    // one that the broker does not trust, and a broker that we do not: both are waited for, not taken
    for settings in [url("authority.pem", "stranger"), url("stranger.pem", USER)] {
        assert!(tokio::time::timeout(Duration::from_secs(3), amqp::connect(settings)).await.is_err());
    }
}
