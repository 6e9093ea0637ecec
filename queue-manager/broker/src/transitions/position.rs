//! Position: how many jobs start before this one, if nothing changed from now on, and when it probably starts.

use std::time::Duration;

use queue_protocol::JobId;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// Where a job in line stands, and what it can expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// 1 when it starts next, 2 for the one after.
    pub position: u64,
    /// How many other people get a turn before.
    pub people_ahead: u64,
    /// Soonest and latest start from now; `None` before three jobs have told how long such jobs take, and while no
    /// worker is here.
    pub starts_in: Option<(Duration, Duration)>,
}

/// What is to be expected of one job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prospect {
    /// `None` for a job that does not wait in line.
    pub place: Option<Place>,
    /// How long such jobs run; `None` before three have ended, and for a job that ended.
    pub usual: Option<Duration>,
}

/// What is to be expected of some jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// When this was true: ms since 1970 by the store's clock.
    pub at: u64,
    /// One for each job that was asked about.
    pub jobs: Vec<Prospect>,
}

/// Fields that the script answers for each job.
const FIELDS: usize = 5;

impl Broker {
    /// For each job what it can expect.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn outlook(&self, ids: &[JobId]) -> Result<Outlook, BrokerError> {
        let mut call = script!("position").call(self);
        for id in ids {
            call = call.arg(id.to_string());
        }
        let reply = call.run().await?;
        let number = |at: usize| -> Result<Option<u64>, BrokerError> {
            if reply.text(at)?.is_empty() { Ok(None) } else { reply.parse(at).map(Some) }
        };
        let time = |at: usize| Ok::<_, BrokerError>(number(at)?.map(Duration::from_millis));
        let read = |at: usize| -> Result<Prospect, BrokerError> {
            let place = match number(at)? {
                None => None,
                Some(position) => Some(Place {
                    position,
                    starts_in: time(at + 1)?.zip(time(at + 2)?),
                    people_ahead: reply.parse(at + 3)?,
                }),
            };
            Ok(Prospect { place, usual: time(at + 4)? })
        };
        let jobs = (0..ids.len()).map(|n| read(1 + FIELDS * n)).collect::<Result<_, _>>()?;
        Ok(Outlook { at: reply.parse(0)?, jobs })
    }

    /// Only the positions.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn positions(&self, ids: &[JobId]) -> Result<Vec<Option<u64>>, BrokerError> {
        let outlook = self.outlook(ids).await?;
        Ok(outlook.jobs.into_iter().map(|job| Some(job.place?.position)).collect())
    }
}
