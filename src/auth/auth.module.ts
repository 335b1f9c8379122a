import { Module } from '@nestjs/common';
import { ClientCertificateService } from './binding/client-certificate.service.js';
import { IntrospectionService } from './introspection/introspection.service.js';
import { IssuerMetadataService } from './keys/issuer-metadata.service.js';
import { JwksService } from './keys/jwks.service.js';
import { SenderBinding } from './binding/sender-binding.js';
import { TokenVerifier } from './verify/token-verifier.js';
import { VerifiedTokens } from './verify/verified-tokens.js';

@Module({
  providers: [
    IssuerMetadataService,
    JwksService,
    IntrospectionService,
    SenderBinding,
    VerifiedTokens,
    ClientCertificateService,
    TokenVerifier,
  ],
  exports: [
    IssuerMetadataService,
    IntrospectionService,
    JwksService,
    SenderBinding,
    ClientCertificateService,
    TokenVerifier,
  ],
})
export class AuthModule {}
