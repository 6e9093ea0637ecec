//! Cards to print: a name, an address, and a code that signs in once.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use qrcode::{Color, QrCode};
use queue_client::ClientError;
use queue_client::api::Api;
use queue_protocol::AccountName;
use queue_protocol::api::AccountList;

use super::{Failed, Layout, Visitor, render};
use crate::actions::{Fields, action_id};
use crate::sign_in::ours;

#[derive(Template)]
#[template(path = "pages/cards.html")]
struct Sheet {
    layout: Layout,
    cards: Vec<Card>,
    failed: Vec<(String, String)>,
}

struct Card {
    name: String,
    label: String,
    address: String,
    link: String,
    size: usize,
    path: String,
}

/// The code as one path of an SVG, a unit for each module; none for what no code can hold.
fn code(text: &str) -> (usize, String) {
    let Ok(code) = QrCode::new(text) else { return (0, String::new()) };
    let width = code.width();
    let dark = code.to_colors().into_iter().enumerate().filter(|(_, color)| *color == Color::Dark);
    let squares = dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % width + 4, at / width + 4));
    (width + 8, squares.collect::<Vec<_>>().concat())
}

/// `POST /cards`
pub(crate) async fn print(
    State(api): State<Api>,
    layout: Layout,
    Visitor(token): Visitor,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Failed> {
    if !ours(&headers) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let accounts: AccountList = layout.or(api.get(&token, "/accounts").await)?;
    let wanted = |name: &AccountName| fields.contains_key(&format!("card-{name}"));
    let (address, action) = (layout.seats.clone(), action_id(&fields));
    let (mut cards, mut failed) = (Vec::new(), Vec::new());
    for account in accounts.accounts.iter().filter(|account| wanted(&account.name)) {
        let path = format!("/accounts/{}/link", account.name);
        match api.act(&token, Method::POST, &path, None, &action).await {
            Ok(acted) => match acted.body["path"].as_str() {
                Some(secret) => {
                    let link = format!("{address}{secret}");
                    let (size, path) = code(&link);
                    let label = account.label.clone();
                    cards.push(Card {
                        name: account.name.to_string(),
                        label,
                        address: address.clone(),
                        link,
                        size,
                        path,
                    });
                }
                None => {
                    failed.push((account.name.to_string(), "has the card that was shown before".to_owned()));
                }
            },
            Err(ClientError::Told { detail, .. }) => failed.push((account.name.to_string(), detail)),
            Err(error) => return layout.or(Err(error)),
        }
    }
    Ok(render(&Sheet { layout, cards, failed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_square_with_a_quiet_edge() {
        let (size, path) = code("http://127.0.0.1:8080/join/0123456789abcdef");
        assert!(size > 30 && path.starts_with("M4 4h1v1h-1z"), "the first module is part of the finder");
    }
}
