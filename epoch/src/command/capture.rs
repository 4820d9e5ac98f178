//! What a program printed, kept within bounds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::message::Artifact;

/// Output of one stream; if it was more than the limit, its beginning and its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// In a truncated one a line in the middle says how much is missing.
    pub bytes: Vec<u8>,
    /// How much the program printed.
    pub total: u64,
    pub truncated: bool,
}

impl Captured {
    /// For a report.
    pub fn artifact(&self, name: &str) -> Artifact {
        Artifact::new(name, &self.bytes, self.truncated)
    }

    /// The last lines, at most about `limit` bytes, for a person.
    pub fn tail(&self, limit: usize) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = text.trim();
        match text.char_indices().rev().nth(limit.saturating_sub(1)) {
            Some((at, _)) if at > 0 => format!("…{}", &text[at..]),
            _ => text.to_owned(),
        }
    }
}

/// Keeps the first and the last half of a limit.
#[derive(Debug)]
struct Bounded {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    half: (usize, usize),
    total: u64,
}

impl Bounded {
    fn push(&mut self, mut bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = self.half.0 - self.head.len();
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(first);
        bytes = &rest[rest.len().saturating_sub(self.half.1)..];
        let excess = (self.tail.len() + bytes.len()).saturating_sub(self.half.1);
        self.tail.drain(..excess);
        self.tail.extend(bytes);
    }

    fn finish(&mut self) -> Captured {
        let mut bytes = std::mem::take(&mut self.head);
        let kept = (bytes.len() + self.tail.len()) as u64;
        let truncated = self.total > kept;
        if truncated {
            let missing = self.total - kept;
            bytes.extend_from_slice(format!("\n[… {missing} bytes left out …]\n").as_bytes());
        }
        bytes.extend(self.tail.drain(..));
        Captured { bytes, total: self.total, truncated }
    }
}

/// A stream being read until its end, however much comes.
#[derive(Debug)]
pub(super) struct Drain {
    kept: Arc<Mutex<Bounded>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drain {
    pub(super) fn of(stream: impl AsyncRead + Unpin + Send + 'static, limit: usize) -> Self {
        let half = (limit - limit / 2, limit / 2);
        let bounded = Bounded { head: Vec::new(), tail: VecDeque::new(), half, total: 0 };
        let kept = Arc::new(Mutex::new(bounded));
        Self { task: tokio::spawn(read(stream, kept.clone())), kept }
    }

    /// Waits for the end of the stream; returns at once if it was reached before.
    pub(super) async fn end(&mut self) {
        if !self.task.is_finished() {
            let _ = (&mut self.task).await;
        }
    }

    /// What has been read; reading stops.
    pub(super) fn take(self) -> Captured {
        self.task.abort();
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).finish()
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(mut stream: impl AsyncRead + Unpin, kept: Arc<Mutex<Bounded>>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_kept_whole_and_of_more_the_beginning_and_the_end() {
        for pieces in [1, 3, 1000] {
            for (printed, limit) in [(10, 10), (11, 10), (1000, 7), (5, 1)] {
                let text: Vec<u8> = (0..printed).map(|i| b'a' + (i % 26) as u8).collect();
                let half = (limit - limit / 2, limit / 2);
                let mut bounded = Bounded { head: Vec::new(), tail: VecDeque::new(), half, total: 0 };
                text.chunks(pieces).for_each(|piece| bounded.push(piece));
                let captured = bounded.finish();
                assert_eq!(captured.total, printed as u64);
                assert_eq!(captured.truncated, printed > limit);
                assert!(captured.bytes.starts_with(&text[..half.0.min(printed)]));
                assert!(captured.bytes.ends_with(&text[printed.saturating_sub(half.1)..]));
                assert!(captured.truncated || captured.bytes == text);
            }
        }
    }
}
