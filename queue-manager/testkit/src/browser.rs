//! A person's browser: Debian's headless Chromium, with a profile of its own.

pub mod editor;
pub mod queue_panel;

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Process, free_port, repository};
use crate::waiting::until;

/// How long a page may take to show something.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// chromedriver, which starts browsers.
pub struct Driver {
    process: Process,
    url: String,
    /// Where browsers put their profiles; they do not always take them away.
    profiles: TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A test that fails closes no browser: all that chromedriver started goes with it.
        let group = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            // Gone already is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
        // The last of them may still write for a moment.
        for _ in 0..50 {
            match std::fs::remove_dir_all(self.profiles.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => break,
            }
        }
    }
}

impl Driver {
    /// Starts chromedriver with its log in `folder`.
    ///
    /// # Errors
    /// When it is not installed (`apt-get install chromium chromium-driver`).
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut command = Command::new("chromedriver");
        let profiles = tempfile::tempdir()?;
        command.arg(format!("--port={port}")).env("TMPDIR", profiles.path()).process_group(0);
        let process = Process::start(command, &folder.join("chromedriver.log"))
            .context("apt-get install chromium chromium-driver")?;
        let url = format!("http://127.0.0.1:{port}");
        until("chromedriver", PATIENCE, async || {
            Ok(reqwest::get(format!("{url}/status")).await?.status().is_success().then_some(()))
        })
        .await?;
        Ok(Self { process, url, profiles })
    }

    /// A new browser of a window size.
    ///
    /// # Errors
    /// When Chromium does not start.
    pub async fn browser(&self, width: u32, height: u32) -> anyhow::Result<Browser> {
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            format!("--window-size={width},{height}"),
        ];
        let mut options = json!({"args": arguments});
        if width < 500 {
            // Chromium makes no window narrower than 500; a phone is emulated.
            options["mobileEmulation"] =
                json!({"deviceMetrics": {"width": width, "height": height, "pixelRatio": 2}});
        }
        let capabilities = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}});
        let capabilities = capabilities.as_object().cloned().unwrap_or_default();
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&self.url)
            .await
            .context("Chromium did not start")?;
        Ok(Browser { page, driver: self.url.clone() })
    }
}

/// One person's browser.
pub struct Browser {
    /// The page, for what is not below.
    pub page: Client,
    pub(crate) driver: String,
}

impl Browser {
    /// Signs in on the sign-in page, as a person does, and waits for the page behind it.
    ///
    /// # Errors
    /// When the page is not there, or the sign-in is refused.
    pub async fn sign_in(&self, base: &str, name: &str, password: &str) -> anyhow::Result<()> {
        self.page.goto(&format!("{base}/sign-in")).await?;
        self.page.find(Locator::Id("name")).await?.send_keys(name).await?;
        self.page.find(Locator::Id("password")).await?.send_keys(password).await?;
        self.page.find(Locator::Css("button[type=submit]")).await?.click().await?;
        // Whoever goes elsewhere before the answer is there is not signed in.
        let inside = "return document.readyState === 'complete' && !location.pathname.endsWith('/sign-in');";
        self.wait_for("the page behind the sign-in", inside, vec![]).await.map(drop)
    }

    /// Signs in and waits until the unmodified frontend's editor is there.
    ///
    /// # Errors
    /// When it is not within a minute.
    pub async fn open_seat(&self, base: &str, name: &str, password: &str) -> anyhow::Result<()> {
        self.sign_in(base, name, password).await?;
        self.editor().await
    }

    /// Puts a graph on the canvas, with the node that shows the result in sight, names the workflow after its owner, and
    /// clicks Run.
    ///
    /// # Errors
    /// When the frontend does not take the graph.
    pub async fn run(&self, graph: &Value, owner: &str) -> anyhow::Result<()> {
        let load = "const [graph, owner, done] = arguments; \
            (async () => { await window.app.loadApiJson(graph, owner + '.json'); \
            const shown = window.app.rootGraph ?? window.app.graph; shown.extra.owner = owner; \
            window.app.canvas.centerOnNode(shown.nodes.find((node) => node.type === 'SaveImage')); })() \
            .then(() => done(true), (error) => done(String(error)));";
        let loaded = self.page.execute_async(load, vec![graph.clone(), json!(owner)]).await?;
        ensure!(loaded == json!(true), "the graph was not loaded: {loaded}");
        let button = "[data-testid=\"queue-button\"] button, button[data-testid=\"queue-button\"]";
        Ok(self.page.find(Locator::Css(button)).await?.click().await?)
    }

    /// Waits until a node on the canvas shows an output, and answers its address.
    ///
    /// # Errors
    /// When none does within a minute.
    pub async fn picture_on_a_node(&self) -> anyhow::Result<String> {
        let look = "const graph = window.app.rootGraph ?? window.app.graph; \
            return graph.nodes.flatMap((node) => node.imgs ?? []).map((image) => image.src) \
                .find((source) => source.includes('type=output')) ?? null;";
        let address = self.wait_for("a picture on the node", look, vec![]).await?;
        Ok(address.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until a node on the canvas shows a picture of this job.
    ///
    /// # Errors
    /// When none does within a minute.
    pub async fn picture_of(&self, job: &str) -> anyhow::Result<String> {
        // A node out of sight loads no picture.
        let look = "const graph = window.app.rootGraph ?? window.app.graph; \
            window.app.canvas.centerOnNode(graph.nodes.find((node) => node.type === 'SaveImage')); \
            return graph.nodes.flatMap((node) => node.imgs ?? []).filter((image) => image.naturalWidth > 0) \
                .map((image) => image.src) \
                .find((source) => source.includes('type=output') && source.includes(arguments[0])) ?? null;";
        let address = self.wait_for("the job's picture on the node", look, vec![json!(job)]).await?;
        Ok(address.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the editor is there and has opened what it opens by itself, after a first visit as after a reload.
    ///
    /// # Errors
    /// When it is not within a minute.
    pub async fn editor(&self) -> anyhow::Result<()> {
        let ready = "return document.readyState === 'complete' && window.app?.graph?.nodes.length > 0 \
            && !!(window.app.extensionManager.workflow.activeWorkflow && document.querySelector('[data-testid=\"queue-button\"]'));";
        self.wait_for("the editor", ready, vec![]).await.map(drop)
    }

    /// Waits until a node on the canvas shows progress.
    ///
    /// # Errors
    /// When none does within a minute.
    pub async fn progress_on_a_node(&self) -> anyhow::Result<()> {
        let look =
            "return (window.app.rootGraph ?? window.app.graph).nodes.some((node) => node.progress > 0);";
        self.wait_for("progress on a node", look, vec![]).await.map(drop)
    }

    /// Runs a script in the page; `return` gives the answer.
    ///
    /// # Errors
    /// When the script fails.
    pub async fn script(&self, code: &str, arguments: Vec<Value>) -> anyhow::Result<Value> {
        Ok(self.page.execute(code, arguments).await?)
    }

    /// Waits until a script's answer is neither null nor false.
    ///
    /// # Errors
    /// When that takes more than a minute.
    pub async fn wait_for(&self, what: &str, code: &str, arguments: Vec<Value>) -> anyhow::Result<Value> {
        let answer = until(what, PATIENCE, async || {
            let answer = self.script(code, arguments.clone()).await?;
            Ok(Some(answer).filter(|answer| !answer.is_null() && *answer != Value::Bool(false)))
        });
        self.explained(what, answer.await).await
    }

    /// An error together with a picture of what the person saw.
    pub(crate) async fn explained<T>(&self, what: &str, answer: anyhow::Result<T>) -> anyhow::Result<T> {
        let Err(error) = answer else { return answer };
        let letters = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = what.chars().map(letters).take(60).collect();
        let seen = repository().join(format!("screenshots/failed-{name}.png"));
        self.screenshot(&seen).await?;
        Err(error.context(format!("the person saw {}", seen.display())))
    }

    /// Makes the page itself so wide and high, whatever the browser draws around it.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn show_at(&self, width: u32, height: u32) -> anyhow::Result<()> {
        for _ in 0..2 {
            let inner =
                self.script("return [outerWidth - innerWidth, outerHeight - innerHeight];", vec![]).await?;
            let around =
                |at: usize| u32::try_from(inner[at].as_u64().unwrap_or_default()).unwrap_or_default();
            self.page.set_window_size(width + around(0), height + around(1)).await?;
        }
        Ok(())
    }

    /// Saves what the person sees.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn screenshot(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(std::fs::write(path, self.page.screenshot().await?)?)
    }

    /// Closes it.
    ///
    /// # Errors
    /// When it is gone already.
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.page.close().await?)
    }
}
