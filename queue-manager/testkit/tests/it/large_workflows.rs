//! Large workflows, twenty at once, through both doors: all are accepted, and each runs as it was sent. Of the largest there
//! may be, ten times these, `cargo run --release -p testkit --example door_figures` sends as many.

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::WorkshopBuilder;

const PEOPLE: usize = 20;
/// Beyond what Redis keeps and the link carries.
const SIZE: usize = 1024 * 1024;

/// A request body of exactly so many bytes, most of them numbers that nobody reads. The picture has its owner's size.
fn body(size: usize, width: usize) -> String {
    let graph = json!({
        "1": {"class_type": "EmptyImage", "inputs": {"width": width, "height": 16, "batch_size": 1, "color": 0}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "large"}},
    });
    let (start, end) = (format!("{{\"prompt\":{graph},\"extra_data\":{{\"filler\":[0"), "]}}");
    let left = size - start.len() - end.len();
    format!("{start}{}{}{end}", ",0.12345".repeat(left / 8), " ".repeat(left % 8))
}

#[tokio::test]
async fn twenty_large_workflows_at_once_are_all_accepted_and_run() {
    let builder = WorkshopBuilder::new().workers(0).with_nginx().people(PEOPLE);
    let mut workshop = builder.start().await.unwrap();
    let sent = (1..=PEOPLE).map(|n| {
        let person = workshop.person(&format!("user{n:03}")).unwrap();
        let person = if n % 2 == 0 { person.at(&workshop.direct) } else { person };
        async move {
            let request = person.request(reqwest::Method::POST, &format!("/{}/prompt", person.name));
            let request = request.header("content-type", "application/json");
            let answer = request.body(body(SIZE, 16 * n)).send().await.unwrap();
            let status = answer.status().as_u16();
            let answer: Value = answer.json().await.unwrap();
            assert_eq!(status, 200, "{}: {answer}", person.name);
            (person, answer["prompt_id"].as_str().unwrap().to_owned(), 16 * n)
        }
    });
    let sent = join_all(sent).await;
    workshop.add_worker(5, None).await.unwrap();
    for (person, id, width) in &sent {
        let job = person.wait_for(id, "completed").await.unwrap();
        let picture = person.picture(&job, 0).await.unwrap();
        let found = u32::from_be_bytes(picture[16..20].try_into().unwrap());
        assert_eq!(found as usize, *width, "{} has their own picture", person.name);
    }
}
