//! Which programs a worker may run, and how: the sections `[STAGE.command.NAME]` of its configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use regex::bytes::Regex;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::command::openstack::OpenStack;
use crate::failure::FailureKind;
use crate::time::Period;

/// How much of each output stream is kept, if the configuration does not say.
pub const DEFAULT_MAX_OUTPUT: usize = 1 << 20;

/// A program with what it is given, and how its end is understood.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// A path, or a name looked up in `PATH`.
    pub program: PathBuf,
    /// May hold placeholders; see [`template`](crate::command::template).
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// If absent, the directory of the file that names the program.
    #[serde(default)]
    pub workdir: Option<PathBuf>,
    /// If absent, the stage's.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// What an exit code means; one that is not listed is `transient`.
    #[serde(default, deserialize_with = "exit_codes")]
    pub exit_codes: BTreeMap<i32, FailureKind>,
    /// Standard output of a run without it is no result (`invalid`). `^` and `$` stand at line ends.
    #[serde(default, deserialize_with = "pattern")]
    pub success: Option<Regex>,
    /// Bytes kept of each output stream; half from the beginning, half from the end.
    #[serde(default = "default_max_output")]
    pub max_output: usize,
}

impl Program {
    /// Without anything beyond its arguments.
    pub const fn new(program: PathBuf, args: Vec<String>) -> Self {
        Self {
            program,
            args,
            env: BTreeMap::new(),
            workdir: None,
            timeout: None,
            exit_codes: BTreeMap::new(),
            success: None,
            max_output: DEFAULT_MAX_OUTPUT,
        }
    }
}

const fn default_max_output() -> usize {
    DEFAULT_MAX_OUTPUT
}

fn exit_codes<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<i32, FailureKind>, D::Error> {
    BTreeMap::<String, FailureKind>::deserialize(from)?
        .into_iter()
        .map(|(code, kind)| match code.parse() {
            Ok(number @ 1..=255) => Ok((number, kind)),
            _ => Err(D::Error::custom(format!("exit_codes: `{code}` is not a number from 1 to 255"))),
        })
        .collect()
}

fn pattern<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Regex>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let built = regex::bytes::RegexBuilder::new(&text).multi_line(true).build();
    built.map(Some).map_err(|error| D::Error::custom(format!("success: {error}")))
}

/// How parameters are put in force.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyCommand {
    /// Prints the values in force.
    pub capture: Program,
    pub apply: Program,
    /// Prints the values in force; they are compared with what was asked.
    #[serde(default)]
    pub verify: Option<Program>,
    /// Gets the captured values as parameters.
    pub restore: Program,
}

/// How a background load is made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadCommand {
    /// Stays alive; its process group is the load.
    pub start: Program,
    /// Exits with 0 once the load has settled.
    #[serde(default)]
    pub ready: Option<Program>,
}

/// How a benchmark is run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchCommand {
    pub run: Program,
    /// Removes what an unfinished run left.
    #[serde(default)]
    pub clean: Option<Program>,
}

/// A program that prints more raw output.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectCommand {
    pub run: Program,
}

/// The commands of one stage, by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section<C> {
    #[serde(default = "BTreeMap::new")]
    pub command: BTreeMap<String, C>,
}

impl<C> Default for Section<C> {
    fn default() -> Self {
        Self { command: BTreeMap::new() }
    }
}

/// All commands of a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    #[serde(default)]
    pub apply: Section<ApplyCommand>,
    #[serde(default)]
    pub load: Section<LoadCommand>,
    #[serde(default)]
    pub bench: Section<BenchCommand>,
    #[serde(default)]
    pub collect: Section<CollectCommand>,
    /// Not commands, but of the same file: the clouds that the workers serve.
    #[serde(default)]
    pub openstack: OpenStack,
}
