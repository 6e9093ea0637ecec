//! The way out: asked once, the worker finishes what runs if that ends in time; asked again, or out of time, it gives it
//! back; and when nobody acknowledges that, it goes all the same.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the queue-manager has to acknowledge a job that was given back: a rented box that asked 30 s before has no
/// more.
const GOODBYE: Duration = Duration::from_secs(3);

/// What the operator asks for.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Stop when what runs has ended.
    pub leave: CancellationToken,
    /// Stop at once.
    pub leave_now: CancellationToken,
}

/// The next thing to do on the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Take no job any more; what runs goes on.
    Finish,
    /// Give back what runs.
    GiveBack,
    /// Go, whatever is left.
    Go,
}

enum Stage {
    Staying,
    Finishing(Instant),
    GivingBack(Instant),
}

/// Where a worker is on its way out.
pub struct Departure {
    wishes: Wishes,
    patience: Duration,
    stage: Stage,
}

impl Departure {
    /// A worker that stays until it is asked, and then lets a job go on for `patience`.
    #[must_use]
    pub fn new(wishes: Wishes, patience: Duration) -> Self {
        Self { wishes, patience, stage: Stage::Staying }
    }

    /// Whether it was asked.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !matches!(self.stage, Stage::Staying)
    }

    /// Waits for the next step. Safe to drop while waiting.
    pub async fn step(&mut self) -> Step {
        match self.stage {
            Stage::Staying => tokio::select! {
                biased;
                () = self.wishes.leave_now.cancelled() => self.give_back(),
                () = self.wishes.leave.cancelled() => {
                    self.stage = Stage::Finishing(Instant::now() + self.patience);
                    Step::Finish
                }
            },
            Stage::Finishing(until) => {
                tokio::select! {
                    () = self.wishes.leave_now.cancelled() => {}
                    () = tokio::time::sleep_until(until) => {}
                }
                self.give_back()
            }
            Stage::GivingBack(until) => {
                tokio::time::sleep_until(until).await;
                Step::Go
            }
        }
    }

    fn give_back(&mut self) -> Step {
        self.stage = Stage::GivingBack(Instant::now() + GOODBYE);
        Step::GiveBack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn asked_once_a_job_has_its_time_and_is_then_given_back() {
        let wishes = Wishes::default();
        let mut departure = Departure::new(wishes.clone(), Duration::from_secs(25));
        wishes.leave.cancel();
        assert_eq!(departure.step().await, Step::Finish);
        let asked = Instant::now();
        assert_eq!(departure.step().await, Step::GiveBack);
        assert_eq!(asked.elapsed().as_secs(), 25);
        assert_eq!(departure.step().await, Step::Go);
        assert!(asked.elapsed() < Duration::from_secs(30), "before a rented box is taken away");
    }

    #[tokio::test(start_paused = true)]
    async fn asked_twice_a_job_is_given_back_at_once() {
        let wishes = Wishes::default();
        let mut departure = Departure::new(wishes.clone(), Duration::from_secs(25));
        wishes.leave.cancel();
        assert_eq!(departure.step().await, Step::Finish);
        wishes.leave_now.cancel();
        let asked = Instant::now();
        assert_eq!(departure.step().await, Step::GiveBack);
        assert_eq!(asked.elapsed(), Duration::ZERO);
    }
}
