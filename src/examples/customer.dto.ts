/** Inputs and outputs of the customer tools. */
import { IsBoolean, IsIn, IsString, Length, Matches } from 'class-validator';
import { JSONSchema } from 'class-validator-jsonschema';
import { CUSTOMER_TIERS, type CustomerTier } from './customers.table.js';
import { IsCustomerId, IsOneLine, IsPlainAddress, MayBeLeftOut } from './validators.js';

const UTC_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

export class ReadCustomerInput {
  @IsCustomerId()
  @JSONSchema({ description: 'Identifier of the customer, for example 123' })
  customer_id: string;
}

/**
 * At least one field beside the identifier. The JSON Schema of one class cannot express this rule; the tool checks
 * it.
 */
export class UpdateCustomerInput {
  @IsCustomerId()
  @JSONSchema({ description: 'Identifier of the customer to change' })
  customer_id: string;

  @MayBeLeftOut()
  @IsOneLine()
  @Length(1, 200)
  @JSONSchema({ description: 'New name; unchanged if absent' })
  name?: string;

  @MayBeLeftOut()
  @IsPlainAddress()
  @JSONSchema({ description: 'New e-mail address; unchanged if absent' })
  email?: string;

  @MayBeLeftOut()
  @IsIn(CUSTOMER_TIERS)
  @JSONSchema({ description: 'New service tier; unchanged if absent' })
  tier?: CustomerTier;
}

export class DeleteCustomerInput {
  @IsCustomerId()
  @JSONSchema({ description: 'Identifier of the customer to delete permanently' })
  customer_id: string;
}

export class Customer {
  @IsString()
  @JSONSchema({ description: 'Identifier of the customer' })
  customer_id: string;

  @IsString()
  @JSONSchema({ description: 'Full name' })
  name: string;

  @IsString()
  @JSONSchema({ description: 'E-mail address' })
  email: string;

  @IsIn(CUSTOMER_TIERS)
  @JSONSchema({ description: 'Service tier' })
  tier: CustomerTier;

  // Not IsISO8601: its schema is a `oneOf` with two branches that match every string, so no string is valid.
  @Matches(UTC_TIME)
  @JSONSchema({ description: 'When the record last changed, in UTC', format: 'date-time' })
  updated_at: string;
}

export class DeletedCustomer {
  @IsString()
  @JSONSchema({ description: 'Identifier of the customer that was deleted' })
  customer_id: string;

  @IsBoolean()
  @JSONSchema({ description: 'Always true: a customer that does not exist is an error' })
  deleted: boolean;
}
