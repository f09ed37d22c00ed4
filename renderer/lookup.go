package main

import (
	"encoding/json"
	"errors"
	"fmt"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// maxLookups bounds what one render may ask of the API server.
const maxLookups = 500

type lookupCall struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
}

type lookupReply struct {
	Object json.RawMessage   `json:"object"`
	Items  []json.RawMessage `json:"items"`
	Error  string            `json:"error"`
}

// lookupFunction is the template function of that name: the parent reads the cluster, with the
// identity of the release. Without a parent that does, everything is absent, as in `helm template`.
func lookupFunction(enabled bool, frames *wire) any {
	answered := map[lookupCall][]byte{}
	return func(apiVersion, kind, namespace, name string) (map[string]any, error) {
		if !enabled {
			return map[string]any{}, nil
		}
		call := lookupCall{apiVersion, kind, namespace, name}
		body, known := answered[call]
		if !known {
			if len(answered) >= maxLookups {
				return nil, fmt.Errorf("more than %d different lookups", maxLookups)
			}
			frames.send(map[string]any{"lookup": call})
			var err error
			if body, err = lookupBody(call, frames.receive()); err != nil {
				return nil, err
			}
			answered[call] = body
		}
		// Decoded for each call, since a template may change what it was given; and as client-go does,
		// which keeps whole numbers whole.
		object := map[string]any{}
		return object, utiljson.Unmarshal(body, &object)
	}
}

func lookupBody(call lookupCall, payload []byte) ([]byte, error) {
	var reply lookupReply
	if err := json.Unmarshal(payload, &reply); err != nil {
		return nil, err
	}
	switch {
	case reply.Error != "":
		return nil, errors.New(reply.Error)
	case reply.Items != nil:
		return json.Marshal(map[string]any{
			"apiVersion": call.APIVersion,
			"kind":       call.Kind + "List",
			"metadata":   map[string]any{},
			"items":      reply.Items,
		})
	case len(reply.Object) == 0 || string(reply.Object) == "null":
		return []byte("{}"), nil
	}
	return reply.Object, nil
}
