import { metadataUrls } from './issuer-metadata.service.js';

it.each([
  [
    'https://h',
    ['https://h/.well-known/oauth-authorization-server', 'https://h/.well-known/openid-configuration'],
  ],
  [
    'https://h/',
    ['https://h/.well-known/oauth-authorization-server', 'https://h/.well-known/openid-configuration'],
  ],
  [
    'https://h/realms/r',
    [
      'https://h/.well-known/oauth-authorization-server/realms/r',
      'https://h/.well-known/openid-configuration/realms/r',
      'https://h/realms/r/.well-known/openid-configuration',
    ],
  ],
])('%s', (issuer, urls) => {
  expect(metadataUrls(issuer)).toEqual(urls);
});
