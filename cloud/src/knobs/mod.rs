//! What of nova-scheduler can be tuned, without I/O.
//!
//! A parameter of an experiment names a [`Setting`]: a knob of the [catalogue](all), or `metrics.NAME`, the ratio of one metric in
//! `[metrics] weight_setting`. From nova's source (`nova/conf/scheduler.py`, `nova/scheduler/weights/`, `nova/scheduler/utils.py`,
//! 2026.2 in development) and its release notes.

mod catalogue;
mod ini;
mod snippet;

use autoopt_epoch::problem::nearest;
use autoopt_epoch::space::Value;

pub use catalogue::{METRICS, all};
pub use ini::Ini;
pub use snippet::{HEADER, render};

/// The type of a knob's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Float,
    Int,
    Bool,
}

/// One option of nova-scheduler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knob {
    /// Unique; for a multiplier also the key in an aggregate's metadata.
    pub name: &'static str,
    /// Where it stands in nova.conf.
    pub section: &'static str,
    pub option: &'static str,
    /// The weigher it belongs to, if any.
    pub weigher: Option<&'static str>,
    pub kind: Kind,
    /// nova's default, as a number.
    pub default: f64,
    /// The smallest value nova accepts, if it says so.
    pub minimum: Option<f64>,
    /// The first release of nova that has it, by its major number (18 is Rocky, 26 Zed, 31 Epoxy); 0 for all since 2014.
    pub since: u32,
    /// Whether a host aggregate's metadata overrides it, without a restart (since Stein, 19).
    pub aggregate: bool,
    /// What to know before tuning it.
    pub note: &'static str,
}

/// What a parameter stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Setting {
    Knob(&'static Knob),
    /// The ratio of this metric in `[metrics] weight_setting`; no aggregate can override it.
    Ratio(&'static str),
}

/// Parameters `metrics.NAME` are ratios.
const RATIO: &str = "metrics.";

impl Setting {
    /// What the parameter `name` stands for, or why it stands for nothing and which name is meant.
    pub fn find(name: &str) -> Result<Self, String> {
        if let Some(knob) = all().iter().find(|knob| knob.name == name) {
            return Ok(Self::Knob(knob));
        }
        if let Some(ratio) = name.strip_prefix(RATIO).and_then(|name| METRICS.iter().find(|m| **m == name)) {
            return Ok(Self::Ratio(ratio));
        }
        Err(format!("parameter `{name}` is no setting of nova-scheduler; {}", meant(name)))
    }

    /// Whether it can be set in an aggregate's metadata.
    pub const fn aggregate(&self) -> bool {
        match self {
            Self::Knob(knob) => knob.aggregate,
            Self::Ratio(_) => false,
        }
    }

    /// What is in force when nobody sets it.
    pub const fn default(&self) -> f64 {
        match self {
            Self::Knob(knob) => knob.default,
            Self::Ratio(_) => 0.0,
        }
    }

    /// The text for nova, or why nova would refuse the value.
    pub fn text(&self, value: &Value) -> Result<String, String> {
        let (name, kind, minimum) = match self {
            Self::Knob(knob) => (knob.name, knob.kind, knob.minimum),
            Self::Ratio(name) => (*name, Kind::Float, None),
        };
        let number = match (kind, value) {
            (Kind::Bool, Value::Bool(on)) => return Ok(if *on { "true" } else { "false" }.into()),
            (Kind::Int, Value::Int(n)) => *n as f64,
            (Kind::Float, Value::Int(n)) => *n as f64,
            (Kind::Float, Value::Float(x)) => *x,
            _ => return Err(format!("`{name}` is {}, not `{value}`", kind.noun())),
        };
        if let Some(minimum) = minimum.filter(|minimum| number < *minimum) {
            return Err(format!("`{name}` is at least {minimum}, not {value}: nova would not start with it"));
        }
        Ok(value.to_string())
    }

    /// A text of nova's in the type of `like`.
    pub fn value(&self, text: &str, like: &Value) -> Result<Value, String> {
        let number = || text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
        let read = match like {
            Value::Float(_) => number().map(Value::Float),
            Value::Int(_) => {
                number().filter(|x| x.fract() == 0.0 && x.abs() < 1e15).map(|x| Value::Int(x as i64))
            }
            Value::Bool(_) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(Value::Bool(true)),
                "false" | "0" | "no" | "off" => Some(Value::Bool(false)),
                _ => None,
            },
            Value::Text(_) => Some(Value::Text(text.to_owned())),
        };
        let name = match self {
            Self::Knob(knob) => knob.name,
            Self::Ratio(name) => name,
        };
        read.ok_or_else(|| format!("`{name}` is set to `{text}`, which is no value of its type"))
    }
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::Float => "a number",
            Self::Int => "a whole number",
            Self::Bool => "true or false",
        }
    }
}

/// What to write in place of a name that is none.
fn meant(name: &str) -> String {
    // `DEFAULT/ram_weight_multiplier`, `filter_scheduler.ram_weight_multiplier`, `scheduler_host_subset_size`
    let plain = name.rsplit(['/', '.']).next().unwrap_or(name);
    let unprefixed = plain.strip_prefix("scheduler_").unwrap_or(plain);
    for knob in all() {
        let old = name.starts_with("DEFAULT") && (knob.name == plain || knob.name == unprefixed);
        if old {
            return format!(
                "write `{}`. The section [DEFAULT] is ignored since 24 (Xena), without a word; it stands in [{}]",
                knob.name, knob.section
            );
        }
        if knob.name == plain || knob.name == unprefixed || (knob.section, knob.option) == ("metrics", plain)
        {
            return format!("write `{}`", knob.name);
        }
    }
    if METRICS.contains(&name) {
        return format!("write `{RATIO}{name}` for its ratio in [metrics] weight_setting");
    }
    if plain == "weight_setting" {
        return format!("write one parameter for each metric, such as `{RATIO}{}`", METRICS[0]);
    }
    let ratios: Vec<String> = METRICS.iter().map(|metric| format!("{RATIO}{metric}")).collect();
    let known = all().iter().map(|knob| knob.name).chain(ratios.iter().map(String::as_str));
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "docs/openstack.md lists them".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_or_retired_name_is_answered_with_the_right_one() {
        for (name, said) in [
            (
                "DEFAULT/ram_weight_multiplier",
                "write `ram_weight_multiplier`. The section [DEFAULT] is ignored",
            ),
            ("DEFAULT.scheduler_host_subset_size", "write `host_subset_size`"),
            ("filter_scheduler.disk_weight_multiplier", "write `disk_weight_multiplier`"),
            ("metrics.weight_multiplier", "write `metrics_weight_multiplier`"),
            ("cpu.user.percent", "write `metrics.cpu.user.percent`"),
            ("metrics.weight_setting", "one parameter for each metric"),
            ("metrics.cpu.user.percnt", "did you mean `metrics.cpu.user.percent`?"),
            ("ram_wieght_multiplier", "did you mean `ram_weight_multiplier`?"),
            ("colour", "docs/openstack.md"),
        ] {
            let error = Setting::find(name).expect_err(said);
            assert!(error.contains(said), "{said}: {error}");
        }
    }

    #[test]
    fn every_setting_is_found_by_its_name_and_takes_its_default() {
        for knob in all() {
            let setting = Setting::find(knob.name).unwrap();
            assert_eq!(setting, Setting::Knob(knob));
            let default = match knob.kind {
                Kind::Float => Value::Float(knob.default),
                Kind::Int => Value::Int(knob.default as i64),
                Kind::Bool => Value::Bool(knob.default != 0.0),
            };
            let text = setting.text(&default).unwrap();
            assert_eq!(setting.value(&text, &default).unwrap(), default, "{}", knob.name);
            assert!(!knob.note.is_empty() && knob.default >= knob.minimum.unwrap_or(f64::NEG_INFINITY));
        }
        for metric in METRICS {
            assert_eq!(Setting::find(&format!("metrics.{metric}")).unwrap(), Setting::Ratio(metric));
        }
    }

    #[test]
    fn what_nova_would_refuse_is_refused_here() {
        let pci = Setting::find("pci_weight_multiplier").unwrap();
        assert!(pci.text(&Value::Float(-0.5)).unwrap_err().contains("at least 0"));
        assert!(pci.text(&Value::Bool(true)).unwrap_err().contains("a number"));
        assert_eq!(
            Setting::find("ram_weight_multiplier").unwrap().text(&Value::Float(-0.25)).unwrap(),
            "-0.25"
        );
        assert!(pci.value("much", &Value::Float(0.0)).unwrap_err().contains("`much`"));
    }
}
