package main

import (
	"context"
	"fmt"
	"os/signal"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"
)

const (
	stallRecordBytes = 128
	// A put without an answer is made again after this, with the same key, at the next member.
	tryTimeout = 200 * time.Millisecond
	// As long as a log on Ceph is patient by default.
	patience = 60 * time.Second
)

func appendUntilTold(endpoints []string) error {
	members := make([]*clientv3.Client, len(endpoints))
	for i, endpoint := range endpoints {
		var err error
		if members[i], err = connect([]string{endpoint}); err != nil {
			return err
		}
		defer members[i].Close()
	}
	told, forget := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer forget()
	key, value := newKeys(), payload(stallRecordBytes)
	for member := 0; told.Err() == nil; {
		var err error
		if member, err = putPatiently(members, member, key(), value); err != nil {
			return err
		}
		now, err := monotonicSeconds()
		if err != nil {
			return err
		}
		fmt.Printf("%.6f\n", now)
	}
	return nil
}

// putPatiently begins with the member that answered last, and returns which one did now. The client's own choice
// goes round all members, and would come by a silent one again and again.
func putPatiently(members []*clientv3.Client, member int, key, value string) (int, error) {
	for begin := time.Now(); ; member = (member + 1) % len(members) {
		ctx, cancel := context.WithTimeout(context.Background(), tryTimeout)
		_, err := members[member].Put(ctx, key, value)
		cancel()
		if err == nil || time.Since(begin) > patience {
			return member, err
		}
	}
}

func monotonicSeconds() (float64, error) {
	var now unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return float64(now.Sec) + float64(now.Nsec)/1e9, err
}
