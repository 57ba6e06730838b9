//! peer_rust PEER DIR SCENARIO: the scenarios of bench/peers/README.md on write-ahead logs written
//! in Rust, each through its own public API. peer_rust --list prints the peers, one a line.

mod driver;
mod measuring;
mod okaywal;
mod open_wal;
mod raft_engine;
mod store;
mod wal_db;
mod walrus;
mod writeahead;

use std::process::ExitCode;

use store::Peer;

const PEERS: [&Peer; 6] = [
    &writeahead::PEER,
    &wal_db::PEER,
    &open_wal::PEER,
    &okaywal::PEER,
    &raft_engine::PEER,
    &walrus::PEER,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => {
            PEERS.iter().for_each(|peer| println!("{}", peer.name));
            ExitCode::SUCCESS
        }
        [name, parent, scenario] => run(name, parent, scenario),
        _ => {
            eprintln!("usage: peer_rust PEER DIR SCENARIO, or peer_rust --list");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, parent: &str, scenario: &str) -> ExitCode {
    let Some(peer) = PEERS.iter().find(|peer| peer.name == name) else {
        eprintln!("peer_rust: no peer of the name {name}");
        return ExitCode::FAILURE;
    };
    match driver::run(peer, parent.as_ref(), scenario) {
        Ok(object) => {
            println!("{object}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("peer_rust: {name}: {scenario}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
