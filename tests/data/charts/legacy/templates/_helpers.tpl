{{define "legacy.fullname"}}{{ .Release.Name }}-{{ .Values.nameOverride | default .Chart.Name }}{{end}}
