//! The role that takes back leases, looks for what the instructor should know, and notices when the store has restarted. Every queue-manager runs one; they do not
//! mind each other.

use std::time::Duration;

use queue_broker::transitions::reap::Reaped;
use queue_broker::transitions::watch::Patience;
use queue_broker::{Broker, BrokerError};
use tokio_util::sync::CancellationToken;

use crate::alerts::storage::Room;
use crate::files::Files;
use crate::metrics::Metrics;

/// Settings that the store is opened with, again after each restart of it.
pub(crate) struct Settings {
    /// Of a new workshop; what was set since stays.
    pub(crate) first: Vec<(&'static str, String)>,
    /// Configured here, so they hold whatever was set before.
    pub(crate) always: Vec<(&'static str, String)>,
}

/// What the role works with.
pub(crate) struct Janitor {
    pub(crate) broker: Broker,
    pub(crate) files: Files,
    pub(crate) metrics: Metrics,
    pub(crate) every: Duration,
    /// How long a lease lasts.
    pub(crate) lease: Duration,
    pub(crate) settings: Settings,
    pub(crate) patience: Patience,
    /// Megabytes that must be free on the disk.
    pub(crate) disk_free_mb: u64,
    /// Whether alerts are sent somewhere.
    pub(crate) sends: bool,
}

impl Janitor {
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut run_id = None;
        let mut away = false;
        while !shutdown.is_cancelled() {
            match self.look(&mut run_id).await {
                Ok(reaped) => {
                    if away {
                        tracing::info!("the queue store answers again");
                    }
                    away = false;
                    tell(&reaped, &self.metrics);
                }
                Err(error) => {
                    if !away {
                        tracing::warn!(%error, "the queue store does not answer; looking again every second");
                    }
                    away = true;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(self.every) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn look(&self, run_id: &mut Option<String>) -> Result<Reaped, BrokerError> {
        let broker = &self.broker;
        let current = broker.run_id().await?;
        if run_id.as_ref() != Some(&current) {
            broker.open(&self.settings.first).await?;
            let always = self.settings.always.iter().map(|(name, value)| (*name, value.as_str()));
            broker.configure(None, &always.collect::<Vec<_>>()).await?;
            *run_id = Some(current);
        }
        let reaped = broker.reap(self.lease).await?;
        // Each does a bounded piece of work, and none is worth a lease that is taken back late.
        for kept in
            [broker.age().await, broker.purge().await, broker.tick().await.map(|()| 0), self.watch().await]
        {
            if let Err(error) = kept {
                tracing::warn!(%error, "the queue's own housekeeping did not work; it goes on at the next look");
            }
        }
        Ok(reaped)
    }

    async fn watch(&self) -> Result<u64, BrokerError> {
        let room = Room::look(&self.files, &self.broker, self.disk_free_mb).await?;
        self.broker.watch(self.patience, &room.alerts(), self.sends).await
    }
}

fn tell(reaped: &Reaped, metrics: &Metrics) {
    match reaped {
        Reaped::Moved(gap_ms) => {
            tracing::warn!(gap_ms, "after an outage every lease moved forward by the gap");
        }
        Reaped::Did { taken_back, due } => {
            metrics.took_back(taken_back.len());
            for job in due {
                tracing::info!(job.id = %job, "a wait was over");
            }
            for (job, state) in taken_back {
                tracing::warn!(job.id = %job, job.state = %state, "took back a lease that ended");
            }
        }
    }
}
