/** The Cedar engine: four megabytes of WebAssembly, for those who have rules for it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { compileFunction } from 'node:vm';
import type { CedarEngine } from './cedar-file.js';

/** V8 up to 12 (Node 20 and 22) ends the process when it takes back an optimized call from JavaScript into WebAssembly. */
const CRASHING_V8 = 12;

interface WasmBindings {
  readonly start: (exports: CedarEngine, require: NodeJS.Require, folder: string, wasm: object) => void;
  readonly folder: string;
}
let bindings: WasmBindings | undefined;
let compiled: WebAssembly.Module | undefined;

/**
 * An engine of its own for each who asks, where a `require` would share one: an engine that runs out of stack is down
 * for good, since WebAssembly does not unwind it, and must not take the policy in force with it.
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

/** Called with `new`: what it returns takes the place of what would be made. */
function onceCompiled(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  return (compiled ??= new WebAssembly.Module(bytes));
}
