package main

import (
	"encoding/json"
	"io/fs"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"text/template"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

const notesName = "NOTES.txt"

// renderChart renders a chart's templates and fills in what an answer says about the chart. The steps
// and their order are those of Helm's install action, so that both give the same documents.
func renderChart(r *request, frames *wire, result *answer) (map[string]string, []document, error) {
	h := r.Helm
	values, err := decodeMapping("values", "values", h.Values)
	if err != nil {
		return nil, nil, err
	}
	if err := chartutil.ValidateReleaseName(h.Release.Name); err != nil {
		return nil, nil, invalidf("helm", "release name %q: %v", h.Release.Name, err)
	}
	c, err := loadChart(h)
	if err != nil {
		return nil, nil, err
	}
	capabilities, err := capabilitiesOf(r.Capabilities)
	if err != nil {
		return nil, nil, err
	}
	if err := checkChart(c, capabilities); err != nil {
		return nil, nil, err
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, nil, invalidf("helm", "chart %s: dependencies: %v", c.Name(), err)
	}
	options := common.ReleaseOptions{
		Name:      h.Release.Name,
		Namespace: h.Release.Namespace,
		Revision:  h.Release.Revision,
		IsInstall: h.Release.IsInstall,
		IsUpgrade: h.Release.IsUpgrade,
	}
	// Helm's own validation follows references to files and URLs; validateValues follows none.
	top, err := util.ToRenderValuesWithSchemaValidation(c, values, options, capabilities, true)
	if err != nil {
		return nil, nil, invalidf("values", "chart %s: %v", c.Name(), err)
	}
	coalesced, err := top.Table("Values")
	if err != nil {
		return nil, nil, err
	}
	if err := validateValues(c, coalesced); err != nil {
		return nil, nil, err
	}
	// Now, not later: a template may put anything into its values, even themselves.
	if result.Values, err = json.Marshal(coalesced); err != nil {
		return nil, nil, invalidf("values", "chart %s: %v", c.Name(), err)
	}
	defaults, err := json.Marshal(c.Values)
	if err != nil {
		return nil, nil, invalidf("values", "chart %s: %v", c.Name(), err)
	}
	result.Chart = &chartAnswer{Metadata: c.Metadata, Values: defaults}
	renderer := engine.Engine{CustomTemplateFuncs: template.FuncMap{"lookup": lookupFunction(r.Lookup, frames)}}
	files, err := renderer.Render(c, top)
	if err != nil {
		return nil, nil, &invalid{source: "helm", message: causeFirst(err.Error())}
	}
	result.Notes = takeNotes(c, files)
	if !h.IncludeCRDs {
		return files, nil, nil
	}
	crds, err := parseCRDs(c)
	return files, crds, err
}

func loadChart(h *helmRequest) (*chart.Chart, error) {
	t, err := openTree(h.Chart, h.Root)
	if err != nil {
		return nil, invalidf("helm", "the chart: %v", err)
	}
	l, err := loader.Loader(t.start)
	if err != nil {
		return nil, invalidf("helm", "the chart: %v", err)
	}
	if _, folder := l.(loader.DirLoader); folder {
		// Helm's loader follows links to wherever they lead.
		if err := t.walk(func(string, fs.FileInfo) error { return nil }); err != nil {
			return nil, invalidf("helm", "the chart: %v", err)
		}
	}
	c, err := l.Load()
	if err != nil {
		return nil, invalidf("helm", "the chart cannot be loaded: %v", err)
	}
	return c, nil
}

func capabilitiesOf(given capabilityRequest) (*common.Capabilities, error) {
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.HelmVersion.Version = helmVersion()
	if given.KubeVersion != "" {
		version, err := common.ParseKubeVersion(given.KubeVersion)
		if err != nil {
			return nil, err
		}
		capabilities.KubeVersion = *version
	}
	if len(given.APIVersions) > 0 {
		capabilities.APIVersions = given.APIVersions
	}
	return capabilities, nil
}

// helmVersion is the linked library's, which Helm's own build stamps into its binary.
var helmVersion = sync.OnceValue(func() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == "helm.sh/helm/v4" {
				return module.Version
			}
		}
	}
	return common.DefaultCapabilities.HelmVersion.Version
})

// checkChart refuses what Helm refuses before it renders.
func checkChart(c *chart.Chart, capabilities *common.Capabilities) error {
	if kind := c.Metadata.Type; kind != "" && kind != "application" {
		return invalidf("helm", "chart %s: %s charts are not installable; name a chart that depends on it", c.Name(), kind)
	}
	var missing []string
	for _, required := range c.Metadata.Dependencies {
		if !bundles(c, required.Name) {
			missing = append(missing, required.Name)
		}
	}
	if len(missing) > 0 {
		return invalidf(
			"helm", "chart %s: dependencies found in Chart.yaml, but missing in charts/ directory: %s; "+
				"bundle them (helm dependency build), since rendering downloads nothing",
			c.Name(), strings.Join(missing, ", "))
	}
	wanted := c.Metadata.KubeVersion
	if wanted != "" && !chartutil.IsCompatibleRange(wanted, capabilities.KubeVersion.String()) {
		return invalidf(
			"helm", "chart %s requires kubeVersion: %s which is incompatible with Kubernetes %s",
			c.Name(), wanted, capabilities.KubeVersion.Version)
	}
	return nil
}

func bundles(c *chart.Chart, name string) bool {
	for _, dependency := range c.Dependencies() {
		if dependency.Name() == name {
			return true
		}
	}
	return false
}

// takeNotes removes every NOTES.txt from the rendered files and returns the chart's own.
func takeNotes(c *chart.Chart, files map[string]string) string {
	notes := files[path.Join(c.Name(), "templates", notesName)]
	for name := range files {
		if strings.HasSuffix(name, notesName) {
			delete(files, name)
		}
	}
	return notes
}

func parseCRDs(c *chart.Chart) ([]document, error) {
	var documents []document
	for _, crd := range c.CRDObjects() {
		// SortManifests drops files whose name starts with an underscore; Helm installs them here.
		content := map[string]string{"crd.yaml": string(crd.File.Data)}
		_, manifests, err := releaseutil.SortManifests(content, nil, releaseutil.InstallOrder)
		if err != nil {
			return nil, invalidf("helm", "%s: %v", crd.Filename, err)
		}
		for _, manifest := range manifests {
			parsed, err := parseDocument("helm", crd.Filename, manifest.Content)
			if err != nil {
				return nil, err
			}
			documents = append(documents, parsed...)
		}
	}
	return documents, nil
}
