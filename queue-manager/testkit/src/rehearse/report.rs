//! What a rehearsal found, and the verdict.

use std::fmt;

/// Something that must not be when a workshop begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What was seen: `3 of 100 submits were refused`.
    pub what: String,
    /// As far as it is known: `the server answered 404 Not Found`.
    pub because: String,
}

impl Trouble {
    /// Both halves of the sentence.
    pub fn new(what: impl Into<String>, because: impl fmt::Display) -> Self {
        Self { what: what.into(), because: because.to_string() }
    }
}

/// Figures, remarks, troubles. Without any figure of a job it is not ready either.
#[derive(Debug, Default)]
pub struct Report {
    figures: Vec<(String, String)>,
    remarks: Vec<String>,
    troubles: Vec<Trouble>,
    well: Option<String>,
}

impl Report {
    /// One line of figures.
    pub fn figure(&mut self, name: &str, value: impl Into<String>) {
        self.figures.push((name.to_owned(), value.into()));
    }

    /// What a reader should know and what decides nothing.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    /// Something that must not be.
    pub fn trouble(&mut self, trouble: Trouble) {
        self.troubles.push(trouble);
    }

    /// What was proven, for the verdict. Said once, at the end, when all of it was looked at.
    pub fn well(&mut self, text: impl Into<String>) {
        self.well = Some(text.into());
    }

    /// Whether everything was looked at and nothing was wrong.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.troubles.is_empty() && self.well.is_some()
    }

    /// The last line: `Ready: …` or `Not ready: …, because …`.
    #[must_use]
    pub fn verdict(&self) -> String {
        match (self.troubles.as_slice(), &self.well) {
            ([], Some(well)) => format!("Ready: {well}."),
            ([], None) => {
                "Not ready: nothing was proven, because the rehearsal did not come to its end.".to_owned()
            }
            ([only], _) => format!("Not ready: {}, because {}.", only.what, only.because),
            ([first, others @ ..], _) => format!(
                "Not ready: {}, because {}; and {} more, above.",
                first.what,
                first.because,
                others.len()
            ),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.figures {
            writeln!(f, "{name:28}{value}")?;
        }
        for remark in &self.remarks {
            writeln!(f, "Note: {remark}.")?;
        }
        if self.troubles.len() > 1 {
            for trouble in &self.troubles {
                writeln!(f, "Trouble: {}, because {}.", trouble.what, trouble.because)?;
            }
        }
        writeln!(f, "{}", self.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_proven_is_ready() {
        let mut report = Report::default();
        assert!(!report.is_ready() && report.verdict().starts_with("Not ready: "));
        report.well("20 people ran 100 jobs");
        assert!(report.is_ready());
        assert_eq!(report.verdict(), "Ready: 20 people ran 100 jobs.");
        report.trouble(Trouble::new("1 of 100 submits was refused", "the server answered 404 Not Found"));
        assert!(!report.is_ready());
        let said = report.to_string();
        assert_eq!(
            said.lines().last(),
            Some("Not ready: 1 of 100 submits was refused, because the server answered 404 Not Found.")
        );
    }
}
