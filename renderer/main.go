// Command pierhead-renderer renders Helm charts, Kustomize overlays and plain manifests for the
// operator, one request at a time, over its standard input and output.
//
// It holds no credentials and reaches nothing: it reads the folders a request names and answers on
// the pipe. What a template wants to look up in the cluster is asked of the parent over the same pipe.
// A request that eats memory ends the process, and the parent's death ends it too.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime"
)

func main() {
	memory := flag.Int64("memory-mib", 256, "hard limit of the process's memory")
	parent := flag.Int("parent", 0, "process id of the parent, whose death ends this process; 0 for none")
	flag.Parse()
	pipe := os.Stdout
	if err := silenceLibraries(); err != nil {
		fail(err)
	}
	if err := dieWithParent(*parent); err != nil {
		fail(err)
	}
	if err := limitMemory(*memory); err != nil {
		fail(err)
	}
	refuseNetwork()
	confined := denySystemCalls() == nil

	frames := newWire(os.Stdin, pipe)
	// Rendering runs on a goroutine of its own: the main one stays locked to the thread that the
	// parent-death signal belongs to.
	go func() {
		serve(frames, *memory, confined)
		os.Exit(0)
	}()
	select {}
}

func init() { runtime.LockOSThread() }

// diagnostics is the real standard error, for what a person running the operator should see.
var diagnostics = os.Stderr

// silenceLibraries keeps what libraries print out of the frames and out of the operator's log: Kustomize
// prints a line for every deprecated field it reads, and a log must not hold a tenant's values.
func silenceLibraries() error {
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	os.Stdout, os.Stderr = nowhere, nowhere
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	return nil
}

func fail(err error) {
	fmt.Fprintln(diagnostics, "pierhead-renderer:", err)
	os.Exit(1)
}
