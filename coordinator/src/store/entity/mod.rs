//! The tables. Ids are text and instants are milliseconds, so that rows read the same in either database.

pub(crate) mod artifact;
pub(crate) mod attempt;
pub(crate) mod cluster;
pub(crate) mod epoch;
pub(crate) mod event;
pub(crate) mod experiment;
pub(crate) mod inbox;
pub(crate) mod metric;
pub(crate) mod outbox;
pub(crate) mod site;
pub(crate) mod trial;
