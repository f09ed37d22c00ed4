package main

import (
	"path/filepath"
	"regexp"
	"strings"
)

const maxMessage = 4096

var executionError = regexp.MustCompile(`(?s)^(execution|parse) error at \(([^)]+)\): (.*)$`)

// causeFirst turns Helm's report of a failed template into one line: what went wrong, where, and
// through which templates it was reached.
//
// Helm nests outermost first, as groups of lines: a location without indentation, then what was
// executing there, then the message, each indented deeper.
func causeFirst(report string) string {
	if parts := executionError.FindStringSubmatch(report); parts != nil {
		return oneLine(parts[3]) + " (at " + parts[2] + ")"
	}
	var locations []string
	var cause, expression string
	for line := range strings.Lines(strings.TrimSpace(report)) {
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
	message := oneLine(cause) + " (at " + locations[len(locations)-1]
	if expression != "" {
		message += ", in " + expression
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
