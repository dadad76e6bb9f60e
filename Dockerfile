# The command `vit`:  docker build -t vit .  &&  docker run --rm -v "$PWD:/data" vit classify model.h5 pictures/
# The package is built as scripts/package builds it anywhere, and installed where nothing else is.
ARG DEBIAN=trixie

FROM debian:${DEBIAN}-slim AS build
WORKDIR /vit
COPY scripts/install-deps scripts/
RUN scripts/install-deps --package
COPY . .
RUN scripts/package

FROM debian:${DEBIAN}-slim
COPY --from=build /vit/build/release/packages/vit_*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/vit_*.deb && rm -rf /tmp/vit_*.deb /var/lib/apt/lists/*
WORKDIR /data
ENTRYPOINT ["vit"]
