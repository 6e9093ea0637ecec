//! A walk with a real ComfyUI, in two browsers, for a person to look at before a release:
//! `cargo build --workspace --bins && cargo run -p testkit --example real_comfyui -- http://127.0.0.1:8188`
//!
//! It needs the tiny model `tiny-random-sd3.safetensors`, prints what it saw, and leaves screenshots/real-*.png.

use std::io::Cursor;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use testkit::browser::Driver;
use testkit::process::repository;
use testkit::{Person, Workshop, WorkshopBuilder, graphs};

fn embedded(picture: &[u8], keyword: &str) -> anyhow::Result<Value> {
    let reader = png::Decoder::new(Cursor::new(picture)).read_info()?;
    let chunk = reader.info().uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == keyword);
    Ok(serde_json::from_str(&chunk.context("the text chunk")?.text)?)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).context("the address of a ComfyUI")?;
    let stats: Value = reqwest::get(format!("{url}/system_stats")).await?.json().await?;
    println!("ComfyUI {} on {}", stats["system"]["comfyui_version"], stats["devices"][0]["name"]);
    let workshop = WorkshopBuilder::new().with_nginx().with_frontend().comfyui(&url).start().await?;
    two_browsers(&workshop).await?;
    failures(&workshop.person("user001")?).await?;
    interrupt(&workshop.person("user001")?, &url).await?;
    println!("all of it as it should be");
    Ok(())
}

async fn two_browsers(workshop: &Workshop) -> anyhow::Result<()> {
    let driver = Driver::start(&workshop.data()).await?;
    let people = ["user001", "user002"];
    let browsers = [driver.browser(1280, 800).await?, driver.browser(1280, 800).await?];
    // A seed that ComfyUI has not seen, or it would have nothing to do; the same for both.
    let seed = u64::from(std::process::id());
    for (what, graph) in
        [("sampled", graphs::sampled_picture(seed, 60)), ("no model", graphs::white_picture())]
    {
        for (browser, name) in browsers.iter().zip(people) {
            browser.open_seat(&workshop.front, name, workshop.password(name)?).await?;
        }
        for (browser, name) in browsers.iter().zip(people) {
            browser.run(&graph, name).await?;
        }
        if what == "sampled" {
            browsers[0].progress_on_a_node().await?;
            browsers[0].screenshot(&repository().join("screenshots/real-running.png")).await?;
        }
        for (browser, name) in browsers.iter().zip(people) {
            let address = browser.picture_on_a_node().await?;
            let person = workshop.person(name)?;
            let path = address.strip_prefix(&workshop.front).context("an address of ours")?;
            let picture = person.get(path).await?.error_for_status()?.bytes().await?;
            let owner = &embedded(&picture, "workflow")?["extra"]["owner"];
            let jobs = person.json(&format!("/{name}/api/jobs")).await?;
            println!(
                "{what}: {name} sees {path}; {} bytes, workflow of {owner}; {} own jobs",
                picture.len(),
                jobs["jobs"].as_array().map_or(0, Vec::len)
            );
            ensure!(*owner == name, "somebody else's workflow");
            browser
                .screenshot(
                    &repository().join(format!("screenshots/real-{name}-{}.png", what.replace(' ', "-"))),
                )
                .await?;
        }
    }
    Ok(())
}

async fn failures(ada: &Person) -> anyhow::Result<()> {
    let mut refused = graphs::white_picture();
    // More digits than the seat reads: only ComfyUI itself refuses it.
    refused["1"]["inputs"]["width"] = json!(1e30);
    let part = reqwest::multipart::Part::bytes(b"no picture".to_vec()).file_name("corrupt.png");
    let form = reqwest::multipart::Form::new().part("image", part);
    ada.request(reqwest::Method::POST, "/user001/upload/image")
        .multipart(form)
        .send()
        .await?
        .error_for_status()?;
    for (what, graph) in [("validation", refused), ("running", graphs::inverted_upload("corrupt.png"))] {
        let mut tab = ada.tab(None).await?;
        let answer = ada.post("/user001/prompt", &json!({"prompt": graph, "client_id": tab.sid})).await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let id = answer["prompt_id"].as_str().context("an id")?;
        let error = tab.hear("execution_error", id).await?;
        let job = ada.wait_for(id, "failed").await?;
        println!(
            "{what}: {} on node {}: {}",
            error["data"]["exception_type"], error["data"]["node_id"], job["error"]["exception_message"]
        );
    }
    Ok(())
}

async fn interrupt(ada: &Person, url: &str) -> anyhow::Result<()> {
    let mut tab = ada.tab(None).await?;
    let body = json!({"prompt": graphs::sampled_picture(3, 3_000), "client_id": tab.sid});
    let answer: Value = ada.post("/user001/prompt", &body).await?.json().await?;
    let id = answer["prompt_id"].as_str().context("an id")?;
    tab.hear("progress", id).await?;
    let asked = Instant::now();
    ada.post("/user001/interrupt", &json!({"prompt_id": id})).await?.error_for_status()?;
    tab.hear("execution_interrupted", id).await?;
    println!(
        "interrupt: ComfyUI said so after {} ms, {} previews before",
        asked.elapsed().as_millis(),
        tab.previews.len()
    );
    ada.wait_for(id, "cancelled").await?;
    println!("interrupt: the job was cancelled after {} ms", asked.elapsed().as_millis());
    let queue: Value = reqwest::get(format!("{url}/queue")).await?.json().await?;
    ensure!(queue["queue_running"] == json!([]), "the GPU is free");
    Ok(())
}
