/** The Cedar engine: four megabytes of WebAssembly, for those who have rules for it. */
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import type { CedarEngine } from './cedar-file.js';

/** V8 up to 12 (Node 20 and 22) ends the process when it takes back an optimized call from JavaScript into WebAssembly. */
const CRASHING_V8 = 12;

export function loadCedar(): CedarEngine {
  if (Number.parseInt(process.versions.v8, 10) <= CRASHING_V8) {
    setFlagsFromString('--no-turbo-inline-js-wasm-calls');
  }
  return createRequire(__filename)('@cedar-policy/cedar-wasm/nodejs') as CedarEngine;
}
