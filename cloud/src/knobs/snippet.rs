//! The file that carries what aggregates cannot.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Setting;

/// The first line of every snippet of ours.
pub const HEADER: &str =
    "# Written by AutoOptCloud. Delete this file and restart nova-scheduler to be rid of it.";

/// A snippet with these settings, in a fixed order.
pub fn render(owner: &str, settings: &[(Setting, String)]) -> String {
    let mut sections: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut ratios = Vec::new();
    for (setting, text) in settings {
        match setting {
            Setting::Knob(knob) => {
                sections.entry(knob.section).or_default().push(format!("{} = {text}", knob.option));
            }
            Setting::Ratio(metric) => ratios.push(format!("{metric}={text}")),
        }
    }
    if !ratios.is_empty() {
        sections.entry("metrics").or_default().push(format!("weight_setting = {}", ratios.join(", ")));
    }
    let mut snippet = format!("{HEADER}\n# owner: {owner}\n");
    for (section, lines) in sections {
        let _ = write!(snippet, "\n[{section}]\n{}\n", lines.join("\n"));
    }
    snippet
}

#[cfg(test)]
mod tests {
    use super::super::Ini;
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let settings: Vec<_> = [
            ("host_subset_size", "2"),
            ("metrics.cpu.percent", "-0.5"),
            ("metrics.cpu.frequency", "0.001"),
            ("metrics_weight_multiplier", "1.5"),
        ]
        .map(|(name, text)| (Setting::find(name).unwrap(), text.to_owned()))
        .into();
        let text = render("e 1", &settings);
        assert!(text.starts_with(HEADER), "{text}");
        let mut ini = Ini::default();
        ini.read(&text);
        for (setting, text) in &settings {
            assert_eq!(ini.get(setting).as_ref(), Some(text), "{setting:?}");
        }
    }
}
