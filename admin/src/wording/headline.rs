//! The room in one sentence.

use queue_protocol::api::{QueueStatus, Room, WorkerInRoom};

use super::{cost, in_range, jobs, many, money, span};

/// The headline: who waits, what runs, and when a new job would start.
pub(crate) fn headline(room: &Room) -> String {
    let counts = &room.counts;
    let QueueStatus { pending_jobs: waiting, running_jobs: running, active_workers: gpus, .. } = *counts;
    if counts.paused && gpus > 0 {
        return match (waiting, running) {
            (0, 0) => "Paused. Nobody is waiting.".to_owned(),
            (_, 0) => format!("Paused. {} waiting; places are kept.", jobs(waiting)),
            _ => format!("Paused. {} waiting, {running} still running.", jobs(waiting)),
        };
    }
    let free = room.workers.iter().any(|one| takes_jobs(one) && one.running.is_none());
    match (waiting, running, gpus) {
        (0, 0, 0) => "No GPU is connected. Jobs are accepted and will wait.".to_owned(),
        (0, 0, _) => idle(room),
        (_, _, 0) => format!("{} waiting, and no GPU is connected.", jobs(waiting)),
        (0, ..) if !room.workers.iter().any(takes_jobs) => {
            format!("Nobody is waiting. {running} running; no GPU takes new jobs.")
        }
        (0, ..) if free => format!("Nobody is waiting. {running} running; a new job would start at once."),
        (0, ..) => format!("Nobody is waiting. {running} running; a new job would be next."),
        _ => format!("{} waiting, {running} running.{}", jobs(waiting), new_job(room)),
    }
}

/// Whether a worker would take a job, now or after the one it has.
fn takes_jobs(one: &WorkerInRoom) -> bool {
    one.worker.active && one.worker.comfyui_alive && !one.worker.draining && one.unready.is_empty()
}

fn idle(room: &Room) -> String {
    let all = room.counts.active_workers;
    let gpus = many(all, "GPU", "GPUs");
    let takes = match room.workers.iter().filter(|one| takes_jobs(one)).count() as u64 {
        takes if takes >= all => "",
        0 if all == 1 => "; it takes no jobs",
        0 => "; none of them takes jobs",
        1 => "; only one of them takes jobs",
        takes => &format!("; only {takes} of them take jobs"),
    };
    let Some(since) = room.idle_since.map(|since| room.now.saturating_sub(since)).filter(|ms| *ms >= 60_000)
    else {
        return format!("Nobody is waiting. {gpus} idle{takes}.");
    };
    let cost = cost(since * room.counts.active_workers, room.price_per_hour);
    let about = if cost > 0 { format!(" (about {})", money(cost)) } else { String::new() };
    format!("Nobody is waiting. {gpus} idle for {}{about}{takes}.", span(since))
}

fn new_job(room: &Room) -> String {
    match room.new_job_starts_in {
        _ if !room.workers.iter().any(takes_jobs) => " No GPU takes new jobs.".to_owned(),
        Some(starts) => format!(" A new job would start in {}.", in_range(starts)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use queue_protocol::api::StartsIn;

    use super::*;
    use crate::wording::tests::{empty_room, job};

    fn gpu(name: &str) -> WorkerInRoom {
        let text = format!(
            r#"{{"name":"{name}","active":true,"draining":false,"seen_at":1,"job":null,"version":"1","gpu":"",
            "vram_total":0,"vram_free":0,"comfyui_version":"","comfyui_alive":true,"unready":"","last_models":[],
            "running":null,"step":null,"stepped_at":null,"jobs":0,"worked_ms":0}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn room_with(gpus: u64) -> Room {
        let mut room = empty_room();
        room.workers = (1..=gpus).map(|n| gpu(&format!("gpu-{n}"))).collect();
        (room.counts.active_workers, room.counts.total_workers) = (gpus, gpus);
        room
    }

    #[test]
    fn a_room_without_a_gpu_is_told_so() {
        let mut room = empty_room();
        assert_eq!(headline(&room), "No GPU is connected. Jobs are accepted and will wait.");
        room.counts.pending_jobs = 1;
        assert_eq!(headline(&room), "1 job waiting, and no GPU is connected.");
        room = Room { counts: room.counts, ..room_with(2) };
        (room.counts.active_workers, room.counts.running_jobs) = (2, 2);
        assert_eq!(headline(&room), "1 job waiting, 2 running.");
        room.counts.paused = true;
        assert_eq!(headline(&room), "Paused. 1 job waiting, 2 still running.");
    }

    #[test]
    fn an_idle_gpu_says_what_it_costs_once_somebody_set_a_price() {
        let mut room = room_with(2);
        room.idle_since = Some(room.now - 240_000);
        assert_eq!(headline(&room), "Nobody is waiting. 2 GPUs idle for 4 min.");
        room.price_per_hour = 150;
        assert_eq!(headline(&room), "Nobody is waiting. 2 GPUs idle for 4 min (about 0.20).");
        room.workers[0].worker.draining = true;
        let idle = "Nobody is waiting. 2 GPUs idle for 4 min (about 0.20)";
        assert_eq!(headline(&room), format!("{idle}; only one of them takes jobs."), "both cost");
        room.workers[1].worker.comfyui_alive = false;
        assert_eq!(headline(&room), format!("{idle}; none of them takes jobs."));
    }

    #[test]
    fn a_new_job_starts_only_where_a_gpu_would_take_it() {
        let mut room = room_with(2);
        room.counts.running_jobs = 1;
        room.workers[0].running = Some(job("ada", 1));
        assert_eq!(headline(&room), "Nobody is waiting. 1 running; a new job would start at once.");
        room.workers[1].unready = "comfyui_away".to_owned();
        assert_eq!(headline(&room), "Nobody is waiting. 1 running; a new job would be next.");
        room.workers[0].worker.draining = true;
        assert_eq!(headline(&room), "Nobody is waiting. 1 running; no GPU takes new jobs.");
        (room.counts.pending_jobs, room.new_job_starts_in) =
            (31, Some(StartsIn { soonest_ms: 70_000, latest_ms: 110_000 }));
        assert_eq!(headline(&room), "31 jobs waiting, 1 running. No GPU takes new jobs.");
        room.workers[0].worker.draining = false;
        assert_eq!(
            headline(&room),
            "31 jobs waiting, 1 running. A new job would start in about 1–2 min.",
            "however many wait"
        );
    }
}
