//! Figures out of what was measured.

use std::time::Duration;

/// `p50 1.2 ms, p99 3.4 ms of 100`.
pub(crate) fn percentiles(mut measured: Vec<Duration>) -> String {
    measured.sort_unstable();
    let at =
        |share: usize| measured.get((measured.len() * share / 100).min(measured.len().saturating_sub(1)));
    match (at(50), at(99)) {
        (Some(p50), Some(p99)) => format!("p50 {}, p99 {} of {}", ms(*p50), ms(*p99), measured.len()),
        _ => "nothing measured".to_owned(),
    }
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_the_p99_is_the_slowest_one() {
        let measured = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentiles(measured), "p50 51.0 ms, p99 100.0 ms of 100");
        assert_eq!(percentiles(Vec::new()), "nothing measured");
    }
}
