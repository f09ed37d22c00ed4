{{- define "database.name" -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{- end -}}
{{- end -}}
{{- define "database.tplvalue" -}}
{{- $value := typeIs "string" .value | ternary .value (.value | toYaml) -}}
{{- if contains "{{" (toJson .value) }}{{ tpl $value .context }}{{ else }}{{ $value }}{{ end -}}
{{- end -}}
{{- define "database.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- $separator := ":" -}}
{{- if .Values.image.digest }}{{- $separator = "@" }}{{- $tag = .Values.image.digest | toString }}{{- end -}}
{{- printf "%s/%s%s%s" .Values.image.registry .Values.image.repository $separator $tag -}}
{{- end -}}
{{- define "database.pullSecrets" -}}
{{- range .Values.image.pullSecrets }}
- name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
{{- end }}
{{- end -}}
{{- define "database.validate" -}}
{{- if not (has .Values.architecture (list "standalone" "replication")) }}{{ fail (printf "architecture: %q is neither standalone nor replication" .Values.architecture) }}{{ end -}}
{{- end -}}
