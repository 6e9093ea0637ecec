//! The files: real pixels, and the graph inside.

use std::io::Cursor;
use std::time::Duration;

use serde_json::{Value, json};

use crate::live::Live;

/// The size, the pixels and the text chunks of a PNG.
#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) size: (u32, u32),
    pub(crate) pixels: Vec<u8>,
    pub(crate) texts: Vec<(String, String)>,
}

pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let size = reader.next_frame(&mut pixels).map(|info| (info.width, info.height)).unwrap();
    reader.finish().unwrap();
    let texts = reader.info().uncompressed_latin1_text.iter();
    Decoded { size, pixels, texts: texts.map(|chunk| (chunk.keyword.clone(), chunk.text.clone())).collect() }
}

/// A graph that saves one plain picture, inverted.
pub(crate) fn inverted(colour: u32) -> Value {
    json!({
        "1": {"class_type": "EmptyImage",
            "inputs": {"width": 16, "height": 8, "batch_size": 1, "color": colour}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "mine/out"}},
    })
}

pub(crate) async fn view(live: &Live, image: &Value) -> Decoded {
    let text = |name: &str| image[name].as_str().unwrap().to_owned();
    let path =
        format!("/view?filename={}&subfolder={}&type={}", text("filename"), text("subfolder"), text("type"));
    let response = live.get(&path).await;
    assert_eq!(response.status(), 200);
    decode(&response.bytes().await.unwrap())
}

#[tokio::test]
async fn a_saved_picture_has_its_pixels_and_carries_its_graph_and_its_workflow() {
    let live = Live::start(Duration::ZERO).await;
    let socket = live.socket("painter").await;
    let graph = inverted(0x00_10_20);
    let body = json!({"prompt": graph, "client_id": "painter",
        "extra_data": {"extra_pnginfo": {"workflow": {"name": "größer"}}}});
    let id = live.post_json("/prompt", &body).await["prompt_id"].as_str().unwrap().to_owned();
    socket.wait_for_end(&id).await;
    let entry = live.get_json(&format!("/history/{id}")).await;
    let saved = view(&live, &entry[&id]["outputs"]["3"]["images"][0]).await;
    assert_eq!(saved.size, (16, 8));
    assert_eq!(saved.pixels[..3], [0xff, 0xef, 0xdf]);
    let [prompt, workflow] = saved.texts.as_slice() else { panic!("{:?}", saved.texts) };
    assert_eq!(prompt.0, "prompt");
    assert_eq!(serde_json::from_str::<Value>(&prompt.1).unwrap(), graph);
    assert_eq!(workflow, &("workflow".to_owned(), r#"{"name": "gr\u00f6\u00dfer"}"#.to_owned()));
}

#[tokio::test]
async fn the_same_seed_paints_the_same_picture_and_another_seed_another() {
    let live = Live::start(Duration::ZERO).await;
    let socket = live.socket("painter").await;
    let mut pictures = Vec::new();
    for (seed, prefix) in [(1, "a"), (1, "b"), (2, "c")] {
        let entry = live.run(&socket, &sampled(seed, prefix)).await;
        pictures.push(view(&live, &entry["outputs"]["9"]["images"][0]).await.pixels);
    }
    assert_eq!(pictures[0], pictures[1]);
    assert_ne!(pictures[0], pictures[2]);
}

#[tokio::test]
async fn an_upload_is_offered_by_load_image() {
    let live = Live::start(Duration::ZERO).await;
    let part = reqwest::multipart::Part::bytes(b"not looked at".to_vec()).file_name("cat.png");
    let form = reqwest::multipart::Form::new().part("image", part);
    live.http.post(live.url("/api/upload/image")).multipart(form).send().await.unwrap();
    let info = live.get_json("/api/object_info/LoadImage").await;
    assert_eq!(info["LoadImage"]["input"]["required"]["image"][0], json!(["cat.png"]));
}

/// The default workflow with few steps.
pub(crate) fn sampled(seed: u64, prefix: &str) -> Value {
    json!({
        "3": {"class_type": "KSampler", "inputs": {"seed": seed, "steps": 3, "cfg": 4.0,
            "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0, "model": ["4", 0],
            "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny-random-sd3.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "bad", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": prefix}},
    })
}
