import { Injectable } from '@nestjs/common';
import { type Selectable, sql } from 'kysely';
import type { CustomersTable } from './customers.table.js';
import { ExampleDatabase } from './example-database.js';

export type CustomerRow = Selectable<CustomersTable>;
export type CustomerChanges = Partial<Pick<CustomerRow, 'name' | 'email' | 'tier'>>;

/** Customers in the database. Methods return undefined or false for an unknown id. */
@Injectable()
export class CustomerRepository {
  constructor(private readonly database: ExampleDatabase) {}

  async find(id: string): Promise<CustomerRow | undefined> {
    const db = await this.database.get();
    return db.selectFrom('customers').selectAll().where('customer_id', '=', id).executeTakeFirst();
  }

  /** Sets the given fields and returns the updated record. */
  async update(id: string, { name, email, tier }: CustomerChanges): Promise<CustomerRow | undefined> {
    const db = await this.database.get();
    return db
      .updateTable('customers')
      .set({ name, email, tier, updated_at: sql<Date>`now()` })
      .where('customer_id', '=', id)
      .returningAll()
      .executeTakeFirst();
  }

  async delete(id: string): Promise<boolean> {
    const db = await this.database.get();
    const { numDeletedRows } = await db
      .deleteFrom('customers')
      .where('customer_id', '=', id)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  }
}
