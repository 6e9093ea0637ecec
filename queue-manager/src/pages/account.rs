//! The lists of the account page: where somebody is signed in, and the tokens of their programs.

use queue_protocol::api::{PersonToken, Scope, Session};

use super::jobs::escaped;
use crate::wording::ago;

/// Programs and systems that call themselves so, the more exact names first.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
const SYSTEMS: [(&str, &str); 6] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
];

/// What a browser calls itself, as a person would say it.
fn called(about: &str) -> String {
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| about.contains(sign)).map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) if about.is_empty() => "A program without a name".to_owned(),
        (None, None) => about.chars().take(60).collect(),
    }
}

fn ends(now: u64, at: u64) -> String {
    let hours = at.saturating_sub(now).div_ceil(3_600_000);
    if hours <= 48 { format!("ends in {hours} h") } else { format!("ends in {} days", hours.div_ceil(24)) }
}

fn row(what: &str, detail: &str, action: &str, button: &str, label: &str) -> String {
    let (what, label) = (escaped(what), escaped(label));
    format!(
        r#"<li><div><strong>{what}</strong><p class="detail">{detail}</p></div><form method="post" action="{action}"><button type="submit" class="quiet" aria-label="{label}">{button}</button></form></li>"#
    )
}

pub(super) fn sessions(now: u64, sessions: &[Session]) -> String {
    let one = |session: &Session| {
        let (name, used) = (called(&session.about), ago(now, session.used_at));
        let (since, ends) = (ago(now, session.made_at), ends(now, session.ends_at));
        if session.current {
            return format!(
                r#"<li><div><strong>{}</strong><p class="detail">This browser: signed in {since}, {ends}</p></div></li>"#,
                escaped(&name)
            );
        }
        let detail = format!("signed in {since}, used {used}, {ends}");
        let action = format!("account/sessions/{}/end", session.id);
        row(&name, &detail, &action, "Sign out", &format!("Sign out {name}, used {used}"))
    };
    sessions.iter().map(one).collect()
}

pub(super) fn tokens(now: u64, tokens: &[PersonToken]) -> String {
    let one = |token: &PersonToken| {
        let may = match token.scopes.as_slice() {
            [Scope::Read] => "sees jobs and files",
            scopes if scopes.contains(&Scope::Steer) => "steers the room",
            _ => "submits, cancels and uploads",
        };
        let used = token.used_at.map_or("never used".to_owned(), |at| format!("used {}", ago(now, at)));
        let detail =
            format!("{may}, made {}, {used}, {}", ago(now, token.made_at), ends(now, token.expires_at));
        let name = if token.label.is_empty() { token.id.as_str() } else { &token.label };
        let action = format!("account/tokens/{}/revoke", token.id);
        row(name, &detail, &action, "Revoke", &format!("Revoke {name}"))
    };
    let rows: String = tokens.iter().map(one).collect();
    if rows.is_empty() { r#"<li class="hint">None yet.</li>"#.to_owned() } else { rows }
}

/// A token that was just made: it is shown this once.
pub(super) fn made(token: &str) -> String {
    let token = escaped(token);
    format!(
        r#"<p class="made" role="status">Your new token. Copy it now: it is not shown again.<code id="made">{token}</code></p>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_called_as_people_call_it_and_nothing_it_says_is_markup() {
        let firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1";
        assert_eq!(
            [firefox, phone, "curl/8.5.0", ""].map(called),
            ["Firefox on Windows", "Safari on iPhone", "curl", "A program without a name"]
        );
        let evil = Session {
            id: "000000000000".parse().unwrap(),
            about: "<script>alert(1)</script>".to_owned(),
            made_at: 0,
            used_at: 0,
            ends_at: 3_600_000,
            current: false,
        };
        let rows = sessions(0, &[evil]);
        assert!(!rows.contains("<script") && rows.contains("ends in 1 h"), "{rows}");
    }
}
