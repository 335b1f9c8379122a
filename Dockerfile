# The image of the server: built here, run as nobody in particular, on a file system that can be read-only.
# What is written goes to DATA_DIR (/data). Secrets are mounted as files; none is in here, and none is a build argument.
# Debian rather than Alpine, as the developers have it; another release of Node: --build-arg NODE=22.
ARG NODE=24

FROM node:${NODE}-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM node:${NODE}-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:${NODE}-slim
LABEL org.opencontainers.image.title="identity-aware-mcp-server" \
      org.opencontainers.image.description="Authenticating, authorizing and auditing gateway for MCP tool servers, built on NestJS" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
# The last stage runs a built server: what installs and builds others is not needed there.
RUN rm -rf /usr/local/lib/node_modules /opt/yarn* /usr/local/include \
      /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg \
 && mkdir /data && chown 10001:10001 /data && chmod 0700 /data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE deploy/healthcheck.mjs ./
# The commands: docker exec CONTAINER mcp-gate doctor.
RUN chmod 0755 dist/cli/mcp-gate.js && ln -s /app/dist/cli/mcp-gate.js /usr/local/bin/mcp-gate
# Not loopback, so PUBLIC_URL has no default: the container does not start without being told its https name.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data
# By number, as Kubernetes can tell only of a number that it is not root.
USER 10001:10001
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["node", "healthcheck.mjs"]
# Without a shell or npm in between: SIGTERM arrives at the server.
ENTRYPOINT ["node", "dist/main"]
