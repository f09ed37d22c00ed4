package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// A patch whose target selects nothing is silently ignored by Kustomize, which makes a misspelt name
// look like a success. It is found by building once more with each such patch replaced by a probe: a
// patch with the same target that leaves an annotation behind. Selection thus stays Kustomize's own.
const (
	probePrefix = "pierhead.dev/probe-"
	probeBase   = probePrefix + "base"
)

// refuseUnmatched checks the overlay and every base it builds on. Components are not checked: they are
// made to be shared, and may patch what only some of their users have.
func (o *overlay) refuseUnmatched() error {
	files := make([]string, 0, len(o.files.kustomizations))
	for file := range o.files.kustomizations {
		files = append(files, file)
	}
	sort.Strings(files)
	for _, file := range files {
		k := o.files.kustomizations[file]
		folder := filepath.Dir(file)
		entry := folder
		if k.Kind == types.ComponentKind {
			if folder != o.wrapped {
				continue
			}
			entry = o.entry
		}
		if err := o.refuseUnmatchedIn(entry, file, k); err != nil {
			return err
		}
	}
	return nil
}

func (o *overlay) refuseUnmatchedIn(entry, file string, k *types.Kustomization) error {
	targeted := targetedPatches(k)
	if len(targeted) == 0 {
		return nil
	}
	found, err := o.probe(entry, file, probing(k, targeted))
	if err != nil {
		return err
	}
	for _, p := range targeted {
		if found[p.key()] {
			continue
		}
		// An earlier patch may have made what this one selects.
		if found, err = o.probe(entry, file, upTo(k, p)); err != nil {
			return err
		}
		if !found[p.key()] {
			return invalidf(
				"kustomize", "%s: %s: the target matches nothing: %s",
				o.files.relative(file), p.field(), describeTarget(p.target))
		}
	}
	return nil
}

// targeted is one patch that selects what it changes.
type targeted struct {
	list   string
	index  int
	target *types.Selector
}

func (t targeted) field() string { return fmt.Sprintf("%s[%d]", t.list, t.index) }

func (t targeted) key() string {
	return fmt.Sprintf("%s%s-%d", probePrefix, strings.ToLower(t.list), t.index)
}

func targetedPatches(k *types.Kustomization) []targeted {
	var all []targeted
	for i, patch := range k.Patches {
		if patch.Target != nil {
			all = append(all, targeted{"patches", i, patch.Target})
		}
	}
	for i, patch := range k.PatchesJson6902 {
		if patch.Target != nil {
			all = append(all, targeted{"patchesJson6902", i, patch.Target})
		}
	}
	return all
}

// patch is the probe itself. The two lists run at different times and take different kinds of patch.
func (t targeted) patch() types.Patch {
	target := *t.target
	if t.list == "patchesJson6902" {
		path := "/metadata/annotations/" + strings.ReplaceAll(t.key(), "/", "~1")
		operations, _ := json.Marshal([]map[string]string{{"op": "add", "path": path, "value": ""}})
		return types.Patch{Patch: string(operations), Target: &target}
	}
	merge, _ := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Probe",
		"metadata": map[string]any{"name": "probe", "annotations": map[string]string{t.key(): ""}},
	})
	return types.Patch{Patch: string(merge), Target: &target}
}

// probing is the kustomization with all targeted patches replaced by their probes, and without what
// runs after patches and cannot change what they select.
func probing(k *types.Kustomization, patches []targeted) *types.Kustomization {
	probe := stripped(k)
	probe.Patches, probe.PatchesJson6902 = nil, nil
	if len(k.PatchesJson6902) == 0 {
		// Only those patches come after names, namespaces and labels have changed.
		probe.NamePrefix, probe.NameSuffix, probe.Namespace = "", "", ""
		probe.Labels, probe.CommonLabels, probe.CommonAnnotations = nil, nil, nil
	}
	for _, p := range patches {
		if p.list == "patches" {
			probe.Patches = append(probe.Patches, p.patch())
		} else {
			probe.PatchesJson6902 = append(probe.PatchesJson6902, p.patch())
		}
	}
	return probe
}

// upTo is the kustomization with all patches before one, then its probe.
func upTo(k *types.Kustomization, p targeted) *types.Kustomization {
	probe := stripped(k)
	if p.list == "patches" {
		probe.Patches = append(append([]types.Patch{}, k.Patches[:p.index]...), p.patch())
		probe.PatchesJson6902 = nil
		return probe
	}
	probe.PatchesJson6902 = append(append([]types.Patch{}, k.PatchesJson6902[:p.index]...), p.patch())
	return probe
}

func stripped(k *types.Kustomization) *types.Kustomization {
	probe := *k
	probe.Images, probe.ImageTags, probe.Replicas, probe.Replacements = nil, nil, nil, nil
	probe.Transformers, probe.Validators, probe.Vars, probe.SortOptions = nil, nil, nil, nil
	probe.CommonAnnotations = map[string]string{probeBase: ""}
	for name, value := range k.CommonAnnotations {
		probe.CommonAnnotations[name] = value
	}
	return &probe
}

// probe builds with one kustomization replaced and says which probes left their annotation.
func (o *overlay) probe(entry, file string, k *types.Kustomization) (map[string]bool, error) {
	content, err := yaml.Marshal(k)
	if err != nil {
		return nil, err
	}
	before, inMemory := o.files.memory[file]
	original := o.files.kustomizations[file]
	defer func() {
		delete(o.files.memory, file)
		if inMemory {
			o.files.memory[file] = before
		}
		o.files.kustomizations[file] = original
	}()
	o.files.memory[file] = content
	result, err := o.build(entry)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, res := range result.Resources() {
		for name := range res.GetAnnotations() {
			if strings.HasPrefix(name, probePrefix) {
				found[name] = true
			}
		}
	}
	return found, nil
}

func describeTarget(t *types.Selector) string {
	var parts []string
	for _, part := range []struct{ name, value string }{
		{"group", t.Group}, {"version", t.Version}, {"kind", t.Kind}, {"name", t.Name},
		{"namespace", t.Namespace}, {"labelSelector", t.LabelSelector},
		{"annotationSelector", t.AnnotationSelector},
	} {
		if part.value != "" {
			parts = append(parts, part.name+": "+part.value)
		}
	}
	if len(parts) == 0 {
		return "an empty target"
	}
	return strings.Join(parts, ", ")
}
