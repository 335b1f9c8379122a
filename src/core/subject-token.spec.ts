import { inspect } from 'node:util';
import { SubjectToken } from './subject-token.js';

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.payload.signature';

describe('SubjectToken', () => {
  it('reveals its token', () => {
    expect(new SubjectToken(TOKEN).reveal()).toBe(TOKEN);
  });

  it.each<[string, (token: SubjectToken) => unknown]>([
    ['JSON', (token) => JSON.stringify({ token })],
    ['a template', (token) => `${token as unknown as string}`],
    ['inspect with hidden properties', (token) => inspect(token, { showHidden: true, depth: Infinity })],
    ['its property names', (token) => Reflect.ownKeys(token).map(String).join()],
    ['a spread copy', (token) => JSON.stringify(Object.assign({}, token))],
    ['a structured clone', (token) => inspect(structuredClone(token))],
  ])('hides the token in %s', (_name, show) => {
    expect(String(show(new SubjectToken(TOKEN)))).not.toMatch(/eyJ|payload|signature/);
  });
});
