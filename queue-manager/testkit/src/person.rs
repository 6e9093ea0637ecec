//! Someone with a name and a password, and what they do through the API and their seat.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::tab::Tab;
use crate::waiting::until;

/// How long a test's job may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Someone at the door.
#[derive(Clone)]
pub struct Person {
    http: Client,
    base: String,
    /// The account.
    pub name: String,
    password: String,
}

impl Person {
    /// At `base` (`http://host:port`).
    #[must_use]
    pub fn new(base: &str, name: &str, password: &str) -> Self {
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap_or_default();
        Self { http, base: base.to_owned(), name: name.to_owned(), password: password.to_owned() }
    }

    /// The same person at another address.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// A request with their name and password.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).basic_auth(&self.name, Some(&self.password))
    }

    /// GET.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, path: &str) -> anyhow::Result<Response> {
        Ok(self.request(Method::GET, path).send().await?)
    }

    /// GET of JSON.
    ///
    /// # Errors
    /// When the answer is no JSON.
    pub async fn json(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.get(path).await?.json().await?)
    }

    /// POST of JSON.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Response> {
        Ok(self.request(Method::POST, path).json(body).send().await?)
    }

    /// Submits a graph through the API; the job's id.
    ///
    /// # Errors
    /// When it is not accepted.
    pub async fn submit(&self, graph: &Value) -> anyhow::Result<String> {
        let info = json!({"extra_pnginfo": {"workflow": {"id": format!("workflow-of-{}", self.name)}}});
        let answer = self.post("/api/v1/jobs", &json!({"workflow": graph, "extra_data": info})).await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        ensure!(status == 201, "{status}: {body}");
        Ok(body["id"].as_str().context("an id")?.to_owned())
    }

    /// One job as the API shows it.
    ///
    /// # Errors
    /// When it is not theirs.
    pub async fn job(&self, id: &str) -> anyhow::Result<Value> {
        Ok(self.get(&format!("/api/v1/jobs/{id}")).await?.error_for_status()?.json().await?)
    }

    /// Waits until a job is in a state.
    ///
    /// # Errors
    /// When that takes more than a minute.
    pub async fn wait_for(&self, id: &str, state: &str) -> anyhow::Result<Value> {
        let what = format!("job {id} of {} to be {state}", self.name);
        until(&what, PATIENCE, async || Ok(Some(self.job(id).await?).filter(|job| job["state"] == state)))
            .await
    }

    /// The bytes of a job's `n`th file.
    ///
    /// # Errors
    /// When there is none.
    pub async fn picture(&self, job: &Value, n: usize) -> anyhow::Result<Vec<u8>> {
        let url = job["outputs"][n]["url"].as_str().context("a file")?;
        Ok(self.get(url).await?.error_for_status()?.bytes().await?.to_vec())
    }

    /// Signs in as a browser does: the session's cookie.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn session(&self) -> anyhow::Result<String> {
        let form = format!("name={}&password={}", self.name, self.password);
        let request = self.http.post(format!("{}/sign-in", self.base)).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.header("sec-fetch-site", "same-origin").send().await?;
        let cookie = answer.headers().get("set-cookie").with_context(|| format!("{}", answer.status()))?;
        Ok(cookie.to_str()?.split(';').next().unwrap_or_default().to_owned())
    }

    /// Opens their seat's websocket with nothing but a session's cookie.
    ///
    /// # Errors
    /// When it does not open.
    pub async fn tab_of_session(&self, cookie: &str, client_id: Option<&str>) -> anyhow::Result<Tab> {
        Tab::open_as(&self.base, &self.name, ("cookie", cookie), client_id).await
    }

    /// Opens their seat's websocket as ComfyUI's frontend does.
    ///
    /// # Errors
    /// When it does not open.
    pub async fn tab(&self, client_id: Option<&str>) -> anyhow::Result<Tab> {
        Tab::open(&self.base, &self.name, &self.password, client_id).await
    }
}
