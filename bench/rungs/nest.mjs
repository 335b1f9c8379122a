/**
 * The SDK (v2) with Nest in three steps: a guard with jose on every request; `--token`: the token verifier of the
 * product; `--decision`: also its policy. These steps write no audit records; the next step is the product.
 */
import * as jose from 'jose';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { bearerCheck } from '../lib/bearer.mjs';
import { productTools } from '../lib/product-tools.mjs';
import { sdkHandler } from '../lib/sdk-server.mjs';
import { readJob } from '../lib/workload.mjs';

const require = createRequire(import.meta.url);
const {
  Controller,
  Module,
  Post,
  Req,
  Res,
  UnauthorizedException,
  ForbiddenException,
} = require('@nestjs/common');
const { APP_GUARD, NestFactory } = require('@nestjs/core');

const job = readJob();
const decides = process.argv.includes('--decision');
const verifies = decides || process.argv.includes('--token');
const serve = sdkHandler(job.tools);

class McpController {
  post(request, response) {
    return serve(request, response, request.body);
  }
}
Controller('mcp')(McpController);
Post()(McpController.prototype, 'post', Object.getOwnPropertyDescriptor(McpController.prototype, 'post'));
Req()(McpController.prototype, 'post', 0);
Res()(McpController.prototype, 'post', 1);

/** The modules of the product for this step. */
function productModules() {
  const { ConfigModule } = require('@nestjs/config');
  const { AuthModule } = require('../../dist/auth/auth.module.js');
  const { loadSettings } = require('../../dist/config/load-settings.js');
  const { PolicyModule } = require('../../dist/policy/policy.module.js');
  const { ToolsModule } = require('../../dist/tools/tools.module.js');
  const settings = loadSettings(process.env, (path) => readFileSync(path, 'utf8'));
  const config = ConfigModule.forRoot({
    isGlobal: true,
    ignoreEnvFile: true,
    skipProcessEnv: true,
    validatePredefined: false,
    load: [() => settings],
  });
  const policy = decides ? [ToolsModule, PolicyModule.over(ToolsModule), productTools(job.tools)] : [];
  return [config, AuthModule, ...policy];
}

function refuse() {
  throw new UnauthorizedException();
}

let guard;
const gate = { canActivate: (context) => guard(context.switchToHttp().getRequest()) };
class AppModule {}
Module({
  imports: verifies ? productModules() : [],
  controllers: [McpController],
  providers: [{ provide: APP_GUARD, useValue: gate }],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
guard = verifies ? await productGuard() : bareGuard();
await app.listen(job.port, '127.0.0.1');
app.getHttpServer().keepAliveTimeout = 75_000;
process.send('listening');
process.once('disconnect', () => process.exit(0));

function bareGuard() {
  const check = bearerCheck(jose, job);
  return (request) => check(request.headers.authorization).then(() => true, refuse);
}

async function productGuard() {
  await app.init();
  const { TokenVerifier } = require('../../dist/auth/verify/token-verifier.js');
  const verifier = app.get(TokenVerifier, { strict: false });
  const verify = (request) => {
    const { authorization } = request.headers;
    if (!authorization?.startsWith('Bearer ')) refuse();
    const token = authorization.slice('Bearer '.length);
    return verifier
      .verify({ scheme: 'Bearer', token, proofs: [], certificate: () => undefined })
      .catch(refuse);
  };
  if (!decides) return (request) => verify(request).then(() => true);
  const { PolicyService } = require('../../dist/policy/policy.service.js');
  const policy = app.get(PolicyService, { strict: false });
  policy.load();
  return async (request) => {
    const principal = await verify(request);
    const { method, params } = request.body;
    if (method === 'tools/list') return policy.listing(principal, 'tools', request.ip).shown.length > 0;
    const target = policy.catalogue.find('tool', params.name) ?? { kind: 'tool', name: params.name };
    const { effect } = policy.decide(principal, target, request.ip, params.arguments);
    if (effect !== 'allow') throw new ForbiddenException();
    return true;
  };
}
