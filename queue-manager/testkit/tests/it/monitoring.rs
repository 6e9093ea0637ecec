//! The alert rules and the Grafana dashboard in `docs/monitoring` ask for series that a workshop really has.

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::process::repository;
use testkit::{WorkshopBuilder, graphs};

fn read(name: &str) -> String {
    std::fs::read_to_string(repository().join("docs/monitoring").join(name)).unwrap()
}

/// Every series of ours that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("atelier_")).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_series_that_an_alert_or_a_panel_asks_for_is_published() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
    let id = ada.submit(&graphs::misbehaving(graphs::white_picture(), "2", "fail")).await.unwrap();
    ada.wait_for(&id, "failed").await.unwrap();
    let page = testkit::waiting::until(
        "the failure to be counted",
        std::time::Duration::from_secs(20),
        async || {
            let page = reqwest::get(format!("{}/metrics", workshop.link)).await?.text().await?;
            Ok(Some(page).filter(|page| page.contains("outcome=\"failed\"")))
        },
    );
    let page = page.await.unwrap();
    let published = named(&page);

    let (rules, panels) = (read("alerts.yml"), read("grafana.json"));
    assert_eq!(rules.matches("- alert: ").count(), 6);
    let asked: BTreeSet<_> = named(&rules).into_iter().chain(named(&panels)).collect();
    assert!(asked.len() > 7, "{asked:?}");
    let missing: Vec<_> = asked.difference(&published).collect();
    assert!(missing.is_empty(), "{missing:?} is not among {published:?}");
    for label in ["outcome=\"failed\"", "state=\"pending\""] {
        assert!(rules.contains(label) && page.contains(label), "{label}");
    }

    let dashboard: Value = serde_json::from_str(&panels).unwrap();
    let all = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = all.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), all.len());
    for panel in all {
        for target in panel["targets"].as_array().unwrap() {
            assert!(target["expr"].as_str().is_some_and(|asked| !asked.is_empty()), "{panel}");
        }
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{panel}");
    }
}
