//! The program itself: its flags, its address, and how it ends.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::files::inverted;
use crate::live::patiently;

struct Program {
    child: Child,
    address: String,
    /// Where it makes its own temporary folder.
    temporary: TempDir,
}

async fn start(flags: &[&str]) -> Program {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_simulated-comfyui"))
        .args(["--port", "0"])
        .args(flags)
        .env("TMPDIR", temporary.path())
        .env("ATELIER_SIMULATED_NODE_MS", "7")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = patiently("the address", lines.next_line()).await.unwrap().unwrap();
    Program { child, address, temporary }
}

impl Program {
    async fn ends_with(mut self) -> (Option<i32>, bool) {
        let status = patiently("the end of the program", self.child.wait()).await.unwrap();
        let left_over = std::fs::read_dir(self.temporary.path()).unwrap().next().is_some();
        (status.code(), left_over)
    }
}

#[tokio::test]
async fn it_takes_flags_and_environment_prints_its_address_and_ends_on_sigterm_without_leftovers() {
    let program = start(&["--step-ms", "3"]).await;
    let control: Value =
        reqwest::get(format!("{}/simulation", program.address)).await.unwrap().json().await.unwrap();
    assert_eq!((&control["step_ms"], &control["node_ms"]), (&json!(3), &json!(7)));
    let pid = i32::try_from(program.child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    assert_eq!(program.ends_with().await, (Some(0), false));
}

#[tokio::test]
async fn told_to_die_it_exits_with_status_one() {
    let program = start(&["--next", "die"]).await;
    let body = json!({"prompt": inverted(1)});
    reqwest::Client::new().post(format!("{}/prompt", program.address)).json(&body).send().await.unwrap();
    assert_eq!(program.ends_with().await, (Some(1), false));
}
