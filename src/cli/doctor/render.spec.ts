import { renderJson, renderText } from './render.js';
import type { Report } from './report.js';

const REPORT: Report = {
  good: false,
  verdict: 'rejected: 401 token_audience.',
  reason: 'token_audience',
  sections: [
    { title: 'The token', facts: [{ name: 'aud', value: '"account"' }] },
    {
      title: 'The checks',
      lines: [
        { state: 'ok', name: 'form', message: 'a signed JWT' },
        {
          state: 'fail',
          name: 'audience',
          reason: 'token_audience',
          message: 'The token is not meant for this server',
          advice: {
            rule: 'other-audience',
            message: 'It is for another server.',
            providerFix: 'Request a new one.',
            serverFix: 'AUTH_AUDIENCE',
          },
        },
        {
          state: 'not checked',
          name: 'signature',
          message: 'https://a-word-that-is-longer-than-a-line-can-be.example/path',
        },
      ],
    },
  ],
};

it('aligns the columns and breaks lines only between words', () => {
  expect(renderText(REPORT, { colour: false, width: 70 })).toBe(`The token
  aud  "account"

The checks
  ok           form       a signed JWT
  fail         audience   token_audience: The token is not meant for
                          this server
                          It is for another server.
                          at the provider: Request a new one.
                          at the gateway: AUTH_AUDIENCE
  not checked  signature  https://a-word-that-is-longer-than-a-line-can-be.example/path

Verdict: rejected: 401 token_audience.
`);
});

it('prints the same text with and without colours', () => {
  const plain = renderText(REPORT, { colour: false, width: 70 });
  const coloured = renderText(REPORT, { colour: true, width: 70 });
  expect(coloured).toContain('\u001b[31mfail');
  expect(coloured.replaceAll(/\p{Cc}\[\d+m/gu, '')).toBe(plain);
});

it('prints the same findings as JSON', () => {
  expect(JSON.parse(renderJson(REPORT))).toEqual(REPORT);
});
