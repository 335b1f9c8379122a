/** The JSON Schemas of docs/reference/schemas agree with the readers of the YAML documents. */
import Ajv, { type ValidateFunction } from 'ajv';
import { getMetadataStorage } from 'class-validator';
import fc from 'fast-check';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { readIdentityFile } from '../src/config/identity-file.js';
import { readSignalsFile } from '../src/config/signals-file.js';
import { readSinksFile } from '../src/config/sinks-file.js';
import { readUpstreamsFile } from '../src/config/upstreams-file.js';
import { readPolicyFile } from '../src/policy/policy-file.js';
import { codeBlocks, PAGES } from './support/documents.js';

const ROOT = join(__dirname, '..');
const SCHEMAS = join(ROOT, 'docs/reference/schemas');

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly additionalProperties?: boolean | Schema;
}

const PEM = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

const isYaml = (path: string) => path.endsWith('.yaml');
const reader = (text: string) => (path: string) =>
  isYaml(path) ? text : path.endsWith('.pem') ? PEM : `Bearer ${'x'.repeat(32)}`;

/** The faults that the server finds in a document. */
const READERS: Readonly<Record<string, (text: string, faults: string[]) => unknown>> = {
  identity: (text, faults) =>
    readIdentityFile(
      { path: '/identity.yaml', resource: 'https://gate.example.com/mcp', read: reader(text) },
      faults,
    ),
  policy: readPolicyFile,
  sinks: (text, faults) => readSinksFile('/sinks.yaml', reader(text), faults),
  signals: (text, faults) => readSignalsFile('/signals.yaml', [], reader(text), faults),
  upstreams: (text, faults) => readUpstreamsFile('/upstreams.yaml', reader(text), faults),
};
const NAMES = Object.keys(READERS);

function faultsOf(name: string, text: string): string[] {
  const faults: string[] = [];
  READERS[name]?.(text, faults);
  return faults;
}

const schemaOf = (name: string) =>
  JSON.parse(readFileSync(join(SCHEMAS, `${name}.schema.json`), 'utf8')) as Schema;
const validators = new Map<string, ValidateFunction>(
  NAMES.map((name) => [
    name,
    new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, unicodeRegExp: true }).compile(
      schemaOf(name),
    ),
  ]),
);
const isValid = (name: string, document: unknown) => validators.get(name)?.(document) === true;

/** Sets of member names of the mappings that a schema describes. */
function mappingsOf(schema: Schema): string[] {
  const own =
    schema.properties && !schema.oneOf?.some(({ properties }) => properties) ? [schema.properties] : [];
  const inner = [
    ...Object.values(schema.properties ?? {}),
    ...Object.values(schema.definitions ?? {}),
    ...(schema.items ? [schema.items] : []),
    ...(schema.oneOf ?? []),
  ];
  return [...own.map((members) => Object.keys(members).sort().join()), ...inner.flatMap(mappingsOf)];
}

/** Sets of member names of the classes that the readers check. */
function classMembers(): Set<string> {
  const storage = getMetadataStorage() as unknown as {
    validationMetadatas: Map<new () => object, unknown>;
    getTargetValidationMetadatas(
      target: unknown,
      schema: string,
      always: boolean,
      strict: boolean,
    ): { propertyName: string }[];
  };
  return new Set(
    [...storage.validationMetadatas.keys()].map((type) =>
      [
        ...new Set(
          storage
            .getTargetValidationMetadatas(type, '', false, false)
            .map(({ propertyName }) => propertyName),
        ),
      ]
        .sort()
        .join(),
    ),
  );
}

/** Documents of the pages and examples, by the first member that names their kind. */
const KINDS: readonly [RegExp, string][] = [
  [/^(sinks):/m, 'sinks'],
  [/^(transmitters):/m, 'signals'],
  [/^(upstreams):/m, 'upstreams'],
  [/^(issuers):/m, 'identity'],
  [/^(rules|rates|allow_list|scope_implies|mode|list):/m, 'policy'],
];
const texts = [
  ...PAGES.flatMap(codeBlocks)
    .filter(({ language }) => language === 'yaml')
    .map(({ page, text }) => [page, text] as const),
  ...readdirSync(join(ROOT, 'examples/upstreams'))
    .filter(isYaml)
    .map((name) => [name, readFileSync(join(ROOT, 'examples/upstreams', name), 'utf8')] as const),
];
const documents = texts.flatMap(([page, text]) => {
  const kind = KINDS.find(([pattern]) => pattern.test(text))?.[1];
  return kind && faultsOf(kind, text).length === 0 ? [[kind, page, text] as const] : [];
});

/** One random change of a document: a member removed, added, or with another value. */
function changed(document: unknown, at: number, value: unknown, name: string): unknown {
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const copy = structuredClone(document);
  const visit = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      places.push({ holder: node as Record<string, unknown>, key });
      visit((node as Record<string, unknown>)[key]);
    }
  };
  visit(copy);
  const place = places[at % places.length];
  if (!place) return copy;
  if (name === '') delete place.holder[place.key];
  else if (name === 'value' || Array.isArray(place.holder)) place.holder[place.key] = value;
  else place.holder[name] = value;
  return copy;
}

const SAMPLES = [
  true,
  false,
  null,
  0,
  1,
  60,
  300,
  1e9,
  '',
  'a',
  'read',
  'none',
  'shadow',
  'enforce',
  'required',
  'https://a.example.com',
  'http://127.0.0.1',
  '*',
  [],
  ['a'],
  ['ES256'],
  {},
  { a: 'b' },
];

describe.each(NAMES)('the schema %s', (name) => {
  const own = documents.filter(([kind]) => kind === name);

  it('describes the members that the reader knows', () => {
    const known = classMembers();
    const schema = schemaOf(name);
    if (name === 'sinks') {
      const types = schema.properties?.sinks?.items?.oneOf ?? [];
      const members = [...new Set(types.flatMap(({ properties = {} }) => Object.keys(properties)))]
        .sort()
        .join();
      expect(known).toContain(members);
    } else {
      const mappings = mappingsOf(schema);
      expect(mappings.length).toBeGreaterThan(1);
      expect(mappings.filter((members) => !known.has(members) && members !== 'file')).toEqual([]);
    }
  });

  it('accepts every document of the pages and examples', () => {
    expect(own.length).toBeGreaterThan(0);
    for (const [, page, text] of own) {
      isValid(name, parse(text));
      expect({ page, errors: validators.get(name)?.errors }).toEqual({ page, errors: null });
    }
  });

  it('rejects an unknown member', () => {
    for (const [, , text] of own) expect(isValid(name, { ...parse(text), surprise: 1 })).toBe(false);
  });

  it('accepts every changed document that the reader accepts', () => {
    const members = [
      ...JSON.stringify(schemaOf(name)).matchAll(/"([a-z_]+)":\{"(?:description|allOf|\$ref|type|const)"/g),
    ].map(([, member = '']) => member);
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...own),
        fc.nat(),
        fc.constantFrom(...SAMPLES),
        fc.constantFrom('', 'value', ...members),
        ([, , text], at, value, member) => {
          const document = changed(parse(text), at, value, member);
          if (faultsOf(name, stringify(document)).length > 0) return;
          accepted += 1;
          isValid(name, document);
          expect({ document, errors: validators.get(name)?.errors }).toEqual({ document, errors: null });
        },
      ),
      { numRuns: 2_000 },
    );
    expect(accepted).toBeGreaterThan(50);
  });
});
