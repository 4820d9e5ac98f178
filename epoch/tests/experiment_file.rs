//! Experiment files: what is wrong with one is said with its place and what to do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use autoopt_epoch::experiment::{ExperimentSpec, check, init_template, load, parse_json, parse_toml};
use proptest::prelude::*;

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
fn several_objectives_are_checked_and_what_needs_a_single_one_is_refused_beside_them() {
    let second = "maximize = \"score\"\n\n[[other_objectives]]\nminimize = \"score\"";
    let example = EXAMPLE.replace("maximize = \"score\"", second);
    assert!(example.contains("[confirm]"));
    let cases = [
        ("seed = 1", "seed = 2", ""),
        ("seed = 1", "at_end = \"best\"", "at_end: an experiment with several objectives has no best trial"),
        ("[\"local\"]", "[\"a\", \"b\"]", ""),
        ("trials = 15", "trials = 15\nstop_below = 0.01", "budget.stop_below: of several objectives no"),
        (
            "minimize = \"score\"",
            "minimize = \"scor\"",
            "other_objectives[0].minimize: there is no metric `scor`",
        ),
        ("minimize = \"score\"", "unit = \"s\"", "other_objectives[0]: the objective has neither"),
    ];
    for (from, to, message) in cases {
        assert!(example.contains(from), "{from}");
        let found = check(&toml_edit::de::from_str(&example.replace(from, to)).unwrap());
        let found: String = found.iter().map(|p| format!("{p}\n")).collect();
        assert!(found.starts_with(message), "{to}\n{found}");
        assert_eq!(found.lines().count(), usize::from(!message.is_empty()), "{to}\n{found}");
    }
}

#[test]
fn what_depends_on_others_or_scales_with_them_is_checked() {
    let whens = [
        ("when = { z = 1 }", "`z` is no parameter above this one; above it: `x`"),
        ("when = { y = 1 }", "`y` is no parameter above this one; above it: `x`"),
        (
            "when = { x = 99 }",
            "`x` never has this value: `99` is not allowed; expected a number from -5 to 10",
        ),
        (
            "when = { x = 1.5 }",
            "`x` is a continuous float, which hardly ever is 1.5; expected one of its special values",
        ),
        ("when = { x = [] }", "no value of `x` is given; expected one, or a list of several"),
        ("fixed = 77", "`77` is not allowed; expected a whole number from "),
    ];
    for (to, message) in whens {
        let key = to.split(' ').next().unwrap();
        let found = problems("type = \"int\"", &format!("type = \"int\"\n{to}"));
        assert!(found.starts_with(&format!("parameters[1].{key}: {message}")), "{to}\n{found}");
        assert_eq!(found.lines().count(), 1, "{to}\n{found}");
    }
    let groups = [
        ("scale_free = [[\"x\"]]", "scale_free[0]: a common scale needs at least two parameters"),
        ("scale_free = [[\"x\", \"xx\"]]", "scale_free[0][1]: unknown parameter `xx`; "),
        ("scale_free = [[\"x\", \"y\"]]", "scale_free[0][1]: `y` cannot be scaled: it is no float"),
        ("scale_free = [[\"x\", \"x\"]]", "scale_free[0][1]: `x` is in two groups, or twice in one"),
    ];
    for (to, message) in groups {
        let found = problems("seed = 1", to);
        assert!(found.starts_with(message), "{to}\n{found}");
        assert_eq!(found.lines().count(), 1, "{to}\n{found}");
    }
    let floats = "[[parameters]]\nname = \"w\"\ntype = \"float\"\nlow = 0\nhigh = 1\ndefault = 0\n\n[apply]";
    let group = |constraint: &str| {
        let top = format!("seed = 1\nscale_free = [[\"x\", \"w\"]]\nconstraints = [\"{constraint}\"]");
        let text = EXAMPLE.replace("[apply]", floats).replace("seed = 1", &top);
        let found = check(&toml_edit::de::from_str(&text).unwrap());
        found.iter().map(|p| format!("{p}\n")).collect::<String>()
    };
    assert_eq!(group("x <= 2 * w"), "");
    for constraint in ["x + w <= 1", "x <= y"] {
        let found = group(constraint);
        assert!(found.contains("does not stay the same when these are multiplied by one number"), "{found}");
    }
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

/// What is printed for the example in which `from` is replaced by `to`.
fn printed(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    parse_toml(&EXAMPLE.replace(from, to), "e.toml").unwrap_err().to_string()
}

#[test]
fn each_mistake_in_a_file_is_shown_at_its_place() {
    let cases = [
        ("[budget]", "[budget", "this is not TOML", "[budget"),
        (
            "trials = 15",
            "trails = 15",
            "budget.trails: unknown key `trails`; did you mean `trials`?",
            "trails = 15",
        ),
        ("seed = 1", "sed = 1", "sed: unknown key `sed`; did you mean `seed`?", "sed = 1"),
        ("high = 5", "hihg = 5", "parameters[1].hihg: unknown key `hihg`; did you mean `high`?", "hihg = 5"),
        ("trials = 15", "", "budget.trials: missing key `trials`", "[budget]"),
        ("default = \"slow\"", "", "parameters[2].default: missing key `default`", "[[parameters]]"),
        (
            "trials = 15",
            "trials = \"x\"",
            "budget.trials: expected a whole number from 0 to",
            "trials = \"x\"",
        ),
        ("trials = 15", "trials = -1", "found the number `-1`", "trials = -1"),
        ("trials = 15", "trials = 1.5", "found the number `1.5`", "trials = 1.5"),
        ("[\"local\"]", "\"local\"", "clusters: expected a list, such as", "clusters = \"local\""),
        (
            "seed = 1",
            "at_end = \"restor\"",
            "at_end: `restor` is not possible here; did you mean `restore`?",
            "at_end",
        ),
        (
            "type = \"int\"",
            "type = \"integer\"",
            "parameters[1].type: `integer` is not possible",
            "type = \"integer\"",
        ),
        (
            "default = 4",
            "default = [4]",
            "parameters[1].default: this is no parameter's value",
            "default = [4]",
        ),
        (
            "[bench]",
            "[bench]\ntimeout = \"5 apples\"",
            "bench.timeout: `5 apples` is not a period",
            "timeout = \"5",
        ),
        ("[bench]", "[bench]\nbackend = \"noop\"", "duplicate key", "backend = \"command\""),
        (
            "default = 4",
            "default = 40",
            "parameters[1].default: `40` is not allowed; expected a whole",
            "default = 40",
        ),
        ("maximize = \"score\"", "maximize = \"scor\"", "did you mean `score`?", "maximize = \"scor\""),
        ("seed = 1", "constraints = [\"x < 1\", \"x * y < 1\"]", "constraints[1]: ", "\"x * y < 1\""),
        ("seed = 1", "retry.broken.attempts = 0", "retry.broken.attempts: ", "retry.broken.attempts = 0"),
        (
            "{ name = \"quadratic\" }",
            "{ name = [2026-01-01] }",
            "bench.settings.name: a date",
            "[2026-01-01]",
        ),
    ];
    for (from, to, message, line) in cases {
        let text = printed(from, to);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{to}\n{text}");
        assert!(lines[0].contains(message) && lines[1].contains(line), "{to}\n{text}");
        // the number before the place is that of the line shown
        let number: usize = lines[0].split(':').nth(1).unwrap().parse().unwrap();
        let shown = lines[1].split_once("| ").unwrap().1;
        assert_eq!(EXAMPLE.replace(from, to).lines().nth(number - 1).unwrap(), shown, "{text}");
    }
}

#[test]
fn the_caret_stands_below_the_value() {
    let text = printed("default = 4", "default = 40");
    let expected = "e.toml:31:11: parameters[1].default: `40` is not allowed; expected a whole number from -5 to 5\n  \
                    31 | default = 40\n     |           ^^";
    assert_eq!(text, expected);
}

#[test]
fn all_contradictions_are_reported_in_the_order_of_the_file() {
    let text = EXAMPLE.replace("trials = 15", "trials = 0").replace("\"score\"\n\n[obj", "\"\"\n\n[obj");
    let diagnostics = parse_toml(&text.replace("seed = 1", "repeats = 0"), "e.toml").unwrap_err();
    let paths: Vec<&str> = diagnostics.all.iter().map(|d| d.problem.path.as_str()).collect();
    assert_eq!(paths, ["repeats", "budget.trials", "metrics[0].field"]);
}

#[test]
fn the_template_and_every_example_load() {
    parse_toml(init_template(), "template.toml").unwrap_or_else(|e| panic!("{e}"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let experiments: Vec<_> = files
        .filter(|f| f.extension().is_some_and(|e| e == "toml") && !f.to_string_lossy().contains(".commands."))
        .collect();
    assert!(experiments.len() >= 2, "{experiments:?}");
    for file in experiments {
        load(&file).unwrap_or_else(|e| panic!("{e}"));
    }
    let absent = load(Path::new("absent.toml")).unwrap_err().to_string();
    assert_eq!(
        absent,
        "absent.toml: there is no such file; `autoopt init` writes an experiment to start from"
    );
}

#[test]
fn json_is_the_same_experiment_and_its_mistakes_have_paths() {
    let spec = parse_toml(EXAMPLE, "e.toml").unwrap();
    let json = serde_json::to_value(&spec).unwrap();
    assert_eq!(parse_json(&json).unwrap(), spec);
    let with = |pointer: &str, value: serde_json::Value| {
        let mut json = json.clone();
        *json.pointer_mut(pointer).unwrap() = value;
        parse_json(&json).unwrap_err().iter().map(|p| p.to_string()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        with("/budget", serde_json::json!({"trails": 1})),
        "budget.trails: unknown key `trails`; did you mean `trials`?"
    );
    assert!(
        with("/parameters/1/low", "a".into())
            .starts_with("parameters[1].low: expected a number, found the text")
    );
    assert!(with("/budget/trials", 0.into()).starts_with("budget.trials: `trials` is 0"));
    assert_eq!(
        with("/algorithm", serde_json::json!({"name": "gp", "warm_start": ["old.json"]})),
        "algorithm.warm_start[0]: the file `old.json` is not read here; expected the results in its place; `autoopt submit` \
         puts them there"
    );
    let without = serde_json::json!([{"name": "old", "goal": "minimize", "results": []}]);
    assert!(
        with("/algorithm", serde_json::json!({"name": "gp", "warm_start": without}))
            .starts_with("algorithm.warm_start[0]: `old` has no measured baseline")
    );
}

#[test]
fn presets_are_trials_of_the_space() {
    let mut json = serde_json::to_value(parse_toml(init_template(), "e.toml").unwrap()).unwrap();
    json["presets"] = serde_json::json!([{}, {"workers": 8}, {"workers": 0}, {"wrkers": 8}]);
    let problems = parse_json(&json).unwrap_err();
    let told: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(told, ["presets[2].workers", "presets[3].wrkers"], "{problems:?}");
    json["budget"]["trials"] = 1.into();
    json["presets"] = serde_json::json!([{}, {}]);
    assert!(parse_json(&json).unwrap_err()[0].message.contains("2 presets are more than the 1 trials"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_file_cut_and_patched_anywhere_is_read_or_has_a_place_for_each_problem(
        from in 0..EXAMPLE.len(), cut in 0..20_usize, patch in "([\\[\\]{}=\".#\\n\\r\\t,a-e0-9ä🦀-]{0,6})",
    ) {
        let to = (from + cut).min(EXAMPLE.len());
        let text = format!("{}{patch}{}", &EXAMPLE[..from], &EXAMPLE[to..]);
        if let Err(diagnostics) = parse_toml(&text, "e.toml") {
            prop_assert!(!diagnostics.all.is_empty());
            for found in &diagnostics.all {
                let place = found.place.as_ref().unwrap();
                let line = text.split('\n').nth(place.line - 1).unwrap();
                prop_assert_eq!(line.trim_end(), &place.text);
                prop_assert!(place.column <= line.chars().count() + 1, "{}", diagnostics);
            }
        }
    }
}

/// A key that nobody knows, wrong types (of a value, in a list and of a table), a word that is not possible, and a missing
/// key.
const MISSHAPEN: [(&str, &str, &str); 6] = [
    ("seed = 1", "sead = 1", "sead: unknown key"),
    ("[\"local\"]", "[\"local\", 5]", "clusters[1]: expected a text"),
    ("low = -5.0", "low = \"five\"", "parameters[0].low: expected a number"),
    ("high = 10.0", "hihg = 10.0", "parameters[0].hihg: unknown key"),
    ("field = \"score\"", "field = 7", "metrics[0].field: expected a text"),
    ("trials = 15", "trials = \"many\"", "budget.trials: expected a whole number"),
];

#[test]
fn all_wrong_shapes_are_reported_at_once_each_at_its_place() {
    let mut text = EXAMPLE.to_owned();
    for (from, to, _) in MISSHAPEN {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let diagnostics = parse_toml(&text, "x.toml").unwrap_err();
    let found: Vec<(usize, String)> =
        diagnostics.all.iter().map(|d| (d.place.as_ref().unwrap().line, d.problem.to_string())).collect();
    assert_eq!(found.len(), MISSHAPEN.len(), "{diagnostics}");
    for (_, to, said) in MISSHAPEN {
        let line = 1 + text[..text.find(to).unwrap()].matches('\n').count();
        assert!(
            found.iter().any(|(at, said_there)| *at == line && said_there.starts_with(said)),
            "{said}: {found:?}"
        );
    }
    assert!(found.is_sorted_by_key(|(line, _)| *line), "{found:?}");
    let json: serde_json::Value = toml_edit::de::from_str(&text).unwrap();
    assert_eq!(parse_json(&json).unwrap_err().len(), MISSHAPEN.len());
}

#[test]
fn what_is_missing_does_not_hide_what_is_wrong() {
    let json =
        serde_json::json!({"name": 5, "parameters": [{"name": "x"}, "y"], "metrics": {}, "budget": []});
    let problems: Vec<String> = parse_json(&json).unwrap_err().iter().map(|p| p.path.clone()).collect();
    for path in ["name", "parameters[0].type", "parameters[1]", "metrics", "budget", "objective"] {
        assert!(problems.iter().any(|found| found == path), "{path}: {problems:?}");
    }
    for odd in [serde_json::json!([]), serde_json::json!(5), serde_json::json!(null), serde_json::json!({})] {
        assert!(!parse_json(&odd).unwrap_err().is_empty());
    }
}
