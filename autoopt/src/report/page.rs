//! The report as one page that needs nothing else: no script, no outside asset. Every text in it is escaped.

use autoopt_coordinator::api::view::{ConfirmationView, PairView, SiteView, TrialPhase};
use autoopt_epoch::experiment::{ExperimentSpec, Objective};
use autoopt_epoch::failure::Outcome;
use autoopt_epoch::message::Goal;
use autoopt_epoch::space::Parameters;
use autoopt_epoch::statistics::{Claim, Scale, Verdict, verdict_told};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::effects::effects;
use super::front::front;
use super::{Report, chart};
use crate::show::{change, figure, spell};
use crate::standing::{title, unconfirmed};

/// Nothing may be loaded or run, whatever a name says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

pub(crate) fn page(report: &Report) -> String {
    let e = &report.experiment.summary;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (e.name) ": report" }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header { (heading(report)) }
                main {
                    (result(report))
                    (values(report))
                    (search(report))
                    (front(report))
                    (effects(report))
                    @if !report.placements.is_empty() { (placements(report)) }
                    (comparison(report))
                    (trials(report))
                    (environment(report))
                    (again(report))
                }
            }
        }
    };
    page.into_string()
}

fn heading(report: &Report) -> Markup {
    let (e, spec) = (&report.experiment.summary, &report.experiment.spec);
    let counts: Vec<String> = e.outcomes.iter().map(|(outcome, n)| format!("{n} {outcome}")).collect();
    let ended = e.ended.unwrap_or(report.written);
    html! {
        h1 { (e.name) }
        @if let Some(text) = &spec.description { p { (text) } }
        p.soft {
            (e.accepted) " trials"
            @if !counts.is_empty() { " (" (counts.join(", ")) ")" }
            " on " (e.clusters.join(", ")) ", "
            @match e.ended { Some(_) => "took ", None => "still open, so far " }
            (spell(ended.since(e.started))) ", began " (e.started)
            @if let Some(reason) = &e.reason { "; " (reason) }
        }
    }
}

fn result(report: &Report) -> Markup {
    let (e, spec) = (&report.experiment.summary, &report.experiment.spec);
    let Some(confirmation) = &e.confirmation else {
        return html! {
            section.claim.not-shown aria-label="Result" {
                @if !e.front.is_empty() {
                    p { (e.front.len()) " trials that no other is better than in everything: " (unconfirmed(e, spec)) ". " span.verdict { "Nothing is claimed." } }
                } @else { @match (e.best.as_ref().filter(|best| best.number > 0), e.gain) {
                    (Some(best), Some(gain)) => {
                        p.gain { (change(gain)) " measured" }
                        p { "Trial " (best.number) " beside the baseline: " (unconfirmed(e, spec)) ". " span.verdict { "Nothing is claimed." } }
                    },
                    (Some(best), None) => p { "The best is trial " (best.number) ": " (unconfirmed(e, spec)) ". " span.verdict { "Nothing is claimed." } },
                    (None, _) => p { span.verdict { "No trial beat the baseline." } },
                } }
            }
        };
    };
    let Some(claim) = &confirmation.claim else {
        return html! { section.claim.not-shown aria-label="Result" { p.verdict { (confirmation.told) } } };
    };
    let class = if confirmation.shown() { "claim shown" } else { "claim not-shown" };
    if !confirmation.other_claims.is_empty() {
        return html! { section class=(class) aria-label="Result" { (several(report, confirmation)) } };
    }
    html! {
        section class=(class) aria-label="Result" {
            p.gain { (told(claim, e.goal)) }
            p {
                "Trial " (confirmation.number) " is "
                span.verdict { @match claim.verdict { Verdict::Shown => "shown to be better", Verdict::NotShown => "not shown to be better" } }
                " than what was in force before"
                @if let Some(why) = &confirmation.stopped { ", because " (why) }
                ". " (claim.pairs) " pairs of fresh runs, " (100.0 * claim.level) " % interval, p " (probability(claim.p)) "."
            }
            @if claim.high > claim.low { figure { (chart::intervals(claim)) } }
        }
    }
}

/// What was shown of a compromise, by objective.
fn several(report: &Report, confirmation: &ConfirmationView) -> Markup {
    let spec = &report.experiment.spec;
    let level = 100.0 * spec.confirm.clone().unwrap_or_default().level;
    let pairs = confirmation.claim.as_ref().map_or(0, |claim| claim.pairs);
    let counts = confirmation.stopped.is_none();
    html! {
        p {
            "Trial " (confirmation.number) ", a compromise, beside what was in force before: " (pairs) " pairs of fresh runs, "
            (level) " % intervals, which hold together."
            @if let Some(why) = &confirmation.stopped { " " span.verdict { "Nothing is claimed" } ", because " (why) "." }
        }
        @for (claim, objective) in confirmation.claims().zip(spec.objectives()) {
            p.gain { (told(claim, objective.goal())) }
            p {
                "in " code { (objective.expression()) }
                @if let Some(unit) = &objective.unit { " (" (unit) ")" }
                @if objective.minimize.is_some() { ", which is minimised" } @else { ", which is maximised" }
                ": "
                span.verdict { (verdict_told(claim, counts)) }
                ", p " (probability(claim.p)) " by itself."
            }
            @if claim.high > claim.low { figure { (chart::intervals(claim)) } }
        }
    }
}

/// Two digits say enough.
fn probability(p: f64) -> String {
    if p < 0.005 { "< 0.005".into() } else { format!("= {p:.2}") }
}

/// "+12.0 % [8.1, 16.2]"
fn told(claim: &Claim, goal: Goal) -> String {
    let what = match goal {
        Goal::Maximize => "higher is better",
        Goal::Minimize => "positive is better",
    };
    match claim.scale {
        Scale::Ratio => {
            format!("{} [{:.1}, {:.1}]", change(claim.gain), 100.0 * claim.low, 100.0 * claim.high)
        }
        Scale::Difference => {
            format!("{} [{}, {}], {what}", figure(claim.gain), figure(claim.low), figure(claim.high))
        }
    }
}

fn values(report: &Report) -> Markup {
    let Some(recommended) = &report.experiment.summary.recommended else { return html! {} };
    let spec = &report.experiment.spec;
    let found = report.experiment.sites.values().find_map(|site| site.found.as_ref());
    let of = |values: Option<&Parameters>, name: &str| {
        values.and_then(|v| v.get(name)).map(ToString::to_string).unwrap_or_default()
    };
    html! {
        section {
            h2 { "What to set" }
            p.soft {
                "The values of trial " (recommended.number)
                @if !spec.other_objectives.is_empty() { ", a compromise: on the front it is the nearest to the best of every objective. Which trade is wanted is for a person to say" }
                "."
            }
            div.scroll tabindex="0" role="region" aria-label="Values" { table {
                thead { tr { th scope="col" { "parameter" } th scope="col" { "found" } th scope="col" { "recommended" } th scope="col" { "unit" } } }
                tbody { @for p in &spec.parameters {
                    @let (before, after) = (of(found, &p.name), of(Some(&recommended.parameters), &p.name));
                    tr {
                        th scope="row" { (p.name) }
                        td { (before) }
                        td.changed[before != after] { (after) }
                        td { (p.unit.as_deref().unwrap_or_default()) }
                    }
                } }
            } }
            @if let Some(patch) = &report.patch {
                @if !patch.commands.is_empty() {
                    p { @if patch.openstack { "With OpenStack's command line, without a restart:" } @else { "As arguments, one a line:" } }
                    pre { code { (patch.commands.join("\n")) } }
                }
                @if let Some(snippet) = &patch.snippet {
                    p { "In a file of nova-scheduler's configuration directory (such as " code { "/etc/nova/nova.conf.d/autoopt.conf" } "), followed by a restart of nova-scheduler:" }
                    pre { code { (snippet) } }
                }
            }
        }
    }
}

fn search(report: &Report) -> Markup {
    let baseline: Vec<f64> = report
        .experiment
        .sites
        .values()
        .flat_map(|site| site.baseline_runs.iter().map(|run| run.objective))
        .collect();
    let spec = &report.experiment.spec;
    let unit = spec.objective.unit.as_deref().unwrap_or_default();
    let what = match report.experiment.summary.goal {
        Goal::Maximize => "maximised",
        Goal::Minimize => "minimised",
    };
    html! {
        section {
            h2 { "The search" }
            p { code { (spec.objective.expression()) } @if !unit.is_empty() { " (" (unit) ")" } " is " (what) ". Line: the best so far; points: single trials; band: the runs of the baseline." }
            @if report.progress.iter().any(|p| p.objective.is_some()) {
                figure { (chart::search(&report.progress, &baseline, unit)) }
            }
        }
    }
}

fn placements(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Where the servers landed" }
            div.scroll tabindex="0" role="region" aria-label="Placements" { table {
                thead { tr { th scope="col" { "server" } th scope="col" { "baseline" } th scope="col" { "recommended" } } }
                tbody { @for p in &report.placements { tr {
                    th scope="row" { (p.server) }
                    td { (p.baseline.as_deref().unwrap_or("–")) }
                    td.changed[p.baseline != p.recommended] { (p.recommended.as_deref().unwrap_or("–")) }
                } } }
            } }
        }
    }
}

fn comparison(report: &Report) -> Markup {
    let sites = &report.experiment.sites;
    let any = sites.values().any(|site| !site.pairs.is_empty() || site.drift.is_some());
    html! { @if any { section {
        h2 { "Baseline and recommendation, measured afresh" }
        @for (cluster, site) in sites { (of_site(&report.experiment.spec, cluster, site)) }
    } } }
}

fn of_site(spec: &ExperimentSpec, cluster: &str, site: &SiteView) -> Markup {
    let value = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), figure);
    // by objective, both values of a pair
    let values = |p: &PairView| {
        let mut values = vec![(p.baseline, p.recommended)];
        let other = |i: usize| (p.baseline_others.get(i).copied(), p.recommended_others.get(i).copied());
        values.extend((0..spec.other_objectives.len()).map(other));
        values
    };
    let ratio = |(b, r): (Option<f64>, Option<f64>)| {
        b.zip(r).map_or_else(String::new, |(b, r)| format!("{:.3}", r / b))
    };
    let of = |objective: &Objective| match spec.other_objectives.is_empty() {
        true => String::new(),
        false => format!(" {}", objective.expression()),
    };
    html! {
        @if !site.pairs.is_empty() {
            div.scroll tabindex="0" role="region" aria-label=(format!("Pairs on {cluster}")) { table {
                thead { tr {
                    th scope="col" { "pair on " (cluster) } th scope="col" { "first" }
                    @for objective in spec.objectives() {
                        th.number scope="col" { "baseline" (of(objective)) } th.number scope="col" { "recommended" (of(objective)) }
                        th.number scope="col" { "ratio" }
                    }
                    th scope="col" {}
                } }
                tbody { @for p in &site.pairs { tr {
                    th scope="row" { (p.number) }
                    td { @if p.baseline_first { "baseline" } @else { "recommended" } }
                    @for both in values(p) {
                        td.number { (value(both.0)) }
                        td.number { (value(both.1)) }
                        td.number { (ratio(both)) }
                    }
                    td { @if let Some(why) = &p.void { "void: " (why) } }
                } } }
            } }
        }
        @if let Some(drift) = &site.drift {
            p { "Drift of the baseline on " (cluster) ": " (drift.told()) ". "
                @if drift.found { "There is a trend; the pairs are compared without it, the search is not." } @else { "No trend is found." } }
        }
    }
}

fn trials(report: &Report) -> Markup {
    let spec = &report.experiment.spec;
    html! { section {
        h2 { "Every trial" }
        details open[report.trials.len() <= 60] {
            summary { (report.trials.len()) " trials, baselines and closings included" }
            div.scroll tabindex="0" role="region" aria-label="Trials" { table {
                thead { tr {
                    th scope="col" { "trial" } th scope="col" { "outcome" } th.number scope="col" { "objective" }
                    @for p in &spec.parameters { th scope="col" { (p.name) } }
                    th scope="col" { "cluster" } th scope="col" { "reason, note" }
                } }
                tbody { @for t in &report.trials { tr {
                    th scope="row" { (title(t.kind, t.number)) @if let Some(pair) = t.pair { ", pair " (pair) } }
                    td { @match (t.state, t.outcome) {
                        (TrialPhase::Ended, Some(Outcome::Measured)) => "measured",
                        (_, Some(outcome)) => strong { (outcome) },
                        (TrialPhase::Running, None) => "running",
                        (_, None) => "waiting",
                    } }
                    td.number { (t.objective.map(figure).unwrap_or_default()) }
                    @for p in &spec.parameters { td { (t.parameters.get(&p.name).map(ToString::to_string).unwrap_or_default()) } }
                    td { (t.cluster.as_deref().unwrap_or_default()) }
                    td.reason { (t.reason.as_deref().unwrap_or_default()) @if let Some(note) = &t.note { " " (note) } }
                } } }
            } }
        }
    } }
}

fn environment(report: &Report) -> Markup {
    let captured = serde_json::to_string_pretty(&report.captured).unwrap_or_default();
    html! { @if !report.captured.is_empty() { section {
        h2 { "The environment" }
        details {
            summary { "What the stages told when the baseline was measured" }
            pre { code { (captured) } }
        }
    } } }
}

fn again(report: &Report) -> Markup {
    let (e, spec) = (&report.experiment.summary, &report.experiment.spec);
    let file = toml::to_string_pretty(spec).unwrap_or_default();
    html! { section {
        h2 { "To do it again" }
        p { "The experiment below, saved as " code { "experiment.toml" } ", with the workers' configuration of that time:" }
        pre { code { "autoopt run experiment.toml" } }
        p.soft { "Seed " (spec.seed) "; the same results would give the same suggestions. Experiment " (e.id) ", written by autoopt " (report.version) " at " (report.written) "." }
        details { summary { "experiment.toml" } pre { code { (file) } } }
    } }
}

#[cfg(test)]
mod tests {
    use autoopt_coordinator::api::view::{ExperimentDetail, TrialView};
    use autoopt_epoch::experiment::parse_toml;
    use autoopt_epoch::time::Timestamp;
    use serde_json::{Value as Json, json};

    use super::*;

    const EVIL: &str = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&";

    /// A report in which every text that comes from elsewhere is `text`; of two objectives, or of one.
    fn report(text: &str, several: bool) -> String {
        let spec = include_str!("../../../examples/quadratic.toml");
        let mut spec: Json = json!(parse_toml(spec, "quadratic.toml").expect("the example is right"));
        spec["description"] = text.into();
        spec["objective"]["unit"] = text.into();
        spec["parameters"][0]["name"] = text.into();
        spec["parameters"][0]["unit"] = text.into();
        if several {
            spec["other_objectives"] = json!([{"minimize": text, "unit": text}]);
        }
        let values = json!({text: text, "y": 1, "mode": "fast"});
        let at = "2026-01-01T00:00:00Z";
        let id = "01a20d9d-7e75-75f2-be4a-a6cd05d1b65f";
        let claim = json!({
            "verdict": "shown", "scale": "ratio", "gain": 0.12, "low": 0.08, "high": 0.162, "level": 0.95, "p": 0.001,
            "pairs": 8, "clusters": {text: {"gain": 0.1, "low": 0.05, "high": 0.15, "pairs": 4}, "b": {"gain": 0.1, "low": 0.05, "high": 0.15, "pairs": 4}},
        });
        let mut detail = json!({
            "id": id, "name": text, "phase": "ended", "reason": text, "goal": "maximize", "budget": {"trials": 2},
            "clusters": [text, "b"], "accepted": 2, "outcomes": {"measured": 1, "violated": 1}, "baseline": {text: 56.0},
            "started": at, "ended": at, "running": [], "spec": spec,
            "recommended": {"number": 1, "parameters": values},
            "front": [
                {"trial": id, "number": 1, "values": [60.0, 3.0], "parameters": values},
                {"trial": "01a20d9d-7e75-75f2-be4a-a6cd05d1b660", "number": 0, "values": [56.0, 2.0], "parameters": values},
            ],
            "confirmation": {
                "number": 1, "parameters": values, "began": at, "ended": at, "done": 8, "wanted": 8, "void": 1,
                "stopped": text, "claim": claim, "told": text,
            },
            "sites": {text: {
                "found": values, "baseline_runs": [{"at": at, "objective": 56.0}, {"at": at, "objective": 55.0}],
                "pairs": [{"number": 1, "baseline_first": true, "baseline": 56.0, "void": text}], "out_of_use": text,
            }},
        });
        if several {
            let mut worse = detail["confirmation"]["claim"].clone();
            (worse["verdict"], worse["gain"]) = ("not_shown".into(), (-0.2).into());
            (worse["low"], worse["high"]) = ((-0.3).into(), (-0.1).into());
            detail["confirmation"]["other_claims"] = json!([worse]);
            detail["confirmation"]["stopped"] = Json::Null;
            detail["factors"] = json!({text: [1.0, 1.0], "b": [0.5, 2.0]});
        } else {
            detail["front"] = json!([]);
        }
        let trial = |number: u32, outcome: &str| {
            json!({
                "id": id, "experiment": text, "experiment_id": id, "number": number, "kind": "manual", "parameters": values,
                "cluster": text, "note": text, "submitted": at, "state": "ended", "outcome": outcome, "reason": text,
                "objective": 60.0, "repeats": 1,
            })
        };
        let trials: Vec<TrialView> =
            serde_json::from_value(json!([trial(1, "measured"), trial(2, "violated")])).expect("trials");
        let epoch = json!({
            "id": id, "trial": id, "experiment_id": id, "number": 0, "kind": "baseline", "cluster": text, "started": at,
            "state": "ended", "step": 4, "steps": 4, "attempt": 1, "since": at, "attempts": [],
            "measurement": {"metrics": {}, "objective": 56.0},
            "outputs": {"bench": {"placement": {text: text}}, "apply": {"aggregate": {"name": text}}},
        });
        let mut shown = trial(1, "measured");
        shown["epochs"] = json!([epoch]);
        let shown = serde_json::from_value(shown).expect("a trial with an epoch");
        let detail: ExperimentDetail = serde_json::from_value(detail).expect("an experiment");
        page(&Report::new(detail, trials, std::slice::from_ref(&shown), Some(&shown), Timestamp::default()))
    }

    #[test]
    fn no_text_from_elsewhere_becomes_markup() {
        for several in [false, true] {
            let (evil, harmless) = (report(EVIL, several), report("harmless", several));
            let tags = |page: &str| page.matches('<').count();
            assert_eq!(tags(&evil), tags(&harmless));
            assert!(!evil.contains("<script") && !evil.contains("<img"));
            assert!(evil.matches("&lt;script&gt;").count() > 20);
            // in attributes as well: a label that ended early would add quotes
            assert_eq!(evil.matches('"').count(), harmless.matches('"').count());
        }
    }

    #[test]
    fn the_page_needs_nothing_else_and_says_what_its_charts_show() {
        let page = report("harmless", true);
        for outside in ["http://", "https://", "src=", "url(", "@import", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("default-src 'none'"));
        for shape in ["line", "rect", "path", "circle", "text"] {
            let (begun, closed) = (format!("<{shape} "), format!("</{shape}>"));
            assert_eq!(page.matches(&begun).count(), page.matches(&closed).count(), "{shape}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("role=\"img\" aria-label=\"").count());
        for told in
            ["+12.0 % [8.0, 16.2]", "shown to be better", "-20.0 % [-30.0, -10.0]", "shown to be worse"]
        {
            assert!(page.contains(told), "{told}");
        }
        assert!(page.contains("Values are in the terms of b: each beside the baseline of its own cluster."));
        let one = report("harmless", false);
        assert!(
            one.contains("+12.0 % [8.0, 16.2]")
                && one.contains("shown to be better")
                && !one.contains("The front")
        );
        assert!(page.contains("on the front: baseline 56 and 2, trial 1 60 and 3; 0 others are beaten"));
    }
}
