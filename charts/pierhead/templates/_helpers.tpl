{{/* The name of every object of this installation. */}}
{{- define "pierhead.name" -}}
{{- if contains "pierhead" .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-pierhead" .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pierhead.selector" -}}
app.kubernetes.io/name: pierhead
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pierhead.labels" -}}
{{ include "pierhead.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "pierhead.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "pierhead.name" .) -}}
{{- end -}}

{{- define "pierhead.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pierhead.leaseName" -}}
{{- .Values.settings.leaseName | default "pierhead-leader" -}}
{{- end -}}

{{- define "pierhead.port" -}}
{{- .Values.settings.probeAddress | default ":8080" | splitList ":" | last -}}
{{- end -}}

{{/* A setting's variable: text as it is, anything else as JSON. */}}
{{- define "pierhead.environment" -}}
{{- range $name, $value := . }}
{{- if not (kindIs "invalid" $value) }}
- name: PIERHEAD_{{ $name | snakecase | upper }}
  value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* "true" when this operator reconciles the kind. */}}
{{- define "pierhead.reconciles" -}}
{{- $context := index . 0 -}}
{{- $kinds := $context.Values.settings.kinds -}}
{{- if or (not $kinds) (has (index . 1) $kinds) -}}true{{- end -}}
{{- end -}}
