/** Page of the log events, from the definitions in src/core/log-events.ts. */
import { LOG_EVENTS } from '../../dist/core/log-events.js';
import { cell } from './markdown.mjs';

export function logEventsPage() {
  const rows = Object.entries(LOG_EVENTS)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, { level, meaning, action }]) =>
        `| \`${name}\` | ${level === 'log' ? 'info' : level} | ${cell(meaning)} | ${cell(action ?? '–')} |`,
    );
  return `# Log events

Each log line of the table has its name in the member \`event\`. Names are stable; message texts are not. \`LOG_LEVEL\` sets the lowest level that the server writes. A dash means that no action is needed. Alerts: [Monitor the server](../guides/monitor-the-server.md).

| event | level | meaning | action |
|---|---|---|---|
${rows.join('\n')}
`;
}
