package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dieWithParent asks the kernel to kill this process when its parent dies, and checks that the parent
// had not died before that was in force.
func dieWithParent(parent int) error {
	if parent == 0 {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_PDEATHSIG: %w", err)
	}
	if os.Getppid() != parent {
		return errors.New("the parent is gone")
	}
	return nil
}

// limitMemory bounds the memory that the process can have. It bounds address space, since that is what
// Go takes first: it reserves its heap in arenas of 64 MiB, the first of them by now, and the kernel
// does not hold what it later maps into a reservation against RLIMIT_DATA. At the bound the runtime ends
// the process; below it, it collects harder first.
func limitMemory(mebibytes int64) error {
	const arena, tables = 64 << 20, 16 << 20
	mapped, err := mappedBytes()
	if err != nil {
		return err
	}
	bound := mebibytes << 20
	limit := uint64(mapped + max(bound-arena, 0) + tables)
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return fmt.Errorf("RLIMIT_AS: %w", err)
	}
	debug.SetMemoryLimit(bound / 4 * 3)
	// The live heap is a few MiB: collecting at its double is a third of the work of a render.
	debug.SetGCPercent(200)
	// Template recursion grows one stack; text/template itself gives up only at 100,000 levels.
	debug.SetMaxStack(int(bound / 4))
	return nil
}

// mappedBytes is what the kernel holds against RLIMIT_AS: mostly reservations of Go's runtime.
func mappedBytes() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "\nVmSize:")
	var kibibytes int64
	if _, err := fmt.Sscan(after, &kibibytes); err != nil {
		return 0, fmt.Errorf("VmSize of /proc/self/status: %w", err)
	}
	return kibibytes << 10, nil
}

type refusedTransport struct{}

func (refusedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("%s is not fetched: the renderer has no network", request.URL.Redacted())
}

// refuseNetwork makes Go's default HTTP client, and all that falls back to it, refuse every request.
func refuseNetwork() {
	http.DefaultTransport = refusedTransport{}
	http.DefaultClient = &http.Client{Transport: refusedTransport{}}
	os.Clearenv()
}

var auditArchitectures = map[string]uint32{
	"amd64": unix.AUDIT_ARCH_X86_64,
	"arm64": unix.AUDIT_ARCH_AARCH64,
}

// denySystemCalls has the kernel refuse sockets and new programs, whatever a library tries.
func denySystemCalls() error {
	architecture, known := auditArchitectures[runtime.GOARCH]
	if !known {
		return errors.New("no filter for " + runtime.GOARCH)
	}
	denied := []uint32{
		unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_EXECVE, unix.SYS_EXECVEAT,
		unix.SYS_IO_URING_SETUP, unix.SYS_PTRACE,
	}
	filter := deny(architecture, denied)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall(
		unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)),
	)
	runtime.KeepAlive(filter)
	if errno != 0 {
		return errno
	}
	return nil
}

// deny is a filter that answers EPERM to these calls, and to any call of another architecture.
func deny(architecture uint32, calls []uint32) []unix.SockFilter {
	const (
		load      = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal     = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		atLeast   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		answer    = unix.BPF_RET | unix.BPF_K
		callAt    = 0
		machineAt = 4
		// Calls of the x32 ABI have this bit set and report x86-64 as their architecture.
		x32 = 0x40000000
	)
	refusal := len(calls) + 5
	filter := []unix.SockFilter{
		{Code: load, K: machineAt},
		{Code: equal, Jf: uint8(refusal - 2), K: architecture},
		{Code: load, K: callAt},
		{Code: atLeast, Jt: uint8(refusal - 4), K: x32},
	}
	for _, call := range calls {
		filter = append(filter, unix.SockFilter{Code: equal, Jt: uint8(refusal - len(filter) - 1), K: call})
	}
	return append(filter,
		unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
	)
}
