# The export job: a checkpoint and a spec become a version in the model repository. Build from the root:
#   docker build -f deploy/export.Dockerfile -t tidegate-export:0.1.0 .
# PyPI's torch for Linux carries CUDA (several GB). For the small CPU build name PyTorch's index of CPU wheels:
#   --build-arg PIP_EXTRA_INDEX_URL=...
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG PIP_EXTRA_INDEX_URL=
WORKDIR /src
RUN python -m venv /opt/tidegate
ENV PATH=/opt/tidegate/bin:$PATH
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY tidegate tidegate
COPY export export
COPY samples samples
# A constraint with a local label (`+cpu`) would shut out every other build of the same version.
RUN sed -i 's/+cpu$//' constraints.txt \
    && pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[export]'

FROM ${PYTHON_IMAGE}
RUN install -d -o 1000 -g 1000 /training /models
COPY --from=build /opt/tidegate /opt/tidegate
# The user's own architecture is imported from /training; temporary files go to /tmp, the rest may be read-only.
ENV PATH=/opt/tidegate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/training \
    HOME=/tmp
WORKDIR /training
USER 1000:1000
ENTRYPOINT ["tidegate", "export", "--repository", "/models", "--state-dir", "/tmp/tidegate"]
CMD ["--help"]
