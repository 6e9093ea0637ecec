//! Which engine the tests run on. The same tests run on each; `scripts/test.sh` says how often.

/// `ATELIER_TEST_ENGINE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One redis-server; what is meant when nothing is said.
    Redis,
    /// The same, where all scripts are forgotten every few milliseconds.
    Forgetful,
    /// One valkey-server, from the path or where `ATELIER_TEST_VALKEY` says.
    Valkey,
    /// Three redis-servers that share the slots.
    Cluster,
}

impl Engine {
    pub fn chosen() -> Self {
        match variable("ATELIER_TEST_ENGINE").as_deref() {
            None | Some("redis") => Self::Redis,
            Some("forgetful") => Self::Forgetful,
            Some("valkey") => Self::Valkey,
            Some("cluster") => Self::Cluster,
            Some(other) => panic!("ATELIER_TEST_ENGINE={other} is none of redis, forgetful, valkey, cluster"),
        }
    }

    pub fn program(self) -> String {
        match self {
            Self::Valkey => variable("ATELIER_TEST_VALKEY").unwrap_or_else(|| "valkey-server".to_owned()),
            _ => "redis-server".to_owned(),
        }
    }
}

/// How many histories begin in each mode.
pub fn histories() -> u32 {
    variable("ATELIER_TEST_HISTORIES").map_or(2_500, |number| number.parse().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "these are the tests' own settings")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
