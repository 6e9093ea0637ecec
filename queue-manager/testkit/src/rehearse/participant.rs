//! One of the people: signs in, submits from a tab and by the API in turn, looks at jobs.

use std::time::{Duration, Instant};

use queue_client::api::Api;
use queue_protocol::api::{Job, SignIn};
use queue_protocol::{AccountName, JobId};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use super::accounts::SignInAs;
use super::ear::Ear;
use super::report::Trouble;

/// Somebody who is signed in and listens.
pub(crate) struct Participant {
    pub(crate) name: AccountName,
    pub(crate) ear: Ear,
    http: Client,
    url: String,
    token: String,
}

/// A job that was accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accepted {
    pub(crate) job: JobId,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
}

/// Which of the two ways in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Api,
    Seat,
}

impl Door {
    pub(crate) fn of(n: usize) -> Self {
        if n.is_multiple_of(2) { Self::Seat } else { Self::Api }
    }
}

impl Participant {
    pub(crate) async fn sign_in(url: &str, (name, password): &SignInAs) -> Result<(Self, Duration), Trouble> {
        let refused = |why: String| Trouble::new(format!("{name} cannot sign in"), why);
        let api = Api::new(url).map_err(|error| refused(error.to_string()))?;
        let started = Instant::now();
        let sign_in = SignIn { name: name.clone(), password: password.clone() };
        let signed = api.sign_in(&sign_in).await.map_err(|error| refused(error.to_string()))?;
        let took = started.elapsed();
        if signed.name.as_str() != name {
            return Err(refused(format!("the server took them for {}", signed.name)));
        }
        let ear = Ear::open(&api, &signed.token, Some(signed.name.clone())).await?;
        let http = Client::builder().timeout(Duration::from_secs(30)).build();
        let http = http.map_err(|error| refused(error.to_string()))?;
        Ok((Self { name: signed.name, ear, http, url: url.to_owned(), token: signed.token }, took))
    }

    /// Submits; the error says in words what came instead of an accepted job.
    pub(crate) async fn submit(&self, door: Door, graph: &Value) -> Result<Accepted, String> {
        let (path, body) = match door {
            Door::Api => ("/api/v1/jobs".to_owned(), json!({"workflow": graph})),
            Door::Seat => {
                let client = format!("rehearsal-{}", self.name);
                (format!("/{}/prompt", self.name), json!({"prompt": graph, "client_id": client}))
            }
        };
        let wanted = match door {
            Door::Api => (StatusCode::CREATED, "id"),
            Door::Seat => (StatusCode::OK, "prompt_id"),
        };
        let sent = Instant::now();
        let answer =
            self.post(&path, &body).await.map_err(|error| format!("{path} had no answer: {error}"))?;
        let answered = Instant::now();
        let status = answer.status();
        let text = answer.text().await.map_err(|error| format!("{path} had half an answer: {error}"))?;
        let job =
            serde_json::from_str::<Value>(&text).ok().and_then(|said| said[wanted.1].as_str()?.parse().ok());
        match job {
            Some(job) if status == wanted.0 => Ok(Accepted { job, sent, answered }),
            _ => Err(format!("the server answered {status} to POST {path}{}", said(&text))),
        }
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Result<Response> {
        self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(body).send().await
    }

    /// One job as the API shows it, or the status it answered instead.
    pub(crate) async fn look_at(&self, job: JobId) -> Result<Result<Job, StatusCode>, String> {
        let request = self.http.get(format!("{}/api/v1/jobs/{job}", self.url)).bearer_auth(&self.token);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        match answer.status() {
            StatusCode::OK => answer.json().await.map(Ok).map_err(|error| error.to_string()),
            status => Ok(Err(status)),
        }
    }

    /// What the server answers to a submit in somebody else's seat.
    pub(crate) async fn intrude(&self, other: &AccountName, graph: &Value) -> Result<StatusCode, String> {
        let answer = self.post(&format!("/{other}/prompt"), &json!({"prompt": graph})).await;
        answer.map(|answer| answer.status()).map_err(|error| error.to_string())
    }

    pub(crate) async fn sign_out(&self) {
        if let Ok(api) = Api::new(&self.url) {
            // The session ends by itself as well.
            let _ = api.sign_out(&self.token).await;
        }
    }
}

/// The sentence of a problem, where the answer has one.
fn said(text: &str) -> String {
    let json: Value = serde_json::from_str(text).unwrap_or_default();
    let sentence = json["detail"].as_str().or_else(|| json["error"]["message"].as_str());
    sentence.map(|sentence| format!(" ({})", sentence.trim_end_matches('.'))).unwrap_or_default()
}
