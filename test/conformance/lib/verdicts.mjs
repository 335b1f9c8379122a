/** What a run means: scenario by scenario, held against what was expected of it. Pure. */

/** Longer messages are cut in the summary; the results have them whole. */
const MAX_MESSAGE = 300;

/**
 * @typedef {{ name: string, passed: boolean, excused: boolean, problems: string[] }} Verdict
 *   `excused`: the baseline says that it fails. `problems`: what its checks complained about, warnings too.
 */

/**
 * @param {string[]} scenarios those that count.
 * @param {Map<string, { id: string, status: string, errorMessage?: string, details?: any }[]>} checks by scenario.
 * @param {string[]} excused those that the baseline expects to fail.
 * @returns {Verdict[]}
 */
export function verdictsOf(scenarios, checks, excused) {
  return scenarios.map((name) => ({
    name,
    excused: excused.includes(name),
    ...verdictOf(checks.get(name) ?? []),
  }));
}

/** The suite's own rule: a scenario passes where it ran and no check of it failed. Warnings are shown, not counted. */
function verdictOf(checks) {
  if (checks.length === 0) return { passed: false, problems: ['left no result'] };
  return {
    passed: !checks.some(({ status }) => status === 'FAILURE'),
    problems: checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING').map(problemOf),
  };
}

function problemOf({ status, id, errorMessage, details }) {
  const message = errorMessage ?? details?.message ?? '';
  return `${status} ${id}: ${message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message}`;
}

/** Passes that were expected, and whatever was not: failures, and passes that the baseline rules out. */
export function count(verdicts) {
  const failed = verdicts.filter(isUnforeseen).length;
  return { passed: verdicts.filter(({ passed, excused }) => passed && !excused).length, failed };
}

/** The summary of one revision, line by line. */
export function summarize(revision, verdicts) {
  const excused = verdicts.filter((verdict) => !verdict.passed && verdict.excused).map(({ name }) => name);
  const passed = verdicts.filter((verdict) => verdict.passed).length;
  return [
    `${revision}: ${passed} of ${verdicts.length} required scenarios pass`,
    ...(excused.length > 0 ? [`  ${excused.length} fail as expected: ${excused.join(', ')}`] : []),
    ...verdicts.filter(isUnforeseen).map(({ name, passed: passes }) => {
      return `  ${name} ${passes ? 'passes, and is expected to fail' : 'FAILS'}`;
    }),
    ...verdicts
      .filter((verdict) => !verdict.excused)
      .flatMap(({ name, problems }) => problems.map((problem) => `    ${name}: ${problem}`)),
  ];
}

function isUnforeseen({ passed, excused }) {
  return passed === excused;
}
