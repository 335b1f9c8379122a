/** Validators of the example inputs. */
import { applyDecorators } from '@nestjs/common';
import { IsEmail, Matches, MaxLength, ValidateBy, ValidateIf } from 'class-validator';
import { MAX_ADDRESS_LENGTH, PLAIN_ADDRESS, isOneLine } from './text-rules.js';

export function IsCustomerId(): PropertyDecorator {
  return Matches(/^[A-Za-z0-9_-]{1,64}$/, {
    message: '$property must be 1 to 64 characters of A-Z a-z 0-9 _ -',
  });
}

/** One plain e-mail address; see {@link PLAIN_ADDRESS}. */
export function IsPlainAddress(): PropertyDecorator {
  return applyDecorators(
    MaxLength(MAX_ADDRESS_LENGTH),
    IsEmail(),
    Matches(PLAIN_ADDRESS, { message: '$property must be one plain e-mail address, without a name' }),
  );
}

/** Text without line breaks and control characters, not blank. */
export function IsOneLine(): PropertyDecorator {
  return ValidateBy({
    name: 'isOneLine',
    validator: {
      validate: isOneLine,
      defaultMessage: () => '$property must be one line of text, without control characters',
    },
  });
}

/** Optional. Unlike `IsOptional` it rejects null. */
export function MayBeLeftOut(): PropertyDecorator {
  return ValidateIf((_, value) => value !== undefined);
}
