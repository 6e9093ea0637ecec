//! Bodies as they are stored: the bytes that came, deflated.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::error::BrokerError;

pub(crate) fn pack(bytes: &[u8]) -> Result<Vec<u8>, BrokerError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|e| BrokerError::Corrupt(e.to_string()))
}

pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<u8>, BrokerError> {
    let mut body = Vec::new();
    ZlibDecoder::new(bytes).read_to_end(&mut body).map_err(|e| BrokerError::Corrupt(e.to_string()))?;
    Ok(body)
}
