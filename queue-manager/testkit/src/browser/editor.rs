//! What a person does in ComfyUI's editor with a mouse and a keyboard.

use std::path::Path;

use anyhow::{Context, ensure};
use fantoccini::Locator;
use fantoccini::actions::{
    InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
};
use fantoccini::elements::Element;
use serde_json::{Value, json};

use super::{Browser, PATIENCE};
use crate::waiting::until;

/// The Control key, for [`Browser::press`].
pub const CONTROL: char = '\u{e009}';
/// The Shift key, for [`Browser::press`].
pub const SHIFT: char = '\u{e008}';
/// The Enter key, for [`Browser::press`].
pub const ENTER: char = '\u{e007}';

impl Browser {
    /// Clicks the first element that matches, as soon as nothing lies over it.
    ///
    /// # Errors
    /// When it cannot be clicked within a minute.
    pub async fn click(&self, css: &str) -> anyhow::Result<()> {
        self.click_on(Locator::Css(css), css).await
    }

    /// Clicks what bears these words, within the first element that matches.
    ///
    /// # Errors
    /// When it cannot be clicked within a minute.
    pub async fn click_words(&self, within: &str, words: &str) -> anyhow::Result<()> {
        let path = format!("({within}//*[normalize-space(.)='{words}'])[last()]");
        self.click_on(Locator::XPath(&path), words).await
    }

    async fn click_on(&self, locator: Locator<'_>, what: &str) -> anyhow::Result<()> {
        let clicked = until(what, PATIENCE, async || {
            self.page.find(locator).await?.click().await?;
            Ok(Some(()))
        });
        self.explained(what, clicked.await).await
    }

    /// Presses keys together: each is held while the next is struck.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn press(&self, keys: &[char]) -> anyhow::Result<()> {
        let down = keys.iter().map(|key| KeyAction::Down { value: *key });
        let up = keys.iter().rev().map(|key| KeyAction::Up { value: *key });
        let actions = down.chain(up).fold(KeyActions::new("keyboard".to_owned()), KeyActions::then);
        Ok(self.page.perform_actions(actions).await?)
    }

    /// Types text into whatever has the focus.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn write(&self, text: &str) -> anyhow::Result<()> {
        for letter in text.chars() {
            self.press(&[letter]).await?;
        }
        Ok(())
    }

    /// Replaces the words of a text widget on the canvas.
    ///
    /// # Errors
    /// When no widget shows `before`.
    pub async fn rewrite(&self, before: &str, after: &str) -> anyhow::Result<()> {
        let find = "return [...document.querySelectorAll('textarea')].find((area) => area.value === arguments[0]) ?? null;";
        let found = self.wait_for("a text widget", find, vec![json!(before)]).await?;
        let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        let element =
            Element::from_element_id(self.page.clone(), id.context("an element")?.to_owned().into());
        element.click().await?;
        self.press(&[CONTROL, 'a']).await?;
        self.write(after).await
    }

    /// Puts a graph on the canvas as a workflow of its own.
    ///
    /// # Errors
    /// When the frontend does not take it.
    pub async fn load(&self, graph: &Value, name: &str) -> anyhow::Result<()> {
        let load = "const [graph, name, done] = arguments; \
            (async () => window.app.loadApiJson(graph, name + '.json'))().then(() => done(true), (error) => done(String(error)));";
        let loaded = self.page.execute_async(load, vec![graph.clone(), json!(name)]).await?;
        ensure!(loaded == json!(true), "the graph was not loaded: {loaded}");
        let shown = "return window.app.extensionManager.workflow.activeWorkflow.filename === arguments[0];";
        self.wait_for("the workflow", shown, vec![json!(name)]).await.map(drop)
    }

    /// Runs one of the frontend's own commands, as its menu does.
    ///
    /// # Errors
    /// When there is no such command.
    pub async fn command(&self, id: &str) -> anyhow::Result<()> {
        // Not waited for: it may ask the person something first.
        let run = "window.app.extensionManager.command.execute(arguments[0]); return true;";
        self.script(run, vec![json!(id)]).await.map(drop)
    }

    /// Waits until the page shows these words somewhere.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub async fn shows(&self, words: &str) -> anyhow::Result<()> {
        let look = "return document.body.innerText.includes(arguments[0]);";
        self.wait_for(words, look, vec![json!(words)]).await.map(drop)
    }

    /// Brings a node into sight and clicks one of its widgets.
    ///
    /// # Errors
    /// When there is none.
    pub async fn click_widget(&self, class: &str, widget: &str) -> anyhow::Result<()> {
        let place = "const [type, name] = arguments; const canvas = window.app.canvas; \
            const node = canvas.graph.nodes.find((node) => node.type === type); \
            const widget = node?.widgets?.find((widget) => widget.name === name); if (!widget) return null; \
            canvas.centerOnNode(node); canvas.draw(true, true); \
            const [x, y] = canvas.ds.convertOffsetToCanvas( \
                [node.pos[0] + node.size[0] / 2, node.pos[1] + widget.last_y + 10]); \
            const at = canvas.canvas.getBoundingClientRect(); return [Math.round(at.x + x), Math.round(at.y + y)];";
        let at = self.wait_for("the widget", place, vec![json!(class), json!(widget)]).await?;
        let (x, y) = (at[0].as_f64().context("x")?, at[1].as_f64().context("y")?);
        let mouse = MouseActions::new("mouse".to_owned())
            .then(PointerAction::MoveTo { duration: None, x, y })
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        Ok(self.page.perform_actions(mouse).await?)
    }

    /// Does something that opens the system's file dialog, and chooses this file there.
    ///
    /// # Errors
    /// When no dialog opens.
    pub async fn choose_file(&self, class: &str, widget: &str, file: &Path) -> anyhow::Result<()> {
        self.devtools("Page.setInterceptFileChooserDialog", json!({"enabled": true})).await?;
        self.click_widget(class, widget).await?;
        let opened = until("the file dialog", PATIENCE, async || {
            let events = self.events().await?;
            Ok(events.into_iter().find(|event| event["method"] == "Page.fileChooserOpened"))
        });
        let input = opened.await?["params"]["backendNodeId"].clone();
        self.devtools("DOM.setFileInputFiles", json!({"files": [file], "backendNodeId": input})).await
    }
}
