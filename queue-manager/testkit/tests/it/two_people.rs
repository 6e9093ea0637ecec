//! Two people, one graph, one seed, at once: each gets their own picture with their own workflow in it.

use serde_json::json;
use testkit::{WorkshopBuilder, graphs};

use crate::png_text::{embedded, size, solid};

#[tokio::test]
async fn the_same_graph_gives_each_their_own_picture_and_workflow() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let graph = graphs::sampled_picture(7, 5);
    let (first, second) = tokio::try_join!(ada.submit(&graph), ben.submit(&graph)).unwrap();
    for (person, id) in [(&ada, &first), (&ben, &second)] {
        let job = person.wait_for(id, "completed").await.unwrap();
        let picture = person.picture(&job, 0).await.unwrap();
        assert_eq!(size(&picture), (256, 256));
        assert_eq!(embedded(&picture, "workflow")["id"], format!("workflow-of-{}", person.name));
    }
}

#[tokio::test]
async fn a_tab_hears_its_own_job_from_start_to_end_and_nothing_of_anyone_elses() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let (mut mine, mut theirs) = (ada.tab(None).await.unwrap(), ben.tab(None).await.unwrap());
    let body = json!({
        "prompt": graphs::sampled_picture(7, 60), "client_id": mine.sid,
        "extra_data": {"extra_pnginfo": {"workflow": {"id": "canary-of-ada"}}},
    });
    let answer = ada.post("/user001/api/prompt", &body).await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: serde_json::Value = answer.json().await.unwrap();
    let id = answer["prompt_id"].as_str().unwrap();
    mine.hear_the_end(id).await.unwrap();
    let story = mine.story(id);
    assert_eq!(story.first(), Some(&"execution_start"));
    assert_eq!(story[story.len() - 3..], ["executed", "execution_success", "executing"]);
    let previews = mine.previews.len();
    assert!(previews >= 1, "60 steps of 20 ms show at least one preview, thinned to two a second");
    assert!(mine.previews.iter().all(|frame| frame[..4] == [0, 0, 0, 4]), "with metadata, as the tab asked");

    let executed = mine.heard.iter().find(|m| m["type"] == "executed").unwrap();
    let file = &executed["data"]["output"]["images"][0];
    let query = |who: &str| {
        let text = |name: &str| file[name].as_str().unwrap().to_owned();
        format!(
            "/{who}/api/view?filename={}&subfolder={}&type={}",
            text("filename"),
            text("subfolder"),
            text("type")
        )
    };
    assert_eq!(ada.get(&query("user001")).await.unwrap().status(), 200);
    assert_eq!(ben.get(&query("user001")).await.unwrap().status(), 404);
    assert_eq!(ben.get(&query("user002")).await.unwrap().status(), 404);

    // Ben's own job is the fence: whatever was meant for him has come by now.
    let body = json!({"prompt": graphs::white_picture(), "client_id": theirs.sid});
    let answer = ben.post("/user002/prompt", &body).await.unwrap();
    let bens: serde_json::Value = answer.json().await.unwrap();
    theirs.hear_the_end(bens["prompt_id"].as_str().unwrap()).await.unwrap();
    let all = format!("{:?}", theirs.heard);
    assert!(!all.contains(id) && !all.contains("canary-of-ada") && !all.contains("user001"));
    assert!(theirs.previews.is_empty());
}

#[tokio::test]
async fn an_upload_reaches_the_worker_as_it_was_at_submit() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let upload = async |bytes: Vec<u8>| {
        let part = reqwest::multipart::Part::bytes(bytes).file_name("photo.png");
        let form = reqwest::multipart::Form::new().part("image", part).text("overwrite", "true");
        let request = ada.request(reqwest::Method::POST, "/user001/api/upload/image").multipart(form);
        request.send().await.unwrap().json::<serde_json::Value>().await.unwrap()
    };
    let named = upload(solid(8, 6)).await;
    assert_eq!(named, json!({"name": "photo.png", "subfolder": "", "type": "input"}));
    // A long job in front, so that the name points elsewhere before the job runs.
    let long = ada.submit(&graphs::sampled_picture(1, 40)).await.unwrap();
    let id = ada.submit(&graphs::inverted_upload("photo.png")).await.unwrap();
    upload(solid(20, 20)).await;
    ada.wait_for(&long, "completed").await.unwrap();
    let job = ada.wait_for(&id, "completed").await.unwrap();
    assert_eq!(size(&ada.picture(&job, 0).await.unwrap()), (8, 6));
    let info = ada.json("/user001/api/object_info/LoadImage").await.unwrap();
    assert_eq!(info["LoadImage"]["input"]["required"]["image"][0], json!(["photo.png"]));
    let ben = workshop.person("user002").unwrap();
    let info = ben.json("/user002/api/object_info/LoadImage").await.unwrap();
    assert_eq!(info["LoadImage"]["input"]["required"]["image"][0], json!([]));
}
