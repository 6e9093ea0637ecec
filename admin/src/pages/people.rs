//! Everyone with an account: add, disable, seat; and a new password or sign-in link, shown once.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use queue_client::ClientError;
use queue_client::api::Api;
use queue_protocol::AccountName;
use queue_protocol::api::{Account, AccountList, Caps, Role};
use serde_json::json;

use super::person::takes_part;
use super::{Failed, Layout, Visitor, render};
use crate::actions::{Fields, action_id};
use crate::sign_in::ours;

/// People that one form may add.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "pages/people.html")]
struct PeoplePage {
    layout: Layout,
    people: Vec<PersonRow>,
    waiting_cap: String,
    running_cap: String,
    next: String,
    last: String,
}

struct PersonRow {
    name: String,
    label: String,
    seat: String,
    instructor: bool,
    disabled: bool,
}

impl PersonRow {
    fn of(account: &Account) -> Self {
        Self {
            name: account.name.to_string(),
            label: account.label.clone(),
            seat: account.seat.map(|seat| seat.to_string()).unwrap_or_default(),
            instructor: account.role == Role::Instructor,
            disabled: account.disabled,
        }
    }
}

/// A password or several, shown once.
#[derive(Template)]
#[template(path = "pages/secrets.html")]
struct Secrets {
    layout: Layout,
    made: Vec<(String, String)>,
    failed: Vec<(String, String)>,
    back: String,
}

pub(crate) async fn page(
    State(api): State<Api>,
    layout: Layout,
    Visitor(token): Visitor,
) -> Result<Response, Failed> {
    let accounts: AccountList = layout.or(api.get(&token, "/accounts").await)?;
    let caps: Caps = layout.or(api.get(&token, "/caps").await)?;
    let mut people: Vec<_> = accounts.accounts.iter().collect();
    people.sort_by_key(|account| (account.seat.unwrap_or(u32::MAX), account.name.clone()));
    let participants = people.iter().filter(|account| takes_part(account.role)).count();
    let text = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    Ok(render(&PeoplePage {
        people: people.into_iter().map(PersonRow::of).collect(),
        waiting_cap: text(caps.waiting_per_participant),
        running_cap: text(caps.running_per_participant),
        next: format!("user{:03}", participants + 1),
        last: format!("user{:03}", participants + 20),
        layout,
    }))
}

/// Names that somebody typed: one to a line or between commas, or `user001-user020` for all from one to the other.
fn names(typed: &str) -> Vec<String> {
    let mut all = Vec::new();
    for word in typed.split([',', '\n', ' ', ';']).map(str::trim).filter(|word| !word.is_empty()) {
        match word.split_once("..").or_else(|| word.split_once('–')).and_then(|(from, to)| between(from, to))
        {
            Some(some) => all.extend(some),
            None => all.push(word.to_owned()),
        }
    }
    all.truncate(MOST);
    all
}

fn between(from: &str, to: &str) -> Option<Vec<String>> {
    let split = from.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    let (prefix, digits) = from.split_at(split);
    let last: usize = to.strip_prefix(prefix).unwrap_or(to).parse().ok()?;
    let first: usize = digits.parse().ok()?;
    let width = digits.len();
    (first <= last).then(|| (first..=last).take(MOST).map(|n| format!("{prefix}{n:0width$}")).collect())
}

/// What became of the one at whom it broke off.
fn broke_off(error: &ClientError) -> &'static str {
    match error {
        ClientError::Refused => "was not added: your session is over",
        _ => {
            "may have been added; the queue-manager did not answer. If they are on the list, give them a new password"
        }
    }
}

/// `POST /people`
pub(crate) async fn add(
    State(api): State<Api>,
    layout: Layout,
    Visitor(token): Visitor,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Failed> {
    if !ours(&headers) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let action = action_id(&fields);
    let (mut made, mut failed) = (Vec::new(), Vec::new());
    let mut names = names(fields.get("names").map_or("", String::as_str)).into_iter();
    while let Some(name) = names.next() {
        // One action for each name, so that a form sent twice adds nobody twice.
        let body = json!({"name": name});
        match api.act(&token, Method::POST, "/accounts", Some(&body), &action).await {
            Ok(acted) if acted.repeated => failed.push((name, "was added already".to_owned())),
            Ok(acted) => made.push((name, acted.body["password"].as_str().unwrap_or_default().to_owned())),
            Err(ClientError::Told { detail, .. }) => failed.push((name, detail)),
            Err(error) if made.is_empty() => return layout.or(Err(error)),
            // Nobody can show again what was made before it broke off.
            Err(error) => {
                tracing::warn!(%error, "adding people broke off");
                failed.push((name, broke_off(&error).to_owned()));
                failed.extend(names.map(|name| (name, "was not added".to_owned())));
                break;
            }
        }
    }
    Ok(render(&Secrets { layout, made, failed, back: "/people".to_owned() }))
}

/// `POST /people/{name}/password`
pub(crate) async fn password(
    State(api): State<Api>,
    layout: Layout,
    Visitor(token): Visitor,
    Path(name): Path<AccountName>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Failed> {
    if !ours(&headers) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let path = format!("/accounts/{name}/password");
    let acted = layout.or(api.act(&token, Method::POST, &path, None, &action_id(&fields)).await)?;
    let (mut made, mut failed) = (Vec::new(), Vec::new());
    match acted.body["password"].as_str() {
        Some(password) => made.push((name.to_string(), password.to_owned())),
        None => failed.push((name.to_string(), "has the password that was shown before".to_owned())),
    }
    Ok(render(&Secrets { layout, made, failed, back: format!("/person/{name}") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_typed_one_by_one_or_from_one_to_the_other() {
        assert_eq!(names("ada, ben\n cam"), ["ada", "ben", "cam"]);
        assert_eq!(names("user008..user011"), ["user008", "user009", "user010", "user011"]);
        assert_eq!(names("user1..3 eve"), ["user1", "user2", "user3", "eve"]);
        assert_eq!(names("user1..100000").len(), MOST);
        assert_eq!(names("a..b"), ["a..b"], "which no account can be called");
    }
}
