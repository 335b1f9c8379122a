/**
 * The built server in its own process with an empty tool, so that a call shows the cost of the gateway.
 * `BENCH_TOOLS` sets the number of benchmark tools used instead.
 */
import { createRequire } from 'node:module';
import { productTools } from './lib/product-tools.mjs';

const require = createRequire(import.meta.url);
const { Module } = require('@nestjs/common');
const { createApp } = require('../dist/create-app.js');
const { AnyPrincipal } = require('../dist/policy/decorators.js');
const { Tool } = require('../dist/tools/decorators.js');

class BenchTools {
  nothing() {
    return 'done';
  }
}
class BenchModule {}

// Equivalent of `@Tool(…) @AnyPrincipal() nothing()` and `@Module(…)`, because no compiler runs here.
const nothing = Object.getOwnPropertyDescriptor(BenchTools.prototype, 'nothing');
Reflect.defineMetadata('design:paramtypes', [], BenchTools.prototype, 'nothing');
Tool({ name: 'nothing', description: 'Does nothing' })(BenchTools.prototype, 'nothing', nothing);
AnyPrincipal()(BenchTools.prototype, 'nothing', nothing);
Module({ providers: [BenchTools] })(BenchModule);

const { BENCH_TOOLS } = process.env;
const imports = [BENCH_TOOLS === undefined ? BenchModule : productTools(Number(BENCH_TOOLS))];
const app = await createApp(process.env, { imports });
await app.listen();
process.once('disconnect', () => void app.close().finally(() => process.exit(0)));
process.send('listening');
