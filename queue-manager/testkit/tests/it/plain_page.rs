//! The plain page of a seat, with nothing but its forms and links.

use std::io::{Cursor, Read};

use fantoccini::Locator;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};
use testkit::browser::Driver;
use testkit::process::repository;
use testkit::{Person, WorkshopBuilder, graphs};

async fn run(ada: &Person, file: String) -> Response {
    let form = Form::new().part("workflow", Part::text(file).file_name("workflow.json"));
    ada.request(Method::POST, "/user001/jobs").multipart(form).send().await.unwrap()
}

async fn page(ada: &Person) -> String {
    ada.get("/user001/jobs").await.unwrap().text().await.unwrap()
}

fn only_job(page: &str) -> String {
    let mut ids = page.split("id=\"job-").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    let id = ids.next().unwrap();
    assert_eq!(ids.next(), None);
    id
}

#[tokio::test]
async fn a_workflow_file_is_run_by_the_form_and_cancelled_by_another() {
    let workshop = WorkshopBuilder::new().with_nginx().step_ms(50).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let sent = run(&ada, graphs::sampled_picture(1, 5_000).to_string()).await;
    assert_eq!(
        (sent.status().as_u16(), &sent.headers()["location"]),
        (303, &"/user001/jobs".parse().unwrap())
    );
    let id = only_job(&page(&ada).await);
    ada.wait_for(&id, "running").await.unwrap();
    assert!(page(&ada).await.contains("On gpu-1."));
    let theirs = ben.request(Method::POST, &format!("/user002/jobs/{id}/cancel")).send().await.unwrap();
    assert_eq!(theirs.status(), 303);
    assert!(page(&ada).await.contains(&format!("jobs/{id}/cancel")), "it is not ben's to cancel");
    ada.request(Method::POST, &format!("/user001/jobs/{id}/cancel")).send().await.unwrap();
    ada.wait_for(&id, "cancelled").await.unwrap();
    let ended = page(&ada).await;
    assert!(ended.contains("Cancelled") && !ended.contains(&format!("jobs/{id}/cancel")));

    for (file, why) in [
        ("no JSON".to_owned(), "not a workflow"),
        (String::new(), "Choose a workflow file"),
        (r#"{"nodes":[],"links":[]}"#.to_owned(), "Export (API)"),
    ] {
        let refused = run(&ada, file).await;
        assert_eq!(refused.status(), 400);
        let said = refused.text().await.unwrap();
        let message = said.split("role=\"alert\">").nth(1).unwrap().split("</p>").next().unwrap();
        assert!(message.contains(why), "{message}");
    }
    assert_eq!(run(&ada, "x".repeat(10_600_000)).await.status(), 413);
}

#[tokio::test]
async fn everything_of_ones_own_is_one_archive_and_nothing_of_anyone_elses() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let mut pictures = Vec::new();
    for person in [&ada, &ben] {
        let id = person.submit(&graphs::white_picture()).await.unwrap();
        let done = person.wait_for(&id, "completed").await.unwrap();
        let url = done["outputs"][0]["url"].as_str().unwrap().to_owned();
        pictures.push(person.get(&url).await.unwrap().bytes().await.unwrap());
        let saved = format!("/{0}/api/userdata/workflows%2Fof-{0}.json", person.name);
        person.post(&saved, &graphs::white_picture()).await.unwrap();
    }
    let answer = ada.get("/user001/jobs/archive.zip").await.unwrap();
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"user001.zip\"");
    let mut archive = zip::ZipArchive::new(Cursor::new(answer.bytes().await.unwrap())).unwrap();
    let names: Vec<_> = archive.file_names().map(str::to_owned).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("jobs/00001-") && names[0].ends_with("/white_00001_.png"), "{names:?}");
    assert_eq!(names[1], "workflows/of-user001.json");
    let mut picture = Vec::new();
    archive.by_name(&names[0]).unwrap().read_to_end(&mut picture).unwrap();
    assert_eq!(picture, pictures[0]);
    assert_eq!(ben.get("/user001/jobs/archive.zip").await.unwrap().status(), 404);
}

#[tokio::test]
async fn without_scripts_a_person_signs_in_runs_a_file_and_sees_the_picture() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    for (width, height, size, name) in [(1280, 800, "desktop", "user001"), (390, 844, "phone", "user002")] {
        let browser = driver.browser(width, height).await.unwrap();
        browser.never_load("/static/seat.js").await.unwrap();
        browser.sign_in(&workshop.front, name, workshop.password(name).unwrap()).await.unwrap();
        browser.page.goto(&format!("{}/{name}/jobs", workshop.front)).await.unwrap();
        let file = workshop.data().join("workflow.json");
        std::fs::write(&file, graphs::white_picture().to_string()).unwrap();
        let input = browser.page.find(Locator::Id("file")).await.unwrap();
        input.send_keys(file.to_str().unwrap()).await.unwrap();
        browser
            .screenshot(&repository().join(format!("screenshots/no-scripts-form-{size}.png")))
            .await
            .unwrap();
        browser.page.find(Locator::Css("#drop button")).await.unwrap().click().await.unwrap();
        let row = browser.page.wait().for_element(Locator::Css("#jobs li")).await.unwrap();
        let id = row.attr("id").await.unwrap().unwrap().replace("job-", "");
        workshop.person(name).unwrap().wait_for(&id, "completed").await.unwrap();
        browser.page.refresh().await.unwrap();
        let picture = browser.page.find(Locator::Css("#jobs li[data-state=completed] img")).await.unwrap();
        assert!(picture.attr("alt").await.unwrap().unwrap().starts_with("white_"));
        let live = browser.page.find(Locator::Id("live")).await.unwrap();
        assert_eq!(live.text().await.unwrap(), "", "no script ran");
        browser.screenshot(&repository().join(format!("screenshots/no-scripts-{size}.png"))).await.unwrap();
        browser.close().await.unwrap();
    }
}
