package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Frames are four bytes of length, big endian, and that many bytes: one JSON value, or, in an answer,
// one JSON value a line.
const maxFrame = 64 << 20

type wire struct {
	in  chan []byte
	out *bufio.Writer
}

// newWire reads frames ahead of the program, so that the parent's end of the pipe going away ends the
// process even in the middle of a request.
func newWire(in io.Reader, out io.Writer) *wire {
	w := &wire{in: make(chan []byte), out: newWriter(out)}
	go func() {
		reader := bufio.NewReaderSize(in, 64<<10)
		for {
			payload, err := readFrame(reader)
			if errors.Is(err, io.EOF) {
				os.Exit(0)
			}
			if err != nil {
				fail(err)
			}
			w.in <- payload
		}
	}()
	return w
}

func newWriter(out io.Writer) *bufio.Writer { return bufio.NewWriterSize(out, 64<<10) }

func readFrame(reader io.Reader) ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(reader, header[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(header[:])
	if length > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes is over the limit of %d", length, maxFrame)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(reader, payload); err != nil {
		return nil, err
	}
	return payload, nil
}

func writeFrame(out *bufio.Writer, payload []byte) error {
	var header [4]byte
	binary.BigEndian.PutUint32(header[:], uint32(len(payload)))
	if _, err := out.Write(header[:]); err != nil {
		return err
	}
	if _, err := out.Write(payload); err != nil {
		return err
	}
	return out.Flush()
}

func (w *wire) receive() []byte { return <-w.in }

// send writes one frame of the given values, one a line. A broken pipe means that the parent is gone.
func (w *wire) send(values ...any) {
	payload, err := encodeLines(values...)
	if err == nil {
		err = writeFrame(w.out, payload)
	}
	if err != nil {
		fail(err)
	}
}

func encodeLines(values ...any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	for _, value := range values {
		if err := encoder.Encode(value); err != nil {
			return nil, err
		}
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}
