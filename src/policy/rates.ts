/** Rate classes of policy.yaml: parsing, counter keys and descriptions. Pure. */
import { IsBoolean, IsIn, IsOptional } from 'class-validator';
import { type Principal, principalKey } from '../core/principal.js';
import { IsNumber } from '../config/rules.js';
import { checkEntry, type FaultReporter } from '../config/yaml-file.js';

/** `caller`: one user with one client. `everyone`: all callers. */
const COUNTED = ['caller', 'person', 'client', 'everyone'] as const;
type Counted = (typeof COUNTED)[number];

/** Seconds. */
const PERIODS = { per_minute: 60, per_hour: 3_600, per_day: 86_400 } as const;
type Period = keyof typeof PERIODS;
const PERIOD_NAMES = Object.keys(PERIODS) as readonly Period[];
const MAX_CALLS = 1_000_000;

export interface Rate {
  readonly name: string;
  readonly calls: number;
  /** Length of the window in seconds; it starts with the first call. */
  readonly seconds: number;
  readonly by: Counted;
  /** True: a separate counter per tool. */
  readonly eachTool: boolean;
}

/** A rate class of a target. */
export interface RateClass extends Rate {
  /** Rule that assigned it. */
  readonly source: string;
  /** Counted and recorded, without denial. */
  readonly isShadow: boolean;
}

class RateEntry {
  @IsOptional()
  @IsNumber(1, MAX_CALLS)
  per_minute?: number;

  @IsOptional()
  @IsNumber(1, MAX_CALLS)
  per_hour?: number;

  @IsOptional()
  @IsNumber(1, MAX_CALLS)
  per_day?: number;

  @IsOptional()
  @IsIn(COUNTED, { message: `must be one of ${COUNTED.join(', ')}` })
  by?: Counted;

  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  each_tool?: boolean;
}

/** @returns undefined after a reported fault. */
export function readRate(name: string, value: unknown, report: FaultReporter): Rate | undefined {
  const place = `rates.${name}`;
  let isRight = true;
  const noticing: FaultReporter = (where, fault) => {
    isRight = false;
    report(where, fault);
  };
  checkEntry(RateEntry, value, place, {}, noticing);
  if (!isRight) return undefined;
  const entry = value as RateEntry;
  const periods = PERIOD_NAMES.filter((period) => entry[period] !== undefined);
  const [period] = periods;
  if (period === undefined || periods.length > 1) {
    report(`${place}: `, `must have one of ${PERIOD_NAMES.join(', ')}`);
    return undefined;
  }
  return {
    name,
    calls: entry[period] as number,
    seconds: PERIODS[period],
    by: entry.by ?? 'caller',
    eachTool: entry.each_tool ?? false,
  };
}

/** Counter key of a call; callers with separate counts have different keys. */
export function rateLimitKey({ by, eachTool }: Rate, principal: Principal, label: string): string {
  return JSON.stringify([eachTool ? label : null, whoOf(by, principal)]);
}

export function rateText({ calls, seconds, by, eachTool }: Rate): string {
  const period = PERIOD_NAMES.find((name) => PERIODS[name] === seconds)?.replace('per_', '');
  const who = by === 'caller' ? 'person and client' : by;
  const whose = by === 'everyone' ? 'of everyone together' : `of each ${who}`;
  return `${calls} calls a ${period} ${whose}${eachTool ? ', each tool by itself' : ''}`;
}

function whoOf(by: Counted, principal: Principal): unknown {
  switch (by) {
    case 'caller':
      return principalKey(principal);
    case 'person':
      return [principal.issuer, principal.subject];
    case 'client':
      return [principal.issuer, principal.clientId];
    case 'everyone':
      return null;
  }
}
