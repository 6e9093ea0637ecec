//! Charts, drawn here as SVG: lines over the minutes of the workshop. Colours and line widths are the style sheet's, so
//! they fit a light page and a dark one; the numbers stand beside every chart, so none is told by colour alone.

use std::fmt::Write;

use queue_protocol::api::Minute;

/// Size of the drawing, in its own units.
pub(crate) const WIDTH: f64 = 600.0;
pub(crate) const HEIGHT: f64 = 160.0;
const LEFT: f64 = 36.0;
const BOTTOM: f64 = 18.0;
const TOP: f64 = 8.0;

/// One chart, ready for its template.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) summary: String,
    pub(crate) lines: Vec<Line>,
    /// Height and text of the horizontal lines.
    pub(crate) levels: Vec<(f64, String)>,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// One line of a chart.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    pub(crate) path: String,
    /// Values that stand alone: no line leads to them.
    pub(crate) dots: Vec<(String, String)>,
    pub(crate) last: String,
}

/// A value of each minute; none where there is none, and the line has a gap.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    pub(crate) values: Vec<Option<f64>>,
}

/// A number that is a little more than `most` and easy to read: 1, 2 or 5 times a power of ten.
fn round_up(most: f64) -> f64 {
    let power = 10_f64.powf(most.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|level| *level >= most).unwrap_or(most)
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 || !(0.05..10.0).contains(&value) {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// Minutes that follow each other are so far apart, in ms. Between others nobody looked, and a line would tell of a time
/// of which nothing is known.
const MINUTE: u64 = 60_000;

#[expect(clippy::cast_precision_loss, reason = "for the eye")]
fn place(at: u64, minutes: &[Minute]) -> f64 {
    let (from, to) = ends(minutes);
    LEFT + (WIDTH - LEFT) * (at - from) as f64 / (to - from).max(1) as f64
}

/// When the first and the last minute began.
fn ends(minutes: &[Minute]) -> (u64, u64) {
    (minutes.first().map_or(0, |minute| minute.at), minutes.last().map_or(0, |minute| minute.at))
}

/// The values that are known, in pieces without a gap: when, and what.
fn pieces(minutes: &[Minute], values: &[Option<f64>]) -> Vec<Vec<(u64, f64)>> {
    let mut pieces: Vec<Vec<(u64, f64)>> = Vec::new();
    for (at, value) in minutes.iter().zip(values).filter_map(|(minute, value)| Some((minute.at, (*value)?))) {
        match pieces.last_mut() {
            Some(piece) if piece.last().is_some_and(|(last, _)| at <= last + MINUTE) => {
                piece.push((at, value));
            }
            _ => pieces.push(vec![(at, value)]),
        }
    }
    pieces
}

impl Chart {
    pub(crate) fn of(title: &'static str, unit: &str, minutes: &[Minute], series: Vec<Series>) -> Self {
        let values = series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let most = round_up(values.fold(1.0, f64::max));
        let height = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / most);
        let mut lines = Vec::new();
        for Series { name, class, values } in series {
            let (mut path, mut dots) = (String::new(), Vec::new());
            for piece in pieces(minutes, &values) {
                let points = piece.iter().map(|(at, value)| {
                    (format!("{:.1}", place(*at, minutes)), format!("{:.1}", height(*value)))
                });
                if piece.len() == 1 {
                    dots.extend(points);
                    continue;
                }
                for ((x, y), pen) in points.zip(std::iter::once('M').chain(std::iter::repeat('L'))) {
                    // Writing into a text cannot fail.
                    let _ = write!(path, "{pen}{x} {y}");
                }
            }
            let last = values.iter().rev().flatten().next();
            let last = last.map_or_else(|| "–".to_owned(), |value| format!("{} {unit}", number(*value)));
            lines.push(Line { name, class, path, dots, last: last.trim_end().to_owned() });
        }
        let levels = [0.0, most / 2.0, most].map(|level| (height(level), number(level))).to_vec();
        let told: Vec<_> = lines.iter().map(|line| format!("{}: {}", line.name, line.last)).collect();
        let (from, to) = ends(minutes);
        Self { title, summary: format!("{title}. Now {}.", told.join(", ")), lines, levels, from, to }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for the eye")]
fn series(
    name: &'static str,
    class: &'static str,
    minutes: &[Minute],
    value: impl Fn(&Minute) -> Option<u64>,
    per: f64,
) -> Series {
    Series {
        name,
        class,
        values: minutes.iter().map(|minute| value(minute).map(|value| value as f64 / per)).collect(),
    }
}

/// The four charts of the workshop's minutes.
pub(crate) fn of_minutes(minutes: &[Minute]) -> Vec<Chart> {
    let whole =
        |name, class, value: fn(&Minute) -> u64| series(name, class, minutes, |m| Some(value(m)), 1.0);
    vec![
        Chart::of(
            "Jobs waiting and running",
            "",
            minutes,
            vec![whole("waiting", "one", |m| m.pending), whole("running", "two", |m| m.running)],
        ),
        Chart::of(
            "Wait before a job began",
            "min",
            minutes,
            vec![
                series("half of them", "one", minutes, |m| m.wait_p50, 60_000.0),
                series("95 of 100", "two", minutes, |m| m.wait_p95, 60_000.0),
            ],
        ),
        Chart::of(
            "GPU use",
            "%",
            minutes,
            vec![series("busy", "one", minutes, |m| (m.busy_ms * 100).checked_div(m.ready_ms), 1.0)],
        ),
        Chart::of(
            "Jobs each minute",
            "",
            minutes,
            vec![
                whole("submitted", "two", |m| m.submitted),
                whole("done", "one", |m| m.completed),
                whole("failed", "bad", |m| m.failed),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_gap_where_nothing_is_known_and_a_value_without_neighbours_is_a_dot() {
        let minute =
            |at: u64, wait: Option<u64>| Minute { at: at * MINUTE, wait_p50: wait, ..Minute::default() };
        let waits = [Some(60_000), None, Some(120_000), Some(0)];
        let minutes: Vec<_> = (0..).zip(waits).map(|(at, wait)| minute(at, wait)).collect();
        let charts = of_minutes(&minutes);
        let line = &charts[1].lines[0];
        assert_eq!(line.path, "M412.0 8.0L600.0 142.0");
        assert_eq!(line.dots, [("36.0".to_owned(), "75.0".to_owned())]);
        assert_eq!(charts[1].summary, "Wait before a job began. Now half of them: 0 min, 95 of 100: –.");
    }

    #[test]
    fn a_night_without_a_server_is_as_wide_as_it_was_long() {
        let minute = |at: u64| Minute { at: at * MINUTE, ..Minute::default() };
        let charts = of_minutes(&[minute(0), minute(1), minute(9), minute(10)]);
        assert_eq!(charts[0].lines[0].path, "M36.0 142.0L92.4 142.0M543.6 142.0L600.0 142.0");
    }

    #[test]
    fn scales_end_at_easy_numbers() {
        let ends = [0.0, 1.0, 3.0, 7.0, 12.0, 99.0].map(|most| number(round_up(most)));
        assert_eq!(ends, ["1", "1", "5", "10", "20", "100"]);
    }
}
