import fc from 'fast-check';
import { compileUriTemplate } from './uri-template.js';

it.each([
  ['docs://{page}', 'docs://intro', { page: 'intro' }],
  ['docs://{section}/{page}', 'docs://a/b%20c', { section: 'a', page: 'b c' }],
  ['docs://{page}', 'docs://a/b', undefined],
  ['docs://{page}', 'docs://', undefined],
  ['docs://{page}', 'xdocs://a', undefined],
  ['docs://{page}', 'docs://a?x=1', undefined],
  ['docs://{page}', 'docs://%zz', undefined],
  ['docs://{page}', 'docs://a%2Fb', { page: 'a/b' }],
  ['test://a.b/{x}', 'test://aXb/1', undefined],
  ['docs://{page}', 'docs://{page}', { page: '{page}' }],
])('matches %s against %s', (template, uri, variables) => {
  expect(compileUriTemplate(template).match(uri)).toEqual(variables);
});

it.each([
  'docs://none',
  'docs://{a}/{a}',
  'docs://{+a}',
  'docs://{?a}',
  'docs://{a',
  'docs://a}',
  'docs://{}',
  'docs://{a}{b}',
  'docs://{a}-{b}',
  'docs://page-{a}',
  'docs://{a}.txt',
])('rejects the template %s', (template) => {
  expect(() => compileUriTemplate(template)).toThrow(template);
});

it('returns the variables that were expanded into a URI', () => {
  const segment = fc.string({ unit: 'grapheme', minLength: 1 });
  const matcher = compileUriTemplate('x://h/{one}/of/{two}');
  fc.assert(
    fc.property(segment, segment, (one, two) => {
      const uri = `x://h/${encodeURIComponent(one)}/of/${encodeURIComponent(two)}`;
      expect(matcher.match(uri)).toEqual({ one, two });
    }),
  );
});

it('rejects a long hostile URI in linear time', () => {
  const matcher = compileUriTemplate('x://{a}/{b}/{c}/{d}/end');
  for (const uri of [
    '/'.repeat(500_000),
    'a/'.repeat(500_000),
    'x'.repeat(1_000_000),
    '%'.repeat(1_000_000),
  ]) {
    const started = performance.now();
    expect(matcher.match(`x://${uri}`)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(500);
  }
});
