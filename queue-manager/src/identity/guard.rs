//! The check before every handler of the API: who calls, whether they may, and not too often.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use queue_protocol::AccountName;
use queue_protocol::api::{Role, Scope};

use super::caller::Caller;
use super::once;
use crate::api::table::{Needs, Who};
use crate::app::App;
use crate::problem::Trouble;

/// Requests of one account: a busy tab and a script together stay far below.
const REQUESTS: Quota =
    Quota::per_second(NonZeroU32::MIN.saturating_add(49)).allow_burst(NonZeroU32::MIN.saturating_add(399));
/// Submits of one account: ComfyUI's own batch of 100 at once, then two a second.
const SUBMITS: Quota =
    Quota::per_second(NonZeroU32::MIN.saturating_add(1)).allow_burst(NonZeroU32::MIN.saturating_add(119));
/// Sign-ins of one account and tokens that it makes: a script that signs in whenever it is started stays below.
const SIGN_INS: Quota = Quota::per_second(NonZeroU32::MIN).allow_burst(NonZeroU32::MIN.saturating_add(59));

/// How often an account may come. By account and not by address: a whole room shares one.
#[derive(Clone)]
pub(crate) struct Pace {
    requests: Arc<DefaultKeyedRateLimiter<AccountName>>,
    submits: Arc<DefaultKeyedRateLimiter<AccountName>>,
    sign_ins: Arc<DefaultKeyedRateLimiter<AccountName>>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            requests: Arc::new(RateLimiter::keyed(REQUESTS)),
            submits: Arc::new(RateLimiter::keyed(SUBMITS)),
            sign_ins: Arc::new(RateLimiter::keyed(SIGN_INS)),
        }
    }
}

impl Pace {
    /// Any request.
    pub(crate) fn request(&self, name: &AccountName) -> Result<(), Trouble> {
        self.requests.check_key(name).map_err(|_| Trouble::TooFast)
    }

    /// A submit, from a tab or by the API.
    pub(crate) fn submit(&self, name: &AccountName) -> Result<(), Trouble> {
        self.submits.check_key(name).map_err(|_| Trouble::TooFast)
    }

    /// A sign-in whose password is right, or a token of one's own: nobody else's tries count.
    pub(crate) fn sign_in(&self, name: &AccountName) -> Result<(), Trouble> {
        self.sign_ins.check_key(name).map_err(|_| Trouble::TooFast)
    }
}

/// Lets a request through to its handler, with its caller, or answers why not.
pub(crate) async fn check(
    State((app, who, needs)): State<(App, Who, Needs)>,
    mut request: Request,
    next: Next,
) -> Response {
    if who == Who::Anyone {
        return next.run(request).await;
    }
    let caller = match admit(&app, who, needs, request.headers()).await {
        Ok(caller) => caller,
        Err(trouble) => return trouble.into_response(),
    };
    request.extensions_mut().insert(caller.clone());
    match once::key(request).await {
        Ok((request, None)) => next.run(request).await,
        Ok((request, Some(key))) => once::run(&app.broker, &caller, &key, next.run(request)).await,
        Err(trouble) => trouble.into_response(),
    }
}

async fn admit(app: &App, who: Who, needs: Needs, headers: &HeaderMap) -> Result<Caller, Trouble> {
    let caller = app.identity.caller(headers).await?;
    app.pace.request(&caller.name)?;
    let enough = match needs {
        Needs::InPerson => caller.in_person(),
        Needs::Scope(scope) => caller.may(scope),
    };
    if !enough {
        return Err(Trouble::OutOfScope);
    }
    if who == Who::Instructor && caller.role != Role::Instructor {
        return Err(Trouble::Forbidden);
    }
    Ok(caller)
}

/// What a token must be for, to be used with a method on one's own things.
pub(crate) fn scope_of(method: &Method) -> Scope {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) { Scope::Read } else { Scope::Work }
}
