//! Who may do what on the broker: one user for each service, with only the rights it needs.
//!
//! RabbitMQ knows three rights on exchanges and queues (configure, write, read), and for a topic exchange which routing
//! keys a user may publish with (write) and bind to (read); each is a regular expression on the whole name.

use super::topology::{
    COORDINATOR_CLAIM, COORDINATOR_QUEUE, DEAD_LETTERS, EXCHANGE, LOG_STREAM, TRIAL_KEY, epoch_key,
    event_key, log_key,
};
use crate::message::{EventKind, Stage};

/// The queues that a connection makes for itself begin with this.
const OWN_QUEUES: &str = r"autoopt\.own\..*";

/// A kind of user of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Hears trials, reports and explanations; publishes everything else, and those where it sends a dead letter again.
    Coordinator,
    /// Hears the asks for some algorithms, answers with trials and explanations. The name tells one optimizer from others.
    Optimizer { name: Option<String>, algorithms: Vec<String> },
    /// Hears what one stage of one cluster has to do, and reports.
    Worker { stage: Stage, cluster: String },
    /// Publishes trials and hears events: for a person's own programs.
    Person,
    /// Hears events, reads the log, reads dead letters and sends them again: for `autoopt logs` and `autoopt dead-letters`.
    Operator,
}

/// What a user may do: a regular expression for each right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Exchanges and queues it may declare and delete.
    pub configure: String,
    /// Exchanges it may publish to, queues it may bind.
    pub write: String,
    /// Queues it may consume, exchanges it may bind to.
    pub read: String,
    /// Routing keys it may publish with on the exchange `autoopt`.
    pub topic_write: String,
    /// Routing keys it may bind to there.
    pub topic_read: String,
}

impl Role {
    /// The user's name: that of the service's unit, where there is one.
    pub fn user(&self) -> String {
        match self {
            Self::Coordinator => "autoopt-coordinator".into(),
            Self::Optimizer { name: None, .. } => "autoopt-optimizer".into(),
            Self::Optimizer { name: Some(name), .. } => format!("autoopt-optimizer-{name}"),
            Self::Worker { stage, cluster } => format!("autoopt-worker-{stage}@{cluster}"),
            Self::Person => "autoopt-person".into(),
            Self::Operator => "autoopt-operator".into(),
        }
    }

    /// The role that [`Role::user`] made this name of. An optimizer's name is the one algorithm it answers for; the
    /// own one answers for `own`.
    pub fn of_user(user: &str, own: &[String]) -> Option<Self> {
        Some(match user.strip_prefix("autoopt-")? {
            "coordinator" => Self::Coordinator,
            "optimizer" => Self::Optimizer { name: None, algorithms: own.to_vec() },
            "person" => Self::Person,
            "operator" => Self::Operator,
            other => {
                if let Some(name) = other.strip_prefix("optimizer-") {
                    return Some(Self::Optimizer { name: Some(name.into()), algorithms: vec![name.into()] });
                }
                let (stage, cluster) = other.strip_prefix("worker-")?.split_once('@')?;
                let stage = Stage::ALL.into_iter().find(|s| s.as_str() == stage)?;
                Self::Worker { stage, cluster: cluster.into() }
            }
        })
    }

    /// The durable queues that it consumes.
    pub fn queues(&self) -> Vec<String> {
        match self {
            Self::Coordinator => vec![COORDINATOR_QUEUE.into()],
            Self::Optimizer { algorithms, .. } => {
                algorithms.iter().map(|algorithm| format!("autoopt.ask.{algorithm}")).collect()
            }
            Self::Worker { stage, cluster } => vec![format!("autoopt.{stage}.{cluster}")],
            Self::Person | Self::Operator => Vec::new(),
        }
    }

    /// Whether it makes queues of its own, which go with its connection.
    pub const fn makes_own_queues(&self) -> bool {
        !matches!(self, Self::Coordinator | Self::Optimizer { .. })
    }

    /// The claim that it has to get before it works.
    pub const fn claim(&self) -> Option<&'static str> {
        match self {
            Self::Coordinator => Some(COORDINATOR_CLAIM),
            _ => None,
        }
    }

    /// What it needs.
    pub fn rights(&self) -> Rights {
        let queues: Vec<String> = self
            .queues()
            .iter()
            .map(|queue| regex::escape(queue))
            .chain(self.makes_own_queues().then(|| OWN_QUEUES.to_owned()))
            .collect();
        let (exchange, dead) = (regex::escape(EXCHANGE), regex::escape(DEAD_LETTERS));
        let log = regex::escape(LOG_STREAM);
        let with = |names: &[&String]| one_of(names.iter().copied().chain(&queues));
        let (topic_write, topic_read) = match self {
            Self::Coordinator => (
                format!(
                    r"({TRIAL_KEY}|(epoch|cancel|report|ask|event|explanation)\..*|log\.coordinator\..*)"
                ),
                format!(r"({TRIAL_KEY}|(report|explanation)\..*)"),
            ),
            Self::Optimizer { algorithms, .. } => {
                let algorithms: Vec<String> = algorithms.iter().map(|name| regex::escape(name)).collect();
                (
                    format!(r"({TRIAL_KEY}|explanation\..*|log\.optimizer\..*)"),
                    format!(r"ask\.({})", algorithms.join("|")),
                )
            }
            Self::Worker { stage, cluster } => {
                let own = regex::escape(&format!("{cluster}.{stage}"));
                let log = format!(r"log\.worker-{stage}\.{}", regex::escape(cluster));
                (format!(r"(report\.{own}|{log})"), format!(r"(epoch|cancel)\.{own}"))
            }
            Self::Person => (TRIAL_KEY.to_owned(), r"event\..*".to_owned()),
            // a letter goes back with the key it came with
            Self::Operator => (".*".to_owned(), r"event\..*".to_owned()),
        };
        Rights {
            configure: one_of(queues.iter().chain(&self.claim().map(regex::escape))),
            // a service sets aside what it cannot use; a person has nothing to set aside
            write: if matches!(self, Self::Person) { with(&[&exchange]) } else { with(&[&exchange, &dead]) },
            read: match self {
                Self::Operator => with(&[&exchange, &dead, &log]),
                Self::Coordinator => with(&[&exchange, &dead]),
                _ => with(&[&exchange]),
            },
            topic_write: whole(&topic_write),
            topic_read: whole(&topic_read),
        }
    }

    /// Routing keys to try the rights with: those it needs to publish with, and some that it must not.
    pub fn publishing(&self) -> (Vec<String>, Vec<String>) {
        let report = |cluster: &str, stage| format!("report.{cluster}.{stage}");
        let strange = || vec![TRIAL_KEY.to_owned(), epoch_key("any", Stage::Apply), "ask.any".to_owned()];
        match self {
            Self::Coordinator => (
                vec![
                    epoch_key("any", Stage::Apply),
                    "ask.any".into(),
                    event_key(None, EventKind::TrialRejected),
                    log_key("coordinator", Some("any")),
                    TRIAL_KEY.into(),
                    report("any", Stage::Apply),
                ],
                vec![log_key("optimizer", None), log_key("worker-apply", Some("any"))],
            ),
            Self::Optimizer { .. } => (
                vec![TRIAL_KEY.into(), "explanation.any".into(), log_key("optimizer", None)],
                vec![
                    epoch_key("any", Stage::Apply),
                    report("any", Stage::Apply),
                    "ask.any".into(),
                    log_key("coordinator", None),
                ],
            ),
            Self::Person => (
                vec![TRIAL_KEY.into()],
                vec![
                    epoch_key("any", Stage::Apply),
                    report("any", Stage::Apply),
                    "ask.any".into(),
                    log_key("person", None),
                ],
            ),
            Self::Worker { stage, cluster } => {
                let service = format!("worker-{stage}");
                let (own, other) = (cluster.as_str(), format!("{cluster}-other"));
                let mut others = strange();
                others.extend([report(&other, *stage), log_key(&service, Some(&other))]);
                others.extend(
                    Stage::ALL
                        .iter()
                        .filter(|s| *s != stage)
                        .flat_map(|s| [report(own, *s), log_key(&format!("worker-{s}"), Some(own))]),
                );
                let may = [report(own, *stage), log_key(&service, Some(own))];
                (may.into(), others)
            }
            Self::Operator => (strange(), Vec::new()),
        }
    }

    /// The same for what it may hear, of those that have queues of their own to hear it with.
    pub fn hearing(&self) -> (Vec<String>, Vec<String>) {
        let events = vec![event_key(None, EventKind::TrialRejected)];
        match self {
            Self::Coordinator | Self::Optimizer { .. } => (Vec::new(), Vec::new()),
            Self::Worker { stage, cluster } => {
                let other = format!("{cluster}-other");
                let others =
                    vec![epoch_key(&other, *stage), epoch_key("*", *stage), "#".into(), TRIAL_KEY.into()];
                (vec![epoch_key(cluster, *stage)], others)
            }
            Self::Person | Self::Operator => {
                (events, vec![epoch_key("any", Stage::Apply), TRIAL_KEY.into(), "#".into()])
            }
        }
    }
}

/// The regular expression for one of these names.
fn one_of<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    whole(&format!("({})", names.join("|")))
}

fn whole(pattern: &str) -> String {
    format!("^{pattern}$")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    fn roles(cluster: &str, stage: Stage) -> Vec<Role> {
        vec![
            Role::Coordinator,
            Role::Optimizer { name: None, algorithms: vec!["gp".into(), "sobol".into()] },
            Role::Worker { stage, cluster: cluster.into() },
            Role::Person,
            Role::Operator,
        ]
    }

    fn matches(pattern: &str, name: &str) -> bool {
        Regex::new(pattern).unwrap().is_match(name)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_keys_it_is_tried_with_are_those_that_the_rights_allow(
            cluster in "[A-Za-z0-9_-]{1,12}", stage in prop::sample::select(Stage::ALL.to_vec())
        ) {
            for role in roles(&cluster, stage) {
                let rights = role.rights();
                for ((may, may_not), pattern) in
                    [(role.publishing(), &rights.topic_write), (role.hearing(), &rights.topic_read)]
                {
                    for key in may {
                        prop_assert!(matches(pattern, &key), "{role:?} {key}");
                    }
                    for key in may_not {
                        prop_assert!(!matches(pattern, &key), "{role:?} {key}");
                    }
                }
            }
        }

        #[test]
        fn a_worker_has_no_right_that_another_clusters_worker_has(
            (one, other) in ("[A-Za-z0-9_-]{1,6}", "[A-Za-z0-9_-]{1,6}").prop_filter("two", |(a, b)| a != b),
            stage in prop::sample::select(Stage::ALL.to_vec())
        ) {
            let role = |cluster: &str| Role::Worker { stage, cluster: cluster.into() };
            let (mine, yours) = (role(&one).rights(), role(&other));
            for queue in yours.queues() {
                prop_assert!(![&mine.configure, &mine.write, &mine.read].iter().any(|p| matches(p, &queue)));
            }
            prop_assert!(!yours.publishing().0.iter().any(|key| matches(&mine.topic_write, key)));
            prop_assert!(!yours.hearing().0.iter().any(|key| matches(&mine.topic_read, key)));
        }
    }

    #[test]
    fn a_role_is_known_by_its_users_name() {
        let own = vec!["gp".to_owned(), "sobol".to_owned()];
        for role in roles("lab-1", Stage::Load) {
            assert_eq!(Role::of_user(&role.user(), &own), Some(role));
        }
        assert_eq!(Role::of_user("autoopt-worker-cook@lab", &own), None);
        assert_eq!(Role::of_user("guest", &own), None);
    }

    #[test]
    fn only_a_coordinator_may_make_its_claim() {
        for role in roles("lab", Stage::Apply) {
            let may = matches(&role.rights().configure, COORDINATOR_CLAIM);
            assert_eq!(may, role == Role::Coordinator, "{role:?}");
        }
    }

    #[test]
    fn nobody_may_change_what_everybody_uses() {
        for role in roles("lab", Stage::Bench) {
            let rights = role.rights();
            for name in [EXCHANGE, DEAD_LETTERS, "", "amq.topic"] {
                assert!(!matches(&rights.configure, name), "{role:?} {name}");
            }
            // the default exchange would reach every queue, past the routing keys
            assert!(!matches(&rights.write, "amq.default"), "{role:?}");
        }
    }
}
