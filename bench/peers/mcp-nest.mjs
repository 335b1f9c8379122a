/** `@rekog/mcp-nest`: Nest with a bearer token guard on its route, without audit records. */
import 'reflect-metadata';
import { Controller, Module, UnauthorizedException, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  McpController,
  McpHttpControllerFor,
  McpStrategy,
  StreamableHttpTransport,
  Tool,
} from '@rekog/mcp-nest';
import * as jose from 'jose';
import { bearerCheck } from '../lib/bearer.mjs';
import { ANSWER, readJob, TOOL_DESCRIPTION, toolNames } from '../lib/workload.mjs';
import { input } from './shared.mjs';

const job = readJob();
const check = bearerCheck(jose, job);

class BearerGuard {
  async canActivate(context) {
    const request = context.switchToHttp().getRequest();
    try {
      request.user = await check(request.headers.authorization);
      return true;
    } catch {
      throw new UnauthorizedException();
    }
  }
}

const transport = new StreamableHttpTransport();
class HttpController extends McpHttpControllerFor(transport) {}
Controller('mcp')(HttpController);
UseGuards(BearerGuard)(HttpController);

class BenchTools {}
for (const name of toolNames(job.tools)) {
  BenchTools.prototype[name] = () => ({ content: [{ type: 'text', text: ANSWER }] });
  const method = Object.getOwnPropertyDescriptor(BenchTools.prototype, name);
  Tool({ name, description: TOOL_DESCRIPTION, parameters: input })(BenchTools.prototype, name, method);
}
McpController()(BenchTools);

class AppModule {}
Module({ controllers: [HttpController, BenchTools] })(AppModule);

const strategy = new McpStrategy({ name: 'bench', version: '1.0.0', transports: [transport] });
const app = await NestFactory.create(AppModule, { logger: false });
strategy.setHttpAdapter(app.getHttpAdapter());
app.connectMicroservice({ strategy });
await app.startAllMicroservices();
await app.listen(job.port, '127.0.0.1');
app.getHttpServer().keepAliveTimeout = 75_000;
process.send('listening');
process.once('disconnect', () => process.exit(0));
