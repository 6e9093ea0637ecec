//! What commands print: a table for people, JSON for programs.

use std::io::Write;

use serde::Serialize;

/// One line of data.
pub(super) fn line(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

/// One line of talk, which no program reads.
pub(super) fn talk(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stderr(), "{line}")?;
    Ok(())
}

/// One line of JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string(value)?)
}

/// Rows of equal length, in columns as wide as they need to be.
pub(super) fn table(rows: &[Vec<String>]) -> anyhow::Result<()> {
    rows.iter().try_for_each(|row| line(&aligned(row, rows)))
}

fn aligned(row: &[String], rows: &[Vec<String>]) -> String {
    let width = |n: usize| rows.iter().filter_map(|row| row.get(n)).map(|c| c.chars().count()).max();
    let cells = row.iter().enumerate().map(|(n, cell)| format!("{cell:<0$}", width(n).unwrap_or_default()));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// How long ago, in words: times of the store have no other use for a person.
pub(super) fn ago(now_ms: u64, then_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other_and_lines_have_no_tail() {
        let rows = [["ada", "participant", ""], ["grace-hopper", "instructor", "disabled"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&rows[0], &rows), "ada           participant");
        assert_eq!(aligned(&rows[1], &rows), "grace-hopper  instructor   disabled");
    }

    #[test]
    fn a_time_is_said_in_the_largest_unit_that_fits() {
        let said = [0, 119, 120, 7_200, 172_800].map(|seconds| ago(seconds * 1_000, 0));
        assert_eq!(said, ["0 s ago", "119 s ago", "2 min ago", "2 h ago", "2 days ago"]);
        assert_eq!(ago(0, 5), "0 s ago", "the clock went back");
    }
}
