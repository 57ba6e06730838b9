package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	singleAppends = 1_000
	crowdRecords  = 100_000
	crowdWriters  = 256
)

// newKeys returns successive keys behind all that were made before.
func newKeys() func() string {
	begin := time.Now().UnixNano()
	var count atomic.Int64
	return func() string { return fmt.Sprintf("log/%020d/%010d", begin, count.Add(1)) }
}

func showFigures(endpoints []string) error {
	leader, err := leaderOf(endpoints)
	if err != nil {
		return err
	}
	// One connection, and to the leader: with more of them, or to all members, etcd took fewer records a second here.
	client, err := connect([]string{leader})
	if err != nil {
		return err
	}
	defer client.Close()
	key := newKeys()
	for _, size := range []struct {
		name  string
		bytes int
	}{{"128 bytes", 128}, {"4 KiB", 4 << 10}} {
		times, err := appendSingly(client, key, payload(size.bytes))
		if err != nil {
			return err
		}
		show("append of "+size.name+", one in flight: p50", percentile(times, 50), "ms")
		show("append of "+size.name+", one in flight: p99", percentile(times, 99), "ms")
	}
	begin := time.Now()
	times, err := appendTogether(client, key, payload(1<<10))
	if err != nil {
		return err
	}
	show("256 appenders of 1 KiB", crowdRecords/time.Since(begin).Seconds(), "records/s")
	show("256 appenders of 1 KiB: p99", percentile(times, 99), "ms")
	return nil
}

func payload(size int) string {
	bytes := make([]byte, size)
	for i := range bytes {
		bytes[i] = 's'
	}
	return string(bytes)
}

// appendSingly returns the time of each append in ms.
func appendSingly(client *clientv3.Client, key func() string, value string) ([]float64, error) {
	times := make([]float64, singleAppends)
	for i := range times {
		begin := time.Now()
		if _, err := client.Put(context.Background(), key(), value); err != nil {
			return nil, err
		}
		times[i] = ms(time.Since(begin))
	}
	return times, nil
}

// appendTogether keeps crowdWriters appends in flight.
func appendTogether(client *clientv3.Client, key func() string, value string) ([]float64, error) {
	times := make([]float64, crowdRecords)
	failures := make([]error, crowdWriters)
	var next atomic.Int64
	var areDone sync.WaitGroup
	for writer := 0; writer < crowdWriters; writer++ {
		writer := writer
		areDone.Add(1)
		go func() {
			defer areDone.Done()
			for i := next.Add(1) - 1; i < crowdRecords; i = next.Add(1) - 1 {
				begin := time.Now()
				if _, failures[writer] = client.Put(context.Background(), key(), value); failures[writer] != nil {
					return
				}
				times[i] = ms(time.Since(begin))
			}
		}()
	}
	areDone.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return times, nil
}

func ms(duration time.Duration) float64 { return float64(duration) / float64(time.Millisecond) }

// percentile is that of rados_figures.
func percentile(values []float64, percent float64) float64 {
	sort.Float64s(values)
	return values[int(math.Floor(float64(len(values)-1)*percent/100))]
}

func show(name string, value float64, unit string) {
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"name": name, "value": value, "unit": unit})
}
