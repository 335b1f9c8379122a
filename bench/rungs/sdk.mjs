/** The SDK (v2) on `node:http` with a token check. */
import * as jose from 'jose';
import { createServer } from 'node:http';
import { bearerCheck } from '../lib/bearer.mjs';
import { sdkHandler } from '../lib/sdk-server.mjs';
import { readJob } from '../lib/workload.mjs';

const job = readJob();
const check = bearerCheck(jose, job);
const serve = sdkHandler(job.tools);
const server = createServer((request, response) => {
  check(request.headers.authorization).then(
    () => serve(request, response),
    () => response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end(),
  );
});
server.keepAliveTimeout = 75_000;
server.listen(job.port, '127.0.0.1', () => process.send('listening'));
process.once('disconnect', () => process.exit(0));
