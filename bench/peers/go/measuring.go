package main

import (
	"math"
	"slices"
	"syscall"
	"time"
)

// Stopwatch counts seconds by the clock, and of processor time of all threads, since it was made.
type Stopwatch struct {
	start     time.Time
	processor float64
}

// StartStopwatch starts it.
func StartStopwatch() Stopwatch {
	processor := processorSeconds()
	return Stopwatch{time.Now(), processor}
}

// Stop puts the seconds into figures.
func (s Stopwatch) Stop(figures *Figures) {
	figures.Seconds = rounded(time.Since(s.start).Seconds(), 1e6)
	figures.CPUSeconds = rounded(processorSeconds()-s.processor, 1e6)
}

func processorSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return math.NaN()
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// Percentiles are microseconds.
type Percentiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// Figures are what is printed.
type Figures struct {
	System      string `json:"system"`
	Version     string `json:"version"`
	Scenario    string `json:"scenario"`
	Unsupported string `json:"unsupported,omitempty"`

	RecordBytes  int          `json:"record_bytes,omitempty"`
	Writers      int          `json:"writers,omitempty"`
	Records      int          `json:"records,omitempty"`
	Seconds      float64      `json:"seconds,omitempty"`
	CPUSeconds   float64      `json:"cpu_seconds,omitempty"`
	Rotating     *Percentiles `json:"rotating_us,omitempty"`
	Others       *Percentiles `json:"others_us,omitempty"`
	Latency      *Percentiles `json:"latency_us,omitempty"`
	Distribution [][2]float64 `json:"distribution_us,omitempty"`
	Note         string       `json:"note,omitempty"`
}

// SetLatencies sorts them and puts their percentiles into the figures.
func (f *Figures) SetLatencies(latencies []time.Duration) {
	f.Latency = percentiles(latencies)
	for p := range 100 {
		f.Distribution = append(f.Distribution, [2]float64{float64(p), percentile(latencies, float64(p))})
	}
	f.Distribution = append(f.Distribution,
		[2]float64{99.9, percentile(latencies, 99.9)}, [2]float64{100, percentile(latencies, 100)})
}

// SetRotating puts the percentiles of those latencies apart whose number is first modulo four.
func (f *Figures) SetRotating(latencies []time.Duration, first int) {
	var rotating, others []time.Duration
	for i, latency := range latencies {
		if i%4 == first {
			rotating = append(rotating, latency)
		} else {
			others = append(others, latency)
		}
	}
	f.Rotating, f.Others = percentiles(rotating), percentiles(others)
}

// percentiles sorts the latencies.
func percentiles(latencies []time.Duration) *Percentiles {
	slices.Sort(latencies)
	at := func(p float64) float64 { return percentile(latencies, p) }
	return &Percentiles{at(50), at(90), at(99), at(99.9), at(100)}
}

// percentile returns the value at rank ceil(p / 100 x n) of n sorted values, at least one, in
// microseconds.
func percentile(sorted []time.Duration, p float64) float64 {
	// p x n before the division: 99.9 / 100 is a little less than it should be.
	rank := max(1, int(math.Ceil(p*float64(len(sorted))/100-1e-9)))
	return rounded(float64(sorted[rank-1].Nanoseconds())*1e-3, 1e2)
}

func rounded(value, parts float64) float64 {
	return math.Round(value*parts) / parts
}
