//! Raw output, kept beside the numbers derived from it.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounded raw output of a program, gzip-compressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// What it is, such as `stdout`; unique within its report.
    pub name: String,
    /// Length before compression, in bytes.
    pub bytes: u64,
    /// Whether the program printed more than was kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// gzip, then base64.
    pub data: String,
}

impl Artifact {
    /// Compresses `content`.
    pub fn new(name: impl Into<String>, content: &[u8], truncated: bool) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let compressed = encoder
            .write_all(content)
            .and_then(|()| encoder.finish())
            .expect("writing to memory does not fail");
        Self { name: name.into(), bytes: content.len() as u64, truncated, data: STANDARD.encode(compressed) }
    }

    /// From bytes that are compressed already, as the store keeps them.
    pub fn from_gzip(name: impl Into<String>, bytes: u64, truncated: bool, gzip: &[u8]) -> Self {
        Self { name: name.into(), bytes, truncated, data: STANDARD.encode(gzip) }
    }

    /// The compressed bytes.
    pub fn gzip(&self) -> std::io::Result<Vec<u8>> {
        STANDARD.decode(&self.data).map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))
    }

    /// The content, at most `limit` bytes of it: a small message must not unpack to an endless one.
    pub fn content(&self, limit: u64) -> std::io::Result<Vec<u8>> {
        let gzip = self.gzip()?;
        let mut content = Vec::new();
        GzDecoder::new(gzip.as_slice()).take(limit).read_to_end(&mut content)?;
        Ok(content)
    }
}
