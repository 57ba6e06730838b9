//! walrus-rust: topics in blocks of 10 MiB of sparse files of 1,000 MiB. SyncEach syncs each append
//! under its topic's lock; with the backend of file descriptors it writes with O_SYNC as well and
//! each record of a batch on its own, so the mapped files are the faster ones.

use std::path::Path;

use anyhow::{Result, bail};
use walrus_rust::{FsyncSchedule, ReadConsistency, Walrus, disable_fd_backend};

use crate::store::{Peer, Purpose, Store, Sum};

pub const PEER: Peer = Peer {
    name: "walrus-rust",
    version: "0.2.0",
    note: |purpose| match purpose {
        Purpose::Threads => "SyncEach, mapped files (msync of the whole file), a topic a writer",
        Purpose::Replays => "mapped files, batch reads of up to 2,000 records",
        _ => "SyncEach, mapped files (msync of the whole file)",
    },
    is_async: false,
    batch_records_max: 2_000,
    rotating_append: 0,
    keeps_segments: true,
    unsupported: |scenario| match scenario {
        "rotate_4" => Some("its blocks have 10 MiB and its files 1,000 MiB"),
        "point_reads" => Some("a topic is read in order; no record has an address"),
        _ => None,
    },
    open: |directory, _purpose| open(directory),
};

const WRITERS_MAX: usize = 1024;
/// Of a batch read.
const READ_BYTES_MAX: usize = 4 << 20;

fn open(directory: &Path) -> Result<Box<dyn Store>> {
    // SAFETY: no other thread of this process reads or writes the environment meanwhile; that of a
    // store which was open before finds nothing to do.
    unsafe {
        std::env::set_var("WALRUS_DATA_DIR", directory);
        std::env::set_var("WALRUS_QUIET", "1");
    }
    disable_fd_backend();
    let consistency = ReadConsistency::AtLeastOnce { persist_every: u32::MAX };
    let log = Walrus::with_consistency_and_schedule(consistency, FsyncSchedule::SyncEach)?;
    Ok(Box::new(Log { log, topics: (0..WRITERS_MAX).map(|i| i.to_string()).collect() }))
}

struct Log {
    log: Walrus,
    /// Of each writer.
    topics: Vec<String>,
}

impl Store for Log {
    fn append(&self, writer: usize, record: &[u8]) -> Result<()> {
        Ok(self.log.append_for_topic(&self.topics[writer], record)?)
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        Ok(self.log.batch_append_for_topic(&self.topics[0], records)?)
    }

    fn read(&self, _number: usize, _sum: &mut Sum) -> Result<()> {
        bail!("no record has an address")
    }

    fn replay(&self, sum: &mut Sum) -> Result<()> {
        for topic in &self.topics {
            loop {
                let records = self.log.batch_read_for_topic(topic, READ_BYTES_MAX, true)?;
                if records.is_empty() {
                    break;
                }
                records.iter().for_each(|record| sum.add(&record.data));
            }
        }
        Ok(())
    }
}
