//! Routing-key patterns of a topic exchange, for the bus inside one process.

/// Whether `key` fits `pattern`: `*` stands for one word, `#` for any number of words, words end at dots.
pub(super) fn matches(pattern: &str, key: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('.').collect();
    let key: Vec<&str> = key.split('.').collect();
    words_match(&pattern, &key)
}

fn words_match(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern.split_first(), key.split_first()) {
        (None, None) => true,
        (Some((&"#", rest)), _) => {
            words_match(rest, key) || key.split_first().is_some_and(|(_, key)| words_match(pattern, key))
        }
        (Some((word, rest)), Some((first, key))) => (*word == "*" || word == first) && words_match(rest, key),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_take_one_word_and_hashes_any_number() {
        for (pattern, key, fits) in [
            ("trial", "trial", true),
            ("trial", "trial.x", false),
            ("report.*.*", "report.c1.bench", true),
            ("report.*.*", "report.c1", false),
            ("report.*.*", "report.c1.bench.x", false),
            ("event.#", "event", true),
            ("event.#", "event.a.b.c", true),
            ("event.*.#", "event", false),
            ("#.done", "done", true),
            ("#.done", "a.b.done", true),
            ("#.done", "a.done.b", false),
            ("#", "", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, key), fits, "`{pattern}` on `{key}`");
        }
    }
}
