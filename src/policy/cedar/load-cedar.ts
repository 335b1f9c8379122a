/** Loads the Cedar engine (four megabytes of WebAssembly) on demand. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { compileFunction } from 'node:vm';
import type { CedarEngine } from './cedar-file.js';

/** V8 up to 12 (Node.js 20 and 22) crashes when it deoptimizes an inlined call from JavaScript into WebAssembly. */
const CRASHING_V8 = 12;

interface WasmBindings {
  readonly start: (exports: CedarEngine, require: NodeJS.Require, folder: string, wasm: object) => void;
  readonly folder: string;
}
let bindings: WasmBindings | undefined;
let compiled: WebAssembly.Module | undefined;

/**
 * Creates a separate engine; `require` would share one. An engine without stack stays unusable, because WebAssembly
 * does not unwind, and must not affect the policy in force.
 */
export function startCedar(): CedarEngine {
  const { start, folder } = (bindings ??= readBindings());
  const engine = {} as CedarEngine;
  start(engine, createRequire(__filename), folder, { Instance: WebAssembly.Instance, Module: onceCompiled });
  return engine;
}

function readBindings(): WasmBindings {
  if (Number.parseInt(process.versions.v8, 10) <= CRASHING_V8) {
    setFlagsFromString('--no-turbo-inline-js-wasm-calls');
  }
  const filename = createRequire(__filename).resolve('@cedar-policy/cedar-wasm/nodejs');
  const parameters = ['exports', 'require', '__dirname', 'WebAssembly'];
  const start = compileFunction(readFileSync(filename, 'utf8'), parameters, {
    filename,
  }) as WasmBindings['start'];
  return { start, folder: dirname(filename) };
}

/** Called with `new`: the returned module replaces the new object. */
function onceCompiled(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  return (compiled ??= new WebAssembly.Module(bytes));
}
