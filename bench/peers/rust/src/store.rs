//! What the scenarios need of a peer: a store of records that are numbered from 0 in the order in
//! which they were appended; and the records that are put into it.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

/// What a scenario does with the store that it opens, for peers that are set up differently for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Appends by one thread are timed.
    Appends,
    /// Appends by several threads are timed.
    Threads,
    /// Appends of 64 bytes are timed where a segment holds four records.
    Rotations,
    /// It is filled and records are read in random order.
    PointReads,
    /// It is filled, closed, opened again and read from first to last.
    Replays,
}

/// An open store, closed when it is dropped.
pub trait Store: Sync {
    /// Appends one record, which is durable on return. Several threads may do so at once; each
    /// tells its own number, which is below the scenario's number of writers.
    fn append(&self, writer: usize, record: &[u8]) -> Result<()>;

    /// Appends all in one step with one barrier; they are durable on return. One thread at a time.
    fn append_batch(&self, records: &[&[u8]]) -> Result<()>;

    /// Appends `count` records with at most `in_flight` of them not yet durable; all are durable on
    /// return. Only for peers that have an async API.
    fn append_async(&self, _payloads: &Payloads, _count: usize, _in_flight: usize) -> Result<()> {
        bail!("no async API")
    }

    /// Appends the records as `writers` at once, each of which goes on when its own is durable, and
    /// returns each one's latency. Only for peers whose writers need not be threads: `None` asks
    /// the caller for a thread each.
    fn append_together(
        &self,
        _payloads: &Arc<Payloads>,
        _shares: &[Range<usize>],
    ) -> Option<Result<Vec<Duration>>> {
        None
    }

    /// Adds the record of that number to `sum`. The store was opened for point reads.
    fn read(&self, number: usize, sum: &mut Sum) -> Result<()>;

    /// Adds all records to `sum`, first to last. Nothing was appended since it was opened.
    fn replay(&self, sum: &mut Sum) -> Result<()>;
}

pub struct Peer {
    pub name: &'static str,
    pub version: &'static str,
    /// How it was told to be durable, and what else was set, in a few words.
    pub note: fn(Purpose) -> &'static str,
    /// Whether `append_async` is there.
    pub is_async: bool,
    /// How many records a batch may have.
    pub batch_records_max: usize,
    /// Which of four appends, from 0, makes the next segment where a segment holds four.
    pub rotating_append: usize,
    /// Whether records stay in the log when their segment is full.
    pub keeps_segments: bool,
    /// Why it cannot do the scenario.
    pub unsupported: fn(scenario: &str) -> Option<&'static str>,
    /// Opens the store in a directory that exists, and makes it if it is not there.
    pub open: fn(directory: &Path, purpose: Purpose) -> Result<Box<dyn Store>>,
}

/// Records that do not compress. The n-th one is the same in every run; they come around after
/// 16 MiB, farther than compression looks back.
pub struct Payloads {
    record_bytes: usize,
    bytes: Vec<u8>,
}

const POOL_BYTES: usize = 16 << 20;

impl Payloads {
    pub fn new(record_bytes: usize) -> Self {
        let mut random = Random(record_bytes as u64);
        let words = (POOL_BYTES + record_bytes).div_ceil(8);
        let bytes = (0..words).flat_map(|_| random.next().to_le_bytes()).collect();
        Self { record_bytes, bytes }
    }

    pub fn get(&self, number: usize) -> &[u8] {
        let begin = number * self.record_bytes % POOL_BYTES;
        &self.bytes[begin..begin + self.record_bytes]
    }

    pub fn record_bytes(&self) -> usize {
        self.record_bytes
    }
}

/// How many records there were, and the sum of their 8-byte words, which is the same in any order:
/// what was stored and what was read are compared by it, and no read can be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub records: usize,
    words: u64,
}

impl Sum {
    pub fn add(&mut self, record: &[u8]) {
        self.records += 1;
        for word in record.chunks_exact(8) {
            let word = u64::from_le_bytes(word.try_into().expect("8 bytes"));
            self.words = self.words.wrapping_add(word);
        }
    }

    pub fn add_sum(&mut self, other: Sum) {
        self.records += other.records;
        self.words = self.words.wrapping_add(other.words);
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, (self.next() % (i as u64 + 1)) as usize);
        }
    }
}
