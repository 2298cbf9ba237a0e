# The embedded Triton: CPU only, the server of the nvidia-pytriton wheel. Build from the repository's root:
#   docker build -f deploy/embedded.Dockerfile -t tidegate-embedded:0.1.0 .
# Python 3.11 or 3.12, with its shared libpython, which Triton's model processes link to.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python -m venv /opt/tidegate
ENV PATH=/opt/tidegate/bin:$PATH
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY embedded embedded
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[embedded]'

FROM ${PYTHON_IMAGE}
RUN install -d -o 1000 -g 1000 /var/lib/tidegate /models
COPY --from=build /opt/tidegate /opt/tidegate
ENV PATH=/opt/tidegate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/tidegate
USER 1000:1000
EXPOSE 8000 8001 8002 8003
CMD ["python", "-m", "embedded", "--model-repository=/models", "--state-dir=/tmp/tidegate", "--host=0.0.0.0"]
