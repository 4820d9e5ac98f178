//! `POST servers`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::App;
use crate::api::call::Call;
use crate::api::error::ApiError;
use crate::cloud::{Cloud, Create, CreateError, NetworkWish};

/// The members that matter here; others are passed over.
#[derive(Debug, Deserialize)]
struct Body {
    name: String,
    #[serde(rename = "flavorRef")]
    flavor: Value,
    #[serde(rename = "imageRef", default)]
    image: Option<String>,
    #[serde(default)]
    networks: Value,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    availability_zone: Option<String>,
    /// From 2.74 on.
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    key_name: Option<String>,
    #[serde(default)]
    config_drive: Value,
    #[serde(default)]
    user_data: Option<String>,
    #[serde(default)]
    min_count: Option<Value>,
    #[serde(default)]
    max_count: Option<Value>,
    #[serde(default)]
    block_device_mapping_v2: Vec<Value>,
}

const MOST_USER_DATA: usize = 65_535;

pub(super) async fn create(State(app): State<App>, call: Call) -> Result<Response, ApiError> {
    let body: Body = call.read("server")?;
    let hints =
        ["os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"].into_iter().find_map(|key| call.body.get(key));
    let mut state = app.lock();
    let create = understood(&state.cloud, body, hints.unwrap_or(&Value::Null), &call)?;
    let ids = state.cloud.create(&create).map_err(|e| match e {
        CreateError::Quota { .. } => ApiError::new(403, e),
        CreateError::Bad(_) => ApiError::bad(e),
    })?;
    let Some(first) = ids.first() else { return Err(ApiError::bad("min_count must be at least 1")) };
    let href = |kind: &str| format!("{}/compute/{kind}servers/{first}", app.base());
    let answer = json!({"server": {
        "id": first.to_string(),
        "adminPass": first.simple().to_string()[..12],
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": [{"name": "default"}],
        "links": [{"rel": "self", "href": href("v2.1/")}, {"rel": "bookmark", "href": href("")}],
    }});
    Ok((StatusCode::ACCEPTED, [("location", href("v2.1/"))], Json(answer)).into_response())
}

fn understood(cloud: &Cloud, body: Body, hints: &Value, call: &Call) -> Result<Create, ApiError> {
    if body.name.trim().is_empty() || body.name.len() > 255 {
        return Err(ApiError::bad("Invalid input for field/attribute name. Must have 1 to 255 characters."));
    }
    let key = body.flavor.as_str().map_or_else(|| body.flavor.to_string(), str::to_owned);
    let key = key.rsplit('/').next().unwrap_or_default();
    let flavor =
        cloud.flavor(key).ok_or_else(|| ApiError::bad(format!("Flavor {key} could not be found.")))?;
    // a boot volume's image stands in the block device mapping
    let image = body.image.filter(|i| !i.is_empty()).or_else(|| {
        let of_image = body.block_device_mapping_v2.iter().find(|b| b["source_type"] == "image")?;
        of_image["uuid"].as_str().map(str::to_owned)
    });
    let image = image
        .map(|key| {
            cloud
                .image(&key)
                .cloned()
                .ok_or_else(|| ApiError::bad(format!("Image {key} could not be found.")))
        })
        .transpose()?;
    let (zone, force_host) = match body.availability_zone.as_deref().map(|zone| zone.split_once(':')) {
        Some(Some((zone, host))) => (Some(zone.to_owned()), Some(host.to_owned())),
        _ => (body.availability_zone, body.host),
    };
    let ids = |key: &str| -> Result<Vec<Uuid>, ApiError> {
        let values = match &hints[key] {
            Value::Array(list) => list.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        };
        values.iter().map(|value| uuid(value, key)).collect()
    };
    Ok(Create {
        flavor: flavor.clone(),
        image,
        networks: networks(cloud, &body.networks, call.minor)?,
        metadata: body.metadata,
        tags: body.tags,
        zone: zone.filter(|z| !z.is_empty()),
        force_host,
        group: ids("group")?.first().copied(),
        same_host: ids("same_host")?,
        different_host: ids("different_host")?,
        key_name: body.key_name,
        config_drive: matches!(&body.config_drive, Value::Bool(true))
            || body.config_drive.as_str().is_some_and(|t| t.eq_ignore_ascii_case("true")),
        user_data: body.user_data.map(decoded).transpose()?,
        count: count(body.min_count.as_ref(), body.max_count.as_ref())?,
        request_id: call.request_id.clone(),
        name: body.name,
    })
}

fn uuid(value: &Value, what: &str) -> Result<Uuid, ApiError> {
    let text = value.as_str().unwrap_or_default();
    text.parse().map_err(|_| {
        ApiError::bad(format!("Invalid input for field/attribute {what}. Value: {value} is not a 'uuid'"))
    })
}

fn decoded(raw: String) -> Result<(Arc<str>, String), ApiError> {
    if raw.len() > MOST_USER_DATA {
        return Err(ApiError::bad(format!(
            "User data too large. Maximum size is {MOST_USER_DATA} bytes of base64."
        )));
    }
    let joined: String = raw.split_ascii_whitespace().collect();
    let bytes =
        STANDARD.decode(joined).map_err(|_| ApiError::bad("Userdata content needs to be valid base 64."))?;
    Ok((raw.into(), String::from_utf8_lossy(&bytes).into_owned()))
}

fn count(least: Option<&Value>, most: Option<&Value>) -> Result<usize, ApiError> {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let read = |value: Option<&Value>| {
        value.map(|v| number(v).ok_or_else(|| ApiError::bad("Invalid min_count or max_count"))).transpose()
    };
    let (least, most) = (read(least)?, read(most)?);
    let count = most.or(least).unwrap_or(1);
    if count == 0 || count > 1000 || least.is_some_and(|l| l > count) {
        return Err(ApiError::bad("min_count must be at least 1 and <= max_count"));
    }
    Ok(count as usize)
}

/// A list, `auto` or `none` (from 2.37 on); without any, the only network there is.
fn networks(cloud: &Cloud, wish: &Value, minor: u32) -> Result<Vec<NetworkWish>, ApiError> {
    match wish {
        Value::String(text) if text == "none" => Ok(Vec::new()),
        Value::String(text) if text == "auto" => any_network(cloud),
        Value::Null if minor < 37 => any_network(cloud),
        Value::Array(list) if list.is_empty() && minor < 37 => any_network(cloud),
        Value::Array(list) => list
            .iter()
            .map(|item| {
                if item["port"].is_string() {
                    return Ok(NetworkWish::Port(uuid(&item["port"], "port")?));
                }
                let address = item["fixed_ip"].as_str().map(str::to_owned);
                Ok(NetworkWish::Network { id: uuid(&item["uuid"], "networks")?, address })
            })
            .collect(),
        _ => {
            Err(ApiError::bad("Invalid input for field/attribute server. 'networks' is a required property"))
        }
    }
}

fn any_network(cloud: &Cloud) -> Result<Vec<NetworkWish>, ApiError> {
    let mut inner = cloud.networks.iter().filter(|n| !n.external);
    let only = inner.next().or_else(|| cloud.networks.first());
    match (only, inner.next()) {
        (_, Some(_)) => {
            Err(ApiError::new(409, "Multiple possible networks found, use a Network ID to be more specific."))
        }
        (Some(network), None) => Ok(vec![NetworkWish::Network { id: network.id, address: None }]),
        (None, None) => Ok(Vec::new()),
    }
}
