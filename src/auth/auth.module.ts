import { Module } from '@nestjs/common';
import { IssuerMetadataService } from './issuer-metadata.service.js';
import { JwksService } from './jwks.service.js';
import { TokenVerifier } from './token-verifier.js';

@Module({
  providers: [IssuerMetadataService, JwksService, TokenVerifier],
  exports: [IssuerMetadataService, JwksService, TokenVerifier],
})
export class AuthModule {}
