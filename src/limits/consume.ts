/** One request counted, or refused. */
import { RateLimiterRes, type RateLimiterMemory } from 'rate-limiter-flexible';
import { AppError } from '../common/app-error.js';

/** @throws AppError `rate_limited` (429) with the seconds to wait. */
export async function consume(limiter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    throw new AppError('rate_limited', 'Too many requests', {
      status: 429,
      retryAfterSeconds: Math.max(1, Math.ceil(refusal.msBeforeNext / 1000)),
    });
  }
}
