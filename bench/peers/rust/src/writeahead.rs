//! writeahead, the crate of danthegoodman1/WriteAhead: a writer thread commits what is queued, at
//! most 64 commands a round, with one fdatasync, and answers each future after it.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::executor::block_on;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Builder;
use writeahead::logfile::{FILE_HEADER_SIZE, RECORD_HEADER_SIZE};
use writeahead::{RecordID, SimpleFile, WriteAhead, WriteAheadOptions, WriteHandle};

use crate::store::{Payloads, Peer, Purpose, Store, Sum};

pub const PEER: Peer = Peer {
    name: "writeahead",
    version: "0.4.1",
    note: |purpose| match purpose {
        Purpose::Rotations => "fdatasync before each future is ready; files of four records",
        _ => "fdatasync before each future is ready; queue of 16,384, else default options",
    },
    is_async: true,
    batch_records_max: usize::MAX,
    rotating_append: 0,
    keeps_segments: true,
    unsupported: |_| None,
    open: |directory, purpose| {
        let mut options = WriteAheadOptions {
            log_dir: directory.to_path_buf(),
            queue_capacity: QUEUE_CAPACITY,
            ..Default::default()
        };
        if purpose == Purpose::Rotations {
            options.max_file_size = FILE_HEADER_SIZE + 4 * (RECORD_HEADER_SIZE + 64);
        }
        let mut log = WriteAhead::with_options(options);
        log.start()?;
        let handle = log.writer()?;
        let ids = (purpose == Purpose::PointReads).then(Mutex::default);
        Ok(Box::new(Log { log, handle, ids }))
    },
};

/// Its default of 64 makes more writers than that wait twice.
const QUEUE_CAPACITY: usize = 16_384;
/// More writers are faster as tasks than as threads.
const THREADS_MAX: usize = 8;

struct Log {
    log: WriteAhead<SimpleFile>,
    handle: WriteHandle,
    /// Of the records in a store for point reads.
    ids: Option<Mutex<Vec<RecordID>>>,
}

impl Log {
    fn append_by_tasks(
        &self,
        payloads: &Arc<Payloads>,
        shares: &[Range<usize>],
    ) -> Result<Vec<Duration>> {
        let runtime = Builder::new_multi_thread().build()?;
        let spawn = |share: &Range<usize>| {
            let (handle, payloads) = (self.handle.clone(), Arc::clone(payloads));
            runtime.spawn(write_share(handle, payloads, share.clone()))
        };
        let tasks: Vec<_> = shares.iter().map(spawn).collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(runtime.block_on(task)??);
        }
        Ok(latencies)
    }
}

async fn write_share(
    handle: WriteHandle,
    payloads: Arc<Payloads>,
    share: Range<usize>,
) -> Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(share.len());
    for i in share {
        let start = Instant::now();
        handle.write(payloads.get(i).to_vec()).await?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

impl Store for Log {
    fn append(&self, _writer: usize, record: &[u8]) -> Result<()> {
        block_on(self.handle.write(record.to_vec())).map(|_| ())
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        let records = records.iter().map(|record| record.to_vec()).collect();
        let appended = block_on(self.handle.write_batch(records))?;
        if let Some(ids) = &self.ids {
            ids.lock().unwrap().extend(appended);
        }
        Ok(())
    }

    fn append_async(&self, payloads: &Payloads, count: usize, in_flight: usize) -> Result<()> {
        let write = |i| self.handle.write(payloads.get(i).to_vec());
        let mut writes: FuturesUnordered<_> = (0..in_flight).map(write).collect();
        let mut next = in_flight;
        block_on(async {
            while let Some(written) = writes.next().await {
                written?;
                if next < count {
                    writes.push(write(next));
                    next += 1;
                }
            }
            Ok(())
        })
    }

    fn append_together(
        &self,
        payloads: &Arc<Payloads>,
        shares: &[Range<usize>],
    ) -> Option<Result<Vec<Duration>>> {
        (shares.len() > THREADS_MAX).then(|| self.append_by_tasks(payloads, shares))
    }

    fn read(&self, number: usize, sum: &mut Sum) -> Result<()> {
        let id = self.ids.as_ref().context("not opened for point reads")?.lock().unwrap()[number];
        sum.add(&self.log.read(id.file_id, id.file_offset)?);
        Ok(())
    }

    fn replay(&self, sum: &mut Sum) -> Result<()> {
        let mut records = self.log.create_stream()?;
        block_on(async {
            while let Some(record) = records.next().await {
                sum.add(&record?.1);
            }
            Ok(())
        })
    }
}
