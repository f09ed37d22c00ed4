package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tree is a folder or file to read, and the folder that nothing read may lie outside of. Sources come
// from strangers: a link to /etc, or into another tenant's source, must lead nowhere.
type tree struct {
	root  string
	start string
}

// openTree resolves a path; root defaults to the path itself.
func openTree(path, root string) (*tree, error) {
	if root == "" {
		root = path
	}
	if !filepath.IsAbs(path) || !filepath.IsAbs(root) {
		return nil, errors.New("a path that is not absolute")
	}
	realRoot, err := filepath.EvalSymlinks(filepath.Clean(root))
	if err != nil {
		return nil, fmt.Errorf("the source is gone: %w", err)
	}
	start, err := filepath.EvalSymlinks(filepath.Clean(path))
	if err != nil {
		relative, _ := filepath.Rel(root, path)
		return nil, fmt.Errorf("%s does not exist in the source", relative)
	}
	t := &tree{root: realRoot, start: start}
	if !t.contains(start) {
		relative, _ := filepath.Rel(root, path)
		return nil, fmt.Errorf("%s leads out of the source", relative)
	}
	return t, nil
}

func (t *tree) contains(real string) bool {
	return real == t.root || strings.HasPrefix(real, strings.TrimSuffix(t.root, "/")+"/")
}

// walk visits every regular file below the start, in order of name, through links that stay inside.
func (t *tree) walk(visit func(name string, entry fs.FileInfo) error) error {
	return t.walkFolder("", t.start, nil, visit)
}

func (t *tree) walkFolder(prefix, real string, above []string, visit func(string, fs.FileInfo) error) error {
	for _, folder := range above {
		if folder == real {
			return fmt.Errorf("%s: a link that leads back to a folder above it", prefix)
		}
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := filepath.Join(prefix, entry.Name())
		target := filepath.Join(real, entry.Name())
		if entry.Type()&fs.ModeSymlink != 0 {
			if target, err = filepath.EvalSymlinks(target); err != nil {
				return fmt.Errorf("%s: a link to nothing", name)
			}
			if !t.contains(target) {
				return fmt.Errorf("%s: a link that leads out of the source", name)
			}
		}
		information, err := os.Stat(target)
		if err != nil {
			return err
		}
		switch {
		case information.IsDir():
			err = t.walkFolder(name, target, append(above, real), visit)
		case information.Mode().IsRegular():
			err = visit(name, information)
		default:
			err = fmt.Errorf("%s: not a regular file", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
