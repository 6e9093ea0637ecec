//! Every key that Rust code reads or writes. Scripts make theirs with `key(…)` in `prelude.lua`, by the same names.

use queue_protocol::{AccountName, ClientId, JobId, WorkerName, Workshop};
use uuid::Uuid;

/// All keys of one workshop stand under one hash tag, so they live in one slot of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Keys(String);

impl Keys {
    pub(crate) fn new(workshop: &Workshop) -> Self {
        Self(format!("{{{workshop}}}"))
    }

    /// The hash tag itself: `KEYS[1]` of every script.
    pub(crate) fn tag(&self) -> &str {
        &self.0
    }

    /// Where one call's answer is kept, should it be sent again: `KEYS[2]` of scripts that answer once.
    pub(crate) fn answer(&self) -> String {
        format!("{}:answer:{}", self.0, Uuid::new_v4())
    }

    fn plain(&self, name: &str) -> String {
        format!("{}:{name}", self.0)
    }

    pub(crate) fn job(&self, id: JobId) -> String {
        format!("{}:job:{id}", self.0)
    }

    pub(crate) fn body(&self, id: JobId) -> String {
        format!("{}:body:{id}", self.0)
    }

    pub(crate) fn result(&self, id: JobId) -> String {
        format!("{}:result:{id}", self.0)
    }

    pub(crate) fn inputs(&self, id: JobId) -> String {
        format!("{}:inputs:{id}", self.0)
    }

    /// A participant's jobs by arrival number.
    pub(crate) fn mine(&self, participant: &AccountName) -> String {
        format!("{}:mine:{participant}", self.0)
    }

    /// All jobs by arrival number.
    pub(crate) fn all(&self) -> String {
        self.plain("all")
    }

    /// `audit` or `messages`.
    pub(crate) fn journal(&self, name: &str) -> String {
        self.plain(name)
    }

    /// Hashes of the sets of scripts that seats load.
    pub(crate) fn browser_files(&self) -> String {
        self.plain("browser-files")
    }

    /// A participant's own caps.
    pub(crate) fn caps(&self, participant: &AccountName) -> String {
        format!("{}:caps:{participant}", self.0)
    }

    pub(crate) fn hidden(&self, participant: &AccountName) -> String {
        format!("{}:hidden:{participant}", self.0)
    }

    /// Number of the last change in a feed; `@room` is everybody's.
    pub(crate) fn seq(&self, feed: &str) -> String {
        format!("{}:seq:{feed}", self.0)
    }

    pub(crate) fn missed(&self, participant: &AccountName, client: &ClientId) -> String {
        format!("{}:missed:{participant}:{client}", self.0)
    }

    pub(crate) fn worker(&self, worker: &WorkerName) -> String {
        format!("{}:worker:{worker}", self.0)
    }

    pub(crate) fn account(&self, name: &AccountName) -> String {
        format!("{}:account:{name}", self.0)
    }

    pub(crate) fn session(&self, hash: &str) -> String {
        format!("{}:session:{hash}", self.0)
    }

    /// Id of a session → SHA-256 of its secret, for each account.
    pub(crate) fn sessions(&self, name: &AccountName) -> String {
        format!("{}:sessions:{name}", self.0)
    }

    /// Id of a person's token → SHA-256 of its secret.
    pub(crate) fn person_tokens(&self) -> String {
        self.plain("person-tokens")
    }

    pub(crate) fn token(&self, hash: &str) -> String {
        format!("{}:token:{hash}", self.0)
    }

    /// Id of a worker's token → SHA-256 of its secret.
    pub(crate) fn worker_tokens(&self) -> String {
        self.plain("worker-tokens")
    }

    /// SHA-256 of a join token → until when it is valid, and for which worker.
    pub(crate) fn join_tokens(&self) -> String {
        self.plain("join-tokens")
    }

    /// Id of a token → when it was last used.
    pub(crate) fn tokens_used(&self) -> String {
        self.plain("tokens-used")
    }

    pub(crate) fn accounts(&self) -> String {
        self.plain("accounts")
    }

    pub(crate) fn workers(&self) -> String {
        self.plain("workers")
    }

    pub(crate) fn counts(&self) -> String {
        self.plain("counts")
    }

    /// Worker → kind of all that may claim.
    pub(crate) fn present(&self) -> String {
        self.plain("present")
    }

    /// Short id → what a job requires, as JSON.
    pub(crate) fn needs(&self) -> String {
        self.plain("needs")
    }

    /// A participant's waiting jobs and their bytes.
    pub(crate) fn waiting(&self, participant: &AccountName) -> String {
        format!("{}:waiting:{participant}", self.0)
    }

    pub(crate) fn settings(&self) -> String {
        self.plain("settings")
    }

    pub(crate) fn reaped(&self) -> String {
        self.plain("reaped")
    }

    pub(crate) fn leases(&self) -> String {
        self.plain("leases")
    }

    pub(crate) fn ended(&self) -> String {
        self.plain("ended")
    }

    /// A participant's ended jobs, by when they ended.
    pub(crate) fn ended_of(&self, participant: &AccountName) -> String {
        format!("{}:ended:{participant}", self.0)
    }

    /// Jobs that failed and that nobody has dealt with, by when they did.
    pub(crate) fn failures(&self) -> String {
        self.plain("failures")
    }

    /// What somebody had of the GPUs; `@` is the workshop.
    pub(crate) fn tally(&self, whose: &str) -> String {
        format!("{}:tally:{whose}", self.0)
    }

    /// Worker → ms it worked; `<worker>/jobs` → jobs it ended.
    pub(crate) fn worked(&self) -> String {
        self.plain("worked")
    }

    pub(crate) fn minutes(&self) -> String {
        self.plain("minutes")
    }

    pub(crate) fn idle_since(&self) -> String {
        self.plain("idle-since")
    }

    /// What happened to a job.
    pub(crate) fn story(&self, id: JobId) -> String {
        format!("{}:story:{id}", self.0)
    }

    /// There while somebody was heard of lately.
    pub(crate) fn here(&self, name: &AccountName) -> String {
        format!("{}:here:{name}", self.0)
    }

    pub(crate) fn held_classes(&self) -> String {
        self.plain("held")
    }

    /// Jobs on hold for these needs; `@` holds those put aside by hand.
    pub(crate) fn held(&self, needs: &str) -> String {
        format!("{}:held:{needs}", self.0)
    }

    pub(crate) fn later(&self) -> String {
        self.plain("later")
    }

    pub(crate) fn costs(&self) -> String {
        self.plain("costs")
    }

    /// There while somebody may look at the pictures of somebody else's job.
    pub(crate) fn opened(&self, who: &AccountName, job: JobId) -> String {
        format!("{}:opened:{who}:{job}", self.0)
    }

    /// Who is signed out everywhere, by when.
    pub(crate) fn signing_out(&self) -> String {
        self.plain("signing-out")
    }

    /// What the instructor should know, by id, as JSON.
    pub(crate) fn alerts(&self) -> String {
        self.plain("alerts")
    }

    /// How an action ended that must not be done twice.
    pub(crate) fn done(&self, who: &AccountName, action: &str) -> String {
        format!("{}:done:{who}:{action}", self.0)
    }

    /// Jobs of a cause that are about to be cancelled together.
    pub(crate) fn cancelling(&self, cause: &str) -> String {
        format!("{}:cancelling:{cause}", self.0)
    }

    /// A link that signs somebody in once, by the SHA-256 of its secret.
    pub(crate) fn join_link(&self, hash: &str) -> String {
        format!("{}:join:{hash}", self.0)
    }

    /// Channel of transitions.
    pub(crate) fn feed(&self) -> String {
        self.plain("feed")
    }

    /// Channel of execution messages.
    pub(crate) fn frames(&self) -> String {
        self.plain("frames")
    }

    /// Channel of who must prove anew who they are.
    pub(crate) fn doors(&self) -> String {
        self.plain("doors")
    }

    /// Channel of wake-ups and cancels for whoever holds a worker's link.
    pub(crate) fn worker_channel(&self) -> String {
        self.plain("workers")
    }
}
