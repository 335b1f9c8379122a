/** Delivers records to an append-only PostgreSQL table. A trigger rejects update, delete and truncate. */
import pg from 'pg';
import { libpqUrl } from '../../config/database-url.js';
import type { SinkRecord, Sink } from './sink.js';
import { PRODUCT_NAME } from '../../lib/version.js';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;

/** Stores the original line, so that the chain can be verified from the table. */
const SCHEMA = `
-- What jsonb cannot have (a NUL, half of a surrogate pair) is replaced there; the line keeps it.
create or replace function audit_record_of(line text) returns jsonb language plpgsql immutable as $$
  begin
    return line::jsonb;
  exception when others then
    return regexp_replace(line, '\\\\u(0000|d[89a-f][0-9a-f]{2})', '\\\\ufffd', 'gi')::jsonb;
  end $$;
create table if not exists audit_records (
  instance text not null,
  seq bigint not null,
  time timestamptz not null,
  event text not null,
  line text not null,
  record jsonb generated always as (audit_record_of(line)) stored,
  primary key (instance, seq)
);
create index if not exists audit_records_time on audit_records (time);
create or replace function audit_records_only_grow() returns trigger language plpgsql as
  $$ begin raise exception 'audit_records only grows'; end $$;
create or replace trigger audit_records_only_grow before update or delete or truncate
  on audit_records for each statement execute function audit_records_only_grow();
revoke update, delete, truncate on audit_records from public;
`;

export class PostgresSink implements Sink {
  private readonly pool: pg.Pool;
  private ready: Promise<void> | undefined;

  constructor(databaseUrl: string) {
    this.pool = new pg.Pool({
      connectionString: libpqUrl(databaseUrl),
      application_name: `${PRODUCT_NAME} audit`,
      max: 1,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: 2 * STATEMENT_TIMEOUT_MS,
      keepAlive: true,
    });
    // An unhandled 'error' event would end the process; the next delivery reports the failure.
    this.pool.on('error', () => undefined);
  }

  async deliver(records: readonly SinkRecord[]): Promise<void> {
    this.ready ??= this.prepare();
    try {
      await this.ready;
    } catch (error) {
      this.ready = undefined;
      throw error;
    }
    const { rowCount } = await this.pool.query(
      `insert into audit_records (instance, seq, time, event, line)
       select * from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[])
       on conflict do nothing`,
      [
        records.map(({ record }) => record.instance),
        records.map(({ record }) => record.seq),
        records.map(({ record }) => record.time),
        records.map(({ record }) => record.event),
        records.map(({ line }) => line),
      ],
    );
    if (rowCount !== records.length) await this.requireSame(records);
  }

  /**
   * @throws Error if a different record with this number exists: the audit log was truncated or rewritten.
   */
  private async requireSame(records: readonly SinkRecord[]): Promise<void> {
    const { rows } = await this.pool.query<{ seq: string }>(
      `select there.seq from unnest($1::text[], $2::bigint[], $3::text[]) as sent (instance, seq, line)
       join audit_records there on there.instance = sent.instance and there.seq = sent.seq
       where there.line <> sent.line order by there.seq limit 1`,
      [
        records.map(({ record }) => record.instance),
        records.map(({ record }) => record.seq),
        records.map(({ line }) => line),
      ],
    );
    if (rows[0])
      throw new Error(`Record ${rows[0].seq} is there, and is another one: the audit log was rewritten`);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  /** Creates the table if it is missing. A role with only the insert privilege finds it present. */
  private async prepare(): Promise<void> {
    const { rows } = await this.pool.query<{ there: boolean }>(
      `select to_regclass('audit_records') is not null as there`,
    );
    if (!rows[0]?.there) await this.pool.query(SCHEMA);
  }
}
