package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"
)

// rawBody is one object as JSON on one line.
type rawBody = json.RawMessage

// document is one object and the file it was rendered from.
type document struct {
	source   string
	body     rawBody
	identity identity
}

type identity struct {
	group, kind, namespace, name string
}

type header struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Items      []json.RawMessage `json:"items"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
}

// rendered is what templates, files or an overlay gave: the manifests as text, in Helm's install order,
// and the objects in them; each hook and its object.
type rendered struct {
	manifests   []releaseutil.Manifest
	objects     []document
	hooks       []*release.Hook
	hookObjects []document
}

// split separates hooks from manifests as Helm does, and parses both.
func split(source string, files map[string]string) (*rendered, error) {
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, &invalid{source: source, message: err.Error()}
	}
	objects, err := parseManifests(source, manifests)
	if err != nil {
		return nil, err
	}
	output := &rendered{manifests: manifests, objects: objects, hooks: hooks}
	for _, h := range hooks {
		parsed, err := parseDocument(source, h.Path, h.Manifest)
		if err != nil {
			return nil, err
		}
		if len(parsed) != 1 {
			return nil, invalidf(source, "%s: the hook %s holds %d objects; a hook must be one object", h.Path, h.Name, len(parsed))
		}
		output.hookObjects = append(output.hookObjects, parsed[0])
	}
	return output, nil
}

func parseManifests(source string, manifests []releaseutil.Manifest) ([]document, error) {
	documents := make([]document, 0, len(manifests))
	for _, manifest := range manifests {
		parsed, err := parseDocument(source, manifest.Name, manifest.Content)
		if err != nil {
			return nil, err
		}
		documents = append(documents, parsed...)
	}
	return documents, nil
}

// parseDocument reads one YAML document: no object if it is empty, several if it is a List.
func parseDocument(source, path, content string) ([]document, error) {
	body, err := yaml.YAMLToJSON([]byte(content))
	if err != nil {
		return nil, invalidf(source, "%s: %v", path, err)
	}
	if bytes.Equal(body, []byte("null")) {
		return nil, nil
	}
	return parseObject(source, path, body)
}

func parseObject(source, path string, body []byte) ([]document, error) {
	var head header
	if err := json.Unmarshal(body, &head); err != nil {
		return nil, invalidf(source, "%s: not a Kubernetes object: %v", path, err)
	}
	if head.Items != nil && head.Metadata.Name == "" && strings.HasSuffix(head.Kind, "List") {
		return parseItems(source, path, head)
	}
	missing := ""
	switch {
	case head.Kind == "":
		missing = "kind"
	case head.APIVersion == "":
		missing = "apiVersion"
	case head.Metadata.Name == "":
		missing = "metadata.name"
	}
	if missing != "" {
		return nil, invalidf(source, "%s: an object without %s%s", path, missing, about(head))
	}
	group, _, found := strings.Cut(head.APIVersion, "/")
	if !found {
		group = ""
	}
	return []document{{
		source:   path,
		body:     body,
		identity: identity{group, head.Kind, head.Metadata.Namespace, head.Metadata.Name},
	}}, nil
}

func about(head header) string {
	known := strings.TrimSpace(head.Kind + " " + head.Metadata.Name)
	if known == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", known)
}

func parseItems(source, path string, head header) ([]document, error) {
	var documents []document
	for _, item := range head.Items {
		// Items of a typed list, such as a RoleList, may leave out what the list says.
		if itemKind := strings.TrimSuffix(head.Kind, "List"); itemKind != "" {
			var err error
			if item, err = withType(item, head.APIVersion, itemKind); err != nil {
				return nil, invalidf(source, "%s: not a Kubernetes object: %v", path, err)
			}
		}
		parsed, err := parseObject(source, path, item)
		if err != nil {
			return nil, err
		}
		documents = append(documents, parsed...)
	}
	return documents, nil
}

func withType(item json.RawMessage, apiVersion, kind string) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(item, &fields); err != nil {
		return nil, err
	}
	if fields["apiVersion"] != nil && fields["kind"] != nil || fields == nil {
		return item, nil
	}
	fields["apiVersion"], _ = json.Marshal(apiVersion)
	fields["kind"], _ = json.Marshal(kind)
	return json.Marshal(fields)
}

// refuseDuplicates fails when two documents are the same object, which would overwrite each other.
func refuseDuplicates(source, namespace string, documents []document) error {
	seen := map[identity]string{}
	for _, d := range documents {
		key := d.identity
		if key.namespace == "" {
			key.namespace = namespace
		}
		if first, found := seen[key]; found {
			return invalidf(source, "%s %q is there twice: in %s and in %s", d.identity.kind, d.identity.name, first, d.source)
		}
		seen[key] = d.source
	}
	return nil
}

func manifestText(manifests []releaseutil.Manifest) string {
	var text strings.Builder
	for _, m := range manifests {
		fmt.Fprintf(&text, "---\n# Source: %s\n%s\n", m.Name, m.Content)
	}
	return text.String()
}

// readResources reads plain manifests: the text given, or every YAML and JSON file of a folder.
func readResources(r *resourcesRequest) (map[string]string, error) {
	if r.Path == "" {
		return map[string]string{"resources.yaml": r.Text}, nil
	}
	tree, err := openTree(r.Path, r.Root)
	if err != nil {
		return nil, invalidf("resources", "%v", err)
	}
	information, err := os.Stat(tree.start)
	if err != nil {
		return nil, invalidf("resources", "%v", err)
	}
	if !information.IsDir() {
		content, err := os.ReadFile(tree.start)
		if err != nil {
			return nil, invalidf("resources", "%v", err)
		}
		return map[string]string{filepath.Base(tree.start): string(content)}, nil
	}
	files := map[string]string{}
	total := int64(0)
	err = tree.walk(func(name string, entry fs.FileInfo) error {
		switch base := filepath.Base(name); {
		case strings.HasPrefix(name, ".") || strings.Contains(name, "/."):
			return nil
		case isKustomization(base):
			return invalidf("resources", "%s: this folder is a Kustomize overlay; name it under kustomize instead", name)
		case !isManifest(base):
			return nil
		}
		if total += entry.Size(); total > maxOutput {
			return invalidf("resources", "more than %d MiB of manifests", maxOutput>>20)
		}
		content, err := os.ReadFile(filepath.Join(tree.start, name))
		files[name] = string(content)
		return err
	})
	var bad *invalid
	switch {
	case errors.As(err, &bad):
		return nil, bad
	case err != nil:
		return nil, invalidf("resources", "%v", err)
	case len(files) == 0:
		return nil, invalidf("resources", "no .yaml, .yml or .json file in the folder")
	}
	return files, nil
}

func isManifest(base string) bool {
	switch filepath.Ext(base) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}
