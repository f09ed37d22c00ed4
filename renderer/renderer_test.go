package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

func TestFramesComeBackAsTheyWent(t *testing.T) {
	var buffer bytes.Buffer
	w := &wire{out: newWriter(&buffer)}
	w.send(map[string]any{"a": "<&>\n"}, map[string]any{"b": 2})
	payload, err := readFrame(&buffer)
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\"a\":\"<&>\\n\"}\n{\"b\":2}"; string(payload) != want {
		t.Errorf("got %q, want %q", payload, want)
	}
	if _, err := readFrame(&buffer); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestAFrameBeyondReasonIsRefused(t *testing.T) {
	if _, err := readFrame(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff})); err == nil {
		t.Error("accepted")
	}
}

func TestRequestsAreReadStrictly(t *testing.T) {
	if _, err := decodeRequest([]byte(`{"id": "1", "helmm": {}}`)); err == nil {
		t.Error("an unknown field was accepted")
	}
}

func TestCauseComesFirst(t *testing.T) {
	for name, c := range map[string]struct{ report, want string }{
		"fail": {
			"execution error at (web/templates/x.yaml:1:3): set the\n password",
			"set the password (at web/templates/x.yaml:1:3)",
		},
		"parse": {
			"parse error at (web/templates/x.yaml:2): unclosed action",
			"unclosed action (at web/templates/x.yaml:2)",
		},
		"groups": {
			"web/templates/x.yaml:2:6\n  executing \"x\" at <include \"h\" .>:\n    error calling include:\n" +
				"web/templates/_h.tpl:7:3\n  executing \"h\" at <.Values.a.b>:\n    nil pointer evaluating interface {}.b",
			"nil pointer evaluating interface {}.b (at web/templates/_h.tpl:7:3, in .Values.a.b, called from web/templates/x.yaml:2:6)",
		},
		"chain": {
			`template: x.yaml:1:6: executing "x" at <include "h" .>: error calling include: ` +
				`template: _h.tpl:2:3: executing "h" at <index .l 3>: error calling index: index out of range: 3`,
			"error calling index: index out of range: 3 (at _h.tpl:2:3, in index .l 3, called from x.yaml:1:6)",
		},
		"unknown": {"YAML parse error on a.yaml:\n  line 3", "YAML parse error on a.yaml: line 3"},
	} {
		if got := causeFirst(c.report); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestPathsOfTheMachineAreHidden(t *testing.T) {
	folder := t.TempDir()
	r := &request{Helm: &helmRequest{Chart: filepath.Join(folder, "chart"), Root: folder}}
	got := hidePaths("open "+folder+"/chart/x: no such file in "+folder, r)
	if want := "open chart/x: no such file in ."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	if got := shorten(strings.Repeat("é", maxMessage)); len(got) > maxMessage+len("…") {
		t.Errorf("%d bytes", len(got))
	}
}

func TestRemoteReferences(t *testing.T) {
	for path, want := range map[string]bool{
		"https://example.com/all.yaml":       true,
		"http://example.com/all.yaml":        true,
		"ssh://git@example.com/owner/repo":   true,
		"file:///srv/repo":                   true,
		"git@example.com:owner/repo.git":     true,
		"git::https://example.com/repo":      true,
		"github.com/owner/repo//base":        true,
		"GitHub.com/owner/repo":              true,
		"gh:owner/repo":                      true,
		"example.com/owner/repo.git":         true,
		"example.com/owner/repo.git//base":   true,
		"dev.azure.com/o/p/_git/repo":        true,
		"owner/repo?ref=main":                true,
		"../base":                            false,
		"./deployment.yaml":                  false,
		"deployment.yaml":                    false,
		"bases/github.company/app":           false,
		"my.gitops/app":                      false,
		"a@b/c.yaml":                         false,
		"what?.yaml":                         false,
		"digit/reference.yaml":               false,
		"components/legit.git-crypt/keys.md": false,
	} {
		if got := remote.MatchString(path); got != want {
			t.Errorf("%q: got %v", path, got)
		}
	}
}

func TestEveryPathOfAKustomizationIsVetted(t *testing.T) {
	const kustomization = `
resources: [r]
bases: [b]
components: [c]
crds: [d]
configurations: [e]
generators: [f, "inline:\n  yaml"]
transformers: [g]
validators: [h]
patchesStrategicMerge: [i, "inline:\n  yaml"]
patches: [{path: j}, {patch: x}]
patchesJson6902: [{path: k}]
replacements: [{path: l}]
configMapGenerator: [{name: x, files: [m, key=n], envs: [o], env: p}]
secretGenerator: [{name: x, files: [q]}]
openapi: {path: s}
`
	var k types.Kustomization
	if err := k.Unmarshal([]byte(kustomization)); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, r := range references(&k) {
		found[r.path] = true
	}
	for _, path := range strings.Split("bcdefghijklmnopqrs", "") {
		if !found[path] {
			t.Errorf("%s is not vetted", path)
		}
	}
	if len(found) != len("bcdefghijklmnopqrs") {
		t.Errorf("%v", found)
	}
}

func TestATreeEndsAtItsRoot(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"in", "in/side", "in-other", "out"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../out", filepath.Join(folder, "in", "link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"in": true, "in/side": true, "in/side/..": true, "in-other": false, "out": false,
		"in/../out": false, "in/link": false, "in/none": false,
	} {
		_, err := openTree(filepath.Join(folder, path), filepath.Join(folder, "in"))
		if (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil && strings.Contains(err.Error(), folder) {
			t.Errorf("%s: tells where we are: %v", path, err)
		}
	}
}

func TestDocuments(t *testing.T) {
	const object = `{apiVersion: v1, kind: Secret, metadata: {name: s}}`
	for name, c := range map[string]struct {
		content string
		objects int
		message string
	}{
		"one":               {object, 1, ""},
		"empty":             {"# nothing\n", 0, ""},
		"list":              {"{apiVersion: v1, kind: List, items: [" + object + ", " + object + "]}", 2, ""},
		"typed list":        {"{apiVersion: v1, kind: SecretList, items: [{metadata: {name: s}}]}", 1, ""},
		"empty list":        {"{apiVersion: v1, kind: List, items: []}", 0, ""},
		"a kind named List": {"{apiVersion: x/v1, kind: WaitList, metadata: {name: w}, items: [1]}", 1, ""},
		"list in a list":    {"{apiVersion: v1, kind: List, items: [{kind: List, apiVersion: v1, items: [" + object + "]}]}", 1, ""},
		"no kind":           {"{apiVersion: v1, metadata: {name: s}}", 0, "x.yaml: an object without kind (s)"},
		"item without kind": {"{apiVersion: v1, kind: List, items: [{metadata: {name: s}}]}", 0, "without kind"},
		"item null":         {"{apiVersion: v1, kind: SecretList, items: [null]}", 0, "without kind"},
		"a sequence":        {"[1]", 0, "not a Kubernetes object"},
	} {
		documents, err := parseDocument("helm", "x.yaml", c.content)
		message := ""
		if err != nil {
			message = err.Error()
		}
		if len(documents) != c.objects || !strings.Contains(message, c.message) || (message == "") != (c.message == "") {
			t.Errorf("%s: %d objects, %q", name, len(documents), message)
		}
	}
}

func TestDuplicatesAreToldByWhatTheyAre(t *testing.T) {
	one := func(apiVersion, kind, namespace, name string) document {
		body, _ := json.Marshal(map[string]any{
			"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"namespace": namespace, "name": name},
		})
		documents, err := parseObject("helm", "x.yaml", body)
		if err != nil {
			t.Fatal(err)
		}
		return documents[0]
	}
	for name, c := range map[string]struct {
		a, b document
		want bool
	}{
		"same":                  {one("v1", "Secret", "", "s"), one("v1", "Secret", "", "s"), true},
		"named and implied":     {one("v1", "Secret", "", "s"), one("v1", "Secret", "shop", "s"), true},
		"another version":       {one("a/v1", "X", "", "s"), one("a/v2", "X", "", "s"), true},
		"another group":         {one("a/v1", "X", "", "s"), one("b/v1", "X", "", "s"), false},
		"another namespace":     {one("v1", "Secret", "", "s"), one("v1", "Secret", "other", "s"), false},
		"another name, another": {one("v1", "Secret", "", "s"), one("v1", "Secret", "", "t"), false},
	} {
		if err := refuseDuplicates("helm", "shop", []document{c.a, c.b}); (err != nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemas(t *testing.T) {
	for name, c := range map[string]struct{ schema, want string }{
		"fits":       {`{"properties": {"n": {"type": "integer"}}}`, ""},
		"own parts":  {`{"properties": {"n": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"minimum": 5}}}`, "at '/n': minimum: got 1, want 5"},
		"urn":        {`{"properties": {"n": {"$ref": "urn:example:n"}}}`, ""},
		"a file":     {`{"$ref": "file:///etc/passwd"}`, "is not fetched"},
		"a neighbor": {`{"$ref": "other.json"}`, "is not fetched"},
		"a server":   {`{"$id": "https://example.com/a.json", "$ref": "b.json"}`, "is not fetched"},
		"no JSON":    {`{`, "is not JSON"},
		"no schema":  {`{"type": "nonsense"}`, "at '/type'"},
	} {
		got := schemaFault([]byte(c.schema), map[string]any{"n": 1.0})
		if !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestValuesAreAMapping(t *testing.T) {
	for raw, want := range map[string]string{
		"":        "",
		"null":    "",
		`{"a":1}`: "",
		"[1]":     "values must be a mapping, not a list",
		`"a"`:     "values must be a mapping, not a string",
		"true":    "values must be a mapping, not a boolean",
		"1":       "values must be a mapping, not a number",
	} {
		_, err := decodeMapping("values", "values", json.RawMessage(raw))
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestTargetsAreDescribed(t *testing.T) {
	target := &types.Selector{
		ResId:         resid.ResId{Gvk: resid.Gvk{Kind: "Deployment"}, Name: "web"},
		LabelSelector: "a=b",
	}
	if got := describeTarget(target); got != "kind: Deployment, name: web, labelSelector: a=b" {
		t.Error(got)
	}
	if got := describeTarget(&types.Selector{}); got != "an empty target" {
		t.Error(got)
	}
}
