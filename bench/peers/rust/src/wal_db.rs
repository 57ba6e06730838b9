//! wal-db: appends reserve their range with an atomic and write it themselves; who syncs first
//! syncs for all that have written.

use std::sync::Mutex;

use anyhow::{Context, Result};
use wal_db::{FileStore, Lsn, SegmentedStore, Wal, WalStore};

use crate::store::{Peer, Purpose, Store, Sum};

pub const PEER: Peer = Peer {
    name: "wal-db",
    version: "1.1.0",
    note: |purpose| match purpose {
        Purpose::Rotations => {
            "append_and_sync (fdatasync), segments of four records; the directory is not synced for \
             a new segment"
        }
        _ => {
            "append_and_sync, or sync after a batch (fdatasync); one file, whose directory is not synced"
        }
    },
    is_async: false,
    batch_records_max: usize::MAX,
    rotating_append: 0,
    keeps_segments: true,
    unsupported: |_| None,
    open: |directory, purpose| match purpose {
        Purpose::Rotations => {
            let wal = Wal::open_segmented(directory, 4 * (HEADER_BYTES + 64))?;
            Ok(Box::new(Log::<SegmentedStore> { wal, lsns: None }))
        }
        _ => {
            let wal = Wal::open(directory.join("log"))?;
            let lsns = (purpose == Purpose::PointReads).then(Mutex::default);
            Ok(Box::new(Log::<FileStore> { wal, lsns }))
        }
    },
};

/// Of a record: checksum and length, as its docs/ON_DISK_FORMAT.md says.
const HEADER_BYTES: u64 = 8;

struct Log<S> {
    wal: Wal<S>,
    /// Of the records in a store for point reads.
    lsns: Option<Mutex<Vec<Lsn>>>,
}

impl<S: WalStore> Store for Log<S> {
    fn append(&self, _writer: usize, record: &[u8]) -> Result<()> {
        let _ = self.wal.append_and_sync(record)?;
        Ok(())
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        let mut lsns = self.lsns.as_ref().map(|lsns| lsns.lock().unwrap());
        for record in records {
            let lsn = self.wal.append(record)?;
            if let Some(lsns) = &mut lsns {
                lsns.push(lsn);
            }
        }
        self.wal.sync()?;
        Ok(())
    }

    fn read(&self, number: usize, sum: &mut Sum) -> Result<()> {
        let lsn = self.lsns.as_ref().context("not opened for point reads")?.lock().unwrap()[number];
        let record = self.wal.iter_from(lsn)?.next().context("no record there")??;
        sum.add(record.data());
        Ok(())
    }

    fn replay(&self, sum: &mut Sum) -> Result<()> {
        for record in self.wal.iter()? {
            sum.add(record?.data());
        }
        Ok(())
    }
}
