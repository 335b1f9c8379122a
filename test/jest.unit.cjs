module.exports = { ...require('./jest.shared.cjs'), testRegex: 'src/.*\\.spec\\.ts$' };
