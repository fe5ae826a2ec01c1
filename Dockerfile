# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS builder
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin certwright \
    && cp target/release/certwright /usr/local/bin/certwright

FROM debian:bookworm-slim
# ca-certificates: to trust a PostgreSQL server with a public certificate.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin certwright \
    && install --directory --owner=certwright --group=certwright --mode=0700 /data
COPY --from=builder /usr/local/bin/certwright /usr/local/bin/certwright
USER 10001:10001
VOLUME /data
WORKDIR /data
ENV CERTWRIGHT_DATA=/data \
    CERTWRIGHT_LISTEN=0.0.0.0:8443 \
    CERTWRIGHT_HTTP_LISTEN=0.0.0.0:8080
# 8443: the API over TLS. 8080: health, issuer certificates and CRLs over plain HTTP.
EXPOSE 8443 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 CMD ["certwright", "healthcheck"]
ENTRYPOINT ["certwright"]
CMD ["serve"]
