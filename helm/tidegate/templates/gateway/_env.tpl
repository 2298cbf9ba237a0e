{{/* The gateway's whole configuration: environment variables, read by gateway/settings.py. */}}
{{- define "tidegate.gateway.env" -}}
{{- $gateway := .Values.gateway -}}
- name: TIDEGATE_HTTP_HOST
  value: 0.0.0.0
- name: TIDEGATE_HTTP_PORT
  value: "8080"
- name: TIDEGATE_OPS_HOST
  value: 0.0.0.0
- name: TIDEGATE_OPS_PORT
  value: "8081"
- name: TIDEGATE_TRITON_URLS
  value: http://{{ include "tidegate.fullname" . }}-triton.{{ .Release.Namespace }}.svc:8000
- name: TIDEGATE_MODEL_REPOSITORY
  value: /models
# A directory of its own inside the volume: the volume's root belongs to root and cannot be made private.
- name: TIDEGATE_STATE_DIR
  value: /var/lib/tidegate/state
- name: TIDEGATE_MAX_BODY_BYTES
  value: {{ int64 $gateway.maxBodyBytes | quote }}
- name: TIDEGATE_REQUEST_TIMEOUT
  value: {{ $gateway.requestTimeoutSeconds | quote }}
- name: TIDEGATE_DRAIN_DELAY
  value: {{ $gateway.drain.delaySeconds | quote }}
- name: TIDEGATE_DRAIN_TIMEOUT
  value: {{ $gateway.drain.timeoutSeconds | quote }}
{{- range $name, $value := $gateway.settings }}
- name: TIDEGATE_{{ upper $name }}
  {{- /* YAML numbers arrive as floats, which print as 1e+06. */}}
  value: {{ if and (kindIs "float64" $value) (eq (floor $value) $value) }}{{ int64 $value | quote }}{{ else }}{{ $value | quote }}{{ end }}
{{- end }}
- name: TIDEGATE_TRITON_ADMIN_SECRET
  {{- include "tidegate.fromSecret" (list . .Values.secrets.tritonAdminSecretKey) | nindent 2 }}
- name: TIDEGATE_KEY_PEPPER
  {{- include "tidegate.fromSecret" (list . .Values.secrets.keyPepperKey) | nindent 2 }}
- name: TIDEGATE_ADMIN_KEY
  {{- include "tidegate.fromSecret" (list . .Values.secrets.adminKeyKey) | nindent 2 }}
{{- if include "tidegate.hasDatabase" . }}
- name: TIDEGATE_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ default (printf "%s-database" (include "tidegate.fullname" .)) .Values.database.existingSecret }}
      key: {{ if .Values.database.existingSecret }}{{ .Values.database.existingSecretKey }}{{ else }}url{{ end }}
{{- end }}
{{- end }}

{{/* Source of an environment variable: one key of the release's Secret. Takes (context, key). */}}
{{- define "tidegate.fromSecret" -}}
valueFrom:
  secretKeyRef:
    name: {{ include "tidegate.secretName" (index . 0) }}
    key: {{ index . 1 }}
{{- end }}
