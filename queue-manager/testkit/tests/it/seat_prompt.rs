//! What the fields of `POST prompt` mean: where a job stands in its owner's line, and which nodes run.

use serde_json::{Value, json};
use testkit::{Person, WorkshopBuilder, graphs};

use crate::png_text::embedded;

async fn submit(person: &Person, fields: Value) -> Value {
    let mut body = json!({"prompt": graphs::white_picture()});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let answer = person.post(&format!("/{}/prompt", person.name), &body).await.unwrap();
    assert_eq!(answer.status(), 200, "{fields}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn number_and_front_order_ones_own_line_and_are_answered_as_comfyui_answers_them() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let bens = submit(&ben, json!({})).await;
    assert_eq!(bens["number"], 1);
    let mut made = Vec::new();
    for (fields, number) in [
        (json!({}), json!(2)),
        (json!({"front": false, "client_id": "a tab"}), json!(3)),
        (json!({"front": true}), json!(-4)),
        (json!({"number": 2.5}), json!(2.5)),
        (json!({"number": -100, "front": true}), json!(-100)),
        (json!({"number": null, "prompt_id": null}), json!(7)),
    ] {
        let answer = submit(&ada, fields).await;
        assert_eq!(answer["number"], number, "{answer}");
        made.push(answer["prompt_id"].as_str().unwrap().to_owned());
    }
    let order = [4, 2, 0, 3, 1, 5].map(|at| made[at].as_str());
    let queue = ada.json("/user001/queue").await.unwrap();
    let mut items: Vec<_> = queue["queue_pending"].as_array().unwrap().clone();
    items.sort_by_key(|item| item[0].as_u64());
    let shown: Vec<_> = items.iter().map(|item| item[1].as_str().unwrap()).collect();
    assert_eq!(shown, order, "by the number in the list, as frontends sort it");
    assert_eq!(
        ben.json(&format!("/api/v1/jobs/{}", bens["prompt_id"].as_str().unwrap())).await.unwrap()["position"],
        1
    );
    let first = ada.json(&format!("/api/v1/jobs/{}", made[4])).await.unwrap();
    assert_eq!(first["position"], 2, "nobody passes anybody else");
}

#[tokio::test]
async fn only_the_asked_for_output_nodes_run() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut graph = graphs::white_picture();
    graph["4"] = json!({"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}});
    let answer = submit(&ada, json!({"prompt": graph, "partial_execution_targets": ["4"]})).await;
    let id = answer["prompt_id"].as_str().unwrap();
    ada.wait_for(id, "completed").await.unwrap();
    let history = ada.json(&format!("/user001/history/{id}")).await.unwrap();
    let ran: Vec<_> = history[id]["outputs"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(ran, ["4"]);
    let refused = json!({"prompt": graph, "partial_execution_targets": ["1"]});
    let refused: Value = ada.post("/user001/prompt", &refused).await.unwrap().json().await.unwrap();
    assert_eq!(refused["error"]["type"], "prompt_no_outputs");
}

#[tokio::test]
async fn the_prompt_in_a_picture_runs_again_and_puts_its_files_into_a_folder_of_its_own() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let first = ada.submit(&graphs::white_picture()).await.unwrap();
    let job = ada.wait_for(&first, "completed").await.unwrap();
    let prompt = embedded(&ada.picture(&job, 0).await.unwrap(), "prompt");
    let prefix = prompt["3"]["inputs"]["filename_prefix"].as_str().unwrap();
    assert!(prefix.starts_with(&format!("atelier/gpu-1/{first}/")), "{prefix}");
    let again = ben.submit(&prompt).await.unwrap();
    let job = ben.wait_for(&again, "completed").await.unwrap();
    let prompt = embedded(&ben.picture(&job, 0).await.unwrap(), "prompt");
    assert_eq!(prompt["3"]["inputs"]["filename_prefix"], format!("atelier/gpu-1/{again}/white"));
    // As the name of a file to read it is nobody's.
    let mut reading = graphs::white_picture();
    for (input, text) in [("filename_prefix", format!("{prefix} [output]")), ("other", prefix.to_owned())] {
        reading["3"]["inputs"] = json!({"images": ["2", 0], "filename_prefix": "white", input: text});
        let refused = ben.post("/user002/prompt", &json!({"prompt": reading})).await.unwrap();
        assert_eq!(refused.status(), 400, "{input}");
    }
}
