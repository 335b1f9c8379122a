/** Compares an expected access matrix with the decisions of the code and of a policy. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { changesBetween, matrixOf, type Answer, type Matrix } from '../../src/cli/policy/matrix.js';
import { principalsIn } from '../../src/cli/policy/principals.js';
import { registeredTargets } from '../../src/cli/registered-targets.js';
import { loadSettings } from '../../src/config/load-settings.js';
import { loadPolicy } from '../../src/policy/load-policy.js';
import { readOperatorFiles } from '../../src/policy/operator-files.js';

export interface AccessMatrixOptions {
  /** A policy folder as in `POLICY_DIR`. Default: no policy. */
  readonly policy?: string;
  /** Additional variables of the server, such as `EXAMPLE_TOOLS`. */
  readonly env?: Readonly<Record<string, string>>;
  /** The time for conditions. Default: now. */
  readonly now?: Date;
}

interface ExpectedFile {
  /** For each target name, the expected answer for each principal of the file. */
  readonly matrix: Readonly<Record<string, Readonly<Record<string, Answer>>>>;
}

/**
 * The differences between a file and the registered targets as sentences; empty without a difference. The file must
 * name exactly the registered tools, resources and prompts.
 * @param file YAML with `principals`, as for `npm run policy -- matrix --as`, and `matrix`.
 */
export async function accessMatrixDrift(file: string, options: AccessMatrixOptions = {}): Promise<string[]> {
  const text = readFileSync(file, 'utf8');
  const { principals, matrix } = parse(text) as ExpectedFile & { principals: unknown };
  const people = principalsIn(file, JSON.stringify({ principals }));
  const env = { AUTH_ISSUER: 'https://issuer.example', TOOL_ALLOW_LIST: '*', ...options.env };
  const settings = loadSettings(env, () => '');
  const files = options.policy === undefined ? undefined : readOperatorFiles(options.policy);
  const loaded = loadPolicy(settings.policy, await registeredTargets(settings), files);
  const now = (options.now ?? new Date()).getTime();
  const actual = matrixOf(loaded, people, { now, ip: '127.0.0.1' });
  const names = people.map(({ name }) => name);
  const expected: Matrix = {
    principals: names,
    rows: Object.entries(matrix).map(([target, answers]) => ({
      target,
      cells: names.map((name) => ({ answer: expectedOf(answers, name) as Answer, rule: undefined })),
    })),
  };
  loaded.dispose();
  const strangers = Object.entries(matrix).flatMap(([target, answers]) =>
    Object.keys(answers)
      .filter((name) => !names.includes(name))
      .map((name) => `${target}, ${name}: there is no such principal`),
  );
  const drift = changesBetween(expected, actual).map(
    ({ target, principal, before, after }) =>
      `${target}, ${principal}: expected ${before?.answer ?? 'nothing'}, is ${after?.answer ?? 'not registered'}`,
  );
  return [...strangers, ...drift];
}

function expectedOf(answers: Readonly<Record<string, Answer>>, name: string): Answer | undefined {
  return Object.hasOwn(answers, name) ? answers[name] : undefined;
}
