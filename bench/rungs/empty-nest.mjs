/** A Nest application with one route, as the reference for the start time. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
require('reflect-metadata');
const { Controller, Get, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');

class EmptyController {
  get() {
    return 'ok';
  }
}
Controller()(EmptyController);
Get()(EmptyController.prototype, 'get', Object.getOwnPropertyDescriptor(EmptyController.prototype, 'get'));

class AppModule {}
Module({ controllers: [EmptyController] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(Number(process.env.PORT), '127.0.0.1');
