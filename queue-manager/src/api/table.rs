//! The one table of the API: each row is a method, a path, who may, a handler, and what the documentation says. The
//! router, the checks of roles and the OpenAPI description are all made from it, so a route without a row cannot be.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, patch, post};
use queue_protocol::api::Scope;
use queue_protocol::{api as shape, limits};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    account, accounts, audit, browser_files, caps, causes, checklist, classroom, feed, jobs, messages,
    openapi, pictures, queue, report, room, steer, submit, tokens, workers,
};
use crate::app::App;
use crate::identity::guard::scope_of;
use crate::identity::{guard, sign_in};
use crate::problem::Trouble;

/// Who may use a route. What they see there is a second question: a participant's own things, or everyone's for the
/// instructor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Without signing in.
    Anyone,
    /// Everyone who is signed in.
    Account,
    /// The instructor.
    Instructor,
}

/// What a caller must have come with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// A sign-in, or a token with this scope.
    Scope(Scope),
    /// A sign-in: a token must not make others, nor outlive what took it away.
    InPerson,
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One route.
#[derive(Clone)]
pub struct Row {
    /// The method.
    pub method: Method,
    /// The path below `/api/v1`.
    pub path: &'static str,
    /// Who may.
    pub who: Who,
    handler: fn() -> MethodRouter<App>,
    /// One sentence for the documentation.
    pub says: &'static str,
    /// Its query.
    pub query: Option<SchemaOf>,
    /// Its JSON body.
    pub body: Option<SchemaOf>,
    /// What it answers when all is well.
    pub answers: (u16, Option<SchemaOf>),
    /// Other statuses that are not errors of every route.
    pub also: &'static [u16],
    /// Content type of the answer.
    pub kind: &'static str,
    in_person: bool,
}

impl Row {
    fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    fn answers<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers = (status, Some(SchemaGenerator::subschema_for::<T>));
        self
    }

    fn also(mut self, statuses: &'static [u16]) -> Self {
        self.also = statuses;
        self
    }

    /// Not with a token.
    fn in_person(mut self) -> Self {
        self.in_person = true;
        self
    }

    /// What a caller must have come with.
    #[must_use]
    pub fn needs(&self) -> Needs {
        match self.who {
            _ if self.in_person => Needs::InPerson,
            Who::Instructor => Needs::Scope(Scope::Steer),
            Who::Anyone | Who::Account => Needs::Scope(scope_of(&self.method)),
        }
    }

    fn kind(mut self, kind: &'static str, status: u16) -> Self {
        (self.kind, self.answers.0) = (kind, status);
        self
    }
}

macro_rules! row {
    ($method:ident $path:literal, $who:ident, $handler:path, $says:literal) => {
        Row {
            method: method(stringify!($method)),
            path: $path,
            who: Who::$who,
            handler: || $method($handler),
            says: $says,
            query: None,
            body: None,
            answers: (204, None),
            also: &[],
            kind: "application/json",
            in_person: false,
        }
    };
}

fn method(word: &str) -> Method {
    match word {
        "post" => Method::POST,
        "patch" => Method::PATCH,
        "delete" => Method::DELETE,
        _ => Method::GET,
    }
}

/// Every route of the API.
#[must_use]
#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "one row for each route, and no code")]
pub fn rows() -> Vec<Row> {
    vec![
        row!(get "/openapi.json", Anyone, openapi::document, "This description.").answers::<serde_json::Value>(200),

        row!(post "/session", Anyone, sign_in::token, "Sign in; the answer's token goes into Authorization: Bearer.")
            .takes::<shape::SignIn>().answers::<shape::SignedIn>(201).also(&[401]),
        row!(get "/session", Account, sign_in::who, "Who the caller is.").answers::<shape::Account>(200),
        row!(delete "/session", Account, sign_in::end, "Sign out.").in_person(),
        row!(get "/account/sessions", Account, account::sessions, "Where the caller is signed in, newest first.")
            .answers::<shape::SessionList>(200).in_person(),
        row!(delete "/account/sessions/{session}", Account, account::end_session, "Sign out there.").in_person(),
        row!(get "/account/tokens", Account, account::tokens, "The caller's tokens, without the tokens themselves.")
            .answers::<shape::PersonTokenList>(200).in_person(),
        row!(post "/account/tokens", Account, account::make_token, "Make a token for a program; shown once.")
            .takes::<shape::WantedPersonToken>().answers::<shape::NewPersonToken>(201).also(&[409]).in_person(),
        row!(delete "/account/tokens/{token}", Account, account::revoke_token, "Revoke a token; what it opened closes.")
            .in_person(),

        row!(get "/jobs", Account, jobs::list, "Own jobs, newest first; everyone's for the instructor.")
            .query::<shape::JobFilter>().answers::<shape::JobList>(200),
        row!(post "/jobs", Account, submit::submit, "Submit a workflow in ComfyUI's API format.")
            .takes::<submit::Submit<'_>>().answers::<shape::Submitted>(201).also(&[200]),
        row!(get "/jobs/{id}", Account, jobs::get, "One job.").answers::<shape::Job>(200),
        row!(delete "/jobs/{id}", Account, jobs::cancel_now, "Cancel a job at once.")
            .answers::<shape::CancelOutcome>(200),
        row!(post "/jobs/{id}/cancel", Account, jobs::cancel, "Cancel a job, at once or after a delay.")
            .takes::<shape::Cancel>().answers::<shape::CancelOutcome>(200),
        row!(post "/jobs/{id}/keep", Account, steer::keep, "Take a delayed cancel back.").also(&[409]),
        row!(post "/jobs/{id}/hold", Account, steer::hold, "Put a waiting job aside.").also(&[409]),
        row!(post "/jobs/{id}/release", Account, steer::release, "Put it back to its own place.").also(&[409]),
        row!(post "/jobs/{id}/move", Account, steer::move_to, "Move a waiting job within its owner's line.")
            .takes::<shape::Move>().also(&[409]),
        row!(post "/jobs/{id}/retry", Account, steer::retry, "Submit an ended job again, as a new one.")
            .takes::<shape::Retry>().answers::<shape::Submitted>(201).also(&[200, 409]),
        row!(post "/jobs/{id}/lane", Instructor, steer::prioritise, "Move a waiting job to another lane.")
            .takes::<shape::Prioritise>().also(&[409]),
        row!(get "/jobs/{id}/story", Account, report::story, "One job with everything that happened to it.")
            .answers::<shape::JobStory>(200),
        row!(post "/jobs/{id}/open", Instructor, report::open, "Its workflow; that it was opened is in the audit log.")
            .answers::<shape::Opened>(200),
        row!(get "/jobs/{id}/pictures/{n}", Instructor, pictures::show,
            "The n-th of its files as a picture, from 0, for ten minutes after it was opened.")
            .kind("image/webp", 200).also(&[409]),
        row!(get "/events", Account, feed::events, "A numbered snapshot, then numbered changes, as server-sent events.")
            .kind("text/event-stream", 200),
        row!(get "/feed", Account, feed::socket, "The same over a websocket.").kind("", 101).also(&[426]),

        row!(get "/queue", Account, queue::status, "Totals, mode, and whether the queue is paused.")
            .answers::<shape::QueueStatus>(200),
        row!(patch "/queue", Instructor, queue::change, "Change mode or pause.")
            .takes::<shape::QueueChange>().answers::<shape::QueueStatus>(200),
        row!(post "/queue/demo", Instructor, classroom::demo, "Somebody's next jobs go first, for a while.")
            .takes::<shape::NewDemo>(),
        row!(delete "/queue/demo", Instructor, classroom::end_demo, "The usual order again.").also(&[409]),
        row!(post "/queue/clear", Instructor, classroom::clear, "Cancel everything that waits, if it is as much as said.")
            .takes::<shape::Clear>().answers::<shape::Done>(200).also(&[409]),
        row!(get "/room", Instructor, room::show, "The room at a glance: people, workers, who is next, problems.")
            .answers::<shape::Room>(200),
        row!(post "/causes/{cause}/retry", Instructor, causes::retry, "Submit every failed job of a cause again.")
            .answers::<shape::Done>(200).also(&[409]),
        row!(post "/causes/{cause}/dismiss", Instructor, causes::dismiss, "Take a cause off the list of problems.")
            .answers::<shape::Done>(200).also(&[409]),
        row!(post "/causes/{cause}/cancel", Instructor, causes::cancel, "Cancel what no worker can run, after 10 s.")
            .answers::<shape::Done>(200).also(&[409]),
        row!(post "/causes/{cause}/keep", Instructor, causes::keep, "Take that back, for all of them.")
            .answers::<shape::Done>(200).also(&[409]),
        row!(get "/report", Instructor, report::report, "Minutes for charts, everyone's usage, GPU time.")
            .answers::<shape::Report>(200),
        row!(get "/checklist", Instructor, checklist::show, "What must be there before people come.")
            .answers::<shape::Checklist>(200),
        row!(get "/caps", Account, caps::own, "The caps that hold for the caller.").answers::<shape::Caps>(200),
        row!(patch "/caps", Instructor, caps::change, "Change the workshop's caps.")
            .takes::<shape::Caps>().answers::<shape::Caps>(200),

        row!(get "/workers", Instructor, workers::list, "Every worker.").answers::<shape::WorkerList>(200),
        row!(post "/workers/{worker}/drain", Instructor, workers::drain, "Finish what runs, then claim nothing more."),
        row!(post "/workers/{worker}/resume", Instructor, workers::resume, "Claim again."),
        row!(delete "/workers/{worker}", Instructor, workers::forget, "List a worker no more.").also(&[409]),

        row!(get "/browser-files", Instructor, browser_files::list, "Scripts of workers' custom nodes, by set.")
            .answers::<shape::BrowserFileSets>(200),
        row!(post "/browser-files/{hash}/accept", Instructor, browser_files::accept, "Let every seat load this set."),
        row!(delete "/browser-files/{hash}/accept", Instructor, browser_files::refuse, "Let no seat load it any more."),

        row!(get "/tokens", Instructor, tokens::list, "Workers' tokens, without the tokens themselves.")
            .answers::<shape::TokenList>(200),
        row!(post "/tokens", Instructor, tokens::issue, "Make a worker's token; shown once.")
            .takes::<shape::WantedToken>().answers::<shape::NewToken>(201).in_person(),
        row!(delete "/tokens/{token}", Instructor, tokens::revoke, "Revoke a token; its link closes.").in_person(),

        row!(get "/accounts", Instructor, accounts::list, "Every account.").answers::<shape::AccountList>(200),
        row!(post "/accounts", Instructor, accounts::add, "Add an account; its password is shown once.")
            .takes::<shape::NewAccount>().answers::<shape::NewPassword>(201).also(&[409]).in_person(),
        row!(patch "/accounts/{name}", Instructor, accounts::change, "Disable, enable or change a role.")
            .takes::<shape::AccountPatch>().answers::<shape::Account>(200).in_person(),
        row!(post "/accounts/{name}/password", Instructor, accounts::password, "Make a new password; shown once.")
            .answers::<shape::NewPassword>(200).in_person(),
        row!(post "/accounts/{name}/sign-out", Instructor, accounts::sign_out,
            "End all sessions and tokens, at once or after a delay; the password stays.").takes::<shape::SignOut>().in_person(),
        row!(post "/accounts/{name}/stay", Instructor, accounts::stay, "Take a delayed sign-out back.").also(&[409]).in_person(),
        row!(post "/accounts/{name}/link", Instructor, accounts::link, "A link that signs in once, within a day.")
            .answers::<shape::JoinLink>(201).in_person(),
        row!(get "/accounts/{name}/caps", Instructor, caps::of, "The caps that hold for somebody.")
            .answers::<shape::Caps>(200),
        row!(patch "/accounts/{name}/caps", Instructor, caps::change_of, "Give somebody their own caps.")
            .takes::<shape::Caps>().answers::<shape::Caps>(200),

        row!(get "/messages", Account, messages::list, "The instructor's messages to the caller, newest first.")
            .answers::<shape::MessageList>(200),
        row!(post "/messages", Instructor, messages::send, "Say something to everybody or to one.")
            .takes::<shape::NewMessage>().answers::<shape::Message>(201),
        row!(get "/audit", Instructor, audit::list, "Who did what, newest first.")
            .query::<shape::AuditFilter>().answers::<shape::AuditLog>(200),
    ]
}

/// The API's router.
pub(crate) fn router(app: &App) -> Router<App> {
    let mut router = Router::new();
    for row in rows() {
        // Submitting looks at its own.
        let most = if row.who == Who::Anyone { limits::SIGN_IN } else { limits::FORM };
        let guarded: MethodRouter<App> =
            (row.handler)().layer(from_fn_with_state((app.clone(), row.who, row.needs()), guard::check));
        router = router.route(row.path, guarded.layer(DefaultBodyLimit::max(most)));
    }
    router.fallback(async || Trouble::NotFound).method_not_allowed_fallback(async || Trouble::WrongMethod)
}
