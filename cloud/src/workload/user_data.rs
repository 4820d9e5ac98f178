//! A server's user data: shell variables, then the files that the experiment names.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::spec::ServerSpec;

/// The text of a file of the worker's, given relative to `root`, out of which no name leads.
pub(crate) fn file(root: &Path, name: &str) -> Result<String, String> {
    let relative = Path::new(name);
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(format!("`{name}` leads out of the worker's files; give a path below `openstack.files`"));
    }
    let path = root.join(relative);
    std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The user data of a server before addresses are known; nothing if it has none.
pub(super) fn assemble(root: &Path, spec: &ServerSpec) -> Result<Option<String>, String> {
    let texts: Result<Vec<String>, String> = spec.user_data.iter().map(|name| file(root, name)).collect();
    let texts = texts?;
    let Some(first) = texts.first() else { return Ok(None) };
    if spec.variables.is_empty() {
        return Ok(Some(texts.concat()));
    }
    let shell = first.lines().next().is_some_and(|line| line.starts_with("#!") && line.ends_with("sh"));
    if !shell {
        return Err(format!("`{}` is no shell script, so it cannot have `variables`", spec.user_data[0]));
    }
    let (interpreter, rest) = first.split_once('\n').unwrap_or((first, ""));
    let mut text = format!("{interpreter}\n");
    for (name, value) in &spec.variables {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("`{name}` is no name of a shell variable"));
        }
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.push_str(&format!("{name}='{}'\n", value.replace('\'', r"'\''")));
    }
    text.push_str(rest);
    texts[1..].iter().for_each(|more| text.push_str(more));
    Ok(Some(text))
}

/// Puts the addresses of servers in place of `{address:NAME}`.
pub(super) fn with_addresses(text: &str, addresses: &BTreeMap<String, String>) -> Result<String, String> {
    const OPEN: &str = "{address:";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (name, after) = after.split_once('}').ok_or("`{address:` without `}` in its user data")?;
        let address = addresses.get(name).ok_or_else(|| {
            format!("its user data wants the address of `{name}`, which no earlier server with a network has as its name")
        })?;
        out.extend([before, address]);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stand_at_the_head_and_are_quoted() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("run.sh"), "#!/bin/sh\nset -eu\n").unwrap();
        std::fs::write(directory.path().join("more.sh"), "echo \"$peer\"\n").unwrap();
        std::fs::write(directory.path().join("init.yaml"), "#cloud-config\n").unwrap();
        let spec = |json: serde_json::Value| serde_json::from_value::<ServerSpec>(json).unwrap();
        let given = spec(serde_json::json!({
            "name": "a", "user_data": ["run.sh", "more.sh"], "variables": {"peer": "{address:b}", "n": 4, "said": "it's"},
        }));
        let text = assemble(directory.path(), &given).unwrap().unwrap();
        assert_eq!(text, "#!/bin/sh\nn='4'\npeer='{address:b}'\nsaid='it'\\''s'\nset -eu\necho \"$peer\"\n");
        let addresses = BTreeMap::from([("b".to_owned(), "10.0.0.7".to_owned())]);
        assert!(with_addresses(&text, &addresses).unwrap().contains("peer='10.0.0.7'"));
        assert!(with_addresses(&text, &BTreeMap::new()).unwrap_err().contains("`b`"));

        for (json, said) in [
            (serde_json::json!({"name": "a", "user_data": ["../secret"]}), "leads out"),
            (serde_json::json!({"name": "a", "user_data": ["/etc/passwd"]}), "leads out"),
            (serde_json::json!({"name": "a", "user_data": ["absent.sh"]}), "cannot read"),
            (
                serde_json::json!({"name": "a", "user_data": ["init.yaml"], "variables": {"a": 1}}),
                "no shell script",
            ),
            (serde_json::json!({"name": "a", "user_data": ["run.sh"], "variables": {"a b": 1}}), "no name"),
        ] {
            let error = assemble(directory.path(), &spec(json)).expect_err(said);
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
