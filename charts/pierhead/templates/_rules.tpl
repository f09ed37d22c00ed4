{{/*
What the operator itself may do in the namespaces it works in; docs/rbac.md says what each rule is for.
What an AppRelease reads and writes is done as a ServiceAccount of its namespace, with that account's rights.
*/}}
{{- define "pierhead.rules" -}}
{{- $application := include "pierhead.reconciles" (list . "AppRelease") }}
{{- $secret := include "pierhead.reconciles" (list . "SyncedSecret") }}
{{- $batch := include "pierhead.reconciles" (list . "BatchJob") }}
{{- $tokens := .Values.rbac.serviceAccountTokens }}
{{- $trigger := include "pierhead.reconciles" (list . "EventTrigger") }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- /* An empty value is yes where AppReleases are reconciled: impersonation is the greater right. */}}
{{- if ternary $application $tokens.create (kindIs "invalid" $tokens.create) }}
- apiGroups: [""]
  resources: [serviceaccounts/token]
  {{- with $tokens.names }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [create]
{{- if or $secret $batch $trigger }}
- apiGroups: [""]
  resources: [serviceaccounts]
  {{- with $tokens.names }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
{{- end }}
{{- if and (not $secret) .Values.settings.clusterName }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
{{- end }}
{{- end }}
{{- if $application }}
- apiGroups: [pierhead.dev]
  resources: [appreleases]
  verbs: [get, list, watch, patch]
- apiGroups: [pierhead.dev]
  resources: [appreleases/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [impersonate]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- range .Values.rbac.watchedKinds }}
- apiGroups: {{ toJson .apiGroups }}
  resources: {{ toJson .resources }}
  verbs: [list, watch]
{{- end }}
{{- if not $secret }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [list, watch]
{{- end }}
{{- end }}
{{- if $secret }}
- apiGroups: [pierhead.dev]
  resources: [syncedsecrets]
  verbs: [get, list, watch, patch]
- apiGroups: [pierhead.dev]
  resources: [syncedsecrets/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [daemonsets, deployments, statefulsets]
  verbs: [get, list, watch, patch]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, list, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
{{- end }}
{{- if $batch }}
- apiGroups: [pierhead.dev]
  resources: [batchjobs]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [pierhead.dev]
  resources: [batchjobs/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, update]
{{- end }}
{{- if $trigger }}
- apiGroups: [pierhead.dev]
  resources: [eventtriggers]
  verbs: [get, list, watch, patch]
- apiGroups: [pierhead.dev]
  resources: [eventtriggers/status]
  verbs: [patch]
- apiGroups: [pierhead.dev]
  resources: [batchjobs]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- with .Values.rbac.extraRules }}
{{ toYaml . }}
{{- end }}
{{- end -}}
