/** Connections to PostgreSQL, so many at most, which heal by themselves. */
import pg from 'pg';
import { libpqUrl } from '../config/database-url.js';
import { PRODUCT_NAME } from '../lib/version.js';

export interface PoolOptions {
  /** What they are for, as PostgreSQL shows it beside the name of the server; undefined: for tools. */
  readonly name?: string;
  readonly size: number;
  readonly connectMs: number;
  /** After which PostgreSQL gives up a statement, or a transaction that idles. */
  readonly statementMs: number;
  /** Ends a wait for an answer that a broken network will never bring. */
  readonly answerMs: number;
  /** Run on each connection before its first use. */
  readonly prepare?: string;
  readonly onIdleError?: (error: Error) => void;
}

/** What pg says of an answer that did not come in time; it has no code. */
const QUERY_TIMEOUT_MESSAGE = 'Query read timeout';

/** pg keeps a connection whose answer did not come, and whoever is next would wait behind the question that was given up. */
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

/** Nothing is connected before somebody asks. */
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
  // An 'error' that nobody hears ends the process. The pool reports a connection lost while idle; one lost while in
  // use is reported on the connection itself, and reaches its user as the failure of the query.
  pool.on('error', onIdleError);
  pool.on('connect', (client) => client.on('error', ignore));
  return pool;
}

function ignore(): void {}
