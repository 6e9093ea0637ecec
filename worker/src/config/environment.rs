//! Which variable of the environment a setting is read from.

use std::ffi::OsString;

use clap::Command;
use clap::builder::Resettable;

/// Names that other programs use for the same thing, and ours, which wins when both are set.
pub const SHORT_NAMES: [(&str, &str); 3] = [
    ("COMFYUI_URL", "ATELIER_COMFYUI_URL"),
    ("INFERENCE_PROVIDER", "ATELIER_INFERENCE_PROVIDER"),
    ("WORKER_PROXY", "ATELIER_WORKER_PROXY"),
];

/// Lets each argument read the variable that is set. An empty variable counts as not set: compose files and scripts
/// pass those on.
#[must_use]
pub fn with_short_names(command: Command) -> Command {
    read_from(command, &|name| std::env::var_os(name))
}

fn read_from(command: Command, environment: &dyn Fn(&str) -> Option<OsString>) -> Command {
    let is_set = |name: &str| environment(name).is_some_and(|value| !value.is_empty());
    command.mut_args(|argument| {
        let Some(own) = argument.get_env().and_then(|name| name.to_str()).map(str::to_owned) else {
            return argument;
        };
        let mut short = SHORT_NAMES.iter().filter(|(_, full)| *full == own).map(|(short, _)| *short);
        if is_set(&own) {
            argument
        } else if let Some(short) = short.find(|short| is_set(short)) {
            argument.env(short)
        } else if environment(&own).is_some() {
            argument.env(Resettable::Reset)
        } else {
            argument
        }
    })
}
