/** The logger of the project: each line has the member `event` of {@link LOG_EVENTS}. */
import { Logger } from '@nestjs/common';
import { LOG_EVENTS, type LogEvent } from './log-events.js';

/** Further members of a line. An error is the member `err`. */
export interface LogFields {
  readonly event?: never;
  readonly [name: string]: unknown;
}

export class EventLogger {
  private readonly logger: Logger;

  /** @param context names the part of the server in the member `context`. */
  constructor(context: string) {
    this.logger = new Logger(context);
  }

  /** Writes one line at the level of the event. */
  write(event: LogEvent, message: string, fields: LogFields = {}): void {
    this.logger[LOG_EVENTS[event].level]({ event, ...fields }, message);
  }
}

/** For units that log through a dependency. */
export type EventLog = Pick<EventLogger, 'write'>;
