//! Where the rehearsal takes place: a workshop that runs, or one of its own.

use std::path::Path;

use serde_json::Value;

use super::accounts::{self, Cast};
use super::options::Options;
use super::report::{Report, Trouble};
use crate::{Workshop, WorkshopBuilder};

/// Workers of a workshop of its own.
const WORKERS: u16 = 3;

/// The workshop and those who act in it.
pub(crate) struct Place {
    /// Where people go.
    pub(crate) url: String,
    /// Where workers go.
    pub(crate) link: String,
    /// How many workers to act as.
    pub(crate) workers: u16,
    /// Who signs in.
    pub(crate) cast: Cast,
    /// The queue-manager's process, where it can be seen.
    pub(crate) process: Option<u32>,
    /// Its Redis, where it can be reached.
    pub(crate) redis: Option<std::path::PathBuf>,
    own: Option<Workshop>,
}

impl Place {
    pub(crate) async fn find(options: &Options) -> Result<Self, Trouble> {
        if options.url.is_none() && options.data.is_none() && options.accounts.is_none() {
            return Self::own(options).await;
        }
        let in_data = |file: &str| options.data.as_ref().map(|folder| folder.join(file));
        let file = options.accounts.clone().or_else(|| in_data("sign-ins.json"));
        let signs = file.as_deref().map(read).transpose()?;
        let named = signs.as_ref().and_then(|signs| signs["urls"]["seats"].as_str());
        let Some(url) = options.url.as_deref().or(named) else {
            return Err(Trouble::new(
                "no workshop was found",
                "neither --url nor the accounts' file names an address",
            ));
        };
        let url = url.trim_end_matches('/').to_owned();
        if !url.starts_with("http://") {
            let why = "it speaks plain HTTP only; give it the address behind nginx, http://127.0.0.1:3000";
            return Err(Trouble::new(format!("{url} cannot be reached"), why));
        }
        let process = in_data("run/queue-manager.pid").and_then(|file| std::fs::read_to_string(file).ok());
        let process = options.pid.or_else(|| process?.trim().parse().ok());
        let redis =
            options.redis.clone().or_else(|| in_data("redis/redis.sock").filter(|socket| socket.exists()));
        let (link, workers) = (options.link.clone(), options.workers.unwrap_or(0));
        let cast = accounts::cast(&url, signs.as_ref(), options).await?;
        Ok(Self { url, link, workers, cast, process, redis, own: None })
    }

    async fn own(options: &Options) -> Result<Self, Trouble> {
        let workers = options.workers.unwrap_or(WORKERS);
        // Asked for the workers that are connected, it connects real ones, with a simulated ComfyUI each.
        let real = if workers == 0 { usize::from(WORKERS) } else { 0 };
        let workshop = WorkshopBuilder::new()
            .people(usize::from(options.people))
            .workers(real)
            .lease_ms(30_000)
            .setting("ATELIER_QUEUE_MODE", "round_robin")
            .start()
            .await
            .map_err(|error| Trouble::new("no workshop could be started", format!("{error:#}")))?;
        let no_account = |error: anyhow::Error| Trouble::new("somebody has no account", error);
        let pair = |name: &str| anyhow::Ok((name.to_owned(), workshop.password(name)?.to_owned()));
        let people: anyhow::Result<Vec<_>> =
            (1..=options.people).map(|n| pair(&format!("user{n:03}"))).collect();
        let instructor = Some(pair("instructor").map_err(no_account)?);
        let cast = Cast { people: people.map_err(no_account)?, instructor, made: Vec::new() };
        Ok(Self {
            url: workshop.direct.clone(),
            link: workshop.link.clone(),
            workers,
            cast,
            process: workshop.queue_manager.id(),
            redis: Some(workshop.data().join("redis/redis.sock")),
            own: Some(workshop),
        })
    }

    /// Takes away what was made for the rehearsal.
    pub(crate) async fn tidy(self, report: &mut Report) {
        if self.own.is_none() {
            accounts::retire(&self.url, &self.cast, report).await;
        }
    }
}

fn read(file: &Path) -> Result<Value, Trouble> {
    let what = format!("{} cannot be read", file.display());
    let bytes = std::fs::read(file).map_err(|error| Trouble::new(&what, error))?;
    serde_json::from_slice(&bytes).map_err(|error| Trouble::new(what, error))
}
