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
}
