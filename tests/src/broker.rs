//! A RabbitMQ node of the test's own, on free ports of the loopback interface.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A node takes 5 s to start on a quiet machine and up to 60 s on a busy one.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// A broker process; stopped on drop.
pub struct Broker {
    home: PathBuf,
    node: String,
    port: u16,
    tls_port: u16,
    distribution_port: u16,
    epmd_port: u16,
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Broker {
    /// Starts a node whose files live under `home`.
    pub async fn start(home: &Path) -> Result<Self> {
        Self::with_tls(home, "", "").await
    }

    /// The same with a port for TLS, if there are `settings` for it, lines of its `rabbitmq.conf`; `plugins` are enabled.
    pub async fn with_tls(home: &Path, settings: &str, plugins: &str) -> Result<Self> {
        let broker = Self {
            home: home.to_owned(),
            node: format!("autoopt-test-{}@localhost", std::process::id()),
            port: free_port()?,
            tls_port: free_port()?,
            distribution_port: free_port()?,
            epmd_port: free_port()?,
        };
        for folder in ["mnesia", "log", "home"] {
            std::fs::create_dir_all(home.join(folder))?;
        }
        std::fs::write(home.join("plugins"), format!("[{plugins}].\n"))?;
        let mut conf = format!("listeners.tcp.default = 127.0.0.1:{}\n{settings}", broker.port);
        if !settings.is_empty() {
            conf.push_str(&format!("listeners.ssl.default = 127.0.0.1:{}\n", broker.tls_port));
        }
        std::fs::write(home.join("rabbitmq.conf"), conf)?;
        broker.restart().await?;
        Ok(broker)
    }

    /// The address of its default vhost.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Where it listens for TLS, if it was told to.
    pub const fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// Starts the node again after [`Broker::kill`].
    pub async fn restart(&self) -> Result<()> {
        let log = std::fs::File::options().append(true).create(true).open(self.home.join("out"))?;
        self.command("rabbitmq-server")?
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("rabbitmq-server does not start; install it with `apt-get install rabbitmq-server`")?;
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the broker did not start, see {}", self.home.join("out").display())
    }

    /// SIGKILL, as a power cut does it.
    pub async fn kill(&self) -> Result<()> {
        kill(self.pid()?, Signal::SIGKILL)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
            ensure!(Instant::now() < deadline, "the killed broker still listens");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Runs `rabbitmqctl` on this node and returns what it prints.
    pub fn ctl(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command("rabbitmqctl")?.arg("-q").args(arguments).output()?;
        ensure!(
            output.status.success(),
            "rabbitmqctl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn pid(&self) -> Result<Pid> {
        let text =
            std::fs::read_to_string(self.home.join("pid")).context("the broker has not written its pid")?;
        Ok(Pid::from_raw(text.trim().parse()?))
    }

    fn command(&self, program: &str) -> Result<Command> {
        // Debian's wrappers in /usr/sbin change the user; the scripts behind them do not
        let script = Path::new("/usr/lib/rabbitmq/bin").join(program);
        let mut command = Command::new(if script.exists() { script } else { PathBuf::from(program) });
        command
            .env("HOME", self.home.join("home"))
            .env("LC_ALL", "C.UTF-8")
            .env("RABBITMQ_NODENAME", &self.node)
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", self.home.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", self.home.join("log"))
            .env("RABBITMQ_CONFIG_FILE", self.home.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.home.join("plugins"))
            .env("RABBITMQ_PID_FILE", self.home.join("pid"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1");
        Ok(command)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Ok(pid) = self.pid() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        // the port mapper that the node started outlives it
        if let Ok(mut epmd) = self.command("epmd") {
            let _ = epmd.args(["-port", &self.epmd_port.to_string(), "-kill"]).output();
        }
    }
}
