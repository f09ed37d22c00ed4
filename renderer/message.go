package main

import (
	"path/filepath"
	"regexp"
	"strings"
)

const maxMessage = 4096

var executionError = regexp.MustCompile(`(?s)^(execution|parse) error at \(([^)]+)\): (.*)$`)

// chainLink is one level of text/template's own report, outermost first.
var chainLink = regexp.MustCompile(`template: (\S+?:\d+(?::\d+)?): executing "[^"]*" at <(.*?)>: `)

// causeFirst turns the report of a failed template into one line: what went wrong, where, and through
// which templates it was reached.
func causeFirst(report string) string {
	if parts := executionError.FindStringSubmatch(report); parts != nil {
		return oneLine(parts[3]) + " (at " + parts[2] + ")"
	}
	report = strings.TrimSpace(report)
	if links := chainLink.FindAllStringSubmatchIndex(report, -1); links != nil {
		var locations []string
		for _, link := range links {
			locations = append(locations, report[link[2]:link[3]])
		}
		last := links[len(links)-1]
		return located(report[last[1]:], report[last[4]:last[5]], locations)
	}
	return causeOfGroups(report)
}

// causeOfGroups reads Helm's own layout of the same: groups of lines, outermost first, of a location
// without indentation, what was executing there, and the message, each indented deeper.
func causeOfGroups(report string) string {
	var locations []string
	var cause, expression string
	for line := range strings.Lines(report) {
		text := strings.TrimSpace(line)
		switch {
		case text == "":
		case strings.HasPrefix(line, "    "):
			cause = text
		case strings.HasPrefix(line, "  "):
			if _, after, found := strings.Cut(text, " at <"); found {
				expression = strings.TrimSuffix(after, ">:")
			}
		default:
			locations = append(locations, text)
		}
	}
	if cause == "" || len(locations) == 0 {
		return oneLine(report)
	}
	return located(cause, expression, locations)
}

// located is the line itself; the last location is where the cause is, the others called it.
func located(cause, expression string, locations []string) string {
	message := oneLine(cause) + " (at " + locations[len(locations)-1]
	if expression != "" {
		message += ", in " + oneLine(expression)
	}
	for i := len(locations) - 2; i >= 0; i-- {
		message += ", called from " + locations[i]
	}
	return message + ")"
}

func oneLine(text string) string {
	return strings.Join(strings.Fields(text), " ")
}

// hidePaths makes paths relative to the sources: where they are unpacked is nobody's business.
func hidePaths(message string, r *request) string {
	var roots []string
	if r.Helm != nil {
		roots = append(roots, r.Helm.Root, r.Helm.Chart)
	}
	if r.Kustomize != nil {
		roots = append(roots, r.Kustomize.Root, r.Kustomize.Path)
	}
	if r.Resources != nil {
		roots = append(roots, r.Resources.Root, r.Resources.Path)
	}
	for _, root := range roots {
		if root == "" {
			continue
		}
		real, err := filepath.EvalSymlinks(root)
		if err != nil {
			real = root
		}
		for _, prefix := range []string{strings.TrimSuffix(root, "/"), real} {
			message = strings.ReplaceAll(message, prefix+"/", "")
			message = strings.ReplaceAll(message, prefix, ".")
		}
	}
	return message
}

func shorten(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "…"
}
