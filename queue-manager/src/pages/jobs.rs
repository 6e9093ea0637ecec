//! The list of the plain page, written here for browsers with and without scripts.

use std::fmt::Write;

use queue_protocol::api::{Job, OutputFile, QueueStatus};

use crate::wording;

/// Text as it may stand in a page and in an attribute's quotes.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

/// One row for each job.
pub(super) fn rows(jobs: &[Job], queue: &QueueStatus) -> String {
    jobs.iter().map(|job| row(job, queue)).collect()
}

fn row(job: &Job, queue: &QueueStatus) -> String {
    let words = wording::about(job, queue);
    let (id, state, text, detail) = (job.id, job.state, escaped(&words.text), escaped(&words.detail));
    let mut row = format!(
        r#"<li id="job-{id}" data-state="{state}"><div class="head"><span class="state">{text}</span><span class="id">{id}</span>"#
    );
    if !state.is_end() {
        let form = format!(
            r#"<form method="post" action="jobs/{id}/cancel"><button class="quiet" aria-label="Cancel job {id}">Cancel</button></form>"#
        );
        row.push_str(&form);
    }
    let _ = write!(row, r#"</div><p class="detail">{detail}</p>"#);
    if !job.outputs.is_empty() {
        let files: String = job.outputs.iter().map(file).collect();
        let _ = write!(row, r#"<div class="pictures">{files}</div>"#);
    }
    row.push_str("</li>");
    row
}

fn file(file: &OutputFile) -> String {
    let (url, name) = (escaped(&file.url), escaped(&file.filename));
    let kind = mime_guess::from_path(&file.filename).first_or_octet_stream();
    match kind.type_().as_str() {
        "image" if kind.subtype() != "svg" => {
            format!(r#"<a href="{url}"><img src="{url}" alt="{name}" loading="lazy"></a>"#)
        }
        "video" => format!(r#"<video src="{url}" controls preload="metadata"></video>"#),
        _ => format!(r#"<a href="{url}">{name}</a>"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::Look;
    use crate::wording::tests::queue;

    fn job(state: &str, more: &serde_json::Value) -> Job {
        let mut job = serde_json::json!({
            "id": "3f0c1a54-2c4b-4b0e-9c55-0d6a4a3f0a01", "participant": "ada", "state": state, "reason": null,
            "lane": "normal", "position": null, "starts_in": null, "attempts": 1, "worker": null,
            "retry_of": null, "cancel_at": null, "submitted_at": 1, "started_at": null, "ended_at": null,
            "outputs": [], "error": null,
        });
        job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(job).unwrap()
    }

    #[test]
    fn what_somebody_typed_is_escaped() {
        let evil = "<script>alert('x')</script>\"<!-- message -->.png";
        let outputs = serde_json::json!({"outputs": [
            {"node": "1", "filename": evil, "kind": "output", "url": format!("/ada/api/view?{evil}")}]});
        let rows = rows(&[job("completed", &outputs)], &queue());
        assert!(!rows.contains("<script") && !rows.contains("<!--"), "{rows}");
        assert!(rows.contains("&lt;script&gt;alert(&#39;x&#39;)"));
        let page = Look { insecure: false }.plain_seat(&[], &queue(), false, evil);
        assert_eq!(page.status(), 200);
    }

    #[test]
    fn a_job_that_goes_on_can_be_cancelled_and_an_ended_one_shows_its_files() {
        let waiting = row(&job("pending", &serde_json::json!({"position": 2})), &queue());
        assert!(waiting.contains("2nd in line") && waiting.contains("/cancel\""), "{waiting}");
        let file =
            |name: &str| serde_json::json!({"node": "1", "filename": name, "kind": "output", "url": "/u"});
        let files =
            serde_json::json!({"outputs": [file("a.png"), file("b.mp4"), file("c.bin"), file("d.svg")]});
        let done = row(&job("completed", &files), &queue());
        assert!(done.contains("<img ") && done.contains("<video ") && !done.contains("/cancel"), "{done}");
        assert_eq!(done.matches("<a href=\"/u\">").count(), 3);
        assert_eq!(done.matches("<img ").count(), 1, "a drawing that can hold scripts is a link");
    }
}
