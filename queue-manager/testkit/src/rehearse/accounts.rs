//! Who acts: accounts of a file, or some that are made for the rehearsal and disabled after it.

use queue_client::api::Api;
use queue_protocol::api::{NewPassword, SignIn};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::options::Options;
use super::report::{Report, Trouble};

/// A name and a password.
pub(crate) type SignInAs = (String, String);

/// Everybody who signs in.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) people: Vec<SignInAs>,
    pub(crate) instructor: Option<SignInAs>,
    /// Accounts that were made for this.
    pub(crate) made: Vec<String>,
}

/// The first of a file, or new ones where the instructor may make them.
pub(crate) async fn cast(url: &str, signs: Option<&Value>, options: &Options) -> Result<Cast, Trouble> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let pair = |one: &Value| Some((text(&one["name"])?, text(&one["password"])?));
    let given = options.instructor.as_deref().map(|given| {
        let (name, password) = given.split_once(':').unwrap_or((given, ""));
        (name.to_owned(), password.to_owned())
    });
    let instructor = given.or_else(|| pair(&signs?["instructor"]));
    let wanted = usize::from(options.people);
    let Some(signs) = signs else {
        let Some(instructor) = instructor else {
            return Err(Trouble::new("nobody can sign in", "there is neither --accounts nor --instructor"));
        };
        let made = make(url, &instructor, wanted).await?;
        let names = made.iter().map(|(name, _)| name.clone()).collect();
        return Ok(Cast { people: made, instructor: Some(instructor), made: names });
    };
    let all = signs["participants"].as_array().into_iter().flatten();
    let people: Vec<_> = all.filter_map(pair).take(wanted).collect();
    if people.len() < wanted {
        let why = format!(
            "there are {} accounts; scripts/start.sh --participants {wanted} makes more",
            people.len()
        );
        return Err(Trouble::new(format!("{wanted} people cannot sign in"), why));
    }
    Ok(Cast { people, instructor, made: Vec::new() })
}

/// The API as the instructor uses it.
pub(crate) struct Desk {
    http: Client,
    url: String,
    token: String,
}

impl Desk {
    pub(crate) async fn open(url: &str, (name, password): &SignInAs) -> Result<Self, Trouble> {
        let refused = |error| Trouble::new("the instructor cannot sign in", error);
        let api = Api::new(url).map_err(refused)?;
        let sign_in = SignIn { name: name.clone(), password: password.clone() };
        let token = api.sign_in(&sign_in).await.map_err(refused)?.token;
        Ok(Self { http: Client::new(), url: url.to_owned(), token })
    }

    /// Its session.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Status and body of an answer.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<(StatusCode, Value), Trouble> {
        let unanswered =
            |error| Trouble::new(format!("the instructor's {method} {path} had no answer"), error);
        let request =
            self.http.request(method.clone(), format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.map_err(unanswered)?;
        Ok((answer.status(), answer.json().await.unwrap_or_default()))
    }
}

async fn make(url: &str, instructor: &SignInAs, wanted: usize) -> Result<Vec<SignInAs>, Trouble> {
    let desk = Desk::open(url, instructor).await?;
    let mut made = Vec::new();
    for n in 1..=wanted {
        let name = format!("rehearsal-{n:03}");
        let (mut status, mut answer) = desk.ask(Method::POST, "/accounts", &json!({"name": name})).await?;
        if status == StatusCode::CONFLICT {
            // Left from an earlier rehearsal, disabled, with a password that nobody has.
            desk.ask(Method::PATCH, &format!("/accounts/{name}"), &json!({"disabled": false})).await?;
            let renew = format!("/accounts/{name}/password");
            (status, answer) = desk.ask(Method::POST, &renew, &Value::Null).await?;
        }
        let password = serde_json::from_value::<NewPassword>(answer).ok().filter(|_| status.is_success());
        let Some(password) = password else {
            return Err(Trouble::new(
                format!("{name} could not be made"),
                format!("the server answered {status}"),
            ));
        };
        made.push((name, password.password));
    }
    Ok(made)
}

/// Disables what was made.
pub(crate) async fn retire(url: &str, cast: &Cast, report: &mut Report) {
    let (Some(instructor), false) = (&cast.instructor, cast.made.is_empty()) else { return };
    let mut left = 0;
    if let Ok(desk) = Desk::open(url, instructor).await {
        for name in &cast.made {
            let disabled =
                desk.ask(Method::PATCH, &format!("/accounts/{name}"), &json!({"disabled": true})).await;
            if !disabled.is_ok_and(|(status, _)| status.is_success()) {
                left += 1;
            }
        }
    } else {
        left = cast.made.len();
    }
    if left > 0 {
        report.remark(format!("{left} accounts rehearsal-… could not be disabled again"));
    }
}
