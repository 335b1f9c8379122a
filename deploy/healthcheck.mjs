// HEALTHCHECK of the image: exits 0 where the server of this container answers GET /health/live.
import { connect } from 'node:net';

const port = Number(process.env.PORT);

if (process.env.TLS_CERT_FILE === undefined) {
  const { ok } = await fetch(`http://127.0.0.1:${port}/health/live`);
  process.exit(ok ? 0 : 1);
}
// With TLS in process the certificate is for another name, and clients may need one of their own: it accepts, or not.
const socket = connect({ host: '127.0.0.1', port }, () => process.exit(0));
socket.once('error', () => process.exit(1));
