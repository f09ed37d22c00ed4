package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var errReadOnly = errors.New("the renderer writes no files")

// overlayFiles is the file system an overlay sees: a tree on disk, read only and confined to its root,
// under files in memory that exist for this request alone. Every kustomization is vetted as it is read.
type overlayFiles struct {
	root   string
	disk   *tree
	memory map[string][]byte
	// kustomizations are those read, by the path of their file.
	kustomizations map[string]*types.Kustomization
	refused        error
	schemaChanged  bool
}

var _ filesys.FileSystem = (*overlayFiles)(nil)

func newOverlayFiles(root string, disk *tree) *overlayFiles {
	return &overlayFiles{
		root: root, disk: disk, memory: map[string][]byte{}, kustomizations: map[string]*types.Kustomization{},
	}
}

// kustomization finds the one kustomization file of a folder.
func (f *overlayFiles) kustomization(folder string) (string, []byte, error) {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if content, err := f.read(filepath.Join(folder, name)); err == nil {
			return name, content, nil
		}
	}
	return "", nil, invalidf("kustomize", "no kustomization.yaml in the overlay's folder (%s)", f.relative(folder))
}

// addInput puts documents beside a kustomization and makes them its last resource, so that messages
// about the others keep their numbers.
func (f *overlayFiles) addInput(file string, fields map[string]any, input []document) error {
	if len(input) > 0 {
		resources, ok := fields["resources"].([]any)
		if !ok && fields["resources"] != nil {
			return invalidf("kustomize", "%s: resources must be a list", f.relative(file))
		}
		fields["resources"] = append(resources, renderedName)
	}
	var stream bytes.Buffer
	for _, d := range input {
		marked, err := markSource(d)
		if err != nil {
			return err
		}
		stream.WriteString("---\n")
		stream.Write(marked)
		stream.WriteString("\n")
	}
	f.memory[filepath.Join(filepath.Dir(file), renderedName)] = stream.Bytes()
	return f.setFields(file, fields)
}

func (f *overlayFiles) setFields(file string, fields map[string]any) error {
	content, err := yaml.Marshal(fields)
	f.memory[file] = content
	return err
}

// markSource is the object with its file in an annotation, as JSON, which is YAML too.
func markSource(d document) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(d.body))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	metadata := object["metadata"].(map[string]any)
	annotations, ok := metadata["annotations"].(map[string]any)
	if !ok {
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	annotations[sourceAnnotation] = d.source
	return json.Marshal(object)
}

func (f *overlayFiles) relative(path string) string {
	relative, err := filepath.Rel(f.root, path)
	if err != nil {
		return path
	}
	return relative
}

// resolve is the real path of a file on disk, if it lies inside the root.
func (f *overlayFiles) resolve(path string) (string, error) {
	if f.disk == nil {
		return "", fmt.Errorf("%s: an inline overlay has no files: %w", f.relative(path), os.ErrNotExist)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.relative(path), os.ErrNotExist)
	}
	if !f.disk.contains(real) {
		return "", fmt.Errorf("%s: leads out of the source", f.relative(path))
	}
	return real, nil
}

func (f *overlayFiles) read(path string) ([]byte, error) {
	path = filepath.Clean(path)
	if content, ok := f.memory[path]; ok {
		return content, nil
	}
	real, err := f.resolve(path)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(real)
}

// ReadFile is read, with kustomizations vetted and remembered.
func (f *overlayFiles) ReadFile(path string) ([]byte, error) {
	content, err := f.read(path)
	if err != nil || !isKustomization(filepath.Base(path)) {
		return content, err
	}
	var k types.Kustomization
	if err := k.Unmarshal(content); err != nil {
		f.refused = invalidf("kustomize", "%s: %s", f.relative(path), cleanKustomize(err.Error()))
		return nil, f.refused
	}
	if err := f.vet(path, &k); err != nil {
		f.refused = err
		return nil, err
	}
	f.schemaChanged = f.schemaChanged || len(k.OpenAPI) > 0
	f.kustomizations[filepath.Clean(path)] = &k
	return content, nil
}

// IsDir says whether a folder is there, on disk or around a file in memory.
func (f *overlayFiles) IsDir(path string) bool {
	path = filepath.Clean(path)
	for file := range f.memory {
		if strings.HasPrefix(file, path+"/") {
			return true
		}
	}
	real, err := f.resolve(path)
	if err != nil {
		return false
	}
	information, err := os.Stat(real)
	return err == nil && information.IsDir()
}

// Exists says whether a file or folder is there.
func (f *overlayFiles) Exists(path string) bool {
	if _, ok := f.memory[filepath.Clean(path)]; ok || f.IsDir(path) {
		return true
	}
	_, err := f.resolve(path)
	return err == nil
}

// CleanedAbs splits a path into its real folder and its file, which is empty for a folder.
func (f *overlayFiles) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	path = filepath.Clean(path)
	if !filepath.IsAbs(path) {
		return "", "", fmt.Errorf("%s: not an absolute path", path)
	}
	if _, ok := f.memory[path]; ok {
		return filesys.ConfirmedDir(filepath.Dir(path)), filepath.Base(path), nil
	}
	real, err := f.resolve(path)
	if err != nil {
		if f.IsDir(path) {
			return filesys.ConfirmedDir(path), "", nil
		}
		return "", "", err
	}
	if f.IsDir(real) {
		return filesys.ConfirmedDir(real), "", nil
	}
	return filesys.ConfirmedDir(filepath.Dir(real)), filepath.Base(real), nil
}

// ReadDir lists a folder on disk and the files in memory beside them.
func (f *overlayFiles) ReadDir(path string) ([]string, error) {
	path = filepath.Clean(path)
	var names []string
	for file := range f.memory {
		if filepath.Dir(file) == path {
			names = append(names, filepath.Base(file))
		}
	}
	if real, err := f.resolve(path); err == nil {
		entries, err := os.ReadDir(real)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Open is not needed by a build.
func (f *overlayFiles) Open(string) (filesys.File, error) { return nil, errReadOnly }

// Create is refused.
func (f *overlayFiles) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir is refused.
func (f *overlayFiles) Mkdir(string) error { return errReadOnly }

// MkdirAll is refused.
func (f *overlayFiles) MkdirAll(string) error { return errReadOnly }

// RemoveAll is refused.
func (f *overlayFiles) RemoveAll(string) error { return errReadOnly }

// WriteFile is refused.
func (f *overlayFiles) WriteFile(string, []byte) error { return errReadOnly }

// Glob is not needed by a build.
func (f *overlayFiles) Glob(string) ([]string, error) { return nil, errReadOnly }

// Walk is not needed by a build.
func (f *overlayFiles) Walk(string, filepath.WalkFunc) error { return errReadOnly }
