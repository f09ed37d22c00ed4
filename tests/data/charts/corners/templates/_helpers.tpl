{{/* A name that fits a label. */}}
{{- define "corners.name" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}{{ end -}}
{{- end -}}

{{- define "corners.pair" -}}
{{ index . 0 }}={{ index . 1 }}
{{- end -}}

{{- define "corners.recursive" -}}
{{- if gt (int .) 0 }}{{ . }},{{ include "corners.recursive" (sub (int .) 1) }}{{ end -}}
{{- end -}}

{{- define "corners.labels" -}}
app: {{ include "corners.name" . }}
chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}
