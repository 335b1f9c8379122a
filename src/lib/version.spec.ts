import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PRODUCT_NAME, VERSION } from './version.js';

it('has the name and the version of package.json', () => {
  const { name, version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'));
  expect([PRODUCT_NAME, VERSION]).toEqual([name, version]);
});
