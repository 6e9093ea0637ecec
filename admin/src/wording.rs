//! What the pages say: numbers of the queue in sentences.

use queue_protocol::Mode;
use queue_protocol::api::QueueStatus;

/// How the queue orders turns.
pub(crate) const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Fifo => "first come, first served",
        Mode::RoundRobin => "turn by turn",
        Mode::Fair => "by GPU time used",
        Mode::Priority => "by lane, turn by turn inside each",
    }
}

/// The headline: who waits, what runs.
#[must_use]
pub(crate) fn headline(status: &QueueStatus) -> String {
    let jobs = |n: u64| {
        if n == 1 { "1 job".to_owned() } else { format!("{n} jobs") }
    };
    let gpus = |n: u64| {
        if n == 1 { "1 GPU".to_owned() } else { format!("{n} GPUs") }
    };
    match (status.pending_jobs, status.running_jobs, status.active_workers) {
        (0, 0, 0) => "No GPU is connected. Jobs are accepted and will wait.".to_owned(),
        (0, 0, gpu) => format!("Nobody is waiting. {} idle.", gpus(gpu)),
        (waiting, _, 0) => format!("{} waiting, and no GPU is connected.", jobs(waiting)),
        (0, running, _) => format!("Nobody is waiting. {} running.", jobs(running)),
        (waiting, running, _) => format!("{} waiting, {running} running.", jobs(waiting)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_without_a_gpu_is_told_so() {
        let mut status = QueueStatus {
            mode: Mode::Fifo,
            paused: false,
            pending_jobs: 0,
            running_jobs: 0,
            completed_jobs: 0,
            failed_jobs: 0,
            total_workers: 0,
            active_workers: 0,
            queue_depth: 0,
        };
        assert_eq!(headline(&status), "No GPU is connected. Jobs are accepted and will wait.");
        status.pending_jobs = 1;
        assert_eq!(headline(&status), "1 job waiting, and no GPU is connected.");
        (status.active_workers, status.running_jobs) = (2, 2);
        assert_eq!(headline(&status), "1 job waiting, 2 running.");
    }
}
