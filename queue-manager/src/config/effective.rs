//! Every setting as it takes effect here, and where it comes from.

use std::collections::BTreeMap;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command};
use serde::Serialize;

use super::Config;
use super::queue;

/// One setting. Secrets are `***`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Effective {
    pub(crate) name: String,
    /// `None` when it is not set and has no default.
    pub(crate) value: Option<String>,
    pub(crate) origin: String,
}

/// What the flags and the environment of this command say: a queue-manager started in the same way has the same.
pub(crate) fn of_the_process(command: &Command, matches: &ArgMatches) -> Vec<Effective> {
    let ours = Config::augment_args(Command::new("settings"));
    let read =
        command.get_arguments().filter(|read| ours.get_arguments().any(|a| a.get_id() == read.get_id()));
    let names = ours.get_arguments().map(|argument| (argument.get_id(), argument.get_env()));
    let names: BTreeMap<_, _> = names.collect();
    read.map(|argument| {
        let name = names[argument.get_id()].unwrap_or_default().to_string_lossy().into_owned();
        effective(name, argument, matches)
    })
    .collect()
}

fn effective(name: String, argument: &Arg, matches: &ArgMatches) -> Effective {
    let id = argument.get_id().as_str();
    let value = matches.get_raw(id).and_then(|mut values| values.next()).map(|value| {
        let secret = argument.is_hide_env_values_set();
        if secret { "***".to_owned() } else { value.to_string_lossy().into_owned() }
    });
    let origin = match matches.value_source(id) {
        Some(ValueSource::CommandLine) => "flag".to_owned(),
        Some(ValueSource::EnvVariable) => match argument.get_env().map(|read| read.to_string_lossy()) {
            Some(read) if read != name => format!("environment, as {read}"),
            _ => "environment".to_owned(),
        },
        Some(_) => "default".to_owned(),
        None => "not set".to_owned(),
    };
    Effective { name, value, origin }
}

/// What the queue reads from the store; `None` for a store that does not answer.
pub(crate) fn of_the_queue(stored: Option<&BTreeMap<String, String>>) -> Vec<Effective> {
    let one = |typed: &'static str| {
        let (name, usual) = queue::stored_name_and_usual(typed)?;
        let (value, origin) = match stored.map(|stored| stored.get(name).cloned()) {
            Some(Some(value)) => (Some(value), "store"),
            Some(None) => (Some(usual), "default"),
            None => (None, "the store does not answer"),
        };
        let value = value.map(|value| queue::shown(typed, &value));
        Some(Effective { name: typed.to_owned(), value, origin: origin.to_owned() })
    };
    queue::names().filter_map(one).collect()
}
