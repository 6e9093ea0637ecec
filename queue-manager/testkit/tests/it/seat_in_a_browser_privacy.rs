//! Two people at once in the unmodified frontend: every byte that each browser was sent is searched for the other's.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::browser::editor::{CONTROL, ENTER};
use testkit::browser::{Browser, Driver};
use testkit::waiting::until;
use testkit::{Relay, Workshop, WorkshopBuilder, graphs};

use crate::png_text::solid_with_text;

/// Someone, and what is theirs and nobody else's.
struct Someone {
    name: &'static str,
    line: Relay,
    browser: Browser,
    canaries: Vec<String>,
}

impl Someone {
    async fn arrive(workshop: &Workshop, driver: &Driver, name: &'static str) -> Self {
        let line = Relay::recording(workshop.front.strip_prefix("http://").unwrap()).unwrap();
        let browser = driver.browser(1280, 800).await.unwrap();
        browser.take_nothing_compressed().await.unwrap();
        browser.open_seat(&line.url, name, workshop.password(name).unwrap()).await.unwrap();
        Self { name, line, browser, canaries: vec![name.to_owned()] }
    }

    /// A word that is only theirs.
    fn canary(&mut self, of: &str) -> String {
        let canary = format!("canary-{of}-of-{}", self.name.replace("user", "number"));
        self.canaries.push(canary.clone());
        canary
    }

    async fn run(&mut self) {
        let before: Vec<_> = self.browser.rows().await.unwrap().into_iter().map(|row| row.id).collect();
        self.browser.click_run().await.unwrap();
        let row = self.browser.row("the new job", |row| !before.contains(&row.id)).await.unwrap();
        self.canaries.push(row.id);
    }

    async fn picture(&self) {
        self.browser.picture_of(self.canaries.last().unwrap()).await.unwrap();
    }

    /// Words in a prompt, a file's prefix and a title, an upload with words in it, and a workflow under a name.
    async fn work_with_words(&mut self, folder: PathBuf) {
        let mut graph = graphs::sampled_picture(7, 40);
        graph["6"]["inputs"]["text"] = json!(self.canary("prompt"));
        graph["9"]["inputs"]["filename_prefix"] = json!(self.canary("prefix"));
        let Value::Object(upload) = graphs::inverted_upload("nothing yet.png") else { unreachable!() };
        for (id, mut node) in upload {
            for input in node["inputs"].as_object_mut().unwrap().values_mut() {
                if input.is_array() {
                    input[0] = json!(format!("2{}", input[0].as_str().unwrap()));
                }
            }
            graph[format!("2{id}")] = node;
        }
        self.browser.load(&graph, "words").await.unwrap();
        let file = folder.join(format!("{}.png", self.canary("upload")));
        std::fs::write(&file, solid_with_text(&self.canary("picture"))).unwrap();
        self.browser.choose_file("LoadImage", "upload", &file).await.unwrap();
        let chosen = "return window.app.graph.nodes.find((node) => node.type === 'LoadImage').imgs \
            ?.some((image) => image.src.includes('canary-upload') && image.naturalWidth > 0);";
        self.browser.wait_for("the upload", chosen, vec![]).await.unwrap();
        self.browser.press(&[CONTROL, 's']).await.unwrap();
        self.browser.click("[role=dialog] input").await.unwrap();
        self.browser.press(&[CONTROL, 'a']).await.unwrap();
        let name = self.canary("workflow");
        self.browser.write(&name).await.unwrap();
        self.browser.press(&[ENTER]).await.unwrap();
        let saved = "return window.app.extensionManager.workflow.activeWorkflow.filename === arguments[0];";
        self.browser.wait_for("the name", saved, vec![name.into()]).await.unwrap();
    }
}

/// How often a page asked for a list since the last time this was asked.
async fn lists(browser: &Browser) -> usize {
    let list = |url: &str| ["/api/jobs", "/api/queue", "/api/history"].iter().any(|path| url.contains(path));
    browser.asked().await.unwrap().into_iter().filter(|request| list(&request.url)).count()
}

#[tokio::test]
async fn of_two_people_at_once_no_byte_of_one_reaches_the_others_browser() {
    let workshop = WorkshopBuilder::new().with_nginx().with_frontend().step_ms(60).start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let mut people = [
        Someone::arrive(&workshop, &driver, "user001").await,
        Someone::arrive(&workshop, &driver, "user002").await,
    ];
    // The same graph with the same seed: only titles differ, which ComfyUI's cache does not look at.
    for one in &mut people {
        let mut graph = graphs::sampled_picture(7, 40);
        graph["6"]["_meta"] = json!({"title": one.canary("title")});
        one.browser.load(&graph, "same").await.unwrap();
        one.browser.open_queue().await.unwrap();
        one.run().await;
    }
    for one in &people {
        one.picture().await;
    }
    for one in &mut people {
        one.work_with_words(workshop.data()).await;
    }
    for one in &mut people {
        one.run().await;
    }
    for one in &people {
        one.picture().await;
    }
    // All of it again, as after a reload, with the lists of files and workflows.
    for one in &people {
        one.browser.page.refresh().await.unwrap();
        one.browser.editor().await.unwrap();
        one.browser.click("[aria-label^='Workflows']").await.unwrap();
        one.browser.shows("canary-workflow").await.unwrap();
        one.browser.open_queue().await.unwrap();
        one.browser.rows_are(2).await.unwrap();
    }
    // While the first works, the second's page asks for no list, once it has loaded its own.
    let [first, second] = &mut people;
    let mut quiet = 0;
    let loaded = until("the second's page to have its lists", Duration::from_secs(60), async || {
        quiet = if lists(&second.browser).await == 0 { quiet + 1 } else { 0 };
        Ok((quiet == 10).then_some(()))
    });
    loaded.await.unwrap();
    first.run().await;
    first.picture().await;
    assert!(lists(&first.browser).await > 0);
    assert_eq!(lists(&second.browser).await, 0);

    for (mine, other) in [(0, 1), (1, 0)] {
        let tapes = people[mine].line.came_back();
        let texts: Vec<_> = tapes.iter().map(|tape| String::from_utf8_lossy(tape)).collect();
        let holds = |words: &str| texts.iter().any(|text| text.contains(words));
        println!("{}: {} bytes", people[mine].name, tapes.iter().map(Vec::len).sum::<usize>());
        assert!(!holds("Content-Encoding:") && !holds("content-encoding:"), "everything can be read");
        for canary in &people[mine].canaries {
            assert!(holds(canary), "{canary} is there to be found");
        }
        for canary in &people[other].canaries {
            assert!(!holds(canary), "{canary} reached {}", people[mine].name);
        }
    }
    for one in people {
        one.browser.close().await.unwrap();
    }
}
