//! Uploads into folders other than the input folder: what a browser's camera or microphone recorded.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use testkit::{Person, WorkshopBuilder, graphs};

async fn upload(person: &Person, folder: &str) -> (u16, Value) {
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, 8, 6);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&[200; 8 * 6 * 3]).unwrap();
    let form = Form::new()
        .part("image", Part::bytes(picture).file_name("shot.png"))
        .text("subfolder", "webcam")
        .text("type", folder.to_owned());
    let path = format!("/{}/api/upload/image", person.name);
    let answer = person.request(Method::POST, &path).multipart(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn what_a_camera_recorded_is_kept_shown_and_used_and_is_nobody_elses() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    for folder in ["temp", "output"] {
        let named = json!({"name": "shot.png", "subfolder": "webcam", "type": folder});
        assert_eq!(upload(&ada, folder).await, (200, named));
        let at = format!("view?filename=shot.png&subfolder=webcam&type={folder}");
        assert_eq!(ada.get(&format!("/user001/{at}")).await.unwrap().status(), 200, "{folder}");
        assert_eq!(ben.get(&format!("/user002/{at}")).await.unwrap().status(), 404, "{folder}");

        let graph = graphs::inverted_upload(&format!("webcam/shot.png [{folder}]"));
        let id = ada.submit(&graph).await.unwrap();
        let job = ada.wait_for(&id, "completed").await.unwrap();
        assert!(ada.picture(&job, 0).await.unwrap().starts_with(b"\x89PNG"));
        let refused = ben.post("/user002/prompt", &json!({"prompt": graph})).await.unwrap();
        assert_eq!(refused.status(), 400, "there is no such file of ben's");
    }
    let info = ada.json("/user001/object_info/LoadImage").await.unwrap();
    assert_eq!(info["LoadImage"]["input"]["required"]["image"][0], json!([]), "none of them is an input");
    let input = ada.get("/user001/view?filename=shot.png&subfolder=webcam&type=input").await.unwrap();
    assert_eq!(input.status(), 404);
    let (status, why) = upload(&ada, "models").await;
    assert_eq!((status, &why["error"]["type"]), (400, &json!("bad_request")));
}
