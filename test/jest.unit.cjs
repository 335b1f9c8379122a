module.exports = {
  ...require('./jest.shared.cjs'),
  testRegex: 'src/.*\\.spec\\.ts$',
  // Property tests run hundreds of cases and can be slow on a busy machine.
  testTimeout: 30_000,
};
