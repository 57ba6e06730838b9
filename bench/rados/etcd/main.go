// etcd_figures ENDPOINTS figures|appends: what `rados_figures` does with a log, done with etcd; the
// endpoints are separated by commas.
//
//	figures   prints its figures, an object of JSON a line
//	appends   appends without pause, one record at a time, until SIGTERM; prints when each was acknowledged,
//	          in seconds of the machine's monotonic clock
//
// A record is the value of a key of its own; keys ascend as the addresses of a log do.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const dialTimeout = 10 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "etcd_figures: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 2 {
		endpoints := strings.Split(arguments[0], ",")
		switch arguments[1] {
		case "figures":
			return showFigures(endpoints)
		case "appends":
			return appendUntilTold(endpoints)
		}
	}
	return errors.New("usage: etcd_figures ENDPOINTS figures|appends")
}

func connect(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: dialTimeout, Logger: zap.NewNop()})
}

// leaderOf returns the endpoint of the leader: a put that another member gets takes one hop more.
func leaderOf(endpoints []string) (string, error) {
	client, err := connect(endpoints)
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	for _, endpoint := range endpoints {
		status, err := client.Status(ctx, endpoint)
		if err != nil {
			return "", err
		}
		if status.Leader == status.Header.MemberId {
			return endpoint, nil
		}
	}
	return "", errors.New("no member leads")
}
