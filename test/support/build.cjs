/** Builds the server and the demo once, for tests that start the built programs. */
const { execSync } = require('node:child_process');
const { join } = require('node:path');

module.exports = () => {
  const options = { cwd: join(__dirname, '../..'), stdio: 'inherit' };
  execSync('npx --no-install nest build', options);
  execSync('npx --no-install tsc -p demo/tsconfig.json', options);
};
