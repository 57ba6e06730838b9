//! raft-engine: writers that come while another one writes are a group with one fdatasync. Each
//! writer appends to a region of its own, as the replicas on a TiKV node do.

use std::sync::Mutex;

use anyhow::{Context, Result};
use protobuf::descriptor::UninterpretedOption;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};

use crate::store::{Peer, Purpose, Store, Sum};

pub const PEER: Peer = Peer {
    name: "raft-engine",
    version: "0.4.2",
    note: |purpose| match purpose {
        Purpose::Rotations => "write with sync (fdatasync); files of four batches",
        Purpose::Appends => {
            "write with sync (fdatasync), no compression, prefilled files (prefill_for_recycle)"
        }
        Purpose::Threads => {
            "write with sync (fdatasync), a region a writer, no compression, prefilled files \
             (prefill_for_recycle)"
        }
        Purpose::PointReads => "get_entry; its memtable holds the place of every record",
        Purpose::Replays => "stored in batches of 1 MiB, fetched by 1,000",
    },
    is_async: false,
    batch_records_max: usize::MAX,
    rotating_append: 0,
    keeps_segments: true,
    unsupported: |_| None,
    open: |directory, purpose| {
        let mut config = Config {
            dir: directory.to_str().context("a path in UTF-8")?.into(),
            batch_compression_threshold: ReadableSize(0),
            ..Default::default()
        };
        match purpose {
            Purpose::Rotations => config.target_file_size = ReadableSize(FILE_OF_FOUR_BYTES),
            Purpose::Appends | Purpose::Threads => {
                config.target_file_size = ReadableSize(PREFILLED_FILE_BYTES as u64);
                config.prefill_for_recycle = true;
                config.prefill_limit = Some(ReadableSize(3 * PREFILLED_FILE_BYTES as u64));
            }
            Purpose::PointReads | Purpose::Replays => {}
        }
        let has_prefilled = config.prefill_for_recycle;
        let engine = Engine::open(config)?;
        if has_prefilled && engine.is_empty() {
            fill_first_file(&engine)?;
        }
        let mut regions = Vec::with_capacity(WRITERS_MAX);
        for writer in 0..WRITERS_MAX {
            let last = engine.last_index(region(writer)).unwrap_or(0);
            regions.push(Mutex::new(Region { last, batch: LogBatch::default() }));
        }
        Ok(Box::new(Log { engine, regions, syncs_batches_once: purpose == Purpose::PointReads }))
    },
};

const WRITERS_MAX: usize = 1024;
const FILE_OF_FOUR_BYTES: u64 = 400;
const PREFILLED_FILE_BYTES: usize = 64 << 20;
const RECORDS_PER_FETCH: u64 = 1_000;

/// The first file is not a prefilled one. Fills it, so that the log goes on in one that is.
fn fill_first_file(engine: &Engine) -> Result<()> {
    let mut batch = LogBatch::default();
    for bytes in [PREFILLED_FILE_BYTES, 1] {
        batch.put(region(WRITERS_MAX), b"filler".to_vec(), vec![0; bytes])?;
        engine.write(&mut batch, true)?;
    }
    Ok(())
}

fn region(writer: usize) -> u64 {
    writer as u64 + 1
}

/// A message of the protobuf crate that has a number and bytes, like an entry of a raft log.
struct Record;

impl MessageExt for Record {
    type Entry = UninterpretedOption;

    fn index(entry: &Self::Entry) -> u64 {
        entry.get_positive_int_value()
    }
}

struct Region {
    last: u64,
    batch: LogBatch,
}

struct Log {
    engine: Engine,
    regions: Vec<Mutex<Region>>,
    /// Whether a batch is written record by record and synced at its end: a record that is read
    /// alone is read faster if it was written alone.
    syncs_batches_once: bool,
}

impl Log {
    fn append_to(&self, writer: usize, records: &[&[u8]], sync: bool) -> Result<()> {
        let mut to = self.regions[writer].lock().unwrap();
        let first = to.last + 1;
        let entry = |(index, record): (u64, &&[u8])| {
            let mut entry = UninterpretedOption::new();
            entry.set_positive_int_value(index);
            entry.set_string_value(record.to_vec());
            entry
        };
        let entries: Vec<_> = (first..).zip(records).map(entry).collect();
        to.last += entries.len() as u64;
        to.batch.add_entries::<Record>(region(writer), &entries)?;
        self.engine.write(&mut to.batch, sync)?;
        Ok(())
    }
}

impl Store for Log {
    fn append(&self, writer: usize, record: &[u8]) -> Result<()> {
        self.append_to(writer, &[record], true)
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        if !self.syncs_batches_once {
            return self.append_to(0, records, true);
        }
        for record in records {
            self.append_to(0, &[record], false)?;
        }
        Ok(self.engine.sync()?)
    }

    fn read(&self, number: usize, sum: &mut Sum) -> Result<()> {
        let entry = self.engine.get_entry::<Record>(region(0), number as u64 + 1)?;
        sum.add(entry.context("no record there")?.get_string_value());
        Ok(())
    }

    fn replay(&self, sum: &mut Sum) -> Result<()> {
        let mut entries = Vec::new();
        for writer in 0..WRITERS_MAX {
            let last = self.regions[writer].lock().unwrap().last;
            let mut begin = 1;
            while begin <= last {
                let end = (begin + RECORDS_PER_FETCH).min(last + 1);
                entries.clear();
                let id = region(writer);
                self.engine.fetch_entries_to::<Record>(id, begin, end, None, &mut entries)?;
                entries.iter().for_each(|entry| sum.add(entry.get_string_value()));
                begin = end;
            }
        }
        Ok(())
    }
}
