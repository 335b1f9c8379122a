module.exports = {
  ...require('./jest.shared.cjs'),
  testRegex: 'src/.*\\.spec\\.ts$',
  // Properties are tried by the hundred, on machines that have other things to do as well.
  testTimeout: 30_000,
};
