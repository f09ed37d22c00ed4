package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// remote matches everything Kustomize would fetch: URLs, scp-like addresses, and the short forms of
// hosts and repositories that it recognises without a scheme.
var remote = regexp.MustCompile(`(?i)://|^[\w.-]+@[\w.-]+:|^(git::|gh:|git@|github\.com[:/])|\.git(/|\?|$)|/_git/|[?&](ref|version|submodules|timeout)=`)

type reference struct {
	field string
	path  string
	// required says that the path must be there: Kustomize's own message for these is a riddle.
	required bool
}

// vet refuses a kustomization that would reach outside of the source, naming the field.
func (f *overlayFiles) vet(file string, k *types.Kustomization) error {
	where := f.relative(file)
	if len(k.HelmCharts) > 0 || len(k.HelmChartInflationGenerator) > 0 {
		return invalidf(
			"kustomize", "%s: helmCharts: charts are not inflated here; name the chart as the source, under helm, "+
				"and apply this overlay to it", where)
	}
	for _, r := range references(k) {
		if remote.MatchString(r.path) {
			return invalidf(
				"kustomize", "%s: %s: %q is remote, and overlays are built from their own source only; "+
					"copy it into the source", where, r.field, r.path)
		}
		if filepath.IsAbs(r.path) {
			return invalidf("kustomize", "%s: %s: %q is an absolute path", where, r.field, r.path)
		}
		if !r.required {
			continue
		}
		if f.disk == nil && r.path != renderedName {
			return invalidf("kustomize", "%s: %q: an inline overlay has no files to name", r.field, r.path)
		}
		if target := filepath.Join(filepath.Dir(file), r.path); !f.Exists(target) {
			if _, err := f.resolve(target); err != nil && strings.Contains(err.Error(), "leads out") {
				return invalidf("kustomize", "%s: %s: %q leads out of the source", where, r.field, r.path)
			}
			return invalidf("kustomize", "%s: %s: %q does not exist in the source", where, r.field, r.path)
		}
	}
	return nil
}

// references are all paths that a kustomization names, with the field that names each.
func references(k *types.Kustomization) []reference {
	var all []reference
	add := func(required bool, field string, paths ...string) {
		for i, path := range paths {
			// Several of these fields take YAML in place of a path.
			if path != "" && !strings.Contains(path, "\n") {
				all = append(all, reference{fmt.Sprintf("%s[%d]", field, i), path, required})
			}
		}
	}
	add(true, "resources", k.Resources...)
	add(true, "bases", k.Bases...)
	add(true, "components", k.Components...)
	add(true, "crds", k.Crds...)
	add(true, "configurations", k.Configurations...)
	add(false, "generators", k.Generators...)
	add(false, "transformers", k.Transformers...)
	add(false, "validators", k.Validators...)
	for i, patch := range k.PatchesStrategicMerge {
		add(false, fmt.Sprintf("patchesStrategicMerge[%d]", i), string(patch))
	}
	for _, list := range []struct {
		field   string
		patches []types.Patch
	}{{"patches", k.Patches}, {"patchesJson6902", k.PatchesJson6902}} {
		for i, patch := range list.patches {
			if patch.Path != "" {
				all = append(all, reference{fmt.Sprintf("%s[%d].path", list.field, i), patch.Path, true})
			}
		}
	}
	for i, replacement := range k.Replacements {
		if replacement.Path != "" {
			all = append(all, reference{fmt.Sprintf("replacements[%d].path", i), replacement.Path, true})
		}
	}
	for i, generator := range k.ConfigMapGenerator {
		addSources(add, fmt.Sprintf("configMapGenerator[%d]", i), generator.KvPairSources)
	}
	for i, generator := range k.SecretGenerator {
		addSources(add, fmt.Sprintf("secretGenerator[%d]", i), generator.KvPairSources)
	}
	if path := k.OpenAPI["path"]; path != "" {
		all = append(all, reference{"openapi.path", path, true})
	}
	return all
}

func addSources(add func(bool, string, ...string), field string, sources types.KvPairSources) {
	var files []string
	for _, source := range sources.FileSources {
		// An entry is a path, or a key and a path.
		if _, path, found := strings.Cut(source, "="); found {
			source = path
		}
		files = append(files, source)
	}
	add(false, field+".files", files...)
	add(false, field+".envs", append(sources.EnvSources, sources.EnvSource)...)
}

// clutter is what Kustomize puts between a message and its cause: the whole configuration of a patch,
// and for each base the failed attempt to read its folder as a file.
var clutter = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile("trouble configuring builtin \\w+ with config: `.*`: "), ""},
	{regexp.MustCompile(`accumulation err='accumulating resources from '[^']*': '[^']*' must resolve to a file': `), ""},
	{regexp.MustCompile(`recursed accumulation of path '([^']*)'`), "in $1"},
	{regexp.MustCompile(`accumulating (resources|components): `), ""},
	{regexp.MustCompile(`^(invalid Kustomization: )?(json: )?`), ""},
}

func cleanKustomize(message string) string {
	message = oneLine(message)
	for _, c := range clutter {
		message = c.pattern.ReplaceAllString(message, c.replacement)
	}
	return message
}
