// HEALTHCHECK of the image: exits with 0 if the server of this container responds to GET /health/live.
import { get as overHttp } from 'node:http';
import { get as overTls } from 'node:https';
import { connect } from 'node:net';

const { PORT: port, TLS_CERT_FILE: certificate, TLS_CLIENT_CA_FILE: clientCa } = process.env;
const target = { host: '127.0.0.1', port, path: '/health/live' };

// With mutual TLS the check has no client certificate, so it only opens a connection.
if (clientCa !== undefined) {
  connect(target, () => process.exit(0)).once('error', failed);
} else if (certificate === undefined) {
  overHttp(target, answered).once('error', failed);
} else {
  // The certificate has the public name. The request contains no secret, so the check can skip verification.
  overTls({ ...target, rejectUnauthorized: false }, answered).once('error', failed);
}

function answered({ statusCode }) {
  process.exit(statusCode === 200 ? 0 : 1);
}

function failed() {
  process.exit(1);
}
