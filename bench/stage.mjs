/** The environment of several instances: PostgreSQL, nginx, a mail server and a certificate authority. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { generate } from 'selfsigned';
import { SMTPServer } from 'smtp-server';

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** nginx compares host names and not IP addresses. */
const NAME = 'gate.internal';

/** A certificate authority; each certificate is for 127.0.0.1 and one name. */
export async function startAuthority(folder) {
  const extensions = [{ name: 'basicConstraints', cA: true, critical: true }];
  const ca = await generate([{ name: 'commonName', value: 'authority' }], { extensions });
  const caFile = join(folder, 'ca.crt');
  writeFileSync(caFile, ca.cert);
  /** Writes NAME.crt and NAME.key and replaces existing files. */
  const issue = async (name) => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
      ca: { cert: ca.cert, key: ca.private },
      extensions: [
        {
          name: 'subjectAltName',
          altNames: [
            { type: 7, ip: '127.0.0.1' },
            { type: 2, value: NAME },
          ],
        },
      ],
    });
    const files = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key, { mode: 0o600 });
    return files;
  };
  return { ca: ca.cert, caFile, issue };
}

/** A temporary PostgreSQL that can be crashed. PostgreSQL does not run as root, so it then runs as `postgres`. */
export async function startPostgres(folder) {
  const bin = execFileSync('pg_config', ['--bindir'], { encoding: 'utf8' }).trim();
  const data = join(folder, 'postgres');
  const port = await freePort();
  mkdirSync(data, { mode: 0o700 });
  chmodSync(folder, 0o755);
  const isRoot = process.getuid() === 0;
  if (isRoot) execFileSync('chown', ['postgres:', data]);
  const run = (program, ...args) => {
    const command = [join(bin, program), ...args];
    if (isRoot) command.unshift('runuser', '-u', 'postgres', '--');
    execFileSync(command[0], command.slice(1), { stdio: 'ignore', cwd: '/' });
  };
  run('initdb', '-D', data, '-U', 'postgres', '-A', 'trust');
  appendFileSync(
    join(data, 'postgresql.conf'),
    `port = ${port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n`,
  );
  let isRunning = false;
  const start = () => {
    run('pg_ctl', '-D', data, '-w', '-l', join(data, 'log'), 'start');
    isRunning = true;
  };
  const stop = (mode) => {
    isRunning = false;
    run('pg_ctl', '-D', data, '-w', '-m', mode, 'stop');
  };
  start();
  process.once('exit', () => isRunning && stop('immediate'));
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, start, stop };
}

/** nginx for these instances, TLS on both sides; it never resends a request that an instance may have received. */
export async function startNginx(folder, ports, { certificate, caFile }) {
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (what) => `${what}_temp_path ${join(folder, `nginx-${what}`)};`,
  );
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'nginx-error.log')} warn;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.join('\n  ')}
  upstream gates {
    ${ports.map((one) => `server 127.0.0.1:${one} max_fails=1 fail_timeout=1s;`).join('\n    ')}
    keepalive 64;
    keepalive_timeout 60s;
  }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificate.cert};
    ssl_certificate_key ${certificate.key};
    keepalive_requests 1000000;
    location / {
      proxy_pass https://gates;
      proxy_ssl_trusted_certificate ${caFile};
      proxy_ssl_verify on;
      proxy_ssl_name ${NAME};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
      proxy_buffering off;
      proxy_connect_timeout 2s;
      proxy_read_timeout 300s;
      proxy_next_upstream error timeout;
    }
  }
}
`,
  );
  const nginx = spawn('nginx', ['-p', folder, '-c', config, '-e', join(folder, 'nginx-error.log')], {
    stdio: 'inherit',
  });
  await Promise.race([once(nginx, 'spawn'), once(nginx, 'error').then(([error]) => Promise.reject(error))]);
  process.once('exit', () => nginx.kill('SIGTERM'));
  return {
    port,
    reload: () => nginx.kill('SIGHUP'),
    stop: async () => {
      nginx.kill('SIGTERM');
      await once(nginx, 'exit');
    },
  };
}

/** Accepts and counts e-mails. */
export async function startMailServer() {
  const mails = { received: 0 };
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData: (stream, _session, done) => {
      stream.resume();
      stream.once('end', () => {
        mails.received++;
        done();
      });
    },
  });
  // Killed clients are part of the test.
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  mails.url = `smtp://127.0.0.1:${server.server.address().port}?pool=true&from=gate@example.org`;
  mails.stop = () => new Promise((resolve) => server.close(resolve));
  return mails;
}

/** `npm run start:prod` with these variables; a restart uses the same ones. */
export function instance(env) {
  let running;
  return {
    folder: env.DATA_DIR,
    start: async () => {
      running = spawn(process.execPath, ['dist/main.js'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
      process.once('exit', () => running.kill('SIGKILL'));
      await ready(env.PORT);
    },
    /** Resolves with the exit code or the signal. */
    end: async (signal) => {
      const ended = once(running, 'exit');
      running.kill(signal);
      const [code, by] = await ended;
      return code ?? by;
    },
  };
}

async function ready(port) {
  const options = { port, host: '127.0.0.1', path: '/health/ready', rejectUnauthorized: false, agent: false };
  for (let left = 300; left > 0; left--) {
    const asked = request(options).end();
    const status = await Promise.race([
      once(asked, 'response').then(([response]) => response.resume().statusCode),
      once(asked, 'error').then(() => 0),
    ]).catch(() => 0);
    if (status === 200) return;
    await pause(100);
  }
  throw new Error(`The instance on port ${port} did not become ready`);
}
