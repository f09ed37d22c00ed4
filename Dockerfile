# The operator's image. Pin the bases by digest where you build it: --build-arg PYTHON_BASE=python@sha256:…
ARG GO_BASE=golang:1.26-trixie
ARG PYTHON_BASE=python:3.13-slim-trixie

FROM ${GO_BASE} AS renderer
WORKDIR /src
COPY renderer/go.mod renderer/go.sum ./
RUN go mod download
COPY renderer/ ./
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /pierhead-renderer .

FROM ${PYTHON_BASE} AS packages
COPY requirements/operator.txt /requirements.txt
RUN python -m venv /opt/pierhead \
    && /opt/pierhead/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /requirements.txt
# Copied and not built: a build would fetch a backend that no hash pins.
COPY operator/pierhead/ /opt/pierhead/source/pierhead/
RUN /opt/pierhead/bin/python -m compileall -q /opt/pierhead/source

FROM ${PYTHON_BASE}
# ssh asks who it runs as, and ends where nobody knows.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 65532 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin pierhead
COPY --from=renderer /pierhead-renderer /usr/local/bin/pierhead-renderer
COPY --from=packages /opt/pierhead /opt/pierhead
COPY LICENSE /licenses/LICENSE
# git wants a home it can read; nothing but /tmp is written to.
ENV PATH=/opt/pierhead/bin:$PATH PYTHONPATH=/opt/pierhead/source PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 65532:65532
ENTRYPOINT ["python", "-m", "pierhead"]
CMD ["run"]
