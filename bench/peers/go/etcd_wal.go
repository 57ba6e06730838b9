package main

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// etcd's log has one writer, the loop that saves what its raft node is ready with.
var etcdWAL = Peer{
	Name:   "etcd-wal",
	Module: "go.etcd.io/etcd/server/v3",
	Notes: map[Purpose]string{
		Appends:   "Save of entries (fdatasync), default segments; a mutex gives the indexes in order",
		Rotations: "Save of one entry (fdatasync), segments of four; the next file is made ahead",
		Reads:     "Open and ReadAll, which keeps all entries in memory",
	},
	RotatingAppend: 3,
	Unsupported:    map[string]string{"point_reads": "it is read as a whole, from a snapshot on"},
	Open: func(directory string, purpose Purpose) (Store, error) {
		if purpose == Rotations {
			wal.SegmentSizeBytes = etcdSegmentOfFourBytes
		}
		// It makes its directory itself, under another name first.
		path := filepath.Join(directory, "wal")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			log, err := wal.Create(zap.NewNop(), path, nil)
			return &etcdLog{log: log}, err
		}
		log, err := wal.Open(zap.NewNop(), path, &walpb.Snapshot{Index: new(uint64), Term: new(uint64)})
		return &etcdLog{log: log}, err
	},
}

const etcdSegmentOfFourBytes = 290

type etcdLog struct {
	log *wal.WAL
	// mutex guards last.
	mutex sync.Mutex
	last  uint64
}

func (l *etcdLog) Append(record []byte) error {
	return l.AppendBatch([][]byte{record})
}

func (l *etcdLog) AppendBatch(records [][]byte) error {
	entries := make([]*raftpb.Entry, len(records))
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for i, record := range records {
		l.last++
		entries[i] = &raftpb.Entry{Index: new(l.last), Term: new(uint64(1)), Data: record}
	}
	return l.log.Save(nil, entries)
}

func (l *etcdLog) Read(int, *Sum) error {
	return errors.ErrUnsupported
}

func (l *etcdLog) Replay(sum *Sum) error {
	_, _, entries, err := l.log.ReadAll()
	for _, entry := range entries {
		sum.Add(entry.Data)
	}
	return err
}

func (l *etcdLog) Close() error {
	return l.log.Close()
}
