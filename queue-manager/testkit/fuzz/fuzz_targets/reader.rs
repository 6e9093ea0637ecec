//! One reader of bytes from outside, chosen by `ATELIER_FUZZ`, so that everything is built once.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use testkit::any_bytes::READERS;

static READER: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let read = READER.get_or_init(|| {
        let name = std::env::var("ATELIER_FUZZ").expect("ATELIER_FUZZ names a reader");
        READERS.into_iter().find(|(known, _)| *known == name).expect("a known reader").1
    });
    read(bytes);
});
