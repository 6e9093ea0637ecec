//! The table of scripts: each is the prelude, the shared parts it names, and one file. They are called by hash; a store
//! that has forgotten one gets its text.

use std::sync::LazyLock;

use redis::{RedisError, RedisResult, ServerErrorKind, ToRedisArgs};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::reply::Reply;

/// One script with the name of its file.
pub(crate) struct Script {
    name: &'static str,
    source: LazyLock<Source>,
}

/// The text that runs, and its hash.
pub(crate) struct Source {
    text: String,
    hash: String,
    once: bool,
}

impl Script {
    /// `body` without the prelude, which every script gets.
    pub(crate) const fn new(name: &'static str, make: fn() -> Source) -> Self {
        Self { name, source: LazyLock::new(make) }
    }

    pub(crate) fn call<'a>(&'static self, broker: &'a Broker) -> Call<'a> {
        let answer = self.source.once.then(|| broker.keys.answer());
        Call { broker, script: self, answer, arguments: Vec::new() }
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
const SHARED: [(&str, &str); 8] = [
    ("workers", include_str!("transitions/shared/workers.lua")),
    ("turns", include_str!("transitions/shared/turns.lua")),
    ("places", include_str!("transitions/shared/places.lua")),
    ("choose", include_str!("transitions/shared/choose.lua")),
    ("ordering", include_str!("transitions/shared/ordering.lua")),
    ("admission", include_str!("transitions/shared/admission.lua")),
    ("presence", include_str!("transitions/shared/presence.lua")),
    ("doors", include_str!("transitions/shared/doors.lua")),
];

/// Marks a script that a full store refuses.
const REFUSED_WHEN_FULL: &str = "\n-- Refused when the store is full";

/// Marks a script whose second answer would not say how the first one ended. What it answered is kept for a minute, which
/// is longer than a call is sent again and again: by us, and in a cluster by the connection as well.
const ANSWERS_ONCE: &str = "\n-- Answers once";

#[expect(clippy::disallowed_methods, reason = "this is the script table that the ban points to")]
pub(crate) fn assemble(body: &str) -> Source {
    let with = body.lines().find_map(|line| line.strip_prefix("-- With ")).unwrap_or_default();
    let mut text = include_str!("transitions/shared/prelude.lua").to_owned();
    // What ends jobs or forgets them must go on in a full store, or it stays full.
    if !body.contains(REFUSED_WHEN_FULL) {
        text = text.replacen("#!lua", "#!lua flags=allow-oom", 1);
    }
    for (name, part) in SHARED {
        if with.split(' ').any(|needed| needed == name) {
            text.push('\n');
            text.push_str(part);
        }
    }
    text.push('\n');
    let once = body.contains(ANSWERS_ONCE);
    if once {
        text.push_str("local function transition()\n");
        text.push_str(body);
        text.push_str("end\n");
        text.push_str(include_str!("transitions/shared/once.lua"));
    } else {
        text.push_str(body);
    }
    let hash = redis::Script::new(&text).get_hash().to_owned();
    Source { text, hash, once }
}

/// A script with its arguments, ready to run.
pub(crate) struct Call<'a> {
    broker: &'a Broker,
    script: &'static Script,
    /// Where the answer is kept, of a script that answers once.
    answer: Option<String>,
    arguments: Vec<Vec<u8>>,
}

impl Call<'_> {
    pub(crate) fn arg(mut self, value: impl ToRedisArgs) -> Self {
        value.write_redis_args(&mut self.arguments);
        self
    }

    /// Runs the script, once more when the connection broke or no answer came in time: every transition may be sent
    /// again, and the second answer says how the first one ended.
    pub(crate) async fn run(self) -> Result<Reply, BrokerError> {
        let mut answer = self.send().await;
        if answer.as_ref().is_err_and(|error| error.is_connection_dropped() || error.is_io_error()) {
            tracing::debug!(script = self.script.name, "no answer came; sending the transition again");
            answer = self.send().await;
        }
        Ok(Reply::new(self.script.name, answer?))
    }

    /// By hash, or with the text where the hash means nothing: after a restart, and on a cluster's node that is new to
    /// this workshop. No other node is asked to load it, and none can forget it between loading and running.
    async fn send(&self) -> RedisResult<Vec<Vec<u8>>> {
        let mut connection = self.broker.connection.clone();
        let Source { text, hash, .. } = &*self.script.source;
        let answer = self.command("EVALSHA", hash).query_async(&mut connection).await;
        if answer.as_ref().is_err_and(|error: &RedisError| error.kind() == ServerErrorKind::NoScript.into()) {
            return self.command("EVAL", text).query_async(&mut connection).await;
        }
        answer
    }

    fn command(&self, verb: &str, script: &str) -> redis::Cmd {
        let mut command = redis::cmd(verb);
        command.arg(script).arg(1 + usize::from(self.answer.is_some()));
        command.arg(self.broker.keys.tag()).arg(&self.answer);
        command.arg(self.broker.clock_offset_ms).arg(&self.arguments);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only with this first line does a cluster refuse a key of another slot on the same node.
    #[test]
    fn every_script_keeps_to_one_slot() {
        assert!(assemble("return 1").text.starts_with("#!lua flags=allow-oom\n"));
        let grows = assemble("-- Stores more.\n-- Refused when the store is full\nreturn 1");
        assert!(grows.text.starts_with("#!lua\n"));
    }
}
