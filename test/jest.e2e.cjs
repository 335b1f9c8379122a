module.exports = {
  ...require('./jest.shared.cjs'),
  testRegex: 'test/.*\\.e2e-spec\\.ts$',
  testTimeout: 60_000,
  maxWorkers: 2,
  globalSetup: '<rootDir>/test/support/build.cjs',
};
