//! The options of nova-scheduler, as read from its configuration.

use std::collections::BTreeMap;

use super::Weigher;
use super::conf::Options;
use super::filters::Filter;

/// What nova-scheduler was started with.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    multipliers: BTreeMap<Weigher, f64>,
    /// The active weighers, in the order in which they add.
    pub weighers: Vec<Weigher>,
    /// `[metrics] weight_setting`: metric and ratio.
    pub weight_setting: Vec<(String, f64)>,
    pub metrics_required: bool,
    pub weight_of_unavailable: f64,
    pub image_props_weight_setting: Vec<(String, f64)>,
    pub enabled_filters: Vec<Filter>,
    pub host_subset_size: usize,
    pub shuffle_best_same_weighed_hosts: bool,
    pub max_instances_per_host: i64,
    pub max_io_ops_per_host: i64,
    pub max_attempts: usize,
    pub max_placement_results: usize,
}

/// An option that nova-scheduler does not start with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("[{section}] {key} = {value}: {problem}")]
pub struct BadOption {
    pub section: String,
    pub key: String,
    pub value: String,
    pub problem: String,
}

const DEFAULT_FILTERS: &str = "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,\
                               ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter";
const ALL_WEIGHERS: &str = "nova.scheduler.weights.all_weighers";

impl Settings {
    /// nova's defaults, for the major version `release` (26 is Zed).
    pub fn defaults(release: u32) -> Self {
        Self {
            multipliers: Weigher::ALL.into_iter().map(|w| (w, w.facts().default)).collect(),
            weighers: all_weighers(release),
            weight_setting: Vec::new(),
            metrics_required: true,
            weight_of_unavailable: -10_000.0,
            image_props_weight_setting: Vec::new(),
            enabled_filters: DEFAULT_FILTERS.split(',').filter_map(Filter::named).collect(),
            host_subset_size: 1,
            shuffle_best_same_weighed_hosts: false,
            max_instances_per_host: 50,
            max_io_ops_per_host: 8,
            max_attempts: 3,
            max_placement_results: 1000,
        }
    }

    /// The defaults and what `options` says instead. Keys that nova does not know are passed over, as oslo.config does.
    pub fn read(options: &Options, release: u32) -> Result<Self, BadOption> {
        let mut settings = Self::defaults(release);
        for weigher in Weigher::ALL {
            let facts = weigher.facts();
            if facts.since <= release
                && let Some(value) = number::<f64>(options, facts.section, facts.option)?
            {
                if facts.non_negative && value < 0.0 {
                    let problem = "should be greater than or equal to 0";
                    return Err(bad(facts.section, facts.option, &value.to_string(), problem));
                }
                settings.multipliers.insert(weigher, value);
            }
        }
        const FILTER: &str = "filter_scheduler";
        settings.weight_setting = ratios(options.get("metrics", "weight_setting"));
        settings.image_props_weight_setting = ratios(options.get(FILTER, "image_props_weight_setting"));
        set(&mut settings.weight_of_unavailable, number(options, "metrics", "weight_of_unavailable")?);
        set(&mut settings.metrics_required, boolean(options, "metrics", "required")?);
        set(
            &mut settings.shuffle_best_same_weighed_hosts,
            boolean(options, FILTER, "shuffle_best_same_weighed_hosts")?,
        );
        set(&mut settings.host_subset_size, at_least_one(options, FILTER, "host_subset_size")?);
        set(&mut settings.max_attempts, at_least_one(options, "scheduler", "max_attempts")?);
        set(
            &mut settings.max_placement_results,
            at_least_one(options, "scheduler", "max_placement_results")?,
        );
        set(&mut settings.max_instances_per_host, number(options, FILTER, "max_instances_per_host")?);
        set(&mut settings.max_io_ops_per_host, number(options, FILTER, "max_io_ops_per_host")?);
        if let Some(text) = options.get(FILTER, "enabled_filters") {
            settings.enabled_filters = list(text)
                .map(|name| {
                    let problem = "Scheduler Host Filter could not be found";
                    Filter::named(name).ok_or_else(|| bad(FILTER, "enabled_filters", name, problem))
                })
                .collect::<Result<_, _>>()?;
        }
        if let Some(text) = options.get(FILTER, "weight_classes").filter(|text| text.trim() != ALL_WEIGHERS) {
            settings.weighers = chosen_weighers(text, release)?;
        }
        Ok(settings)
    }

    /// The configured multiplier of `weigher`.
    pub fn multiplier(&self, weigher: Weigher) -> f64 {
        self.multipliers.get(&weigher).copied().unwrap_or_else(|| weigher.facts().default)
    }

    /// The same settings with another multiplier.
    pub fn with_multiplier(mut self, weigher: Weigher, value: f64) -> Self {
        self.multipliers.insert(weigher, value);
        self
    }
}

fn all_weighers(release: u32) -> Vec<Weigher> {
    Weigher::ALL.into_iter().filter(|w| w.facts().since <= release).collect()
}

fn chosen_weighers(text: &str, release: u32) -> Result<Vec<Weigher>, BadOption> {
    list(text)
        .map(|name| {
            let class = name.rsplit('.').next().unwrap_or(name);
            let known = all_weighers(release).into_iter().find(|w| w.facts().class == class);
            known.ok_or_else(|| bad("filter_scheduler", "weight_classes", name, "Class could not be found"))
        })
        .collect()
}

fn bad(section: &str, key: &str, value: &str, problem: &str) -> BadOption {
    BadOption { section: section.into(), key: key.into(), value: value.into(), problem: problem.into() }
}

fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

fn number<T: std::str::FromStr>(options: &Options, section: &str, key: &str) -> Result<Option<T>, BadOption> {
    let read =
        |text: &str| text.trim().parse().map_err(|_| bad(section, key, text, "not a number of this kind"));
    options.get(section, key).map(read).transpose()
}

fn at_least_one(options: &Options, section: &str, key: &str) -> Result<Option<usize>, BadOption> {
    match number::<usize>(options, section, key)? {
        Some(0) => Err(bad(section, key, "0", "should be greater than or equal to 1")),
        other => Ok(other),
    }
}

/// The words that oslo.config reads as booleans.
fn boolean(options: &Options, section: &str, key: &str) -> Result<Option<bool>, BadOption> {
    let Some(text) = options.get(section, key) else { return Ok(None) };
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(Some(true)),
        "false" | "0" | "off" | "no" => Ok(Some(false)),
        _ => Err(bad(section, key, text, "Unexpected boolean value")),
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// `name=ratio` pairs; what is not one is left out, as nova does (with a warning in its log).
fn ratios(text: Option<&str>) -> Vec<(String, f64)> {
    let pair = |item: &str| {
        let (name, ratio) = item.split_once('=')?;
        let ratio = ratio.trim().parse().ok()?;
        (!name.is_empty()).then(|| (name.to_owned(), ratio))
    };
    list(text.unwrap_or_default()).filter_map(pair).collect()
}
