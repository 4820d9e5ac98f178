//! A user's password: made here, kept in a file, and given to the broker as a hash.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// 128 random bits in hexadecimal: it can stand in an address as it is.
pub(super) fn fresh() -> std::io::Result<String> {
    Ok(random::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The form in which RabbitMQ keeps it (`rabbit_password_hashing_sha256`): base64 of a salt of 4 bytes and the SHA-256
/// of salt and password. Source: <https://www.rabbitmq.com/docs/passwords>.
pub(super) fn hash(password: &str) -> std::io::Result<String> {
    Ok(salted(random::<4>()?, password))
}

fn salted(salt: [u8; 4], password: &str) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update(password).finalize();
    let mut bytes = salt.to_vec();
    bytes.extend_from_slice(&digest);
    STANDARD.encode(bytes)
}

fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_as_the_brokers_documentation_computes_it() {
        // its example: salt 908DC60A, password test12
        assert_eq!(
            salted([0x90, 0x8d, 0xc6, 0x0a], "test12"),
            "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
        );
    }
}
