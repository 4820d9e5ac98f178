//! Experiment files: what is wrong with one is said with its place and what to do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use autoopt_epoch::experiment::{ExperimentSpec, check};

const EXAMPLE: &str = include_str!("../../examples/quadratic.toml");

/// The problems of the example in which `from` is replaced by `to`.
fn problems(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    let spec: ExperimentSpec = toml_edit::de::from_str(&EXAMPLE.replace(from, to)).unwrap();
    check(&spec).iter().map(|p| format!("{p}\n")).collect()
}

#[test]
fn each_contradiction_names_its_path_and_a_way_out() {
    let metric = "parser = \"key-value\"\nfield = \"score\"\n";
    let cases = [
        (
            "name = \"quadratic\"\nd",
            "name = \"my test\"\nd",
            "name: `my test` is not",
            "for example `my-test`",
        ),
        ("[\"local\"]", "[]", "clusters: there is no cluster", "[\"local\"]"),
        ("[\"local\"]", "[\"a\", \"a\"]", "clusters[1]: the cluster `a`", "twice"),
        ("[\"local\"]", "[\"a.b\"]", "clusters[0]: `a.b`", "`a-b`"),
        ("trials = 15", "trials = 0", "budget.trials: `trials` is 0", "from 1 on"),
        ("seed = 1", "repeats = 0", "repeats: `repeats` is 0", "from 1 on"),
        ("high = 10.0", "high = -10.0", "parameters[0].high: the bounds are upside down", "low is -5"),
        (
            "seed = 1",
            "constraints = [\"x < z\"]",
            "constraints[0]: unknown parameter `z`",
            "or bools: `x`, `y`",
        ),
        ("seed = 1", "algorithm = { name = \"\" }", "algorithm.name: ", "is empty"),
        ("\"key-value\"", "\"keyvalue\"", "metrics[0].parser: there is no parser `keyvalue`", "`key-value`?"),
        ("\nfield = \"score\"", "", "metrics[0].field: missing", "for example"),
        (metric, "", "metrics[0].parser: nothing says where", "or `formula`"),
        (
            metric,
            "formula = \"other\"\n",
            "metrics[0].formula: there is no metric `other`",
            "before this one",
        ),
        (
            "field = \"score\"",
            "field = \"s\"\nformula = \"1\"",
            "has a `parser` and a `formula`",
            "remove one",
        ),
        (
            "maximize = \"score\"",
            "maximize = \"scor\"",
            "objective.maximize: there is no",
            "did you mean `score`?",
        ),
        ("maximize = \"score\"", "maximize = \"score +\"", "objective.maximize: ", "column"),
        ("maximize = \"score\"", "unit = \"s\"", "objective: the objective has neither", "exactly one"),
        (
            "\"score\"\n\n[objective]",
            "\"score\"\n\n[objective]\nminimize = \"score\"",
            "has both",
            "exactly one",
        ),
        (
            "seed = 1",
            "outcome_constraints = [\"baseline.scor > 1\"]",
            "outcome_constraints[0]: ",
            "`baseline.score`?",
        ),
        ("seed = 1", "retry.broken.attempts = 0", "retry.broken.attempts: ", "1 means never again"),
        ("[bench]", "[bench]\nkeep = \"epoch\"", "bench.keep: ", "[load]"),
        ("[bench]", "[bench]\ntimeout = \"0s\"", "bench.timeout: ", "above 0"),
    ];
    for (from, to, message, hint) in cases {
        let found = problems(from, to);
        assert!(found.contains(message) && found.contains(hint), "{to}\n{found}");
        assert_eq!(found.lines().count(), 1, "{to}\n{found}");
    }
    assert_eq!(problems("seed = 1", "seed = 2"), "");
}

#[test]
fn a_formula_uses_only_metrics_above_it() {
    let late =
        "[[metrics]]\nname = \"a\"\nformula = \"score / baseline.score\"\n\n[[metrics]]\nname = \"score\"";
    let found = problems("[[metrics]]\nname = \"score\"", late);
    assert_eq!(found.matches("the metric `score` is used before it is defined").count(), 2, "{found}");
    let above = "[[metrics]]\nname = \"a\"\nformula = \"score / baseline.score\"\n\n[objective]";
    assert_eq!(problems("[objective]", above), "");
}
