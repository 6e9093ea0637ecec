//! The role that takes back leases and notices when the store has restarted. Every queue-manager runs one; they do not
//! mind each other.

use std::time::Duration;

use queue_broker::transitions::reap::Reaped;
use queue_broker::{Broker, BrokerError};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Settings that the store is opened with, again after each restart of it.
pub(crate) struct Settings {
    /// Of a new workshop; what was set since stays.
    pub(crate) first: Vec<(&'static str, String)>,
    /// Configured here, so they hold whatever was set before.
    pub(crate) always: Vec<(&'static str, String)>,
}

pub(crate) async fn run(
    broker: Broker,
    metrics: Metrics,
    every: Duration,
    settings: Settings,
    shutdown: CancellationToken,
) {
    let mut run_id = None;
    let mut away = false;
    while !shutdown.is_cancelled() {
        match look(&broker, &mut run_id, &settings).await {
            Ok(reaped) => {
                if away {
                    tracing::info!("the queue store answers again");
                }
                away = false;
                tell(&reaped, &metrics);
            }
            Err(error) => {
                if !away {
                    tracing::warn!(%error, "the queue store does not answer; looking again every second");
                }
                away = true;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

async fn look(
    broker: &Broker,
    run_id: &mut Option<String>,
    settings: &Settings,
) -> Result<Reaped, BrokerError> {
    let current = broker.run_id().await?;
    if run_id.as_ref() != Some(&current) {
        broker.open(&settings.first).await?;
        let always: Vec<_> = settings.always.iter().map(|(name, value)| (*name, value.as_str())).collect();
        broker.configure(None, &always).await?;
        *run_id = Some(current);
    }
    let reaped = broker.reap().await?;
    // Each does a bounded piece of work, and neither is worth a lease that is taken back late.
    for kept in [broker.age().await, broker.purge().await, broker.tick().await.map(|()| 0)] {
        if let Err(error) = kept {
            tracing::warn!(%error, "the queue's own housekeeping did not work; it goes on at the next look");
        }
    }
    Ok(reaped)
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
