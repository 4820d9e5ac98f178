//! What is named by people and used by id: flavors, images, networks.

use serde::Deserialize;

use crate::Cloud;
use crate::call::Service;
use crate::error::{Error, ErrorKind};

/// Something that has a name.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
}

impl Cloud {
    /// The id of the flavor `name`, which may be an id itself.
    pub async fn flavor(&self, name: &str) -> Result<String, Error> {
        one("flavor", name, self.list(Service::Compute, &["flavors"], "flavors", &[]).await?)
    }

    /// The id of the image `name`, which may be an id itself.
    pub async fn image(&self, name: &str) -> Result<String, Error> {
        one("image", name, self.list(Service::Image, &["images"], "images", &[]).await?)
    }

    /// The id of the network `name`, which may be an id itself.
    pub async fn network(&self, name: &str) -> Result<String, Error> {
        one(
            "network",
            name,
            self.list(Service::Network, &["networks"], "networks", &[("fields", "id"), ("fields", "name")])
                .await?,
        )
    }
}

impl Cloud {
    /// The names of all images that this login may use.
    pub async fn images(&self) -> Result<Vec<String>, Error> {
        let all: Vec<Named> = self.list(Service::Image, &["images"], "images", &[]).await?;
        Ok(all.into_iter().map(|image| image.name).collect())
    }

    /// The names of all networks that this login may use.
    pub async fn networks(&self) -> Result<Vec<String>, Error> {
        let query = [("fields", "id"), ("fields", "name")];
        let all: Vec<Named> = self.list(Service::Network, &["networks"], "networks", &query).await?;
        Ok(all.into_iter().map(|network| network.name).collect())
    }
}

fn one(kind: &str, name: &str, found: Vec<Named>) -> Result<String, Error> {
    if found.iter().any(|item| item.id == name) {
        return Ok(name.to_owned());
    }
    let mut ids = found.iter().filter(|item| item.name == name).map(|item| &item.id);
    match (ids.next(), ids.count()) {
        (Some(id), 0) => Ok(id.clone()),
        (Some(_), others) => {
            let message = format!("{} have this name; give the id", others + 1);
            Err(Error::new(ErrorKind::Config, format!("{kind} `{name}`"), message))
        }
        (None, _) => {
            let known: Vec<&str> = found.iter().map(|item| item.name.as_str()).collect();
            let near = autoopt_epoch::problem::nearest(name, known.iter().copied());
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it has none".to_owned(),
                None => format!("it has {}", autoopt_epoch::problem::list(&known)),
            };
            Err(Error::new(
                ErrorKind::NotFound,
                format!("{kind} `{name}`"),
                format!("this cloud has none of that name; {hint}"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_to_mean_one_thing() {
        let named = |id: &str, name: &str| Named { id: id.into(), name: name.into() };
        let found = || vec![named("1", "small"), named("2", "large"), named("3", "large")];
        assert_eq!(one("flavor", "small", found()).unwrap(), "1");
        assert_eq!(one("flavor", "3", found()).unwrap(), "3");
        for (name, said) in [("large", "2 have this name"), ("smal", "did you mean `small`?")] {
            assert!(one("flavor", name, found()).unwrap_err().to_string().contains(said));
        }
    }
}
