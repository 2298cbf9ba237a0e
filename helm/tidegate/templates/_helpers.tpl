{{/* Name of the chart, or its override. */}}
{{- define "tidegate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Prefix of every object's name; short enough for the longest suffix. */}}
{{- define "tidegate.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "tidegate.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "tidegate.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels every object carries. */}}
{{- define "tidegate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: tidegate
{{ include "tidegate.selectorLabels" . }}
{{- end }}

{{/* Labels that select; they never change within a release's life. */}}
{{- define "tidegate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tidegate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tidegate.gateway.selectorLabels" -}}
{{ include "tidegate.selectorLabels" . }}
app.kubernetes.io/component: gateway
{{- end }}

{{- define "tidegate.triton.selectorLabels" -}}
{{ include "tidegate.selectorLabels" . }}
app.kubernetes.io/component: triton
{{- end }}

{{- define "tidegate.helmTest.selectorLabels" -}}
{{ include "tidegate.selectorLabels" . }}
app.kubernetes.io/component: helm-test
{{- end }}

{{/* Reference of an image: a digest wins over a tag, the tag defaults to the chart's appVersion. */}}
{{- define "tidegate.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .appVersion .image.tag }}
{{- end }}
{{- end }}

{{- define "tidegate.gateway.serviceAccountName" -}}
{{- $account := .Values.gateway.serviceAccount -}}
{{- if $account.create }}{{ default (printf "%s-gateway" (include "tidegate.fullname" .)) $account.name }}
{{- else }}{{ default "default" $account.name }}{{ end }}
{{- end }}

{{- define "tidegate.triton.serviceAccountName" -}}
{{- $account := .Values.triton.serviceAccount -}}
{{- if $account.create }}{{ default (printf "%s-triton" (include "tidegate.fullname" .)) $account.name }}
{{- else }}{{ default "default" $account.name }}{{ end }}
{{- end }}

{{- define "tidegate.secretName" -}}
{{- default (include "tidegate.fullname" .) .Values.secrets.existingSecret }}
{{- end }}

{{- define "tidegate.modelRepositoryClaim" -}}
{{- default (printf "%s-models" (include "tidegate.fullname" .)) .Values.modelRepository.existingClaim }}
{{- end }}

{{/* Read-only everywhere: only an export job writes to the model repository. */}}
{{- define "tidegate.modelsMount" -}}
- name: models
  mountPath: /models
  readOnly: true
  {{- with .Values.modelRepository.subPath }}
  subPath: {{ . }}
  {{- end }}
{{- end }}

{{/* "true" when the created volume of the models attaches to a single node. */}}
{{- define "tidegate.modelsOnOneNode" -}}
{{- $repository := .Values.modelRepository -}}
{{- if and (not $repository.existingClaim) (not (has "ReadWriteMany" $repository.accessModes)) }}true{{ end }}
{{- end }}

{{/* "true" when the control plane lives in a database server and not in SQLite. */}}
{{- define "tidegate.hasDatabase" -}}
{{- if or .Values.database.url .Values.database.existingSecret }}true{{ end }}
{{- end }}

{{/* Pod security of the "restricted" standard. */}}
{{- define "tidegate.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "tidegate.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}
