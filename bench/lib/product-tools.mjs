/**
 * A module of the product with the benchmark tools, with metadata in place of decorators, because no compiler runs
 * here.
 */
import { createRequire } from 'node:module';
import { ANSWER, INPUT_PROPERTIES, SCOPE, TOOL_DESCRIPTION, toolNames } from './workload.mjs';

const require = createRequire(import.meta.url);
const { Module } = require('@nestjs/common');
const { IsInt, IsOptional, IsString } = require('class-validator');
const { JSONSchema } = require('class-validator-jsonschema');
const { RequireScopes } = require('../../dist/policy/decorators.js');
const { Tool } = require('../../dist/tools/decorators.js');

class ReadInput {}

function property(name, type, ...decorators) {
  Reflect.defineMetadata('design:type', type, ReadInput.prototype, name);
  const { description } = INPUT_PROPERTIES[name];
  for (const decorate of [...decorators, JSONSchema({ description })]) decorate(ReadInput.prototype, name);
}
property('customer_id', String, IsString());
property('limit', Number, IsOptional(), IsInt());

/** @returns a module with this number of tools, each of which requires {@link SCOPE}. */
export function productTools(count) {
  class BenchTools {}
  for (const name of toolNames(count)) {
    Object.defineProperty(BenchTools.prototype, name, {
      value: () => ANSWER,
      writable: true,
      configurable: true,
    });
    const method = Object.getOwnPropertyDescriptor(BenchTools.prototype, name);
    Reflect.defineMetadata('design:paramtypes', [ReadInput], BenchTools.prototype, name);
    Tool({ name, description: TOOL_DESCRIPTION })(BenchTools.prototype, name, method);
    RequireScopes(SCOPE)(BenchTools.prototype, name, method);
  }
  class BenchModule {}
  Module({ providers: [BenchTools] })(BenchModule);
  return BenchModule;
}
