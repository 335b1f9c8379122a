/** Compares records and HTTP answers of the tests with docs/reference: the audit record schema and openapi.yaml. */
import Ajv from 'ajv';
import Ajv2020 from 'ajv/dist/2020.js';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const REFERENCE = join(__dirname, '../../docs/reference');

const isRecord = new Ajv({ allowUnionTypes: true, strictRequired: false }).compile(
  JSON.parse(readFileSync(join(REFERENCE, 'schemas/audit-record.schema.json'), 'utf8')),
);

/** @throws Error if a record of the file does not match the schema. Lines that are not JSON are skipped. */
export function checkRecords(file: string): void {
  // /dev/full, which some tests use as the file, can be read without end.
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return;
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch {
      continue;
    }
    if (!isRecord(record))
      throw new Error(`Record differs from its schema: ${JSON.stringify(isRecord.errors)}: ${line}`);
  }
}

interface Operation {
  readonly responses: Readonly<Record<string, object>>;
}

const openApi = parse(readFileSync(join(REFERENCE, 'openapi.yaml'), 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
const schemas = new Ajv2020({ strict: false }).addSchema(openApi, 'openapi');

/**
 * @param path path of the request, without a query.
 * @throws Error if an operation of openapi.yaml answers with another status or body. Other requests are not checked.
 */
export function checkAnswer(method: string, path: string, answer: { status: number; body: unknown }): void {
  const template = Object.keys(openApi.paths).find((one) =>
    new RegExp(`^${one.replace(/\{\w+\}/g, '[^/]+').replaceAll('.', '\\.')}$`).test(path),
  );
  const operation = template && openApi.paths[template]?.[method.toLowerCase()];
  if (!operation) return;
  const place = `openapi#/paths/${template.replaceAll('~', '~0').replaceAll('/', '~1')}/${method.toLowerCase()}`;
  const response = operation.responses[answer.status] as { $ref?: string; content?: object } | undefined;
  if (!response) throw new Error(`openapi.yaml: ${method} ${path} has no response ${answer.status}`);
  if (answer.body === undefined) return;
  const holder = response.$ref ? `openapi${response.$ref}` : `${place}/responses/${answer.status}`;
  const validate = schemas.getSchema(`${encodeURI(holder)}/content/application~1json/schema`);
  if (!validate) throw new Error(`openapi.yaml: ${method} ${path}, ${answer.status} has no JSON body`);
  if (!validate(answer.body))
    throw new Error(
      `openapi.yaml: ${method} ${path}, ${answer.status}: ${JSON.stringify(validate.errors)}: ${JSON.stringify(answer.body)}`,
    );
}
