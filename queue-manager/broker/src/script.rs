//! The table of scripts: each is the prelude, the shared parts it names, and one file; loaded by hash, and loaded again
//! after a Redis restart.

use std::sync::LazyLock;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::reply::Reply;

/// One script with the name of its file.
pub(crate) struct Script {
    name: &'static str,
    script: LazyLock<redis::Script>,
}

impl Script {
    /// `body` without the prelude, which every script gets.
    pub(crate) const fn new(name: &'static str, make: fn() -> redis::Script) -> Self {
        Self { name, script: LazyLock::new(make) }
    }

    pub(crate) fn call<'a>(&'static self, broker: &'a Broker) -> Call<'a> {
        let mut invocation = self.script.prepare_invoke();
        invocation.key(broker.keys.tag()).arg(broker.clock_offset_ms);
        Call { broker, name: self.name, invocation }
    }
}

/// Declares the script of the file beside the caller.
macro_rules! script {
    ($name:literal) => {{
        static SCRIPT: $crate::script::Script = $crate::script::Script::new($name, || {
            $crate::script::assemble(include_str!(concat!($name, ".lua")))
        });
        &SCRIPT
    }};
}
pub(crate) use script;

/// What scripts share, in the order in which one part uses another. A script names the parts it needs in a line
/// `-- With …`; the prelude stands before every one.
const SHARED: [(&str, &str); 7] = [
    ("workers", include_str!("transitions/shared/workers.lua")),
    ("turns", include_str!("transitions/shared/turns.lua")),
    ("places", include_str!("transitions/shared/places.lua")),
    ("choose", include_str!("transitions/shared/choose.lua")),
    ("ordering", include_str!("transitions/shared/ordering.lua")),
    ("admission", include_str!("transitions/shared/admission.lua")),
    ("presence", include_str!("transitions/shared/presence.lua")),
];

#[expect(clippy::disallowed_methods, reason = "this is the script table that the ban points to")]
pub(crate) fn assemble(body: &str) -> redis::Script {
    let with = body.lines().find_map(|line| line.strip_prefix("-- With ")).unwrap_or_default();
    let mut text = include_str!("transitions/shared/prelude.lua").to_owned();
    for (name, part) in SHARED {
        if with.split(' ').any(|needed| needed == name) {
            text.push('\n');
            text.push_str(part);
        }
    }
    redis::Script::new(&format!("{text}\n{body}"))
}

/// A script with its arguments, ready to run.
pub(crate) struct Call<'a> {
    broker: &'a Broker,
    name: &'static str,
    invocation: redis::ScriptInvocation<'static>,
}

impl Call<'_> {
    pub(crate) fn arg(mut self, value: impl redis::ToRedisArgs) -> Self {
        self.invocation.arg(value);
        self
    }

    /// Runs the script, once more when the connection broke: every transition may be sent again, and the second
    /// answer says how the first one ended.
    pub(crate) async fn run(self) -> Result<Reply, BrokerError> {
        let mut connection = self.broker.connection.clone();
        let mut answer: redis::RedisResult<Vec<Vec<u8>>> =
            self.invocation.invoke_async(&mut connection).await;
        if answer.as_ref().is_err_and(|error| error.is_connection_dropped() || error.is_io_error()) {
            tracing::debug!(script = self.name, "the connection broke; sending the transition again");
            answer = self.invocation.invoke_async(&mut connection).await;
        }
        Ok(Reply::new(self.name, answer?))
    }
}
