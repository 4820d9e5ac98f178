//! The section `[api]`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use autoopt_epoch::service::config::secret;
use serde::Deserialize;

/// Where the API listens, and who may use it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// `ADDRESS:PORT`; port 0 takes any free one.
    pub listen: SocketAddr,
    /// A file with the token that each request has to carry (`authorization: Bearer TOKEN`). Without one the API listens on
    /// loopback addresses only.
    pub token_file: Option<PathBuf>,
    /// A file with a line `NAME TOKEN` for each person: with such a token the event log says who did what.
    pub people_file: Option<PathBuf>,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7771)), token_file: None, people_file: None }
    }
}

/// The shortest token, in characters.
const MIN_TOKEN: usize = 16;

impl ApiSettings {
    /// The token, if there is one; what is wrong, for people, otherwise.
    pub fn token(&self) -> Result<Option<String>, String> {
        let Some(path) = &self.token_file else {
            // a file that names nobody keeps nobody out
            return if self.listen.ip().is_loopback() || !self.people()?.is_empty() {
                Ok(None)
            } else {
                Err(format!(
                    "api.listen: {} can be reached from outside, which needs a token; name its file in api.token_file, or listen on 127.0.0.1",
                    self.listen
                ))
            };
        };
        let token = secret(path).map_err(|error| format!("api.token_file: {error}"))?;
        if !usable(&token) {
            return Err(format!(
                "api.token_file: {} has to hold one word of at least {MIN_TOKEN} ASCII characters; `openssl rand -hex 32` makes one",
                path.display()
            ));
        }
        Ok(Some(token))
    }

    /// Each person's token, by name; what is wrong, for people, otherwise.
    pub fn people(&self) -> Result<BTreeMap<String, String>, String> {
        let Some(path) = &self.people_file else { return Ok(BTreeMap::new()) };
        let text = secret(path).map_err(|error| format!("api.people_file: {error}"))?;
        people(&text).map_err(|line| {
            format!(
                "api.people_file: line {line} of {} has to be a name and a token of at least {MIN_TOKEN} ASCII characters, \
                 neither of which is there twice: `ada 0123456789abcdef`; `openssl rand -hex 32` makes a token",
                path.display()
            )
        })
    }
}

fn usable(token: &str) -> bool {
    token.len() >= MIN_TOKEN && !token.contains(char::is_whitespace) && token.is_ascii()
}

/// Lines `NAME TOKEN`, empty ones and those with `#` aside; the number of the first that is none.
fn people(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let mut people = BTreeMap::new();
    let mut tokens = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, token) = line.split_once(char::is_whitespace).ok_or(index + 1)?;
        let token = token.trim().to_owned();
        let fresh = tokens.insert(token.clone());
        if !usable(&token) || !fresh || people.insert(name.to_owned(), token).is_some() {
            return Err(index + 1);
        }
    }
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_and_a_token() {
        let read = people("# who may act\n\nada 0123456789abcdef\ngrace\tfedcba9876543210 \n").unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["ada", "grace"]);
        assert_eq!(read["grace"], "fedcba9876543210");
        for (wrong, line) in [
            ("ada", 1),
            ("ada short", 1),
            ("\nada 0123456789abcdef more", 2),
            ("ada 0123456789abcdef\nada 1123456789abcdef", 2),
            ("ada 0123456789abcdef\ngrace 0123456789abcdef", 2),
        ] {
            assert_eq!(people(wrong), Err(line), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_nobody_opens_the_api_to_nobody() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let at = |listen: &str| ApiSettings {
            listen: listen.parse().unwrap(),
            token_file: None,
            people_file: Some(file.path().into()),
        };
        std::fs::write(file.path(), "# nobody yet\n").unwrap();
        assert_eq!(at("127.0.0.1:7771").token(), Ok(None));
        assert!(at("0.0.0.0:7771").token().is_err());
        std::fs::write(file.path(), "ada 0123456789abcdef\n").unwrap();
        assert_eq!(at("0.0.0.0:7771").token(), Ok(None));
    }
}
