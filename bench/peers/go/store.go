package main

import (
	"encoding/binary"
	"math/rand/v2"
)

// Purpose is what a scenario does with the store that it opens, for peers that are set up
// differently for it.
type Purpose int

const (
	// Appends are timed.
	Appends Purpose = iota
	// Rotations are appends of 64 bytes that are timed where a segment holds four records.
	Rotations
	// Reads are timed after it was filled, and maybe closed and opened again.
	Reads
)

// Store is an open log of records that are numbered from 0 in the order in which they were
// appended.
type Store interface {
	// Append appends one record, which is durable on return. Several goroutines may call it at
	// once.
	Append(record []byte) error
	// AppendBatch appends all in one step with one barrier; they are durable on return.
	AppendBatch(records [][]byte) error
	// Read adds the record of that number to sum.
	Read(number int, sum *Sum) error
	// Replay adds all records to sum, first to last. Nothing was appended since it was opened.
	Replay(sum *Sum) error
	Close() error
}

// Peer is one of the logs that are measured.
type Peer struct {
	Name   string
	Module string
	// Notes say how it was told to be durable, and what else was set, in a few words.
	Notes map[Purpose]string
	// RotatingAppend is which of four appends, from 0, makes the next segment where a segment
	// holds four.
	RotatingAppend int
	// Unsupported says why it cannot do a scenario.
	Unsupported map[string]string
	// Open opens the store in a directory that exists, and makes it if it is not there.
	Open func(directory string, purpose Purpose) (Store, error)
}

const poolBytes = 16 << 20

// Payloads are records that do not compress. The n-th one is the same in every run; they come
// around after 16 MiB, farther than compression looks back.
type Payloads struct {
	recordBytes int
	bytes       []byte
}

// NewPayloads makes records of that size.
func NewPayloads(recordBytes int) *Payloads {
	random := rand.NewPCG(uint64(recordBytes), 0)
	bytes := make([]byte, 0, poolBytes+recordBytes+8)
	for len(bytes) < poolBytes+recordBytes {
		bytes = binary.LittleEndian.AppendUint64(bytes, random.Uint64())
	}
	return &Payloads{recordBytes, bytes}
}

// Get returns the record of that number.
func (p *Payloads) Get(number int) []byte {
	begin := number * p.recordBytes % poolBytes
	return p.bytes[begin : begin+p.recordBytes : begin+p.recordBytes]
}

// Sum is how many records there were, and the sum of their 8-byte words, which is the same in any
// order: what was stored and what was read are compared by it, and no read can be left out.
type Sum struct {
	Records int
	Words   uint64
}

// Add adds a record.
func (s *Sum) Add(record []byte) {
	s.Records++
	for ; len(record) >= 8; record = record[8:] {
		s.Words += binary.LittleEndian.Uint64(record)
	}
}

// SumOf returns the sum of those records.
func SumOf(payloads *Payloads, records int) Sum {
	var sum Sum
	for i := range records {
		sum.Add(payloads.Get(i))
	}
	return sum
}
