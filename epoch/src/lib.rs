//! What the services of AutoOptCloud agree on, and what they are built from.
//!
//! The first half is the **contract**, pure data without I/O: [`space`] and [`formula`] (the language of an
//! experiment), [`experiment`] (the file a person writes), [`measure`] (raw output to numbers), [`statistics`] (what the numbers
//! show), [`front`] (several objectives), [`problem`] (bad input), [`message`] (what travels), [`failure`] (what can go wrong), [`id`] and [`time`].
//!
//! The second half is what every service runs on: [`bus`] (messages over RabbitMQ or inside one process),
//! [`worker`] (claim, lease, heartbeat, cancel, drain), [`command`] (running a named program), [`service`]
//! (configuration, logging, signals, systemd), [`log`] (what all services log, in one place), and [`trace`] (what a trial went
//! through, across all services).

pub mod bus;
pub mod command;
pub mod experiment;
pub mod failure;
pub mod formula;
pub mod front;
pub mod id;
pub mod log;
pub mod measure;
pub mod message;
pub mod problem;
pub mod service;
pub mod space;
pub mod statistics;
pub mod time;
pub mod trace;
pub mod worker;
