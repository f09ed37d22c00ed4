{{- define "common.object" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .release }}-{{ .name }}
{{- end -}}
{{- define "common.upper" }}{{ . | upper }}{{ end -}}
