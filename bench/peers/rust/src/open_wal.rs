//! open-wal: one writer by construction; append buffers a record, commit writes and syncs what is
//! buffered. For several writers its book asks for a queue in front of the thread that owns it.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use open_wal::{Lsn, Wal, WalConfig};

use crate::store::{Peer, Purpose, Store, Sum};

pub const PEER: Peer = Peer {
    name: "open-wal",
    version: "0.2.1",
    note: |purpose| match purpose {
        Purpose::Appends => "commit (fdatasync) after each append or batch; default options",
        Purpose::Threads => {
            "as its book asks, a queue before the thread that owns the log, which appends all that \
             is queued and commits (fdatasync) once"
        }
        Purpose::Rotations => "commit (fdatasync) after each append; segments of four records",
        Purpose::PointReads => "a reader from a number goes through all records before it",
        Purpose::Replays => "default options",
    },
    is_async: false,
    batch_records_max: usize::MAX,
    rotating_append: 0,
    keeps_segments: true,
    unsupported: |_| None,
    open: |directory, purpose| {
        let mut config = WalConfig::default();
        if purpose == Purpose::Rotations {
            config.segment_size = SEGMENT_HEADER_BYTES + 4 * RECORD_64_BYTES;
            config.max_record_size = 64;
        }
        let (wal, _) = Wal::open(directory, config)?;
        Ok(match purpose {
            Purpose::Threads => Box::new(Queued::new(wal)),
            _ => Box::new(Log(Mutex::new(wal))),
        })
    },
};

const SEGMENT_HEADER_BYTES: u64 = 64;
/// Header of 20 bytes, payload of 64, padding to a multiple of 8.
const RECORD_64_BYTES: u64 = 88;

struct Log(Mutex<Wal>);

impl Store for Log {
    fn append(&self, _writer: usize, record: &[u8]) -> Result<()> {
        self.append_batch(&[record])
    }

    fn append_batch(&self, records: &[&[u8]]) -> Result<()> {
        let mut wal = self.0.lock().unwrap();
        for record in records {
            wal.append(record)?;
        }
        wal.commit()?;
        Ok(())
    }

    fn read(&self, number: usize, sum: &mut Sum) -> Result<()> {
        let wal = self.0.lock().unwrap();
        let mut reader = wal.reader_from(Lsn(number as u64 + Lsn::FIRST.0))?;
        sum.add(reader.next().context("no record there")??.1);
        Ok(())
    }

    fn replay(&self, sum: &mut Sum) -> Result<()> {
        let wal = self.0.lock().unwrap();
        let mut reader = wal.reader_from(Lsn::NONE)?;
        while let Some(record) = reader.next() {
            sum.add(record?.1);
        }
        Ok(())
    }
}

enum Command {
    Append(Vec<u8>, SyncSender<Result<()>>),
    Replay(SyncSender<Result<Sum>>),
}

struct Queued {
    /// Taken when the store is closed.
    queue: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Queued {
    fn new(wal: Wal) -> Self {
        let (queue, commands) = channel();
        let thread = std::thread::spawn(move || commit_queued(Log(Mutex::new(wal)), commands));
        Self { queue: Some(queue), thread: Some(thread) }
    }

    fn ask<T>(&self, command: impl FnOnce(SyncSender<Result<T>>) -> Command) -> Result<T> {
        let (reply, answer) = sync_channel(1);
        self.queue.as_ref().context("closed")?.send(command(reply))?;
        answer.recv()?
    }
}

fn commit_queued(log: Log, commands: Receiver<Command>) {
    while let Ok(first) = commands.recv() {
        let mut records = Vec::new();
        let mut replies = Vec::new();
        for command in [first].into_iter().chain(commands.try_iter()) {
            match command {
                Command::Append(record, reply) => {
                    records.push(record);
                    replies.push(reply);
                }
                Command::Replay(reply) => {
                    let mut sum = Sum::default();
                    let _ = reply.send(log.replay(&mut sum).map(|()| sum));
                }
            }
        }
        let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let result = log.append_batch(&slices).map_err(|error| error.to_string());
        for reply in replies {
            let _ = reply.send(result.clone().map_err(|error| anyhow!(error)));
        }
    }
}

impl Store for Queued {
    fn append(&self, _writer: usize, record: &[u8]) -> Result<()> {
        self.ask(|reply| Command::Append(record.to_vec(), reply))
    }

    fn append_batch(&self, _records: &[&[u8]]) -> Result<()> {
        Err(anyhow!("batches are not queued"))
    }

    fn read(&self, _number: usize, _sum: &mut Sum) -> Result<()> {
        Err(anyhow!("reads are not queued"))
    }

    fn replay(&self, sum: &mut Sum) -> Result<()> {
        sum.add_sum(self.ask(Command::Replay)?);
        Ok(())
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
