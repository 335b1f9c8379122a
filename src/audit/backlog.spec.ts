import { Backlog } from './backlog.js';
import { changeRecord, type AuditRecord } from './record.js';

const { change: _, ...blank } = changeRecord({ what: 'key', from: '', to: '' }, '');
const record = (id: string, event: AuditRecord['event'] = 'decision'): AuditRecord => ({
  ...blank,
  id,
  event,
});
const at = (second: number) => new Date(Date.UTC(2026, 10, 22, 10, 0, second));

it('starts empty and rejects take()', () => {
  const backlog = new Backlog();
  expect(backlog.isEmpty).toBe(true);
  expect(() => backlog.take(at(0), 'gap')).toThrow();
});

it('returns kept records in order after the gap record and counts those that exceeded its capacity', () => {
  const backlog = new Backlog(2);
  backlog.keep(record('a'), at(5));
  backlog.keep(record('b', 'authentication'), at(3));
  backlog.keep(record('c'), at(7));
  backlog.keep(record('d', 'outcome'), at(8));
  backlog.keep(record('e'), at(9));
  expect([backlog.isEmpty, backlog.size]).toEqual([false, 2]);
  const { gap, late, since } = backlog.take(at(20), 'gap');
  expect(late.map(({ record: { id }, since: when }) => [id, when])).toEqual([
    ['a', at(5)],
    ['b', at(3)],
  ]);
  expect(since).toEqual(at(3));
  expect(gap).toMatchObject({
    id: 'gap',
    event: 'change',
    change: {
      what: 'gap',
      since: at(3).toISOString(),
      until: at(20).toISOString(),
      late: 2,
      lost: { decision: 2, outcome: 1 },
    },
  });
  expect([backlog.isEmpty, backlog.size]).toEqual([true, 0]);
});

it('starts the gap before the first kept record if beginGap() was earlier', () => {
  const backlog = new Backlog();
  backlog.beginGap(at(1));
  expect(backlog.isEmpty).toBe(false);
  backlog.keep(record('a'), at(6));
  const { gap, late } = backlog.take(at(9), 'gap');
  expect(gap.change).toMatchObject({ since: at(1).toISOString(), late: 1 });
  expect(late.map(({ since }) => since)).toEqual([at(6)]);
});

it('retains the losses of a gap record that could not be written', () => {
  const backlog = new Backlog(1);
  backlog.keep(record('a'), at(1));
  backlog.keep(record('b'), at(2));
  const { gap, late, since } = backlog.take(at(3), 'first');
  backlog.putBack(gap, since);
  late.forEach((one) => backlog.keep(one.record, one.since));
  backlog.keep(record('c'), at(4));
  const again = backlog.take(at(5), 'second');
  expect(again.late.map(({ record: { id } }) => id)).toEqual(['a']);
  expect(again.gap.change).toMatchObject({ since: at(1).toISOString(), lost: { decision: 2 } });
});
