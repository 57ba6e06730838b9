package main

import (
	"sync"

	"github.com/tidwall/wal"
)

// tidwall/wal holds its lock over the fsync of each write: writers share none.
var tidwallWAL = Peer{
	Name:   "tidwall-wal",
	Module: "github.com/tidwall/wal",
	Notes: map[Purpose]string{
		Appends: "Write or WriteBatch (fsync), default options; a mutex gives the indexes in order; " +
			"the directory is not synced for a new segment",
		Rotations: "Write (fsync), segments of four records; the directory is not synced for a new one",
		Reads:     "all segments in its cache, NoCopy: a point read is one of memory",
	},
	RotatingAppend: 3,
	Open: func(directory string, purpose Purpose) (Store, error) {
		options := *wal.DefaultOptions
		switch purpose {
		case Rotations:
			options.SegmentSize = 4 * (1 + 64) // a byte tells the length
		case Reads:
			options.SegmentCacheSize = 64
			options.NoCopy = true
		}
		log, err := wal.Open(directory, &options)
		if err != nil {
			return nil, err
		}
		last, err := log.LastIndex()
		return &tidwallLog{log: log, last: last}, err
	},
}

type tidwallLog struct {
	log *wal.Log
	// mutex guards what is below.
	mutex sync.Mutex
	last  uint64
	batch wal.Batch
}

func (l *tidwallLog) Append(record []byte) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.last++
	return l.log.Write(l.last, record)
}

func (l *tidwallLog) AppendBatch(records [][]byte) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, record := range records {
		l.last++
		l.batch.Write(l.last, record)
	}
	return l.log.WriteBatch(&l.batch)
}

func (l *tidwallLog) Read(number int, sum *Sum) error {
	record, err := l.log.Read(uint64(number) + 1)
	sum.Add(record)
	return err
}

func (l *tidwallLog) Replay(sum *Sum) error {
	for number := range int(l.last) {
		if err := l.Read(number, sum); err != nil {
			return err
		}
	}
	return nil
}

func (l *tidwallLog) Close() error {
	return l.log.Close()
}
