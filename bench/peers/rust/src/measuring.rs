//! Times, their percentiles, and the JSON in which they are printed.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Map, Value, json};

/// Seconds by the clock, and of processor time of all threads, since it was made.
pub struct Stopwatch {
    processor_us: i64,
    start: Instant,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self { processor_us: processor_us(), start: Instant::now() }
    }

    pub fn wall(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    pub fn stop(&self) -> Elapsed {
        let seconds = self.wall();
        Elapsed { seconds, cpu_seconds: (processor_us() - self.processor_us) as f64 * 1e-6 }
    }
}

fn processor_us() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("usage of this process");
    usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
}

#[derive(Default)]
pub struct Elapsed {
    pub seconds: f64,
    pub cpu_seconds: f64,
}

/// What a scenario measured.
#[derive(Default)]
pub struct Measured {
    pub records: usize,
    pub elapsed: Elapsed,
    /// Of each append or batch; empty where single ones are not timed.
    pub latencies: Vec<Duration>,
    /// Which of four appends, counted on from the first timed one, began a segment.
    pub rotating: Option<usize>,
    pub note: String,
}

impl Measured {
    /// Puts the figures behind those that are in `object`.
    pub fn add_to(mut self, object: &mut Map<String, Value>) {
        object.insert("records".into(), json!(self.records));
        object.insert("seconds".into(), json!(rounded(self.elapsed.seconds, 1e6)));
        object.insert("cpu_seconds".into(), json!(rounded(self.elapsed.cpu_seconds, 1e6)));
        if let Some(first) = self.rotating {
            let of = |is_rotating| {
                let all = self.latencies.iter().enumerate();
                let some = all.filter(|(i, _)| (i % 4 == first) == is_rotating);
                named(&sorted(some.map(|(_, latency)| *latency).collect()))
            };
            object.insert("rotating_us".into(), of(true));
            object.insert("others_us".into(), of(false));
        }
        if !self.latencies.is_empty() {
            let sorted = sorted(std::mem::take(&mut self.latencies));
            object.insert("latency_us".into(), named(&sorted));
            object.insert("distribution_us".into(), distribution(&sorted));
        }
        object.insert("note".into(), json!(self.note));
    }
}

fn sorted(mut latencies: Vec<Duration>) -> Vec<Duration> {
    latencies.sort_unstable();
    latencies
}

/// The value at rank ceil(p / 100 x n) of n sorted values, at least one, in microseconds.
fn percentile_us(sorted: &[Duration], p: f64) -> f64 {
    // p x n before the division: 99.9 / 100 is a little less than it should be.
    let rank = (p * sorted.len() as f64 / 100.0 - 1e-9).ceil().max(1.0) as usize;
    rounded(sorted[rank - 1].as_secs_f64() * 1e6, 1e2)
}

fn named(sorted: &[Duration]) -> Value {
    let at = |p| percentile_us(sorted, p);
    json!({"p50": at(50.0), "p90": at(90.0), "p99": at(99.0), "p99.9": at(99.9), "max": at(100.0)})
}

fn distribution(sorted: &[Duration]) -> Value {
    let whole = (0..100).map(|p| json!([p, percentile_us(sorted, f64::from(p))]));
    let last =
        [json!([99.9, percentile_us(sorted, 99.9)]), json!([100, percentile_us(sorted, 100.0)])];
    whole.chain(last).collect()
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
