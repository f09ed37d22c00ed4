package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

type request struct {
	ID           string            `json:"id"`
	Namespace    string            `json:"namespace"`
	Helm         *helmRequest      `json:"helm"`
	Kustomize    *kustomizeRequest `json:"kustomize"`
	Resources    *resourcesRequest `json:"resources"`
	Capabilities capabilityRequest `json:"capabilities"`
	Lookup       bool              `json:"lookup"`
}

type helmRequest struct {
	// Chart is a folder or an archive; nothing outside Root is read (default: the folder itself).
	Chart       string          `json:"chart"`
	Root        string          `json:"root"`
	Values      json.RawMessage `json:"values"`
	Release     releaseRequest  `json:"release"`
	IncludeCRDs bool            `json:"includeCRDs"`
}

type releaseRequest struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Revision  int    `json:"revision"`
	IsInstall bool   `json:"isInstall"`
	IsUpgrade bool   `json:"isUpgrade"`
}

type kustomizeRequest struct {
	// Path is a folder with a kustomization file; nothing outside Root is read. Inline is a whole
	// kustomization instead, without files of its own.
	Path   string          `json:"path"`
	Root   string          `json:"root"`
	Inline json.RawMessage `json:"inline"`
	// Hooks says whether a chart's hooks go through the overlay too; they are left alone by default.
	Hooks bool `json:"hooks"`
}

type resourcesRequest struct {
	// Text is a stream of YAML documents; Path is a folder or file of them instead.
	Text string `json:"text"`
	Path string `json:"path"`
	Root string `json:"root"`
}

type capabilityRequest struct {
	KubeVersion string   `json:"kubeVersion"`
	APIVersions []string `json:"apiVersions"`
}

// answer is the first line of an answer; the bodies of objects, crds and hooks follow in that order,
// one a line.
type answer struct {
	ID       string          `json:"id"`
	Error    *answerError    `json:"error,omitempty"`
	Objects  []sourced       `json:"objects"`
	CRDs     []sourced       `json:"crds"`
	Hooks    []hook          `json:"hooks"`
	Notes    string          `json:"notes"`
	Manifest string          `json:"manifest"`
	Chart    *chartAnswer    `json:"chart"`
	Values   json.RawMessage `json:"values"`
	bodies   []any
}

type answerError struct {
	Kind    string `json:"kind"`
	Source  string `json:"source"`
	Message string `json:"message"`
}

type sourced struct {
	Source string `json:"source"`
}

type hook struct {
	Name              string   `json:"name"`
	Kind              string   `json:"kind"`
	Path              string   `json:"path"`
	Manifest          string   `json:"manifest"`
	Events            []string `json:"events"`
	Weight            int      `json:"weight"`
	DeletePolicies    []string `json:"deletePolicies"`
	OutputLogPolicies []string `json:"outputLogPolicies"`
}

type chartAnswer struct {
	Metadata any             `json:"metadata"`
	Values   json.RawMessage `json:"values"`
}

// invalid is an error of the input: only another input helps.
type invalid struct {
	source  string
	message string
}

func (e *invalid) Error() string { return e.message }

func invalidf(source, format string, arguments ...any) error {
	return &invalid{source: source, message: fmt.Sprintf(format, arguments...)}
}

func decodeRequest(payload []byte) (*request, error) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	var r request
	if err := decoder.Decode(&r); err != nil {
		return nil, fmt.Errorf("a request that cannot be read: %w", err)
	}
	return &r, nil
}

// decodeMapping reads a JSON object as Helm reads a values file: every number a float64.
func decodeMapping(source, what string, raw json.RawMessage) (map[string]any, error) {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null")) {
		return map[string]any{}, nil
	}
	if trimmed[0] != '{' {
		return nil, invalidf(source, "%s must be a mapping, not %s", what, describe(trimmed[0]))
	}
	mapping := map[string]any{}
	if err := json.Unmarshal(trimmed, &mapping); err != nil {
		return nil, invalidf(source, "%s cannot be read: %v", what, err)
	}
	return mapping, nil
}

func describe(first byte) string {
	switch first {
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	default:
		return "a number"
	}
}
