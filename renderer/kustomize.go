package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	goyaml "go.yaml.in/yaml/v2"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"
)

const (
	// renderedName is the file, in memory only, that holds what the overlay is applied to.
	renderedName = "pierhead-rendered.yaml"
	// sourceAnnotation carries a document's file through the overlay, and is taken off after it.
	sourceAnnotation = "pierhead.dev/rendered-from"
	inlineFolder     = "/overlay"
	// wrapperFolder exists in memory only, beside every source, since a kustomization cannot use a
	// component that lies above it.
	wrapperFolder = "/pierhead-overlay"
	overlaySource = "kustomization.yaml"
)

func isKustomization(base string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), base)
}

// applyOverlay runs the overlay over what was rendered before it, which becomes one of its resources.
//
// Hooks do not pass through unless the request says so: an overlay is written against what stays in
// the cluster, and its patches and name changes seldom fit a hook's Job.
func applyOverlay(r *request, input *rendered) (*rendered, error) {
	documents := input.objects
	if r.Kustomize.Hooks {
		documents = append(documents, input.hookObjects...)
	}
	overlay, err := openOverlay(r.Kustomize, r.Helm != nil || r.Resources != nil, documents)
	if err != nil {
		return nil, err
	}
	resources, err := overlay.build(overlay.entry)
	if err != nil {
		return nil, err
	}
	if err := overlay.refuseUnmatched(); err != nil {
		return nil, err
	}
	output, err := collect(resources)
	if err != nil {
		return nil, err
	}
	if !r.Kustomize.Hooks {
		output.hooks = append(input.hooks, output.hooks...)
		output.hookObjects = append(input.hookObjects, output.hookObjects...)
	}
	return output, nil
}

// collect puts an overlay's output in Helm's install order, with hooks apart. Helm sorts by files and by
// what the head of a document says, so each resource is shown to it as a file of its head alone, named
// by its place; the overlay's order thus stays within a kind.
func collect(resources resmap.ResMap) (*rendered, error) {
	heads := map[string]string{}
	texts := map[string]string{}
	documents := map[string]document{}
	size := 0
	for i, res := range resources.Resources() {
		text, d, err := takeSource(res)
		if err != nil {
			return nil, err
		}
		if size += len(text); size > maxOutput {
			return nil, invalidf("kustomize", "rendered more than %d MiB of manifests", maxOutput>>20)
		}
		head, err := headOf(d.body)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%08d", i)
		heads[name], texts[name], documents[name] = head, text, d
	}
	hooks, manifests, err := releaseutil.SortManifests(heads, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, &invalid{source: "kustomize", message: err.Error()}
	}
	output := &rendered{hooks: hooks, manifests: manifests}
	for i, m := range manifests {
		d := documents[m.Name]
		output.manifests[i].Name, output.manifests[i].Content = d.source, texts[m.Name]
		output.objects = append(output.objects, d)
	}
	for _, h := range hooks {
		d := documents[h.Path]
		h.Path, h.Manifest = d.source, texts[h.Path]
		output.hookObjects = append(output.hookObjects, d)
	}
	return output, nil
}

// headOf is the part of an object that Helm reads.
func headOf(body rawBody) (string, error) {
	var head releaseutil.SimpleHead
	if err := json.Unmarshal(body, &head); err != nil {
		return "", invalidf("kustomize", "not a Kubernetes object: %v", err)
	}
	text, err := json.Marshal(head)
	return string(text), err
}

// takeSource is a resource without our annotation: its YAML, and the object with the file it came from.
func takeSource(res *resource.Resource) (string, document, error) {
	object, err := res.Map()
	if err != nil {
		return "", document{}, invalidf("kustomize", "%s: not a Kubernetes object", res.CurId())
	}
	source := overlaySource
	metadata, _ := object["metadata"].(map[string]any)
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		if from, ok := annotations[sourceAnnotation].(string); ok {
			source = from
			delete(annotations, sourceAnnotation)
			if len(annotations) == 0 {
				delete(metadata, "annotations")
			}
		}
	}
	body, err := json.Marshal(object)
	if err != nil {
		return "", document{}, invalidf("kustomize", "%s: %v", res.CurId(), err)
	}
	parsed, err := parseObject("kustomize", source, body)
	if err != nil {
		return "", document{}, err
	}
	if len(parsed) != 1 {
		return "", document{}, invalidf("kustomize", "%s: a list within a list", res.CurId())
	}
	text, err := goyaml.Marshal(datesAsText(object))
	return strings.TrimSuffix(string(text), "\n"), parsed[0], err
}

// datesAsText replaces what YAML reads as a date by the text that JSON has for it.
func datesAsText(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			value[key] = datesAsText(item)
		}
	case []any:
		for i, item := range value {
			value[i] = datesAsText(item)
		}
	case time.Time:
		return value.Format(time.RFC3339Nano)
	}
	return value
}

// overlay is an opened kustomization: the files it may see and the folder to build.
type overlay struct {
	files *overlayFiles
	entry string
	// wrapped is the Component that stands for the overlay, when it is one.
	wrapped string
}

func openOverlay(k *kustomizeRequest, hasInput bool, input []document) (*overlay, error) {
	if k.Path == "" {
		return openInline(k, hasInput, input)
	}
	t, err := openTree(k.Path, k.Root)
	if err != nil {
		return nil, invalidf("kustomize", "the overlay: %v", err)
	}
	o := &overlay{files: newOverlayFiles(t.root, t), entry: t.start}
	if !hasInput {
		return o, nil
	}
	name, content, err := o.files.kustomization(t.start)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	if err := yaml.Unmarshal(content, &fields); err != nil {
		return nil, invalidf("kustomize", "%s: %v", name, err)
	}
	if fields["kind"] == types.ComponentKind {
		// A Component has no resources of its own to add to: it is applied to a kustomization of ours.
		o.wrapped, o.entry = t.start, wrapperFolder
		relative, err := filepath.Rel(o.entry, t.start)
		if err != nil {
			return nil, err
		}
		fields, name = map[string]any{"components": []any{relative}}, overlaySource
	}
	return o, o.files.addInput(filepath.Join(o.entry, name), fields, input)
}

func openInline(k *kustomizeRequest, hasInput bool, input []document) (*overlay, error) {
	fields, err := decodeMapping("kustomize", "the overlay", k.Inline)
	if err != nil {
		return nil, err
	}
	o := &overlay{files: newOverlayFiles(inlineFolder, nil), entry: inlineFolder}
	name := filepath.Join(inlineFolder, overlaySource)
	if hasInput {
		return o, o.files.addInput(name, fields, input)
	}
	return o, o.files.setFields(name, fields)
}

// build runs Kustomize on one folder, and never lets anything it keeps globally reach the next request.
func (o *overlay) build(folder string) (resmap.ResMap, error) {
	o.files.refused = nil
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsRootOnly
	options.PluginConfig = types.DisabledPluginConfig()
	defer func() {
		if o.files.schemaChanged {
			openapi.ResetOpenAPI()
		}
	}()
	result, err := krusty.MakeKustomizer(options).Run(o.files, folder)
	// Kustomize reads a file that was refused as one that is missing.
	if o.files.refused != nil {
		return nil, o.files.refused
	}
	if err != nil {
		return nil, invalidf("kustomize", "%s", cleanKustomize(err.Error()))
	}
	return result, nil
}
