/** Common helpers for specs of remote documents. */
import { LOG_EVENTS, type LogEvent } from '../../src/core/log-events.js';

/** Polls, because a fixed sleep is too short on a busy machine. */
export async function until(holds: () => boolean | Promise<boolean>, milliseconds = 10_000): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Timed out after ${milliseconds} ms: ${String(holds)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export class CollectedLog {
  readonly lines: string[] = [];

  write(event: LogEvent, message: string): void {
    this.lines.push(`${LOG_EVENTS[event].level} ${message}`);
  }
}

/** Moves only the wall clock, until `jest.restoreAllMocks()`. */
export function moveWallClock(milliseconds: number): void {
  jest.spyOn(Date, 'now').mockImplementation(() => new Date().getTime() + milliseconds);
}
