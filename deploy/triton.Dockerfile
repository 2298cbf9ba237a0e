# NVIDIA's Triton with the wheels that Python models need. Build from the repository's root:
#   docker build -f deploy/triton.Dockerfile -t tidegate-triton:26.09-py3 .
# The chart also runs NVIDIA's image as it is, where no model has a Python step.
ARG TRITON_IMAGE=nvcr.io/nvidia/tritonserver:26.09-py3

FROM ${TRITON_IMAGE}
# Older releases have known remote code execution holes.
RUN printf '%s\n' 26.09 "${NVIDIA_TRITON_SERVER_VERSION:-0}" | sort -V -C \
    || { echo "TRITON_IMAGE holds Triton ${NVIDIA_TRITON_SERVER_VERSION:-of an unknown release}; use 26.09 or newer." >&2; exit 1; }
COPY deploy/triton-requirements.txt /tmp/requirements.txt
# NVIDIA's image installs into the system's Python, which the model processes use too.
RUN pip install --no-cache-dir --disable-pip-version-check --break-system-packages -r /tmp/requirements.txt \
    && rm /tmp/requirements.txt
USER 1000:1000
