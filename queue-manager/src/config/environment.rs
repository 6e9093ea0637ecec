//! Which variable of the environment a setting is read from.

use std::ffi::OsString;

use clap::Command;
use clap::builder::Resettable;

/// Names that other programs use for the same thing, and ours, which wins when both are set.
pub const SHORT_NAMES: [(&str, &str); 6] = [
    ("REDIS_URL", "ATELIER_REDIS_URL"),
    ("REDIS_HOST", "ATELIER_REDIS_HOST"),
    ("REDIS_PORT", "ATELIER_REDIS_PORT"),
    ("REDIS_PASSWORD", "ATELIER_REDIS_PASSWORD"),
    ("REDIS_PASSWORD_FILE", "ATELIER_REDIS_PASSWORD_FILE"),
    ("QUEUE_MODE", "ATELIER_QUEUE_MODE"),
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

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;
    use crate::Config;

    fn name_read(setting: &str, environment: &'static [(&str, &str)]) -> Option<String> {
        let lookup = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        let command = read_from(Config::augment_args(Command::new("test")), &lookup);
        let argument = command.get_arguments().find(|argument| argument.get_id() == setting).unwrap();
        argument.get_env().map(|name| name.to_string_lossy().into_owned())
    }

    #[test]
    fn the_short_name_stands_in_the_full_one_wins_and_an_empty_one_is_not_set() {
        let own = Some("ATELIER_REDIS_HOST".to_owned());
        assert_eq!(name_read("redis_host", &[]), own);
        assert_eq!(name_read("redis_host", &[("REDIS_HOST", "a")]), Some("REDIS_HOST".to_owned()));
        assert_eq!(name_read("redis_host", &[("REDIS_HOST", "a"), ("ATELIER_REDIS_HOST", "b")]), own);
        assert_eq!(
            name_read("redis_host", &[("REDIS_HOST", "a"), ("ATELIER_REDIS_HOST", "")]),
            Some("REDIS_HOST".to_owned())
        );
        assert_eq!(name_read("redis_host", &[("ATELIER_REDIS_HOST", "")]), None);
    }

    #[test]
    fn every_variable_has_our_prefix() {
        for argument in Config::augment_args(Command::new("test")).get_arguments() {
            let name = argument.get_env().unwrap_or_else(|| panic!("{} has no variable", argument.get_id()));
            assert!(name.to_string_lossy().starts_with("ATELIER_"), "{}", name.display());
        }
    }
}
