import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import { RpcCode } from './rpc-code.js';

const SHARED = [
  'ParseError',
  'InvalidRequest',
  'MethodNotFound',
  'InvalidParams',
  'InternalError',
  'ResourceNotFound',
] as const;

it.each(SHARED)('RpcCode has the code of the SDK for %s', (name) => {
  expect(RpcCode[name]).toBe(ProtocolErrorCode[name]);
});
