import { All, Controller, Options, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { messageOf, requestContextOf, requireAuthorized, type GateRequest } from '../core/request-context.js';
import { PublicRoute } from '../core/public-route.js';
import { allowedHeaders } from '../http/cross-origin.js';
import { McpServerAdapter } from './mcp-server-adapter.js';

/** The endpoint at `MCP_PATH`. A request in `post` has passed every guard. */
@Controller()
export class McpController {
  constructor(private readonly adapter: McpServerAdapter) {}

  @Post()
  async post(@Req() request: Request & GateRequest, @Res() response: Response): Promise<void> {
    await this.adapter.serve(response, requireAuthorized(requestContextOf(request)));
  }

  /** CORS preflight; the guard has rejected other origins. */
  @Options()
  @PublicRoute()
  preflight(@Req() request: Request, @Res() response: Response): void {
    response
      .status(204)
      .setHeader('access-control-allow-methods', 'POST')
      .setHeader(
        'access-control-allow-headers',
        allowedHeaders(request.headers['access-control-request-headers']).join(', '),
      )
      .setHeader('access-control-max-age', '600')
      .end();
  }

  /** Other methods: denied like a POST, or 405 for a valid caller. */
  @All()
  others(@Req() request: Request & GateRequest): void {
    messageOf(requestContextOf(request));
  }
}
