# The gateway's image: Node, the bundled program, its migrations and its production dependencies.
# Most dependencies are in the bundle, because one file loads three times as fast as a thousand. They
# are also installed beside it, for their licences and for the pages of /docs.
# The program writes no file, so the root file system can be read-only.
# For the commit that /health shows: --build-arg GATEWAY_COMMIT="$(git rev-parse HEAD)"

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No dependency needs an install script, so none runs here. Type declarations and source maps are more
# than half of the size, and nothing reads them at run time.
RUN npm ci --omit=dev --ignore-scripts \
  && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
RUN npm run build

# Removes what a server never uses: package managers, headers, manuals and setuid bits. That is a third
# of the image, and most findings of scanners. Only a copy into an empty image makes it smaller.
FROM node:24-bookworm-slim AS base
RUN rm -rf /usr/local/lib/node_modules /usr/local/include /opt/yarn* \
    /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg \
    /usr/share/doc /usr/share/man /usr/share/locale /var/cache/* /var/lib/apt/lists/* \
  && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

FROM scratch
COPY --from=base / /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY drizzle ./drizzle
COPY --from=build /app/dist ./dist
ARG GATEWAY_COMMIT=""
ENV GATEWAY_COMMIT=$GATEWAY_COMMIT
LABEL org.opencontainers.image.title="presenton-gateway" \
  org.opencontainers.image.description="Backend-for-frontend for Presenton" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.revision=$GATEWAY_COMMIT
USER node
EXPOSE 3000
# Liveness, not readiness: a restart because the database is away would only interrupt running work.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.OPS_PORT || process.env.PORT || 3000}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Exec form, so that node receives SIGTERM.
CMD ["node", "dist/main.js"]
