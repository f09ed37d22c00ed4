package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
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
func applyOverlay(r *request, hooks []*release.Hook, manifests []releaseutil.Manifest) ([]*release.Hook, []releaseutil.Manifest, error) {
	source := "resources"
	if r.Helm != nil {
		source = "helm"
	}
	input, err := parseManifests(source, manifests)
	if err != nil {
		return nil, nil, err
	}
	kept := hooks
	if r.Kustomize.Hooks {
		kept = nil
		for _, h := range hooks {
			parsed, err := parseDocument(source, h.Path, h.Manifest)
			if err != nil {
				return nil, nil, err
			}
			input = append(input, parsed...)
		}
	}
	overlay, err := openOverlay(r.Kustomize, r.Helm != nil || r.Resources != nil, input)
	if err != nil {
		return nil, nil, err
	}
	output, err := overlay.build(overlay.entry)
	if err != nil {
		return nil, nil, err
	}
	if err := overlay.refuseUnmatched(); err != nil {
		return nil, nil, err
	}
	// One file a document, named by its place, so that sorting keeps the overlay's order within a kind.
	files := map[string]string{}
	sources := map[string]string{}
	for i, res := range output.Resources() {
		text, from, err := takeSource(res)
		if err != nil {
			return nil, nil, err
		}
		name := fmt.Sprintf("%08d", i)
		files[name], sources[name] = text, from
	}
	if err := checkSize("kustomize", files); err != nil {
		return nil, nil, err
	}
	added, changed, err := split("kustomize", files)
	if err != nil {
		return nil, nil, err
	}
	for _, h := range added {
		h.Path = sources[h.Path]
	}
	for i := range changed {
		changed[i].Name = sources[changed[i].Name]
	}
	return append(kept, added...), changed, nil
}

// takeSource is a resource's YAML without our annotation, and the file it came from.
func takeSource(res interface{ MarshalJSON() ([]byte, error) }) (text, source string, err error) {
	body, err := res.MarshalJSON()
	if err != nil {
		return "", "", err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return "", "", err
	}
	source = overlaySource
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
	if body, err = json.Marshal(object); err != nil {
		return "", "", err
	}
	block, err := yaml.JSONToYAML(body)
	return string(bytes.TrimSuffix(block, []byte("\n"))), source, err
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
