//! okaywal: an entry is written under the lock of the active segment; who syncs first syncs for all
//! that have written. A segment that is full is handed to a checkpoint and then used again.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail};
use okaywal::{
    Configuration, Entry, EntryId, LogManager, LogPosition, ReadChunkResult, SegmentReader,
    WriteAheadLog,
};

use crate::store::{Peer, Purpose, Store, Sum};

pub const PEER: Peer = Peer {
    name: "okaywal",
    version: "0.3.1",
    note: |purpose| match purpose {
        Purpose::Rotations => {
            "commit of an entry (fdatasync); checkpoint after four entries, which keeps nothing; \
             segments are used again"
        }
        Purpose::Appends | Purpose::Threads => {
            "commit of an entry (fdatasync); one segment of 256 MiB, zero-filled beforehand, no \
             checkpoint; a batch is one entry"
        }
        Purpose::PointReads => "one segment of 256 MiB; it opens the file for each read",
        Purpose::Replays => "one segment of 256 MiB, zero-filled beforehand; its recovery",
    },
    is_async: false,
    batch_records_max: usize::MAX,
    rotating_append: 3,
    keeps_segments: false,
    unsupported: |_| None,
    open: |directory, purpose| {
        let mut config = Configuration::default_for(directory);
        if purpose == Purpose::Rotations {
            config = config.checkpoint_after_bytes(SEGMENT_HEADER_BYTES + 4 * ENTRY_64_BYTES);
        } else {
            config = config.preallocate_bytes(256 << 20).checkpoint_after_bytes(u64::MAX);
        }
        let recovered = Arc::new(Mutex::default());
        let log = config.open(Manager(Arc::clone(&recovered)))?;
        let positions = (purpose == Purpose::PointReads).then(Mutex::default);
        Ok(Box::new(Log { log: Some(log), recovered, positions }))
    },
};

const SEGMENT_HEADER_BYTES: u64 = 5;
/// An entry's header of 9 bytes, its chunk's of 5, payload of 64, checksum of 4 and end of 1.
const ENTRY_64_BYTES: u64 = 83;

/// Sums up what is recovered.
#[derive(Debug)]
struct Manager(Arc<Mutex<Sum>>);

impl LogManager for Manager {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        let mut sum = self.0.lock().unwrap();
        while let ReadChunkResult::Chunk(mut chunk) = entry.read_chunk()? {
            sum.add(&chunk.read_all()?);
            if !chunk.check_crc()? {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "checksum of a chunk"));
            }
        }
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _last: EntryId,
        _entries: &mut SegmentReader,
        _log: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}

struct Log {
    /// Taken when the store is closed.
    log: Option<WriteAheadLog>,
    recovered: Arc<Mutex<Sum>>,
    /// Of the records in a store for point reads.
    positions: Option<Mutex<Vec<LogPosition>>>,
}

impl Log {
    fn log(&self) -> Result<&WriteAheadLog> {
        self.log.as_ref().context("closed")
    }
}

impl Store for Log {
    fn append(&self, _writer: usize, record: &[u8]) -> Result<()> {
        self.append_batch(&[record])
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        let mut entry = self.log()?.begin_entry()?;
        let mut positions = self.positions.as_ref().map(|positions| positions.lock().unwrap());
        for record in records {
            let chunk = entry.write_chunk(record)?;
            if let Some(positions) = &mut positions {
                positions.push(chunk.position);
            }
        }
        entry.commit()?;
        Ok(())
    }

    fn read(&self, number: usize, sum: &mut Sum) -> Result<()> {
        let positions = self.positions.as_ref().context("not opened for point reads")?;
        let mut chunk = self.log()?.read_at(positions.lock().unwrap()[number])?;
        let mut record = vec![0; chunk.chunk_length() as usize];
        chunk.read_exact(&mut record)?;
        if !chunk.crc_is_valid()? {
            bail!("checksum of a chunk");
        }
        sum.add(&record);
        Ok(())
    }

    fn replay(&self, sum: &mut Sum) -> Result<()> {
        sum.add_sum(*self.recovered.lock().unwrap());
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(log) = self.log.take() {
            let _ = log.shutdown();
        }
    }
}
