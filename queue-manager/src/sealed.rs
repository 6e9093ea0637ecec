//! Keys of paid nodes on their way from a tab to the worker that runs the job. In the store they are sealed with a key that
//! is not in it, for one job of one participant; they go with the job's end.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use queue_protocol::{AccountName, JobId};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::problem::Trouble;

/// Seals and opens. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    key: Arc<LessSafeKey>,
    random: SystemRandom,
}

impl Sealer {
    /// With the key in a file, which is made, for its owner alone, when it is not there.
    ///
    /// # Errors
    /// When the file cannot be read or made, or holds no key.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = || path.display().to_string();
        let random = SystemRandom::new();
        let mut fresh = [0; 32];
        random.fill(&mut fresh).ok().context("no random numbers")?;
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => file.write_all(hex::encode(fresh).as_bytes()).with_context(shown)?,
            // An earlier start made it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(shown),
        }
        let mut text = String::new();
        OpenOptions::new()
            .read(true)
            .open(path)
            .with_context(shown)?
            .read_to_string(&mut text)
            .with_context(shown)?;
        let bytes = hex::decode(text.trim()).unwrap_or_default();
        ensure!(
            bytes.len() == 32,
            "{} holds no key; stop, delete it, and the next start makes another",
            shown()
        );
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok().context("a key of another length")?;
        Ok(Self { key: Arc::new(LessSafeKey::new(key)), random })
    }

    /// For one job of one participant: nobody opens it for another.
    ///
    /// # Errors
    /// [`Trouble::Bug`] when the system has no random numbers.
    pub(crate) fn seal(&self, job: JobId, owner: &AccountName, text: &[u8]) -> Result<Vec<u8>, Trouble> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| Trouble::Bug)?;
        let mut sealed = text.to_vec();
        let bound = Aad::from(bound_to(job, owner));
        let nonce_once = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce_once, bound, &mut sealed).map_err(|_| Trouble::Bug)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// `None` for what was sealed with another key, for another job, or by nobody.
    #[must_use]
    pub(crate) fn open_for(&self, job: JobId, owner: &AccountName, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = sealed.to_vec();
        let bound = Aad::from(bound_to(job, owner));
        let opened =
            self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), bound, &mut text).ok()?.len();
        text.truncate(opened);
        Some(text)
    }
}

fn bound_to(job: JobId, owner: &AccountName) -> String {
    format!("{job}/{owner}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_sealed_for_a_job_opens_for_that_job_with_that_key_and_for_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let sealer = Sealer::open(&path).unwrap();
        let (job, ada) = (JobId::random(), "ada".parse().unwrap());
        let sealed = sealer.seal(job, &ada, b"canary").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        assert_ne!(sealed, sealer.seal(job, &ada, b"canary").unwrap(), "never twice the same");
        let again = Sealer::open(&path).unwrap();
        assert_eq!(again.open_for(job, &ada, &sealed).unwrap(), b"canary", "after a restart");
        assert_eq!(again.open_for(JobId::random(), &ada, &sealed), None);
        assert_eq!(again.open_for(job, &"ben".parse().unwrap(), &sealed), None);
        let other = Sealer::open(&folder.path().join("other.key")).unwrap();
        assert_eq!(other.open_for(job, &ada, &sealed), None);
        assert_eq!(again.open_for(job, &ada, &sealed[..20]), None);
        assert_eq!(again.open_for(job, &ada, b""), None);
    }

    #[test]
    fn the_key_is_its_owners_alone_and_a_broken_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        Sealer::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "short").unwrap();
        let refused = format!("{:#}", Sealer::open(&path).err().unwrap());
        assert!(refused.contains("secret.key") && !refused.contains("short"), "{refused}");
    }
}
