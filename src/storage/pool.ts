/** Pool of PostgreSQL connections with a size limit and automatic recovery. */
import pg from 'pg';
import { libpqUrl } from '../config/database-url.js';
import { PRODUCT_NAME } from '../lib/version.js';

export interface PoolOptions {
  /** Purpose in `application_name`, after the name of the server. Undefined: tools. */
  readonly name?: string;
  readonly size: number;
  readonly connectMs: number;
  /** Time limit of a statement and of an idle transaction at PostgreSQL. */
  readonly statementMs: number;
  /** Time limit of a response; covers a broken network. */
  readonly answerMs: number;
  /** Statement for each new connection. */
  readonly prepare?: string;
  readonly onIdleError?: (error: Error) => void;
}

/** Message of pg for a late response, which has no code. */
const QUERY_TIMEOUT_MESSAGE = 'Query read timeout';

/** pg keeps a connection with an outstanding response; its next user would wait for the abandoned query. */
class PoolClient extends pg.Client {
  override query(...question: never[]): never {
    const asked = (super.query as (...question: never[]) => unknown).apply(this, question);
    if (asked instanceof Promise) {
      asked.catch(({ message }: Error) => {
        if (message === QUERY_TIMEOUT_MESSAGE) this.end().catch(ignore);
      });
    }
    return asked as never;
  }
}

/** Connects on demand. */
export function openPool(
  databaseUrl: string,
  { name, size, connectMs, statementMs, answerMs, prepare, onIdleError = ignore }: PoolOptions,
): pg.Pool {
  const pool = new pg.Pool({
    connectionString: libpqUrl(databaseUrl),
    application_name: `${PRODUCT_NAME}${name === undefined ? '' : ` ${name}`}`,
    max: size,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: statementMs,
    query_timeout: answerMs,
    keepAlive: true,
    Client: PoolClient,
    ...(prepare !== undefined && {
      onConnect: async (client) => {
        await client.query(prepare);
      },
    }),
  });
  // An unhandled 'error' event ends the process. The pool reports a connection lost while idle; a connection in use
  // reports its own error, and its query fails.
  pool.on('error', onIdleError);
  pool.on('connect', (client) => client.on('error', ignore));
  return pool;
}

function ignore(): void {}
