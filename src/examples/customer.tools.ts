import { Injectable } from '@nestjs/common';
import { Audit, RequireRoles, RequireScopes } from '../policy/decorators.js';
import { Tool } from '../tools/decorators.js';
import { ToolError } from '../tools/results.js';
import {
  Customer,
  DeleteCustomerInput,
  DeletedCustomer,
  ReadCustomerInput,
  UpdateCustomerInput,
} from './customer.dto.js';
import { CustomerRepository, type CustomerRow } from './customer.repository.js';

/** Example tools for customers in the database. */
@Injectable()
export class CustomerTools {
  constructor(private readonly customers: CustomerRepository) {}

  @Tool({
    name: 'read_customer',
    title: 'Read a customer',
    description: 'Read one customer record',
    annotations: { readOnlyHint: true, openWorldHint: false },
    output: Customer,
  })
  @RequireScopes('database.read')
  @Audit({ arguments: ['customer_id'] })
  async readCustomer(input: ReadCustomerInput): Promise<Customer> {
    return shown(await this.customers.find(input.customer_id));
  }

  @Tool({
    name: 'update_customer',
    title: 'Change a customer',
    description: 'Change the name, the e-mail address or the tier of one customer; give at least one of them',
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    output: Customer,
  })
  @RequireScopes('database.write')
  @Audit({ arguments: ['customer_id'] })
  async updateCustomer(input: UpdateCustomerInput): Promise<Customer> {
    const { customer_id, ...changes } = input;
    if (Object.values(changes).every((value) => value === undefined)) {
      throw new ToolError('Give at least one of name, email and tier');
    }
    return shown(await this.customers.update(customer_id, changes));
  }

  @Tool({
    name: 'delete_customer',
    title: 'Delete a customer',
    description: 'Delete one customer record permanently',
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    output: DeletedCustomer,
  })
  @RequireScopes('database.write')
  @Audit({ arguments: ['customer_id'] })
  @RequireRoles('admin')
  async deleteCustomer(input: DeleteCustomerInput): Promise<DeletedCustomer> {
    if (!(await this.customers.delete(input.customer_id))) throw unknownCustomer();
    return { customer_id: input.customer_id, deleted: true };
  }
}

function shown(row: CustomerRow | undefined): Customer {
  if (!row) throw unknownCustomer();
  const { customer_id, name, email, tier, updated_at } = row;
  return { customer_id, name, email, tier, updated_at: updated_at.toISOString() };
}

function unknownCustomer(): ToolError {
  return new ToolError('No customer with this customer_id');
}
