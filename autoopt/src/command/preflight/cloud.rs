//! An OpenStack cloud: who we are there, what nova-scheduler is, and whether the workloads fit.

use autoopt_cloud::knobs::Setting;
use autoopt_cloud::workload::{Owner, Way};
use autoopt_cloud::{Cloud, Clouds, ErrorKind, FlavorSize, Place};
use autoopt_epoch::command::{Cluster, Commands};
use autoopt_epoch::experiment::ExperimentSpec;
use autoopt_epoch::failure::Failure;
use autoopt_epoch::message::{Action, Stage};
use autoopt_epoch::worker::{Backend, Context};
use autoopt_worker_apply::{InForce, OpenStack};

use super::{Findings, order};

/// The metrics weigher's multiplier matters, and its ratios are read, in `[metrics]`.
const METRICS: &str = "metrics";

pub(super) async fn check(found: &mut Findings, spec: &ExperimentSpec, commands: &Commands) {
    let clouds = Clouds::new(commands.openstack.clone());
    let (cluster, cloud) = match (clouds.cluster(&found.cluster), clouds.get(&found.cluster).await) {
        (Ok(cluster), Ok(cloud)) => (cluster, cloud),
        (Err(failure), _) | (_, Err(failure)) => return found.failed("login", &failure),
    };
    found.ok("login", "the credentials are accepted");
    if !administrator(found, &cloud).await {
        return;
    }
    if spec.apply.backend == "openstack" {
        apply(found, spec, commands, cluster, &cloud).await;
    }
    let mut sizes = Vec::new();
    for stage in [Stage::Load, Stage::Bench] {
        sizes.extend(workload(found, spec, &clouds, &cloud, stage).await);
    }
    fits(found, &cloud, &sizes).await;
    hosts(found, cluster, &cloud).await;
}

async fn administrator(found: &mut Findings, cloud: &Cloud) -> bool {
    match cloud.compute_services("nova-compute").await {
        Ok(_) => {
            found.ok("role", "it may see nova's services");
            true
        }
        Err(error) if error.kind == ErrorKind::Forbidden => {
            found.blocking("role", error.to_string(), "give this user the role `admin` in its project");
            false
        }
        Err(error) => {
            found.failed("role", &error.into());
            false
        }
    }
}

/// What the apply stage would find.
async fn apply(
    found: &mut Findings,
    spec: &ExperimentSpec,
    commands: &Commands,
    cluster: &Cluster,
    cloud: &Cloud,
) {
    let backend = OpenStack::new(commands.openstack.clone());
    let capture = order(spec, &found.cluster, Stage::Apply, Action::Capture);
    match backend.perform(&capture, &Context::alone(&std::env::temp_dir())).await {
        Ok(done) => {
            let values = done.captured.unwrap_or_default();
            let shown: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            found.ok("capture", format!("in force: {}", shown.join(" ")));
        }
        Err(failure) => found.failed("capture", &failure),
    }
    let settings: Vec<Setting> = spec.parameters.iter().filter_map(|p| Setting::find(&p.name).ok()).collect();
    release(found, cloud, &settings).await;
    if !cluster.scheduler.is_empty() {
        schedulers(found, cluster, cloud).await;
    }
    let aggregate = match &cluster.aggregate {
        Some(name) => cloud.aggregate(name).await.ok(),
        None => None,
    };
    if let Ok(in_force) = InForce::read(cluster, aggregate).await {
        weighers(found, &in_force, &settings);
    }
}

async fn release(found: &mut Findings, cloud: &Cloud, settings: &[Setting]) {
    const CHECK: &str = "release";
    let release = match cloud.release().await {
        Ok(release) => release,
        Err(error) => return found.failed(CHECK, &error.into()),
    };
    let shown = match (*release.start(), *release.end()) {
        (one, other) if one == other => format!("nova {one}"),
        (0, newest) => format!("nova {newest} or older"),
        (oldest, u32::MAX) => format!("nova {oldest} or newer"),
        (oldest, newest) => format!("nova {oldest} or {newest}"),
    };
    let knobs = settings.iter().filter_map(|setting| match setting {
        Setting::Knob(knob) => Some(knob),
        Setting::Ratio(_) => None,
    });
    let (mut absent, mut doubtful) = (Vec::new(), Vec::new());
    for knob in knobs {
        if knob.since > *release.end() {
            absent.push(format!("`{}` (since {})", knob.name, knob.since));
        } else if knob.since > *release.start() {
            doubtful.push(format!("`{}` (since {})", knob.name, knob.since));
        }
    }
    if !absent.is_empty() {
        let message = format!("{shown} does not know {}", absent.join(", "));
        found.blocking(CHECK, message, "leave them out: nova passes over what it does not know");
    } else if !doubtful.is_empty() {
        let message = format!("{shown} may not know {}", doubtful.join(", "));
        found.warning(CHECK, message, "see `nova-scheduler --version`");
    } else {
        found.ok(CHECK, format!("{shown} knows all parameters"));
    }
}

async fn schedulers(found: &mut Findings, cluster: &Cluster, cloud: &Cloud) {
    const CHECK: &str = "schedulers";
    let services = match cloud.compute_services("nova-scheduler").await {
        Ok(services) => services,
        Err(error) => return found.failed(CHECK, &error.into()),
    };
    let up = services.iter().filter(|service| service.state == "up").count();
    let configured = cluster.scheduler.len();
    let message = format!("{up} nova-schedulers are up, {configured} are configured");
    match up.cmp(&configured) {
        std::cmp::Ordering::Equal => found.ok(CHECK, message),
        std::cmp::Ordering::Greater => found.blocking(
            CHECK,
            message,
            "add a [[openstack.cluster.….scheduler]] for each: the others would go on with their old settings",
        ),
        std::cmp::Ordering::Less => found.blocking(CHECK, message, "start it, or remove it from the configuration"),
    }
    for scheduler in &cluster.scheduler {
        let place = Place::of(scheduler);
        let probe = scheduler.snippet.with_extension("probe");
        let shown = scheduler.snippet.display();
        let written = async {
            place.write(&probe, "").await?;
            place.remove(&probe).await
        };
        match written.await {
            Ok(()) => found.ok("snippet", format!("{shown} can be written")),
            Err(failure) => found.failed("snippet", &failure),
        }
    }
}

/// What nova-scheduler's configuration makes of the parameters.
fn weighers(found: &mut Findings, in_force: &InForce, settings: &[Setting]) {
    let configuration = &in_force.configuration;
    if !in_force.known {
        found.warning(
            "weighers",
            "nova-scheduler's own configuration is not known",
            "name its files in `scheduler.config`, so that what is in force before is restored",
        );
    }
    let classes = configuration.option("filter_scheduler", "weight_classes").unwrap_or("all_weighers");
    if !classes.contains("all_weighers") {
        let active = |setting: &Setting| match setting {
            Setting::Knob(knob) => knob.weigher.is_none_or(|weigher| classes.contains(weigher)),
            Setting::Ratio(_) => classes.contains("MetricsWeigher"),
        };
        match settings.iter().all(active) {
            true => found.ok("weighers", "weight_classes has all that are tuned"),
            false => found.blocking(
                "weighers",
                format!("weight_classes is `{classes}`, without a weigher that is tuned"),
                "leave the parameter out, or add its weigher",
            ),
        }
    }
    if settings.iter().any(|setting| matches!(setting, Setting::Ratio(_))) {
        let required = configuration.option(METRICS, "required").unwrap_or("true");
        match required.eq_ignore_ascii_case("false") {
            true => found.ok(
                METRICS,
                "[metrics] required is false; hosts without `compute_monitors = cpu.virt_driver` weigh least",
            ),
            false => found.warning(
                METRICS,
                "[metrics] required is true: one host without a metric makes every request fail",
                "set compute_monitors = cpu.virt_driver on every compute host, and required = false for the time of the experiment",
            ),
        }
    }
    let failures =
        Setting::find("build_failure_weight_multiplier").ok().and_then(|knob| in_force.of(&knob).0);
    let tuned = settings
        .iter()
        .any(|s| matches!(s, Setting::Knob(knob) if knob.weigher == Some("BuildFailureWeigher")));
    if !tuned && failures.is_none_or(|text| text.trim().parse().is_ok_and(|x: f64| x > 100.0)) {
        found.warning(
            "weighers",
            "one failed build outweighs all other weights (build_failure_weight_multiplier)",
            "set it to 0 in nova.conf or in the aggregate for the time of the experiment",
        );
    }
}

/// What a workload names. The flavors of its servers.
async fn workload(
    found: &mut Findings,
    spec: &ExperimentSpec,
    clouds: &Clouds,
    cloud: &Cloud,
    stage: Stage,
) -> Vec<FlavorSize> {
    let way = match spec.stage(stage).backend.as_str() {
        "servers" => Way::Servers,
        "heat" => Way::Heat,
        _ => return Vec::new(),
    };
    let order = order(spec, &found.cluster, stage, Action::Run);
    // what is wrong with its settings has been told
    let Ok(plan) = way.plan(&order, clouds.files()) else { return Vec::new() };
    match plan.look_up(cloud, &Owner::of(&order), clouds.files()).await {
        Ok(sizes) => {
            let message = match way {
                Way::Servers => format!("{} servers; flavors, images and networks are there", sizes.len()),
                Way::Heat => "the template is complete; what it names, Heat checks".into(),
            };
            found.ok(if stage == Stage::Load { "load names" } else { "bench names" }, message);
            sizes
        }
        Err(failure) => {
            found.failed(if stage == Stage::Load { "load names" } else { "bench names" }, &failure);
            Vec::new()
        }
    }
}

/// The project's quota, and servers of ours that are there already.
async fn fits(found: &mut Findings, cloud: &Cloud, sizes: &[FlavorSize]) {
    match cloud.limits().await {
        Ok(limits) => {
            let wanted = [
                ("servers", sizes.len() as i64, limits.total_instances_used, limits.max_total_instances),
                (
                    "vCPUs",
                    sizes.iter().map(|s| s.vcpus).sum(),
                    limits.total_cores_used,
                    limits.max_total_cores,
                ),
                (
                    "MiB of RAM",
                    sizes.iter().map(|s| s.ram).sum(),
                    limits.total_ram_used,
                    limits.max_total_ram,
                ),
            ];
            let short = wanted.iter().find(|(_, more, used, most)| *most >= 0 && used + more > *most);
            match short {
                None => found.ok("quota", format!("{} servers fit", sizes.len())),
                Some((what, more, used, most)) => found.blocking(
                    "quota",
                    format!("{more} {what} are needed beside the {used} in use, of {most} allowed"),
                    "raise the project's quota, or make the workload smaller",
                ),
            }
        }
        Err(error) => found.failed("quota", &error.into()),
    }
    match cloud.servers("autoopt-").await {
        Ok(ours) if ours.is_empty() => found.ok("leftovers", "no server of an earlier experiment"),
        Ok(ours) => {
            let names: Vec<&str> = ours.iter().map(|server| server.name.as_str()).collect();
            let message = format!("servers of another experiment: {}", names.join(", "));
            found.warning(
                "leftovers",
                message,
                "unless it is running, delete them (`openstack server delete`)",
            );
        }
        Err(error) => found.failed("leftovers", &error.into()),
    }
}

async fn hosts(found: &mut Findings, cluster: &Cluster, cloud: &Cloud) {
    let state = async {
        let hypervisors = cloud.hypervisors().await?;
        let under_test = match &cluster.aggregate {
            Some(name) => Some(cloud.aggregate(name).await?.hosts),
            None => None,
        };
        let ours = hypervisors
            .into_iter()
            .filter(|h| under_test.as_ref().is_none_or(|hosts| hosts.contains(&h.service.host)));
        Ok::<_, Failure>(ours.collect::<Vec<_>>())
    };
    match state.await {
        Ok(hosts) => {
            let away: Vec<&str> = hosts
                .iter()
                .filter(|host| host.state != "up" || host.status != "enabled")
                .map(|host| host.hypervisor_hostname.as_str())
                .collect();
            match away.is_empty() {
                true => found.ok("hosts", format!("all {} are up", hosts.len())),
                false => found.warning(
                    "hosts",
                    format!("{} of {} are down or disabled: {}", away.len(), hosts.len(), away.join(", ")),
                    "what is measured holds for the others",
                ),
            }
        }
        Err(failure) => found.failed("hosts", &failure),
    }
}
