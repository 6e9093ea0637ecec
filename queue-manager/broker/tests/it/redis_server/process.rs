//! One server process, which ends with the test binary, however that ends.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::engine::Engine;

pub struct Process {
    server: Child,
    watcher: Child,
}

impl Process {
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let program = Engine::chosen().program();
        let server = Command::new(&program)
            .args(["--save", "", "--dir", "."])
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error} (apt-get install redis-server)"));
        // A watcher waits for our process id to vanish.
        let watcher = Command::new("sh")
            .arg("-c")
            .arg(format!(
                "while kill -0 {} 2>/dev/null; do sleep 1; done; kill -9 {}; rm -rf '{}'",
                std::process::id(),
                server.id(),
                folder.display()
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { server, watcher }
    }

    /// Stops it in the middle of whatever it does, as `kill -STOP`; `CONT` lets it go on.
    pub fn signal(&self, name: &str) {
        let process = self.server.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().unwrap().success());
    }

    pub fn has_ended(&mut self) -> bool {
        self.server.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    /// As `kill -9`.
    fn drop(&mut self) {
        for child in [&mut self.watcher, &mut self.server] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
