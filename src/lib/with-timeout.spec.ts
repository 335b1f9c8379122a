import { withDeadline, withTimeout } from './with-timeout.js';

const never = new Promise<never>(() => undefined);
const late = () => new Error('late');

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('withTimeout', () => {
  it('resolves to undefined at the limit', async () => {
    const waiting = withTimeout(never, 100);
    jest.advanceTimersByTime(100);
    await expect(waiting).resolves.toBeUndefined();
  });

  it('passes the result on and clears its timer', async () => {
    await expect(withTimeout(Promise.resolve(1), 100)).resolves.toBe(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('passes the rejection on and clears its timer', async () => {
    await expect(withTimeout(Promise.reject(new Error('failed')), 100)).rejects.toThrow('failed');
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('withDeadline', () => {
  it('rejects with the given error at the limit', async () => {
    const waiting = withDeadline(never, 100, late);
    jest.advanceTimersByTime(100);
    await expect(waiting).rejects.toThrow('late');
  });

  it('ignores a rejection after the limit', async () => {
    let fail: (error: Error) => void = () => undefined;
    const waiting = withDeadline(new Promise<never>((_resolve, reject) => (fail = reject)), 100, late);
    jest.advanceTimersByTime(100);
    fail(new Error('too late to be noticed'));
    await expect(waiting).rejects.toThrow('late');
  });

  it('passes the result on and does not make the error', async () => {
    const made = jest.fn(late);
    await expect(withDeadline(Promise.resolve(1), 100, made)).resolves.toBe(1);
    jest.advanceTimersByTime(100);
    expect(made).not.toHaveBeenCalled();
  });
});
