package main

import (
	"errors"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
)

// hashicorp/raft-wal has one writer, the leader or follower that stores entries.
var raftWAL = Peer{
	Name:   "hashicorp-raft-wal",
	Module: "github.com/hashicorp/raft-wal",
	Notes: map[Purpose]string{
		Appends: "StoreLogs (fsync), default options; a mutex gives the indexes in order",
		Rotations: "StoreLogs (fsync), segments of four records; the next is made in the background, " +
			"and the append after waits for it",
		Reads: "GetLog, which checks no checksum",
	},
	RotatingAppend: 0,
	Open: func(directory string, purpose Purpose) (Store, error) {
		size := wal.DefaultSegmentSize
		if purpose == Rotations {
			size = raftSegmentOfFourBytes
		}
		meta := &metadb.BoltMetaDB{}
		log, err := wal.Open(directory, wal.WithSegmentSize(size), wal.WithMetaStore(meta),
			wal.WithLogger(hclog.NewNullLogger()))
		if err != nil {
			return nil, err
		}
		last, err := log.LastIndex()
		return &raftLog{log: log, meta: meta, last: last}, err
	},
}

const raftSegmentOfFourBytes = 440

type raftLog struct {
	log *wal.WAL
	// meta is the default one, which Close of the log leaves open and locked.
	meta *metadb.BoltMetaDB
	// mutex guards last.
	mutex sync.Mutex
	last  uint64
}

func (l *raftLog) Append(record []byte) error {
	return l.AppendBatch([][]byte{record})
}

func (l *raftLog) AppendBatch(records [][]byte) error {
	entries := make([]raft.Log, len(records))
	logs := make([]*raft.Log, len(records))
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for i, record := range records {
		l.last++
		entries[i] = raft.Log{Index: l.last, Term: 1, Data: record}
		logs[i] = &entries[i]
	}
	return l.log.StoreLogs(logs)
}

func (l *raftLog) Read(number int, sum *Sum) error {
	var entry raft.Log
	err := l.log.GetLog(uint64(number)+1, &entry)
	sum.Add(entry.Data)
	return err
}

func (l *raftLog) Replay(sum *Sum) error {
	for number := range int(l.last) {
		if err := l.Read(number, sum); err != nil {
			return err
		}
	}
	return nil
}

func (l *raftLog) Close() error {
	return errors.Join(l.log.Close(), l.meta.Close())
}
