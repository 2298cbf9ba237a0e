{{/* Arguments of NVIDIA's container: a check of the release, then Triton with everything unneeded shut. */}}
{{- define "tidegate.triton.args" -}}
{{- $restricted := "model-repository,shared-memory,model-config,statistics,trace,logging:x-tidegate-triton-admin=$(TIDEGATE_TRITON_ADMIN_SECRET)" -}}
- /bin/sh
- -c
- |
  {{- .Files.Get "files/start-triton.sh" | nindent 2 }}
- tritonserver
- --model-repository=/models
# The gateway alone loads and unloads; whoever could call load could run code.
- --model-control-mode=explicit
- --disable-auto-complete-config
# Strict readiness says no from the first failed load until a restart, and during every change of version.
- --strict-readiness=false
- --exit-on-error=false
- --exit-timeout-secs={{ .Values.triton.exitTimeoutSeconds }}
- --http-restricted-api={{ $restricted }}
- --grpc-restricted-protocol={{ $restricted }}
- --allow-client-shm=false
- --allow-sagemaker=false
- --allow-vertex-ai=false
# A number of two characters of JSON can become eight bytes of tensor in the request the gateway rebuilds.
- --http-max-input-size={{ add (mul 4 (int64 .Values.gateway.maxBodyBytes)) 1048576 }}
- --grpc-max-response-pool-size=64
- --trace-config=level=OFF
- --log-format=ISO8601
- --model-load-thread-count=4
- --backend-config=python,shm-default-byte-size=16777216
{{- range .Values.triton.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{/* Command line of the embedded Triton: the supervisor sets Triton's flags itself. */}}
{{- define "tidegate.triton.embeddedCommand" -}}
- python
- -m
- embedded
- --model-repository=/models
- --state-dir=/tmp/tidegate
- --host=0.0.0.0
- --http-port=8000
- --grpc-port=8001
- --metrics-port=8002
- --supervisor-port=8003
- --exit-timeout={{ .Values.triton.exitTimeoutSeconds }}
- --start-timeout={{ .Values.triton.startupTimeoutSeconds }}
{{- end }}

{{/* Resources of the values, with the GPUs of the gpu profile among the limits. */}}
{{- define "tidegate.triton.resources" -}}
{{- $triton := .Values.triton -}}
{{- $resources := deepCopy $triton.resources -}}
{{- if and (eq .Values.profile "gpu") $triton.gpus -}}
{{- $limits := merge (dict $triton.gpuResourceName $triton.gpus) (default dict $resources.limits) -}}
{{- $_ := set $resources "limits" $limits -}}
{{- end -}}
{{- with $resources -}}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
