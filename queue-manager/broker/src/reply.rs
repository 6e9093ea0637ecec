//! The answer of a script: a word, then fields. A word nobody expects is a bug and becomes an error.

use std::str::FromStr;

use crate::error::BrokerError;

/// The fields of one answer, as bytes, because a body may be among them.
pub(crate) struct Reply {
    script: &'static str,
    fields: Vec<Vec<u8>>,
}

impl Reply {
    pub(crate) fn new(script: &'static str, fields: Vec<Vec<u8>>) -> Self {
        Self { script, fields }
    }

    /// The first field.
    pub(crate) fn word(&self) -> &str {
        self.text(0).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn bytes(&self, at: usize) -> Result<&[u8], BrokerError> {
        self.fields.get(at).map(Vec::as_slice).ok_or_else(|| self.unexpected())
    }

    pub(crate) fn text(&self, at: usize) -> Result<&str, BrokerError> {
        std::str::from_utf8(self.bytes(at)?).map_err(|_| self.unexpected())
    }

    pub(crate) fn parse<T: FromStr>(&self, at: usize) -> Result<T, BrokerError> {
        self.text(at)?.parse().map_err(|_| self.unexpected())
    }

    /// The error for an answer that makes no sense.
    pub(crate) fn unexpected(&self) -> BrokerError {
        let shown: Vec<_> = self.fields.iter().take(3).map(|f| String::from_utf8_lossy(f)).collect();
        BrokerError::Corrupt(format!("{} answered {shown:?}", self.script))
    }
}
