import { Semaphore } from './semaphore.js';

const turnedAway = () => new Error('turned away');
const gate = () => {
  let open = () => undefined as void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
};

it('Semaphore runs a limited number of tasks and the others in FIFO order', async () => {
  const semaphore = new Semaphore(2);
  const order: number[] = [];
  const doors = Array.from({ length: 4 }, gate);
  const all = doors.map(({ opened }, at) =>
    semaphore.run(
      async () => {
        order.push(at);
        await opened;
      },
      1_000,
      turnedAway,
    ),
  );
  await new Promise(setImmediate);
  expect(order).toEqual([0, 1]);
  doors[1]?.open();
  await all[1];
  await new Promise(setImmediate);
  expect(order).toEqual([0, 1, 2]);
  doors.forEach(({ open }) => open());
  await Promise.all(all);
  expect(order).toEqual([0, 1, 2, 3]);
});

it('Semaphore rejects a late, an excess and an aborted waiter, and frees the place afterwards', async () => {
  const semaphore = new Semaphore(1, 2);
  const door = gate();
  const first = semaphore.run(() => door.opened, 1_000, turnedAway);
  const abort = new AbortController();
  const late = semaphore.run(() => Promise.resolve(), 20, turnedAway);
  const given = semaphore.run(() => Promise.resolve(), 1_000, turnedAway, abort.signal);
  await expect(semaphore.run(() => Promise.resolve(), 1_000, turnedAway)).rejects.toThrow('turned away');
  await expect(late).rejects.toThrow('turned away');
  abort.abort(new Error('gave up'));
  await expect(given).rejects.toThrow('gave up');
  door.open();
  await first;
  await expect(semaphore.run(() => Promise.resolve('mine'), 0, turnedAway)).resolves.toBe('mine');
});

it('Semaphore passes the place on after a failed task', async () => {
  const semaphore = new Semaphore(1);
  await expect(semaphore.run(() => Promise.reject(new Error('no')), 10, turnedAway)).rejects.toThrow('no');
  await expect(semaphore.run(() => Promise.resolve(1), 10, turnedAway)).resolves.toBe(1);
});
