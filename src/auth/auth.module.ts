import { Module } from '@nestjs/common';
import { ClientCertificateService } from './client-certificate.service.js';
import { IntrospectionService } from './introspection.service.js';
import { IssuerMetadataService } from './issuer-metadata.service.js';
import { JwksService } from './jwks.service.js';
import { SenderBinding } from './sender-binding.js';
import { TokenVerifier } from './token-verifier.js';
import { VerifiedTokens } from './verified-tokens.js';

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
