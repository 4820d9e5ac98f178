//! nova's configuration files, as far as one has to know what is in force.

use std::collections::BTreeMap;

use super::{METRICS, Setting};

/// Options by section and name; what is read later wins, as in oslo.config.
#[derive(Clone, Debug, Default)]
pub struct Ini {
    options: BTreeMap<(String, String), String>,
}

impl Ini {
    /// Adds a file's text.
    pub fn read(&mut self, text: &str) {
        let mut section = "DEFAULT".to_owned();
        let mut last: Option<(String, String)> = None;
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                // a value that goes on
                if let Some(value) = last.as_ref().and_then(|key| self.options.get_mut(key)) {
                    value.push(' ');
                    value.push_str(trimmed);
                }
            } else if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.to_owned();
                last = None;
            } else if let Some((name, value)) = trimmed.split_once(['=', ':']) {
                let key = (section.clone(), name.trim().replace('-', "_"));
                self.options.insert(key.clone(), value.trim().to_owned());
                last = Some(key);
            }
        }
    }

    /// An option's text.
    pub fn option(&self, section: &str, name: &str) -> Option<&str> {
        self.options.get(&(section.to_owned(), name.to_owned())).map(String::as_str)
    }

    /// A section's options in the form of a file.
    pub fn section(&self, section: &str) -> String {
        let options = self.options.iter().filter(|((of, _), _)| of == section);
        options
            .fold(format!("[{section}]\n"), |text, ((_, name), value)| text + &format!("{name} = {value}\n"))
    }

    /// What is said of a setting, if anything is.
    pub fn get(&self, setting: &Setting) -> Option<String> {
        match setting {
            Setting::Knob(knob) => self.option(knob.section, knob.option).map(str::to_owned),
            Setting::Ratio(metric) => {
                let list = self.option("metrics", "weight_setting")?;
                let of = |pair: &str| {
                    Some(pair.split_once('=')?.1.trim().to_owned()).filter(|_| named(pair) == *metric)
                };
                list.split(',').rev().find_map(of)
            }
        }
    }

    /// Names in `[metrics] weight_setting` that the catalogue does not have: they would be lost when it is written.
    pub fn foreign_metrics(&self) -> Vec<String> {
        let list = self.option("metrics", "weight_setting");
        let names = list.into_iter().flat_map(|list| list.split(',')).map(named);
        names.filter(|name| !name.is_empty() && !METRICS.contains(name)).map(str::to_owned).collect()
    }
}

fn named(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, name: &str) -> Option<String> {
        let mut ini = Ini::default();
        ini.read(text);
        ini.get(&Setting::find(name).unwrap())
    }

    #[test]
    fn later_lines_win_and_sections_are_kept_apart() {
        let text = "ram_weight_multiplier = 9\n[filter_scheduler]\n# ram_weight_multiplier = 8\nram_weight_multiplier = 2.0\n\
                    ram-weight-multiplier: -1\n[metrics]\nweight_multiplier=3\n\
                    weight_setting = cpu.percent=-1.0,\n  cpu.user.percent = 0.5, own=1\n";
        assert_eq!(of(text, "ram_weight_multiplier").as_deref(), Some("-1"));
        assert_eq!(of(text, "metrics_weight_multiplier").as_deref(), Some("3"));
        assert_eq!(of(text, "metrics.cpu.user.percent").as_deref(), Some("0.5"));
        assert_eq!(of(text, "metrics.cpu.idle.percent"), None);
        assert_eq!(of("ram_weight_multiplier = 9", "ram_weight_multiplier"), None);
        let mut ini = Ini::default();
        ini.read(text);
        assert_eq!(ini.foreign_metrics(), ["own"]);
    }
}
