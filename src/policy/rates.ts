/** How often what is in a class may be called, and who is counted together: as the operator writes it, and as it is counted. Pure. */
import { IsBoolean, IsIn, IsOptional } from 'class-validator';
import { type Principal, principalKey } from '../core/principal.js';
import { IsNumber } from '../config/rules.js';
import { checkEntry, type FaultReporter } from '../config/yaml-file.js';

/** `caller`: one person with one client. `everyone`: all of them together. */
const COUNTED = ['caller', 'person', 'client', 'everyone'] as const;
type Counted = (typeof COUNTED)[number];

/** In seconds. */
const PERIODS = { per_minute: 60, per_hour: 3_600, per_day: 86_400 } as const;
type Period = keyof typeof PERIODS;
const PERIOD_NAMES = Object.keys(PERIODS) as readonly Period[];
const MAX_CALLS = 1_000_000;

export interface Rate {
  readonly name: string;
  readonly calls: number;
  /** The time in which so many are allowed, from the first one on. */
  readonly seconds: number;
  readonly by: Counted;
  /** Each tool by itself; otherwise all that is in the class together. */
  readonly eachTool: boolean;
}

/** One that a target is in. */
export interface RateClass extends Rate {
  /** The rule that put it there. */
  readonly source: string;
  /** Counted and recorded, and refuses no call. */
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

/** @returns undefined where a fault was reported. */
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

/** Who a call counts for: no two that are counted apart share one. */
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
