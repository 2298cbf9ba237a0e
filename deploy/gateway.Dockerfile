# The gateway: no torch, no onnx, no Triton. Build from the repository's root:
#   docker build -f deploy/gateway.Dockerfile -t tidegate-gateway:0.1.0 .
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python -m venv /opt/tidegate
ENV PATH=/opt/tidegate/bin:$PATH
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY gateway gateway
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[gateway]'

FROM ${PYTHON_IMAGE}
# The gateway makes its state directory itself, with mode 0700, inside a directory its user owns.
RUN install -d -o 1000 -g 1000 /var/lib/tidegate /models
COPY --from=build /opt/tidegate /opt/tidegate
ENV PATH=/opt/tidegate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TIDEGATE_HTTP_HOST=0.0.0.0 \
    TIDEGATE_OPS_HOST=0.0.0.0 \
    TIDEGATE_MODEL_REPOSITORY=/models \
    TIDEGATE_STATE_DIR=/var/lib/tidegate/state
WORKDIR /var/lib/tidegate
USER 1000:1000
EXPOSE 8080 8081
CMD ["python", "-m", "gateway"]
