package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

const (
	appendCount      = 2_000
	appendsPerThread = 20
	warmUpAppends    = 50
	warmUpBytesMax   = 8 << 10
	rotationAppends  = 400
	inFlight         = 1_000_000
	inFlightBatch    = 5_000
	batchCount       = 300
	batchRecords     = 1_000
	largeAppends     = 128
	pointRecords     = 1_000_000
	pointReadTime    = 3 * time.Second
	// fillBytes is the size of a batch of records that fill a store untimed.
	fillBytes = 1 << 20
)

type scenario struct {
	recordBytes int
	writers     int
	run         func(*scenarioRun) error
}

var scenarios = map[string]scenario{
	"append_64":    {64, 1, timedAppends(Appends, appendCount)},
	"append_1k":    {1 << 10, 1, timedAppends(Appends, appendCount)},
	"append_8k":    {8 << 10, 1, timedAppends(Appends, appendCount)},
	"large_1m":     {1 << 20, 1, timedAppends(Appends, largeAppends)},
	"rotate_4":     {64, 1, timedAppends(Rotations, rotationAppends)},
	"threads_1":    {64, 1, (*scenarioRun).threads},
	"threads_8":    {64, 8, (*scenarioRun).threads},
	"threads_64":   {64, 64, (*scenarioRun).threads},
	"threads_256":  {64, 256, (*scenarioRun).threads},
	"threads_1024": {64, 1024, (*scenarioRun).threads},
	"in_flight":    {64, 1, (*scenarioRun).inFlight},
	"batch_1000":   {64, 1, (*scenarioRun).batches},
	"point_reads":  {64, 1, (*scenarioRun).pointReads},
	"replay_64":    {64, 1, replay(2_000_000)},
	"replay_1k":    {1 << 10, 1, replay(200_000)},
}

// scenarioRun is one run of a scenario in a directory of its own.
type scenarioRun struct {
	peer      *Peer
	directory string
	payloads  *Payloads
	figures   *Figures
}

// RunScenario makes a directory in parent, runs the scenario in it once, removes it, and returns
// what the contract says to print.
func RunScenario(peer *Peer, parent, name string) (*Figures, error) {
	wanted, isKnown := scenarios[name]
	if !isKnown {
		return nil, errors.New("no scenario of that name")
	}
	figures := &Figures{System: peer.Name, Version: version(peer.Module), Scenario: name}
	if reason := peer.Unsupported[name]; reason != "" {
		figures.Unsupported = reason
		return figures, nil
	}
	figures.RecordBytes, figures.Writers = wanted.recordBytes, wanted.writers
	directory, err := os.MkdirTemp(parent, "peer_"+peer.Name+".")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)
	return figures, wanted.run(&scenarioRun{peer, directory, NewPayloads(wanted.recordBytes), figures})
}

// version returns the version of a module that is built in.
func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Path == module {
				return dependency.Version
			}
		}
	}
	return "unknown"
}

// timed appends 50 records, then what is timed, which are the first records of the payloads, and
// looks at the end whether all are there when the store is opened again.
func (r *scenarioRun) timed(purpose Purpose, run func(Store) error) error {
	r.figures.Note = r.peer.Notes[purpose]
	store, err := r.peer.Open(r.directory, purpose)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	warmUp := NewPayloads(min(r.payloads.recordBytes, warmUpBytesMax))
	for i := range warmUpAppends {
		if err := store.Append(warmUp.Get(i)); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
	}
	if err := run(store); err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	stored := SumOf(r.payloads, r.figures.Records)
	before := SumOf(warmUp, warmUpAppends)
	stored.Records += before.Records
	stored.Words += before.Words
	return r.replayAll(purpose, stored)
}

func (r *scenarioRun) replayAll(purpose Purpose, stored Sum) error {
	store, err := r.peer.Open(r.directory, purpose)
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	defer store.Close()
	var found Sum
	if err := store.Replay(&found); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if found != stored {
		return fmt.Errorf("%+v found of %+v", found, stored)
	}
	return nil
}

func timedAppends(purpose Purpose, count int) func(*scenarioRun) error {
	return func(r *scenarioRun) error {
		return r.timed(purpose, func(store Store) error {
			latencies := make([]time.Duration, 0, count)
			stopwatch := StartStopwatch()
			for i := range count {
				start := time.Now()
				if err := store.Append(r.payloads.Get(i)); err != nil {
					return err
				}
				latencies = append(latencies, time.Since(start))
			}
			stopwatch.Stop(r.figures)
			r.figures.Records = count
			if purpose == Rotations {
				// Of the appends that warm up, two are left over when they are counted by four.
				r.figures.SetRotating(latencies, (r.peer.RotatingAppend+4-warmUpAppends%4)%4)
			}
			r.figures.SetLatencies(latencies)
			return nil
		})
	}
}

func (r *scenarioRun) threads() error {
	return r.timed(Appends, func(store Store) error {
		writers := r.figures.Writers
		records := max(appendCount, writers*appendsPerThread)
		latencies := make([]time.Duration, records)
		failures := make([]error, writers)
		var areReady, areDone sync.WaitGroup
		start := make(chan struct{})
		for writer := range writers {
			areReady.Add(1)
			areDone.Go(func() {
				areReady.Done()
				<-start
				for i := records * writer / writers; i < records*(writer+1)/writers; i++ {
					begin := time.Now()
					if failures[writer] = store.Append(r.payloads.Get(i)); failures[writer] != nil {
						return
					}
					latencies[i] = time.Since(begin)
				}
			})
		}
		areReady.Wait()
		stopwatch := StartStopwatch()
		close(start)
		areDone.Wait()
		stopwatch.Stop(r.figures)
		r.figures.Records = records
		r.figures.SetLatencies(latencies)
		return errors.Join(failures...)
	})
}

func (r *scenarioRun) inFlight() error {
	return r.timed(Appends, func(store Store) error {
		r.figures.Note += fmt.Sprintf("; no async API: batches of %d, one barrier each", inFlightBatch)
		_, err := r.appendBatches(store, inFlight, inFlightBatch)
		return err
	})
}

func (r *scenarioRun) batches() error {
	return r.timed(Appends, func(store Store) error {
		latencies, err := r.appendBatches(store, batchCount*batchRecords, batchRecords)
		if err == nil {
			r.figures.SetLatencies(latencies)
		}
		return err
	})
}

func (r *scenarioRun) pointReads() error {
	r.figures.Note = r.peer.Notes[Reads]
	store, err := r.peer.Open(r.directory, Reads)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer store.Close()
	if err := r.fill(store, pointRecords); err != nil {
		return err
	}
	order := rand.New(rand.NewPCG(1, 0)).Perm(pointRecords)
	var read, stored Sum
	stopwatch := StartStopwatch()
	for i, number := range order {
		if i%64 == 0 && time.Since(stopwatch.start) >= pointReadTime {
			break
		}
		if err := store.Read(number, &read); err != nil {
			return err
		}
	}
	stopwatch.Stop(r.figures)
	r.figures.Records = read.Records
	for _, number := range order[:read.Records] {
		stored.Add(r.payloads.Get(number))
	}
	if read != stored {
		return fmt.Errorf("%+v read of %+v", read, stored)
	}
	return nil
}

func replay(records int) func(*scenarioRun) error {
	return func(r *scenarioRun) error {
		store, err := r.peer.Open(r.directory, Reads)
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		if err := errors.Join(r.fill(store, records), store.Close()); err != nil {
			return err
		}
		stored := SumOf(r.payloads, records)
		r.figures.Note = r.peer.Notes[Reads]
		r.figures.Records = records
		stopwatch := StartStopwatch()
		err = r.replayAll(Reads, stored)
		stopwatch.Stop(r.figures)
		return err
	}
}

func (r *scenarioRun) fill(store Store, records int) error {
	if _, err := r.appendBatches(store, records, fillBytes/r.payloads.recordBytes); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

// appendBatches returns the time of each batch.
func (r *scenarioRun) appendBatches(store Store, records, size int) ([]time.Duration, error) {
	var latencies []time.Duration
	batch := make([][]byte, 0, size)
	stopwatch := StartStopwatch()
	for next := 0; next < records; {
		batch = batch[:0]
		for ; len(batch) < size && next < records; next++ {
			batch = append(batch, r.payloads.Get(next))
		}
		start := time.Now()
		if err := store.AppendBatch(batch); err != nil {
			return nil, err
		}
		latencies = append(latencies, time.Since(start))
	}
	stopwatch.Stop(r.figures)
	r.figures.Records = records
	return latencies, nil
}
