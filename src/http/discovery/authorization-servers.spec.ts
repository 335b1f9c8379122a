import { ISSUER_DEFAULTS } from '../../config/identity-file.js';
import { authorizationServers } from './authorization-servers.js';

const ADFS = 'http://adfs.example.com/adfs/services/trust';
const HOST = 'https://adfs.example.com';
const listed = (issuer: string, metadataUrl?: string) =>
  authorizationServers([{ ...ISSUER_DEFAULTS, issuer, metadataUrl, audience: ['x'] }]);

it.each([
  ['https://login.example.com', undefined, ['https://login.example.com']],
  ['https://login.example.com', `${HOST}/x/.well-known/openid-configuration`, ['https://login.example.com']],
  ['http://127.0.0.1:9000', undefined, ['http://127.0.0.1:9000']],
  [ADFS, `${HOST}/adfs/.well-known/openid-configuration`, [`${HOST}/adfs`]],
  [ADFS, `${HOST}/.well-known/openid-configuration/adfs`, [`${HOST}/adfs`]],
  [ADFS, `${HOST}/.well-known/oauth-authorization-server/adfs`, [`${HOST}/adfs`]],
  [ADFS, `${HOST}/.well-known/openid-configuration`, [HOST]],
  [ADFS, `${HOST}/adfs/metadata`, []],
  [ADFS, undefined, []],
])(
  'authorizationServers maps the issuer %s with the metadata at %s to %j',
  (issuer, metadataUrl, expected) => {
    expect(listed(issuer, metadataUrl)).toEqual(expected);
  },
);
