// HEALTHCHECK of the image: exits 0 where the server of this container answers GET /health/live.
import { get as overHttp } from 'node:http';
import { get as overTls } from 'node:https';
import { connect } from 'node:net';

const { PORT: port, TLS_CERT_FILE: certificate, TLS_CLIENT_CA_FILE: clientCa } = process.env;
const target = { host: '127.0.0.1', port, path: '/health/live' };

// Where clients need a certificate of their own, none is here: it accepts connections, or not.
if (clientCa !== undefined) {
  connect(target, () => process.exit(0)).once('error', failed);
} else if (certificate === undefined) {
  overHttp(target, answered).once('error', failed);
} else {
  // The certificate is for the name that clients know. Nothing is sent that would need one to be checked.
  overTls({ ...target, rejectUnauthorized: false }, answered).once('error', failed);
}

function answered({ statusCode }) {
  process.exit(statusCode === 200 ? 0 : 1);
}

function failed() {
  process.exit(1);
}
