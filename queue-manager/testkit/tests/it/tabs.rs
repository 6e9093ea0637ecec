//! A room full of tabs: who is told of a change, and what it costs when all of them come back at once.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use serde_json::{Value, json};
use testkit::{Person, Tab, Workshop, WorkshopBuilder, graphs, waiting};

const LIMIT: Duration = Duration::from_secs(60);
/// How often a frontend without a connection tries again.
const AGAIN: Duration = Duration::from_millis(300);

/// What each `status` a tab heard said of its participant's line.
fn remaining(tab: &Tab) -> Vec<u64> {
    let status = tab.heard.iter().filter(|message| message["type"] == "status");
    status.map(|m| m["data"]["status"]["exec_info"]["queue_remaining"].as_u64().unwrap()).collect()
}

async fn run(person: &Person, client: &str, graph: &Value) -> String {
    let body = json!({"prompt": graph, "client_id": client});
    let path = format!("/{}/api/prompt", person.name);
    let answer: Value = person.post(&path, &body).await.unwrap().json().await.unwrap();
    answer["prompt_id"].as_str().unwrap().to_owned()
}

/// Listens until the last `status` said that so many are left.
async fn hear_left(tab: &mut Tab, left: u64) {
    while remaining(tab).last() != Some(&left) {
        tab.next().await.unwrap();
    }
}

#[tokio::test]
async fn a_job_makes_only_its_participants_tabs_ask_for_their_lists_and_those_agree() {
    let workshop = WorkshopBuilder::new().people(20).start().await.unwrap();
    let people: Vec<_> = (1..=20).map(|n| workshop.person(&format!("user{n:03}")).unwrap()).collect();
    let mut tabs = try_join_all(people.iter().map(|person| person.tab(None))).await.unwrap();
    let (ada, mut first) = (&people[0], tabs.remove(0));
    let (mut second, mut third) = (ada.tab(None).await.unwrap(), ada.tab(None).await.unwrap());

    let id = run(ada, &first.sid, &graphs::sampled_picture(1, 30)).await;
    first.hear_the_end(&id).await.unwrap();
    for tab in [&mut first, &mut second, &mut third] {
        hear_left(tab, 1).await;
        hear_left(tab, 0).await;
    }
    for tab in [&second, &third] {
        assert!(
            tab.previews.is_empty() && tab.story(&id).is_empty(),
            "a frame is for the tab that ran the job"
        );
    }
    // Every status makes a real tab ask for its lists, so nobody else heard one: the first that any of the others hears
    // behind its greeting is of a job of its own.
    workshop.pause().await.unwrap();
    for (person, tab) in people[1..].iter().zip(&mut tabs) {
        run(person, "elsewhere", &graphs::white_picture()).await;
        while remaining(tab).len() < 2 {
            tab.next().await.unwrap();
        }
        assert_eq!(remaining(tab), [0, 1], "{}", person.name);
    }
}

#[tokio::test]
async fn a_tab_is_told_nothing_twice_when_the_queue_manager_loses_its_ear_for_a_moment() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let job = run(&ada, &tab.sid, &graphs::sampled_picture(1, 60)).await;
    while !tab.story(&job).contains(&"executing") {
        tab.next().await.unwrap();
    }
    // Whoever listens again looks for what waits for the tab; it has heard some of that.
    workshop.redis(&["client", "kill", "type", "pubsub"]).await.unwrap();
    tab.hear_the_end(&job).await.unwrap();
    let heard = tab.story(&job);
    for kind in ["execution_start", "execution_cached", "executed", "execution_success"] {
        assert_eq!(heard.iter().filter(|one| **one == kind).count(), 1, "{kind}: {heard:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_killed_and_comes_back_at_once_costs_a_tab_no_message() {
    let workshop = WorkshopBuilder::new().step_ms(10).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let job = run(&ada, &tab.sid, &graphs::sampled_picture(1, 30)).await;
    while !tab.story(&job).contains(&"executing") {
        tab.next().await.unwrap();
    }
    workshop.kill_redis().await.unwrap();
    tab.hear_the_end(&job).await.unwrap();
    let heard = tab.story(&job);
    for kind in ["execution_start", "execution_cached", "executed", "execution_success"] {
        assert_eq!(heard.iter().filter(|one| **one == kind).count(), 1, "{kind}: {heard:?}");
    }
}

/// Comes back as the frontend does; how often it tried in vain.
async fn come_back(person: &Person, cookie: &str, sid: &str, refused: &tokio::sync::Barrier) -> (Tab, usize) {
    let mut tries = 0;
    loop {
        match person.tab_of_session(cookie, Some(sid)).await {
            Ok(tab) => return (tab, tries),
            Err(error) => assert!(!format!("{error:?}").contains("HTTP error: 4"), "{error:?}"),
        }
        tries += 1;
        if tries == 5 {
            refused.wait().await;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn password_checks(workshop: &Workshop) -> u64 {
    let page = reqwest::get(format!("{}/metrics", workshop.link)).await.unwrap().text().await.unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix("atelier_password_checks_total "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn sixty_tabs_that_come_back_at_once_cost_no_password_check_and_each_gets_what_it_missed_once() {
    let mut workshop = WorkshopBuilder::new().people(12).lease_ms(30_000).start().await.unwrap();
    let people: Vec<_> = (1..=12).map(|n| workshop.person(&format!("user{n:03}")).unwrap()).collect();
    let cookies = try_join_all(people.iter().map(Person::session)).await.unwrap();
    assert_eq!(password_checks(&workshop).await, 12);
    // Five tabs each; the first of them runs a job. The one that is running ends while nobody can be told.
    let who: Vec<_> = (0..60).map(|n| (&people[n % 12], &cookies[n % 12])).collect();
    let tabs =
        try_join_all(who.iter().map(|(person, cookie)| person.tab_of_session(cookie, None))).await.unwrap();
    let mut jobs = Vec::new();
    for (person, tab) in people.iter().zip(&tabs) {
        jobs.push(run(person, &tab.sid, &graphs::sampled_picture(1, 40)).await);
    }
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    workshop.queue_manager.kill().await.unwrap();
    let sids: Vec<_> = tabs.iter().map(|tab| tab.sid.clone()).collect();
    drop(tabs);

    let storm = tokio::sync::Barrier::new(61);
    let away =
        join_all(who.iter().zip(&sids).map(|((person, cookie), sid)| come_back(person, cookie, sid, &storm)));
    let restart = async {
        storm.wait().await;
        waiting::until("ComfyUI to be done with the first", LIMIT, async || {
            Ok(workshop
                .ask_comfyui(1, "/history")
                .await?
                .as_object()
                .is_some_and(|all| !all.is_empty())
                .then_some(()))
        })
        .await
        .unwrap();
        workshop.restart_queue_manager().await.unwrap();
    };
    let (back, ()) = tokio::join!(away, restart);
    let (mut back, tries): (Vec<_>, Vec<_>) = back.into_iter().unzip();
    println!("tried in vain: {} times", tries.iter().sum::<usize>());
    assert_eq!(back.iter().map(|tab| &tab.sid).collect::<Vec<_>>(), sids.iter().collect::<Vec<_>>());

    for (tab, job) in back.iter_mut().zip(&jobs) {
        tab.hear_the_end(job).await.unwrap();
        hear_left(tab, 0).await;
        let heard = tab.story(job);
        let times = |kind: &str| heard.iter().filter(|one| **one == kind).count();
        assert_eq!((times("executed"), times("execution_success")), (1, 1), "{heard:?}");
    }
    for (n, tab) in back.iter_mut().enumerate().skip(12) {
        hear_left(tab, 0).await;
        assert!(jobs.iter().all(|job| tab.story(job).is_empty()), "tab {n} ran nothing");
    }
    assert_eq!(password_checks(&workshop).await, 0, "since the queue-manager came back");
    for (person, cookie) in people.iter().zip(&cookies) {
        person.tab_of_session(cookie, None).await.unwrap();
        assert_eq!(
            person.get(&format!("/{}/api/jobs", person.name)).await.unwrap().status(),
            200,
            "nobody is locked out"
        );
    }
}
