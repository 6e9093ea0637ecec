//! `docs/configuration.md` and `.env.example`, made from what the programs themselves say about their settings and from
//! the first lines of `scripts/start.sh`. A test compares; `cargo run -p testkit --example configuration` writes.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::{Arg, ArgAction, Args, Command};
use queue_protocol::limits;

/// What writes both files.
pub const WRITTEN_BY: &str = "cargo run -p testkit --example configuration";

const COMMENT_WIDTH: usize = 110;

/// One setting of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The variable.
    pub name: String,
    /// Shorter names that are accepted as well.
    pub short_names: Vec<&'static str>,
    /// The flag, with its dashes.
    pub flag: String,
    /// `None` where there is none.
    pub default: Option<String>,
    /// What it does, in sentences.
    pub text: String,
    /// The heading it stands under in `--help`, where it has one.
    pub group: Option<String>,
}

/// Settings of one program.
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// In the order of `--help`.
    pub settings: Vec<Setting>,
}

/// Every program, as its own definitions have it.
#[must_use]
pub fn programs() -> Vec<Program> {
    let none: &[(&str, &str)] = &[];
    vec![
        program::<queue_manager::Config>("queue-manager", &queue_manager::config::environment::SHORT_NAMES),
        program::<worker::Config>("worker", &worker::config::environment::SHORT_NAMES),
        program::<admin::Config>("admin", none),
        program::<simulated_comfyui::Config>("simulated-comfyui", none),
    ]
}

fn program<Config: Args>(
    name: &'static str,
    short_names: &'static [(&'static str, &'static str)],
) -> Program {
    let command = Config::augment_args(Command::new(name));
    let settings = command.get_arguments().filter_map(|argument| setting(argument, short_names)).collect();
    Program { name, settings }
}

fn setting(argument: &Arg, short_names: &'static [(&'static str, &'static str)]) -> Option<Setting> {
    let name = argument.get_env()?.to_str()?.to_owned();
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = Some(defaults.join(",")).filter(|_| !defaults.is_empty());
    let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default().replace('\n', " ");
    if !text.ends_with('.') {
        text.push('.');
    }
    let words: Vec<_> =
        argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if !is_switch && !words.is_empty() {
        let _ = write!(text, " One of {}.", words.join(", "));
    }
    Some(Setting {
        short_names: short_names.iter().filter(|(_, full)| *full == name).map(|(short, _)| *short).collect(),
        name,
        flag: format!("--{}", argument.get_long()?),
        default: if is_switch { Some("false".to_owned()) } else { default },
        text,
        group: argument.get_help_heading().map(str::to_owned),
    })
}

/// Settings of `scripts/start.sh`, from the lines `#   NAME=DEFAULT   what it does` at its top.
#[must_use]
pub fn start_script(script: &str) -> Vec<Setting> {
    let header = script.lines().take_while(|line| line.starts_with('#'));
    let settings = header.filter_map(|line| line.strip_prefix("#   ")).filter_map(|line| {
        let (assignment, text) = line.split_once("  ")?;
        let (name, default) = assignment.split_once('=')?;
        Some(Setting {
            name: name.to_owned(),
            short_names: Vec::new(),
            flag: String::new(),
            default: Some(default.to_owned()).filter(|default| !default.is_empty()),
            text: format!("{}.", capitalised(text.trim())),
            group: None,
        })
    });
    settings.collect()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

const INTRODUCTION: &str = "\
Every setting of the programs is an environment variable, and a flag as well; a flag wins. An empty variable counts as not set.
A program that cannot use a value, or finds it unsafe, does not start and says why. Yes-or-no settings take `true` or `false`.
What nginx is told (https, names, a redirect) `scripts/render-nginx.sh --help` lists; what only Docker is told (limits, the
link's address) stands in `docker-compose.yml` and `docker-compose.users.yml`.
`.env.example` lists what is on this page; no program reads a `.env` by itself, so load it into the shell:

    set -a; . ./.env; set +a

Secrets have a `…_FILE` form: the file is read once, at the start, without the white space around the secret. When both are
set, the direct one wins. `queue-manager config show` prints what takes effect, and where each value comes from.
";

const QUEUE: &str = "\
These live in the store. What is set here is written there at every start, but for the mode; what is not stays as it was, and a
new workshop begins as the table says. `queue-manager config set NAME VALUE` changes them while the queue runs.
";

const ALERTS: &str = "\
[alerts.md](alerts.md) says what is sent, and how a receiver checks it.
";

const START: &str = "\
It passes its environment on, so everything above can be set for it too, but for what it sets itself: the workers'
`ATELIER_QUEUE_MANAGER`, `ATELIER_WORKER_CACHE` and `ATELIER_WORKER_TOKEN_FILE`, and the dashboard's `ATELIER_API`. It and its sister
scripts keep their own files in `data/`; leave `ATELIER_DATA` alone when you use them. Running parts keep the settings they were
started with, so stop before you change one.
";

/// `docs/configuration.md`.
#[must_use]
pub fn page(start_sh: &str) -> String {
    let mut page = format!(
        "<!-- Made by `{WRITTEN_BY}`; change the programs' help texts instead. -->\n\n# Configuration\n\n{INTRODUCTION}"
    );
    for program in programs() {
        let _ = write!(page, "\n## {}\n\n{}", program.name, table(&program.settings, None));
        for group in groups(&program.settings) {
            let (heading, text) = match group {
                "Queue" => ("The queue", format!("{QUEUE}\n")),
                "Alerts" => (group, format!("{ALERTS}\n")),
                group => (group, String::new()),
            };
            let _ = write!(page, "\n### {heading}\n\n{text}{}", table(&program.settings, Some(group)));
        }
    }
    let _ = write!(page, "\n## scripts/start.sh\n\n{START}\n{}", table(&start_script(start_sh), None));
    let mib = |bytes: usize| bytes / (1024 * 1024);
    let _ = write!(
        page,
        "\n## Limits that are not settings\n\n{} waiting jobs in all, {} MiB, {} nodes and {} levels per workflow, {} MiB per upload, \
         {} GiB per produced\nfile; they stand in `queue-manager/protocol/src/limits.rs`.\n",
        limits::WAITING,
        mib(limits::BODY),
        limits::NODES,
        limits::DEPTH,
        mib(limits::UPLOAD),
        limits::FILE / (1024 * 1024 * 1024),
    );
    page
}

/// The headings of a program's `--help`, each once, in its order.
fn groups(settings: &[Setting]) -> Vec<&str> {
    let mut groups: Vec<&str> = Vec::new();
    for group in settings.iter().filter_map(|setting| setting.group.as_deref()) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

fn table(settings: &[Setting], group: Option<&str>) -> String {
    let mut table = "| name | flag | default | what it does |\n|---|---|---|---|\n".to_owned();
    for setting in settings.iter().filter(|setting| setting.group.as_deref() == group) {
        let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
        let short: Vec<_> = setting.short_names.iter().map(|name| format!(" Also `{name}`.")).collect();
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {}{} |",
            setting.name,
            code(&setting.flag),
            code(setting.default.as_deref().unwrap_or_default()),
            setting.text.replace('|', "\\|"),
            short.concat()
        );
    }
    table
}

/// `.env.example`: each variable once, commented out, with its default.
#[must_use]
pub fn example(start_sh: &str) -> String {
    let mut example = format!(
        "# Every setting, commented out; docs/configuration.md says more. Copy to .env, then: set -a; . ./.env; set +a\n\
         # Made by `{WRITTEN_BY}`; change the programs' help texts instead.\n"
    );
    let mut seen = BTreeSet::new();
    let start = Program { name: "scripts/start.sh", settings: start_script(start_sh) };
    for program in programs().into_iter().chain([start]) {
        let _ = write!(example, "\n# {}\n", program.name);
        for setting in program.settings {
            if seen.insert(setting.name.clone()) {
                let default = setting.default.unwrap_or_default();
                let _ = write!(example, "\n{}#{}={default}\n", comment(&setting.text), setting.name);
            }
        }
    }
    example
}

fn comment(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < COMMENT_WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.join("\n") + "\n"
}
