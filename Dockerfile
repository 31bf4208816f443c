# One image for the web server, the workers and beat: `docker build -t earshot .`
#
#   --build-arg TORCH=cuda        PyTorch for NVIDIA GPUs in place of the CPU's, several GB more
#   --build-arg TORCH_INDEX=URL   a mirror of PyTorch's package index
#   --build-arg EXTRAS=...        what is installed of pyproject.toml's optional dependencies
ARG BASE=debian:bookworm-slim

# -- Compiles and installs; nothing of its compilers reaches the image.
FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
COPY deploy/image/packages deploy/image/packages
RUN sh deploy/image/packages build
RUN python3 -m venv /opt/earshot/venv
WORKDIR /opt/earshot/app
ENV PATH=/opt/earshot/venv/bin:$PATH
COPY deploy/install-torch deploy/requirements deploy/
ARG TORCH=cpu
ARG TORCH_INDEX=
COPY pyproject.toml .
RUN TORCH=$TORCH TORCH_INDEX=$TORCH_INDEX sh deploy/install-torch pip
ARG EXTRAS=postgres,s3,sentry,backup,metrics,demo
RUN python deploy/requirements "$EXTRAS" >/tmp/requirements && pip install --requirement /tmp/requirements
COPY . .
RUN pip install --no-deps --editable .
RUN python -m compileall -q codec evaluation listening terminal earshot.py

# -- What runs.
FROM ${BASE}
COPY deploy/image/packages deploy/image/packages
RUN sh deploy/image/packages run
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin earshot \
 && install -d -o earshot -g earshot -m 0750 /data
COPY --from=build /opt/earshot /opt/earshot
WORKDIR /opt/earshot/app
# Nothing is written but under /data and /tmp, so that the root file system can be read-only.
ENV PATH=/opt/earshot/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    EARSHOT_HOME=/data PROMETHEUS_MULTIPROC_DIR=/tmp/metrics \
    TMPDIR=/data/tmp NUMBA_CACHE_DIR=/tmp/numba \
    WEB_BIND=0.0.0.0:8000
USER earshot
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/earshot/app/deploy/image/entrypoint"]
CMD ["web"]
