import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { pino, type Logger, type LoggerOptions } from 'pino';
import { LogContext } from './log-context.js';
import { loggerOptions } from './request-logging.js';

const request = (id: string) =>
  ({
    id,
    method: 'POST',
    url: '/mcp',
    headers: { authorization: 'Bearer secret' },
  }) as unknown as IncomingMessage;

/** Lines as the logger of the server writes them. */
async function lines(act: (logger: Logger, context: LogContext) => Promise<void>): Promise<object[]> {
  const context = new LogContext();
  const [options] = loggerOptions({ level: 'info', pretty: false }, context).pinoHttp as [LoggerOptions];
  const stream = new PassThrough();
  await act(pino(options, stream), context);
  stream.end();
  const written: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => written.push(chunk));
  await once(stream, 'end');
  const text = Buffer.concat(written).toString();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
}

it('LogContext adds the request to log lines of its tool only', async () => {
  const found = await lines(async (logger, context) => {
    const act = async (name: string, milliseconds: number) => {
      logger.info(`${name} begins`);
      await pause(milliseconds);
      logger.info({ more: 1 }, `${name} ends`);
    };
    logger.info('before');
    await Promise.all([
      context.run(request('one'), () => act('one', 20)),
      context.run(request('two'), () => act('two', 5)),
    ]);
    logger.info('behind');
  });
  const req = (id: string) => ({ id, method: 'POST', path: '/mcp' });
  expect(found).toMatchObject([
    { msg: 'before' },
    { msg: 'one begins', req: req('one') },
    { msg: 'two begins', req: req('two') },
    { msg: 'two ends', req: req('two'), more: 1 },
    { msg: 'one ends', req: req('one'), more: 1 },
    { msg: 'behind' },
  ]);
  expect(found[0]).not.toHaveProperty('req');
  expect(found.at(-1)).not.toHaveProperty('req');
  expect(JSON.stringify(found)).not.toContain('secret');
});
