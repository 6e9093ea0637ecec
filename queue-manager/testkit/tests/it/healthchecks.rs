//! What container runtimes ask the programs themselves.

use std::time::Duration;

use testkit::process::{free_port, our_program};
use testkit::{WorkshopBuilder, waiting};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(20);

async fn says(program: &str, setting: (&str, &str)) -> bool {
    let mut command = Command::new(our_program(program).unwrap());
    command.arg("healthcheck").env(setting.0, setting.1).output().await.unwrap().status.success()
}

#[tokio::test]
async fn every_program_says_by_itself_whether_it_is_well() {
    let workshop = WorkshopBuilder::new().with_admin().start().await.unwrap();
    let bind = |url: &str| url.trim_start_matches("http://").to_owned();
    let admin = bind(workshop.admin.as_deref().unwrap());
    waiting::until("the dashboard", LIMIT, async || {
        Ok(says("admin", ("ATELIER_ADMIN_BIND", &admin)).await.then_some(()))
    })
    .await
    .unwrap();
    assert!(says("queue-manager", ("ATELIER_BIND", &bind(&workshop.direct))).await);
    let cache = workshop.cache();
    waiting::until("the worker's sign", LIMIT, async || {
        Ok(says("worker", ("ATELIER_WORKER_CACHE", cache.to_str().unwrap())).await.then_some(()))
    })
    .await
    .unwrap();

    let nobody = format!("127.0.0.1:{}", free_port().unwrap());
    assert!(!says("admin", ("ATELIER_ADMIN_BIND", &nobody)).await);
    assert!(!says("queue-manager", ("ATELIER_BIND", &nobody)).await);
    assert!(!says("worker", ("ATELIER_WORKER_CACHE", "/nonexistent")).await);
}
