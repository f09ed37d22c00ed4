{{- define "front.title" -}}{{ .Values.title | quote }}{{- end -}}
