//! The scenarios of bench/peers/README.md, run on a peer.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::measuring::{Elapsed, Measured, Stopwatch};
use crate::store::{Payloads, Peer, Purpose, Random, Store, Sum};

const APPENDS: usize = 2_000;
const APPENDS_PER_THREAD: usize = 20;
const WARM_UP_APPENDS: usize = 50;
const WARM_UP_BYTES_MAX: usize = 8 << 10;
const ROTATION_APPENDS: usize = 400;
const IN_FLIGHT: usize = 1_000_000;
const IN_FLIGHT_MAX: usize = 10_000;
const IN_FLIGHT_BATCH: usize = 5_000;
const BATCHES: usize = 300;
const BATCH_RECORDS: usize = 1_000;
const LARGE_APPENDS: usize = 128;
const POINT_RECORDS: usize = 1_000_000;
const POINT_READ_SECONDS: f64 = 3.0;
/// Of a batch of records that fill a store untimed.
const FILL_BYTES: usize = 1 << 20;

/// Makes a directory in `parent`, runs the scenario in it once, removes it, and returns what the
/// contract says to print.
pub fn run(peer: &Peer, parent: &Path, name: &str) -> Result<Value> {
    let scenario = Scenario::of(name).context("no scenario of that name")?;
    let mut object = Map::new();
    object.insert("system".into(), json!(peer.name));
    object.insert("version".into(), json!(peer.version));
    object.insert("scenario".into(), json!(name));
    if let Some(reason) = (peer.unsupported)(name) {
        object.insert("unsupported".into(), json!(reason));
        return Ok(Value::Object(object));
    }
    object.insert("record_bytes".into(), json!(scenario.record_bytes));
    object.insert("writers".into(), json!(scenario.writers));
    let scratch = Scratch::make(parent, peer.name)?;
    let run = Run {
        peer,
        directory: &scratch.0,
        payloads: Arc::new(Payloads::new(scenario.record_bytes)),
    };
    run.scenario(&scenario)?.add_to(&mut object);
    Ok(Value::Object(object))
}

/// A directory of one run, removed with all that is in it.
struct Scratch(PathBuf);

impl Scratch {
    fn make(parent: &Path, name: &str) -> Result<Self> {
        let path = parent.join(format!("peer_{name}.{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("make directory {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Scenario {
    record_bytes: usize,
    writers: usize,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Appends(usize),
    Rotations,
    Threads,
    InFlight,
    Batches,
    PointReads,
    Replay(usize),
}

impl Scenario {
    fn of(name: &str) -> Option<Self> {
        let (record_bytes, writers, what) = match name {
            "append_64" => (64, 1, What::Appends(APPENDS)),
            "append_1k" => (1 << 10, 1, What::Appends(APPENDS)),
            "append_8k" => (8 << 10, 1, What::Appends(APPENDS)),
            "large_1m" => (1 << 20, 1, What::Appends(LARGE_APPENDS)),
            "rotate_4" => (64, 1, What::Rotations),
            "threads_1" => (64, 1, What::Threads),
            "threads_8" => (64, 8, What::Threads),
            "threads_64" => (64, 64, What::Threads),
            "threads_256" => (64, 256, What::Threads),
            "threads_1024" => (64, 1024, What::Threads),
            "in_flight" => (64, 1, What::InFlight),
            "batch_1000" => (64, 1, What::Batches),
            "point_reads" => (64, 1, What::PointReads),
            "replay_64" => (64, 1, What::Replay(2_000_000)),
            "replay_1k" => (1 << 10, 1, What::Replay(200_000)),
            _ => return None,
        };
        Some(Self { record_bytes, writers, what })
    }
}

struct Run<'a> {
    peer: &'a Peer,
    directory: &'a Path,
    payloads: Arc<Payloads>,
}

impl Run<'_> {
    fn scenario(&self, scenario: &Scenario) -> Result<Measured> {
        match scenario.what {
            What::Appends(count) => self.appends(Purpose::Appends, count),
            What::Rotations => {
                let mut measured = self.appends(Purpose::Rotations, ROTATION_APPENDS)?;
                // Of the appends that warm up, two are left over when they are counted by four.
                let rotating = (self.peer.rotating_append + 4 - WARM_UP_APPENDS % 4) % 4;
                measured.rotating = Some(rotating);
                Ok(measured)
            }
            What::Threads => self.threads(scenario.writers),
            What::InFlight => self.in_flight(),
            What::Batches => self.timed(Purpose::Appends, |store| {
                let records = BATCHES * BATCH_RECORDS;
                let (latencies, elapsed) = self.append_batches(store, records, BATCH_RECORDS)?;
                Ok(Measured { records, elapsed, latencies, ..Measured::default() })
            }),
            What::PointReads => self.point_reads(),
            What::Replay(records) => self.replay(records),
        }
    }

    fn open(&self, purpose: Purpose) -> Result<Box<dyn Store>> {
        (self.peer.open)(self.directory, purpose).context("open")
    }

    /// Appends 50 records, then what is timed, which are the first records of the payloads, and
    /// looks at the end whether all are there when the store is opened again.
    fn timed(
        &self,
        purpose: Purpose,
        run: impl FnOnce(&dyn Store) -> Result<Measured>,
    ) -> Result<Measured> {
        let store = self.open(purpose)?;
        let warm_up = Payloads::new(self.payloads.record_bytes().min(WARM_UP_BYTES_MAX));
        for i in 0..WARM_UP_APPENDS {
            store.append(0, warm_up.get(i)).context("warm up")?;
        }
        let mut measured = run(&*store)?;
        measured.note = (self.peer.note)(purpose).to_string() + &measured.note;
        drop(store);
        if purpose == Purpose::Rotations && !self.peer.keeps_segments {
            return Ok(measured);
        }
        let mut found = Sum::default();
        self.open(purpose)?.replay(&mut found).context("read again")?;
        let mut stored = sum_of(&warm_up, 0..WARM_UP_APPENDS);
        stored.add_sum(sum_of(&self.payloads, 0..measured.records));
        ensure!(found == stored, "{found:?} found after the appends of {stored:?}");
        Ok(measured)
    }

    fn appends(&self, purpose: Purpose, records: usize) -> Result<Measured> {
        self.timed(purpose, |store| {
            let mut latencies = Vec::with_capacity(records);
            let time = Stopwatch::start();
            for i in 0..records {
                let start = Instant::now();
                store.append(0, self.payloads.get(i))?;
                latencies.push(start.elapsed());
            }
            Ok(Measured { records, elapsed: time.stop(), latencies, ..Measured::default() })
        })
    }

    fn threads(&self, writers: usize) -> Result<Measured> {
        let records = APPENDS.max(writers * APPENDS_PER_THREAD);
        let share = |writer| records * writer / writers..records * (writer + 1) / writers;
        let shares: Vec<_> = (0..writers).map(share).collect();
        self.timed(Purpose::Threads, |store| {
            let time = Stopwatch::start();
            if let Some(latencies) = store.append_together(&self.payloads, &shares) {
                let elapsed = time.stop();
                let note = "; a task each on tokio's threads".into();
                let latencies = latencies?;
                return Ok(Measured { records, elapsed, latencies, note, ..Measured::default() });
            }
            self.append_by_threads(store, &shares)
        })
    }

    fn append_by_threads(&self, store: &dyn Store, shares: &[Range<usize>]) -> Result<Measured> {
        let barrier = Barrier::new(shares.len() + 1);
        let write = |writer: usize| -> Result<(Instant, Vec<Duration>)> {
            let mut latencies = Vec::with_capacity(shares[writer].len());
            barrier.wait();
            let begin = Instant::now();
            let mut start = begin;
            for i in shares[writer].clone() {
                store.append(writer, self.payloads.get(i))?;
                let end = Instant::now();
                latencies.push(end - start);
                start = end;
            }
            Ok((begin, latencies))
        };
        std::thread::scope(|scope| {
            let write = &write;
            let spawn = |writer| scope.spawn(move || write(writer));
            let threads: Vec<_> = (0..shares.len()).map(spawn).collect();
            let time = Stopwatch::start();
            barrier.wait();
            let mut begins = Vec::with_capacity(shares.len());
            let mut latencies = Vec::new();
            for thread in threads {
                let (begin, some) = thread.join().expect("a writer's end")?;
                begins.push(begin);
                latencies.extend(some);
            }
            let mut elapsed = time.stop();
            // The stopwatch runs while the threads come to the barrier.
            elapsed.seconds = begins.iter().min().expect("a writer").elapsed().as_secs_f64();
            let note = "; a thread a writer".into();
            let records = latencies.len();
            Ok(Measured { records, elapsed, latencies, note, ..Measured::default() })
        })
    }

    fn in_flight(&self) -> Result<Measured> {
        self.timed(Purpose::Appends, |store| {
            if self.peer.is_async {
                let time = Stopwatch::start();
                store.append_async(&self.payloads, IN_FLIGHT, IN_FLIGHT_MAX)?;
                let note = "; its async API, 10,000 futures polled by one thread".into();
                let elapsed = time.stop();
                return Ok(Measured { records: IN_FLIGHT, elapsed, note, ..Measured::default() });
            }
            let batch = IN_FLIGHT_BATCH.min(self.peer.batch_records_max);
            let (_, elapsed) = self.append_batches(store, IN_FLIGHT, batch)?;
            let note = format!("; no async API: batches of {batch}, one barrier each");
            Ok(Measured { records: IN_FLIGHT, elapsed, note, ..Measured::default() })
        })
    }

    fn point_reads(&self) -> Result<Measured> {
        let store = self.open(Purpose::PointReads)?;
        self.fill(&*store, POINT_RECORDS)?;
        let mut order: Vec<usize> = (0..POINT_RECORDS).collect();
        Random(1).shuffle(&mut order);
        let mut read = Sum::default();
        let mut to_look = 1;
        let time = Stopwatch::start();
        for (i, number) in order.iter().enumerate() {
            // Looks at the clock before each of the first reads, which may be slow, then seldom.
            if i == to_look {
                let seconds = time.wall();
                if seconds >= POINT_READ_SECONDS {
                    break;
                }
                to_look = i + if seconds < i as f64 * 1e-4 { 64 } else { 1 };
            }
            store.read(*number, &mut read)?;
        }
        let elapsed = time.stop();
        let stored = sum_of(&self.payloads, order.into_iter().take(read.records));
        ensure!(read == stored, "{read:?} read of {stored:?}");
        let note = (self.peer.note)(Purpose::PointReads).into();
        Ok(Measured { records: read.records, elapsed, note, ..Measured::default() })
    }

    fn replay(&self, records: usize) -> Result<Measured> {
        let store = self.open(Purpose::Replays)?;
        self.fill(&*store, records)?;
        drop(store);
        let mut read = Sum::default();
        let time = Stopwatch::start();
        let store = self.open(Purpose::Replays)?;
        store.replay(&mut read)?;
        let elapsed = time.stop();
        let stored = sum_of(&self.payloads, 0..records);
        ensure!(read == stored, "{read:?} read of {stored:?}");
        let note = (self.peer.note)(Purpose::Replays).into();
        Ok(Measured { records, elapsed, note, ..Measured::default() })
    }

    fn fill(&self, store: &dyn Store, records: usize) -> Result<()> {
        let batch = (FILL_BYTES / self.payloads.record_bytes()).min(self.peer.batch_records_max);
        self.append_batches(store, records, batch).context("fill").map(|_| ())
    }

    fn append_batches(
        &self,
        store: &dyn Store,
        records: usize,
        batch_records: usize,
    ) -> Result<(Vec<Duration>, Elapsed)> {
        let mut latencies = Vec::with_capacity(records.div_ceil(batch_records));
        let mut batch = Vec::with_capacity(batch_records);
        let time = Stopwatch::start();
        for begin in (0..records).step_by(batch_records) {
            batch.clear();
            let numbers = begin..records.min(begin + batch_records);
            batch.extend(numbers.map(|number| self.payloads.get(number)));
            let start = Instant::now();
            store.append_batch(&batch)?;
            latencies.push(start.elapsed());
        }
        Ok((latencies, time.stop()))
    }
}

fn sum_of(payloads: &Payloads, numbers: impl IntoIterator<Item = usize>) -> Sum {
    let mut sum = Sum::default();
    numbers.into_iter().for_each(|number| sum.add(payloads.get(number)));
    sum
}
