//! A server's console log: the kernel, cloud-init, and the benchmark's result.

use sha2::{Digest, Sha256};

use super::server::Phase;
use super::{Cloud, Server};
use crate::contention::Role;
use crate::contention::noise::generator;
use crate::contention::role::Frame;
use crate::print;

/// The last so many bytes are all that nova's libvirt driver returns.
const MOST: usize = 100 * 1024;
const INTERRUPTION: &str = "[  312.480113] systemd[1]: Started Daily apt download activities.\n";

impl Cloud {
    /// What `os-getConsoleOutput` returns: at most 100 KiB, ASCII, without carriage returns; the last `lines` if told.
    pub fn console(&self, server: &Server, lines: Option<usize>) -> String {
        if server.flaws.empty || server.boot == 0 {
            return String::new();
        }
        let mut text = boot_messages(server);
        if let (Role::Benchmark { frame, .. }, Phase::Finished(outcome)) = (server.role, &server.phase) {
            let mut rng = generator(self.config.seed, "print", server.number);
            let (name, log) = (print::name(outcome.benchmark), print::log(outcome, &mut rng));
            match frame {
                Frame::Checksummed => {
                    let framed = framed(name, &log);
                    text.push_str(&flawed(&framed, server));
                    if !server.flaws.truncated {
                        text.push_str(&flawed(&framed, server));
                    }
                }
                Frame::Marker => {
                    text.push_str(&format!("[cloud_pipeline_console_output] file:{name}.log\n"));
                    text.push_str(&flawed(&log, server));
                }
            }
        }
        let bytes = text.as_bytes();
        let text = as_nova_returns(&bytes[bytes.len().saturating_sub(MOST)..]);
        let Some(lines) = lines else { return text };
        let all: Vec<&str> = text.split_inclusive('\n').collect();
        all[all.len().saturating_sub(lines)..].concat()
    }
}

fn boot_messages(server: &Server) -> String {
    let mut text =
        String::from("[    0.000000] Linux version 6.1.0-18-cloud-amd64 (debian-kernel@lists.debian.org)\n");
    if !matches!(server.phase, Phase::Off) {
        let name = &server.name;
        text.push_str("[   11.402211] cloud-init[612]: Cloud-init v. 22.4.2 running 'modules:final'\n");
        text.push_str(&format!("\nDebian GNU/Linux 12 {name} ttyS0\n\n{name} login: \n"));
    }
    text
}

/// docs/guest-frame.md.
fn framed(name: &str, log: &str) -> String {
    // the runner writes PerfTest's unit in ASCII
    let content: String = log
        .replace("µs", "us")
        .bytes()
        .map(|b| if matches!(b, b'\t' | b'\n' | 32..=126) { char::from(b) } else { '?' })
        .collect();
    let sum = Sha256::digest(content.as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let bytes = content.len();
    format!(
        "-----BEGIN AUTOOPT RESULT name={name}.log bytes={bytes} sha256={sum}-----\n{content}-----END AUTOOPT RESULT-----\n"
    )
}

fn flawed(text: &str, server: &Server) -> String {
    let middle = text[..text.floor_char_boundary(text.len() / 2)].rfind('\n').map_or(0, |i| i + 1);
    if server.flaws.truncated {
        return text[..middle].to_owned();
    }
    if server.flaws.corrupt {
        return format!("{}{INTERRUPTION}{}", &text[..middle], &text[middle..]);
    }
    text.to_owned()
}

/// Bytes above 127 become U+FFFD one by one, since nova decodes the log as ASCII.
fn as_nova_returns(bytes: &[u8]) -> String {
    bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '\u{fffd}' }).collect()
}
