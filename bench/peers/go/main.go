// peer_go PEER DIR SCENARIO: the scenarios of bench/peers/README.md on write-ahead logs written in
// Go, each through its own public API. peer_go --list prints the peers, one a line.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

var peers = []*Peer{&tidwallWAL, &raftWAL, &etcdWAL}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "peer_go: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 1 && arguments[0] == "--list" {
		for _, peer := range peers {
			fmt.Println(peer.Name)
		}
		return nil
	}
	if len(arguments) != 3 {
		return fmt.Errorf("usage: peer_go PEER DIR SCENARIO, or peer_go --list")
	}
	name, parent, scenario := arguments[0], arguments[1], arguments[2]
	for _, peer := range peers {
		if peer.Name != name {
			continue
		}
		figures, err := RunScenario(peer, parent, scenario)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, scenario, err)
		}
		return json.NewEncoder(os.Stdout).Encode(figures)
	}
	return fmt.Errorf("no peer of the name %s", name)
}
