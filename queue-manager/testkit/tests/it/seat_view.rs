//! `view` as ComfyUI answers it: parts, versions, previews and channels of one's own files, and masks over them.

use reqwest::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    RANGE, X_CONTENT_TYPE_OPTIONS,
};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use testkit::{Person, WorkshopBuilder, graphs};

use crate::png_text::embedded;

fn header<'a>(response: &'a Response, name: &reqwest::header::HeaderName) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn upload(
    person: &Person,
    route: &str,
    name: &str,
    bytes: Vec<u8>,
    fields: &[(&str, &str)],
) -> Response {
    let mut form = Form::new().part("image", Part::bytes(bytes).file_name(name.to_owned()));
    for (field, value) in fields {
        form = form.text((*field).to_owned(), (*value).to_owned());
    }
    let path = format!("/{}/api/upload/{route}", person.name);
    person.request(Method::POST, &path).multipart(form).send().await.unwrap()
}

/// Two pixels: red, and green that is half there.
fn two_pixels() -> Vec<u8> {
    png(2, &[255, 0, 0, 255, 0, 255, 0, 128])
}

fn png(width: u32, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let height = u32::try_from(pixels.len()).unwrap() / 4 / width;
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    bytes
}

fn pixels(bytes: &[u8]) -> (png::ColorType, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    pixels.truncate(frame.buffer_size());
    (frame.color_type, pixels)
}

/// Where the first picture of a job is seen.
async fn picture_of(person: &Person, id: &str) -> String {
    let history = person.json(&format!("/{}/history/{id}", person.name)).await.unwrap();
    let file = &history[id]["outputs"]["3"]["images"][0];
    let text = |name: &str| file[name].as_str().unwrap();
    format!(
        "/{}/api/view?filename={}&subfolder={}&type={}",
        person.name,
        text("filename"),
        text("subfolder"),
        text("type")
    )
}

#[tokio::test]
async fn a_picture_comes_whole_in_part_or_not_at_all_if_it_is_known() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
    let at = picture_of(&ada, &id).await;
    let whole = ada.get(&at).await.unwrap();
    assert_eq!((whole.status().as_u16(), header(&whole, &CONTENT_TYPE)), (200, "image/png"));
    assert_eq!(header(&whole, &ACCEPT_RANGES), "bytes");
    assert_eq!(header(&whole, &X_CONTENT_TYPE_OPTIONS), "nosniff");
    let tag = header(&whole, &ETAG).to_owned();
    let bytes = whole.bytes().await.unwrap();
    let size = bytes.len();

    let head = ada.request(Method::HEAD, &at).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, &CONTENT_LENGTH)), (200, size.to_string().as_str()));
    assert_eq!((header(&head, &ETAG), header(&head, &CONTENT_TYPE)), (tag.as_str(), "image/png"));
    assert!(head.bytes().await.unwrap().is_empty());

    let part = ada.request(Method::GET, &at).header(RANGE, "bytes=1-9").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(header(&part, &CONTENT_RANGE), format!("bytes 1-9/{size}"));
    assert_eq!(part.bytes().await.unwrap(), bytes[1..10]);
    let last = ada.request(Method::GET, &at).header(RANGE, "bytes=-4").send().await.unwrap();
    assert_eq!(last.bytes().await.unwrap(), bytes[size - 4..]);
    let none = ada.request(Method::GET, &at).header(RANGE, format!("bytes={size}-")).send().await.unwrap();
    assert_eq!(
        (none.status().as_u16(), header(&none, &CONTENT_RANGE)),
        (416, format!("bytes */{size}").as_str())
    );

    let known = ada.request(Method::GET, &at).header(IF_NONE_MATCH, &tag).send().await.unwrap();
    assert_eq!(known.status(), 304);
    assert!(known.bytes().await.unwrap().is_empty());
    // What ada knows, and what she may see, is nobody else's.
    let theirs = at.replace("user001", "user002");
    let foreign = ben.request(Method::GET, &theirs).header(IF_NONE_MATCH, &tag).send().await.unwrap();
    assert_eq!(foreign.status(), 404);
}

#[tokio::test]
async fn other_forms_of_a_picture_are_those_of_comfyui() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    upload(&ada, "image", "two.png", two_pixels(), &[]).await;
    let form = async |query: &str| {
        let answer = ada.get(&format!("/user001/view?filename=two.png&type=input&{query}")).await.unwrap();
        assert_eq!(answer.status(), 200, "{query}");
        let (kind, tag) = (header(&answer, &CONTENT_TYPE).to_owned(), header(&answer, &ETAG).to_owned());
        (kind, tag, answer.bytes().await.unwrap().to_vec())
    };
    let (kind, whole_tag, whole) = form("rand=1").await;
    assert_eq!((kind.as_str(), &whole), ("image/png", &two_pixels()));
    let (kind, tag, webp) = form("preview=webp;50").await;
    assert_eq!((kind.as_str(), &webp[..4], &webp[8..12]), ("image/webp", &b"RIFF"[..], &b"WEBP"[..]));
    assert_ne!(tag, whole_tag, "another form is another version");
    let (kind, _, jpeg) = form("preview=jpeg").await;
    assert_eq!((kind.as_str(), &jpeg[..3]), ("image/jpeg", &[0xff, 0xd8, 0xff][..]));
    assert_eq!(form("preview=jpeg&channel=rgba").await.0, "image/webp", "JPEG has no transparency");
    let (_, _, colours) = form("channel=rgb").await;
    assert_eq!(pixels(&colours), (png::ColorType::Rgb, vec![255, 0, 0, 0, 255, 0]));
    let (_, _, transparency) = form("channel=a").await;
    assert_eq!(pixels(&transparency), (png::ColorType::Rgba, vec![0, 0, 0, 255, 0, 0, 0, 128]));
    assert_eq!(form("channel=rgba").await.2, two_pixels());
}

#[tokio::test]
async fn what_is_no_picture_has_no_preview_and_what_could_run_is_a_download() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    for (name, kind, how) in [
        ("broken.png", "image/png", ""),
        ("page.html", "application/octet-stream", "attachment; "),
        ("drawing.svg", "application/octet-stream", "attachment; "),
        ("script.js", "application/octet-stream", "attachment; "),
        ("style.css", "application/octet-stream", "attachment; "),
    ] {
        let answer = upload(&ada, "image", name, b"<script>".to_vec(), &[]).await;
        assert_eq!(answer.status(), 200, "{name}");
        for query in ["", "&preview=webp", "&channel=a"] {
            let seen = ada.get(&format!("/user001/view?filename={name}&type=input{query}")).await.unwrap();
            assert_eq!((seen.status().as_u16(), header(&seen, &CONTENT_TYPE)), (200, kind), "{name}{query}");
            assert_eq!(header(&seen, &CONTENT_DISPOSITION), format!("{how}filename=\"{name}\""));
            assert_eq!(header(&seen, &X_CONTENT_TYPE_OPTIONS), "nosniff");
            assert_eq!(seen.bytes().await.unwrap(), "<script>");
        }
    }
    for (query, status) in [
        ("", 404),
        ("filename=none.png", 404),
        ("filename=&type=input", 400),
        ("filename=/page.html&type=input", 400),
        ("filename=..&type=input", 400),
        ("filename=page.html&type=bogus", 400),
        ("filename=page.html&type=input&subfolder=../..", 403),
    ] {
        assert_eq!(ada.get(&format!("/user001/view?{query}")).await.unwrap().status(), status, "{query}");
    }
}

#[tokio::test]
async fn a_mask_becomes_the_transparency_of_a_new_input() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    upload(&ada, "image", "two.png", two_pixels(), &[]).await;
    let mask = png(2, &[9, 9, 9, 40, 9, 9, 9, 50]);
    let original = json!({"filename": "two.png", "type": "input", "subfolder": ""}).to_string();
    let fields = [("type", "input"), ("subfolder", "clipspace"), ("original_ref", original.as_str())];
    let answer = upload(&ada, "mask", "masked.png", mask.clone(), &fields).await;
    let named: Value = answer.json().await.unwrap();
    assert_eq!(named, json!({"name": "masked.png", "subfolder": "clipspace", "type": "input"}));
    let made = "/user001/view?filename=masked.png&type=input&subfolder=clipspace";
    let seen = ada.get(made).await.unwrap().bytes().await.unwrap();
    assert_eq!(pixels(&seen).1, [255, 0, 0, 40, 0, 255, 0, 50]);
    assert_eq!(upload(&ben, "mask", "mine.png", mask.clone(), &fields).await.status(), 404, "ada's picture");
    assert_eq!(upload(&ada, "mask", "m.png", mask.clone(), &[]).await.status(), 400);
    let small = png(1, &[0; 4]);
    assert_eq!(upload(&ada, "mask", "m.png", small, &fields).await.status(), 400);

    // Over one's own result, whose workflow stays in the picture.
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
    let history = ada.json(&format!("/user001/history/{id}")).await.unwrap();
    let original = history[&id]["outputs"]["3"]["images"][0].to_string();
    let mask = png(64, &[7; 64 * 48 * 4]);
    let answer = upload(&ada, "mask", "result.png", mask, &[("original_ref", original.as_str())]).await;
    assert_eq!(answer.status(), 200);
    let seen = ada.get("/user001/view?filename=result.png&type=input").await.unwrap().bytes().await.unwrap();
    assert_eq!(embedded(&seen, "workflow")["id"], "workflow-of-user001");
}
