package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	release "helm.sh/helm/v4/pkg/release/v1"
)

// maxOutput bounds what one request may render, in bytes of YAML.
const maxOutput = 32 << 20

// serve answers requests until the process ends.
func serve(frames *wire, memoryMiB int64, confined bool) {
	// A chart is held several times over while it renders.
	archive.MaxDecompressedChartSize = min(archive.MaxDecompressedChartSize, memoryMiB<<20/8)
	frames.send(map[string]any{"ready": map[string]any{"confined": confined}})
	for {
		r, err := decodeRequest(frames.receive())
		if err != nil {
			fail(err)
		}
		result := handle(r, frames)
		frames.send(append([]any{result}, result.bodies...)...)
		*result = answer{}
		giveBack()
	}
}

// giveBack returns memory to the system after a request that took much, so that an idle process is small.
func giveBack() {
	const much = 48 << 20
	var statistics runtime.MemStats
	runtime.ReadMemStats(&statistics)
	if statistics.HeapSys-statistics.HeapReleased > much {
		debug.FreeOSMemory()
	}
}

func handle(r *request, frames *wire) (result *answer) {
	defer func() {
		if cause := recover(); cause != nil {
			fmt.Fprintf(diagnostics, "panic: %v\n%s", cause, debug.Stack())
			result = &answer{ID: r.ID, Error: &answerError{Kind: "Internal", Source: "renderer", Message: fmt.Sprint(cause)}}
		}
	}()
	result, err := render(r, frames)
	if err == nil {
		result.ID = r.ID
		return result
	}
	var bad *invalid
	if !errors.As(err, &bad) {
		return &answer{ID: r.ID, Error: &answerError{Kind: "Internal", Source: "renderer", Message: err.Error()}}
	}
	message := shorten(hidePaths(bad.message, r))
	return &answer{ID: r.ID, Error: &answerError{Kind: "Invalid", Source: bad.source, Message: message}}
}

// render is one request: chart or plain manifests first, then the overlay over what they gave.
func render(r *request, frames *wire) (*answer, error) {
	result := &answer{Objects: []sourced{}, CRDs: []sourced{}, Hooks: []hook{}}
	files := map[string]string{}
	source := "resources"
	var crds []document
	var err error
	switch {
	case r.Helm != nil && r.Resources != nil:
		return nil, errors.New("a request with both a chart and plain manifests")
	case r.Helm != nil:
		source = "helm"
		files, crds, err = renderChart(r, frames, result)
	case r.Resources != nil:
		files, err = readResources(r.Resources)
	case r.Kustomize == nil:
		return nil, errors.New("a request with nothing to render")
	}
	if err != nil {
		return nil, err
	}
	if err := checkSize(source, files); err != nil {
		return nil, err
	}
	output, err := split(source, files)
	if err != nil {
		return nil, err
	}
	if r.Kustomize != nil {
		source = "kustomize"
		if output, err = applyOverlay(r, output); err != nil {
			return nil, err
		}
	}
	namespace := r.Namespace
	if r.Helm != nil {
		namespace = r.Helm.Release.Namespace
	}
	if err := refuseDuplicates(source, namespace, output.objects); err != nil {
		return nil, err
	}
	return result, result.fill(source, output, crds)
}

func checkSize(source string, files map[string]string) error {
	total := 0
	for _, content := range files {
		total += len(content)
	}
	if total > maxOutput {
		return invalidf(source, "rendered %d MiB of manifests, more than the limit of %d MiB", total>>20, maxOutput>>20)
	}
	return nil
}

// fill puts what was rendered into the answer.
func (result *answer) fill(source string, output *rendered, crds []document) error {
	for _, object := range output.objects {
		result.Objects = append(result.Objects, sourced{object.source})
		result.bodies = append(result.bodies, object.body)
	}
	for _, crd := range crds {
		result.CRDs = append(result.CRDs, sourced{crd.source})
		result.bodies = append(result.bodies, crd.body)
	}
	for i, h := range output.hooks {
		result.Hooks = append(result.Hooks, describeHook(h))
		result.bodies = append(result.bodies, output.hookObjects[i].body)
	}
	result.Manifest = manifestText(output.manifests)
	size := len(result.Manifest)
	for _, body := range result.bodies {
		size += len(body.(rawBody))
	}
	// The objects and their text are two copies of the same.
	if size > 2*maxOutput {
		return invalidf(source, "rendered %d MiB of objects, more than the limit of %d MiB", size>>21, maxOutput>>20)
	}
	return nil
}

func describeHook(h *release.Hook) hook {
	described := hook{
		Name: h.Name, Kind: h.Kind, Path: h.Path, Manifest: h.Manifest, Weight: h.Weight,
		Events: []string{}, DeletePolicies: []string{}, OutputLogPolicies: []string{},
	}
	for _, event := range h.Events {
		described.Events = append(described.Events, event.String())
	}
	for _, policy := range h.DeletePolicies {
		described.DeletePolicies = append(described.DeletePolicies, policy.String())
	}
	for _, policy := range h.OutputLogPolicies {
		described.OutputLogPolicies = append(described.OutputLogPolicies, policy.String())
	}
	return described
}
