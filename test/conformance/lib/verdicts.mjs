/** Compares the results of a run with the expectations, scenario by scenario. Pure functions. */

/** Maximum length of a message in the summary; the results contain the complete messages. */
const MAX_MESSAGE = 300;

/**
 * @typedef {{ name: string, passed: boolean, excused: boolean, problems: string[] }} Verdict `excused`: the
 *   baseline expects a failure. `problems`: failures and warnings of the checks.
 */

/**
 * @param {string[]} scenarios the required scenarios.
 * @param {Map<string, { id: string, status: string, errorMessage?: string, details?: any }[]>} checks by scenario.
 * @param {string[]} excused the scenarios that the baseline expects to fail.
 * @returns {Verdict[]}
 */
export function verdictsOf(scenarios, checks, excused) {
  return scenarios.map((name) => ({
    name,
    excused: excused.includes(name),
    ...verdictOf(checks.get(name) ?? []),
  }));
}

/** The rule of the suite: a scenario passes if it ran and no check failed. Warnings are shown and not counted. */
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

/** Counts expected passes and unexpected results (failures, and passes that the baseline excludes). */
export function count(verdicts) {
  const failed = verdicts.filter(isUnforeseen).length;
  return { passed: verdicts.filter(({ passed, excused }) => passed && !excused).length, failed };
}

/** The summary lines of one revision. */
export function summarize(revision, verdicts) {
  const excused = verdicts.filter((verdict) => !verdict.passed && verdict.excused).map(({ name }) => name);
  const passed = verdicts.filter((verdict) => verdict.passed).length;
  return [
    `${revision}: ${passed} of ${verdicts.length} required scenarios pass`,
    ...(excused.length > 0 ? [`  ${excused.length} fail as expected: ${excused.join(', ')}`] : []),
    ...verdicts.filter(isUnforeseen).map(({ name, passed: passes }) => {
      return `  ${name} ${passes ? 'passes although a failure is expected' : 'FAILS'}`;
    }),
    ...verdicts
      .filter((verdict) => !verdict.excused)
      .flatMap(({ name, problems }) => problems.map((problem) => `    ${name}: ${problem}`)),
  ];
}

function isUnforeseen({ passed, excused }) {
  return passed === excused;
}
