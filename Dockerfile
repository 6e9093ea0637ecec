# The images. docs/decisions/0005-images-without-a-registry.md says why there is one file and why it needs no BuildKit;
# scripts/build-images.sh builds them on a host that can pull images, and on one that cannot.
ARG BASE=debian:bookworm-slim
ARG RUST=rust:1.95-bookworm

# What all of them run on: Debian, a user without rights, nothing else. The uid is fixed, as files in data/ belong to it.
FROM ${BASE} AS runtime
RUN apt-get -o Acquire::Retries=5 update \
    && apt-get -o Acquire::Retries=5 install -y --no-install-recommends ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 10001 atelier \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin atelier \
    && install -d -o 10001 -g 10001 -m 700 /data

FROM runtime AS redis
RUN apt-get -o Acquire::Retries=5 update \
    && apt-get -o Acquire::Retries=5 install -y --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
ARG VERSION=local
LABEL org.opencontainers.image.title="atelier-redis" \
    org.opencontainers.image.description="Debian's Redis, as Atelier's queue store" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.licenses="BSD-3-Clause"
USER 10001:10001
WORKDIR /data
ENTRYPOINT ["redis-server"]

FROM runtime AS nginx
RUN apt-get -o Acquire::Retries=5 update \
    && apt-get -o Acquire::Retries=5 install -y --no-install-recommends nginx-light openssl \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
COPY nginx /opt/atelier/nginx
COPY scripts/render-nginx.sh scripts/serve-nginx.sh /opt/atelier/scripts/
ARG VERSION=local
LABEL org.opencontainers.image.title="atelier-nginx" \
    org.opencontainers.image.description="Debian's nginx with Atelier's configuration" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.licenses="BSD-2-Clause AND Apache-2.0"
USER 10001:10001
WORKDIR /opt/atelier
ENTRYPOINT ["/opt/atelier/scripts/serve-nginx.sh"]

# Our programs, built on the host: where no image with Rust can be had, and for the tests.
FROM runtime AS prebuilt
COPY target/dist/ /usr/local/bin/
ARG VERSION=local
ARG REVISION=unknown
LABEL org.opencontainers.image.title="atelier" \
    org.opencontainers.image.description="queue-manager, worker, admin and the simulated ComfyUI" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="Apache-2.0"
USER 10001:10001
WORKDIR /
CMD ["queue-manager", "serve"]

# Our programs, built in here: the usual way.
FROM ${RUST} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY queue-manager queue-manager
COPY worker worker
COPY admin admin
# Part of the queue-manager, which hands it out to GPU boxes.
COPY scripts/join-worker.sh scripts/
RUN cargo build --release --locked --workspace --exclude testkit --bins \
    && install -d /dist \
    && cp target/release/queue-manager target/release/worker target/release/admin target/release/simulated-comfyui /dist/ \
    && rm -rf target

FROM runtime AS compiled
COPY --from=build /dist/ /usr/local/bin/
ARG VERSION=local
ARG REVISION=unknown
LABEL org.opencontainers.image.title="atelier" \
    org.opencontainers.image.description="queue-manager, worker, admin and the simulated ComfyUI" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="Apache-2.0"
USER 10001:10001
WORKDIR /
CMD ["queue-manager", "serve"]
