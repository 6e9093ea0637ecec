//! ComfyUI's job queue as a person sees it: the panel behind the button that says how many are active.

use anyhow::Context;
use fantoccini::Locator;
use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use serde_json::{Value, json};

use super::editor::{CONTROL, ENTER};
use super::{Browser, PATIENCE};
use crate::waiting::until;

const PANEL: &str = "[data-testid=queue-progress-overlay]";

/// One job in the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The job.
    pub id: String,
    /// Its two lines of text.
    pub words: String,
    /// Whether it shows a picture: a preview or the result.
    pub picture: bool,
}

impl Row {
    /// Whether it shows progress.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.words.contains('%')
    }

    /// Whether it shows a job in line.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.words.contains("queue")
    }
}

fn row(id: &str) -> String {
    format!("[data-job-id=\"{id}\"]")
}

impl Browser {
    /// Clicks Run.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn click_run(&self) -> anyhow::Result<()> {
        self.click("[data-testid=queue-button]").await
    }

    /// Opens the panel; after a reload the frontend has it as it was.
    ///
    /// # Errors
    /// When it does not open.
    pub async fn open_queue(&self) -> anyhow::Result<()> {
        let open = "return !!document.querySelector('[aria-label=\"Filter jobs\"]');";
        if self.script(open, vec![]).await? == json!(false) {
            self.click("[data-testid=queue-overlay-toggle]").await?;
        }
        self.wait_for("the job queue", open, vec![]).await.map(drop)
    }

    /// Waits until the panel's heading says this: `1 running, 2 queued`.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub async fn queue_says(&self, words: &str) -> anyhow::Result<()> {
        let look =
            format!("return document.querySelector('{PANEL}').innerText.split('\\n')[0] === arguments[0];");
        self.wait_for(words, &look, vec![json!(words)]).await.map(drop)
    }

    /// The jobs, newest first.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn rows(&self) -> anyhow::Result<Vec<Row>> {
        let look = "return [...document.querySelectorAll('[data-job-id]')].map((row) => \
            [row.dataset.jobId, row.innerText, !!row.querySelector('img')]);";
        let rows = self.script(look, vec![]).await?;
        let row = |row: &Value| {
            let text = |n: usize| row[n].as_str().unwrap_or_default().to_owned();
            Row { id: text(0), words: text(1), picture: row[2] == true }
        };
        Ok(rows.as_array().context("rows")?.iter().map(row).collect())
    }

    /// Waits until the panel shows a job that is as it should be.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub async fn row(&self, what: &str, is: impl Fn(&Row) -> bool) -> anyhow::Result<Row> {
        let found = until(what, PATIENCE, async || Ok(self.rows().await?.into_iter().find(|row| is(row))));
        self.explained(what, found.await).await
    }

    /// Waits until the panel shows exactly so many jobs.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub async fn rows_are(&self, number: usize) -> anyhow::Result<Vec<Row>> {
        let found = until("the rows", PATIENCE, async || {
            Ok(Some(self.rows().await?).filter(|rows| rows.len() == number))
        });
        self.explained("rows", found.await).await
    }

    /// Sets how many jobs one click on Run makes.
    ///
    /// # Errors
    /// When the field is not there.
    pub async fn set_batch(&self, number: u32) -> anyhow::Result<()> {
        self.click("input[aria-label='Batch Count']").await?;
        self.press(&[CONTROL, 'a']).await?;
        self.write(&format!("{number}")).await?;
        self.press(&[ENTER]).await
    }

    async fn point_at(&self, id: &str) -> anyhow::Result<()> {
        let element = self.page.wait().for_element(Locator::Css(&row(id))).await?;
        let move_there = PointerAction::MoveToElement { element, duration: None, x: -60.0, y: 0.0 };
        Ok(self.page.perform_actions(MouseActions::new("mouse".to_owned()).then(move_there)).await?)
    }

    /// Clicks the cross that a job in line shows under the mouse.
    ///
    /// # Errors
    /// When it shows none.
    pub async fn cancel_in_row(&self, id: &str) -> anyhow::Result<()> {
        self.point_at(id).await?;
        self.click(&format!("{} [aria-label=Cancel]", row(id))).await
    }

    /// Chooses something in the menu of an ended job.
    ///
    /// # Errors
    /// When it is not in there.
    pub async fn choose_in_row(&self, id: &str, item: &str) -> anyhow::Result<()> {
        self.point_at(id).await?;
        self.click(&format!("{} [aria-label=More]", row(id))).await?;
        self.click_words("//*[@role='dialog']", item).await
    }
}
