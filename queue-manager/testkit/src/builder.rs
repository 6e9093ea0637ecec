//! What a workshop is made of, and how it is started.

use std::collections::BTreeMap;

use crate::frontend::Frontend;
use crate::process::free_port;
use crate::waiting::until;
use crate::workshop::{UP, Workshop, queue_manager};

/// What a workshop is made of.
pub struct WorkshopBuilder {
    lease_ms: u64,
    step_ms: u64,
    nginx: bool,
    queue_managers: usize,
    admin: bool,
    workers: usize,
    frontend: bool,
    people: usize,
    comfyui: Option<String>,
    settings: BTreeMap<&'static str, String>,
    comfyui_folder: Option<&'static str>,
}

impl WorkshopBuilder {
    /// Two people, one worker, no nginx, leases that outlast a machine that stands still for a while, quick steps.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lease_ms: 15_000,
            step_ms: 20,
            nginx: false,
            queue_managers: 1,
            admin: false,
            workers: 1,
            frontend: false,
            people: 2,
            comfyui: None,
            settings: BTreeMap::new(),
            comfyui_folder: None,
        }
    }

    /// A variable in the environment of every program.
    #[must_use]
    pub fn setting(mut self, name: &'static str, value: &str) -> Self {
        self.settings.insert(name, value.to_owned());
        self
    }

    /// Lease in ms.
    #[must_use]
    pub fn lease_ms(mut self, lease_ms: u64) -> Self {
        self.lease_ms = lease_ms;
        self
    }

    /// Time of one sampler step in ms.
    #[must_use]
    pub fn step_ms(mut self, step_ms: u64) -> Self {
        self.step_ms = step_ms;
        self
    }

    /// With a real nginx in front.
    #[must_use]
    pub fn with_nginx(mut self) -> Self {
        self.nginx = true;
        self
    }

    /// With a second queue-manager on the same store, given as `ATELIER_REDIS_URL`, and the same data folder; nginx leads to
    /// both.
    #[must_use]
    pub fn two_queue_managers(mut self) -> Self {
        self.queue_managers = 2;
        self
    }

    /// With the dashboard.
    #[must_use]
    pub fn with_admin(mut self) -> Self {
        self.admin = true;
        self
    }

    /// With the frontend package that `scripts/fetch-frontend.sh` unpacked: the pinned one, or the version that
    /// `ATELIER_TEST_FRONTEND` names.
    #[must_use]
    pub fn with_frontend(mut self) -> Self {
        self.frontend = true;
        self
    }

    /// So many workers, each with a simulated ComfyUI.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// A ComfyUI that runs already, for every worker, in place of simulated ones.
    #[must_use]
    pub fn comfyui(mut self, url: &str) -> Self {
        self.comfyui = Some(url.to_owned());
        self
    }

    /// Every simulated ComfyUI works in the same folder, as several of one installation do.
    #[must_use]
    pub fn shared_folder(mut self) -> Self {
        self.comfyui_folder = Some("comfyui");
        self
    }

    /// So many participants, `user001` first.
    #[must_use]
    pub fn people(mut self, people: usize) -> Self {
        self.people = people;
        self
    }

    /// Starts everything and waits until it answers.
    ///
    /// # Errors
    /// When a part does not come up; the error holds its log.
    pub async fn start(self) -> anyhow::Result<Workshop> {
        let folder = tempfile::tempdir()?;
        let address = || anyhow::Ok(format!("127.0.0.1:{}", free_port()?));
        let (bind, worker_bind, admin_bind) = (address()?, address()?, address()?);
        let frontend =
            if self.frontend { Frontend::to_try()?.folder } else { folder.path().join("no-frontend") };
        let mut environment = BTreeMap::from([
            ("ATELIER_BIND", bind.clone()),
            ("ATELIER_WORKER_BIND", worker_bind.clone()),
            ("ATELIER_ADMIN_BIND", admin_bind.clone()),
            ("ATELIER_API", format!("http://{bind}")),
            ("ATELIER_QUEUE_MANAGER", format!("http://{worker_bind}")),
            ("ATELIER_DATA", folder.path().join("data").display().to_string()),
            ("ATELIER_FRONTEND", frontend.display().to_string()),
            ("ATELIER_LEASE_MS", self.lease_ms.to_string()),
            ("ATELIER_LOG", "info,queue_broker=debug".to_owned()),
        ]);
        environment.extend(self.settings);
        let mut workshop = Workshop {
            queue_manager: queue_manager(&folder, &environment)?,
            front: format!("http://{bind}"),
            direct: format!("http://{bind}"),
            link: format!("http://{worker_bind}"),
            admin: None,
            folder,
            environment,
            workers: Vec::new(),
            comfyuis: Vec::new(),
            comfyui_urls: Vec::new(),
            around: Vec::new(),
            people: Vec::new(),
            worker_settings: Vec::new(),
            comfyui_folder: self.comfyui_folder,
            second: None,
        };
        workshop.wait_until_up().await?;
        if self.queue_managers > 1 {
            workshop.start_second_queue_manager(address()?, address()?).await?;
        }
        workshop.make_people(self.people).await?;
        for _ in 0..self.workers {
            workshop.add_worker(self.step_ms, self.comfyui.as_deref()).await?;
        }
        if self.admin {
            let admin = workshop.program("admin")?;
            workshop.around.push(workshop.run("admin", admin)?);
            workshop.admin = Some(format!("http://{admin_bind}"));
        }
        if self.nginx {
            workshop.start_nginx().await?;
        }
        if let Some(admin) = &workshop.admin {
            let health = format!("{admin}/healthz");
            until("the dashboard", UP, async || {
                Ok(reqwest::get(&health).await?.status().is_success().then_some(()))
            })
            .await?;
        }
        Ok(workshop)
    }
}

impl Default for WorkshopBuilder {
    fn default() -> Self {
        Self::new()
    }
}
