{{- define "promptshield.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}
{{- define "promptshield.selector" -}}
app.kubernetes.io/name: promptshield
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "promptshield.labels" -}}
{{ include "promptshield.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
{{- define "promptshield.image" -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{- end }}
{{- define "promptshield.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}
{{- /* Whatever all processes of one installation must share, out of the one secret. */}}
{{- define "promptshield.secrets" -}}
{{- range $name, $key := dict "PROMPTSHIELD_PEPPER" "pepper" "PROMPTSHIELD_CONTENT_KEY" "content-key" "PROMPTSHIELD_KEK" "kek" "DATABASE_URL" "database-url" "DATABASE_OWNER_URL" "database-owner-url" "REDIS_URL" "redis-url" }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $.Values.secret }}, key: {{ $key }}}}
{{- end }}
{{- if .Values.engine.enabled }}
- name: ENGINE_TOKEN
  valueFrom: {secretKeyRef: {name: {{ .Values.secret }}, key: engine-token}}
{{- end }}
{{- end }}
{{- /* Whatever settings name as ${NAME}: the engine reads the same file, and starts on no name that it lacks. */}}
{{- define "promptshield.providers" -}}
{{- with .Values.providers.secret }}
envFrom:
  - secretRef: {name: {{ . }}, optional: true}
{{- end }}
{{- end }}
{{- /* promptshield.yaml: what values say, below what the chart itself decides. */}}
{{- define "promptshield.settings" -}}
{{- $tls := dict "certificate" "/etc/promptshield/tls/tls.crt" "key" "/etc/promptshield/tls/tls.key" }}
{{- $proxy := dict "host" "0.0.0.0" "port" 8000 }}
{{- if .Values.tls.secret }}{{ $_ := set $proxy "tls" $tls }}{{ end }}
{{- $edge := dict "grace" .Values.drain.grace "drain" .Values.drain.seconds }}
{{- $own := dict "proxy" $proxy "control" (dict "host" "0.0.0.0" "port" 8001) "workers" .Values.workers "edge" $edge "policies" "/etc/promptshield/policies" }}
{{- if .Values.engine.enabled }}
{{- $engine := dict "host" "0.0.0.0" "port" 8002 "url" (printf "http://%s-engine:8002" (include "promptshield.name" .)) "token" "${ENGINE_TOKEN}" }}
{{- $_ := set $own "engine" $engine }}
{{- end }}
{{- toYaml (mergeOverwrite (deepCopy .Values.settings) $own) }}
{{- end }}
