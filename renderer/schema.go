package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

const schemaURL = "file:///values.schema.json"

// validateValues checks the values of a chart and of its subcharts against their schemas, as Helm does,
// except that a reference out of the schema is an error: a schema comes from a stranger, and following
// it would read the operator's files and network.
func validateValues(c *chart.Chart, values map[string]any) error {
	faults := schemaFaults(c, values)
	if len(faults) == 0 {
		return nil
	}
	return invalidf("values", "%s", strings.Join(faults, "; "))
}

func schemaFaults(c *chart.Chart, values map[string]any) []string {
	var faults []string
	if c.Schema != nil {
		if fault := schemaFault(c.Schema, values); fault != "" {
			faults = append(faults, fmt.Sprintf("values do not meet the schema of chart %s: %s", c.Name(), fault))
		}
	}
	for _, dependency := range c.Dependencies() {
		given := values[dependency.Name()]
		if given == nil {
			continue
		}
		mapping, ok := given.(map[string]any)
		if !ok {
			faults = append(faults, fmt.Sprintf("the values of subchart %s must be a mapping", dependency.Name()))
			continue
		}
		faults = append(faults, schemaFaults(dependency, mapping)...)
	}
	return faults
}

// schemaFault is empty when the values fit.
func schemaFault(schema []byte, values map[string]any) (fault string) {
	defer func() {
		if cause := recover(); cause != nil {
			fault = fmt.Sprintf("the schema cannot be used: %v", cause)
		}
	}()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return fmt.Sprintf("values.schema.json is not JSON: %v", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(schemaLoader{})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return err.Error()
	}
	validator, err := compiler.Compile(schemaURL)
	if err != nil {
		return strings.ReplaceAll(err.Error(), schemaURL, "values.schema.json")
	}
	err = validator.Validate(values)
	var violation *jsonschema.ValidationError
	if !errors.As(err, &violation) {
		if err != nil {
			return err.Error()
		}
		return ""
	}
	// The first line only names the schema; each further one is a violation.
	_, violations, _ := strings.Cut(violation.Error(), "\n")
	var flat []string
	for line := range strings.Lines(violations) {
		flat = append(flat, strings.TrimPrefix(strings.TrimSpace(line), "- "))
	}
	return strings.Join(flat, "; ")
}

type schemaLoader struct{}

// Load answers references to other documents. Helm lets an unknown urn: pass as a schema that allows all.
func (schemaLoader) Load(url string) (any, error) {
	if strings.HasPrefix(url, "urn:") {
		return true, nil
	}
	return nil, fmt.Errorf("%s is not fetched: a schema may refer to itself only", url)
}
